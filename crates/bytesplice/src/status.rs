use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commit::journal;
use crate::commit::journal::header::{Header, HeaderState};
use crate::commit::journal::record::Record;
use crate::commit::locate::storage_of;
use crate::commit::plan::Geometry;
use crate::lock::{FileLock, LockKind};
use crate::regular::{self, Regular};
use crate::storage::directory::is_no_regular_file;
use crate::storage::os::journal_beside;
use crate::storage::replacement::replacement_beside;
use crate::storage::{Mark, Storage, StorageFile};
use crate::{Error, FileState, Result};

/// What is known of a file from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The file, without symlinks.
    pub path: PathBuf,
    /// Its length in bytes. In the middle of a commit this is neither old nor new.
    pub len: u64,
    /// Its journal.
    pub journal: JournalStatus,
    /// The lengths before and after the commit, by its journal; none if there is no journal whose header can be read.
    pub commit_lengths: Option<CommitLengths>,
    /// The unfinished new file beside it, of a commit by [`Strategy::Replace`](crate::Strategy::Replace) that is under
    /// way or, if the file is not locked, was cut short. The contents are not concerned: the next open for writing
    /// removes it.
    pub replacement: Option<PathBuf>,
    /// Whether another bytesplice holds it for writing.
    pub locked: bool,
    /// How bytesplices exclude each other from it, which is the same for all files of one file system.
    pub lock_kind: LockKind,
    /// Whether it can be read but not written.
    pub read_only: bool,
}

/// Lengths of a file before and after a commit, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitLengths {
    /// Length of the old contents.
    pub old: u64,
    /// Length of the new contents.
    pub new: u64,
}

impl Status {
    /// Whether another bytesplice is committing, or recovering, just now: then nothing was cut short.
    #[must_use]
    pub fn is_being_written(&self) -> bool {
        let unfinished = match self.journal {
            JournalStatus::None | JournalStatus::Unusable { .. } => false,
            JournalStatus::Prepared { .. }
            | JournalStatus::Committing { .. }
            | JournalStatus::Finishing { .. } => true,
        };
        unfinished && self.locked
    }

    /// Whether the file cannot be used before recovery: a commit was cut short, or the journal is unusable.
    #[must_use]
    pub fn needs_recovery(&self) -> bool {
        self.journal != JournalStatus::None && !self.is_being_written()
    }
}

/// Whether a commit is under way or was cut short, and how far it got. [`Status::is_being_written`] tells the two apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalStatus {
    /// No commit.
    None,
    /// A commit that has not passed its commit point: recovery goes back to the old contents.
    Prepared {
        /// The journal.
        journal: PathBuf,
    },
    /// A commit past its commit point: recovery goes on to the new contents.
    Committing {
        /// The journal.
        journal: PathBuf,
        /// The step that may be half done, from 0.
        step: u64,
        /// How many there are.
        steps: u64,
    },
    /// All blocks are written: recovery sets the length and removes the journal.
    Finishing {
        /// The journal.
        journal: PathBuf,
    },
    /// Recovery cannot go by this journal, or by this one only with force.
    Unusable {
        /// The journal.
        journal: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

impl JournalStatus {
    /// Where the journal is, or should be.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::None => None,
            Self::Prepared { journal }
            | Self::Committing { journal, .. }
            | Self::Finishing { journal }
            | Self::Unusable { journal, .. } => Some(journal),
        }
    }
}

