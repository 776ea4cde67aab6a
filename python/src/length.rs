//! What changes the length, by the names that `bytearray` and `mmap` have for it.

use std::sync::Arc;

use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::commit::{How, commit};
use crate::content::{byte_value, bytes_like, element, is_integer};
use crate::errors::io_to_python;
use crate::index::clip;
use crate::items::detached;
use crate::mmap::Mmap;
use crate::search;
use crate::shared::SharedWindow;
use crate::window::Window;

#[pymethods]
impl Mmap {
    /// Insert bytes, or one byte given as an integer, before index. Like that of list.insert, index counts from the end
    /// if negative and is clipped to the map: one out of range is no error and inserts at the start or the end.
    #[pyo3(signature = (index, value, /))]
    fn insert(&self, py: Python<'_>, index: i64, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.shared.check_stores(py)?;
        let byte;
        let bytes;
        let new: &[u8] = if is_integer(value) {
            byte = [byte_value(value)?];
            &byte
        } else {
            bytes = bytes_like(value)?;
            &bytes
        };
        self.shared.change(py, |window| {
            let at = clip(index, window.len);
            detached(py, new.len(), || window.replace(at..at, new))
        })
    }

    /// Add one byte, given as an integer, at the end.
    #[pyo3(signature = (value, /))]
    fn append(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.shared.check_stores(py)?;
        let byte = element(value)?;
        self.shared.change(py, |window| window.replace(window.len..window.len, &[byte]))
    }

    /// Add bytes, or what an iterable gives of integers, at the end: all of them or none.
    #[pyo3(signature = (values, /))]
    fn extend(slf: &Bound<'_, Self>, values: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, shared) = (slf.py(), &slf.get().shared);
        shared.check_stores(py)?;
        if values.is(slf) {
            return shared.change(py, |window| {
                let len = window.len;
                window.replace_by_own(len..len, 0, len)
            });
        }
        let bytes;
        let gathered;
        let new: &[u8] = match bytes_like(values) {
            Ok(found) => {
                bytes = found;
                &bytes
            }
            Err(error) if !error.is_instance_of::<PyTypeError>(py) => return Err(error),
            Err(_) if values.is_instance_of::<PyString>() => {
                return Err(PyTypeError::new_err("expected iterable of integers; got: 'str'"));
            }
            Err(_) => {
                let iterator = values.try_iter().map_err(|error| {
                    let kind = values.get_type().name();
                    let kind = kind.map_or_else(|_| "object".to_owned(), |kind| kind.to_string());
                    let own = slf.get_type().name();
                    let own = own.map_or_else(|_| "mmap".to_owned(), |own| own.to_string());
                    if error.is_instance_of::<PyTypeError>(py) {
                        PyTypeError::new_err(format!("can't extend {own} with {kind}"))
                    } else {
                        error
                    }
                })?;
                gathered = iterator.map(|value| element(&value?)).collect::<PyResult<Vec<u8>>>()?;
                &gathered
            }
        };
        shared.change(py, |window| {
            let end = window.len;
            detached(py, new.len(), || window.replace(end..end, new))
        })
    }

    /// Remove the byte at index, the last one unless given, and return it.
    #[pyo3(signature = (index=-1, /), text_signature = "($self, index=-1, /)")]
    fn pop(&self, py: Python<'_>, index: i64) -> PyResult<u8> {
        self.shared.change(py, |window| {
            if window.len == 0 {
                return Err(PyIndexError::new_err("pop from empty mmap"));
            }
            let at = if index < 0 {
                window.len.checked_sub(index.unsigned_abs())
            } else {
                Some(index as u64)
            };
            let at = at
                .filter(|&at| at < window.len)
                .ok_or_else(|| PyIndexError::new_err("pop index out of range"))?;
            let byte = window.byte(at)?;
            window.replace(at..at + 1, b"")?;
            Ok(byte)
        })
    }

    /// Remove the first byte that has this value, an integer.
    #[pyo3(signature = (value, /))]
    fn remove(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.shared.check_stores(py)?;
        let byte = element(value)?;
        self.shared.change(py, |window| {
            let all = 0..window.len;
            let at = search::search(py, &self.shared, window, &[byte], all, search::find)?
                .ok_or_else(|| PyValueError::new_err("value not found in mmap"))?;
            window.replace(at..at + 1, b"")
        })
    }

    /// Remove all bytes.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.change(py, |window| window.replace(0..window.len, b""))
    }

    /// Make the map newsize bytes long, and the file with it, at once: cut off its end, or add zeros. All other edits are
    /// saved too. What lies behind the map in the file is shifted, never cut off.
    #[pyo3(signature = (newsize, /))]
    fn resize(&self, py: Python<'_>, newsize: i64) -> PyResult<()> {
        self.shared.with(py, |window| {
            window.check_exports()?;
            window.tracked()?;
            if !self.shared.protection().allows_resize(self.anonymous) {
                return Err(PyTypeError::new_err(
                    "mmap can't resize a readonly or copy-on-write memory map.",
                ));
            }
            let len = u64::try_from(newsize)
                .ok()
                .filter(|&len| i64::MAX as u64 - len >= window.start)
                .ok_or_else(|| PyValueError::new_err("new size out of range"))?;
            if !self.shared.protection().commits() {
                return window.set_len(len);
            }
            window.check_process()?;
            resize(py, &self.shared, window, len)
        })
    }
}

fn resize(py: Python<'_>, shared: &SharedWindow, window: &mut Window, len: u64) -> PyResult<()> {
    let (start, end) = (window.start, window.start + window.len);
    let is_mapped = window.map().is_some();
    let descriptor = &window.tracked()?.descriptor;
    if is_mapped && descriptor.metadata()?.len() == end {
        // Nothing waits, and nothing lies behind: the system does it.
        py.detach(|| descriptor.set_len(start + len)).map_err(|error| io_to_python(&error))?;
        window.len = len;
        window.map_anew();
        return Ok(());
    }
    if len != window.len {
        window.set_len(len)?;
    }
    let outcome = {
        let stores = Arc::clone(window.file_stores());
        let _committing = (shared.calling(), stores.committing(py)?);
        commit(py, window.committable()?, How::default())
    };
    if !window.tracked()?.file.is_modified() {
        window.map_anew();
    }
    outcome
}
