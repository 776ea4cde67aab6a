use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::candidate::{Surroundings, estimate};
use super::choice::Survey;
use super::failure::{Failure, IoFailure, Object, Stage};
use super::locate::storage_of;
use super::plan::Geometry;
use super::rehearsal::is_full;
use super::replace::{COPY_METADATA, CREATE, Replace, Work};
use super::report::{CommitPlan, StrategyCost};
use super::watch::Watch;
use crate::history::Kept;
use crate::pieces::Piece;
use crate::source::Original;
use crate::storage::mount;
use crate::storage::os_file::file_size_limit;
use crate::storage::replacement::OsReplacement;
use crate::{CommitOptions, Durability, Error, FileState, Progress, Result, SpliceFile, Strategy};

/// Why a file without a name cannot be replaced.
const NAMELESS: &str = "the file has no name that a new one could take";

/// Planning and committing by a new file.
impl SpliceFile {
    /// What a commit by replacing would do.
    pub(super) fn plan_to_replace(&self, synced: bool, allow_writers: bool) -> Result<CommitPlan> {
        let mut costs = self.choose(&self.tree, Strategy::Auto, synced, Survey::All, true)?.costs;
        let cost = self.cost_of_replacing(synced)?;
        if let Some(reason) = cost.unavailable {
            return Err(self.not_replaceable(reason));
        }
        let replacement = self.replacement(synced);
        self.check_journal()?;
        self.check_writers(allow_writers)?;
        self.check_length_limit(&replacement.beside())?;
        replacement.rehearse(cost.extra_disk).map_err(|(operation, source)| {
            let stage = Stage::Unchanged;
            let (object, offset, len) = (Object::Replacement, 0, 0);
            let failure = IoFailure { object, operation, offset, len, source, stage };
            self.replacement_error(Failure::Io(failure), &replacement.beside())
        })?;
        self.rehearse_costs(&mut costs, synced);
        costs.insert(costs.len().saturating_sub(1), cost.clone());
        let reason = "it was asked for".into();
        let old_len = self.original.len();
        let plan = CommitPlan::new(self.tree.iter(), old_len, Some(&cost), reason, costs);
        let copies_up = mount::copies_up(self.original.file());
        Ok(CommitPlan { breaks_hard_links: self.has_other_links()?, copies_up, ..plan })
    }

    /// The costs of a commit by replacing.
    pub(super) fn cost_of_replacing(&self, synced: bool) -> Result<StrategyCost> {
        if self.unlinked {
            return Ok(StrategyCost::unavailable(Strategy::Replace, NAMELESS.into()));
        }
        let replacement = self.replacement(synced);
        let pieces: Vec<Piece> = self.tree.iter().collect();
        let work =
            Work::new(&replacement, &pieces, replacement.can_clone()).map_err(|failure| {
                failure.at(Stage::Unchanged).into_error(&self.path, &replacement.beside())
            })?;
        let surroundings = Surroundings {
            capabilities: Err("not looked at".into()),
            free_space: u64::MAX,
            cached_share: 1.0,
            size_limit: None,
            named: true,
            synced,
            preallocated: true,
            writers: None,
        };
        let mut cost = StrategyCost {
            bytes_to_read: work.bytes_to_read(),
            bytes_to_write: work.bytes_to_write(),
            // The target, the new file, the directory.
            fsyncs: if synced { 3 } else { 0 },
            extra_disk: work.bytes_to_write(),
            longest_file: work.len,
            keeps_inode: false,
            ..StrategyCost::nothing(Strategy::Replace)
        };
        cost.estimate = estimate(&cost, &surroundings);
        Ok(cost)
    }

