//! What stands between brackets, and the bytes one by one.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};

use crate::content::{byte_value, bytes_like};
use crate::errors::to_python;
use crate::index::{Index, item, size_or};
use crate::mmap::Mmap;
use crate::reading::{bytes_of, read_bytes};
use crate::search;

#[pymethods]
impl Mmap {
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // Reading a number runs no user code, which else must not see more of a closed map than that.
        if !index.is_exact_instance_of::<PyInt>() {
            self.shared.check_open(py)?;
        }
        let index = Index::read(index);
        self.shared.with(py, |window| match index? {
            Index::Item(index) => {
                let byte = window.byte(item(index, window.len)?)?;
                Ok(byte.into_pyobject(py)?.into_any())
            }
            Index::Slice(slice) => {
                let run = slice.over(window.len);
                let bytes = if run.plain().is_some() {
                    bytes_of(py, window, run.start, run.count)
                } else {
                    read_bytes(py, run.count, |buffer| window.read_run(&run, buffer))
                };
                bytes.map(Bound::into_any)
            }
        })
    }

    fn __setitem__(
        &self,
        py: Python<'_>,
        index: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let plain = |object: &Bound<'_, PyAny>| object.is_exact_instance_of::<PyInt>();
        if plain(value)
            && plain(index)
            && let (Ok(index), Ok(byte)) = (size_or::<PyIndexError>(index), byte_value(value))
        {
            // Numbers run no user code, so that one look at the window is enough.
            return self.shared.change(py, |window| {
                let at = item(index, window.len)?;
                window.store(at, &[byte])
            });
        }
        self.shared.check_stores(py)?;
        let slice = match Index::read(index)? {
            Index::Item(index) => {
                // Like mmap: an index that is out of range comes before a value that is no byte.
                self.shared.with(py, |window| item(index, window.len))?;
                let byte = byte_value(value)?;
                return self.shared.change(py, |window| {
                    let at = item(index, window.len)?;
                    window.store(at, &[byte])
                });
            }
            Index::Slice(slice) => slice,
        };
        let own = value.cast::<Self>().is_ok_and(|map| std::ptr::eq(map.get(), self));
        if own {
            return self.shared.change(py, |window| {
                let (run, len) = (slice.over(window.len), window.len);
                if let Some(range) = run.plain() {
                    return py.detach(|| window.replace_by_own(range, 0, len));
                }
                if run.count != len {
                    return Err(wrong_size());
                }
                let mut bytes = vec![0; len as usize];
                window.read(&mut bytes, 0).map_err(to_python)?;
                window.store_run(&run, &bytes)
            });
        }
        let bytes = bytes_like(value)?;
        self.shared.change(py, |window| {
            let run = slice.over(window.len);
            if let Some(range) = run.plain() {
                return detached(py, bytes.len(), || window.replace(range, &bytes));
            }
            if run.count != bytes.len() as u64 {
                return Err(wrong_size());
            }
            detached(py, bytes.len(), || window.store_run(&run, &bytes))
        })
    }

    fn __delitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<()> {
        self.shared.check_stores(py)?;
        let index = Index::read(index)?;
        self.shared.change(py, |window| match index {
            Index::Item(index) => {
                let at = item(index, window.len)?;
                window.replace(at..at + 1, b"")
            }
            Index::Slice(slice) => {
                let run = slice.over(window.len);
                py.detach(|| window.remove_run(&run))
            }
        })
    }

    /// Whether item is one of the bytes, each of them taken for a bytes object of length 1, as when iterating.
    fn __contains__(slf: &Bound<'_, Self>, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = slf.py();
        if let Ok(bytes) = item.cast_exact::<PyBytes>() {
            let &[byte] = bytes.as_bytes() else {
                slf.get().shared.check_open(py)?;
                return Ok(false);
            };
            let shared = &slf.get().shared;
            return shared.with(py, |window| {
                let all = 0..window.len;
                let found = search::search(py, shared, window, &[byte], all, search::find)?;
                Ok(found.is_some())
            });
        }
        slf.get().shared.check_open(py)?;
        for byte in slf.try_iter()? {
            if byte?.eq(item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bytes {
        Bytes { map: slf.unbind(), next: AtomicU64::new(0), reversed: false }
    }

    /// Iterate over the bytes from the last to the first.
    fn __reversed__(slf: Bound<'_, Self>) -> PyResult<Bytes> {
        let len = slf.get().shared.with(slf.py(), |window| Ok(window.len))?;
        Ok(Bytes { map: slf.unbind(), next: AtomicU64::new(len), reversed: true })
    }
}

fn wrong_size() -> PyErr {
    PyIndexError::new_err("mmap slice assignment is wrong size")
}

/// Runs an action without holding up other threads if it is about so many bytes that this pays.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    len: usize,
    action: impl FnOnce() -> T + Send,
) -> T {
    if len as u64 >= search::LONG { py.detach(action) } else { action() }
}

/// The bytes of a map one by one, as `bytes` of length 1. It sees the length as it is at every step.
#[pyclass(module = "bytesplice", frozen)]
pub(crate) struct Bytes {
    map: Py<Mmap>,
    /// The offset of the next byte, or the one behind it if `reversed`. `u64::MAX` when it has come to the end.
    next: AtomicU64,
    reversed: bool,
}

#[pymethods]
impl Bytes {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let next = self.next.load(Ordering::Relaxed);
        if next == u64::MAX {
            return Ok(None);
        }
        let (at, next) = if self.reversed {
            (next.wrapping_sub(1), next.checked_sub(1).unwrap_or(u64::MAX))
        } else {
            (next, next + 1)
        };
        self.map.get().shared.with(py, |window| {
            if at < window.len {
                self.next.store(next, Ordering::Relaxed);
                return bytes_of(py, window, at, 1).map(Some);
            }
            self.next.store(u64::MAX, Ordering::Relaxed);
            Ok(None)
        })
    }

    fn __length_hint__(&self, py: Python<'_>) -> usize {
        let next = self.next.load(Ordering::Relaxed);
        let len = self.map.get().shared.with(py, |window| Ok(window.len)).unwrap_or(0);
        let left = match (next, self.reversed) {
            (u64::MAX, _) => 0,
            (_, true) => next.min(len),
            (_, false) => len.saturating_sub(next),
        };
        usize::try_from(left).unwrap_or(usize::MAX)
    }
}
