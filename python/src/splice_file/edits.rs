//! Edits of a `SpliceFile`.

use bytesplice::Contents;
use pyo3::prelude::*;

use super::PySpliceFile;
use crate::content::bytes_like;
use crate::errors::to_python;
use crate::new_bytes::NewBytes;
use crate::offset::{Offset, limits};

#[pymethods]
impl PySpliceFile {
    /// Replace the bytes start..stop by others, of any length.
    #[pyo3(signature = (start, stop, data, /))]
    fn replace(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        data: NewBytes,
    ) -> PyResult<()> {
        self.put(py, limits(start, stop), data)
    }

    /// The same as replace, under the name that it has in Rust.
    #[pyo3(signature = (start, stop, data, /))]
    fn splice(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        data: NewBytes,
    ) -> PyResult<()> {
        self.put(py, limits(start, stop), data)
    }

    /// Insert bytes before the one at offset; at the length of the contents this appends.
    #[pyo3(signature = (offset, data, /))]
    fn insert(&self, py: Python<'_>, offset: Offset, data: NewBytes) -> PyResult<()> {
        self.put(py, limits(Some(offset), Some(offset)), data)
    }

    /// Add bytes at the end.
    #[pyo3(signature = (data, /))]
    fn append(&self, py: Python<'_>, data: NewBytes) -> PyResult<()> {
        let end = |file: &Contents| limits(Some(Offset(file.len())), None);
        if data.is_small() {
            self.edit(py, |file| data.put(file, end(file)))
        } else {
            self.edit_detached(py, data.runs_python(), |file| data.put(file, end(file)))
        }
    }

    /// Remove the bytes start..stop.
    #[pyo3(signature = (start, stop, /))]
    fn remove(&self, py: Python<'_>, start: Option<Offset>, stop: Option<Offset>) -> PyResult<()> {
        self.edit(py, |file| file.remove(limits(start, stop)))
    }

    /// Remove all bytes from offset length on. It only shortens: to lengthen, append fill(0, count).
    #[pyo3(signature = (length, /))]
    fn truncate(&self, py: Python<'_>, length: Offset) -> PyResult<()> {
        self.edit(py, |file| file.truncate(length.0))
    }

    /// Insert a copy of the bytes start..stop before the byte at offset. Nothing is read before the commit.
    #[pyo3(signature = (start, stop, offset, /))]
    fn copy_range(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        offset: Offset,
    ) -> PyResult<()> {
        self.edit(py, |file| file.copy_range(limits(start, stop), offset.0))
    }

    /// Move the bytes start..stop before the byte that is now at offset. OverlapError if that is one of them.
    #[pyo3(signature = (start, stop, offset, /))]
    fn move_range(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        offset: Offset,
    ) -> PyResult<()> {
        self.edit(py, |file| file.move_range(limits(start, stop), offset.0))
    }

    /// Raise UnexpectedError unless the bytes start..stop are old; every commit raises it as well then, until discard.
    #[pyo3(signature = (start, stop, old, /))]
    fn expect(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        old: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let old = bytes_like(old)?;
        self.file.with(py, |edited| {
            let file = &mut *edited.file;
            py.detach(|| file.expect(limits(start, stop), &*old)).map_err(to_python)
        })
    }
}
