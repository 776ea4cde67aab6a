//! A file with its edits, which threads take turns with.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytesplice::SpliceFile;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::caller::{Caller, Calling};
use crate::errors::of_kind;

/// A file and how often it was edited.
pub(crate) struct Edited {
    pub(crate) file: SpliceFile,
    /// Counts the edits, so that iterators see that there were some.
    pub(crate) edits: u64,
}

/// A file under a lock, which is held while Python code is called back.
pub(crate) struct SharedFile {
    /// `None` once it is closed.
    edited: Mutex<Option<Edited>>,
    /// The thread that holds the lock and may run Python code meanwhile.
    caller: Caller,
}

impl SharedFile {
    pub(crate) fn new(file: SpliceFile) -> Self {
        Self { edited: Mutex::new(Some(Edited { file, edits: 0 })), caller: Caller::default() }
    }

    /// Waits for the file without holding up other threads.
    ///
    /// # Errors
    /// `BusyError` instead of waiting for a call that waits for this one.
    pub(crate) fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<Edited>>> {
        if self.caller.is_current() {
            return Err(of_kind(
                "BusyError",
                "this file is in use by the call that called this: progress callbacks, signal handlers and file objects \
                 that are being read cannot use it",
            ));
        }
        // A panic under the lock leaves edits that are either made or not.
        Ok(self.edited.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `action` on the file. It must not call back into Python, unless it holds a [`Calling`].
    ///
    /// # Errors
    /// `ClosedError`; those of `action`; those of [`lock`](Self::lock).
    pub(crate) fn with<T>(
        &self,
        py: Python<'_>,
        action: impl FnOnce(&mut Edited) -> PyResult<T>,
    ) -> PyResult<T> {
        match &mut *self.lock(py)? {
            Some(edited) => action(edited),
            None => Err(of_kind("ClosedError", "the file is closed")),
        }
    }

    /// The file, when nobody uses it any more.
    pub(crate) fn take(&mut self) -> Option<Edited> {
        self.edited.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Until it is dropped, this thread runs Python code under the lock.
    pub(crate) fn calling(&self) -> Calling<'_> {
        self.caller.begin()
    }
}
