use std::iter::FusedIterator;
use std::ops::Range;

use super::searcher::{ReverseSearcher, Searcher};
use crate::{Contents, Result};

/// Where a pattern was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Match {
    /// The bytes found: offsets in the contents as edited, half-open.
    pub range: Range<u64>,
    /// Which of several needles this is, by its index; else 0.
    pub needle: usize,
}

/// The matches of a pattern in order, from [`Contents::find_iter`]. They are found when they are asked for. After an
/// error there are no more.
#[derive(Debug)]
pub struct Matches<'a> {
    pub(super) file: &'a Contents,
    pub(super) searcher: Searcher<'a, 'a>,
}

impl Iterator for Matches<'_> {
    type Item = Result<Match>;

    fn next(&mut self) -> Option<Self::Item> {
        self.searcher.next(self.file).transpose()
    }
}

impl FusedIterator for Matches<'_> {}

/// The matches of a pattern from the end, from [`Contents::rfind_iter`]. They are found when they are asked for. After
/// an error there are no more.
#[derive(Debug)]
pub struct ReverseMatches<'a> {
    pub(super) file: &'a Contents,
    pub(super) searcher: ReverseSearcher<'a, 'a>,
}

impl Iterator for ReverseMatches<'_> {
    type Item = Result<Match>;

    fn next(&mut self) -> Option<Self::Item> {
        self.searcher.next(self.file).transpose()
    }
}

impl FusedIterator for ReverseMatches<'_> {}
