//! How the library's errors look from Python.

use std::io;

use bytesplice::Error;
use pyo3::exceptions::{PyIndexError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::{PyErr, create_exception};
use rustix::io::Errno;

create_exception!(
    bytesplice,
    ChangedError,
    PyOSError,
    "The file was changed by others since it was mapped, so that the edits were not committed."
);
create_exception!(
    bytesplice,
    RecoveryError,
    PyOSError,
    "An earlier commit of the file was cut short and cannot be finished from here."
);

/// Turns an error of the library into the exception that `mmap` or a file object would raise for it.
///
/// The message is the library's own and names the path, offset and length; `errno` says what kind it is.
pub(crate) fn to_python(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::OutOfRange { .. } | Error::ReversedRange { .. } => PyIndexError::new_err(message),
        Error::MoveIntoItself { .. } => PyValueError::new_err(message),
        Error::Changed { .. } | Error::SourceChanged { .. } | Error::Unexpected { .. } => {
            ChangedError::new_err((Errno::STALE.raw_os_error(), message))
        }
        Error::NeedsRecovery { .. }
        | Error::JournalCorrupt { .. }
        | Error::WrongFile { .. }
        | Error::PastCommitPoint { .. }
        | Error::JournalVersion { .. }
        | Error::JournalMissing { .. } => {
            RecoveryError::new_err((Errno::IO.raw_os_error(), message))
        }
        Error::TooLarge { .. } | Error::SizeLimit { .. } => os_error(Errno::FBIG, message),
        Error::StrategyUnsupported { .. } => os_error(Errno::OPNOTSUPP, message),
        // What mapping a directory or a pipe answers.
        Error::NotRegular { .. } => os_error(Errno::NODEV, message),
        Error::PermissionDenied { .. } => os_error(Errno::ACCESS, message),
        Error::Locked { .. } => os_error(Errno::AGAIN, message),
        Error::NoSpace { .. } => os_error(Errno::NOSPC, message),
        Error::Open { source, .. }
        | Error::JournalUnwritable { source, .. }
        | Error::Io { source, .. }
        | Error::Content { source, .. } => os_error(errno(&source), message),
        _ => os_error(Errno::IO, message),
    }
}

/// The system's number of an error; `EIO` for one that the system did not make, such as an early end of file.
fn errno(source: &io::Error) -> Errno {
    Errno::from_io_error(source).unwrap_or(Errno::IO)
}

/// `OSError`, or the subclass that Python has for the number.
pub(crate) fn os_error(errno: Errno, message: impl Into<String>) -> PyErr {
    PyOSError::new_err((errno.raw_os_error(), message.into()))
}

/// The system's own error as `OSError`, in the system's words.
pub(crate) fn io_to_python(error: &io::Error) -> PyErr {
    os_error(errno(error), errno(error).to_string())
}

/// `io.UnsupportedOperation`, which is an `OSError` and a `ValueError`: versions of Python differ in what `mmap` raises.
pub(crate) fn unsupported(message: &str) -> PyErr {
    Python::attach(|py| {
        let raised = py
            .import("io")
            .and_then(|io| io.getattr("UnsupportedOperation"))
            .and_then(|kind| kind.call1((Errno::BADF.raw_os_error(), message)));
        raised.map_or_else(|error| error, PyErr::from_value)
    })
}
