//! RANGE and its bounds as people write them, resolved against a length later.

use std::fmt;
use std::ops::Range;

use crate::size;

/// A place in the file, counted from its start or from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// NUMBER: bytes from the start.
    Start(u64),
    /// `end`, `end-NUMBER` or `-NUMBER`: bytes before the end.
    End(u64),
}

/// Half-open bytes `A..B` as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeArgument {
    /// `A..B`, `A..`, `..B` and `..`.
    Between(Bound, Bound),
    /// `A+LENGTH`.
    Count(Bound, u64),
}

/// Why a bound or a range does not lie in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutsideFile {
    /// `end-50` of fewer than 50 bytes.
    BeforeStart(Bound),
    /// The range ends before it starts, now that the length is known.
    Reversed { start: u64, end: u64 },
    /// The range goes past the end.
    PastEnd { start: u64, end: u64 },
}

impl Bound {
    /// Reads a bound, or says why the text is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains("..") {
            return Err(format!("`{text}` is a range, one offset is wanted"));
        }
        if text == "end" {
            return Ok(Self::End(0));
        }
        if matches!(text, "" | "-" | "end-") {
            return Err(format!("`{text}` is not an offset: a number is missing"));
        }
        if let Some(distance) = text.strip_prefix("end-") {
            return size::parse(distance).map(Self::End);
        }
        if let Some(distance) = text.strip_prefix('-') {
            return match size::parse(distance)? {
                0 => Err(format!("`{text}` is not an offset: write `end`, or `0` for the start")),
                distance => Ok(Self::End(distance)),
            };
        }
        if text.starts_with("end") {
            return Err(format!("`{text}` is not an offset: write `end` or `end-NUMBER`"));
        }
        size::parse(text).map(Self::Start)
    }

    /// The offset in a file of `len` bytes, which may lie past its end.
    pub fn resolve(self, len: u64) -> Result<u64, OutsideFile> {
        match self {
            Self::Start(offset) => Ok(offset),
            Self::End(distance) => len.checked_sub(distance).ok_or(OutsideFile::BeforeStart(self)),
        }
    }
}

impl RangeArgument {
    /// Reads a range, or says why the text is none, with a hint.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains(char::is_whitespace) {
            let tight: String = text.split_whitespace().collect();
            return Err(match Self::parse(&tight) {
                Ok(_) => format!("`{text}`: ranges have no spaces: write {tight}"),
                Err(reason) => format!("`{text}`: ranges have no spaces; {reason}"),
            });
        }
        if let Some((start, end)) = text.split_once("..") {
            return Self::parse_between(text, start, end);
        }
        if let Some((start, length)) = text.split_once('+') {
            if start.is_empty() {
                return Err(format!(
                    "`{text}` has no offset before `+`: write 0{text} to begin at the start"
                ));
            }
            if length.is_empty() {
                return Err(format!(
                    "`{text}` has no length after `+`: write {text}4 for four bytes"
                ));
            }
            let (start, length) = (Bound::parse(start)?, size::parse(length)?);
            if matches!(start, Bound::Start(start) if start.checked_add(length).is_none()) {
                return Err(format!("`{text}` is too large: offsets go up to 2^64 - 1"));
            }
            return Ok(Self::Count(start, length));
        }
        match Bound::parse(text) {
            Ok(_) => Err(format!(
                "`{text}` is an offset, a range is wanted: write {text}+1 for one byte, {text}.. to the end"
            )),
            Err(_) if text.is_empty() => Err("a range is missing, such as 4..8 or 4+4".into()),
            Err(reason) => Err(match dotted(text) {
                Some(range) => {
                    format!("`{text}` is not a range: write {range}, up to and without its end")
                }
                None => format!("{reason}; a range is written such as 4..8, 4.. or 4+4"),
            }),
        }
    }

    fn parse_between(text: &str, start: &str, end: &str) -> Result<Self, String> {
        if let Some(last) = end.strip_prefix('=') {
            let exclusive = match Bound::parse(last) {
                Ok(Bound::Start(last)) if last < u64::MAX => (last + 1).to_string(),
                Ok(Bound::End(1)) => String::new(),
                Ok(Bound::End(distance)) if distance > 1 => format!("end-{}", distance - 1),
                _ => "END".into(),
            };
            return Err(format!(
                "`{text}`: ranges are half-open, there is no `..=`: write {start}..{exclusive}"
            ));
        }
        if let Some(bound) = [start, end].into_iter().find(|bound| bound.contains('+')) {
            return Err(format!(
                "`{text}`: `{bound}` is not an offset: write either START..END or START+LENGTH"
            ));
        }
        let first = if start.is_empty() { Bound::Start(0) } else { Bound::parse(start)? };
        let last = if end.is_empty() { Bound::End(0) } else { Bound::parse(end)? };
        let reversed = match (first, last) {
            (Bound::Start(first), Bound::Start(last)) => last < first,
            (Bound::End(first), Bound::End(last)) => first < last,
            _ => false,
        };
        if reversed {
            return Err(format!("`{text}` is reversed: write {end}..{start}"));
        }
        Ok(Self::Between(first, last))
    }

    /// The bytes meant in a file of `len` bytes. Never clipped.
    pub fn resolve(self, len: u64) -> Result<Range<u64>, OutsideFile> {
        let (start, end) = match self {
            Self::Between(start, end) => {
                let first = start.resolve(len)?;
                // `7..` of 5 bytes lies past the end; it is not reversed.
                let open = matches!((start, end), (Bound::Start(_), Bound::End(0)));
                (first, if open { len.max(first) } else { end.resolve(len)? })
            }
            Self::Count(start, length) => {
                let first = start.resolve(len)?;
                (first, first.saturating_add(length))
            }
        };
        if end < start {
            return Err(OutsideFile::Reversed { start, end });
        }
        if end > len {
            return Err(OutsideFile::PastEnd { start, end });
        }
        Ok(start..end)
    }
}

