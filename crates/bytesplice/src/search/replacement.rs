use std::ops::Range;

use super::pattern::{Pattern, PatternError};

/// What each match is replaced by.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// use bytesplice::{Pattern, Replacement, SpliceFile};
///
/// std::fs::write(&path, "2026-11-25, 2026-12-01")?;
/// let mut file = SpliceFile::open(&path)?;
/// let date = Pattern::regex("([0-9]+)-(?<month>[0-9]+)-([0-9]+)")?;
/// file.replace_all(&date, &Replacement::template(&date, "$3.${month}.$1")?)?;
/// file.replace_all(&Pattern::literal(", "), &Replacement::literal("; "))?;
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"25.11.2026; 01.12.2026");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Replacement(pub(super) Parts);

#[derive(Debug, Clone)]
pub(super) enum Parts {
    /// The same bytes for all matches.
    Literal(Vec<u8>),
    /// Bytes and groups of the match.
    Template(Vec<Part>),
}

#[derive(Debug, Clone)]
pub(super) enum Part {
    Bytes(Vec<u8>),
    Group(usize),
}

impl Replacement {
    /// These bytes, of any length.
    #[must_use]
    pub fn literal(bytes: impl AsRef<[u8]>) -> Self {
        Self(Parts::Literal(bytes.as_ref().to_vec()))
    }

    /// Bytes in which `$1`, `$name` and `${name}` stand for what the groups of the match hold, nothing where a group took
    /// no part, `$0` for the whole match, and `$$` for a dollar sign.
    ///
    /// A name is as long as letters, digits and `_` follow, so that `$1a` is the group `1a`. Unlike the crate `regex`, which
    /// puts in nothing for it, a group that `pattern` does not have is an error. Literal patterns have `$0` only.
    ///
    /// # Errors
    /// [`PatternError::UnknownGroup`].
    pub fn template(pattern: &Pattern, text: impl AsRef<[u8]>) -> Result<Self, PatternError> {
        let mut rest = text.as_ref();
        let mut parts = Vec::new();
        let mut bytes = Vec::new();
        while let Some((&byte, after)) = rest.split_first() {
            if byte != b'$' {
                bytes.push(byte);
                rest = after;
                continue;
            }
            match reference(after) {
                Some((name, len)) => {
                    let name = String::from_utf8_lossy(name).into_owned();
                    let group = match pattern.as_regex() {
                        Some(regex) => regex.group(&name),
                        None => (name == "0").then_some(0),
                    };
                    let group = group.ok_or(PatternError::UnknownGroup { name })?;
                    parts.push(Part::Bytes(std::mem::take(&mut bytes)));
                    parts.push(Part::Group(group));
                    rest = &after[len..];
                }
                None => {
                    // `$$` is one of them, and so is one that nothing follows.
                    bytes.push(b'$');
                    rest = after.strip_prefix(b"$").unwrap_or(after);
                }
            }
        }
        if parts.is_empty() {
            return Ok(Self(Parts::Literal(bytes)));
        }
        parts.push(Part::Bytes(bytes));
        Ok(Self(Parts::Template(parts)))
    }
}

/// The name of a group behind a `$`, and how many bytes it takes with its braces.
fn reference(text: &[u8]) -> Option<(&[u8], usize)> {
    if let Some(braced) = text.strip_prefix(b"{") {
        let len = braced.iter().position(|&byte| byte == b'}')?;
        return Some((&braced[..len], len + 2));
    }
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let len = text.iter().take_while(is_name).count();
    (len > 0).then(|| (&text[..len], len))
}

/// Puts a template together. `groups` are ranges of `text`.
pub(super) fn expand(parts: &[Part], text: &[u8], groups: &[Option<Range<usize>>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        match part {
            Part::Bytes(literal) => bytes.extend_from_slice(literal),
            Part::Group(number) => {
                if let Some(Some(group)) = groups.get(*number) {
                    bytes.extend_from_slice(&text[group.clone()]);
                }
            }
        }
    }
    bytes
}
