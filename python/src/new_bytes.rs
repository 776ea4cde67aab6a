//! What an edit puts in place of the bytes it removes, as Python hands it over.

use std::path::PathBuf;

use bytesplice::{Content, Contents, Error};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView};

use crate::content::{bytes_like, is_integer};
use crate::offset::{Limits, Offset, limits};
use crate::place::check_no_address;
use crate::stream::Source;

/// Bytes that need not be in memory: from fill, copy or file_range.
#[pyclass(name = "Content", module = "bytesplice", frozen)]
#[derive(Debug, Clone)]
pub(crate) struct PyContent(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Fill(u8, u64),
    Copy(Limits),
    File(PathBuf, Limits),
}

#[pymethods]
impl PyContent {
    fn __repr__(&self) -> String {
        let range = |(start, stop): &Limits| format!("{start:?}, {stop:?}");
        match &self.0 {
            Kind::Fill(byte, count) => format!("bytesplice.fill({byte}, {count})"),
            Kind::Copy(limits) => format!("<bytesplice.copy of {}>", range(limits)),
            Kind::File(path, limits) => {
                format!("<bytesplice.file_range of {path:?}, {}>", range(limits))
            }
        }
    }
}

/// One byte, an integer or bytes of length 1, count times. Takes no memory.
#[pyfunction]
#[pyo3(signature = (byte, count, /))]
pub(crate) fn fill(byte: &Bound<'_, PyAny>, count: Offset) -> PyResult<PyContent> {
    let value = if is_integer(byte) {
        byte.extract()
            .map_err(|_| PyValueError::new_err("the byte to fill with must be in range(0, 256)"))?
    } else {
        match &*bytes_like(byte)? {
            &[value] => value,
            more => {
                let count = more.len();
                return Err(PyValueError::new_err(format!("one byte is required, not {count}")));
            }
        }
    };
    Ok(PyContent(Kind::Fill(value, count.0)))
}

/// The bytes start..stop of the edited file, as they are before the edit. They are not read before the commit.
#[pyfunction]
#[pyo3(signature = (start=None, stop=None, /))]
pub(crate) fn copy(start: Option<Offset>, stop: Option<Offset>) -> PyContent {
    PyContent(Kind::Copy(limits(start, stop)))
}

/// The bytes start..stop of another file. They are not read before the commit, which raises ChangedError if that file is
/// not the same then. An object is a ValueError: open(…).reader() streams one.
#[pyfunction]
#[pyo3(signature = (path, start=None, stop=None, /))]
pub(crate) fn file_range(
    path: PathBuf,
    start: Option<Offset>,
    stop: Option<Offset>,
) -> PyResult<PyContent> {
    check_no_address(
        &path,
        "new bytes can be a range of a file, not of an object: insert bytesplice.open(address, read_only=True).reader(), \
         which is streamed",
    )?;
    Ok(PyContent(Kind::File(path, limits(start, stop))))
}

/// New bytes, read before the file is locked.
pub(crate) enum NewBytes {
    Bytes(PyBackedBytes),
    Lazy(PyContent),
    Stream(Source),
}

impl NewBytes {
    /// Whether they run Python code when they are read.
    pub(crate) fn runs_python(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Whether they are there at once, so that nobody has to wait for them.
    pub(crate) fn is_small(&self) -> bool {
        const SMALL: usize = 64 << 10;
        match self {
            Self::Bytes(bytes) => bytes.len() <= SMALL,
            Self::Lazy(PyContent(kind)) => !matches!(kind, Kind::File(..)),
            Self::Stream(_) => false,
        }
    }

    /// Puts them in place of a range.
    pub(crate) fn put(self, file: &mut Contents, range: Limits) -> Result<(), Error> {
        match self {
            Self::Bytes(bytes) => file.replace(range, &*bytes),
            Self::Stream(source) => file.splice(range, Content::reader(source)),
            Self::Lazy(PyContent(Kind::Fill(byte, count))) => {
                file.splice(range, Content::fill(byte, count))
            }
            Self::Lazy(PyContent(Kind::Copy(from))) => file.splice(range, Content::copy(from)),
            Self::Lazy(PyContent(Kind::File(path, from))) => {
                file.splice(range, Content::file_range(path, from)?)
            }
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for NewBytes {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(content) = object.cast::<PyContent>() {
            return Ok(Self::Lazy(content.get().clone()));
        }
        // One view for all that follows: user code may run when it is asked for.
        let view = if object.is_instance_of::<PyBytes>() {
            None
        } else {
            PyMemoryView::from(&object).ok()
        };
        if let Some(view) = &view
            && let Some(source) = Source::of_large_view(view)?
        {
            return Ok(Self::Stream(source));
        }
        match bytes_like(view.as_ref().map_or(&object, |view| view.as_any())) {
            Ok(bytes) => Ok(Self::Bytes(bytes)),
            Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => {
                Source::new(&object).map(Self::Stream)
            }
            Err(error) => Err(error),
        }
    }
}
