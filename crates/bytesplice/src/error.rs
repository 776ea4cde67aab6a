mod mismatch;
mod state;
mod text;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

pub use self::mismatch::Mismatch;
pub use self::state::FileState;
pub(crate) use self::text::Shown;
use self::text::{AfterCall, Bytes, InLine, Instead, Outside, WhenCancelled, WhenLeft};
use crate::Strategy;
use crate::script::ScriptProblem;
use crate::vcdiff::VcdiffProblem;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, with the path, the offset and the length it concerns.
///
/// Unless the text says otherwise the file is unchanged. [`Error::file_state`] tells it to programs. Paths are as the
/// caller gave them until the file is open, and without symlinks from then on; [`Error::with_paths`] can change that.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A range or an offset lies past the end of the contents, `len` bytes long.
    #[error("{}: {}", Shown(path), Outside { start: *start, end: *end, len: *len })]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// First byte asked for.
        start: u64,
        /// The byte after the last one asked for; `start` for a single offset.
        end: u64,
        /// Length of the contents in bytes.
        len: u64,
    },
    /// A range of lines lies past the last line.
    #[error(
        "{}: lines {start}..{end} are outside the contents, which have {lines} lines",
        Shown(path)
    )]
    LinesOutOfRange {
        /// The file.
        path: PathBuf,
        /// First line asked for, from 0 on.
        start: u64,
        /// The line after the last one asked for.
        end: u64,
        /// How many lines there are.
        lines: u64,
    },
    /// A range ends before it starts.
    #[error("{}: the range {start}..{end} is reversed", Shown(path))]
    ReversedRange {
        /// The file.
        path: PathBuf,
        /// First byte asked for.
        start: u64,
        /// The byte after the last one asked for.
        end: u64,
    },
    /// A range cannot be moved to a place within itself.
    #[error(
        "{}: bytes {start}..{end} cannot be moved to offset {offset}, which is one of them; nothing was changed",
        Shown(path)
    )]
    MoveIntoItself {
        /// The file.
        path: PathBuf,
        /// First byte to move.
        start: u64,
        /// The byte after the last one to move.
        end: u64,
        /// Where they were to go.
        offset: u64,
    },
    /// There was an edit to undo or redo, but what that takes was not kept.
    #[error("{}: this is as far as the history goes: {why}; nothing was changed", Shown(path))]
    UndoForgotten {
        /// The file.
        path: PathBuf,
        /// Why no more was kept.
        why: String,
    },
    /// No snapshot has this name.
    #[error("{}: there is no snapshot {name:?}", Shown(path))]
    NoSnapshot {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        name: String,
    },
    /// A commit could not keep what a snapshot needs.
    #[error("{}: the snapshot {name:?} cannot be read any more: {why}", Shown(path))]
    SnapshotStale {
        /// The file.
        path: PathBuf,
        /// The snapshot.
        name: String,
        /// Why it was not kept.
        why: String,
    },
    /// A length or offset does not fit into 63 bits, the limit of file sizes.
    #[error(
        "{}: {what} would pass the largest file size, 2^63 - 1 bytes; nothing was changed",
        Shown(path)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Which number overflowed.
        what: &'static str,
    },
    /// A match is too long for its groups to be put into a replacement.
    #[error(
        "{}: the match at {start}..{end} is longer than {limit} bytes, too long for its groups to be put into the replacement; nothing was changed",
        Shown(path)
    )]
    MatchTooLong {
        /// The file.
        path: PathBuf,
        /// First byte of the match.
        start: u64,
        /// The byte after the match.
        end: u64,
        /// Longest match in bytes.
        limit: u64,
    },
    /// The file cannot be opened.
    #[error("{}: cannot open: {source}", Shown(path))]
    Open {
        /// The path as given.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The path leads to a directory, a FIFO, a device or a socket.
    #[error("{}: is a {kind}, not a regular file", Shown(path))]
    NotRegular {
        /// The path as given.
        path: PathBuf,
        /// What it is instead.
        kind: &'static str,
    },
    /// The file may be read but not written.
    #[error(
        "{}: permission denied: the file can be read but not written; nothing was changed",
        Shown(path)
    )]
    PermissionDenied {
        /// The file.
        path: PathBuf,
    },
    /// Another bytesplice holds the file.
    #[error("{}: is locked by another bytesplice", Shown(path))]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file system of the file has no locks, neither flock nor those of fcntl, so that nothing keeps another process from
    /// committing to the file at the same time.
    #[error(
        "{}: its file system has no locks that would keep others from committing to it at the same time; nothing was changed: copy the file to another file system, edit it there, and copy it back",
        Shown(path)
    )]
    NoLocks {
        /// The file.
        path: PathBuf,
    },
    /// Other processes have the file open for writing, and what they append meanwhile could be lost: the file gets shorter and no
    /// strategy can be had that ends without a cut, or a new file takes its name.
    #[error(
        "{}: others have it open for writing, and what they append meanwhile could be lost: {writers}; nothing was changed: end them, or take the risk (`CommitOptions::allow_writers`)",
        Shown(path)
    )]
    OpenForWriting {
        /// The file.
        path: PathBuf,
        /// The names and the process IDs of those that are seen.
        writers: String,
    },
    /// Somebody else changed, truncated, replaced or removed the file since it was opened.
    #[error(
        "{}: was changed by others since it was opened ({what}); nothing was written: open it again",
        Shown(path)
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A file that an edit takes its bytes from was changed since the edit was made.
    #[error(
        "{}: the source of inserted bytes was changed by others ({what}); nothing was written",
        Shown(path)
    )]
    SourceChanged {
        /// The source file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// The old bytes are not the expected ones.
    #[error(
        "{}: the bytes at {start}..{end} are not as expected: they differ first at offset {at}; nothing was changed",
        Shown(path)
    )]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// First byte of the range compared.
        start: u64,
        /// The byte after the range compared.
        end: u64,
        /// Offset of the first difference.
        at: u64,
    },
    /// No room for the new contents or the journal.
    #[error(
        "{}: no space left to {operation}{}: {source}; {state}",
        Shown(path),
        Bytes { offset: *offset, len: *len }
    )]
    NoSpace {
        /// The file that could not grow: the target or its journal.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// Offset of the bytes that the call is about; 0 for a call on the file as a whole.
        offset: u64,
        /// How many bytes the call is about; 0 for a call on the file as a whole.
        len: u64,
        /// The system's answer.
        source: io::Error,
        /// What the file holds now.
        state: FileState,
    },
    /// The disk, or a quota, has no room for the journal of a commit; nothing was changed.
    #[error(
        "{}: no space left for the journal {}: the commit takes {needed} bytes more until it is done, about {missing} of them \
         are missing ({source}); nothing was changed: free as many bytes elsewhere on this file system, or use \
         Strategy::Direct, which takes no journal: if it is cut short, the file holds neither the old nor the new contents",
        Shown(path),
        Shown(journal)
    )]
    NoSpaceForJournal {
        /// The file.
        path: PathBuf,
        /// Where the journal was to be.
        journal: PathBuf,
        /// Disk space that the commit takes, in bytes: the journal, and what the file grows by.
        needed: u64,
        /// How many of these bytes are not free, by what the file system says of itself; at least 1.
        missing: u64,
        /// The system's answer.
        source: io::Error,
    },
    /// The process may not write files this long (`ulimit -f`), or the file system cannot hold them.
    #[error("{}: {len} bytes are over the file size limit of {limit} bytes; {state}", Shown(path))]
    SizeLimit {
        /// The file that would pass the limit: the target or its journal.
        path: PathBuf,
        /// Length it needs in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
        /// What the file holds now.
        state: FileState,
    },
    /// An earlier commit was cut short and the file cannot be repaired from here, as it was opened read-only.
    #[error(
        "{}: an earlier commit was cut short; run `bytesplice recover` on it, with permission to write (journal: {})",
        Shown(path),
        Shown(journal)
    )]
    NeedsRecovery {
        /// The file.
        path: PathBuf,
        /// Its journal.
        journal: PathBuf,
    },
    /// The journal is damaged. Nothing was touched.
    #[error(
        "{}: the journal {} is corrupt: {detail}; nothing was touched: put the undamaged journal back, then recover; or restore the file from a backup, which `forget` then takes as it is",
        Shown(path),
        Shown(journal)
    )]
    JournalCorrupt {
        /// The file.
        path: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file is not the one that a commit left when it was cut short: others changed it since, or copied another file,
    /// such as a backup, over it. Nothing was touched.
    #[error(
        "{}: is not what the commit left that was cut short: {detail}; nothing was touched: if this file is whole, such as a backup that was copied over it, `forget` takes it as it is; else put the file back as the commit left it, then recover (journal: {})",
        Shown(path),
        Shown(journal)
    )]
    ChangedSinceCrash {
        /// The file.
        path: PathBuf,
        /// The journal of the commit.
        journal: PathBuf,
        /// What differs.
        detail: String,
    },
    /// The disk does not hold what recovery wrote to the file and synced, or not what the system has cached of the journal:
    /// the disk failed earlier, and the system goes on as if it had not. The journal is kept.
    #[error(
        "{}: the disk does not hold what was written to {} ({len} bytes at offset {offset}), though the system reported success: unmount the file system and mount it again, then recover (journal: {})",
        Shown(path),
        if *in_journal { "the journal" } else { "the file" },
        Shown(journal)
    )]
    DiskDiffers {
        /// The file.
        path: PathBuf,
        /// The journal of the commit.
        journal: PathBuf,
        /// Whether the bytes are those of the journal, and not of the file.
        in_journal: bool,
        /// Offset of the bytes that differ.
        offset: u64,
        /// How many bytes were compared there.
        len: u64,
    },
    /// The journal does not belong to the file. Nothing was touched.
    #[error(
        "{}: the journal {} does not belong to this file: {detail}; nothing was touched: {mismatch}",
        Shown(path),
        Shown(journal)
    )]
    WrongFile {
        /// The file.
        path: PathBuf,
        /// The journal.
        journal: PathBuf,
        /// What differs.
        detail: String,
        /// The case that this is.
        mismatch: Mismatch,
    },
    /// The journal was written by another version of the format. Nothing was touched.
    #[error(
        "{}: the journal {} has format version {found}, this program knows version {supported}; nothing was touched: recover with the bytesplice that wrote it",
        Shown(path),
        Shown(journal)
    )]
    JournalVersion {
        /// The file.
        path: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// The version found.
        found: u32,
        /// The version this program writes and reads.
        supported: u32,
    },
    /// The file is marked as being in a commit, but its journal is neither beside it nor where the mark says. Nothing was
    /// touched.
    #[error(
        "{}: is in the middle of a commit, but its journal {} is missing; nothing was touched: put the journal back, then recover; if this is a copy of a file that was made in the middle of its commit, recover the original and copy it again; if this file is whole, such as a backup that was copied over it, `forget` takes it as it is",
        Shown(path),
        Shown(journal)
    )]
    JournalMissing {
        /// The file.
        path: PathBuf,
        /// Where the journal should be.
        journal: PathBuf,
    },
    /// The strategy that was asked for cannot be had for this file.
    #[error(
        "{}: the strategy {strategy} cannot be used: {reason}; nothing was changed{}",
        Shown(path),
        Instead { strategy: *strategy, reason }
    )]
    StrategyUnsupported {
        /// The file.
        path: PathBuf,
        /// The strategy asked for.
        strategy: Strategy,
        /// What stands against it.
        reason: String,
    },
    /// The commit or the search was asked to stop, and did.
    #[error("{}: cancelled; {}", Shown(path), WhenCancelled(state))]
    Cancelled {
        /// The file.
        path: PathBuf,
        /// What the file holds.
        state: FileState,
    },
    /// A commit that was cut short has passed its commit point: it can be finished, but not taken back.
    #[error(
        "{}: the commit has passed its commit point and cannot be taken back; nothing was changed: `bytesplice recover` finishes it with {}",
        Shown(path),
        Shown(journal)
    )]
    PastCommitPoint {
        /// The file.
        path: PathBuf,
        /// Its journal.
        journal: PathBuf,
    },
    /// No journal can be made in the file's directory.
    #[error(
        "{}: cannot create the journal {}: {source}; nothing was changed: permit this user to read and write the directory, or use Strategy::Direct, which takes no journal: if it is cut short, the file holds neither the old nor the new contents",
        Shown(path),
        Shown(journal)
    )]
    JournalUnwritable {
        /// The file.
        path: PathBuf,
        /// Where the journal was to be.
        journal: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A system call failed.
    #[error(
        "{}: cannot {operation}{}: {source}; {}",
        Shown(path),
        Bytes { offset: *offset, len: *len },
        AfterCall { operation, state }
    )]
    Io {
        /// The file that was read or written.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// Offset of the bytes that the call is about; 0 for a call on the file as a whole.
        offset: u64,
        /// How many bytes the call is about; 0 for a call on the file as a whole.
        len: u64,
        /// The system's answer.
        source: io::Error,
        /// What the target holds now.
        state: FileState,
    },
    /// A commit or a copy failed before it changed the file, and could not remove what it had made: the journal, the new
    /// file of [`Strategy::Replace`], or an unfinished backup. The next open tries again to remove the first two.
    #[error(
        "{error}; but {} is left, which cannot be removed ({source}): {}",
        Shown(left),
        WhenLeft(state)
    )]
    LeftBehind {
        /// Why the commit failed.
        error: Box<Error>,
        /// The file that is left.
        left: PathBuf,
        /// What the system answered when the file was to be removed, or what had to be done before.
        source: io::Error,
        /// What the file that was to be changed holds now.
        state: FileState,
    },
    /// An earlier commit through this handle failed, so that its view of the file is no longer right.
    #[error("{}: an earlier commit through this handle failed; {state}", Shown(path))]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// What the file holds now.
        state: FileState,
    },
    /// An edit script cannot be read, applied or written.
    #[error("{}: {}{problem}", Shown(path), InLine(*line))]
    Script {
        /// The script, as its reader was told.
        path: PathBuf,
        /// The line of it, from 1 on; 0 for the script as a whole.
        line: u64,
        /// What is wrong.
        problem: ScriptProblem,
    },
    /// A VCDIFF delta cannot be read, applied or written.
    #[error("{}: at byte {offset}: {problem}", Shown(path))]
    Vcdiff {
        /// The delta, as its reader was told.
        path: PathBuf,
        /// Where it is in the delta, in bytes; of a window as a whole, where that begins.
        offset: u64,
        /// What is wrong.
        problem: VcdiffProblem,
    },
    /// The reader that an edit took its bytes from failed.
    #[error("{}: cannot read the bytes to insert: {source}; nothing was changed", Shown(path))]
    Content {
        /// The file that was to get the bytes.
        path: PathBuf,
        /// The reader's answer.
        source: io::Error,
    },
}

