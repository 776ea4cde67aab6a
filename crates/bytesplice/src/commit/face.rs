use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::candidate::{Candidate, Method};
use super::choice::Survey;
use super::engine::{Engine, Verification};
use super::failure::{Failure, IoFailure, Object, Stage};
use super::journal;
use super::literals::{PieceLiterals, Sources};
use super::locate::storage_of;
use super::plan::Geometry;
use super::report::CommitPlan;
use super::watch::Watch;
use super::{direct, order};
use crate::identity::Identity;
use crate::lock::{Access, FileLock};
use crate::pieces::{Piece, PieceTree, Source};
use crate::source::Original;
use crate::storage::mount;
use crate::storage::os::{self, OsStorage};
use crate::storage::os_file::file_size_limit;
use crate::{
    Cancel, CommitOptions, Durability, Error, FileState, Progress, Result, SpliceFile, Strategy,
};

/// Bringing the file to the current contents.
impl SpliceFile {
    /// What [`commit`](Self::commit) would do, without doing it. O(n) in the pieces; writes nothing, but takes the disk space
    /// that a journal would take for a moment.
    ///
    /// # Errors
    /// As for [`plan_with`](Self::plan_with).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("data");
    /// std::fs::write(&path, vec![b'.'; 100_000])?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.insert(60_000, "new")?;
    /// let plan = file.plan()?;
    /// assert_eq!((plan.bytes_staying, plan.bytes_moved, plan.bytes_new), (60_000, 40_000, 3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn plan(&self) -> Result<CommitPlan> {
        self.plan_with(&CommitOptions::default())
    }

    /// What [`commit_with`](Self::commit_with) would do with these options. O(n) in the pieces; writes nothing, but takes the
    /// disk space that a journal would take for a moment: what the system would refuse to the commit it refuses to the plan.
    /// A handle that is open for reading only can plan, but not commit.
    ///
    /// # Errors
    /// [`Error::Poisoned`]; [`Error::StrategyUnsupported`]; [`Error::JournalUnwritable`]; [`Error::NoSpaceForJournal`];
    /// [`Error::NoSpace`]; [`Error::SizeLimit`]; [`Error::NeedsRecovery`], if there is a journal already; [`Error::Io`], if
    /// the file cannot be looked at.
    pub fn plan_with(&self, options: &CommitOptions<'_>) -> Result<CommitPlan> {
        self.check_usable()?;
        let synced = options.durability == Durability::Synced;
        if self.is_modified() {
            self.check_mount(options.strategy)?;
        }
        if options.strategy == Strategy::Replace && self.is_modified() {
            return self.plan_to_replace(synced, options.allow_writers);
        }
        let choice =
            self.choose(&self.tree, options.strategy, synced, Survey::All, options.allow_writers)?;
        if let Some(candidate) = &choice.candidate {
            self.rehearse(candidate, synced)?;
        }
        let cost = choice.candidate.map(|candidate| candidate.cost);
        let old_len = self.original.len();
        let mut costs = choice.costs;
        self.rehearse_costs(&mut costs, synced);
        if !costs.is_empty() {
            costs.insert(costs.len() - 1, self.cost_of_replacing(synced)?);
        }
        self.refuse_by_mount(&mut costs);
        let plan = CommitPlan::new(self.tree.iter(), old_len, cost.as_ref(), choice.reason, costs);
        Ok(CommitPlan { copies_up: mount::copies_up(self.original.file()), ..plan })
    }

    /// Brings the file to the current contents, durably and in one pass: see [`commit_with`](Self::commit_with).
    ///
    /// # Errors
    /// As for [`commit_with`](Self::commit_with).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("data");
    /// std::fs::write(&path, "0000111122223333")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.remove(4..8)?;
    /// file.insert(4, "AAAA and more")?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&path)?, b"0000AAAA and more22223333");
    /// # Ok(())
    /// # }
    /// ```
    pub fn commit(&mut self) -> Result<()> {
        self.commit_with(CommitOptions::default())
    }

    /// Brings the file to the current contents: same inode (but for [`Strategy::Replace`]), one pass over what changes
    /// its place.
    ///
    /// With every strategy but [`Strategy::Direct`], and unless [`Durability::Unsynced`] is asked for, the file is
    /// wholly old or wholly new after a crash at any moment, once it is opened by this library again. Others who read
    /// the file meanwhile may see the middle. A file without a name has no place for a journal and goes direct.
    ///
    /// Cost: the bytes that change place are written once, and up to once more to the journal.
    ///
    /// # Errors
    /// Each says by [`Error::file_state`] what the file holds. Nothing is changed by [`Error::PermissionDenied`],
    /// [`Error::Locked`], [`Error::Changed`], [`Error::SourceChanged`], [`Error::Unexpected`],
    /// [`Error::JournalUnwritable`], [`Error::NoSpaceForJournal`], [`Error::StrategyUnsupported`], [`Error::Poisoned`]; [`Error::NoSpace`], [`Error::SizeLimit`] and [`Error::Io`]
    /// may come before or after the commit point. After it the handle is poisoned, and the journal stays for the next
    /// open.
    pub fn commit_with(&mut self, options: CommitOptions<'_>) -> Result<()> {
        self.check_usable()?;
        self.check_expectations()?;
        if !self.is_modified() {
            return Ok(());
        }
        if self.read_only {
            return Err(Error::PermissionDenied { path: self.path.clone() });
        }
        let _lock = match self.lock {
            Some(_) => None,
            None => {
                Some(FileLock::try_acquire(self.original.file(), &self.path, Access::Exclusive)?)
            }
        };
        self.locate()?;
        self.check_unchanged()?;
        self.check_mount(options.strategy)?;
        if options.strategy == Strategy::Replace {
            let kept = self.keep_history(u64::MAX);
            return self.commit_by_replacing(options, kept);
        }
        let unnamed =
            self.unlinked && !matches!(options.strategy, Strategy::Auto | Strategy::Direct);
        if unnamed {
            // Beside the path it once had, a journal would be found by whatever file is there next.
            return Err(Error::JournalUnwritable {
                path: self.path.clone(),
                journal: os::journal_beside(&self.path),
                source: io::Error::new(ErrorKind::NotFound, "the file has no name"),
            });
        }
        let synced = options.durability == Durability::Synced;
        let pieces = if options.strategy == Strategy::Direct || self.unlinked {
            self.stash_reordered()?
        } else {
            self.tree.clone()
        };
        let choice =
            self.choose(&pieces, options.strategy, synced, Survey::Enough, options.allow_writers)?;
        let kept = self.keep_history(u64::MAX);
        let Some(mut candidate) = choice.candidate else {
            // The contents are those of the file.
            return self.start_over_from_disk(kept);
        };
        let storage = storage_of(Arc::clone(self.original.file()), &self.path, synced);
        let storage =
            storage.map_err(|source| self.io_error("read the mark of the file", source))?;
        let storage = storage.despite_writers(options.allow_writers);
        let mut report = options.progress;
        let mut outcome = self.carry_out(&candidate, &storage, &mut report, options.cancel);
        if let (Err(Failure::Unsupported(_)), Strategy::Auto) = (&outcome, options.strategy) {
            // What the file system does for others it refuses for this very file.
            let journaled = self.choose(
                &pieces,
                Strategy::Journaled,
                synced,
                Survey::Enough,
                options.allow_writers,
            )?;
            if let Some(journaled) = journaled.candidate {
                candidate = journaled;
                outcome = self.carry_out(&candidate, &storage, &mut report, options.cancel);
            }
        }
        if let Err(failure) = outcome {
            let error = failure.into_error(&self.path, &storage.journal_path());
            let error = match error {
                Error::StrategyUnsupported { path, reason, .. } => {
                    Error::StrategyUnsupported { path, strategy: candidate.cost.strategy, reason }
                }
                Error::NoSpace {
                    path,
                    operation,
                    offset,
                    source,
                    state: FileState::Unchanged,
                    ..
                } if path == storage.journal_path() => {
                    let needed = candidate.disk_space();
                    let written = if operation == "write" { offset } else { 0 };
                    let unwritten = needed.saturating_sub(written);
                    self.no_space_for_journal(&path, needed, unwritten, source)
                }
                other => other,
            };
            if error.file_state() != FileState::Unchanged {
                self.poisoned = Some(error.file_state());
            }
            return Err(error);
        }
        self.start_over_from_disk(kept)
    }

    fn carry_out(
        &self,
        candidate: &Candidate,
        storage: &OsStorage,
        report: &mut Option<&mut dyn FnMut(Progress)>,
        cancel: Option<&Cancel>,
    ) -> Result<(), Failure> {
        self.check_size_limit(candidate).map_err(|error| Failure::Changed(Box::new(error)))?;
        let bytes_total = candidate.bytes_of_progress(Geometry::REAL.block);
        let mut bytes_done = 0;
        let mut progress = |bytes: u64| {
            bytes_done += bytes;
            if let Some(report) = report {
                report(Progress { bytes_done: bytes_done.min(bytes_total), bytes_total });
            }
        };
        let sources = PieceLiterals::new(&candidate.literals, self);
        let mut watch = Watch::cancellable(&mut progress, cancel);
        match &candidate.method {
            Method::Direct(plan) => {
                direct::commit(storage, plan, &sources, Geometry::REAL, &mut watch)
            }
            Method::Program(program) => {
                let mut engine = Engine {
                    storage,
                    geometry: Geometry::REAL,
                    watch,
                    verification: Verification::None,
                };
                engine.commit(program, &sources, random_nonce(), &mut || self.check_unchanged())
            }
        }
    }

    /// Fails unless the file, its path and all sources are what they were.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        self.check_own_contents()?;
        let now = Identity::of(self.original.file())
            .map_err(|source| self.io_error("read the state of the file", source))?;
        if let Some(what) = self.original.identity().difference(&now) {
            return Err(Error::Changed { path: self.path.clone(), what });
        }
        self.check_name()?;
        self.sources.iter().try_for_each(|source| source.check_unchanged())
    }

    /// Without a journal nobody else keeps the bytes that are overwritten before they are written elsewhere.
    fn stash_reordered(&mut self) -> Result<PieceTree> {
        let kept = order::kept_in_order(self.tree.iter());
        let stays = |(piece, kept): (Piece, &bool)| piece.source != Source::Original || *kept;
        if self.tree.iter().zip(&kept).all(stays) {
            return Ok(self.tree.clone());
        }
        let mut pieces: Vec<Piece> = self.tree.iter().collect();
        for (piece, kept) in pieces.iter_mut().zip(kept) {
            if piece.source == Source::Original && !kept {
                let mut reader =
                    OriginalReader { file: self.original.file().clone(), at: piece.offset };
                let mut reader = io::Read::take(&mut reader, piece.len);
                let (address, _) =
                    self.added.append_from(&mut reader).map_err(|error| self.not_added(error))?;
                *piece = Piece::new(Source::Added, address, piece.len);
            }
        }
        Ok(PieceTree::from_pieces(pieces))
    }

    /// A write past the limit would not only fail but, by default, kill the process.
    pub(super) fn check_size_limit(&self, candidate: &Candidate) -> Result<()> {
        let len = candidate.cost.longest_file;
        match file_size_limit() {
            Some(limit) if len > limit => {
                let (path, state) = (self.path.clone(), FileState::Unchanged);
                Err(Error::SizeLimit { path, len, limit, state })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn io_error(&self, operation: &'static str, source: io::Error) -> Error {
        Error::Io {
            path: self.path.clone(),
            operation,
            offset: 0,
            len: 0,
            source,
            state: FileState::Unchanged,
        }
    }
}

impl Sources for SpliceFile {
    fn read_exact_at(&self, source: Source, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match source {
            Source::Original => self.original.read_exact_at(buffer, offset),
            Source::Added => self.added.read_exact_at(buffer, offset),
            Source::File(number) => match self.sources.get(number as usize) {
                Some(source) => source.read_exact_at(buffer, offset),
                None => Err(ErrorKind::NotFound.into()),
            },
            Source::Fill(byte) => {
                buffer.fill(byte);
                Ok(())
            }
        }
    }
}

/// Reads the file on, from an offset.
struct OriginalReader {
    file: Arc<std::fs::File>,
    at: u64,
}

impl io::Read for OriginalReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Tells this commit from all others. A system without random numbers has the time.
fn random_nonce() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.as_nanos() as u64)
    })
}

