//! What commands that change a file are given.

use std::ffi::OsString;

use bytesplice::{CommitOptions, Durability};
use clap::{Args, ValueEnum, ValueHint};

use super::{StoreOptions, UploadOptions};
use crate::argument::{ArgumentParser, bound, bytes_from_hex};
use crate::backup::{SUFFIX, suffix};
use crate::data::DataArguments;
use crate::pattern_argument::PatternKind;
use crate::place::{PlaceAndOffset, PlaceArguments, PlaceBeforeData, WithinArguments};
use crate::progress::ProgressArgument;
use crate::range_argument::Bound;

/// `insert FILE OFFSET DATA`
#[derive(Debug, Args)]
pub struct InsertArguments {
    /// The file to change
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// Where to insert: NUMBER, end, end-NUMBER or -NUMBER
    #[arg(allow_hyphen_values = true, value_parser = ArgumentParser(bound))]
    pub offset: Bound,
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub options: EditOptions,
}

/// `remove FILE RANGE`
#[derive(Debug, Args)]
pub struct RemoveArguments {
    /// The file to change
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    #[command(flatten)]
    pub place: PlaceArguments,
    /// Keep the removed bytes in a new file, on disk before the commit
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub save: Option<OsString>,
    #[command(flatten)]
    pub options: EditOptions,
}

/// `replace FILE RANGE DATA`
#[derive(Debug, Args)]
pub struct ReplaceArguments {
    /// The file to change
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    #[command(flatten)]
    pub place: PlaceBeforeData,
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub options: EditOptions,
}

/// `append FILE DATA`
#[derive(Debug, Args)]
pub struct AppendArguments {
    /// The file to change
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub options: EditOptions,
}

/// `truncate FILE LENGTH`
#[derive(Debug, Args)]
pub struct TruncateArguments {
    /// The file to change
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// The new length: NUMBER, end, end-NUMBER or -NUMBER; not past the end
    #[arg(allow_hyphen_values = true, value_parser = ArgumentParser(bound))]
    pub length: Bound,
    #[command(flatten)]
    pub options: EditOptions,
}

/// `copy FILE RANGE OFFSET` and `move FILE RANGE OFFSET`
#[derive(Debug, Args)]
pub struct RearrangeArguments {
    /// The file to change
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    #[command(flatten)]
    pub place: PlaceAndOffset,
    #[command(flatten)]
    pub options: EditOptions,
}

/// `replace-all FILE PATTERN REPLACEMENT`
#[derive(Debug, Args)]
pub struct ReplaceAllArguments {
    /// The file to change
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: OsString,
    /// What to replace: literal text, unless an option says otherwise; one that begins with a hyphen comes after `--`
    pub pattern: OsString,
    /// What to put in its place, written as PATTERN is; may be empty
    pub replacement: OsString,
    #[command(flatten)]
    pub kind: PatternKind,
    #[command(flatten)]
    pub within: WithinArguments,
    /// Replace the first N matches only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max: Option<u64>,
    #[command(flatten)]
    pub options: EditOptions,
}

/// What every command that changes a file understands.
#[derive(Debug, Args)]
pub struct EditOptions {
    /// Print what the commit would do and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to write: all but direct are crash-safe
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub strategy: StrategyArgument,
    /// Do not wait for the disk: a power cut may then leave neither old nor new contents
    #[arg(long)]
    pub no_sync: bool,
    /// Go on although others have the file open for writing: what they append while it is shortened may be lost
    #[arg(long)]
    pub allow_writers: bool,
    /// Write to a new file, before the commit, the script that takes the change back: see `apply`
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub undo_script: Option<OsString>,
    /// Keep the old file beside it, under its name and SUFFIX (default ~): shared blocks where the file system can, else a
    /// copy; on disk before the commit
    #[arg(long, value_name = "SUFFIX", num_args = 0..=1, require_equals = true, default_missing_value = SUFFIX, value_parser = ArgumentParser(suffix))]
    pub backup: Option<OsString>,
    /// Refuse unless the old bytes are these: those of RANGE, or else those at OFFSET or the last
    #[arg(long, value_name = "H", value_parser = ArgumentParser(bytes_from_hex))]
    pub expect_hex: Option<ArgumentBytes>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// When to show how far the work is
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub progress: ProgressArgument,
    #[command(flatten)]
    pub store: StoreOptions,
    #[command(flatten)]
    pub upload: UploadOptions,
}

impl EditOptions {
    /// How a file is committed.
    pub fn commit_options<'a>(&self) -> CommitOptions<'a> {
        let durability = if self.no_sync { Durability::Unsynced } else { Durability::Synced };
        CommitOptions::default()
            .strategy(self.strategy.into())
            .durability(durability)
            .allow_writers(self.allow_writers)
    }

    /// The option that only files can have, if one is given.
    pub fn given_for_files(&self) -> Option<&'static str> {
        if !matches!(self.strategy, StrategyArgument::Auto) {
            Some("--strategy")
        } else if self.no_sync {
            Some("--no-sync")
        } else if self.allow_writers {
            Some("--allow-writers")
        } else if self.backup.is_some() {
            Some("--backup")
        } else {
            None
        }
    }
}

/// Bytes written in an argument. (A plain `Vec` would mean many values to clap.)
#[derive(Debug, Clone)]
pub struct ArgumentBytes(pub Vec<u8>);

/// The strategies there are.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum StrategyArgument {
    /// The cheapest crash-safe way
    #[default]
    Auto,
    /// Through a journal beside the file
    Journaled,
    /// Through a journal that shares the old blocks (XFS, btrfs)
    Snapshot,
    /// By shifting extents (ext4, XFS)
    Extents,
    /// A new file takes the name: readers never see the middle; other hard links keep the old bytes
    Replace,
    /// Without a journal: a crash in between ruins the file
    Direct,
}

impl From<StrategyArgument> for bytesplice::Strategy {
    fn from(argument: StrategyArgument) -> Self {
        match argument {
            StrategyArgument::Auto => Self::Auto,
            StrategyArgument::Journaled => Self::Journaled,
            StrategyArgument::Snapshot => Self::Snapshot,
            StrategyArgument::Extents => Self::Extents,
            StrategyArgument::Replace => Self::Replace,
            StrategyArgument::Direct => Self::Direct,
        }
    }
}
