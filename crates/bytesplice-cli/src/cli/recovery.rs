//! What commands about commits that were cut short are given.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::StoreOptions;
use super::objects::OBJECTS;
use crate::argument::{ArgumentParser, age};

/// `recover FILE`
#[derive(Debug, Args)]
pub struct RecoverArguments {
    /// The file to recover
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// Also obey the copy of a journal, if the file fits it: for restored copies of both
    #[arg(long)]
    pub force: bool,
    /// Of an object: abort the uploads that were begun so long ago, such as 2d, 90m or 0s; 1d without it
    #[arg(long, value_name = "AGE", value_parser = ArgumentParser(age), help_heading = OBJECTS)]
    pub older_than: Option<Duration>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub store: StoreOptions,
}

/// `abort FILE`
#[derive(Debug, Args)]
pub struct AbortArguments {
    /// The file to bring back
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `forget FILE`
#[derive(Debug, Args)]
pub struct ForgetArguments {
    /// The file that is whole
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// Forget the commit: without it nothing is changed
    #[arg(long)]
    pub yes: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `status FILE`
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// The file to look at
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Print nothing: the exit code tells whether recovery is needed
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
    #[command(flatten)]
    pub store: StoreOptions,
}
