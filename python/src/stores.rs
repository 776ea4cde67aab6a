//! Stores of this process to files, through any of its maps: they are not changes by others.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, Weak,
};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::RwLockExt;

use crate::caller::{Caller, Calling};
use crate::process::Process;

/// The files that are mapped.
static FILES: Mutex<Option<Files>> = Mutex::new(None);

type Files = HashMap<Key, Weak<FileStores>>;

/// Forks, device and inode: what a commit held when the process was forked is never let go in the child.
type Key = (usize, u64, u64);

/// What this process stores to one file.
#[derive(Default)]
pub(crate) struct FileStores {
    /// Grows with the stores. Two at a time may count for one: what matters is that it is another number.
    count: AtomicU64,
    /// Exported views that can be written, at any time.
    views: AtomicUsize,
    /// Read while bytes are stored, written while a commit moves them: it would lose a store behind its back.
    moving: RwLock<()>,
    /// The thread that commits.
    committer: Caller,
}

impl FileStores {
    /// Those to a file, for as long as somebody holds them.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub(crate) fn of(file: &File) -> io::Result<Arc<Self>> {
        let key = key(&file.metadata()?);
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        let files = files.get_or_insert_default();
        if let Some(stores) = files.get(&key).and_then(Weak::upgrade) {
            return Ok(stores);
        }
        files.retain(|_, stores| stores.strong_count() > 0);
        let stores = Arc::new(Self::default());
        files.insert(key, Arc::downgrade(&stores));
        Ok(stores)
    }

    /// Those to the file at a path, if it is mapped.
    pub(crate) fn at(path: &Path) -> Option<Arc<Self>> {
        let key = key(&fs::metadata(path).ok()?);
        let files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        files.as_ref()?.get(&key)?.upgrade()
    }

    /// Waits for the end of a commit by another map. Until it is dropped, bytes can be stored.
    ///
    /// # Errors
    /// `RuntimeError` instead of waiting for a commit that waits for the caller.
    #[inline]
    pub(crate) fn storing(&self) -> PyResult<RwLockReadGuard<'_, ()>> {
        match self.moving.try_read() {
            Ok(storing) => Ok(storing),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => self.wait(),
        }
    }

    #[cold]
    fn wait(&self) -> PyResult<RwLockReadGuard<'_, ()>> {
        self.check_caller()?;
        // Whether this thread runs Python code just now or not, the commit must be able to.
        let waited = Python::try_attach(|py| self.moving.read_py_attached(py));
        Ok(waited.unwrap_or_else(|| self.moving.read()).unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the end of stores and commits by other maps. Until it is dropped, this thread commits.
    ///
    /// # Errors
    /// As for [`storing`](Self::storing).
    pub(crate) fn committing(&self, py: Python<'_>) -> PyResult<Committing<'_>> {
        self.check_caller()?;
        let moving = self.moving.write_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        Ok(Committing { _calling: self.committer.begin(), _moving: moving })
    }

    fn check_caller(&self) -> PyResult<()> {
        if self.committer.is_current() {
            return Err(PyRuntimeError::new_err(
                "the file of this map is being committed: progress callbacks and signal handlers cannot store into it",
            ));
        }
        Ok(())
    }

    /// Notes a store.
    #[inline]
    pub(crate) fn note(&self) {
        self.count.store(self.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Notes a view that can be written, until [`end_view`](Self::end_view).
    pub(crate) fn begin_view(&self) {
        self.views.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that such a view is no more.
    pub(crate) fn end_view(&self) {
        self.note();
        self.views.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many stores there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there may have been any since there were so many.
    pub(crate) fn since(&self, count: u64) -> bool {
        self.count() != count || self.views.load(Ordering::Acquire) > 0
    }
}

fn key(metadata: &Metadata) -> Key {
    (Process::current().forks(), metadata.dev(), metadata.ino())
}

/// A commit, which no store through a map of this process gets in the way of.
pub(crate) struct Committing<'a> {
    _calling: Calling<'a>,
    _moving: RwLockWriteGuard<'a, ()>,
}
