//! Regular expressions over contents that are not in memory.
//!
//! The search is that of regex-automata's own lazy DFAs, told apart at the borders of what is read: a DFA that runs
//! forwards finds where the leftmost match ends, another one that runs backwards from there finds where it starts. Both
//! keep all that they know in one state, so that a match may be longer than memory. Assertions look at one byte before
//! and behind, which is fed to the DFAs as well.

use std::ops::Range;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::meta;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind, Span};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use super::Match;
use super::options::Watch;
use super::pattern::PatternError;
use super::window::Window;
use crate::{Contents, Error, FileState, Result};

/// Memory that a compiled expression may take: `\w{1000}{1000}` is refused.
const COMPILED: usize = 8 << 20;
/// Bytes that are read at a time on the way back to the start of a match, where the window has none.
const BACK: u64 = 64 << 10;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub(super) struct Regex {
    forward: DFA,
    backward: DFA,
    /// Bytes that a match begins with, and the length of the longest of them.
    prefix: Option<(Prefilter, usize)>,
    /// Whether the state at the start of a search depends on the byte before.
    looks_behind: bool,
    groups: meta::Regex,
}

impl Regex {
    /// Compiles the expression for bytes.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let invalid = |error: regex_syntax::Error| {
            let (detail, offset) = match &error {
                regex_syntax::Error::Parse(error) => {
                    (error.kind().to_string(), error.span().start.offset)
                }
                regex_syntax::Error::Translate(error) => {
                    (error.kind().to_string(), error.span().start.offset)
                }
                other => (other.to_string(), 0),
            };
            PatternError::Invalid { pattern: pattern.to_owned(), detail, offset }
        };
        let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
        let hir = parser.parse(pattern).map_err(invalid)?;
        let prefix = prefix_of(&hir);
        let dfa = |backwards: bool| {
            let nfa = thompson::Compiler::new()
                .configure(
                    thompson::Config::new()
                        .utf8(false)
                        .reverse(backwards)
                        .which_captures(WhichCaptures::None)
                        .nfa_size_limit(Some(COMPILED)),
                )
                .build_from_hir(&hir)
                .map_err(|error| PatternError::TooLarge(error.to_string()))?;
            let kind = if backwards { MatchKind::All } else { MatchKind::LeftmostFirst };
            let config = DFA::config()
                .match_kind(kind)
                // Only a prefilter wants to know when nothing is begun.
                .specialize_start_states(!backwards && prefix.is_some())
                .skip_cache_capacity_check(true);
            DFA::builder()
                .configure(config)
                .build_from_nfa(nfa)
                .map_err(|error| PatternError::TooLarge(error.to_string()))
        };
        let forward = dfa(false)?;
        let config = meta::Config::new()
            .utf8_empty(false)
            .hybrid(false)
            .auto_prefilter(false)
            .nfa_size_limit(Some(COMPILED));
        let groups = meta::Builder::new().configure(config).build_from_hir(&hir);
        Ok(Self {
            looks_behind: !forward.get_nfa().look_set_prefix_any().is_empty(),
            forward,
            backward: dfa(true)?,
            prefix,
            groups: groups.map_err(|error| PatternError::TooLarge(error.to_string()))?,
        })
    }

    /// What one search needs of its own.
    pub fn scan(&self) -> Scan<'_> {
        Scan {
            regex: self,
            forward: self.forward.create_cache(),
            backward: self.backward.create_cache(),
            before: Vec::new(),
        }
    }

    /// The number of the group of this name, or of this number; none if there is no such group.
    pub fn group(&self, name: &str) -> Option<usize> {
        let info = self.groups.group_info();
        match name.parse::<usize>() {
            Ok(number) => (number < info.group_len(0.into())).then_some(number),
            Err(_) => info.to_index(0.into(), name),
        }
    }

    /// The parts of `text` that the groups matched, the whole match being `text[found]`. There must be a byte of context
    /// on either side, where the contents have one.
    pub fn groups_of(&self, text: &[u8], found: Range<usize>) -> Vec<Option<Range<usize>>> {
        let mut captures = self.groups.create_captures();
        let input = Input::new(text).span(Span::from(found)).anchored(Anchored::Yes);
        self.groups.captures(input, &mut captures);
        captures.iter().map(|group| group.map(|span| span.range())).collect()
    }
}

/// What finds the beginnings of matches without running a DFA. Needles that are empty find nothing.
fn prefix_of(hir: &Hir) -> Option<(Prefilter, usize)> {
    let prefilter = Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, hir)?;
    let longest = prefilter.max_needle_len();
    (longest > 0).then_some((prefilter, longest))
}

/// One search: the expression, and the states that its DFAs have come to know.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    regex: &'a Regex,
    forward: Cache,
    backward: Cache,
    /// Bytes from before the window.
    before: Vec<u8>,
}

/// How a DFA left off.
enum Stop {
    /// At the end of the text.
    End,
    /// Nothing that follows changes the outcome.
    Dead,
}

