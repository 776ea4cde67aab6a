//! Python's integers and slices as offsets into a map.

use std::ops::Range;

use pyo3::exceptions::{PyIndexError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PySlice;

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
    /// Reads an index.
    ///
    /// # Errors
    /// `TypeError` unless it is an integer or a slice of integers, `IndexError` for integers over 64 bits,
    /// `ValueError` for a step of 0.
    pub(crate) fn read(index: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(slice) = index.cast::<PySlice>() {
            return Slice::read(slice).map(Self::Slice);
        }
        if !is_integer(index)? {
            return Err(PyTypeError::new_err("mmap indices must be integers"));
        }
        index.extract().map(Self::Item).map_err(|error| {
            if error.is_instance_of::<PyOverflowError>(index.py()) {
                PyIndexError::new_err("cannot fit 'int' into an index-sized integer")
            } else {
                error
            }
        })
    }
}

impl Slice {
    fn read(slice: &Bound<'_, PySlice>) -> PyResult<Self> {
        let step = limit(&slice.getattr("step")?)?.unwrap_or(1);
        if step == 0 {
            return Err(PyValueError::new_err("slice step cannot be zero"));
        }
        // The smallest number has no opposite; no map is long enough to tell the two apart.
        let step = step.max(-i64::MAX);
        let (first, last) = if step > 0 { (0, i64::MAX) } else { (i64::MAX, i64::MIN) };
        let start = limit(&slice.getattr("start")?)?.unwrap_or(first);
        let stop = limit(&slice.getattr("stop")?)?.unwrap_or(last);
        Ok(Self { start, stop, step })
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

/// One limit of a slice, clipped to 64 bits; `None` stays `None`.
fn limit(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    if value.is_none() {
        return Ok(None);
    }
    if !is_integer(value)? {
        return Err(PyTypeError::new_err(
            "slice indices must be integers or None or have an __index__ method",
        ));
    }
    match value.extract() {
        Ok(limit) => Ok(Some(limit)),
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
            let negative = value.call_method0("__index__")?.lt(0)?;
            Ok(Some(if negative { i64::MIN } else { i64::MAX }))
        }
        Err(error) => Err(error),
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
