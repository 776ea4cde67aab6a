use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::commit::engine::{Engine, Verification};
use crate::commit::locate::storage_of;
use crate::commit::plan::Geometry;
use crate::commit::recover::Goal;
use crate::commit::watch::Watch;
use crate::lock::{Access, FileLock};
use crate::open::{Opened, open_locked};
use crate::storage::mark::{self, FileMark};
use crate::storage::os::OsStorage;
use crate::storage::replacement::{OsReplacement, Replacement, replacement_beside};
use crate::{Error, FileState, LockMode, OpenOptions, Recovery, Result};

/// How to recover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecoverOptions {
    /// Obey the copy of a journal, also if it was written for another inode, if its checksums fit this file: for restored
    /// copies of a file and its journal. A journal that is not a copy is obeyed for its own file only, also with this.
    pub force: bool,
}

/// Finishes or takes back a commit that was cut short: see [`recover_with`].
///
/// # Errors
/// As for [`recover_with`].
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// std::fs::write(&path, "whole")?;
/// assert_eq!(bytesplice::recover(&path)?, bytesplice::Recovery::Clean);
/// # Ok(())
/// # }
/// ```
pub fn recover(path: impl AsRef<Path>) -> Result<Recovery> {
    recover_with(path, RecoverOptions::default())
}

/// Brings a file to wholly old or wholly new contents after a commit was cut short, from its journal alone. Opening
/// the file does the same. A file without a journal is left alone; the unfinished new file that a commit by
/// [`Strategy::Replace`](crate::Strategy::Replace) left beside it is removed, which counts as
/// [`RolledBack`](Recovery::RolledBack).
///
/// # Errors
/// Nothing is touched by [`Error::Open`], [`Error::NotRegular`], [`Error::Locked`], [`Error::NeedsRecovery`] (no
/// permission to write), [`Error::JournalCorrupt`], [`Error::WrongFile`], [`Error::JournalVersion`] and
/// [`Error::JournalMissing`]. After [`Error::Io`], [`Error::NoSpace`] or [`Error::SizeLimit`] recovery can be tried
/// again; this includes the new file that cannot be removed, in which case [`Error::file_state`] says what the file holds.
pub fn recover_with(path: impl AsRef<Path>, options: RecoverOptions) -> Result<Recovery> {
    settle(path.as_ref(), Goal::Recover { force: options.force })
}

/// Takes back a commit that was cut short: the file holds the old contents again. That is possible before the commit
/// point, and after it with [`Strategy::Snapshot`](crate::Strategy::Snapshot). A file without a journal is left alone.
///
/// # Errors
/// [`Error::PastCommitPoint`]: the commit can only be finished, by [`recover`]; nothing is touched. The others are as for
/// [`recover_with`].
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// std::fs::write(&path, "whole")?;
/// assert_eq!(bytesplice::abort(&path)?, bytesplice::Recovery::Clean);
/// # Ok(())
/// # }
/// ```
pub fn abort(path: impl AsRef<Path>) -> Result<Recovery> {
    settle(path.as_ref(), Goal::Abort)
}

fn settle(given: &Path, goal: Goal) -> Result<Recovery> {
    let lock = |file: &Arc<File>, path: &Path, read_only: bool| {
        (!read_only).then(|| FileLock::try_acquire(file, path, Access::Exclusive)).transpose()
    };
    let (opened, _lock) = open_locked(given, |path| path.canonicalize(), true, lock)?;
    let Opened { file, path, read_only } = opened;
    if read_only {
        refuse_traces(&file, &path)?;
        return Ok(Recovery::Clean);
    }
    let outcome = recover_locked(&file, &path, goal)?;
    let removed = remove_stale_replacement(&file, &path).map_err(|source| {
        let state = match outcome {
            Recovery::Completed => FileState::Committed,
            Recovery::Clean | Recovery::RolledBack => FileState::Unchanged,
        };
        Error::not_done(replacement_beside(&path), "remove the unfinished new file", source, state)
    })?;
    Ok(match outcome {
        Recovery::Clean if removed => Recovery::RolledBack,
        outcome => outcome,
    })
}

impl OpenOptions {
    /// What every open does before it shows contents.
    pub(crate) fn recover_first(
        &self,
        file: &Arc<File>,
        path: &Path,
        read_only: bool,
    ) -> Result<()> {
        if read_only {
            return refuse_traces(file, path);
        }
        if self.lock == LockMode::None {
            if !storage(file, path)?.has_traces().map_err(|source| unreadable(path, source))? {
                // A file that a commit by replacing left is in nobody's way, so a locked file is none of our business.
                if replacement_beside(path).symlink_metadata().is_ok()
                    && let Ok(_lock) = FileLock::try_acquire(file, path, Access::Exclusive)
                {
                    tidy(file, path);
                }
                return Ok(());
            }
            let _lock = FileLock::try_acquire(file, path, Access::Exclusive)?;
            recover_locked(file, path, Goal::Recover { force: false })?;
            tidy(file, path);
            return Ok(());
        }
        recover_locked(file, path, Goal::Recover { force: false })?;
        tidy(file, path);
        Ok(())
    }
}

/// Whether the inode tells of a commit that was cut short, whatever became of the names of the file.
pub(crate) fn is_marked(file: &Arc<File>, path: &Path) -> Result<bool> {
    let mark = mark::read(file).map_err(|source| unreadable(path, source))?;
    Ok(matches!(mark, FileMark::Present { .. }))
}

/// A file that cannot be repaired must not be shown.
fn refuse_traces(file: &Arc<File>, path: &Path) -> Result<()> {
    let storage = storage(file, path)?;
    if storage.has_traces().map_err(|source| unreadable(path, source))? {
        return Err(Error::NeedsRecovery { path: path.into(), journal: storage.journal_path() });
    }
    Ok(())
}

fn recover_locked(file: &Arc<File>, path: &Path, goal: Goal) -> Result<Recovery> {
    let storage = storage(file, path)?;
    let mut unwatched = |_| {};
    let watch = Watch::new(&mut unwatched);
    // Who forces a recovery has read why it stopped: where the disk cannot be read, the cache is believed then.
    let verification = if goal == (Goal::Recover { force: true }) {
        Verification::WherePossible
    } else {
        Verification::Required
    };
    let mut engine = Engine { storage: &storage, geometry: Geometry::REAL, watch, verification };
    engine.recover(goal).map_err(|failure| failure.into_error(path, &storage.journal_path()))
}

/// Removes the new file that a commit by replacing left when it was cut short; returns whether there was one.
fn remove_stale_replacement(file: &Arc<File>, path: &Path) -> std::io::Result<bool> {
    OsReplacement::new(Arc::clone(file), path, true).remove_stale()
}

/// Does the same for an open, which goes on if that fails: the file is whole, and those who may write the file but not its
/// directory could not open it otherwise. The next recovery on request, and the next commit by replacing, say why the new
/// file is still there.
fn tidy(file: &Arc<File>, path: &Path) {
    drop(remove_stale_replacement(file, path));
}

fn storage(file: &Arc<File>, path: &Path) -> Result<OsStorage> {
    storage_of(Arc::clone(file), path, true).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.into(),
        operation: "look for a journal",
        offset: 0,
        len: 0,
        source,
        state: FileState::Unchanged,
    }
}
