//! A file or an object with its edits, which threads take turns with.

use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytesplice_s3::Opened;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::caller::{Caller, Calling};
use crate::errors::of_kind;

/// A file or an object, and how often it was edited.
pub(crate) struct Edited {
    pub(crate) file: Opened,
    /// Whether it must not be written.
    pub(crate) read_only: bool,
    /// The process that may commit: a fork must not write the edits of its parent a second time.
    process: u32,
    /// Counts the edits, so that iterators see that there were some.
    pub(crate) edits: u64,
}

impl Edited {
    /// Whether bytes may have to be fetched: an object's. Then no call is short.
    pub(crate) fn is_far(&self) -> bool {
        matches!(self.file, Opened::Object(_))
    }

    /// Fails in a child of the process that opened the file.
    ///
    /// # Errors
    /// `RuntimeError`.
    pub(crate) fn check_process(&self) -> PyResult<()> {
        if self.is_of_this_process() {
            return Ok(());
        }
        let can = if self.is_far() { "read or commit it" } else { "commit" };
        Err(PyRuntimeError::new_err(format!(
            "{} was opened by process {}, which was forked since: only that process can {can}; open it again here",
            self.file.path().display(),
            self.process
        )))
    }

    pub(crate) fn is_of_this_process(&self) -> bool {
        process::id() == self.process
    }
}

/// A file under a lock, which is held while Python code is called back.
pub(crate) struct SharedFile {
    /// `None` once it is closed.
    edited: Mutex<Option<Edited>>,
    /// The thread that holds the lock and may run Python code meanwhile.
    caller: Caller,
}

impl SharedFile {
    pub(crate) fn new(file: Opened, read_only: bool) -> Self {
        let edited = Edited { file, read_only, process: process::id(), edits: 0 };
        Self { edited: Mutex::new(Some(edited)), caller: Caller::default() }
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

    /// Runs `action` on the file. It must not call back into Python, unless it holds a [`Calling`] or the file is an object.
    ///
    /// # Errors
    /// `ClosedError`; `RuntimeError` for an object of a parent process, whose connections are not ours; those of `action`;
    /// those of [`lock`](Self::lock).
    pub(crate) fn with<T>(
        &self,
        py: Python<'_>,
        action: impl FnOnce(&mut Edited) -> PyResult<T>,
    ) -> PyResult<T> {
        match &mut *self.lock(py)? {
            Some(edited) => {
                // Whoever waits for a store runs the handlers of signals meanwhile.
                let _calling = edited.is_far().then(|| self.calling());
                if edited.is_far() {
                    edited.check_process()?;
                }
                action(edited)
            }
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
