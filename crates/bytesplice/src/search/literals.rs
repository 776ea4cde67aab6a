use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem::{Finder, FinderRev};

use super::Match;
use super::options::Watch;
use super::pattern::PatternError;
use super::window::Window;
use crate::{Contents, Result};

/// Needles, ready to be searched for in both directions.
#[derive(Debug, Clone)]
pub(super) struct Literals {
    forward: Forward,
    backward: Vec<FinderRev<'static>>,
    /// Length of the longest needle.
    longest: usize,
    /// Index of an empty needle behind others. It is found wherever they are not, and the ones behind it are never.
    empty: Option<usize>,
}

#[derive(Debug, Clone)]
enum Forward {
    One(Box<Finder<'static>>),
    /// The needle that starts first, and of those the one that comes first in the list.
    Many(AhoCorasick),
}

impl Literals {
    /// One needle, perhaps an empty one.
    pub fn one(needle: &[u8]) -> Self {
        Self {
            forward: Forward::One(Box::new(Finder::new(needle).into_owned())),
            backward: vec![FinderRev::new(needle).into_owned()],
            longest: needle.len(),
            empty: None,
        }
    }

    /// Any number of needles.
    pub fn many(needles: &[&[u8]]) -> Result<Self, PatternError> {
        if let [only] = needles {
            return Ok(Self::one(only));
        }
        let empty = needles.iter().position(|needle| needle.is_empty());
        let needles = &needles[..empty.unwrap_or(needles.len())];
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(needles);
        Ok(Self {
            forward: Forward::Many(
                automaton.map_err(|error| PatternError::TooLarge(error.to_string()))?,
            ),
            backward: needles.iter().map(|needle| FinderRev::new(needle).into_owned()).collect(),
            longest: needles.iter().map(|needle| needle.len()).max().unwrap_or(0),
            empty,
        })
    }

    /// The first match in `range`.
    pub fn find(
        &self,
        file: &Contents,
        window: &mut Window,
        range: Range<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Match>> {
        let mut rest = range;
        loop {
            let text = window.at_start(&rest);
            let is_rest = text.len() as u64 == rest.end - rest.start;
            if let Some((found, needle)) = self.find_in(text) {
                // A needle that begins earlier, or is preferred, may reach beyond the window.
                if is_rest || text.len() - found.start >= self.longest {
                    let start = rest.start + found.start as u64;
                    return Ok(Some(Match { range: start..start + found.len() as u64, needle }));
                }
            }
            if is_rest {
                return Ok(None);
            }
            rest.start += (text.len() + 1).saturating_sub(self.longest.max(1)) as u64;
            window.read_on(file, rest.start, rest.end, watch)?;
        }
    }

    /// The match in `range` that starts last.
    pub fn rfind(
        &self,
        file: &Contents,
        window: &mut Window,
        range: Range<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Match>> {
        let mut rest = range;
        loop {
            let text = window.at_end(&rest);
            let start = rest.end - text.len() as u64;
            if let Some((found, needle)) = self.rfind_in(text) {
                let range = start + found.start as u64..start + found.end as u64;
                return Ok(Some(Match { range, needle }));
            }
            if start == rest.start {
                return Ok(None);
            }
            // What starts before the window ends before this.
            rest.end = rest.end.min(start + self.longest.saturating_sub(1) as u64);
            window.read_back(file, rest.end, rest.start, watch)?;
        }
    }

    fn find_in(&self, text: &[u8]) -> Option<(Range<usize>, usize)> {
        if let Some(empty) = self.empty {
            let is_here = |finder: &FinderRev<'_>| text.starts_with(finder.needle());
            let needle = self.backward.iter().position(is_here);
            let len = needle.map_or(0, |needle| self.backward[needle].needle().len());
            return Some((0..len, needle.unwrap_or(empty)));
        }
        match &self.forward {
            Forward::One(finder) => {
                finder.find(text).map(|start| (start..start + finder.needle().len(), 0))
            }
            Forward::Many(automaton) => {
                automaton.find(text).map(|found| (found.range(), found.pattern().as_usize()))
            }
        }
    }

    fn rfind_in(&self, text: &[u8]) -> Option<(Range<usize>, usize)> {
        if let Some(empty) = self.empty {
            return Some((text.len()..text.len(), empty));
        }
        let found = self.backward.iter().enumerate().filter_map(|(needle, finder)| {
            finder.rfind(text).map(|start| (start..start + finder.needle().len(), needle))
        });
        // Of those that start at the same place the first in the list, as forwards.
        found.reduce(|best, next| if next.0.start > best.0.start { next } else { best })
    }
}
