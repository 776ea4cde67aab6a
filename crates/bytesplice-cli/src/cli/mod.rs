//! The command line as clap reads it.

mod edits;
mod generate;
mod looks;
mod objects;
mod recovery;
mod scripts;

use std::ffi::OsStr;

use bytesplice_s3::ObjectName;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

pub use edits::{
    AppendArguments, ArgumentBytes, EditOptions, InsertArguments, RearrangeArguments,
    RemoveArguments, ReplaceAllArguments, ReplaceArguments, StrategyArgument, TruncateArguments,
};
pub use generate::{GenerateArguments, Generated};
pub use looks::{FindArguments, ReadArguments, ShowArguments};
pub use objects::{StoreOptions, UploadOptions};
pub use recovery::{AbortArguments, ForgetArguments, RecoverArguments, StatusArguments};
pub use scripts::{
    ApplyArguments, ComposeArguments, DiffArguments, FormatArgument, InvertArguments, OutputOptions,
};

/// Insert, remove and replace bytes in the middle of a file of any size
///
/// A command changes the file in place, in one crash-safe pass: after a kill or
/// a power cut the file holds the old or the new contents, as soon as bytesplice
/// opens it again.
#[derive(Debug, Parser)]
#[command(name = "bytesplice", version, verbatim_doc_comment, after_help = SHORT_GRAMMAR, after_long_help = GRAMMAR)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const SHORT_GRAMMAR: &str = "RANGE, DATA and exit codes are explained by `bytesplice --help`.";

const GRAMMAR: &str = "\
FILE is a path, or s3://BUCKET/KEY for an object in an S3-compatible store
  The store puts the new object together from the old one and swaps it whole. Keys
  and the address of the store are taken from the environment and the files of the
  AWS command line; ./s3://x is a path.

RANGE is half-open, in bytes: A..B, A.., ..B, .. or A+LENGTH
  A bound is NUMBER, end, end-NUMBER, or -NUMBER, which is the same as end-NUMBER.
  NUMBER is decimal (4096, 1_000), or hexadecimal (0x1000). Only a decimal number
  may have a unit: KiB MiB GiB TiB (1024) or kB MB GB TB (1000).
  Ranges are never clipped: one that passes the end of the file is an error.
  In its place --lines A..B means whole lines, counted from 1 and both included.

DATA is exactly one of
  --text S            the bytes of the argument, without escapes
  --escaped S         with the escapes \\n \\r \\t \\0 \\\\ \\xHH
  --hex H             pairs of hex digits, spaces allowed
  --from PATH         the contents of another file, a FIFO or of the file itself,
                      or a part of it: --from-range RANGE
  --fill BYTE:COUNT   COUNT times the same byte, such as 0:1MiB
  -                   standard input

Exit codes
  0  done                          5  locked by another bytesplice
  1  nothing found                 6  changed by others, or not as expected
  2  wrong usage                   7  no space, or over the file size limit
  3  outside the file              8  recovery needed, or a bad journal
  4  cannot open, not a regular    9  input or output failed, or the
     file, or refused by a store      store cannot be reached
                                  10  the file was changed, only the report failed
                       130, 143, 129  stopped by Ctrl-C, SIGTERM or the end of the
                                      session (SIGHUP), nothing was changed
8 comes before all others: whatever else went wrong, the file waits for recovery.

Ctrl-C stops a commit as long as the old contents can be kept. After that the commit is
finished, with exit code 0; a second Ctrl-C leaves the rest to recovery, with 8. Of an
object the second one leaves the upload to `bytesplice recover`.

