//! The bytes and byte values that Python hands over.

use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

/// The bytes of any contiguous bytes-like object; only `bytes` are not copied.
///
/// # Errors
/// `TypeError` for other objects, `BufferError` for a memoryview with gaps.
pub(crate) fn bytes_like(object: &Bound<'_, PyAny>) -> PyResult<PyBackedBytes> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(bytes.clone().into());
    }
    if let Ok(array) = object.cast::<PyByteArray>() {
        return Ok(array.clone().into());
    }
    let py = object.py();
    let view = PyMemoryView::from(object).map_err(|error| {
        if error.is_instance_of::<PyTypeError>(py) {
            let kind = object
                .get_type()
                .name()
                .map_or_else(|_| String::from("object"), |name| name.to_string());
            PyTypeError::new_err(format!("a bytes-like object is required, not '{kind}'"))
        } else {
            error
        }
    })?;
    if !view.getattr("c_contiguous")?.is_truthy()? {
        return Err(PyBufferError::new_err("memoryview: underlying buffer is not C-contiguous"));
    }
    Ok(view.call_method0("tobytes")?.cast_into::<PyBytes>()?.into())
}

/// The value of one byte, as `mmap` takes it in an item assignment.
///
/// # Errors
/// `TypeError` unless it is an integer, `ValueError` unless it is in `0..256`.
pub(crate) fn byte_value(object: &Bound<'_, PyAny>) -> PyResult<u8> {
    if !is_integer(object)? {
        return Err(PyTypeError::new_err("mmap item value must be an int"));
    }
    let out_of_range = || PyValueError::new_err("mmap item value must be in range(0, 256)");
    // `mmap` says TypeError for numbers over 64 bits; one answer for all that are too large is enough.
    let value: i64 =
        object.extract().map_err(|error| keep_unless_overflow(error, object, out_of_range))?;
    u8::try_from(value).map_err(|_| out_of_range())
}

/// Whether the object counts as an integer (has `__index__`).
pub(crate) fn is_integer(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    object.get_type().hasattr("__index__")
}

/// Replaces an overflow by a better-worded error and lets every other error pass.
fn keep_unless_overflow(
    error: PyErr,
    object: &Bound<'_, PyAny>,
    better: impl FnOnce() -> PyErr,
) -> PyErr {
    if error.is_instance_of::<pyo3::exceptions::PyOverflowError>(object.py()) {
        better()
    } else {
        error
    }
}
