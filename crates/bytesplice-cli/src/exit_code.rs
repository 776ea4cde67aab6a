//! What the exit codes mean.

use std::io;

use bytesplice::{Error, FileState, ScriptProblem, VcdiffProblem};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Done.
    Done = 0,
    /// Nothing was found.
    NothingFound = 1,
    /// Wrong usage.
    Usage = 2,
    /// A range or an offset outside the file.
    OutsideFile = 3,
    /// Cannot open, or not a regular file.
    CannotOpen = 4,
    /// Locked by another bytesplice.
    Locked = 5,
    /// Changed by others, or not as expected.
    Changed = 6,
    /// No space, or over the file size limit.
    NoSpace = 7,
    /// Recovery is needed, or the journal is bad.
    NeedsRecovery = 8,
    /// Input or output failed.
    InputOutput = 9,
    /// The file holds the new contents, and only what follows a commit failed: the report, or tidying up.
    AfterCommit = 10,
    /// SIGHUP stopped a commit, and nothing was changed: as shells count it.
    HungUp = 129,
    /// SIGINT stopped a commit, and nothing was changed.
    Interrupted = 130,
    /// SIGTERM stopped a commit, and nothing was changed.
    Terminated = 143,
}

impl ExitCode {
    /// The code of a library error. What the file needs comes before the kind of the error: a full disk that leaves a
    /// journal is [`NeedsRecovery`](Self::NeedsRecovery).
    pub fn of(error: &Error) -> Self {
        match error.file_state() {
            FileState::Recoverable { .. } | FileState::OldOrNew => return Self::NeedsRecovery,
            FileState::Committed => return Self::AfterCommit,
            _ => {}
        }
        match error {
            // Ranges reversed as written are refused before; these depend on the length.
            Error::OutOfRange { .. }
            | Error::LinesOutOfRange { .. }
            | Error::ReversedRange { .. } => Self::OutsideFile,
            Error::MoveIntoItself { .. } => Self::Usage,
            Error::Open { .. }
            | Error::NotRegular { .. }
            | Error::PermissionDenied { .. }
            | Error::JournalUnwritable { .. }
            | Error::StrategyUnsupported { .. } => Self::CannotOpen,
            Error::MatchTooLong { .. } => Self::Usage,
            Error::Locked { .. } | Error::NoLocks { .. } | Error::OpenForWriting { .. } => {
                Self::Locked
            }
            Error::Changed { .. } | Error::SourceChanged { .. } | Error::Unexpected { .. } => {
                Self::Changed
            }
            Error::NoSpace { .. }
            | Error::NoSpaceForJournal { .. }
            | Error::SizeLimit { .. }
            | Error::TooLarge { .. } => Self::NoSpace,
            Error::WrongFile { .. } => Self::NeedsRecovery,
            Error::LeftBehind { error, .. } => Self::of(error),
            Error::Script { problem, .. } => Self::of_script(problem),
            Error::Vcdiff { problem, .. } => Self::of_delta(problem),
            _ => Self::InputOutput,
        }
    }

    /// The code of an error about an object.
    pub fn of_object(error: &bytesplice_s3::Error) -> Self {
        use bytesplice_s3::Error;
        match error {
            Error::Name { .. } | Error::StoreKind { .. } => Self::Usage,
            Error::Endpoint { .. }
            | Error::Credentials { .. }
            | Error::NotFound { .. }
            | Error::Untrusted { .. }
            | Error::Refused { .. }
            | Error::Tags { .. }
            | Error::NoConditions { .. } => Self::CannotOpen,
            Error::Changed { .. } | Error::UploadGone { .. } => Self::Changed,
            Error::Edits(error) => Self::of(error),
            Error::Plan { .. } => Self::NoSpace,
            Error::Unknown { .. } | Error::LeftOver { .. } => Self::NeedsRecovery,
            _ => Self::InputOutput,
        }
    }

    fn of_script(problem: &ScriptProblem) -> Self {
        match problem {
            ScriptProblem::OutOfRange { .. } => Self::OutsideFile,
            ScriptProblem::OldLength { .. } | ScriptProblem::OldBytes { .. } => Self::Changed,
            ScriptProblem::TooLarge => Self::NoSpace,
            ScriptProblem::Content(error) => Self::of(error),
            ScriptProblem::Read(error) | ScriptProblem::Write(error) => Self::of_io(error),
            _ => Self::Usage,
        }
    }

    fn of_delta(problem: &VcdiffProblem) -> Self {
        match problem {
            // The file is not the one that the delta is for.
            VcdiffProblem::OutOfRange { .. } | VcdiffProblem::Checksum { .. } => Self::Changed,
            VcdiffProblem::TooLarge => Self::NoSpace,
            VcdiffProblem::Content(error) => Self::of(error),
            VcdiffProblem::Read(error) | VcdiffProblem::Write(error) => Self::of_io(error),
            _ => Self::Usage,
        }
    }

