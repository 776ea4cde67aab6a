use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commit::journal;
use crate::commit::journal::header::{Header, HeaderState};
use crate::commit::journal::record::Record;
use crate::commit::locate::storage_of;
use crate::commit::plan::Geometry;
use crate::lock::{FileLock, LockKind};
use crate::storage::replacement::replacement_beside;
use crate::storage::{Mark, Storage, StorageFile};
use crate::{Error, FileState, Result, regular};

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
    let read_only = regular::open(&path, given, true)?.read_only;
    let file = Arc::new(regular::open(&path, given, false)?.file);
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
    let mut journal_now = journal()?;
    if !locked_by_others && journal_now != JournalStatus::None {
        // Perhaps a commit began between the two looks. While the lock is ours none can.
        let lock = try_lock()?;
        locked_by_others = lock.is_none();
        journal_now = journal()?;
    }
    let len = file.metadata().map_err(failed)?.len();
    let replacement = Some(replacement_beside(&path))
        .filter(|beside| beside.symlink_metadata().is_ok_and(|found| found.is_file()));
    Ok(Status {
        len,
        journal: journal_now,
        replacement,
        locked: locked_by_others,
        lock_kind,
        read_only,
        path,
    })
}

fn journal_status(file: &Arc<std::fs::File>, path: &Path) -> std::io::Result<JournalStatus> {
    let storage = storage_of(Arc::clone(file), path, true)?;
    let journal = storage.journal_path();
    let mark = storage.mark()?;
    let Some(open) = storage.open_journal_read_only()? else {
        return Ok(match mark {
            Mark::Present(_) => JournalStatus::Unusable { journal, detail: "it is missing".into() },
            Mark::Absent | Mark::Unsupported => JournalStatus::None,
        });
    };
    let page = Geometry::REAL.page;
    let header = match Header::read(&open, page)? {
        HeaderState::Valid(header) => header,
        HeaderState::Elsewhere(header) if header.inode == storage.target().inode()? => {
            let detail = "it is a copy of the journal".into();
            return Ok(JournalStatus::Unusable { journal, detail });
        }
        HeaderState::Elsewhere(header) => header,
        HeaderState::OtherVersion(version) => {
            let detail = format!("it has format version {version}, not {}", journal::VERSION);
            return Ok(JournalStatus::Unusable { journal, detail });
        }
        HeaderState::OtherKind(kind) => {
            let detail = format!("it is of the kind {kind}, which a later program wrote");
            return Ok(JournalStatus::Unusable { journal, detail });
        }
        HeaderState::Invalid if matches!(mark, Mark::Present(_)) => {
            return Ok(JournalStatus::Unusable { journal, detail: "its header is damaged".into() });
        }
        HeaderState::Invalid => return Ok(JournalStatus::Prepared { journal }),
    };
    if storage.target().inode()? != header.inode {
        return Ok(JournalStatus::Unusable {
            journal,
            detail: "it belongs to another file".into(),
        });
    }
    let records = Record::read_all(&open, Some(header.nonce), page)?;
    Ok(match records.first() {
        None => JournalStatus::Prepared { journal },
        Some(record) if record.step < header.step_count => {
            JournalStatus::Committing { journal, step: record.step, steps: header.step_count }
        }
        Some(_) => JournalStatus::Finishing { journal },
    })
}