Examples
  bytesplice remove data 4..8
  bytesplice insert data 4 --text AAAA
  bytesplice replace data 10..20 --from other.bin --undo-script undo
  bytesplice apply data undo
  bytesplice show data -1KiB..
  bytesplice replace-all data old.example.org new.example.org
  bytesplice insert s3://bucket/data 0 --text header --dry-run";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Insert DATA at OFFSET; what was there moves up
    #[command(
        override_usage = "bytesplice insert [OPTIONS] <FILE> <OFFSET> <DATA>",
        after_help = "\
Examples
  bytesplice insert data 4 --text AAAA
  bytesplice insert data 0 --from header.bin
  bytesplice insert data end --hex '0d 0a'
  head -c 1000 /dev/urandom | bytesplice insert data -1KiB -"
    )]
    Insert(InsertArguments),
    /// Remove the bytes of RANGE; what follows moves down
    #[command(
        override_usage = "bytesplice remove [OPTIONS] <FILE> <RANGE|--lines A..B>",
        after_help = "\
Examples
  bytesplice remove data 4..8
  bytesplice remove data 1MiB+64KiB --save removed.bin
  bytesplice remove data -10.. --expect-hex '00 00 00 00 00 00 00 00 00 00'
  bytesplice remove data ..512 --dry-run
  bytesplice remove log --lines 1..5000000"
    )]
    Remove(RemoveArguments),
    /// Replace the bytes of RANGE by DATA of any length
    #[command(
        override_usage = "bytesplice replace [OPTIONS] <FILE> <RANGE|--lines A..B> <DATA>",
        // `-` may stand in the place of RANGE: see `PlaceBeforeData`.
        mut_group("DataSource", |group| group.required(false)),
        after_help = "\
Examples
  bytesplice replace data 10..20 --text 'text of any length'
  bytesplice replace data 0..4 --hex 7f454c46 --expect-hex 00000000
  bytesplice replace data 1GiB+1MiB --fill 0:1MiB
  bytesplice replace data .. --from other.bin --from-range 512..
  bytesplice replace notes --lines 3..4 --escaped 'one line for two\\n'"
    )]
    Replace(ReplaceArguments),
    /// Add DATA at the end
    #[command(
        override_usage = "bytesplice append [OPTIONS] <FILE> <DATA>",
        after_help = "\
Examples
  bytesplice append data --escaped 'the last line\\n'
  bytesplice append data --from data
  bytesplice append data --fill 0xff:64KiB"
    )]
    Append(AppendArguments),
    /// Shorten the file to LENGTH bytes
    #[command(after_help = "\