impl Scan<'_> {
    /// The leftmost match in `range`.
    pub fn find(
        &mut self,
        file: &Contents,
        window: &mut Window,
        range: Range<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Match>> {
        let Some(end) = self.match_end(file, window, range.clone(), Anchored::No, watch)? else {
            return Ok(None);
        };
        let start = self.match_start(file, window, range.start..end, watch)?;
        Ok(Some(Match { range: start..end, needle: 0 }))
    }

    /// The match in `range` that starts last.
    pub fn rfind(
        &mut self,
        file: &Contents,
        window: &mut Window,
        range: Range<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Match>> {
        let Some(start) = self.last_start(file, window, range.clone(), watch)? else {
            return Ok(None);
        };
        let end = self.match_end(file, window, start..range.end, Anchored::Yes, watch)?;
        // There is one, or the match would not start here.
        Ok(end.map(|end| Match { range: start..end, needle: 0 }))
    }

    /// Where the leftmost match ends.
    fn match_end(
        &mut self,
        file: &Contents,
        window: &mut Window,
        range: Range<u64>,
        anchored: Anchored,
        watch: &mut Watch<'_>,
    ) -> Result<Option<u64>> {
        let Range { start: mut at, end } = range;
        let before = byte_before(file, window, at)?;
        let mut run = Run {
            walk: Walk::new(&self.regex.forward, &mut self.forward),
            prefix: self.regex.prefix.as_ref().filter(|_| anchored == Anchored::No),
            looks_behind: self.regex.looks_behind,
        };
        run.walk.start(before, anchored).map_err(|detail| failed(file, at, detail))?;
        while at < end {
            let text = window.at_start(&(at..end));
            if text.is_empty() {
                // With the byte before, which assertions look at.
                window.read_on(file, at.saturating_sub(1), end, watch)?;
                continue;
            }
            match run.feed(text, at).map_err(|detail| failed(file, at, detail))? {
                Stop::Dead => return Ok(run.walk.found),
                Stop::End => at += text.len() as u64,
            }
        }
        let behind = byte_behind(file, window, end)?;
        run.walk.finish(behind, end).map_err(|detail| failed(file, at, detail))
    }

    /// Where the match that ends at `range.end` starts.
    fn match_start(
        &mut self,
        file: &Contents,
        window: &Window,
        range: Range<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<u64> {
        let Range { start, end } = range;
        let mut at = end;
        let mut run =
            RunBack { walk: Walk::new(&self.regex.backward, &mut self.backward), first: false };
        run.walk
            .start(byte_behind(file, window, at)?, Anchored::Yes)
            .map_err(|detail| failed(file, at, detail))?;
        while at > start {
            let mut text = window.at_end(&(start..at));
            if text.is_empty() {
                let from = start.max(at.saturating_sub(BACK));
                self.before.resize((at - from) as usize, 0);
                file.read_exact_at(&mut self.before, from)?;
                watch.check(file)?;
                text = &self.before;
            }
            at -= text.len() as u64;
            let stop = run.feed(text, at).map_err(|detail| failed(file, at, detail))?;
            if let Stop::Dead = stop {
                return Ok(run.walk.found.unwrap_or(end));
            }
        }
        let before = byte_before(file, window, start)?;
        let found = run.walk.finish(before, start).map_err(|detail| failed(file, at, detail))?;
        // A match that ends here starts somewhere.
        Ok(found.unwrap_or(end))
    }

    /// Where the match starts that starts last.
    fn last_start(
        &mut self,
        file: &Contents,
        window: &mut Window,
        range: Range<u64>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<u64>> {
        let Range { start, end: mut at } = range;
        let mut run =
            RunBack { walk: Walk::new(&self.regex.backward, &mut self.backward), first: true };
        run.walk
            .start(byte_behind(file, window, at)?, Anchored::No)
            .map_err(|detail| failed(file, at, detail))?;
        while at > start {
            let text = window.at_end(&(start..at));
            if text.is_empty() {
                // With the byte behind, which assertions look at.
                window.read_back(file, file.len().min(at + 1), start, watch)?;
                continue;
            }
            at -= text.len() as u64;
            if let Stop::Dead = run.feed(text, at).map_err(|detail| failed(file, at, detail))? {
                return Ok(run.walk.found);
            }
        }
        let before = byte_before(file, window, start)?;
        run.walk.finish(before, start).map_err(|detail| failed(file, at, detail))
    }
}

/// The byte at `offset`; none at the end of the contents.
fn byte_behind(file: &Contents, window: &Window, offset: u64) -> Result<Option<u8>> {
    if offset == file.len() { Ok(None) } else { window.byte_at(file, offset).map(Some) }
}

/// The byte before `offset`; none at the beginning of the contents.
fn byte_before(file: &Contents, window: &Window, offset: u64) -> Result<Option<u8>> {
    offset.checked_sub(1).map(|before| window.byte_at(file, before)).transpose()
}

/// A DFA that gives up. Those here are made so that they never do.
fn failed(file: &Contents, offset: u64, detail: &'static str) -> Error {
    Error::Io {
        path: file.path().into(),
        operation: "search",
        offset,
        len: 0,
        source: std::io::Error::other(detail),
        state: FileState::Unchanged,
    }
}

const GAVE_UP: &str = "the regular expression takes too much memory";
const QUIT: &str = "the regular expression cannot go on at this byte";

/// A DFA on its way, and the last match that it told of.
struct Walk<'r> {
    dfa: &'r DFA,
    cache: &'r mut Cache,
    state: LazyStateID,
    found: Option<u64>,
}

impl<'r> Walk<'r> {
    fn new(dfa: &'r DFA, cache: &'r mut Cache) -> Self {
        Self { dfa, cache, state: LazyStateID::default(), found: None }
    }

    /// Begins beside the byte `behind`, on the side that it does not go to.
    fn start(&mut self, behind: Option<u8>, anchored: Anchored) -> Result<(), &'static str> {
        let config = start::Config::new().look_behind(behind).anchored(anchored);
        self.state = self.dfa.start_state(self.cache, &config).map_err(|_| GAVE_UP)?;
        Ok(())
    }

    fn next_state(&mut self, byte: u8) -> Result<LazyStateID, &'static str> {
        self.dfa.next_state(self.cache, self.state, byte).map_err(|_| GAVE_UP)
    }

    /// Tells where the match ends, if there is one. The text ended at `offset`, before the byte `next`.
    fn finish(mut self, next: Option<u8>, offset: u64) -> Result<Option<u64>, &'static str> {
        let last = match next {
            Some(byte) => self.next_state(byte)?,
            None => self.dfa.next_eoi_state(self.cache, self.state).map_err(|_| GAVE_UP)?,
        };
        Ok(if last.is_match() { Some(offset) } else { self.found })
    }
}

