//! Offsets and lengths as arguments: never negative, never clipped.

use std::ops::Bound as Limit;

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

use crate::errors::of_kind;

/// A number of bytes or lines, from 0 on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offset(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for Offset {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).map_err(|error: PyErr| {
            if error.is_instance_of::<PyOverflowError>(object.py()) {
                let number = object.to_string();
                of_kind(
                    "RangeError",
                    format!("{number} is negative or over 64 bits: offsets count from the start"),
                )
            } else {
                error
            }
        })
    }
}

/// A range whose ends may be left out.
pub(crate) type Limits = (Limit<u64>, Limit<u64>);

/// The range from `start` to `stop`; `None` stands for the start and for the end of the contents.
pub(crate) fn limits(start: Option<Offset>, stop: Option<Offset>) -> Limits {
    (
        start.map_or(Limit::Unbounded, |start| Limit::Included(start.0)),
        stop.map_or(Limit::Unbounded, |stop| Limit::Excluded(stop.0)),
    )
}
