//! File objects and iterables of Python as readers and writers.

use std::io::{self, Read, Write};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyIterator, PyMemoryView, PySlice, PyString};

use crate::content::bytes_like;

/// Bytes that are asked for at a time.
const ASKED: usize = 1 << 20;

/// Reads what a file object or an iterator gives. Its errors hold what that raised.
pub(crate) struct Source {
    from: From,
    /// Bytes that were given and not read yet, from the second on.
    bytes: Option<PyBackedBytes>,
    used: usize,
}

enum From {
    /// The method `read` of a file object.
    Read(Py<PyAny>),
    Iterator(Py<PyIterator>),
    /// A flat view of a buffer, and how far it is read.
    View(Py<PyMemoryView>, usize),
}

impl Source {
    /// Whatever has `read`, or can be iterated over.
    ///
    /// # Errors
    /// `TypeError` for other objects, and for text.
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let from = if object.is_instance_of::<PyString>() {
            return Err(not_bytes(object));
        } else if object.hasattr("read")? {
            From::Read(object.getattr("read")?.unbind())
        } else {
            From::Iterator(object.try_iter().map_err(|_| not_bytes(object))?.unbind())
        };
        Ok(Self { from, bytes: None, used: 0 })
    }

    /// A large buffer that would have to be copied as a whole otherwise; `None` for all others.
    pub(crate) fn of_large_view(view: &Bound<'_, PyMemoryView>) -> PyResult<Option<Self>> {
        let len: usize = view.getattr("nbytes")?.extract()?;
        if len <= ASKED || !view.getattr("c_contiguous")?.is_truthy()? {
            return Ok(None);
        }
        // Not every format can be cast.
        let Ok(flat) = view.call_method1("cast", ("B",)) else { return Ok(None) };
        let from = From::View(flat.cast_into::<PyMemoryView>()?.unbind(), 0);
        Ok(Some(Self { from, bytes: None, used: 0 }))
    }

    /// The next bytes, none at the end.
    fn next(&mut self, py: Python<'_>) -> PyResult<Option<PyBackedBytes>> {
        let next = match &mut self.from {
            From::Read(read) => Some(read.bind(py).call1((ASKED,))?),
            From::Iterator(iterator) => iterator.bind(py).clone().next().transpose()?,
            From::View(view, done) => {
                let part = PySlice::new(py, *done as isize, (*done + ASKED) as isize, 1);
                *done += ASKED;
                Some(view.bind(py).get_item(part)?)
            }
        };
        let Some(next) = next else { return Ok(None) };
        let bytes = bytes_like(&next)?;
        let ended = !matches!(self.from, From::Iterator(_)) && bytes.is_empty();
        Ok((!ended).then_some(bytes))
    }
}

fn not_bytes(object: &Bound<'_, PyAny>) -> PyErr {
    let kind = object.get_type().name().map_or_else(|_| "object".into(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "bytes, a binary file object, an iterable of bytes, or fill, copy or file_range of bytesplice are required, \
         not '{kind}'"
    ))
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(bytes) = &self.bytes {
                let count = (&bytes[self.used..]).read(buffer)?;
                self.used += count;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
            }
            self.bytes = Python::attach(|py| self.next(py)).map_err(io::Error::other)?;
            self.used = 0;
            if self.bytes.is_none() {
                return Ok(0);
            }
        }
    }
}

/// Writes to a file object. Its errors hold what that raised.
pub(crate) struct Sink(pub(crate) Py<PyAny>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Python::attach(|py| {
            let written = self.0.bind(py).call_method1("write", (PyBytes::new(py, bytes),))?;
            // A raw file may write less than it is given; other objects may say nothing.
            if written.is_none() { Ok(bytes.len()) } else { written.extract() }
        })
        .map_err(|raised: PyErr| io::Error::other(raised))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