impl Error {
    /// The strategy that this error recommends, if it recommends one: for programs that call it by another name.
    ///
    /// ```
    /// use bytesplice::{Error, SpliceFile};
    /// let error = SpliceFile::open("/no/such/file").unwrap_err();
    /// assert_eq!(error.recommended_strategy(), None);
    /// ```
    #[must_use]
    pub fn recommended_strategy(&self) -> Option<Strategy> {
        match self {
            Self::JournalUnwritable { .. } | Self::NoSpaceForJournal { .. } => {
                Some(Strategy::Direct)
            }
            Self::StrategyUnsupported { strategy, reason, .. } => {
                Instead { strategy: *strategy, reason }.recommended()
            }
            _ => None,
        }
    }

    /// What the file holds after this error.
    ///
    /// ```
    /// use bytesplice::{Error, FileState, SpliceFile};
    /// let error = SpliceFile::open("/no/such/file").unwrap_err();
    /// assert!(matches!(error, Error::Open { .. }));
    /// assert_eq!(error.file_state(), FileState::Unchanged);
    /// ```
    #[must_use]
    pub fn file_state(&self) -> FileState {
        match self {
            Self::NoSpace { state, .. }
            | Self::SizeLimit { state, .. }
            | Self::Io { state, .. }
            | Self::Cancelled { state, .. }
            | Self::LeftBehind { state, .. }
            | Self::Poisoned { state, .. } => state.clone(),
            Self::NeedsRecovery { journal, .. }
            | Self::JournalCorrupt { journal, .. }
            | Self::ChangedSinceCrash { journal, .. }
            | Self::DiskDiffers { journal, .. }
            | Self::JournalMissing { journal, .. }
            | Self::PastCommitPoint { journal, .. }
            | Self::JournalVersion { journal, .. } => {
                FileState::Recoverable { journal: journal.clone() }
            }
            _ => FileState::Unchanged,
        }
    }
}

