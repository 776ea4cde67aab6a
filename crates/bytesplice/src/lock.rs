//! Locks between processes (flock, or where a file system has none, locks of open file descriptions by fcntl) and within this one
//! (a registry).
//!
//! Both are needed: on network file systems flock may be held by the process rather than by the open file
//! description, so that two handles of one process would not see each other.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::identity::Identity;
use crate::storage::record_lock::{self, Request};
use crate::{Error, FileState, Result};

/// Who else may hold the lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Other readers.
    Shared,
    /// Nobody.
    Exclusive,
}

/// How processes exclude each other from a file. One file system always gives the same kind, so that all agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockKind {
    /// flock(2).
    Flock,
    /// A lock of the open file description by fcntl(2), where the file system has no flock.
    OpenFileDescription,
    /// None: the file system has neither. Commits and recoveries are refused.
    None,
}

impl std::fmt::Display for LockKind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Flock => "flock",
            Self::OpenFileDescription => "open-file-description",
            Self::None => "none",
        })
    }
}

/// A held lock on a file; dropping it releases the lock.
///
/// `file` must be an open file description of our own: flock on a duplicate would change its owner's lock.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: Arc<File>,
    kind: LockKind,
    _claim: Claim,
}

impl FileLock {
    /// Takes the lock, or says within 20 ms that others hold it. `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::Io`] when the system refuses.
    pub fn try_acquire(file: &Arc<File>, path: &Path, access: Access) -> Result<Self> {
        Self::acquire(file, path, access, Patience::Tries(TRIES))
    }

    /// Takes the lock as a reader, or says at once that a writer holds it. `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::Io`] when the system refuses.
    pub fn look(file: &Arc<File>, path: &Path) -> Result<Self> {
        Self::acquire(file, path, Access::Shared, Patience::Tries(1))
    }

    /// Takes the lock, after waiting for others to release it. `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses.
    pub fn wait_for(file: &Arc<File>, path: &Path, access: Access) -> Result<Self> {
        Self::acquire(file, path, access, Patience::Endless)
    }

    fn acquire(file: &Arc<File>, path: &Path, access: Access, patience: Patience) -> Result<Self> {
        let failed = |source| Error::Io {
            path: path.into(),
            operation: "lock the file",
            offset: 0,
            len: 0,
            source,
            state: FileState::Unchanged,
        };
        let key = Identity::of(file).map_err(failed)?.key();
        let claim = Claim::take(key, access, patience)
            .ok_or_else(|| Error::Locked { path: path.into() })?;
        let kind = match lock_between_processes(file, access, patience) {
            Ok(kind) => kind,
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: path.into() }),
        };
        if kind == LockKind::None && access == Access::Exclusive {
            return Err(Error::NoLocks { path: path.into() });
        }
        Ok(Self { file: Arc::clone(file), kind, _claim: claim })
    }

    /// How processes exclude each other from this file, which others hold now.
    pub fn kind_while_locked(file: &File) -> LockKind {
        match file.try_lock_shared() {
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                LockKind::OpenFileDescription
            }
            Ok(()) => {
                // The holder has just gone. Closing the file would release this lock as well.
                let _ = file.unlock();
                LockKind::Flock
            }
            Err(_) => LockKind::Flock,
        }
    }

    /// How other processes are excluded. A reader may hold a lock that excludes none.
    pub fn kind(&self) -> LockKind {
        self.kind
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file releases the lock as well, if this fails.
        let _ = match self.kind {
            LockKind::Flock => self.file.unlock(),
            LockKind::OpenFileDescription => record_lock::lock(&self.file, Request::Unlock, false),
            LockKind::None => Ok(()),
        };
    }
}

/// Whoever only looks whether a file is locked holds the lock for an instant ([`status`](crate::status())); not to take
/// that for a holder, a refused try is repeated this often.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// What is done about a lock that others hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It is tried so often, at least once.
    Tries(u32),
    /// It is waited for.
    Endless,
}

fn lock_between_processes(
    file: &File,
    access: Access,
    patience: Patience,
) -> Result<LockKind, TryLockError> {
    let mut tries = 1;
    let mut kind = LockKind::Flock;
    loop {
        let outcome = match kind {
            LockKind::Flock => match (access, patience) {
                (Access::Shared, Patience::Tries(_)) => file.try_lock_shared(),
                (Access::Exclusive, Patience::Tries(_)) => file.try_lock(),
                (Access::Shared, Patience::Endless) => {
                    file.lock_shared().map_err(TryLockError::Error)
                }
                (Access::Exclusive, Patience::Endless) => file.lock().map_err(TryLockError::Error),
            },
            LockKind::OpenFileDescription => lock_description(file, access, patience),
            // The registry still guards this process.
            LockKind::None => Ok(()),
        };
        match (outcome.map(|()| kind), patience) {
            (Err(TryLockError::Error(error)), _) if error.kind() == ErrorKind::Unsupported => {
                kind = match kind {
                    LockKind::Flock => LockKind::OpenFileDescription,
                    LockKind::OpenFileDescription | LockKind::None => LockKind::None,
                };
            }
            (Err(TryLockError::Error(error)), _) if error.kind() == ErrorKind::Interrupted => {}
            (Err(TryLockError::WouldBlock), Patience::Tries(count)) if tries < count => {
                tries += 1;
                thread::sleep(BETWEEN_TRIES);
            }
            (outcome, _) => return outcome,
        }
    }
}

