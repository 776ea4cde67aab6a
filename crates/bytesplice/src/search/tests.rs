//! Searches against plain ones in a `Vec<u8>`: naive for literals, the crates `regex` and `regex-automata` as they come for
//! regular expressions. The contents are pieces of all sources, and windows of a few bytes meet every border.
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use regex_automata::{Anchored, Input, meta};

use super::{Match, Pattern, PatternError, Replacement, SearchOptions};
use crate::{Cancel, Content, Error, Progress, Result, SpliceFile};

/// Few letters, so that there are matches: two that are words, one that is not, a line's end, no ASCII.
const LETTERS: [u8; 5] = *b"ab \n\xff";

fn letters(len: Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(&[b'a', b'a', b'a', b'b', b'b', b' ', b'\n', 0xff][..]), len)
}

/// Some letters as they stand in the files.
fn stored(salt: usize) -> Vec<u8> {
    (0..97_usize).map(|index| LETTERS[(index * index * 7 + index * salt) % 11 % 5]).collect()
}

/// A file and another one to take bytes from.
struct Bench {
    file: SpliceFile,
    other: tempfile::NamedTempFile,
    _target: tempfile::NamedTempFile,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new({
        let target = tempfile::NamedTempFile::new().unwrap();
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(target.path(), stored(3)).unwrap();
        std::fs::write(other.path(), stored(5)).unwrap();
        Bench { file: SpliceFile::open(target.path()).unwrap(), other, _target: target }
    });
}

#[derive(Debug, Clone)]
enum Edit {
    Bytes(Vec<u8>),
    Other(usize),
    Copy(usize, usize),
    Fill(u8, u64),
}

type Edits = Vec<((u16, u16), Edit)>;

fn edits() -> impl Strategy<Value = Edits> {
    let edit = prop_oneof![
        3 => letters(0..5).prop_map(Edit::Bytes),
        1 => (0..90_usize).prop_map(Edit::Other),
        1 => (0..90_usize, 0..5_usize).prop_map(|(at, len)| Edit::Copy(at, len)),
        1 => (prop::sample::select(&LETTERS[..]), 0..4_u64).prop_map(|(byte, n)| Edit::Fill(byte, n)),
    ];
    // The first edit cuts the contents short, which makes all else more likely.
    vec(((any::<u16>(), 0..9_u16), edit), 1..12)
}

/// Makes the edits, to the file and to a plain vector.
fn edited(bench: &mut Bench, edits: &Edits) -> Vec<u8> {
    let Bench { file, other, .. } = bench;
    file.discard();
    let mut model = stored(3);
    for (number, ((at, extent), edit)) in edits.iter().enumerate() {
        let start = usize::from(*at) % (model.len() + 1);
        let extent = if number == 0 { usize::from(*extent) * 10 } else { usize::from(*extent) };
        let end = model.len().min(start + extent);
        let range = start as u64..end as u64;
        let new = match edit {
            Edit::Bytes(bytes) => {
                file.replace(range, bytes).unwrap();
                bytes.clone()
            }
            Edit::Other(at) => {
                let part = Content::file_range(other.path(), *at as u64..*at as u64 + 5).unwrap();
                file.splice(range, part).unwrap();
                stored(5)[*at..at + 5].to_vec()
            }
            Edit::Copy(at, len) => {
                let from = (*at).min(model.len());
                let to = model.len().min(from + len);
                file.splice(range, Content::copy(from as u64..to as u64)).unwrap();
                model[from..to].to_vec()
            }
            Edit::Fill(byte, count) => {
                file.splice(range, Content::fill(*byte, *count)).unwrap();
                vec![*byte; *count as usize]
            }
        };
        model.splice(start..end, new);
    }
    model
}

