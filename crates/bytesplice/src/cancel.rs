use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::{Error, FileState, Result};

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

const BEFORE_COMMIT_POINT: u8 = 1;
const AT_ONCE: u8 = 2;
const PAST_COMMIT_POINT: u8 = 4;

/// How urgent a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    None,
    BeforeCommitPoint,
    AtOnce,
}

// All is kept in one value, so that a request comes either before the commit point or after it, for everybody.
impl Cancel {
    /// Nothing is asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the commit to stop if it has not reached its commit point: the file then holds the old contents. After that
    /// point the commit goes on to its end; [`is_past_commit_point`](Self::is_past_commit_point) says which.
    pub fn request(&self) {
        self.0.fetch_or(BEFORE_COMMIT_POINT, Ordering::Relaxed);
    }

    /// Asks the commit to stop wherever it is. After the commit point the rest is left to recovery, which finishes it at
    /// the next open.
    pub fn request_at_once(&self) {
        self.0.fetch_or(BEFORE_COMMIT_POINT | AT_ONCE, Ordering::Relaxed);
    }

    /// Whether either was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.request_so_far() != Request::None
    }

    /// Whether the last commit that looked at this is past its commit point, or done. If so after a
    /// [`request`](Self::request), the request came too late; if not, the commit will not get there.
    #[must_use]
    pub fn is_past_commit_point(&self) -> bool {
        self.0.load(Ordering::Relaxed) & PAST_COMMIT_POINT != 0
    }

    /// Fails if something that changes nothing before its end is to stop. `path` is of the file that stays as it is.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn check(cancel: Option<&Self>, path: &Path) -> Result<()> {
        if cancel.is_some_and(Self::is_requested) {
            return Err(Error::Cancelled { path: path.into(), state: FileState::Unchanged });
        }
        Ok(())
    }

    pub(crate) fn request_so_far(&self) -> Request {
        match self.0.load(Ordering::Relaxed) {
            bits if bits & AT_ONCE != 0 => Request::AtOnce,
            bits if bits & BEFORE_COMMIT_POINT != 0 => Request::BeforeCommitPoint,
            _ => Request::None,
        }
    }

    /// For those who commit: a commit begins, which is not past its commit point.
    pub fn begin(&self) {
        self.0.fetch_and(!PAST_COMMIT_POINT, Ordering::Relaxed);
    }

    /// For those who commit: passes the commit point, unless a stop was asked for before. Whether it did.
    #[must_use]
    pub fn pass_commit_point(&self) -> bool {
        let pass = |bits: u8| {
            (bits & (BEFORE_COMMIT_POINT | AT_ONCE) == 0).then_some(bits | PAST_COMMIT_POINT)
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pass).is_ok()
    }
}
