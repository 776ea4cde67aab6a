use std::sync::atomic::{AtomicU64, Ordering};

use super::request::Draft;
use crate::Operation;

/// What a client has asked of the store so far, whatever was sent or fetched again included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests that were sent.
    pub requests: u64,
    /// Bytes of objects and parts that were sent.
    pub bytes_up: u64,
    /// Bytes of objects that were fetched.
    pub bytes_down: u64,
}

/// The same while it changes.
#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

impl Counters {
    pub fn sent(&self, draft: &Draft<'_>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if matches!(draft.operation, Operation::Put | Operation::UploadPart) {
            self.bytes_up.fetch_add(draft.body.len() as u64, Ordering::Relaxed);
        }
    }

    pub fn fetched(&self, draft: &Draft<'_>, body: &[u8]) {
        if draft.operation == Operation::Get {
            self.bytes_down.fetch_add(body.len() as u64, Ordering::Relaxed);
        }
    }

    pub fn now(&self) -> Traffic {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            requests: get(&self.requests),
            bytes_up: get(&self.bytes_up),
            bytes_down: get(&self.bytes_down),
        }
    }
}
