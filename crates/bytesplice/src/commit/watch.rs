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