    /// Commits by replacing. The caller holds the file exclusively and has made sure that it is unchanged.
    pub(super) fn commit_by_replacing(
        &mut self,
        options: CommitOptions<'_>,
        kept: Kept,
    ) -> Result<()> {
        if self.unlinked {
            return Err(self.not_replaceable(NAMELESS.into()));
        }
        let replacement = self.replacement(options.durability == Durability::Synced);
        self.check_journal()?;
        self.check_writers(options.allow_writers)?;
        self.check_length_limit(&replacement.beside())?;

        let pieces: Vec<Piece> = self.tree.iter().collect();
        let mut report = options.progress;
        let bytes_total = Work::new(&replacement, &pieces, replacement.can_clone())
            .map_or(self.len(), |work| work.bytes_of_progress());
        let mut bytes_done = 0;
        let mut progress = |bytes: u64| {
            bytes_done += bytes;
            if let Some(report) = &mut report {
                report(Progress { bytes_done: bytes_done.min(bytes_total), bytes_total });
            }
        };
        let mut replace = Replace {
            replacement: &replacement,
            buffer: Geometry::REAL.buffer,
            watch: Watch::cancellable(&mut progress, options.cancel),
        };
        let outcome = replace.commit(&pieces, &*self, &mut || self.check_unchanged());
        let file = outcome.map_err(|failure| {
            let error = self.replacement_error(failure, &replacement.beside());
            if error.file_state() != FileState::Unchanged {
                self.poisoned = Some(error.file_state());
            }
            error
        })?;
        let lock = replacement.into_lock();
        if self.lock.is_some() {
            // Only now is the old inode released, which others may wait for.
            self.lock = lock;
        }
        self.start_over_from(Arc::clone(file.file()), kept)
    }

    fn replacement(&self, synced: bool) -> OsReplacement {
        OsReplacement::new(Arc::clone(self.original.file()), &self.path, synced)
    }

    /// Fails if others have the file open for writing: they would go on with the old inode.
    fn check_writers(&self, allow_writers: bool) -> Result<()> {
        match self.other_writers()? {
            Some(writers) if !allow_writers => {
                Err(Error::OpenForWriting { path: self.path.clone(), writers })
            }
            _ => Ok(()),
        }
    }

    /// A commit in place that is not finished would lose the file that its journal is for.
    fn check_journal(&self) -> Result<()> {
        let found = storage_of(Arc::clone(self.original.file()), &self.path, true)
            .and_then(|storage| Ok(storage.has_traces()?.then(|| storage.journal_path())));
        match found.map_err(|error| self.io_error("look for a journal", error))? {
            Some(journal) => Err(Error::NeedsRecovery { path: self.path.clone(), journal }),
            None => Ok(()),
        }
    }

    fn has_other_links(&self) -> Result<bool> {
        let metadata = self.original.file().metadata();
        let metadata =
            metadata.map_err(|error| self.io_error("read the state of the file", error))?;
        Ok(metadata.nlink() > 1)
    }

    fn check_length_limit(&self, replacement: &Path) -> Result<()> {
        match file_size_limit() {
            Some(limit) if self.len() > limit => Err(Error::SizeLimit {
                path: replacement.into(),
                len: self.len(),
                limit,
                state: FileState::Unchanged,
            }),
            _ => Ok(()),
        }
    }

    fn not_replaceable(&self, reason: String) -> Error {
        Error::StrategyUnsupported { path: self.path.clone(), strategy: Strategy::Replace, reason }
    }

    /// The error for the user. What the directory or the metadata of the file do not allow says which other way is left.
    fn replacement_error(&self, failure: Failure, replacement: &Path) -> Error {
        if let Failure::LeftBehind { failure, cleaning, stage } = failure {
            let error = self.replacement_error(*failure, replacement);
            return error.leaving(replacement, *cleaning, stage);
        }
        let Failure::Io(IoFailure { object: Object::Replacement, operation, source, .. }) =
            &failure
        else {
            return failure.into_error(&self.path, replacement);
        };
        let full = is_full(source);
        match *operation {
            CREATE if !full => {
                let shown = replacement.file_name().unwrap_or_default().to_string_lossy();
                self.not_replaceable(format!(
                    "no new file {shown:?} can be made beside it: {source}"
                ))
            }
            COPY_METADATA if !full => self.not_replaceable(source.to_string()),
            _ => failure.into_error(&self.path, replacement),
        }
    }
}