impl Failure {
    /// The error for the user: which file, and what it holds now.
    pub(crate) fn into_error(self, path: &Path, journal: &Path) -> Error {
        let (path, journal) = (path.to_path_buf(), journal.to_path_buf());
        match self {
            Self::Changed(error) => *error,
            Self::AppendedTo => {
                Error::Changed { path, what: "others appended to it at this very moment".into() }
            }
            Self::ChangedSinceCrash(detail) => Error::ChangedSinceCrash { path, journal, detail },
            Self::Corrupt(detail) => Error::JournalCorrupt { path, journal, detail },
            Self::WrongFile(mismatch, detail) => {
                Error::WrongFile { path, journal, detail, mismatch }
            }
            Self::Version(found) => {
                Error::JournalVersion { path, journal, found, supported: journal::VERSION }
            }
            Self::DiskDiffers { object, range } => Error::DiskDiffers {
                path,
                journal,
                in_journal: object == Object::Journal,
                offset: range.start,
                len: range.end - range.start,
            },
            Self::JournalMissing => Error::JournalMissing { path, journal },
            Self::Io(failure) => failure.into_error(&path, &journal),
            Self::Cancelled(stage) => Error::Cancelled { path, state: stage.file_state(&journal) },
            Self::Unsupported(failure) => Error::StrategyUnsupported {
                path,
                strategy: Strategy::Auto,
                reason: format!(
                    "the file system does not {} this file: {}",
                    failure.operation, failure.source
                ),
            },
            Self::PastCommitPoint => Error::PastCommitPoint { path, journal },
            Self::LeftBehind { failure, cleaning, stage } => {
                failure.into_error(&path, &journal).leaving(&journal, *cleaning, stage)
            }
        }
    }
}