Examples
  bytesplice truncate data 1MiB
  bytesplice truncate data -1
  bytesplice truncate data 0")]
    Truncate(TruncateArguments),
    /// Insert a copy of the bytes of RANGE at OFFSET
    ///
    /// Both are meant in the file as it is. Nothing is read before the commit.
    #[command(
        verbatim_doc_comment,
        override_usage = "bytesplice copy [OPTIONS] <FILE> <RANGE|--lines <A..B>> <OFFSET>",
        after_help = "\
Examples
  bytesplice copy data 0..512 end
  bytesplice copy data -1KiB.. 0
  bytesplice copy data 4096+4096 8192 --dry-run"
    )]
    Copy(RearrangeArguments),
    /// Move the bytes of RANGE to OFFSET
    ///
    /// OFFSET is meant in the file as it is, before the move; the bytes go before the
    /// one that is there. An offset inside RANGE is an error.
    #[command(
        verbatim_doc_comment,
        override_usage = "bytesplice move [OPTIONS] <FILE> <RANGE|--lines <A..B>> <OFFSET>",
        after_help = "\
Examples
  bytesplice move data 0..512 end
  bytesplice move data -1KiB.. 0
  bytesplice move notes --lines 1..3 end"
    )]
    Move(RearrangeArguments),
    /// Make the edits of a script, all or none of them, in one commit
    ///
    /// A script is lines of JSON: a header, then one edit each. `diff` writes them;
    /// docs/scripts.md has the format. Offsets count in the file as it was, unless the
    /// header says otherwise. With --edit there is no header:
    ///   {"insert":4,"text":"new"}  {"remove":[4,8]}  {"replace":[4,8],"hex":"00ff"}
    #[command(
        verbatim_doc_comment,
        override_usage = "bytesplice apply [OPTIONS] <FILE> [SCRIPT|-]\n       bytesplice apply [OPTIONS] <FILE> -e <EDIT>...",
        // A script says itself what it expects.
        mut_arg("expect_hex", |argument| argument.hide(true)),
        after_help = "\
Examples
  bytesplice diff old new | bytesplice apply old
  bytesplice apply data edits.jsonl --undo-script undo.jsonl
  bytesplice apply data -e '{\"insert\":0,\"text\":\"# \"}' -e '{\"remove\":[10,20]}'
  bytesplice apply data edits.jsonl --dry-run
  xdelta3 -e -c -S none -s old new | bytesplice apply old"
    )]
    Apply(ApplyArguments),
    /// Write the script that turns OLD into NEW
    ///
    /// Both are read once, in a memory that does not grow with them. The script has
    /// checksums of the bytes that it removes, and is refused where they differ.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice diff old new > edits.jsonl
  bytesplice diff old new --reversible --output edits.jsonl
  bytesplice diff old new --format vcdiff --output new.vcdiff && xdelta3 -d -s old new.vcdiff made"
    )]
    Diff(DiffArguments),
    /// Write the script that takes back what SCRIPT does
    ///
    /// Needs the old file, unless SCRIPT holds all bytes that it removes, as those of
    /// `diff --reversible` do.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice invert edits.jsonl --old data > undo.jsonl
  bytesplice invert reversible.jsonl | bytesplice apply data"
    )]
    Invert(InvertArguments),
    /// Write the one script that does what FIRST and then SECOND do
    ///
    /// Needs no file. What the scripts say of old bytes is left out.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice compose monday.jsonl tuesday.jsonl > both.jsonl"
    )]
    Compose(ComposeArguments),
    /// Write the bytes of RANGE to standard output
    ///
    /// Never changes the file: one with an unfinished commit is refused, with exit
    /// code 8. Run `bytesplice recover` on it first.
    #[command(
        verbatim_doc_comment,
        override_usage = "bytesplice read [OPTIONS] <FILE> <RANGE|--lines A..B>",
        after_help = "\
Examples
  bytesplice read data 0..512 > boot.bin
  bytesplice read data -1KiB.. | xxd
  bytesplice read log --lines 1000..1010"
    )]
    Read(ReadArguments),
    /// Show bytes as hex and text
    ///
    /// Reads only what it shows, so that the file may have any size. Repeated lines
    /// are shown as `*`. Colours tell the classes of bytes on a terminal, unless
    /// NO_COLOR is set.
    ///
    /// Never changes the file: one with an unfinished commit is refused, with exit
    /// code 8. Run `bytesplice recover` on it first.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice show data
  bytesplice show data 1GiB+256
  bytesplice show data -64..
  bytesplice show notes --lines 3+1"
    )]
    Show(ShowArguments),
    /// Find PATTERN and print the offsets, one a line
    ///
    /// PATTERN is literal text, without escapes, unless an option says otherwise. Matches
    /// do not overlap. A file of any size is searched in little memory, also by regular
    /// expressions: those of the Rust crate regex on bytes, without look-around and
    /// backreferences, where \w, \d, \b and (?i) know ASCII only.
    ///
    /// Exits with 0 if something was found and with 1 if nothing was. Never changes the
    /// file: one with an unfinished commit is refused, with exit code 8.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice find data needle
  bytesplice find data --hex '7f 45 4c 46' --context 16
  bytesplice find data --regex '[0-9]{4}-[0-9]{2}' --max 10
  bytesplice find data --escaped '\\n\\n' --range 1MiB.. --count"
    )]
    Find(FindArguments),
    /// Replace every PATTERN by REPLACEMENT, of any length
    ///
    /// All matches in one commit: every byte moves at most once. PATTERN and REPLACEMENT are
    /// literal text, without escapes, unless an option says otherwise. With --regex $1 and
    /// ${name} in REPLACEMENT are groups of the match, $0 is all of it, $$ a dollar sign.
    ///
    /// Exits with 1 if nothing was found; the file is untouched then.
    #[command(
        visible_alias = "sub",
        verbatim_doc_comment,
        mut_arg("expect_hex", |argument| argument.hide(true)),
        after_help = "\
Examples
  bytesplice replace-all data old.example.org new.example.org
  bytesplice replace-all data --hex 0d0a 0a
  bytesplice replace-all data --escaped '\\n' '\\r\\n' --dry-run
  bytesplice replace-all data --regex '(\\w+)=(\\w+)' '$2=$1' --max 1"
    )]
    ReplaceAll(ReplaceAllArguments),
    /// Finish or undo a commit that was cut short
    ///
    /// Every command that changes a file does this by itself when it opens the file;
    /// this one is for files that other programs are to read.
    ///
    /// An object is always whole. What a kill leaves is an upload, whose parts are
    /// charged: those older than a day are aborted, by whomever they were begun.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice recover data
  bytesplice recover --force restored-copy
  bytesplice recover s3://bucket/data --older-than 2h"
    )]
    Recover(RecoverArguments),
    /// Take back a commit that was cut short: the old contents come back
    ///
    /// Possible before the commit point, and after it with --strategy snapshot. Else
    /// exits with 8 and touches nothing: such a commit can only be finished, by
    /// `bytesplice recover`.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice abort data
  bytesplice abort data --json"
    )]
    Abort(AbortArguments),
    /// Take a file as it is, such as a restored backup, and forget the commit that was cut short
    ///
    /// For files that are whole and that `bytesplice recover` refuses. Without --yes it
    /// prints what is known of the file and what it would do, changes nothing, and exits
    /// with 8 if there is a commit to forget. With --yes the journal gets another name,
    /// `.FILE.bytesplice-forgotten`, and FILE loses its mark; no byte of FILE changes.
    ///
    /// A file that is in the middle of its commit stays a mixture of its old and its new
    /// contents: recover such a file, or restore it from a backup first.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice forget data
  cp backup data && bytesplice forget data --yes"
    )]
    Forget(ForgetArguments),
    /// Tell length, journal, locks and what the file system can do, without changing anything
    ///
    /// Exits with 8 if the file needs recovery or its journal is unusable. A commit
    /// that another bytesplice is just making is reported as such, and is no reason.
    /// What the file system can do is tried on an anonymous temporary file.
    ///
    /// Of an object: its length, ETag and attributes, and the uploads that are to
    /// change it.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice status data
  bytesplice status data --json
  bytesplice status s3://bucket/data"
    )]
    Status(StatusArguments),
    /// Write completions for a shell, or the man pages
    ///
    /// Packages bring both. Whoever built the program writes them to where the shell
    /// and man look for them. What is there under these names is overwritten.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples
  bytesplice generate bash ~/.local/share/bash-completion/completions
  bytesplice generate zsh ~/.zfunc
  bytesplice generate fish ~/.config/fish/completions
  bytesplice generate man ~/.local/share/man/man1"
    )]
    Generate(GenerateArguments),
}