impl Error {
    /// The error for a failed write before anything was changed: [`Error::NoSpace`] if the disk or a quota is full.
    pub(crate) fn not_written(
        path: PathBuf,
        operation: &'static str,
        offset: u64,
        len: u64,
        source: io::Error,
    ) -> Self {
        Self::failed_call(path, operation, offset, len, source, FileState::Unchanged)
    }

    /// The error for a failed call on the file at `path` that concerns no bytes of it: [`Error::NoSpace`] if the disk or a
    /// quota is full.
    pub(crate) fn not_done(
        path: PathBuf,
        operation: &'static str,
        source: io::Error,
        state: FileState,
    ) -> Self {
        Self::failed_call(path, operation, 0, 0, source, state)
    }

    /// This error of something that could not remove the file `left`, which it had made, because of `source`.
    pub(crate) fn leaving_file(self, left: &Path, source: io::Error) -> Self {
        let state = self.file_state();
        Self::LeftBehind { error: Box::new(self), left: left.into(), source, state }
    }

    fn failed_call(
        path: PathBuf,
        operation: &'static str,
        offset: u64,
        len: u64,
        source: io::Error,
        state: FileState,
    ) -> Self {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Self::NoSpace { path, operation, offset, len, source, state }
            }
            _ => Self::Io { path, operation, offset, len, source, state },
        }
    }

    /// The same error with each of its paths put through `rename`: for programs that show paths as their users wrote
    /// them.
    ///
    /// ```
    /// use bytesplice::SpliceFile;
    /// let error = SpliceFile::open("/no/such/file").unwrap_err();
    /// let error = error.with_paths(|_| "file".into());
    /// assert!(error.to_string().starts_with("file: cannot open"));
    /// ```
    #[must_use]
    pub fn with_paths(mut self, mut rename: impl FnMut(&Path) -> PathBuf) -> Self {
        self.rename_paths(&mut rename);
        self
    }

    fn rename_paths(&mut self, rename: &mut dyn FnMut(&Path) -> PathBuf) {
        if let Self::LeftBehind { error, .. } = self {
            error.rename_paths(rename);
        }
        let (path, journal, state) = self.parts();
        *path = rename(path);
        let in_state = match state {
            Some(FileState::Recoverable { journal }) => Some(journal),
            _ => None,
        };
        for journal in [journal, in_state].into_iter().flatten() {
            *journal = rename(journal);
        }
    }

    /// The path, the journal and the state, where there are any.
    fn parts(&mut self) -> (&mut PathBuf, Option<&mut PathBuf>, Option<&mut FileState>) {
        match self {
            Self::OutOfRange { path, .. }
            | Self::Script { path, .. }
            | Self::Vcdiff { path, .. }
            | Self::LinesOutOfRange { path, .. }
            | Self::ReversedRange { path, .. }
            | Self::MoveIntoItself { path, .. }
            | Self::UndoForgotten { path, .. }
            | Self::NoSnapshot { path, .. }
            | Self::SnapshotStale { path, .. }
            | Self::TooLarge { path, .. }
            | Self::MatchTooLong { path, .. }
            | Self::Open { path, .. }
            | Self::NotRegular { path, .. }
            | Self::PermissionDenied { path }
            | Self::Locked { path }
            | Self::NoLocks { path }
            | Self::OpenForWriting { path, .. }
            | Self::Changed { path, .. }
            | Self::SourceChanged { path, .. }
            | Self::Unexpected { path, .. }
            | Self::StrategyUnsupported { path, .. }
            | Self::Content { path, .. } => (path, None, None),
            Self::NeedsRecovery { path, journal }
            | Self::JournalCorrupt { path, journal, .. }
            | Self::ChangedSinceCrash { path, journal, .. }
            | Self::DiskDiffers { path, journal, .. }
            | Self::WrongFile { path, journal, .. }
            | Self::JournalVersion { path, journal, .. }
            | Self::JournalMissing { path, journal }
            | Self::PastCommitPoint { path, journal }
            | Self::JournalUnwritable { path, journal, .. }
            | Self::NoSpaceForJournal { path, journal, .. } => (path, Some(journal), None),
            Self::NoSpace { path, state, .. }
            | Self::SizeLimit { path, state, .. }
            | Self::Io { path, state, .. }
            | Self::Cancelled { path, state }
            | Self::Poisoned { path, state } => (path, None, Some(state)),
            Self::LeftBehind { left, state, .. } => (left, None, Some(state)),
        }
    }
}
