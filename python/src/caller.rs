//! Who runs Python code while it holds a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// The thread that holds a lock and may run Python code meanwhile, which must not wait for the same lock.
#[derive(Default)]
pub(crate) struct Caller(Mutex<Option<ThreadId>>);

impl Caller {
    /// Whether this thread is it.
    pub(crate) fn is_current(&self) -> bool {
        *self.thread() == Some(thread::current().id())
    }

    /// Until it is dropped, this thread is it.
    pub(crate) fn begin(&self) -> Calling<'_> {
        *self.thread() = Some(thread::current().id());
        Calling(self)
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Python code may run under the lock.
pub(crate) struct Calling<'a>(&'a Caller);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        *self.0.thread() = None;
    }
}