/// A way forwards: finds the end of the match that starts first.
struct Run<'r> {
    walk: Walk<'r>,
    prefix: Option<&'r (Prefilter, usize)>,
    looks_behind: bool,
}

impl Run<'_> {
    /// Goes on over `text`, which lies at `offset`.
    fn feed(&mut self, text: &[u8], offset: u64) -> Result<Stop, &'static str> {
        let mut prefix = self.prefix;
        let mut at = 0;
        // A state that has begun nothing may be the start of this text.
        let mut begins = self.walk.state.is_start();
        loop {
            if let (true, None, Some((prefilter, longest))) = (begins, self.walk.found, prefix) {
                // Those that begin so near to the end of the text are not seen whole.
                let seen = at.max((text.len() + 1).saturating_sub(*longest));
                let candidate = prefilter.find(text, Span::from(at..text.len()));
                let next = candidate.map_or(seen, |candidate| candidate.start.min(seen));
                if next == seen {
                    prefix = None;
                }
                if next > at {
                    at = next;
                    if self.looks_behind {
                        self.walk.start(Some(text[at - 1]), Anchored::No)?;
                    }
                }
            }
            let next = loop {
                if at == text.len() {
                    return Ok(Stop::End);
                }
                if self.walk.state.is_tagged() {
                    break self.walk.next_state(text[at])?;
                }
                // Most states say nothing but how to go on.
                let next =
                    self.walk.dfa.next_state_untagged(self.walk.cache, self.walk.state, text[at]);
                if next.is_unknown() {
                    break self.walk.next_state(text[at])?;
                }
                if next.is_tagged() {
                    break next;
                }
                self.walk.state = next;
                at += 1;
            };
            self.walk.state = next;
            if next.is_match() {
                // It is told one byte late.
                self.walk.found = Some(offset + at as u64);
            } else if next.is_dead() {
                return Ok(Stop::Dead);
            } else if next.is_quit() {
                return Err(QUIT);
            }
            begins = next.is_start();
            at += 1;
        }
    }
}

/// A way backwards: finds the start of a match.
struct RunBack<'r> {
    walk: Walk<'r>,
    /// Whether the first start on the way is wanted, and not the last.
    first: bool,
}

impl RunBack<'_> {
    /// Goes on over `text`, which lies at `offset`, from its end.
    fn feed(&mut self, text: &[u8], offset: u64) -> Result<Stop, &'static str> {
        for (at, &byte) in text.iter().enumerate().rev() {
            self.walk.state = self.walk.next_state(byte)?;
            if self.walk.state.is_tagged() {
                if self.walk.state.is_match() {
                    self.walk.found = Some(offset + at as u64 + 1);
                    if self.first {
                        return Ok(Stop::Dead);
                    }
                } else if self.walk.state.is_dead() {
                    return Ok(Stop::Dead);
                } else if self.walk.state.is_quit() {
                    return Err(QUIT);
                }
            }
        }
        Ok(Stop::End)
    }
}