fn lock_description(file: &File, access: Access, patience: Patience) -> Result<(), TryLockError> {
    let request = match access {
        Access::Shared => Request::Shared,
        Access::Exclusive => Request::Exclusive,
    };
    record_lock::lock(file, request, patience == Patience::Endless).map_err(|error| {
        if error.kind() == ErrorKind::WouldBlock {
            TryLockError::WouldBlock
        } else {
            TryLockError::Error(error)
        }
    })
}

type Key = (u64, u64);

/// Who holds one file in this process. An entry without holders does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holders {
    Readers(usize),
    Writer,
}

static REGISTRY: Mutex<BTreeMap<Key, Holders>> = Mutex::new(BTreeMap::new());
static RELEASED: Condvar = Condvar::new();

/// The registry, also after a panic elsewhere: each change to it is a single step.
fn registry() -> MutexGuard<'static, BTreeMap<Key, Holders>> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place in the registry; dropping it gives the place up.
#[derive(Debug)]
struct Claim {
    key: Key,
}

impl Claim {
    /// `None` when others hold the file and we do not wait.
    fn take(key: Key, access: Access, patience: Patience) -> Option<Self> {
        let mut registry = registry();
        loop {
            let now = match (registry.get(&key), access) {
                (None, Access::Exclusive) => Some(Holders::Writer),
                (None, Access::Shared) => Some(Holders::Readers(1)),
                (Some(Holders::Readers(count)), Access::Shared) => {
                    Some(Holders::Readers(count + 1))
                }
                _ => None,
            };
            if let Some(now) = now {
                registry.insert(key, now);
                return Some(Self { key });
            }
            if patience != Patience::Endless {
                return None;
            }
            registry = RELEASED.wait(registry).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut registry = registry();
        match registry.get_mut(&self.key) {
            Some(Holders::Readers(count)) if *count > 1 => *count -= 1,
            _ => drop(registry.remove(&self.key)),
        }
        drop(registry);
        RELEASED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn reopen(file: &tempfile::NamedTempFile) -> Arc<File> {
        Arc::new(file.reopen().unwrap())
    }

    fn locked(outcome: Result<FileLock>) -> bool {
        matches!(outcome, Err(Error::Locked { .. }))
    }

    #[test]
    fn a_writer_excludes_everybody_and_readers_share() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let (first, second) = (reopen(&target), reopen(&target));
        let path = target.path();
        let writer = FileLock::try_acquire(&first, path, Access::Exclusive).unwrap();
        assert!(locked(FileLock::try_acquire(&second, path, Access::Exclusive)));
        assert!(locked(FileLock::try_acquire(&second, path, Access::Shared)));
        drop(writer);
        let readers = [
            FileLock::try_acquire(&first, path, Access::Shared).unwrap(),
            FileLock::try_acquire(&second, path, Access::Shared).unwrap(),
        ];
        let third = reopen(&target);
        assert!(locked(FileLock::try_acquire(&third, path, Access::Exclusive)));
        drop(readers);
        FileLock::try_acquire(&third, path, Access::Exclusive).unwrap();
    }

    #[test]
    fn other_programs_see_the_lock_and_we_see_theirs() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let (ours, theirs) = (reopen(&target), reopen(&target));
        let lock = FileLock::try_acquire(&ours, target.path(), Access::Exclusive).unwrap();
        assert!(matches!(theirs.try_lock(), Err(TryLockError::WouldBlock)));
        drop(lock);
        theirs.try_lock().unwrap();
        assert!(locked(FileLock::try_acquire(&ours, target.path(), Access::Shared)));
        theirs.unlock().unwrap();
        // The refused try left no claim behind.
        FileLock::try_acquire(&ours, target.path(), Access::Exclusive).unwrap();
    }

    #[test]
    fn a_lock_held_for_an_instant_refuses_nobody() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let looker = reopen(&target);
        looker.lock().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(3));
                looker.unlock().unwrap();
            });
            FileLock::try_acquire(&reopen(&target), target.path(), Access::Exclusive).unwrap();
        });
    }

    #[test]
    fn waiting_ends_when_the_holder_releases() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let holder = FileLock::try_acquire(&reopen(&target), target.path(), Access::Exclusive);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let file = reopen(&target);
                let lock = FileLock::wait_for(&file, target.path(), Access::Exclusive).unwrap();
                sender.send(()).unwrap();
                drop(lock);
            });
            assert!(receiver.recv_timeout(Duration::from_millis(20)).is_err());
            drop(holder);
            receiver.recv_timeout(Duration::from_secs(30)).unwrap();
        });
    }
}
