//! `--lines`: a range of lines as people count them, from 1 on and with the last one included.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use bytesplice::{Contents, Error};

use crate::failure::Failure;
use crate::range_argument::dotted;
use crate::size;

/// Lines `A..B` as written, kept from 0 on and half-open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinesArgument {
    first: u64,
    /// To the last line, if `None`.
    behind: Option<u64>,
}

impl LinesArgument {
    /// Reads `A..B`, `A..`, `..B`, `..` or `A+COUNT`, or says why the text is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains(char::is_whitespace) {
            return Err(format!("`{text}`: ranges have no spaces"));
        }
        if let Some((first, last)) = text.split_once("..") {
            let start = if first.is_empty() { 0 } else { number(text, first)? - 1 };
            let behind = if last.is_empty() { None } else { Some(number(text, last)?) };
            return match behind {
                Some(behind) if behind <= start => {
                    Err(format!("`{text}` is reversed: lines A..B include both A and B"))
                }
                behind => Ok(Self { first: start, behind }),
            };
        }
        if let Some((first, count)) = text.split_once('+') {
            let start = number(text, first)? - 1;
            let behind = start.checked_add(size::parse(count)?);
            let too_large = || format!("`{text}` is too large: numbers go up to 2^64 - 1");
            return Ok(Self { first: start, behind: Some(behind.ok_or_else(too_large)?) });
        }
        if let Some(range) = dotted(text) {
            return Err(format!("`{text}` is not a range: write {range}"));
        }
        number(text, text)?;
        Err(format!("`{text}` is one number, a range is wanted: write {text}+1 for that line"))
    }

    /// The bytes of these lines in `file`, which messages call `path`.
    ///
    /// # Errors
    /// There are not so many lines; reading failed.
    pub fn resolve(&self, file: &Contents, path: &Path) -> Result<Range<u64>, Failure> {
        let bytes = match self.behind {
            Some(behind) => file.lines(self.first..behind),
            None => file.lines(self.first..),
        };
        bytes.map_err(|error| match error {
            Error::LinesOutOfRange { lines, .. } => {
                Failure::OutsideLines { path: path.into(), wanted: self.clone(), lines }
            }
            other => other.into(),
        })
    }
}

/// The number of a line, not 0.
fn number(text: &str, number: &str) -> Result<u64, String> {
    if number.starts_with(['-', 'e']) {
        return Err(format!("`{text}`: lines are counted from the first one, which is 1"));
    }
    match size::parse(number)? {
        0 => Err(format!("`{text}`: lines are counted from 1")),
        number => Ok(number),
    }
}

impl fmt::Display for LinesArgument {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.behind {
            // Not first + 1, which may not fit.
            Some(behind) if behind > self.first => write!(out, "{}..{behind}", self.first + 1),
            Some(_) => write!(out, "{}+0", self.first.saturating_add(1)),
            None => write!(out, "{}..", self.first + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (text, first, behind) in [
            ("1..1", 0, Some(1)),
            ("2..4", 1, Some(4)),
            ("..3", 0, Some(3)),
            ("3..", 2, None),
            ("..", 0, None),
            ("3+2", 2, Some(4)),
            ("3+0", 2, Some(2)),
            ("1..5_000_000", 0, Some(5_000_000)),
        ] {
            assert_eq!(LinesArgument::parse(text), Ok(LinesArgument { first, behind }), "{text}");
        }
        for (text, reason) in [
            ("", "a number is missing"),
            ("5", "write 5+1 for that line"),
            ("1-5", "write 1..5"),
            ("0..5", "counted from 1"),
            ("0+5", "counted from 1"),
            ("..0", "counted from 1"),
            ("5..4", "is reversed"),
            ("1 .. 2", "no spaces"),
            ("-5..", "counted from the first one"),
            ("..end", "counted from the first one"),
            ("1..x", "is not a number"),
            ("1+", "a number is missing"),
            ("18446744073709551615+2", "too large"),
        ] {
            let error = LinesArgument::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text:?}: {error}");
        }
        for text in ["2..4", "3..", "18446744073709551615..", "18446744073709551615+0"] {
            assert_eq!(LinesArgument::parse(text).unwrap().to_string(), text);
        }
    }
}