/// Looks at a file without changing it. O(1). To see whether it is locked, the lock is tried for an instant.
///
/// # Errors
/// [`Error::Open`], [`Error::NotRegular`], [`Error::Io`].
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// std::fs::write(&path, "whole")?;
/// let status = bytesplice::status(&path)?;
/// assert_eq!((status.len, status.journal), (5, bytesplice::JournalStatus::None));
/// # Ok(())
/// # }
/// ```
pub fn status(path: impl AsRef<Path>) -> Result<Status> {
    let given = path.as_ref();
    let failed = |source| Error::Open { path: given.into(), source };
    let path = std::fs::canonicalize(given).map_err(failed)?;
    let Regular { file, read_only, .. } = regular::look(&path, given)?;
    let file = Arc::new(file);
    let try_lock = || match FileLock::look(&file, &path) {
        Ok(lock) => Ok(Some(lock)),
        Err(Error::Locked { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let journal = || {
        journal_status(&file, &path).map_err(|source| Error::Io {
            path: path.clone(),
            operation: "look at the journal of the file",
            offset: 0,
            len: 0,
            source,
            state: FileState::Unchanged,
        })
    };
    let mut held = try_lock()?;
    let lock_kind =
        held.as_ref().map_or_else(|| FileLock::kind_while_locked(&file), FileLock::kind);
    let mut locked_by_others = held.take().is_none();
    let mut found = journal()?;
    if !locked_by_others && found.0 != JournalStatus::None {
        // Perhaps a commit began between the two looks. While the lock is ours none can.
        let lock = try_lock()?;
        locked_by_others = lock.is_none();
        found = journal()?;
    }
    let (journal, commit_lengths) = found;
    let len = file.metadata().map_err(failed)?.len();
    let replacement = Some(replacement_beside(&path))
        .filter(|beside| beside.symlink_metadata().is_ok_and(|found| found.is_file()));
    let locked = locked_by_others;
    Ok(Status { len, journal, commit_lengths, replacement, locked, lock_kind, read_only, path })
}

fn journal_status(
    file: &Arc<std::fs::File>,
    path: &Path,
) -> std::io::Result<(JournalStatus, Option<CommitLengths>)> {
    let storage = match storage_of(Arc::clone(file), path, true) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            let (journal, detail) = (journal_beside(path), error.to_string());
            return Ok((JournalStatus::Unusable { journal, detail }, None));
        }
        storage => storage?,
    };
    let journal = storage.journal_path();
    let mark = storage.mark()?;
    let unusable = |detail: String| JournalStatus::Unusable { journal: journal.clone(), detail };
    let open = match storage.open_journal_read_only() {
        Err(error) if is_no_regular_file(&error) => {
            return Ok((unusable("it is not a regular file".into()), None));
        }
        open => open?,
    };
    let Some(open) = open else {
        let status = match mark {
            Mark::Present(_) => unusable("it is missing".into()),
            Mark::Absent | Mark::Unsupported => JournalStatus::None,
        };
        return Ok((status, None));
    };
    let page = Geometry::REAL.page;
    let (header, is_copy) = match Header::read(&open, page)? {
        HeaderState::Valid(header) => (header, false),
        HeaderState::Elsewhere(header) => (header, true),
        HeaderState::OtherVersion(version) => {
            let detail = format!("it has format version {version}, not {}", journal::VERSION);
            return Ok((unusable(detail), None));
        }
        HeaderState::OtherKind(kind) => {
            let detail = format!("it is of the kind {kind}, which a later program wrote");
            return Ok((unusable(detail), None));
        }
        HeaderState::Invalid if matches!(mark, Mark::Present(_)) => {
            return Ok((unusable("its header is damaged".into()), None));
        }
        HeaderState::Invalid => return Ok((JournalStatus::Prepared { journal }, None)),
    };
    let lengths = Some(CommitLengths { old: header.old_len, new: header.new_len });
    let same_file = storage.target().inode()? == header.inode;
    if is_copy || !same_file {
        let detail = match (is_copy, mark) {
            (true, _) => "it is a copy of the journal",
            (false, Mark::Present(nonce)) if nonce == header.nonce => {
                "it belongs to another file, of which this one is a copy made in the middle of its commit"
            }
            (false, _) => "it belongs to another file, whose place this one has taken",
        };
        return Ok((unusable(detail.into()), lengths));
    }
    let records = Record::read_all(&open, Some(header.nonce), page)?;
    let status = match records.first() {
        None => JournalStatus::Prepared { journal },
        Some(record) if record.step < header.step_count => {
            JournalStatus::Committing { journal, step: record.step, steps: header.step_count }
        }
        Some(_) => JournalStatus::Finishing { journal },
    };
    Ok((status, lengths))
}
