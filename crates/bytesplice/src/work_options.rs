use std::fmt;

use crate::{Cancel, Contents, Progress, Result};

/// What to tell while files are compared, copied or read for their lines, and what can stop that.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("log");
/// use bytesplice::{Cancel, Error, SpliceFile, WorkOptions};
///
/// std::fs::write(&path, "one\ntwo\nthree\nfour")?;
/// let file = SpliceFile::open(&path)?;
/// let (cancel, mut bytes) = (Cancel::new(), 0);
/// let mut count = |progress: bytesplice::Progress| bytes = progress.bytes_done;
/// let options = WorkOptions::new().progress(&mut count).cancel(&cancel);
/// assert_eq!(file.lines_with(1..3, options)?, 4..14);
/// assert_eq!(bytes, 18);
/// cancel.request();
/// let outcome = file.line_count_with(WorkOptions::new().cancel(&cancel));
/// assert!(matches!(outcome, Err(Error::Cancelled { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct WorkOptions<'a> {
    /// Called from time to time with how many bytes are done.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
    /// Looked at from time to time: whether to stop.
    pub cancel: Option<&'a Cancel>,
}

impl<'a> WorkOptions<'a> {
    /// Neither.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what is told of the progress.
    #[must_use]
    pub fn progress(self, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Sets what can stop the work. It fails with [`Error::Cancelled`](crate::Error::Cancelled) then.
    #[must_use]
    pub fn cancel(self, cancel: &'a Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// Tells of `contents` how many of `bytes_total` bytes are done, and fails if the work is to stop.
    pub(crate) fn advance(
        &mut self,
        contents: &Contents,
        bytes_done: u64,
        bytes_total: u64,
    ) -> Result<()> {
        if let Some(progress) = &mut self.progress {
            progress(Progress { bytes_done, bytes_total });
        }
        Cancel::check(self.cancel, contents.path())
    }
}

impl fmt::Debug for WorkOptions<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("WorkOptions")
            .field("progress", &self.progress.is_some())
            .field("cancel", &self.cancel)
            .finish()
    }
}