impl Cli {
    /// The same with what clap cannot tell apart put in its place.
    ///
    /// # Errors
    /// Wrong usage.
    pub fn settled(mut self) -> Result<Self, clap::Error> {
        if let Command::Replace(ReplaceArguments { place, data, .. }) = &mut self.command
            && place.settle(data.is_given())?
        {
            data.take_standard_input();
        }
        if let Command::Copy(RearrangeArguments { place, .. })
        | Command::Move(RearrangeArguments { place, .. }) = &mut self.command
        {
            place.settle()?;
        }
        if let Command::Diff(DiffArguments {
            format: FormatArgument::Vcdiff,
            reversible: true,
            ..
        }) = &self.command
        {
            let message = "a delta in VCDIFF holds no removed bytes: `--reversible` is for scripts";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        }
        if let Command::Apply(ApplyArguments { script: Some(script), .. }) = &self.command
            && script.as_encoded_bytes().starts_with(b"{")
        {
            let message =
                "an edit is given by `-e`: apply FILE -e '{\"insert\":0,\"text\":\"new\"}'";
            return Err(clap::Error::raw(ErrorKind::InvalidValue, message));
        }
        self.command.check_options()?;
        if let Command::Apply(ApplyArguments { options, .. }) = &self.command
            && options.expect_hex.is_some()
        {
            let message =
                "unknown option `--expect-hex`: the edits of a script have \"old\" for that";
            return Err(clap::Error::raw(ErrorKind::UnknownArgument, message));
        }
        Ok(self)
    }
}

impl Command {
    /// The options of those that change a file.
    fn edit_options(&self) -> Option<&EditOptions> {
        match self {
            Self::Insert(InsertArguments { options, .. })
            | Self::Remove(RemoveArguments { options, .. })
            | Self::Replace(ReplaceArguments { options, .. })
            | Self::Append(AppendArguments { options, .. })
            | Self::Apply(ApplyArguments { options, .. })
            | Self::ReplaceAll(ReplaceAllArguments { options, .. })
            | Self::Truncate(TruncateArguments { options, .. })
            | Self::Copy(RearrangeArguments { options, .. })
            | Self::Move(RearrangeArguments { options, .. }) => Some(options),
            _ => None,
        }
    }

