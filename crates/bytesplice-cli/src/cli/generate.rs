//! What `generate` is given.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

/// `generate WHAT [DIRECTORY]`
#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// What to write
    #[arg(value_enum)]
    pub what: Generated,
    /// Where to write the files, under the names by which they are found; standard output without it
    #[arg(value_hint = clap::ValueHint::DirPath)]
    pub directory: Option<OsString>,
}

/// What there is to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Generated {
    /// Completions for bash
    Bash,
    /// Completions for zsh
    Zsh,
    /// Completions for fish
    Fish,
    /// Man pages, one a command; on standard output that of bytesplice only
    Man,
}
