//! PATTERN and REPLACEMENT.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use bytesplice::{Pattern, PatternError, Replacement};
use clap::Args;

use crate::bytes_argument::{parse_escaped, parse_hex};
use crate::failure::Failure;

/// How PATTERN is written; literal text without any of these.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct PatternKind {
    /// PATTERN is pairs of hex digits, spaces allowed
    #[arg(long)]
    hex: bool,
    /// PATTERN has the escapes \n \r \t \0 \\ \xHH
    #[arg(long)]
    escaped: bool,
    /// PATTERN is a regular expression on bytes
    #[arg(long, short = 'E')]
    regex: bool,
}

impl PatternKind {
    /// What PATTERN means.
    ///
    /// # Errors
    /// It is empty, or not what the option says.
    pub fn pattern(&self, argument: &OsStr) -> Result<Pattern, Failure> {
        let wrong = |reason: String| Failure::Pattern { name: "PATTERN", reason };
        if argument.is_empty() {
            return Err(wrong("it is empty".into()));
        }
        if !self.regex {
            return Ok(Pattern::literal(self.bytes(argument).map_err(wrong)?));
        }
        let text = argument.to_str().ok_or_else(|| {
            wrong("a regular expression is text in UTF-8: write \\xHH for other bytes".into())
        })?;
        Pattern::regex(text).map_err(|error| wrong(error.to_string()))
    }

    /// What REPLACEMENT means, for this pattern.
    ///
    /// # Errors
    /// It is not what the option says, or names a group that the pattern does not have.
    pub fn replacement(&self, argument: &OsStr, pattern: &Pattern) -> Result<Replacement, Failure> {
        let wrong = |reason: String| Failure::Pattern { name: "REPLACEMENT", reason };
        if !self.regex {
            return Ok(Replacement::literal(self.bytes(argument).map_err(wrong)?));
        }
        Replacement::template(pattern, argument.as_bytes()).map_err(|error| match error {
            PatternError::UnknownGroup { name } => wrong(format!(
                "there is no group `{name}` in PATTERN: write ${{NAME}}TEXT where letters follow, and $$ for a dollar sign"
            )),
            other => wrong(other.to_string()),
        })
    }

    fn bytes(&self, argument: &OsStr) -> Result<Vec<u8>, String> {
        let argument = argument.as_bytes();
        if self.hex {
            parse_hex(argument)
        } else if self.escaped {
            parse_escaped(argument)
        } else {
            Ok(argument.to_vec())
        }
    }
}