fn contents(file: &SpliceFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// A range of the contents: all of them, more often than not.
fn range_in(len: usize, (whole, from, to): (bool, u16, u16)) -> Range<usize> {
    if whole {
        return 0..len;
    }
    let (one, other) = (usize::from(from) % (len + 1), usize::from(to) % (len + 1));
    one.min(other)..one.max(other)
}

fn some_range() -> impl Strategy<Value = (bool, u16, u16)> {
    (any::<bool>(), any::<u16>(), any::<u16>())
}

fn options<'a>(range: &Range<usize>, step: usize) -> SearchOptions<'a> {
    let options = SearchOptions::new().range(range.start as u64..range.end as u64);
    SearchOptions { step, ..options }
}

fn found(start: usize, end: usize, needle: usize) -> Match {
    Match { range: start as u64..end as u64, needle }
}

/// A plain search: the first match in a range, and the last.
trait Oracle {
    fn find(&self, text: &[u8], range: Range<usize>) -> Option<(Range<usize>, usize)>;
    /// The match that starts at `start` and ends within the range, if there is one.
    fn match_at(&self, text: &[u8], start: usize, end: usize) -> Option<(Range<usize>, usize)>;

    fn rfind(&self, text: &[u8], range: Range<usize>) -> Option<(Range<usize>, usize)> {
        (range.start..=range.end).rev().find_map(|start| self.match_at(text, start, range.end))
    }

    fn find_all(&self, text: &[u8], range: Range<usize>) -> Vec<Match> {
        let (mut at, mut last_end, mut all) = (range.start, None, Vec::new());
        while at <= range.end {
            let Some((hit, needle)) = self.find(text, at..range.end) else { break };
            if hit.is_empty() && last_end == Some(hit.end) {
                at += 1;
                continue;
            }
            all.push(found(hit.start, hit.end, needle));
            (at, last_end) = (hit.end, Some(hit.end));
        }
        all
    }

    fn rfind_all(&self, text: &[u8], range: Range<usize>) -> Vec<Match> {
        let (mut end, mut all) = (Some(range.end), Vec::new());
        while let Some(to) = end.filter(|&end| end >= range.start) {
            let Some((hit, needle)) = self.rfind(text, range.start..to) else { break };
            all.push(found(hit.start, hit.end, needle));
            end = if hit.is_empty() { hit.start.checked_sub(1) } else { Some(hit.start) };
        }
        all
    }
}

struct Naive(Vec<Vec<u8>>);

impl Oracle for Naive {
    fn find(&self, text: &[u8], range: Range<usize>) -> Option<(Range<usize>, usize)> {
        range.clone().chain([range.end]).find_map(|start| self.match_at(text, start, range.end))
    }

    fn match_at(&self, text: &[u8], start: usize, end: usize) -> Option<(Range<usize>, usize)> {
        let starts = |needle: &Vec<u8>| text[start..end].starts_with(needle);
        let needle = self.0.iter().position(starts)?;
        Some((start..start + self.0[needle].len(), needle))
    }
}

impl Oracle for meta::Regex {
    fn find(&self, text: &[u8], range: Range<usize>) -> Option<(Range<usize>, usize)> {
        self.search(&Input::new(text).range(range)).map(|hit| (hit.range(), 0))
    }

    fn match_at(&self, text: &[u8], start: usize, end: usize) -> Option<(Range<usize>, usize)> {
        let input = Input::new(text).range(start..end).anchored(Anchored::Yes);
        self.search(&input).map(|hit| (hit.range(), 0))
    }
}

/// Everything that only looks.
fn check_finding(
    file: &SpliceFile,
    text: &[u8],
    pattern: &Pattern,
    oracle: &impl Oracle,
    range: &Range<usize>,
    step: usize,
) -> std::result::Result<(), TestCaseError> {
    let first = file.find_with(pattern, options(range, step)).unwrap();
    let as_match = |hit: (Range<usize>, usize)| found(hit.0.start, hit.0.end, hit.1);
    prop_assert_eq!(first, oracle.find(text, range.clone()).map(as_match));
    let last = file.rfind_with(pattern, options(range, step)).unwrap();
    prop_assert_eq!(last, oracle.rfind(text, range.clone()).map(as_match));
    let all: Result<Vec<Match>> =
        file.find_iter_with(pattern, options(range, step)).unwrap().collect();
    prop_assert_eq!(all.unwrap(), oracle.find_all(text, range.clone()));
    let all: Result<Vec<Match>> =
        file.rfind_iter_with(pattern, options(range, step)).unwrap().collect();
    prop_assert_eq!(all.unwrap(), oracle.rfind_all(text, range.clone()));
    Ok(())
}

/// The text with matches replaced.
fn replaced(text: &[u8], matches: &[Match], new: impl Fn(&Match) -> Vec<u8>) -> Vec<u8> {
    let (mut at, mut out) = (0, Vec::new());
    for hit in matches {
        out.extend_from_slice(&text[at..hit.range.start as usize]);
        out.extend(new(hit));
        at = hit.range.end as usize;
    }
    out.extend_from_slice(&text[at..]);
    out
}

/// Regular expressions from all that the syntax of bytes has.
fn regexes() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(
        &[
            "a",
            "a",
            "b",
            "ab",
            "ba",
            " ",
            r"\n",
            r"\xff",
            ".",
            "(?s:.)",
            "[ab]",
            "[^a]",
            r"\w",
            r"\W",
            "^",
            "$",
            "(?m:^)",
            "(?m:$)",
            "(?Rm:$)",
            r"\b",
            r"\B",
            r"\b{start}",
            "",
            "aab",
        ][..],
    );
    leaf.prop_map(str::to_owned).prop_recursive(4, 12, 3, |inner| {
        let repetition =
            prop::sample::select(&["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}?"][..]);
        prop_oneof![
            3 => vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
            2 => vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => (inner.clone(), repetition).prop_map(|(part, times)| format!("(?:{part}){times}")),
            2 => inner.prop_map(|part| format!("({part})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn literals_are_found_and_replaced_as_in_a_vector(
        edits in edits(), needles in vec(letters(0..6), 1..4), range in some_range(),
        step in 1..12_usize, new in letters(0..8), max in 0..9_u64, single in any::<bool>()
    ) {
        BENCH.with_borrow_mut(|bench| {
            let text = edited(bench, &edits);
            let range = range_in(text.len(), range);
            let count = if single { 1 } else { needles.len() };
            let oracle = Naive(needles[..count].to_vec());
            let pattern = if single {
                Pattern::literal(&needles[0])
            } else {
                Pattern::any_of(&needles).unwrap()
            };
            check_finding(&bench.file, &text, &pattern, &oracle, &range, step)?;

            let mut matches = oracle.find_all(&text, range.clone());
            matches.truncate(max as usize);
            let added = bench.file.added.len();
            let literal = Replacement::literal(&new);
            let count = bench.file.replace_all_with(&pattern, &literal, options(&range, step).max(max));
            prop_assert_eq!(count.unwrap(), matches.len() as u64);
            prop_assert_eq!(contents(&bench.file), replaced(&text, &matches, |_| new.clone()));
            bench.file.tree.assert_invariants();
            // The new bytes are stored once, unless the edits made so many small pieces that they become one.
            let stored = if matches.is_empty() { 0 } else { new.len() as u64 };
            if edits.len() < 2 && matches.len() < 3 {
                prop_assert_eq!(bench.file.added.len(), added + stored);
            }
            Ok(())
        })?;
    }

    #[test]
    fn regular_expressions_are_found_and_replaced_as_by_others(
        edits in edits(), expression in regexes(), range in some_range(), step in 1..12_usize,
        template in vec(prop::sample::select(&["x", "$$", "$0.", "${1}", "$1-", "${0}0"][..]), 0..4),
        max in 0..20_u64
    ) {
        BENCH.with_borrow_mut(|bench| {
            let text = edited(bench, &edits);
            let range = range_in(text.len(), range);
            let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
            let config = meta::Config::new().utf8_empty(false);
            let oracle = meta::Builder::new().syntax(syntax).configure(config).build(&expression);
            let (pattern, oracle) = (Pattern::regex(&expression).unwrap(), oracle.unwrap());
            check_finding(&bench.file, &text, &pattern, &oracle, &range, step)?;

            let theirs = regex::bytes::RegexBuilder::new(&expression).unicode(false).build().unwrap();
            let all: Result<Vec<Match>> = bench.file.find_iter(&pattern, ..).unwrap().collect();
            let expected: Vec<Match> =
                theirs.find_iter(&text).map(|hit| found(hit.start(), hit.end(), 0)).collect();
            prop_assert_eq!(all.unwrap(), expected);

            let template = template.concat();
            let groups = theirs.captures_len();
            let ours = Replacement::template(&pattern, &template);
            if template.contains('1') && groups < 2 {
                let unknown = PatternError::UnknownGroup { name: "1".into() };
                prop_assert_eq!(ours.unwrap_err(), unknown);
                return Ok(());
            }
            let options = SearchOptions { step, ..SearchOptions::new() };
            let count = bench.file.replace_all_with(&pattern, &ours.unwrap(), options.max(max)).unwrap();
            if max > 0 {
                let expected = theirs.replacen(&text, max as usize, template.as_bytes());
                prop_assert_eq!(contents(&bench.file), &*expected);
            }
            prop_assert_eq!(count, max.min(theirs.find_iter(&text).count() as u64));
            bench.file.tree.assert_invariants();
            Ok(())
        })?;
    }
}

fn opened(bytes: &[u8]) -> (tempfile::NamedTempFile, SpliceFile) {
    let target = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(target.path(), bytes).unwrap();
    let file = SpliceFile::open(target.path()).unwrap();
    (target, file)
}

#[test]
fn an_empty_needle_is_before_every_byte_and_at_the_end() {
    let (_target, mut file) = opened(b"abc");
    let empty = Pattern::literal("");
    assert_eq!(file.find(&empty, 1..2).unwrap().unwrap().range, 1..1);
    assert_eq!(file.rfind(&empty, 1..2).unwrap().unwrap().range, 2..2);
    assert_eq!(file.find_iter(&empty, ..).unwrap().count(), 4);
    assert_eq!(file.replace_all(&empty, &Replacement::literal("-")).unwrap(), 4);
    assert_eq!(contents(&file), b"-a-b-c-");
    assert_eq!(file.find(&Pattern::any_of::<&str>([]).unwrap(), ..).unwrap(), None);
    let (_target, file) = opened(b"");
    assert_eq!(file.find_iter(&empty, ..).unwrap().count(), 1);
    assert_eq!(file.rfind_iter(&Pattern::regex("").unwrap(), ..).unwrap().count(), 1);
}

#[test]
fn matches_longer_than_many_windows() {
    let mut bytes = b"<".to_vec();
    bytes.extend(stored(3).repeat(40_000));
    bytes.extend(b"><");
    bytes.extend(vec![b'.'; 3_000_000]);
    bytes.push(b'>');
    let (_target, mut file) = opened(&bytes);
    file.insert(2_000_000, "inserted").unwrap();
    bytes.splice(2_000_000..2_000_000, *b"inserted");
    let first = 3_880_009;
    assert_eq!(bytes[first as usize], b'>');
    let pattern = Pattern::regex("(?s)<[^<>]*>").unwrap();
    let all: Result<Vec<Match>> = file.find_iter(&pattern, ..).unwrap().collect();
    let ranges: Vec<_> = all.unwrap().into_iter().map(|hit| hit.range).collect();
    assert_eq!(ranges, [0..first + 1, first + 1..bytes.len() as u64]);
    assert_eq!(file.rfind(&pattern, ..).unwrap().unwrap().range, ranges[1]);
    let needle = Pattern::literal(&bytes[900_000..2_500_000]);
    assert_eq!(file.find(&needle, ..).unwrap().unwrap().range, 900_000..2_500_000);
    assert_eq!(file.rfind(&needle, ..).unwrap().unwrap().range, 900_000..2_500_000);
    file.replace_all(&pattern, &Replacement::literal("short")).unwrap();
    assert_eq!(contents(&file), b"shortshort");
}

#[test]
fn what_fails_or_is_cancelled_changes_nothing() {
    let (_target, mut file) = opened(&b"ab".repeat(100));
    file.insert(3, "added").unwrap();
    let (before, added) = (contents(&file), file.added.len());
    let pattern = Pattern::regex("(a)(b|c)").unwrap();
    let swapped = Replacement::template(&pattern, "$2$1").unwrap();
    let cancel = Cancel::new();
    let mut seen = Vec::new();
    let mut progress = |now: Progress| {
        seen.push(now.bytes_done);
        if now.bytes_done > 100 {
            cancel.request();
        }
    };
    let options = SearchOptions { step: 10, ..SearchOptions::new() };
    let options = options.progress(&mut progress).cancel(&cancel);
    let outcome = file.replace_all_with(&pattern, &swapped, options);
    assert!(matches!(outcome, Err(Error::Cancelled { .. })), "{outcome:?}");
    assert!(seen.is_sorted() && seen.len() == 11, "{seen:?}");
    assert_eq!((contents(&file), file.added.len()), (before.clone(), added));

    let long = Pattern::regex("(?s)(b).*").unwrap();
    let outcome = file.replace_all(&long, &Replacement::template(&long, "$1").unwrap());
    assert!(matches!(outcome, Err(Error::MatchTooLong { start: 1, end: 205, .. })), "{outcome:?}");
    let absent = file.replace_all(&Pattern::literal("x"), &Replacement::literal("y"));
    assert_eq!(absent.unwrap(), 0);
    assert_eq!((contents(&file), file.added.len()), (before, added));
    assert_eq!(file.replace_all(&long, &Replacement::literal("")).unwrap(), 1);
    assert_eq!(contents(&file), b"a");
}

#[test]
fn matches_close_together_take_little_memory_and_others_share_their_replacement() {
    let mut bytes = b"a line of a text that is not so long\n".repeat(20_000);
    let (_target, mut file) = opened(&bytes);
    let ends = Pattern::literal("\n");
    assert_eq!(file.replace_all(&ends, &Replacement::literal("\r\n")).unwrap(), 20_000);
    assert!(file.tree.piece_count() < 100, "{}", file.tree.piece_count());
    assert!(contents(&file) == b"a line of a text that is not so long\r\n".repeat(20_000));
    bytes.truncate(0);
    (0..1000).for_each(|_| bytes.extend([&[b'-'; 500][..], b"\n"].concat()));
    let (_target, mut file) = opened(&bytes);
    assert_eq!(file.replace_all(&ends, &Replacement::literal("end of line\n")).unwrap(), 1000);
    assert_eq!((file.tree.piece_count(), file.added.len()), (2000, 12));
}

#[test]
fn a_file_that_others_cut_short_is_an_error() {
    let (target, mut file) = opened(&b"ab".repeat(100_000));
    file.insert(100, "x").unwrap();
    target.as_file().set_len(1000).unwrap();
    for pattern in [Pattern::literal("xx"), Pattern::regex("x+x").unwrap()] {
        assert!(matches!(file.find(&pattern, ..), Err(Error::Changed { .. })));
        assert!(matches!(file.rfind(&pattern, ..), Err(Error::Changed { .. })));
        let mut all = file.find_iter(&pattern, ..).unwrap();
        assert!(matches!(all.next(), Some(Err(Error::Changed { .. }))) && all.next().is_none());
    }
    let outcome = file.replace_all(&Pattern::literal("a"), &Replacement::literal("b"));
    assert!(matches!(outcome, Err(Error::Changed { .. })));
    assert_eq!(file.len(), 200_001);
}

#[test]
fn patterns_that_are_none_say_why() {
    for (expression, reason) in [
        ("(a", "unclosed group"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?=a)", "look-around"),
        ("[é]", "Unicode not allowed"),
        (r"\pL", "Unicode"),
    ] {
        match Pattern::regex(expression) {
            Err(PatternError::Invalid { pattern, detail, .. }) => {
                assert!(pattern == expression && detail.contains(reason), "{expression}: {detail}");
            }
            other => panic!("{expression}: {other:?}"),
        }
    }
    assert!(matches!(Pattern::regex(r"(?:\w{1000}){1000}"), Err(PatternError::TooLarge(_))));
    let pattern = Pattern::regex("(?<year>[0-9]+)-(x)?").unwrap();
    for template in ["$3", "$year1", "${}", "${year"] {
        let outcome = Replacement::template(&pattern, template);
        let known = template == "${year";
        assert_eq!(outcome.is_ok(), known, "{template}");
    }
    let literal = Pattern::literal("a");
    assert!(Replacement::template(&literal, "$0$$").is_ok());
    assert!(Replacement::template(&literal, "$1").is_err());
}

#[test]
fn names_and_dollar_signs_in_templates() {
    let pattern = Pattern::regex("(?<year>[0-9]+)-(x)?").unwrap();
    for (template, expected) in [
        ("$year.", "a 2026. b 7."),
        ("${year}1$2", "a 20261 b 71x"),
        ("$$year $0$", "a $year 2026-$ b $year 7-x$"),
        ("${year", "a ${year b ${year"),
    ] {
        let (_target, mut file) = opened(b"a 2026- b 7-x");
        let replacement = Replacement::template(&pattern, template).unwrap();
        assert_eq!(file.replace_all(&pattern, &replacement).unwrap(), 2);
        assert_eq!(String::from_utf8(contents(&file)).unwrap(), expected, "{template}");
    }
    let literal = Pattern::any_of(["a", "b"]).unwrap();
    let (_target, mut file) = opened(b"a b c");
    file.replace_all(&literal, &Replacement::template(&literal, "[$0]").unwrap()).unwrap();
    assert_eq!(contents(&file), b"[a] [b] c");
}

#[test]
fn letters_are_all_used() {
    let used: BTreeSet<u8> = stored(3).into_iter().chain(stored(5)).collect();
    assert_eq!(used, LETTERS.into_iter().collect());
}
