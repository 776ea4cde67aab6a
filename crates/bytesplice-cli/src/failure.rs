//! Everything that ends a command, in words and as an exit code.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bytesplice::{FileState, Mismatch, ScriptProblem, Strategy, VcdiffProblem};
use bytesplice_s3::{Conditions, ObjectName, ObjectState};
use signal_hook::consts::{SIGHUP, SIGTERM};

use crate::exit_code::ExitCode;
use crate::lines_argument::LinesArgument;
use crate::lock_holders::{LockHolder, lock_holders};
use crate::output::{grouped, shown};
use crate::range_argument::{Bound, OutsideFile};
use crate::typed_path::TypedPath;

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// The library refused or failed.
    Library(bytesplice::Error),
    /// A store, or the library for objects, refused or failed.
    Object(bytesplice_s3::Error),
    /// Others hold the lock.
    Locked { path: PathBuf, holders: Vec<LockHolder> },
    /// A signal stopped the commit.
    Interrupted { error: Box<Self>, signal: i32 },
    /// A bound lies before the start of the file.
    BeforeStart { path: PathBuf, bound: Bound, len: u64 },
    /// A range turns out reversed in a file of this length.
    Reversed { path: PathBuf, start: u64, end: u64, len: u64 },
    /// There are fewer lines.
    OutsideLines { path: PathBuf, wanted: LinesArgument, lines: u64 },
    /// `truncate` to more bytes than there are.
    Lengthens { path: PathBuf, wanted: u64, len: u64 },
    /// `--expect-hex` has another number of bytes than the place where they are expected.
    ExpectedOtherLength { path: PathBuf, found: String, expected: u64 },
    /// `--from-range` of something that cannot be sought in.
    NoRangeOfStream { path: PathBuf, kind: &'static str },
    /// `--from` of something that has no contents, or none that end.
    NoContents { path: PathBuf, kind: &'static str },
    /// `--from` an object.
    FromObject { address: PathBuf },
    /// `abort` or `forget` of an object.
    NothingToAbort { address: PathBuf },
    /// PATTERN, or a REPLACEMENT for it, cannot be understood.
    Pattern { name: &'static str, reason: String },
    /// `--expect-hex` where the bytes that go away may be others at each place.
    ExpectsNothing,
    /// An option names the file that is changed as the one to write.
    NewFileIsTarget { path: PathBuf, option: &'static str },
    /// A file that an option asks for cannot be written, and nothing was changed.
    NewFile { path: PathBuf, option: &'static str, source: io::Error },
    /// Completions or man pages cannot be written.
    Generated { path: PathBuf, source: io::Error },
    /// Standard output cannot be written.
    Output(io::Error),
    /// Standard output cannot be written after the file at `path` was `done`.
    Unreported { path: PathBuf, done: &'static str, source: io::Error },
    /// The system refused to let us catch a signal.
    Signal(io::Error),
}

impl Failure {
    /// A bound or a range that does not lie in a file of `len` bytes.
    pub fn outside(path: &Path, place: OutsideFile, len: u64) -> Self {
        let path = path.into();
        match place {
            OutsideFile::BeforeStart(bound) => Self::BeforeStart { path, bound, len },
            OutsideFile::Reversed { start, end } => Self::Reversed { path, start, end, len },
            OutsideFile::PastEnd { start, end } => {
                Self::Library(bytesplice::Error::OutOfRange { path, start, end, len })
            }
        }
    }

    /// This failure, of the report on what was `done` to the file at `path`.
    pub fn after(self, path: &Path, done: &'static str) -> Self {
        match self {
            Self::Output(source) if source.kind() != io::ErrorKind::BrokenPipe => {
                Self::Unreported { path: path.into(), done, source }
            }
            other => other,
        }
    }

    /// What to print. Commands that change files add that they did not, where that is not said already.
    pub fn message(&self, command_changes_files: bool) -> String {
        let silent = match self {
            Self::Library(bytesplice::Error::Script { problem, .. }) => {
                !matches!(problem, ScriptProblem::Content(_))
            }
            Self::Library(bytesplice::Error::Vcdiff { problem, .. }) => {
                !matches!(problem, VcdiffProblem::Content(_))
            }
            Self::Library(error) => matches!(
                error,
                bytesplice::Error::OutOfRange { .. } | bytesplice::Error::ReversedRange { .. }
            ),
            Self::Object(error) => matches!(
                error,
                bytesplice_s3::Error::Name { .. }
                    | bytesplice_s3::Error::Endpoint { .. }
                    | bytesplice_s3::Error::Credentials { .. }
                    | bytesplice_s3::Error::NotFound { .. }
                    | bytesplice_s3::Error::Untrusted { .. }
            ),
            Self::Locked { .. }
            | Self::BeforeStart { .. }
            | Self::Reversed { .. }
            | Self::OutsideLines { .. }
            | Self::Lengthens { .. }
            | Self::ExpectedOtherLength { .. }
            | Self::NoRangeOfStream { .. }
            | Self::NoContents { .. }
            | Self::FromObject { .. }
            | Self::NothingToAbort { .. }
            | Self::NewFileIsTarget { .. }
            | Self::NewFile { .. } => true,
            Self::Pattern { .. } | Self::ExpectsNothing => false,
            Self::Interrupted { .. }
            | Self::Generated { .. }
            | Self::Output(_)
            | Self::Unreported { .. }
            | Self::Signal(_) => false,
        };
        let added = if silent && command_changes_files { "; nothing was changed" } else { "" };
        format!("{self}{added}{}", self.hint())
    }

    /// What the library's advice is called on the command line.
    fn hint(&self) -> &'static str {
        let Self::Library(error) = self else { return "" };
        match error.recommended_strategy() {
            Some(Strategy::Direct) => return " (here: --strategy direct)",
            Some(Strategy::Auto) => return " (here: --strategy auto)",
            _ => {}
        }
        match error {
            bytesplice::Error::OpenForWriting { .. } => " (here: --allow-writers)",
            bytesplice::Error::WrongFile { mismatch: Mismatch::CopiedFile, .. } => "",
            bytesplice::Error::WrongFile { mismatch, .. } if mismatch.yields_to_force() => {
                " (here: recover --force, or forget)"
            }
            bytesplice::Error::WrongFile { .. }
            | bytesplice::Error::ChangedSinceCrash { .. }
            | bytesplice::Error::JournalCorrupt { .. }
            | bytesplice::Error::JournalMissing { .. } => " (here: bytesplice forget FILE)",
            _ => "",
        }
    }

    /// The same failure with the library's paths as they were typed.
    pub fn with_typed_paths(self, file: &TypedPath) -> Self {
        match self {
            Self::Library(bytesplice::Error::Locked { path }) => {
                Self::Locked { path: file.as_typed(&path), holders: lock_holders(&path) }
            }
            Self::Library(error) => Self::Library(error.with_paths(|path| file.as_typed(path))),
            Self::Interrupted { error, signal } => {
                Self::Interrupted { error: Box::new(error.with_typed_paths(file)), signal }
            }
            other => other,
        }
    }

    /// The exit code that tells programs what happened.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Library(error) => ExitCode::of(error),
            Self::Object(error) => ExitCode::of_object(error),
            Self::Locked { .. } => ExitCode::Locked,
            Self::BeforeStart { .. }
            | Self::Reversed { .. }
            | Self::OutsideLines { .. }
            | Self::Lengthens { .. } => ExitCode::OutsideFile,
            Self::ExpectedOtherLength { .. } => ExitCode::Changed,
            Self::NoRangeOfStream { .. } | Self::NoContents { .. } => ExitCode::CannotOpen,
            Self::NewFileIsTarget { .. }
            | Self::FromObject { .. }
            | Self::NothingToAbort { .. }
            | Self::Pattern { .. }
            | Self::ExpectsNothing => ExitCode::Usage,
            Self::NewFile { source, .. }
            | Self::Generated { source, .. }
            | Self::Output(source) => ExitCode::of_io(source),
            Self::Interrupted { error, signal } => match &**error {
                error if error.left_unchanged() => match *signal {
                    SIGHUP => ExitCode::HungUp,
                    SIGTERM => ExitCode::Terminated,
                    _ => ExitCode::Interrupted,
                },
                error => error.exit_code(),
            },
            Self::Unreported { .. } => ExitCode::AfterCommit,
            Self::Signal(_) => ExitCode::InputOutput,
        }
    }

    /// Whether the file that was to be changed surely was not.
    pub fn left_unchanged(&self) -> bool {
        match self {
            Self::Library(error) => error.file_state() == FileState::Unchanged,
            Self::Object(error) => error.object_state() == ObjectState::Unchanged,
            Self::Interrupted { error, .. } => error.left_unchanged(),
            // What is printed is printed after the commit.
            Self::Output(_) | Self::Unreported { .. } => false,
            _ => true,
        }
    }

    /// Somebody asked for the end.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Library(bytesplice::Error::Cancelled { .. })
                | Self::Object(bytesplice_s3::Error::Cancelled { .. })
        )
    }

    /// The reader of our output went away, as `head` does: no failure to anybody.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(error) => write!(out, "{error}"),
            Self::Object(error) => match advice(error) {
                Advice::None => write!(out, "{error}"),
                Advice::Added(option) => write!(out, "{error} ({option})"),
                Advice::Own(object, text) => write!(out, "{object}: {text}"),
            },
            Self::Interrupted { error, .. } => write!(out, "{error}"),
            Self::Locked { path, holders } => {
                let path = shown(path);
                match &holders[..] {
                    [] => write!(out, "{path}: is locked by another bytesplice: try again later"),
                    [one] => write!(
                        out,
                        "{path}: is locked by another bytesplice ({one}): try again when it has ended"
                    ),
                    [first, more @ ..] => write!(
                        out,
                        "{path}: is locked by other bytesplices ({first}, and {} more): try again when they \
                         have ended",
                        more.len()
                    ),
                }
            }
            Self::BeforeStart { path, bound, len } => write!(
                out,
                "{}: {bound} lies before the start of the contents, which are {len} bytes long",
                shown(path)
            ),
            Self::Reversed { path, start, end, len } => write!(
                out,
                "{}: the range ends before it starts: it is {start}..{end} in contents {len} bytes long",
                shown(path)
            ),
            Self::OutsideLines { path, wanted, lines } => write!(
                out,
                "{}: lines {wanted} are outside the contents, which have {} line{}",
                shown(path),
                grouped(*lines),
                if *lines == 1 { "" } else { "s" }
            ),
            Self::Lengthens { path, wanted, len } => write!(
                out,
                "{}: offset {wanted} is past the end of the contents, which are {len} bytes long: truncate only \
                 shortens, `append --fill 0:{}` lengthens",
                shown(path),
                wanted - len
            ),
            Self::ExpectedOtherLength { path, found, expected } => {
                write!(out, "{}: {found}, --expect-hex expects {expected}", shown(path))
            }
            Self::NoRangeOfStream { path, kind } => write!(
                out,
                "{}: is a {kind}, not a regular file: --from-range needs one",
                shown(path)
            ),
            Self::NoContents { path, kind: kind @ ("block device" | "character device") } => {
                write!(
                    out,
                    "{}: is a {kind}, which may never end: give as much of it as is wanted by a pipe, such as \
                 `head -c 1000 {0} | bytesplice … -`",
                    shown(path)
                )
            }
            Self::NoContents { path, kind } => {
                write!(out, "{}: is a {kind}: --from needs a regular file or a FIFO", shown(path))
            }
            Self::FromObject { address } => write!(
                out,
                "{0}: --from takes files of this machine: `bytesplice read {0} .. | bytesplice … -` takes an object",
                shown(address)
            ),
            Self::NothingToAbort { address } => write!(
                out,
                "{}: an object has its old contents until it has the new ones: `bytesplice recover` ends the uploads \
                 that a kill left",
                shown(address)
            ),
            Self::Pattern { name, reason } => write!(out, "{name}: {reason}"),
            Self::ExpectsNothing => {
                write!(out, "replace-all has no --expect-hex: what it removes is what PATTERN says")
            }
            Self::NewFileIsTarget { path, option } => {
                write!(out, "{}: {option} names the file to be changed itself", shown(path))
            }
            Self::NewFile { path, option, source }
                if source.kind() == io::ErrorKind::AlreadyExists =>
            {
                write!(out, "{}: exists already, {option} does not overwrite it", shown(path))?;
                match *option {
                    "--backup" => {
                        write!(out, ": move it away, or take another suffix such as --backup=.2")
                    }
                    _ => Ok(()),
                }
            }
            Self::NewFile { path, option: "--save", source } => {
                write!(out, "{}: cannot save the removed bytes: {source}", shown(path))
            }
            Self::NewFile { path, option: "--backup", source } => {
                write!(out, "{}: cannot write the backup: {source}", shown(path))
            }
            Self::NewFile { path, option, source } => {
                write!(out, "{}: cannot write what {option} asks for: {source}", shown(path))
            }
            Self::Generated { path, source } => {
                write!(out, "{}: cannot be written: {source}", shown(path))
            }
            Self::Output(source) => write!(out, "cannot write to standard output: {source}"),
            Self::Unreported { path, done, source } => write!(
                out,
                "{}: the file {done}, only the report failed: cannot write to standard output: {source}",
                shown(path)
            ),
            Self::Signal(source) => write!(out, "cannot catch signals: {source}"),
        }
    }
}

