use std::ops::Range;

use super::options::{SearchOptions, Watch};
use super::pattern::{Kind, Pattern};
use super::regex::Scan;
use super::window::Window;
use super::{Match, literals::Literals};
use crate::{Contents, Result};

/// Finds one match after the other. It does not hold on to the file, which may store bytes between two of them.
#[derive(Debug)]
pub(super) struct Searcher<'p, 'w> {
    engine: Engine<'p>,
    window: Window,
    watch: Watch<'w>,
    /// Where the next match must lie.
    rest: Range<u64>,
    /// How many matches may still come; none after the last.
    left: u64,
    /// End of the last match: an empty one there is none of its own.
    last_end: Option<u64>,
}

/// What finds a match: a pattern, and what it needs of its own for one search.
#[derive(Debug)]
enum Engine<'a> {
    Literals(&'a Literals),
    Regex(Box<Scan<'a>>),
}

impl<'a> Engine<'a> {
    fn new(pattern: &'a Pattern) -> Self {
        match &pattern.0 {
            Kind::Literals(literals) => Self::Literals(literals),
            Kind::Regex(regex) => Self::Regex(Box::new(regex.scan())),
        }
    }

    fn find(
        &mut self,
        file: &Contents,
        window: &mut Window,
        range: Range<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Match>> {
        match self {
            Self::Literals(literals) => literals.find(file, window, range, watch),
            Self::Regex(scan) => scan.find(file, window, range, watch),
        }
    }

    fn rfind(
        &mut self,
        file: &Contents,
        window: &mut Window,
        range: Range<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Match>> {
        match self {
            Self::Literals(literals) => literals.rfind(file, window, range, watch),
            Self::Regex(scan) => scan.rfind(file, window, range, watch),
        }
    }
}

impl<'p, 'w> Searcher<'p, 'w> {
    /// Searches in the contents of `file`.
    ///
    /// # Errors
    /// The range lies outside, or the file is of no use any more.
    pub fn new(file: &Contents, pattern: &'p Pattern, options: SearchOptions<'w>) -> Result<Self> {
        let (left, window) = (options.max, Window::new(options.step));
        let (rest, watch) = options.begin(file)?;
        Ok(Self { engine: Engine::new(pattern), window, watch, rest, left, last_end: None })
    }

    /// The next match that does not overlap the one before.
    pub fn next(&mut self, file: &Contents) -> Result<Option<Match>> {
        let outcome = if self.left == 0 { Ok(None) } else { self.search(file) };
        match &outcome {
            Ok(Some(found)) => {
                self.left -= 1;
                self.last_end = Some(found.range.end);
                self.rest.start = found.range.end;
            }
            Ok(None) | Err(_) => self.left = 0,
        }
        outcome
    }

    fn search(&mut self, file: &Contents) -> Result<Option<Match>> {
        let Self { engine, window, watch, rest, last_end, .. } = self;
        let found = engine.find(file, window, rest.clone(), watch)?;
        match &found {
            Some(empty) if empty.range.is_empty() && Some(empty.range.end) == *last_end => {
                if rest.start == rest.end {
                    return Ok(None);
                }
                rest.start += 1;
                engine.find(file, window, rest.clone(), watch)
            }
            _ => Ok(found),
        }
    }
}

/// Finds one match after the other, from the end.
#[derive(Debug)]
pub(super) struct ReverseSearcher<'p, 'w> {
    engine: Engine<'p>,
    window: Window,
    watch: Watch<'w>,
    rest: Range<u64>,
    left: u64,
}

impl<'p, 'w> ReverseSearcher<'p, 'w> {
    /// Searches in the contents of `file`.
    ///
    /// # Errors
    /// The range lies outside, or the file is of no use any more.
    pub fn new(file: &Contents, pattern: &'p Pattern, options: SearchOptions<'w>) -> Result<Self> {
        let (left, window) = (options.max, Window::new(options.step));
        let (rest, watch) = options.begin(file)?;
        Ok(Self { engine: Engine::new(pattern), window, watch, rest, left })
    }

    /// The match that starts last among those that end where the one before starts, or earlier.
    pub fn next(&mut self, file: &Contents) -> Result<Option<Match>> {
        let Self { engine, window, watch, rest, left } = self;
        if *left == 0 {
            return Ok(None);
        }
        let outcome = engine.rfind(file, window, rest.clone(), watch);
        match &outcome {
            Ok(Some(found)) if !found.range.is_empty() => {
                *left -= 1;
                rest.end = found.range.start;
            }
            // One byte on, so that it is not found again; before the first there is nothing.
            Ok(Some(empty)) if empty.range.start > rest.start => {
                *left -= 1;
                rest.end = empty.range.start - 1;
            }
            _ => *left = 0,
        }
        outcome
    }
}