    /// The code of a failed write or open of our own.
    pub fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::NoSpace
            }
            ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::ReadOnlyFilesystem => Self::CannotOpen,
            _ => Self::InputOutput,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn system_errors() {
        for (number, code) in [
            (28, ExitCode::NoSpace),    // ENOSPC
            (27, ExitCode::NoSpace),    // EFBIG
            (2, ExitCode::CannotOpen),  // ENOENT
            (13, ExitCode::CannotOpen), // EACCES
            (17, ExitCode::CannotOpen), // EEXIST
            (5, ExitCode::InputOutput), // EIO
        ] {
            assert_eq!(ExitCode::of_io(&io::Error::from_raw_os_error(number)), code, "{number}");
        }
    }

    #[test]
    fn library_errors() {
        let (path, journal) = (PathBuf::from("f"), PathBuf::from(".f.bytesplice"));
        let io = || io::Error::other("no");
        let (start, end, len, offset) = (0, 1, 0, 0);
        let state = FileState::Unchanged;
        let operation = "write";
        for (error, code) in [
            (Error::OutOfRange { path: path.clone(), start, end, len }, 3),
            (Error::LinesOutOfRange { path: path.clone(), start, end, lines: 0 }, 3),
            (Error::ReversedRange { path: path.clone(), start, end }, 3),
            (Error::MoveIntoItself { path: path.clone(), start, end, offset }, 2),
            (Error::TooLarge { path: path.clone(), what: "it" }, 7),
            (Error::Open { path: path.clone(), source: io() }, 4),
            (Error::NotRegular { path: path.clone(), kind: "FIFO" }, 4),
            (Error::PermissionDenied { path: path.clone() }, 4),
            (Error::Locked { path: path.clone() }, 5),
            (Error::Changed { path: path.clone(), what: "size".into() }, 6),
            (Error::SourceChanged { path: path.clone(), what: "size".into() }, 6),
            (Error::Unexpected { path: path.clone(), start, end, at: 0 }, 6),
            (
                Error::NoSpace {
                    path: path.clone(),
                    operation,
                    offset,
                    len,
                    source: io(),
                    state: state.clone(),
                },
                7,
            ),
            (Error::SizeLimit { path: path.clone(), len, limit: 0, state: state.clone() }, 7),
            (Error::NeedsRecovery { path: path.clone(), journal: journal.clone() }, 8),
            (
                Error::JournalCorrupt {
                    path: path.clone(),
                    journal: journal.clone(),
                    detail: "x".into(),
                },
                8,
            ),
            (
                Error::WrongFile {
                    path: path.clone(),
                    journal: journal.clone(),
                    detail: "x".into(),
                    mismatch: bytesplice::Mismatch::OtherFile,
                },
                8,
            ),
            (
                Error::JournalVersion {
                    path: path.clone(),
                    journal: journal.clone(),
                    found: 9,
                    supported: 1,
                },
                8,
            ),
            (Error::JournalMissing { path: path.clone(), journal: journal.clone() }, 8),
            (Error::JournalUnwritable { path: path.clone(), journal, source: io() }, 4),
            (
                Error::Io {
                    path: path.clone(),
                    operation,
                    offset,
                    len,
                    source: io(),
                    state: state.clone(),
                },
                9,
            ),
            (Error::Poisoned { path: path.clone(), state: state.clone() }, 9),
            (
                Error::LeftBehind {
                    error: Box::new(Error::Locked { path: path.clone() }),
                    left: path.clone(),
                    source: io(),
                    state,
                },
                5,
            ),
            (Error::Content { path, source: io() }, 9),
        ] {
            assert_eq!(ExitCode::of(&error) as u8, code, "{error}");
        }
    }

    #[test]
    fn what_the_file_needs_comes_before_the_kind_of_the_error() {
        let path = || PathBuf::from("f");
        let source = || io::Error::from_raw_os_error(28);
        let recoverable = || FileState::Recoverable { journal: PathBuf::from(".f.bytesplice") };
        for (state, code) in [
            (recoverable(), 8),
            (FileState::OldOrNew, 8),
            (FileState::Committed, 10),
            (FileState::Damaged, 0),
            (FileState::Unchanged, 0),
        ] {
            let (operation, offset, len) = ("write", 0, 1);
            let errors = [
                (
                    Error::NoSpace {
                        path: path(),
                        operation,
                        offset,
                        len,
                        source: source(),
                        state: state.clone(),
                    },
                    7,
                ),
                (Error::SizeLimit { path: path(), len, limit: 0, state: state.clone() }, 7),
                (
                    Error::Io {
                        path: path(),
                        operation,
                        offset,
                        len,
                        source: source(),
                        state: state.clone(),
                    },
                    9,
                ),
                (Error::Cancelled { path: path(), state: state.clone() }, 9),
                (Error::Poisoned { path: path(), state: state.clone() }, 9),
                (
                    Error::LeftBehind {
                        error: Box::new(Error::Changed { path: path(), what: "size".into() }),
                        left: path(),
                        source: source(),
                        state,
                    },
                    6,
                ),
            ];
            for (error, kind) in errors {
                let expected = if code == 0 { kind } else { code };
                assert_eq!(ExitCode::of(&error) as u8, expected, "{error}");
            }
        }
    }
}