/// What the command line adds to the library's words about an object.
enum Advice<'a> {
    None,
    /// The option that does what they recommend.
    Added(&'static str),
    /// Words in the place of theirs.
    Own(&'a ObjectName, &'static str),
}

fn advice(error: &bytesplice_s3::Error) -> Advice<'_> {
    use bytesplice_s3::{Error, Operation};
    match error {
        Error::NoConditions { object, conditions: Conditions::Unknown } => Advice::Own(
            object,
            "whether the store honours If-Match is not known, and without that a commit could lose what others write to the \
             object at the same time; nothing was changed: --probe-store finds out, --store compatible (or \
             BYTESPLICE_STORE=compatible) says that it does, --unconditional commits in any case, for objects that nobody \
             else writes",
        ),
        Error::NoConditions { .. } => Advice::Added("--unconditional"),
        Error::Refused { operation: Operation::Put | Operation::Complete, code, .. }
            if code == "NotImplemented" =>
        {
            Advice::Added("--unconditional")
        }
        Error::Tags { .. } => Advice::Added("--drop-tags"),
        _ => Advice::None,
    }
}

impl From<bytesplice::Error> for Failure {
    fn from(error: bytesplice::Error) -> Self {
        Self::Library(error)
    }
}

impl From<bytesplice_s3::Error> for Failure {
    fn from(error: bytesplice_s3::Error) -> Self {
        match error {
            bytesplice_s3::Error::Edits(error) => Self::Library(error),
            error => Self::Object(error),
        }
    }
}
