//! Python's integers and slices as offsets into a map.

use std::ops::Range;

use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PySlice;
use pyo3::{PyTypeInfo, ffi};

use crate::content::is_integer;

/// What stands between the brackets, read before the map is locked: `__index__` may run any Python code.
pub(crate) enum Index {
    /// `map[offset]`, counted from the end if negative.
    Item(i64),
    /// `map[start:stop:step]`.
    Slice(Slice),
}

/// A slice whose limits are not yet fitted to a length.
pub(crate) struct Slice {
    start: i64,
    stop: i64,
    step: i64,
}

/// The bytes that a slice names: `count` of them, one every `stride`, the lowest at `start`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Offset of the lowest byte; where bytes would be inserted if there are none.
    pub(crate) start: u64,
    /// Distance of two neighbours in bytes, at least 1.
    pub(crate) stride: u64,
    /// How many bytes.
    pub(crate) count: u64,
    /// Whether the slice names them from the highest to the lowest.
    pub(crate) reversed: bool,
}

impl Index {
    /// Reads an index, by the rules and in the words of the interpreter.
    ///
    /// # Errors
    /// `TypeError` unless it is an integer or a slice of integers, `IndexError` for integers over 64 bits,
    /// `ValueError` for a step of 0, and what `__index__` raises.
    pub(crate) fn read(index: &Bound<'_, PyAny>) -> PyResult<Self> {
        if is_integer(index) {
            return size_or::<PyIndexError>(index).map(Self::Item);
        }
        if let Ok(slice) = index.cast::<PySlice>() {
            return Slice::read(slice).map(Self::Slice);
        }
        Err(PyTypeError::new_err("mmap indices must be integers"))
    }
}

/// The value of an object with `__index__`, or `E` if it does not fit into 64 bits.
pub(crate) fn size_or<E: PyTypeInfo>(object: &Bound<'_, PyAny>) -> PyResult<i64> {
    let py = object.py();
    // SAFETY: two live objects of Python are asked, while it is attached.
    let value = unsafe { ffi::PyNumber_AsSsize_t(object.as_ptr(), E::type_object(py).as_ptr()) };
    if value == -1
        && let Some(error) = PyErr::take(py)
    {
        return Err(error);
    }
    Ok(value as i64)
}

impl Slice {
    fn read(slice: &Bound<'_, PySlice>) -> PyResult<Self> {
        let (mut start, mut stop, mut step) = (0, 0, 0);
        // SAFETY: the object is a slice, and the three places are there to be written.
        let failed = unsafe {
            ffi::PySlice_Unpack(slice.as_ptr(), &raw mut start, &raw mut stop, &raw mut step)
        } < 0;
        if failed {
            return Err(PyErr::fetch(slice.py()));
        }
        Ok(Self { start: start as i64, stop: stop as i64, step: step as i64 })
    }

    /// Fits the slice to contents of `len` bytes: limits are clipped, as for `bytes`.
    pub(crate) fn over(&self, len: u64) -> Run {
        let (step, len) = (i128::from(self.step), i128::from(len));
        let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let fit = |limit: i64| {
            let from_start = i128::from(limit) + if limit < 0 { len } else { 0 };
            from_start.clamp(lowest, highest)
        };
        let (start, stop) = (fit(self.start), fit(self.stop));
        let span = if step > 0 { stop - start } else { start - stop };
        let stride = step.abs();
        let count = if span > 0 { (span - 1) / stride + 1 } else { 0 };
        let lowest =
            if step < 0 && count > 0 { start - (count - 1) * stride } else { start.max(0) };
        // All of them lie within 0..=len or are the absolute value of a 64-bit number.
        Run { start: lowest as u64, stride: stride as u64, count: count as u64, reversed: step < 0 }
    }
}

impl Run {
    /// The range of a slice with the step 1, the only kind that can take bytes of another length.
    pub(crate) fn plain(&self) -> Option<Range<u64>> {
        (self.stride == 1 && !self.reversed).then_some(self.start..self.start + self.count)
    }
}

/// The offset of an item.
///
/// # Errors
/// `IndexError` outside `-len..len`.
pub(crate) fn item(index: i64, len: u64) -> PyResult<u64> {
    let offset = if index < 0 { len.checked_sub(index.unsigned_abs()) } else { Some(index as u64) };
    offset
        .filter(|&offset| offset < len)
        .ok_or_else(|| PyIndexError::new_err("mmap index out of range"))
}

/// An offset clipped to `0..=len`; negative ones count from the end.
pub(crate) fn clip(index: i64, len: u64) -> u64 {
    if index < 0 { len.saturating_sub(index.unsigned_abs()) } else { (index as u64).min(len) }
}
