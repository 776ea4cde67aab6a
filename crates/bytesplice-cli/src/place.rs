//! Which bytes are meant: RANGE, or whole lines.

use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;

use bytesplice::Contents;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory};

use crate::argument::{ArgumentParser, bound, lines, range};
use crate::cli::Cli;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::lines_argument::LinesArgument;
use crate::range_argument::{Bound, RangeArgument};
use crate::usage;

/// RANGE or `--lines`, exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct PlaceArguments {
    /// The bytes that are meant: A..B, A.., ..B or A+LENGTH
    #[arg(allow_hyphen_values = true, value_parser = ArgumentParser(range))]
    pub range: Option<RangeArgument>,
    /// Whole lines instead of bytes, counted from 1, both ends included: A..B, A.., ..B or A+COUNT
    #[arg(long, value_name = "A..B", allow_hyphen_values = true, value_parser = ArgumentParser(lines))]
    pub lines: Option<LinesArgument>,
}

impl PlaceArguments {
    /// The bytes meant in `file`, which messages call `path`.
    ///
    /// # Errors
    /// They lie outside.
    pub fn resolve(&self, file: &Contents, path: &Path) -> Result<Range<u64>, Failure> {
        resolve(self.range, self.lines.as_ref(), file, path)
    }
}

/// RANGE or `--lines`, where DATA follows: behind `--lines` a lone `-` is DATA and no RANGE.
#[derive(Debug, Args)]
#[group(skip)]
pub struct PlaceBeforeData {
    /// The bytes that are meant: A..B, A.., ..B or A+LENGTH
    #[arg(
        allow_hyphen_values = true,
        value_parser = ArgumentParser(range_or_dash)
    )]
    range: Option<RangeOrDash>,
    /// Whole lines instead of bytes, counted from 1, both ends included: A..B, A.., ..B or A+COUNT
    #[arg(long, value_name = "A..B", allow_hyphen_values = true, value_parser = ArgumentParser(lines))]
    lines: Option<LinesArgument>,
}

/// What can stand where RANGE is expected.
#[derive(Debug, Clone, Copy)]
enum RangeOrDash {
    Range(RangeArgument),
    Dash,
}

fn range_or_dash(value: &OsStr) -> Result<RangeOrDash, String> {
    if value == "-" { Ok(RangeOrDash::Dash) } else { range(value).map(RangeOrDash::Range) }
}

impl PlaceBeforeData {
    /// Takes out the `-` that is DATA: whether there was one, which must go with `has_data`.
    ///
    /// # Errors
    /// Not exactly one place, or not exactly one DATA.
    pub fn settle(&mut self, has_data: bool) -> Result<bool, clap::Error> {
        let usage =
            |kind, message: &str| Err(clap::Error::raw(kind, message).with_cmd(&Cli::command()));
        match (self.range, &self.lines) {
            (Some(RangeOrDash::Dash), Some(_)) if has_data => {
                usage(ErrorKind::ArgumentConflict, "`-` is DATA, of which there is another already")
            }
            (Some(RangeOrDash::Dash), Some(_)) => {
                self.range = None;
                Ok(true)
            }
            (Some(RangeOrDash::Dash), None) => {
                let Err(reason) = range(OsStr::new("-")) else { return Ok(false) };
                usage(ErrorKind::ValueValidation, &reason)
            }
            (Some(_), Some(_)) => usage(
                ErrorKind::ArgumentConflict,
                "RANGE and --lines both say which bytes are meant: leave out one of them",
            ),
            (None, None) => {
                let (data, are) = if has_data {
                    (String::new(), "is")
                } else {
                    (format!(" and {}", usage::DATA), "are")
                };
                usage(
                    ErrorKind::MissingRequiredArgument,
                    &format!("RANGE or --lines A..B{data} {are} missing"),
                )
            }
            _ if !has_data => {
                usage(ErrorKind::MissingRequiredArgument, &format!("{} is missing", usage::DATA))
            }
            _ => Ok(false),
        }
    }

    /// The bytes meant in `file`, which messages call `path`.
    ///
    /// # Errors
    /// They lie outside.
    pub fn resolve(&self, file: &Contents, path: &Path) -> Result<Range<u64>, Failure> {
        let range = match self.range {
            Some(RangeOrDash::Range(range)) => Some(range),
            _ => None,
        };
        resolve(range, self.lines.as_ref(), file, path)
    }
}

