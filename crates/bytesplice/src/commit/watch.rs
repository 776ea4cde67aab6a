use super::failure::{Failure, Stage};
use crate::cancel::{Cancel, Request};

/// What a commit tells of its progress, and whether it is asked to stop.
pub(crate) struct Watch<'a> {
    /// Told how many bytes were just written or saved.
    pub progress: &'a mut dyn FnMut(u64),
    /// Looked at from time to time.
    pub cancel: Option<&'a Cancel>,
    /// Set once the first record may be durable.
    pub committed: bool,
}

impl<'a> Watch<'a> {
    /// For a commit that nobody cancels.
    pub fn new(progress: &'a mut dyn FnMut(u64)) -> Self {
        Self { progress, cancel: None, committed: false }
    }

    /// For a commit that begins now.
    pub fn cancellable(progress: &'a mut dyn FnMut(u64), cancel: Option<&'a Cancel>) -> Self {
        if let Some(cancel) = cancel {
            cancel.begin();
        }
        Self { cancel, ..Self::new(progress) }
    }

    /// Passes the commit point, and fails if the commit is to stop before it.
    pub fn pass_commit_point(&mut self) -> Result<(), Failure> {
        if self.cancel.is_some_and(|cancel| !cancel.pass_commit_point()) {
            return Err(Failure::Cancelled(Stage::Recoverable));
        }
        self.committed = true;
        Ok(())
    }

    /// Counts bytes, and fails if the commit is to stop here.
    pub fn advance(&mut self, bytes: u64) -> Result<(), Failure> {
        (self.progress)(bytes);
        self.check()
    }

    /// Fails if the commit is to stop here: before the commit point at any request, later only at an urgent one.
    pub fn check(&self) -> Result<(), Failure> {
        let request = self.cancel.map_or(Request::None, Cancel::request_so_far);
        match request {
            Request::None => Ok(()),
            Request::BeforeCommitPoint if self.committed => Ok(()),
            Request::BeforeCommitPoint | Request::AtOnce => {
                Err(Failure::Cancelled(Stage::Recoverable))
            }
        }
    }
}