/// What was meant by `4-8` and `4:8`, as other programs write ranges.
pub fn dotted(text: &str) -> Option<String> {
    let (start, end) = text.split_once(['-', ':'])?;
    let are_numbers = size::parse(start).is_ok() && size::parse(end).is_ok();
    are_numbers.then(|| format!("{start}..{end}"))
}

impl fmt::Display for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(offset) => write!(out, "{offset}"),
            Self::End(0) => out.write_str("end"),
            Self::End(distance) => write!(out, "end-{distance}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bound::{End, Start};
    use super::RangeArgument::{Between, Count};
    use super::*;

    #[test]
    fn ranges() {
        for (text, range, resolved) in [
            ("4..8", Between(Start(4), Start(8)), 4..8),
            ("4..", Between(Start(4), End(0)), 4..40),
            ("..8", Between(Start(0), Start(8)), 0..8),
            ("..", Between(Start(0), End(0)), 0..40),
            ("4+4", Count(Start(4), 4), 4..8),
            ("4+0", Count(Start(4), 0), 4..4),
            ("5..5", Between(Start(5), Start(5)), 5..5),
            ("0..0", Between(Start(0), Start(0)), 0..0),
            ("40..40", Between(Start(40), Start(40)), 40..40),
            ("40..", Between(Start(40), End(0)), 40..40),
            ("-10..", Between(End(10), End(0)), 30..40),
            ("end-10..end", Between(End(10), End(0)), 30..40),
            ("end-0..end", Between(End(0), End(0)), 40..40),
            ("end..", Between(End(0), End(0)), 40..40),
            ("..-1", Between(Start(0), End(1)), 0..39),
            ("-10..-5", Between(End(10), End(5)), 30..35),
            ("-10+5", Count(End(10), 5), 30..35),
            ("end-10+5", Count(End(10), 5), 30..35),
            ("..end", Between(Start(0), End(0)), 0..40),
            ("0x10..0x20", Between(Start(16), Start(32)), 16..32),
            ("3_0..4_0", Between(Start(30), Start(40)), 30..40),
        ] {
            assert_eq!(RangeArgument::parse(text), Ok(range), "{text}");
            assert_eq!(range.resolve(40), Ok(resolved), "{text}");
        }
        assert_eq!(RangeArgument::parse("1KiB..-1MB"), Ok(Between(Start(1024), End(1_000_000))));
        assert_eq!(RangeArgument::parse("1MiB+4KiB"), Ok(Count(Start(1 << 20), 4096)));
    }

    #[test]
    fn errors_hint_at_what_to_write() {
        for (text, reason) in [
            ("", "a range is missing"),
            ("5", "write 5+1"),
            ("-5", "write -5+1"),
            ("end", "an offset, a range is wanted"),
            ("-0", "write `end`"),
            ("-0..", "write `end`"),
            ("..-0", "write `end`"),
            ("4-8", "write 4..8, up to and without its end"),
            ("0x4:8KiB", "write 0x4..8KiB"),
            ("4-8x", "unknown unit"),
            ("3..=5", "write 3..6"),
            ("3..=-2", "write 3..end-1"),
            ("3..=-1", "write 3.."),
            ("3..=", "half-open"),
            ("..=5", "write ..6"),
            ("8..4", "`8..4` is reversed: write 4..8"),
            ("-5..-10", "is reversed: write -10..-5"),
            ("end..end-3", "is reversed"),
            ("1.5..3", "has a fraction: numbers are whole"),
            ("1...3", "is not a number"),
            ("1..2..3", "is a range"),
            ("1..2+3", "START+LENGTH"),
            ("1+2..3", "START+LENGTH"),
            ("1+2+3", "unknown unit `+3`"),
            ("1+", "`1+` has no length after `+`"),
            ("+5", "`+5` has no offset before `+`: write 0+5"),
            ("-", "`-` is not an offset: a number is missing"),
            ("-..", "`-` is not an offset: a number is missing"),
            ("4 .. 8", "`4 .. 8`: ranges have no spaces: write 4..8"),
            (" 4+ 4", "ranges have no spaces: write 4+4"),
            ("4 8", "ranges have no spaces; `48` is an offset"),
            ("1.5KiB+2", "write 1536"),
            ("1+-5", "is not a number"),
            ("5K..6K", "5KiB (1024) or 5kB (1000)"),
            ("end-", "`end-` is not an offset: a number is missing"),
            ("end+5..", "START+LENGTH"),
            ("End..", "is not a number"),
            ("end5..", "write `end` or `end-NUMBER`"),
            ("--5..", "is not a number"),
            ("18446744073709551616..", "is too large"),
            ("18446744073709551615+1", "is too large"),
        ] {
            let error = RangeArgument::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn outside_the_file() {
        for (text, outside) in [
            ("0..41", OutsideFile::PastEnd { start: 0, end: 41 }),
            ("41..", OutsideFile::PastEnd { start: 41, end: 41 }),
            ("41..41", OutsideFile::PastEnd { start: 41, end: 41 }),
            ("39+2", OutsideFile::PastEnd { start: 39, end: 41 }),
            ("end+1", OutsideFile::PastEnd { start: 40, end: 41 }),
            ("-1+18446744073709551615", OutsideFile::PastEnd { start: 39, end: u64::MAX }),
            ("end-50..", OutsideFile::BeforeStart(End(50))),
            ("..-41", OutsideFile::BeforeStart(End(41))),
            ("end-5..3", OutsideFile::Reversed { start: 35, end: 3 }),
            ("38..-5", OutsideFile::Reversed { start: 38, end: 35 }),
        ] {
            assert_eq!(RangeArgument::parse(text).unwrap().resolve(40), Err(outside), "{text}");
        }
        assert_eq!(RangeArgument::parse("..").unwrap().resolve(0), Ok(0..0));
    }

    #[test]
    fn bounds() {
        for (text, bound) in [
            ("0", Start(0)),
            ("end", End(0)),
            ("end-4", End(4)),
            ("-4", End(4)),
            ("1KiB", Start(1024)),
        ] {
            assert_eq!(Bound::parse(text), Ok(bound), "{text}");
        }
        for text in ["", "-0", "4..8", "4+4", "-", "end+1", "1.5"] {
            assert!(Bound::parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn fuzzed_text_is_a_range_inside_the_file_or_an_error(
            text in "(-|end|end-)?[0-9]{0,20}(\\.\\.=?|\\+|-)?(-|end|end-)?[0-9]{0,20}|\\PC{0,12}",
            len: u64,
        ) {
            if let Ok(range) = RangeArgument::parse(&text)
                && let Ok(range) = range.resolve(len)
            {
                proptest::prop_assert!(range.start <= range.end && range.end <= len);
            }
            let _ = Bound::parse(&text).map(|bound| bound.resolve(len));
        }

        #[test]
        fn fuzzed_ranges_are_what_they_say(start: u64, count: u64, len: u64) {
            let inside = start.checked_add(count).filter(|&end| end <= len).map(|end| start..end);
            let text = format!("{start}+{count}");
            let resolved = RangeArgument::parse(&text).ok().and_then(|range| range.resolve(len).ok());
            proptest::prop_assert_eq!(&resolved, &inside);
            if let Some(range) = inside {
                let texts =
                    [format!("{}..{}", range.start, range.end), format!("end-{}..-{}", len - start, len - range.end)];
                // `-0` is no offset.
                for text in texts.iter().filter(|text| !text.ends_with("..-0")) {
                    let parsed = RangeArgument::parse(text).unwrap();
                    proptest::prop_assert_eq!(parsed.resolve(len), Ok(range.clone()));
                }
            }
        }
    }
}
