//! What is known of a file from outside, as a dictionary.

use std::path::PathBuf;

use bytesplice::JournalStatus;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_python;

/// Look at a file without changing it: a dictionary with the names that `bytesplice status --json` uses.
#[pyfunction]
#[pyo3(signature = (path, /))]
pub(crate) fn status(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let status = py.detach(|| bytesplice::status(path)).map_err(to_python)?;
    let journal = PyDict::new(py);
    let state = match &status.journal {
        JournalStatus::None => "none",
        JournalStatus::Prepared { .. } => "prepared",
        JournalStatus::Committing { step, steps, .. } => {
            journal.set_item("step", step)?;
            journal.set_item("steps", steps)?;
            "committing"
        }
        JournalStatus::Finishing { .. } => "finishing",
        JournalStatus::Unusable { detail, .. } => {
            journal.set_item("detail", detail)?;
            "unusable"
        }
    };
    journal.set_item("state", state)?;
    if let Some(path) = status.journal.path() {
        journal.set_item("path", path.as_os_str())?;
    }
    let dict = PyDict::new(py);
    dict.set_item("path", status.path.as_os_str())?;
    dict.set_item("length", status.len)?;
    dict.set_item("journal", journal)?;
    if let Some(beside) = &status.replacement {
        dict.set_item("replacement", beside.as_os_str())?;
    }
    dict.set_item("locked", status.locked)?;
    dict.set_item("read_only", status.read_only)?;
    dict.set_item("being_written", status.is_being_written())?;
    dict.set_item("needs_recovery", status.needs_recovery())?;
    Ok(dict)
}
