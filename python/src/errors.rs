//! How the library's errors look from Python.

use std::io;

use bytesplice::{Error, FileState, Mismatch, PatternError, ScriptProblem, Strategy};
use bytesplice_s3::{Conditions, Error as ObjectError, ObjectState, Operation, PlanError};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use rustix::io::Errno;

/// The module that defines the exceptions.
const MODULE: &str = "bytesplice._errors";

/// An exception of the kind of this name, which the package defines, that holds a message alone.
pub(crate) fn of_kind(kind: &str, message: impl Into<String>) -> PyErr {
    let message = message.into();
    Python::attach(|py| match class(py, kind) {
        Ok(class) => PyErr::from_type(class, (message,)),
        Err(error) => error,
    })
}

/// Turns an error of the library into an exception that is also the one that `mmap` or a file object would raise for it.
///
/// The message is the library's own and names the path, offset and length; `errno` says what kind it is. What a file
/// object raised while its bytes were read is raised again as it is.
pub(crate) fn to_python(error: impl Into<ObjectError>) -> PyErr {
    let error = error.into();
    if let Some(raised) = raised_by_python(&error) {
        return raised;
    }
    let state = state(&error);
    let message = message(&error);
    let raised = match kind_of_object(&error) {
        (kind, None) => of_kind(kind, message),
        (kind, Some(errno)) => file_error(kind, errno, message),
    };
    Python::attach(|py| {
        // The class has "unchanged" for all.
        if state != "unchanged" {
            let _ = raised.value(py).setattr("file_state", state);
        }
        if let ObjectError::Unknown { source, .. } | ObjectError::LeftOver { source, .. } = error {
            raised.set_cause(py, Some(to_python(*source)));
        }
    });
    raised
}

/// The library's own words, with the arguments that do what they recommend.
fn message(error: &ObjectError) -> String {
    let argument = match error {
        ObjectError::NoConditions { conditions: Conditions::Unknown, .. } => {
            " (probe_store=True; store=\"compatible\", or BYTESPLICE_STORE=compatible; unconditional=True)"
        }
        ObjectError::NoConditions { .. } => " (unconditional=True)",
        ObjectError::Refused { operation: Operation::Put | Operation::Complete, code, .. }
            if code == "NotImplemented" =>
        {
            " (unconditional=True)"
        }
        ObjectError::Tags { .. } => " (drop_tags=True)",
        ObjectError::Edits(error) if error.recommended_strategy() == Some(Strategy::Direct) => {
            " (in Python: strategy='direct')"
        }
        ObjectError::Edits(Error::OpenForWriting { .. }) => " (in Python: allow_writers=True)",
        ObjectError::Edits(error) if error.recommended_strategy() == Some(Strategy::Auto) => {
            " (in Python: strategy='auto')"
        }
        ObjectError::Edits(Error::WrongFile { mismatch: Mismatch::CopiedFile, .. }) => "",
        ObjectError::Edits(Error::WrongFile { mismatch, .. }) if mismatch.yields_to_force() => {
            " (in Python: recover(path, force=True), or forget(path))"
        }
        ObjectError::Edits(
            Error::WrongFile { .. }
            | Error::ChangedSinceCrash { .. }
            | Error::JournalCorrupt { .. }
            | Error::JournalMissing { .. },
        ) => " (in Python: forget(path))",
        _ => "",
    };
    format!("{error}{argument}")
}

/// What the file or the object holds after an error.
fn state(error: &ObjectError) -> &'static str {
    let state = match error {
        ObjectError::Edits(error) => error.file_state(),
        error => match error.object_state() {
            ObjectState::Unchanged => FileState::Unchanged,
            ObjectState::OldOrNew => FileState::OldOrNew,
        },
    };
    match state {
        FileState::Recoverable { .. } => "recoverable",
        FileState::Committed => "committed",
        FileState::Damaged => "damaged",
        FileState::OldOrNew => "old-or-new",
        _ => "unchanged",
    }
}

