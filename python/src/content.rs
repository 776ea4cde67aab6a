//! The bytes and byte values that Python hands over.

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes};

use crate::index::size_or;

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
    let view = Buffer::of(object)?;
    // SAFETY: the view describes that many bytes, which stay where they are until it is released. Python copies them.
    let copy = unsafe {
        let copy = ffi::PyBytes_FromStringAndSize(view.0.buf.cast(), view.0.len);
        Bound::from_owned_ptr_or_err(object.py(), copy)?.cast_into_unchecked::<PyBytes>()
    };
    Ok(copy.into())
}

/// A view of contiguous bytes, released when it is dropped.
struct Buffer(Box<ffi::Py_buffer>);

impl Buffer {
    fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut view = Box::new(ffi::Py_buffer::new());
        // SAFETY: the view is there to be written, and has a place of its own for as long as it is one.
        let failed =
            unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut *view, ffi::PyBUF_SIMPLE) }
                < 0;
        if failed { Err(PyErr::fetch(object.py())) } else { Ok(Self(view)) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: it was filled by `of`, which ran attached to Python in the same function call as this.
        unsafe { ffi::PyBuffer_Release(&raw mut *self.0) };
    }
}

/// The value of one byte, as `mmap` takes it in an item assignment.
///
/// # Errors
/// `TypeError` unless it is an integer of 64 bits, `ValueError` unless it is in `0..256`.
pub(crate) fn byte_value(object: &Bound<'_, PyAny>) -> PyResult<u8> {
    if !is_integer(object) {
        return Err(PyTypeError::new_err("mmap item value must be an int"));
    }
    let value = size_or::<PyTypeError>(object)?;
    u8::try_from(value)
        .map_err(|_| PyValueError::new_err("mmap item value must be in range(0, 256)"))
}

/// The value of one byte, as `bytearray` takes it.
///
/// # Errors
/// `TypeError` unless it is an integer, `ValueError` unless it is in `0..256`.
pub(crate) fn element(object: &Bound<'_, PyAny>) -> PyResult<u8> {
    if !is_integer(object) {
        let kind = object.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "'{kind}' object cannot be interpreted as an integer"
        )));
    }
    let out_of_range = || PyValueError::new_err("byte must be in range(0, 256)");
    let value = size_or::<PyOverflowError>(object).map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(object.py()) { out_of_range() } else { error }
    })?;
    u8::try_from(value).map_err(|_| out_of_range())
}

/// The value of one byte, as `mmap.write_byte` takes it.
///
/// # Errors
/// `TypeError` unless it is an integer, `OverflowError` unless it is in `0..256`.
pub(crate) fn unsigned_byte(object: &Bound<'_, PyAny>) -> PyResult<u8> {
    let byte: i64 = object.extract()?;
    u8::try_from(byte).map_err(|_| {
        let side = if byte < 0 { "less than minimum" } else { "greater than maximum" };
        PyOverflowError::new_err(format!("unsigned byte integer is {side}"))
    })
}

/// Whether the object counts as an integer (has `__index__`).
pub(crate) fn is_integer(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object is looked at, while Python is attached.
    unsafe { ffi::PyIndex_Check(object.as_ptr()) != 0 }
}
