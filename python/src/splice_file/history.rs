//! Undo, redo and snapshots of a `SpliceFile`.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::PySpliceFile;
use crate::errors::to_python;
use crate::view::PyView;

#[pymethods]
impl PySpliceFile {
    /// Take back the last edit or group of edits, also one that is committed; return whether there was one.
    fn undo(&self, py: Python<'_>) -> PyResult<bool> {
        self.edit(py, |file| file.undo())
    }

    /// Make the edit again that undo took back last; return whether there was one.
    fn redo(&self, py: Python<'_>) -> PyResult<bool> {
        self.edit(py, |file| file.redo())
    }

    /// Return a context manager: the edits in its block are undone and redone together.
    fn group(slf: &Bound<'_, Self>) -> Group {
        Group(slf.clone().unbind())
    }

    /// Keep the contents as they are now under a name, for view and restore. O(1).
    #[pyo3(signature = (name, /))]
    fn snapshot(&self, py: Python<'_>, name: String) -> PyResult<()> {
        self.file.with(py, |edited| edited.file.snapshot(name).map_err(to_python))
    }

    /// Return the names of all snapshots.
    fn snapshots(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.file.with(py, |edited| Ok(edited.file.snapshots().map(str::to_owned).collect()))
    }

    /// Drop a snapshot; return whether there was one of this name.
    #[pyo3(signature = (name, /))]
    fn remove_snapshot(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.file.with(py, |edited| Ok(edited.file.remove_snapshot(name)))
    }

    /// Return the contents of a snapshot, to be read. HistoryError if there is none of this name.
    #[pyo3(signature = (name, /))]
    fn view(slf: &Bound<'_, Self>, name: String) -> PyResult<PyView> {
        slf.get().file.with(slf.py(), |edited| {
            edited.file.view(&name).map(drop).map_err(to_python)?;
            Ok(PyView::new(slf.clone().unbind(), name))
        })
    }

    /// Make the contents those of a snapshot: an edit like others, which can be undone.
    #[pyo3(signature = (name, /))]
    fn restore(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.edit(py, |file| file.restore(name))
    }
}

/// The block of SpliceFile.group.
#[pyclass(module = "bytesplice", frozen)]
pub(crate) struct Group(Py<PySpliceFile>);

#[pymethods]
impl Group {
    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get().file.with(py, |edited| {
            edited.file.begin_group();
            Ok(())
        })
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        // The file may have been closed inside.
        if let Some(edited) = &mut *self.0.get().file.lock(py)? {
            edited.file.end_group();
        }
        Ok(())
    }
}
