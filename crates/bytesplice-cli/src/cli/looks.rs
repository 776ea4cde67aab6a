//! What commands that only look are given.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use super::StoreOptions;
use crate::argument::{ArgumentParser, lines, range};
use crate::lines_argument::LinesArgument;
use crate::pattern_argument::PatternKind;
use crate::place::{PlaceArguments, WithinArguments};
use crate::range_argument::RangeArgument;

/// `read FILE RANGE`
#[derive(Debug, Args)]
pub struct ReadArguments {
    /// The file to read
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    #[command(flatten)]
    pub place: PlaceArguments,
    /// Accepted for symmetry: reading prints nothing but the bytes
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub store: StoreOptions,
}

/// `show FILE [RANGE]`
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The file to show
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// The bytes to show: A..B, A.., ..B or A+LENGTH; all without it
    #[arg(allow_hyphen_values = true, value_parser = ArgumentParser(range), conflicts_with = "lines")]
    pub range: Option<RangeArgument>,
    /// Whole lines instead of bytes, counted from 1, both ends included: A..B, A.., ..B or A+COUNT
    #[arg(long, value_name = "A..B", allow_hyphen_values = true, value_parser = ArgumentParser(lines))]
    pub lines: Option<LinesArgument>,
    /// Print one JSON object on standard output, with the bytes in hex
    #[arg(long)]
    pub json: bool,
    /// Accepted for symmetry: showing prints nothing but the bytes
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub store: StoreOptions,
}

/// `find FILE PATTERN`
#[derive(Debug, Args)]
pub struct FindArguments {
    /// The file to search
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// What to find: literal text, unless an option says otherwise; one that begins with a hyphen comes after `--`
    pub pattern: OsString,
    #[command(flatten)]
    pub kind: PatternKind,
    #[command(flatten)]
    pub within: WithinArguments,
    /// Stop after N matches
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max: Option<u64>,
    /// Print how many matches there are, and nothing else
    #[arg(short, long)]
    pub count: bool,
    /// Show each match as hex and text, with N bytes before and after it
    #[arg(long, value_name = "N", conflicts_with_all = ["count", "json"])]
    pub context: Option<u64>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Print nothing: the exit code tells whether there is a match
    #[arg(short, long, conflicts_with_all = ["count", "context", "json"])]
    pub quiet: bool,
    #[command(flatten)]
    pub store: StoreOptions,
}