    /// Where objects are looked for, by those that take objects.
    fn store_options(&self) -> Option<&StoreOptions> {
        match self {
            Self::Read(ReadArguments { store, .. })
            | Self::Show(ShowArguments { store, .. })
            | Self::Find(FindArguments { store, .. })
            | Self::Diff(DiffArguments { store, .. })
            | Self::Invert(InvertArguments { store, .. })
            | Self::Recover(RecoverArguments { store, .. })
            | Self::Status(StatusArguments { store, .. }) => Some(store),
            _ => self.edit_options().map(|options| &options.store),
        }
    }

    /// Whether FILE, or another file that is read as it is, is an object.
    fn takes_object(&self) -> bool {
        let other = match self {
            Self::Diff(DiffArguments { new, .. }) => Some(&**new),
            Self::Invert(InvertArguments { old, .. }) => old.as_deref(),
            _ => None,
        };
        self.file().into_iter().chain(other).any(ObjectName::is_address)
    }

    /// Holds the options that only files have against objects, and the other way round.
    ///
    /// # Errors
    /// One that does not fit.
    fn check_options(&self) -> Result<(), clap::Error> {
        let is_object = self.takes_object();
        let edit = self.edit_options();
        let (misplaced, reason) = match self {
            Self::Recover(RecoverArguments { force: true, .. }) if is_object => {
                (Some("--force"), "is for files, and FILE is an object")
            }
            Self::Recover(RecoverArguments { older_than: Some(_), .. }) if !is_object => {
                (Some("--older-than"), "is for objects, and FILE is not s3://BUCKET/KEY")
            }
            _ if is_object => (
                edit.and_then(EditOptions::given_for_files),
                "is for files: a store swaps an object whole, and keeps no backup",
            ),
            _ => {
                let upload = edit.and_then(|options| options.upload.given());
                let store = self.store_options().and_then(StoreOptions::given);
                (upload.or(store), "is for objects, and FILE is not s3://BUCKET/KEY")
            }
        };
        match misplaced {
            Some(option) => {
                Err(clap::Error::raw(ErrorKind::ArgumentConflict, format!("`{option}` {reason}")))
            }
            None => Ok(()),
        }
    }

    /// Whether errors are wanted as an object as well.
    pub fn wants_json(&self) -> bool {
        if let Some(options) = self.edit_options() {
            return options.json;
        }
        match self {
            Self::Find(arguments) => arguments.json,
            Self::Recover(arguments) => arguments.json,
            Self::Abort(arguments) => arguments.json,
            Self::Forget(arguments) => arguments.json,
            Self::Status(arguments) => arguments.json,
            Self::Diff(DiffArguments { options, .. })
            | Self::Invert(InvertArguments { options, .. })
            | Self::Compose(ComposeArguments { options, .. }) => options.json,
            Self::Show(arguments) => arguments.json,
            _ => false,
        }
    }

    /// FILE, where there is one.
    pub fn file(&self) -> Option<&OsStr> {
        Some(match self {
            Self::Generate(_) => return None,
            Self::Insert(InsertArguments { file, .. })
            | Self::Remove(RemoveArguments { file, .. })
            | Self::Replace(ReplaceArguments { file, .. })
            | Self::Append(AppendArguments { file, .. })
            | Self::Truncate(TruncateArguments { file, .. })
            | Self::Copy(RearrangeArguments { file, .. })
            | Self::Move(RearrangeArguments { file, .. })
            | Self::Apply(ApplyArguments { file, .. })
            | Self::Diff(DiffArguments { old: file, .. })
            | Self::Invert(InvertArguments { script: file, .. })
            | Self::Compose(ComposeArguments { first: file, .. })
            | Self::Read(ReadArguments { file, .. })
            | Self::Show(ShowArguments { file, .. })
            | Self::Find(FindArguments { file, .. })
            | Self::ReplaceAll(ReplaceAllArguments { file, .. })
            | Self::Recover(RecoverArguments { file, .. })
            | Self::Abort(AbortArguments { file, .. })
            | Self::Forget(ForgetArguments { file, .. })
            | Self::Status(StatusArguments { file, .. }) => file,
        })
    }

    /// Whether it is worth saying, after an error, that nothing was changed.
    pub fn changes_files(&self) -> bool {
        !matches!(
            self,
            Self::Read(_)
                | Self::Show(_)
                | Self::Find(_)
                | Self::Status(_)
                | Self::Diff(_)
                | Self::Invert(_)
                | Self::Compose(_)
                | Self::Generate(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