impl Error {
    /// This error of a commit that could not remove the file `left` for the reason `cleaning`.
    pub(super) fn leaving(self, left: &Path, cleaning: Failure, stage: Stage) -> Self {
        let source = match cleaning {
            Failure::Io(failure) => failure.source,
            // Removing a file fails in no other way.
            other => io::Error::other(format!("{other:?}")),
        };
        let (error, state) = (Box::new(self), stage.file_state(left));
        Self::LeftBehind { error, left: left.into(), source, state }
    }
}

impl IoFailure {
    fn into_error(self, path: &Path, journal: &Path) -> Error {
        let state = self.stage.file_state(journal);
        let Self { object, operation, offset, len, source, .. } = self;
        let object_path = match object {
            Object::Target | Object::Literals => path,
            Object::Journal | Object::Replacement => journal,
            Object::Directory => journal.parent().unwrap_or(journal),
        };
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Error::NoSpace { path: object_path.into(), operation, offset, len, source, state }
            }
            ErrorKind::FileTooLarge if offset.saturating_add(len) > 0 => Error::SizeLimit {
                path: object_path.into(),
                len: offset.saturating_add(len),
                limit: file_size_limit().unwrap_or(i64::MAX as u64),
                state,
            },
            ErrorKind::AlreadyExists if object == Object::Journal => {
                Error::NeedsRecovery { path: path.into(), journal: journal.into() }
            }
            _ if object == Object::Journal && operation == "create" => {
                Error::JournalUnwritable { path: path.into(), journal: journal.into(), source }
            }
            _ => Error::Io { path: object_path.into(), operation, offset, len, source, state },
        }
    }
}

impl Stage {
    fn file_state(self, journal: &Path) -> FileState {
        match self {
            Self::Unchanged => FileState::Unchanged,
            Self::Recoverable => FileState::Recoverable { journal: journal.into() },
            Self::Committed => FileState::Committed,
            Self::Damaged => FileState::Damaged,
            Self::OldOrNew => FileState::OldOrNew,
        }
    }
}
