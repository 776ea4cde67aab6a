use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Asks a running commit to stop: from another thread, a signal handler's thread, or its own progress callback. Clones
/// are the same request.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// use bytesplice::{Cancel, CommitOptions, Error, SpliceFile};
///
/// std::fs::write(&path, "old")?;
/// let mut file = SpliceFile::open(&path)?;
/// file.append("er")?;
/// let cancel = Cancel::new();
/// cancel.request();
/// let outcome = file.commit_with(CommitOptions::new().cancel(&cancel));
/// assert!(matches!(outcome, Err(Error::Cancelled { .. })));
/// assert_eq!(std::fs::read(&path)?, b"old");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicU8>);

/// How urgent a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    None,
    BeforeCommitPoint,
    AtOnce,
}

impl Cancel {
    /// Nothing is asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the commit to stop if it has not reached its commit point: the file then holds the old contents. After that
    /// point the commit goes on to its end.
    pub fn request(&self) {
        self.0.fetch_max(1, Ordering::Relaxed);
    }

    /// Asks the commit to stop wherever it is. After the commit point the rest is left to recovery, which finishes it at
    /// the next open.
    pub fn request_at_once(&self) {
        self.0.fetch_max(2, Ordering::Relaxed);
    }

    /// Whether either was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.request_so_far() != Request::None
    }

    pub(crate) fn request_so_far(&self) -> Request {
        match self.0.load(Ordering::Relaxed) {
            0 => Request::None,
            1 => Request::BeforeCommitPoint,
            _ => Request::AtOnce,
        }
    }
}
