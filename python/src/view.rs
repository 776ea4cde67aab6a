//! Contents that were kept by name.

use bytesplice::Error;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::slice::PySliceIndices;
use pyo3::types::{PyBytes, PySlice};

use crate::content::is_integer;
use crate::errors::{of_kind, to_python};
use crate::offset::Offset;
use crate::reading::{in_memory, read_range};
use crate::splice_file::PySpliceFile;

/// The contents that SpliceFile.snapshot kept under a name, to be read.
#[pyclass(name = "View", module = "bytesplice", frozen, mapping)]
pub(crate) struct PyView {
    file: Py<PySpliceFile>,
    #[pyo3(get)]
    name: String,
}

impl PyView {
    pub(crate) fn new(file: Py<PySpliceFile>, name: String) -> Self {
        Self { file, name }
    }
}

#[pymethods]
impl PyView {
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.file
            .get()
            .file
            .with(py, |edited| in_memory(edited.file.view(&self.name).map_err(to_python)?.len()))
    }

    /// Return size bytes from offset on, or all to the end.
    #[pyo3(signature = (offset=Offset(0), size=None, /), text_signature = "($self, offset=0, size=None, /)")]
    fn read<'py>(
        &self,
        py: Python<'py>,
        offset: Offset,
        size: Option<Offset>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.file.get().file.with(py, |edited| {
            let (is_far, view) =
                (edited.is_far(), edited.file.view(&self.name).map_err(to_python)?);
            read(py, view.len(), is_far, offset, size, |buffer, at| view.read_exact_at(buffer, at))
        })
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let index = Index::read(index)?;
        self.file.get().file.with(py, |edited| {
            let (is_far, view) =
                (edited.is_far(), edited.file.view(&self.name).map_err(to_python)?);
            index.get(py, view.len(), is_far, |buffer, at| view.read_exact_at(buffer, at))
        })
    }

    /// Return a binary file object (io.RawIOBase) that reads these contents.
    fn reader<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        reader(slf.as_any())
    }

    fn __repr__(&self) -> String {
        format!("<bytesplice.View {:?}>", self.name)
    }
}

/// A file object over whatever has a length and the method `read`.
pub(crate) fn reader<'py>(contents: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = contents.py();
    py.import("bytesplice._reader")?.getattr("Reader")?.call1((contents,))
}

/// Reads `size` bytes at `offset` of contents of `len` bytes, which may be far away.
///
/// # Errors
/// `RangeError` if they are not all there; those of `fill`.
pub(crate) fn read<'py>(
    py: Python<'py>,
    len: u64,
    is_far: bool,
    Offset(offset): Offset,
    size: Option<Offset>,
    fill: impl FnMut(&mut [u8], u64) -> Result<(), Error> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    let rest = len.checked_sub(offset);
    let size = size.map_or(rest, |Offset(size)| rest.filter(|&rest| size <= rest).map(|_| size));
    let Some(size) = size else {
        let message = format!(
            "the bytes from {offset} on are not all within the contents, which are {len} bytes long"
        );
        return Err(of_kind("RangeError", message));
    };
    read_range(py, offset, size, is_far, fill)
}

/// What stands between brackets: as for `bytes`, but without a step.
pub(crate) enum Index<'py> {
    Item(i64),
    Slice(Bound<'py, PySlice>),
}

impl<'py> Index<'py> {
    /// Reads it.
    ///
    /// # Errors
    /// `TypeError` for what is neither an integer nor a slice.
    pub(crate) fn read(index: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(slice) = index.cast::<PySlice>() {
            // Calls `__index__` of its limits now, while the file is not locked.
            slice.indices(isize::MAX)?;
            return Ok(Self::Slice(slice.clone()));
        }
        if !is_integer(index) {
            let kind = index.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "indices must be integers or slices, not {kind}"
            )));
        }
        Ok(Self::Item(index.extract().map_err(|_| out_of_range())?))
    }

    /// The byte as an integer, or the bytes. Slices are clipped, and negative numbers count from the end.
    ///
    /// # Errors
    /// `IndexError` outside of the contents, `ValueError` for a step.
    pub(crate) fn get(
        self,
        py: Python<'py>,
        len: u64,
        is_far: bool,
        mut fill: impl FnMut(&mut [u8], u64) -> Result<(), Error> + Send,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Item(index) => {
                let offset = if index < 0 {
                    len.checked_sub(index.unsigned_abs())
                } else {
                    u64::try_from(index).ok().filter(|&offset| offset < len)
                };
                let (mut byte, offset) = ([0], offset.ok_or_else(out_of_range)?);
                let mut read = || fill(&mut byte, offset);
                if is_far { py.detach(read) } else { read() }.map_err(to_python)?;
                Ok(byte[0].into_pyobject(py)?.into_any())
            }
            Self::Slice(slice) => {
                let PySliceIndices { start, step, slicelength, .. } =
                    slice.indices(in_memory(len)? as isize)?;
                if step != 1 {
                    return Err(PyValueError::new_err(
                        "slices of a file have no step: take a slice of the bytes that were read",
                    ));
                }
                read_range(py, start as u64, slicelength as u64, is_far, fill).map(Bound::into_any)
            }
        }
    }
}

fn out_of_range() -> PyErr {
    PyIndexError::new_err("index out of range")
}
