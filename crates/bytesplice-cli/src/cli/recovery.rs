//! What commands about commits that were cut short are given.

use std::ffi::OsString;

use clap::{Args, ValueHint};

/// `recover FILE`
#[derive(Debug, Args)]
pub struct RecoverArguments {
    /// The file to recover
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// Also accept a restored copy of the file with another inode, if its bytes fit the journal
    #[arg(long)]
    pub force: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
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
}
