//! The window of a map, which threads take turns with.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::exceptions::{PyBufferError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::caller::{Caller, Calling};
use crate::protection::Protection;
use crate::unsaved;
use crate::window::Window;

/// A window under a lock, which a commit holds while it calls back into Python.
pub(crate) struct SharedWindow {
    /// `None` once it is closed.
    window: Mutex<Option<Window>>,
    /// The thread that commits or searches it just now, and may run signal handlers.
    caller: Caller,
    /// How many exported views there are. It grows under the lock only.
    exports: Arc<AtomicUsize>,
    protection: Protection,
}

impl SharedWindow {
    pub(crate) fn new(window: Window, protection: Protection) -> Self {
        Self {
            exports: Arc::clone(window.exports()),
            window: Mutex::new(Some(window)),
            caller: Caller::default(),
            protection,
        }
    }

    pub(crate) fn protection(&self) -> Protection {
        self.protection
    }

    pub(crate) fn exports(&self) -> &AtomicUsize {
        &self.exports
    }

    /// Waits for the window without holding up other threads.
    ///
    /// # Errors
    /// `RuntimeError` instead of waiting for a commit that waits for the caller.
    #[inline]
    pub(crate) fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<Window>>> {
        match self.window.try_lock() {
            Ok(window) => return Ok(window),
            // A panic under the lock leaves edits that are either made or not.
            Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
        self.wait(py)
    }

    #[cold]
    fn wait(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<Window>>> {
        if self.caller.is_current() {
            return Err(PyRuntimeError::new_err(
                "this map is being committed or searched: progress callbacks and signal handlers cannot use it",
            ));
        }
        Ok(self.window.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `action` on the open window. It must not call back into Python, which could ask for the same lock.
    ///
    /// # Errors
    /// `ValueError` if it is closed, and those of the action.
    #[inline]
    pub(crate) fn with<T>(
        &self,
        py: Python<'_>,
        action: impl FnOnce(&mut Window) -> PyResult<T>,
    ) -> PyResult<T> {
        match &mut *self.lock(py)? {
            Some(window) => action(window),
            None => Err(PyValueError::new_err("mmap closed or invalid")),
        }
    }

    /// Runs an `action` that stores or edits, and notes that there is something to save, if there is.
    ///
    /// # Errors
    /// As for [`with`](Self::with), and `TypeError` if the map is read-only.
    #[inline]
    pub(crate) fn change<T>(
        self: &Arc<Self>,
        py: Python<'_>,
        action: impl FnOnce(&mut Window) -> PyResult<T>,
    ) -> PyResult<T> {
        self.with(py, |window| {
            self.check_writable()?;
            let was_mapped = window.map().is_some();
            let outcome = action(window);
            if was_mapped && window.map().is_none() && self.protection.commits() {
                unsaved::note(self);
            }
            outcome
        })
    }

    pub(crate) fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |_| Ok(()))
    }

    /// Whether bytes may be stored: before user code runs that gives them.
    pub(crate) fn check_stores(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |_| self.check_writable())
    }

    fn check_writable(&self) -> PyResult<()> {
        if self.protection.allows_stores() {
            return Ok(());
        }
        Err(PyTypeError::new_err("mmap can't modify a readonly memory map."))
    }

    /// The window of a map that is closed.
    ///
    /// # Errors
    /// `BufferError` if there are exported views.
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<Option<Window>> {
        let mut window = self.lock(py)?;
        if window.is_some() && self.exports.load(Ordering::Acquire) > 0 {
            return Err(PyBufferError::new_err("cannot close exported pointers exist"));
        }
        Ok(window.take())
    }

    /// The window of a map that nobody uses any more.
    pub(crate) fn take_abandoned(&self) -> Option<Window> {
        match self.window.try_lock() {
            Ok(mut window) => window.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            // The exit of the interpreter commits it just now.
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Until it is dropped, this thread may run Python code under the lock of the window.
    pub(crate) fn calling(&self) -> Calling<'_> {
        self.caller.begin()
    }
}
