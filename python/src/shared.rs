//! The window of a map, which threads take turns with.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::window::Window;

/// A window under a lock, which a commit holds while it calls back into Python.
pub(crate) struct SharedWindow {
    /// `None` once it is closed.
    window: Mutex<Option<Window>>,
    /// The thread that commits it just now.
    committer: Mutex<Option<ThreadId>>,
}

impl SharedWindow {
    pub(crate) fn new(window: Window) -> Self {
        Self { window: Mutex::new(Some(window)), committer: Mutex::new(None) }
    }

    /// Waits for the window without holding up other threads.
    ///
    /// # Errors
    /// `RuntimeError` instead of waiting for a commit that waits for the caller.
    pub(crate) fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<Window>>> {
        if *self.committer() == Some(thread::current().id()) {
            return Err(PyRuntimeError::new_err(
                "this map is being committed: progress callbacks and signal handlers cannot use it",
            ));
        }
        // A panic under the lock leaves edits that are either made or not.
        Ok(self.window.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner))
    }

    /// The window of a map that nobody uses any more.
    pub(crate) fn take(&mut self) -> Option<Window> {
        self.window.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Until it is dropped, this thread commits the window, under its lock.
    pub(crate) fn committing(&self) -> Committing<'_> {
        *self.committer() = Some(thread::current().id());
        Committing(self)
    }

    fn committer(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.committer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A commit that runs under the lock.
pub(crate) struct Committing<'a>(&'a SharedWindow);

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        *self.0.committer() = None;
    }
}