/// The class of an error, and the number of those that are an `OSError`.
type Kind = (&'static str, Option<Errno>);

fn kind_of_object(error: &ObjectError) -> Kind {
    match error {
        ObjectError::Edits(error) => kind(error),
        ObjectError::Read { source, .. } => of_io(source),
        ObjectError::Name { .. } | ObjectError::Endpoint { .. } | ObjectError::StoreKind { .. } => {
            ("AddressError", None)
        }
        ObjectError::NoConditions { .. } => ("StoreError", Some(Errno::OPNOTSUPP)),
        ObjectError::Credentials { .. } | ObjectError::Refused { status: 401 | 403, .. } => {
            ("AccessError", Some(Errno::ACCESS))
        }
        ObjectError::Tags { source, .. } => kind_of_object(source),
        ObjectError::NotFound { .. } => ("MissingError", Some(Errno::NOENT)),
        ObjectError::Changed { .. } | ObjectError::UploadGone { .. } => {
            ("ChangedError", Some(Errno::STALE))
        }
        ObjectError::Plan {
            source: PlanError::TooLarge { .. } | PlanError::TooManyParts { .. },
            ..
        } => ("NoSpaceError", Some(Errno::FBIG)),
        ObjectError::Unreachable { .. } => ("UnreachableError", Some(Errno::HOSTUNREACH)),
        ObjectError::Unknown { .. } | ObjectError::LeftOver { .. } => {
            ("RecoveryError", Some(Errno::IO))
        }
        _ => ("StoreError", Some(Errno::IO)),
    }
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::OutOfRange { .. } | Error::ReversedRange { .. } | Error::LinesOutOfRange { .. } => {
            ("RangeError", None)
        }
        Error::MoveIntoItself { .. } => ("OverlapError", None),
        Error::Unexpected { .. } => ("UnexpectedError", None),
        Error::MatchTooLong { .. } => ("PatternError", None),
        Error::Script { problem: ScriptProblem::OldBytes { .. }, .. } => ("UnexpectedError", None),
        Error::Script { .. } => ("ScriptError", None),
        Error::UndoForgotten { .. } | Error::NoSnapshot { .. } | Error::SnapshotStale { .. } => {
            ("HistoryError", None)
        }
        Error::Changed { .. } | Error::SourceChanged { .. } => ("ChangedError", Some(Errno::STALE)),
        Error::NeedsRecovery { .. }
        | Error::JournalCorrupt { .. }
        | Error::ChangedSinceCrash { .. }
        | Error::DiskDiffers { .. }
        | Error::WrongFile { .. }
        | Error::PastCommitPoint { .. }
        | Error::JournalVersion { .. }
        | Error::JournalMissing { .. } => ("RecoveryError", Some(Errno::IO)),
        Error::LeftBehind { state: FileState::Recoverable { .. }, .. } => {
            ("RecoveryError", Some(Errno::IO))
        }
        Error::LeftBehind { error, .. } => kind(error),
        Error::TooLarge { .. } | Error::SizeLimit { .. } => ("NoSpaceError", Some(Errno::FBIG)),
        Error::NoSpace { .. } | Error::NoSpaceForJournal { .. } => {
            ("NoSpaceError", Some(Errno::NOSPC))
        }
        Error::StrategyUnsupported { .. } => ("StrategyError", Some(Errno::OPNOTSUPP)),
        // What mapping a directory or a pipe answers.
        Error::NotRegular { .. } => ("FileError", Some(Errno::NODEV)),
        Error::PermissionDenied { .. } => ("AccessError", Some(Errno::ACCESS)),
        Error::Locked { .. } | Error::OpenForWriting { .. } => ("LockedError", Some(Errno::AGAIN)),
        Error::NoLocks { .. } => ("LockedError", Some(Errno::NOLCK)),
        Error::Open { source, .. }
        | Error::JournalUnwritable { source, .. }
        | Error::Io { source, .. }
        | Error::Content { source, .. } => of_io(source),
        _ => of_system(Errno::IO),
    }
}

/// The class of what reading or writing answers: of the system, or of a store behind the contents.
fn of_io(source: &io::Error) -> Kind {
    let inner = source.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref()) {
        return kind_of_object(error);
    }
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref()) {
        return kind(error);
    }
    of_system(errno(source))
}

/// The class of what the system answers, as `OSError` has one for some.
fn of_system(errno: Errno) -> Kind {
    let kind = match errno {
        Errno::NOENT => "MissingError",
        Errno::ACCESS | Errno::PERM => "AccessError",
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => "NoSpaceError",
        _ => "FileError",
    };
    (kind, Some(errno))
}

/// What Python code raised while the library read from it or waited for a store.
fn raised_by_python(error: &ObjectError) -> Option<PyErr> {
    match error {
        ObjectError::Edits(error) => raised_within(error),
        ObjectError::Read { source, .. } => raised_as(source),
        _ => None,
    }
}

fn raised_within(error: &Error) -> Option<PyErr> {
    match error {
        Error::Content { source, .. }
        | Error::Io { source, .. }
        | Error::Script {
            problem: ScriptProblem::Read(source) | ScriptProblem::Write(source),
            ..
        } => raised_as(source),
        Error::LeftBehind { error, .. } => raised_within(error),
        Error::Script { problem: ScriptProblem::Content(error), .. } => raised_within(error),
        _ => None,
    }
}

fn raised_as(source: &io::Error) -> Option<PyErr> {
    let inner = source.get_ref()?;
    if let Some(raised) = inner.downcast_ref::<PyErr>() {
        return Some(Python::attach(|py| raised.clone_ref(py)));
    }
    match inner.downcast_ref() {
        Some(error) => raised_by_python(error),
        None => inner.downcast_ref().and_then(raised_within),
    }
}

/// A pattern or template that is not valid.
pub(crate) fn not_a_pattern(error: PatternError) -> PyErr {
    of_kind("PatternError", error.to_string())
}

/// The system's number of an error; `EIO` for one that the system did not make, such as an early end of file.
fn errno(source: &io::Error) -> Errno {
    Errno::from_io_error(source).unwrap_or(Errno::IO)
}

/// `OSError`, or the subclass that Python has for the number.
pub(crate) fn os_error(errno: Errno, message: impl Into<String>) -> PyErr {
    PyOSError::new_err((errno.raw_os_error(), message.into()))
}

fn file_error(kind: &str, errno: Errno, message: String) -> PyErr {
    Python::attach(|py| match class(py, kind) {
        Ok(class) => PyErr::from_type(class, (errno.raw_os_error(), message)),
        Err(error) => error,
    })
}

/// The exceptions by name. Kept, as nothing can be imported while the interpreter ends.
static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Looks up the exceptions, which the package defines.
pub(crate) fn load(py: Python<'_>) -> PyResult<&Bound<'_, PyDict>> {
    let classes = CLASSES
        .get_or_try_init(py, || Ok::<_, PyErr>(py.import(MODULE)?.dict().copy()?.unbind()))?;
    Ok(classes.bind(py))
}

fn class<'py>(py: Python<'py>, kind: &str) -> PyResult<Bound<'py, PyType>> {
    Ok(load(py)?.as_any().get_item(kind)?.cast_into::<PyType>()?)
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
