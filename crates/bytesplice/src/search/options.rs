use std::fmt;
use std::ops::{Bound, Range, RangeBounds};

use super::window::WINDOW;
use crate::{Cancel, Contents, Progress, Result, range};

/// Where and how far to search, what to tell meanwhile, and what can stop it. The default: all of the contents, all
/// matches.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// # std::fs::write(&path, "one two one two one")?;
/// use bytesplice::{Cancel, Pattern, SearchOptions, SpliceFile};
///
/// let file = SpliceFile::open(&path)?;
/// let cancel = Cancel::new();
/// let mut searched = 0;
/// let mut count = |progress: bytesplice::Progress| searched = progress.bytes_done;
/// let one = Pattern::literal("one");
/// let options = SearchOptions::new().range(1..).max(1).progress(&mut count).cancel(&cancel);
/// let found: Result<Vec<_>, _> = file.find_iter_with(&one, options)?.collect();
/// assert_eq!(found?.len(), 1);
/// assert_eq!(searched, 18);
/// # Ok(())
/// # }
/// ```
pub struct SearchOptions<'a> {
    /// Where matches must lie, half-open, in bytes.
    pub range: (Bound<u64>, Bound<u64>),
    /// Most matches that are found or replaced.
    pub max: u64,
    /// Called from time to time with how many bytes have been searched.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
    /// Looked at from time to time: whether to stop.
    pub cancel: Option<&'a Cancel>,
    /// Bytes that are read at a time. Tests make it tiny.
    pub(super) step: usize,
}

impl Default for SearchOptions<'_> {
    fn default() -> Self {
        Self {
            range: (Bound::Unbounded, Bound::Unbounded),
            max: u64::MAX,
            progress: None,
            cancel: None,
            step: WINDOW,
        }
    }
}

impl<'a> SearchOptions<'a> {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets where matches must lie (half-open, in bytes). What lies outside is looked at by `^`, `$` and `\b` all the same.
    #[must_use]
    pub fn range(self, range: impl RangeBounds<u64>) -> Self {
        Self { range: (range.start_bound().cloned(), range.end_bound().cloned()), ..self }
    }

    /// Sets how many matches are found or replaced at most.
    #[must_use]
    pub fn max(self, max: u64) -> Self {
        Self { max, ..self }
    }

    /// Sets what is told of the progress.
    #[must_use]
    pub fn progress(self, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Sets what can stop the search. It fails with [`Error::Cancelled`](crate::Error::Cancelled) then, and nothing is changed.
    #[must_use]
    pub fn cancel(self, cancel: &'a Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// The range in `file`, and what watches over the search.
    pub(super) fn begin(self, file: &Contents) -> Result<(Range<u64>, Watch<'a>)> {
        file.check_usable()?;
        let range = range::resolve(self.range, file.len(), file.path())?;
        let bytes_total = range.end - range.start;
        let Self { progress, cancel, .. } = self;
        Ok((range, Watch { progress, cancel, bytes_done: 0, bytes_total }))
    }
}

impl fmt::Debug for SearchOptions<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SearchOptions")
            .field("range", &self.range)
            .field("max", &self.max)
            .field("progress", &self.progress.is_some())
            .field("cancel", &self.cancel)
            .finish_non_exhaustive()
    }
}

/// Tells of the progress of a search, and stops it.
pub(super) struct Watch<'a> {
    progress: Option<&'a mut dyn FnMut(Progress)>,
    cancel: Option<&'a Cancel>,
    bytes_done: u64,
    bytes_total: u64,
}

impl Watch<'_> {
    /// Counts bytes that were read to be searched.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled), if the search is to stop.
    pub fn advance(&mut self, file: &Contents, bytes: u64) -> Result<()> {
        self.bytes_done = self.bytes_total.min(self.bytes_done + bytes);
        if let Some(progress) = &mut self.progress {
            progress(Progress { bytes_done: self.bytes_done, bytes_total: self.bytes_total });
        }
        self.check(file)
    }

    /// Fails if the search is to stop.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn check(&self, file: &Contents) -> Result<()> {
        Cancel::check(self.cancel, file.path())
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {} bytes", self.bytes_done, self.bytes_total)
    }
}
