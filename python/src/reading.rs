//! Bytes of a window as new objects of Python.

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_python;
use crate::search::LONG as LARGE;
use crate::window::Window;

/// A length in bytes as a size in memory.
pub(crate) fn in_memory(len: u64) -> PyResult<usize> {
    // Python's own sizes are signed.
    isize::try_from(len)
        .map(isize::unsigned_abs)
        .map_err(|_| PyMemoryError::new_err(format!("{len} bytes do not fit into memory")))
}

/// New `bytes` of `len` bytes, filled by `fill` without a copy in between.
pub(crate) fn read_bytes<'py>(
    py: Python<'py>,
    len: u64,
    fill: impl FnOnce(&mut [u8]) -> bytesplice::Result<()> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, in_memory(len)?, |buffer| {
        if len < LARGE { fill(buffer) } else { py.detach(|| fill(buffer)) }.map_err(to_python)
    })
}

/// `len` bytes of the window from `offset` on.
pub(crate) fn bytes_of<'py>(
    py: Python<'py>,
    window: &Window,
    offset: u64,
    len: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    match window.map() {
        Some(map) if len < LARGE => map.read_bytes(py, offset, len as usize),
        _ => read_bytes(py, len, |buffer| window.read(buffer, offset)),
    }
}

/// Reads `len` bytes at the position and moves behind them.
pub(crate) fn take<'py>(
    py: Python<'py>,
    window: &mut Window,
    len: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    // The position may lie behind the end, where not even nothing can be read.
    if len == 0 {
        return Ok(PyBytes::new(py, b""));
    }
    let bytes = bytes_of(py, window, window.position, len)?;
    window.position += len;
    Ok(bytes)
}
