//! What the exit codes mean.

use std::io;

use bytesplice::Error;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Done.
    Done = 0,
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
}

impl ExitCode {
    /// The code of a library error.
    pub fn of(error: &Error) -> Self {
        match error {
            // Ranges reversed as written are refused before; these depend on the length.
            Error::OutOfRange { .. } | Error::ReversedRange { .. } => Self::OutsideFile,
            Error::Open { .. }
            | Error::NotRegular { .. }
            | Error::PermissionDenied { .. }
            | Error::JournalUnwritable { .. } => Self::CannotOpen,
            Error::Locked { .. } => Self::Locked,
            Error::Changed { .. } | Error::SourceChanged { .. } | Error::Unexpected { .. } => {
                Self::Changed
            }
            Error::NoSpace { .. } | Error::SizeLimit { .. } | Error::TooLarge { .. } => {
                Self::NoSpace
            }
            Error::NeedsRecovery { .. }
            | Error::JournalCorrupt { .. }
            | Error::WrongFile { .. }
            | Error::JournalVersion { .. }
            | Error::JournalMissing { .. } => Self::NeedsRecovery,
            _ => Self::InputOutput,
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

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        (code as u8).into()
    }
}

#[cfg(test)]
mod tests {
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
}
