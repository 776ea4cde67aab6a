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

    /// Until it is dropped, this thread is it. It may be already.
    pub(crate) fn begin(&self) -> Calling<'_> {
        let before = self.thread().replace(thread::current().id());
        Calling(self, before)
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Python code may run under the lock.
pub(crate) struct Calling<'a>(&'a Caller, Option<ThreadId>);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        *self.0.thread() = self.1;
    }
}
