//! What commands for scripts are given.

use std::ffi::OsString;

use clap::{Args, ValueEnum, ValueHint};

use super::{EditOptions, StoreOptions};
use crate::progress::ProgressArgument;

/// `apply FILE [SCRIPT|-]`
#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// The file to change
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// The script or a delta in VCDIFF, or `-` for standard input, as without it
    #[arg(conflicts_with = "edits", value_hint = ValueHint::FilePath)]
    pub script: Option<OsString>,
    /// An edit as a line of a script; may be repeated, in ascending order
    #[arg(short, long = "edit", value_name = "EDIT")]
    pub edits: Vec<String>,
    #[command(flatten)]
    pub options: EditOptions,
}

/// Options of the commands that write a script
#[derive(Debug, Args)]
pub struct OutputOptions {
    /// Write to a new file, on disk when the command ends, instead of to standard output
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub output: Option<OsString>,
    /// Print one JSON object on standard output, of what was written to --output
    #[arg(long, requires = "output")]
    pub json: bool,
    /// Print nothing but the script and errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// What `diff` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArgument {
    /// Edits as text, a line each
    Script,
    /// A delta of RFC 3284, as of xdelta3
    Vcdiff,
}

/// `diff OLD NEW`
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The file that the script is to be applied to
    #[arg(value_hint = ValueHint::FilePath)]
    pub old: OsString,
    /// The file that it is to make
    #[arg(value_hint = ValueHint::FilePath)]
    pub new: OsString,
    /// Hold the removed bytes as well, so that the script can be inverted without the old file
    #[arg(long)]
    pub reversible: bool,
    /// What to write: a script or, for other programs, a delta in VCDIFF
    #[arg(long, value_enum, default_value = "script", value_name = "FORMAT")]
    pub format: FormatArgument,
    /// When to show how far the comparison is
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub progress: ProgressArgument,
    #[command(flatten)]
    pub options: OutputOptions,
    #[command(flatten)]
    pub store: StoreOptions,
}

/// `invert SCRIPT`
#[derive(Debug, Args)]
pub struct InvertArguments {
    /// The script, or `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub script: OsString,
    /// The file that the script is for, as it is before it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub old: Option<OsString>,
    #[command(flatten)]
    pub options: OutputOptions,
    #[command(flatten)]
    pub store: StoreOptions,
}

/// `compose FIRST SECOND`
#[derive(Debug, Args)]
pub struct ComposeArguments {
    /// The script that is applied first
    #[arg(value_hint = ValueHint::FilePath)]
    pub first: OsString,
    /// The script that is applied to what the first one makes
    #[arg(value_hint = ValueHint::FilePath)]
    pub second: OsString,
    #[command(flatten)]
    pub options: OutputOptions,
}
