//! What is known of a file or an object from outside, as a dictionary.

use std::path::PathBuf;

use bytesplice::JournalStatus;
use bytesplice_s3::{Error, LeftoverUpload, ObjectName};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::errors::to_python;
use crate::place::{Place, StoreOptions, address, client};

/// Look at a file or an object without changing it: a dictionary with the names that `bytesplice status --json` uses.
///
/// Of an object: its length, its ETag, its attributes, the number of its tags, and the uploads that
/// are to change it. Tags and uploads are None where they may not be read. endpoint is that of
/// open.
#[pyfunction]
#[pyo3(signature = (path, /, *, endpoint=None))]
pub(crate) fn status(
    py: Python<'_>,
    path: Place,
    endpoint: Option<String>,
) -> PyResult<Bound<'_, PyDict>> {
    let store = StoreOptions::read(endpoint, None)?;
    match path {
        Place::File(path) => {
            store.check_file()?;
            status_of_file(py, path)
        }
        Place::Object(name) => status_of_object(py, name, &store),
    }
}

fn status_of_object<'py>(
    py: Python<'py>,
    name: ObjectName,
    store: &StoreOptions,
) -> PyResult<Bound<'py, PyDict>> {
    let settings = store.settings(py)?;
    let store = client(name.clone(), &settings)?;
    let head = py.detach(|| store.head()).map_err(to_python)?;
    // Not everybody may read them.
    let tags = match head.tags {
        Some(count) => Some(count),
        None => match py.detach(|| store.tags()) {
            Ok(tags) => Some(tags.len() as u64),
            Err(error @ Error::Read { .. }) => return Err(to_python(error)),
            Err(_) => None,
        },
    };
    // Not every store lists them.
    let uploads = match py.detach(|| store.list_uploads()) {
        Ok(uploads) => Some(self::uploads(py, &uploads)?),
        // A signal ended the wait.
        Err(error @ Error::Read { .. }) => return Err(to_python(error)),
        Err(_) => None,
    };
    let dict = PyDict::new(py);
    dict.set_item("path", address(&name))?;
    dict.set_item("length", head.len)?;
    dict.set_item("etag", head.etag)?;
    let attributes = PyDict::new(py);
    head.attributes
        .iter()
        .try_for_each(|attribute| attributes.set_item(&attribute.name, attribute.text()))?;
    dict.set_item("attributes", attributes)?;
    dict.set_item("tags", tags)?;
    dict.set_item("endpoint", settings.endpoint)?;
    dict.set_item("uploads", uploads)?;
    Ok(dict)
}

/// Uploads with the times of their beginnings.
pub(crate) fn uploads<'py>(
    py: Python<'py>,
    uploads: &[LeftoverUpload],
) -> PyResult<Bound<'py, PyList>> {
    let uploads = uploads.iter().map(|upload| {
        let dict = PyDict::new(py);
        dict.set_item("id", &upload.id)?;
        dict.set_item("initiated", upload.initiated)?;
        Ok(dict)
    });
    PyList::new(py, uploads.collect::<PyResult<Vec<_>>>()?)
}

fn status_of_file(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
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
    dict.set_item("lock_kind", status.lock_kind.to_string())?;
    dict.set_item("read_only", status.read_only)?;
    dict.set_item("being_written", status.is_being_written())?;
    dict.set_item("needs_recovery", status.needs_recovery())?;
    Ok(dict)
}
