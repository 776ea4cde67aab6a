use super::literals::Literals;
use super::regex::Regex;

/// What to find: literal bytes, one of many needles, or a regular expression on bytes.
///
/// Made once, used as often as wanted, by any number of threads.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// use bytesplice::{Pattern, SpliceFile};
///
/// std::fs::write(&path, "key=1\nname=two\n")?;
/// let file = SpliceFile::open(&path)?;
/// let name = file.find(&Pattern::literal("name"), ..)?.unwrap();
/// assert_eq!(name.range, 6..10);
/// let either = file.find(&Pattern::any_of(["two", "name"])?, ..)?.unwrap();
/// assert_eq!((either.range, either.needle), (6..10, 1));
/// let value = file.rfind(&Pattern::regex("=[0-9]+")?, ..)?.unwrap();
/// assert_eq!(value.range, 3..5);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Pattern(pub(super) Kind);

/// What stands behind a [`Pattern`].
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Literals(Box<Literals>),
    Regex(Box<Regex>),
}

impl Pattern {
    /// These bytes. None at all are found before every byte and at the end, as by `bytes.find` of Python.
    #[must_use]
    pub fn literal(needle: impl AsRef<[u8]>) -> Self {
        Self(Kind::Literals(Box::new(Literals::one(needle.as_ref()))))
    }

    /// Any of these needles: the one that starts first, and of those that start at the same place the one that comes
    /// first in the list, as with `a|ab` as a regular expression. No needles are never found. Takes memory as the needles
    /// have bytes, some ten times as much.
    ///
    /// # Errors
    /// [`PatternError::TooLarge`], if they are too many to be searched for at once.
    pub fn any_of<N: AsRef<[u8]>>(
        needles: impl IntoIterator<Item = N>,
    ) -> Result<Self, PatternError> {
        let needles: Vec<N> = needles.into_iter().collect();
        let needles: Vec<&[u8]> = needles.iter().map(AsRef::as_ref).collect();
        Ok(Self(Kind::Literals(Box::new(Literals::many(&needles)?))))
    }

    /// A regular expression in the syntax of the crate [`regex`](https://docs.rs/regex/latest/regex/#syntax), on bytes:
    /// as its `bytes::RegexBuilder` with `unicode(false)`.
    ///
    /// `.` is any byte but `\n`, `\xFF` is that byte, `\w`, `\d`, `\s`, `\b` and `(?i)` know ASCII only. Letters outside of
    /// ASCII are the bytes of their UTF-8, and cannot stand in a class. `^` and `$` are the beginning and the end of the
    /// contents, with `(?m)` of a line; `(?s)` lets `.` match `\n`. Repetitions, lazy ones, groups, alternatives and
    /// `(?R)` work as in that crate; look-around and backreferences, `\p{…}` and `(?u)` classes do not exist.
    ///
    /// The leftmost match is found, and of those that start there the one that the expression prefers. It may be longer
    /// than memory. Each search takes O(n) time, with a factor of the size of the expression at worst; all matches
    /// together may take O(n²), where each search has to look far beyond its match.
    ///
    /// # Errors
    /// [`PatternError::Invalid`] says what is wrong and where; [`PatternError::TooLarge`] if it takes more than 8 MiB
    /// when compiled.
    pub fn regex(pattern: &str) -> Result<Self, PatternError> {
        Ok(Self(Kind::Regex(Box::new(Regex::new(pattern)?))))
    }

    /// The regular expression, if this is one.
    pub(super) fn as_regex(&self) -> Option<&Regex> {
        match &self.0 {
            Kind::Regex(regex) => Some(regex),
            Kind::Literals(_) => None,
        }
    }
}

/// What is wrong with a [`Pattern`] or a [`Replacement`](crate::Replacement).
///
/// ```
/// use bytesplice::{Pattern, PatternError};
/// assert!(matches!(Pattern::regex("(a"), Err(PatternError::Invalid { .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It is no regular expression on bytes.
    #[error("invalid regular expression: {detail} (at byte {offset})")]
    Invalid {
        /// The expression.
        pattern: String,
        /// What is wrong.
        detail: String,
        /// Where in the expression, in bytes.
        offset: usize,
    },
    /// It takes too much memory.
    #[error("the pattern is too large: {0}")]
    TooLarge(String),
    /// A replacement names a group that the pattern does not have.
    #[error(
        "the replacement names a group {name:?}, which the pattern does not have: write ${{NAME}}TEXT where letters follow, and $$ for a dollar sign"
    )]
    UnknownGroup {
        /// The name or number.
        name: String,
    },
}
