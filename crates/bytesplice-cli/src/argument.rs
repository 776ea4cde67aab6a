//! Arguments that clap hands over as they are, parsed with our own words for what is wrong.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use jiff::{Span, SpanRelativeTo};

use crate::bytes_argument::{parse_escaped, parse_hex};
use crate::cli::ArgumentBytes;
use crate::lines_argument::LinesArgument;
use crate::range_argument::{Bound, RangeArgument};

/// A function from an argument to its value, as a value parser.
#[derive(Clone, Copy)]
pub struct ArgumentParser<T>(pub fn(&OsStr) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for ArgumentParser<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let positional = arg.is_some_and(Arg::is_positional);
        // Positionals take values such as `-10..`, so that clap leaves misspelt options to them.
        if positional && is_option(value) {
            let shown = value.to_string_lossy();
            let message = match similar_option(command, value) {
                Some(known) if shown == format!("--{known}") => {
                    format!("`{shown}` comes after `--`, where there are no options")
                }
                Some(known) => format!("unknown option `{shown}`, did you mean `--{known}`?"),
                None => format!("unknown option `{shown}`"),
            };
            return Err(Error::raw(ErrorKind::UnknownArgument, message).with_cmd(command));
        }
        (self.0)(value).map_err(|reason| {
            let message = match arg.and_then(Arg::get_long) {
                Some(name) if !positional => format!("--{name}: {reason}"),
                _ => reason,
            };
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// Begins with `-`, but is neither `-` itself nor `-DIGIT…`.
fn is_option(value: &OsStr) -> bool {
    matches!(value.as_bytes(), [b'-', second, ..] if !second.is_ascii_digit())
}

/// An option of this command that differs in hyphens and case only, or that `value` is the beginning of.
fn similar_option<'a>(command: &'a Command, value: &OsStr) -> Option<&'a str> {
    let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let value = value.to_string_lossy();
    let wanted = plain(value.split('=').next()?);
    let known = || command.get_arguments().filter_map(Arg::get_long);
    known()
        .find(|name| plain(name) == wanted)
        .or_else(|| known().find(|name| wanted.len() >= 2 && plain(name).starts_with(&wanted)))
}

/// A RANGE.
pub fn range(value: &OsStr) -> Result<RangeArgument, String> {
    RangeArgument::parse(utf8(value)?)
}

/// The lines of `--lines`.
pub fn lines(value: &OsStr) -> Result<LinesArgument, String> {
    LinesArgument::parse(utf8(value)?)
}

/// A bound: an OFFSET or a LENGTH.
pub fn bound(value: &OsStr) -> Result<Bound, String> {
    Bound::parse(utf8(value)?)
}

/// The bytes of `--hex` and `--expect-hex`.
pub fn bytes_from_hex(value: &OsStr) -> Result<ArgumentBytes, String> {
    parse_hex(value.as_bytes()).map(ArgumentBytes)
}

/// The bytes of `--escaped`.
pub fn bytes_from_escaped(value: &OsStr) -> Result<ArgumentBytes, String> {
    parse_escaped(value.as_bytes()).map(ArgumentBytes)
}

/// How long ago, such as `24h`.
pub fn age(value: &OsStr) -> Result<Duration, String> {
    let text = utf8(value)?;
    let span = text.parse::<Span>().ok();
    let age = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let age = age.and_then(|age| Duration::try_from(age).ok());
    age.ok_or_else(|| format!("`{text}` is not an age: write one such as 2d, 1h30m, 90m or 0s"))
}

/// The text of an argument that can only be digits and words.
pub fn utf8(value: &OsStr) -> Result<&str, String> {
    value.to_str().ok_or_else(|| format!("`{}` is not text", value.to_string_lossy()))
}