/// `--range` or `--lines`, or all bytes without either.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct WithinArguments {
    /// These bytes only: A..B, A.., ..B or A+LENGTH
    #[arg(long, allow_hyphen_values = true, value_parser = ArgumentParser(range))]
    pub range: Option<RangeArgument>,
    /// These lines only, counted from 1, both ends included: A..B, A.., ..B or A+COUNT
    #[arg(long, value_name = "A..B", allow_hyphen_values = true, value_parser = ArgumentParser(lines))]
    pub lines: Option<LinesArgument>,
}

impl WithinArguments {
    /// The bytes meant in `file`, which messages call `path`.
    ///
    /// # Errors
    /// They lie outside.
    pub fn resolve(&self, file: &Contents, path: &Path) -> Result<Range<u64>, Failure> {
        resolve(self.range, self.lines.as_ref(), file, path)
    }
}

/// RANGE and OFFSET, or `--lines` and OFFSET, which then is the first argument behind FILE.
#[derive(Debug, Args)]
#[group(skip)]
pub struct PlaceAndOffset {
    /// The bytes that are meant: A..B, A.., ..B or A+LENGTH
    #[arg(allow_hyphen_values = true, value_parser = ArgumentParser(range_or_offset))]
    range: Option<RangeOrOffset>,
    /// Where they go, in the file as it is: NUMBER, end, end-NUMBER or -NUMBER
    #[arg(allow_hyphen_values = true, value_parser = ArgumentParser(bound))]
    offset: Option<Bound>,
    /// Whole lines instead of bytes, counted from 1, both ends included: A..B, A.., ..B or A+COUNT
    #[arg(long, value_name = "A..B", allow_hyphen_values = true, value_parser = ArgumentParser(lines))]
    lines: Option<LinesArgument>,
}

/// What can stand where RANGE is expected.
#[derive(Debug, Clone)]
enum RangeOrOffset {
    Range(RangeArgument),
    /// An offset, and why it is no range.
    Offset(Bound, String),
}

fn range_or_offset(value: &OsStr) -> Result<RangeOrOffset, String> {
    match (range(value), bound(value)) {
        (Ok(range), _) => Ok(RangeOrOffset::Range(range)),
        (Err(reason), Ok(offset)) => Ok(RangeOrOffset::Offset(offset, reason)),
        (Err(reason), Err(_)) => Err(reason),
    }
}

impl PlaceAndOffset {
    /// Puts an OFFSET behind `--lines` into its place.
    ///
    /// # Errors
    /// Not exactly one place, or not exactly one OFFSET.
    pub fn settle(&mut self) -> Result<(), clap::Error> {
        let usage =
            |kind, message: &str| Err(clap::Error::raw(kind, message).with_cmd(&Cli::command()));
        match (&self.range, &self.lines, self.offset) {
            (Some(RangeOrOffset::Offset(offset, _)), Some(_), None) => {
                (self.offset, self.range) = (Some(*offset), None);
                Ok(())
            }
            (Some(RangeOrOffset::Range(_)), None, Some(_)) => Ok(()),
            (Some(RangeOrOffset::Offset(_, reason)), None, _) => {
                usage(ErrorKind::ValueValidation, reason)
            }
            (Some(_), Some(_), _) => usage(
                ErrorKind::ArgumentConflict,
                "RANGE and --lines both say which bytes are meant: leave out one of them",
            ),
            (None, None, _) => usage(
                ErrorKind::MissingRequiredArgument,
                "RANGE or --lines A..B and OFFSET are missing",
            ),
            (_, _, None) => usage(ErrorKind::MissingRequiredArgument, "OFFSET is missing"),
            (None, Some(_), Some(_)) => Ok(()),
        }
    }

    /// The bytes meant in the file of `edit`, and where they go.
    ///
    /// # Errors
    /// They lie outside.
    pub fn resolve(&self, edit: &Edit<'_>) -> Result<(Range<u64>, u64), Failure> {
        let range = match self.range {
            Some(RangeOrOffset::Range(range)) => Some(range),
            _ => None,
        };
        let range = resolve(range, self.lines.as_ref(), &edit.file, edit.path())?;
        // There is one, or it would not be settled.
        let offset = self.offset.map_or(Ok(0), |offset| edit.offset(offset))?;
        Ok((range, offset))
    }
}

fn resolve(
    range: Option<RangeArgument>,
    lines: Option<&LinesArgument>,
    file: &Contents,
    path: &Path,
) -> Result<Range<u64>, Failure> {
    match (range, lines) {
        (_, Some(lines)) => lines.resolve(file, path),
        (Some(range), None) => {
            range.resolve(file.len()).map_err(|place| Failure::outside(path, place, file.len()))
        }
        (None, None) => Ok(0..file.len()),
    }
}
