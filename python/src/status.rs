//! What is known of a file or an object from outside, as a dictionary.

use std::path::PathBuf;

use bytesplice::{ForgetOptions, JournalStatus};
use bytesplice_s3::{Error, LeftoverUpload, ObjectName};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::errors::to_python;
use crate::place::{self, Place, StoreOptions, address, client};

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
    if let Some(lengths) = status.commit_lengths {
        journal.set_item("old_length", lengths.old)?;
        journal.set_item("new_length", lengths.new)?;
    }
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

/// Take the file at path as it is, and forget the commit that was cut short. For files that are whole, such as a restored
/// backup, and that recover refuses; a file in the middle of its commit stays a mixture of its old and its new contents.
///
/// No byte of the file is changed and no journal is removed: the journal gets another name in its directory,
/// .NAME.bytesplice-forgotten, and the file loses its mark. Returns a dict with the path, mark_removed, and in set_aside the old
/// and the new name of the journal (journal, now). dry_run changes nothing and returns what would be done. An object has nothing
/// to forget: ValueError.
#[pyfunction]
#[pyo3(signature = (path, /, *, dry_run=false))]
pub(crate) fn forget(py: Python<'_>, path: PathBuf, dry_run: bool) -> PyResult<Bound<'_, PyDict>> {
    place::check_no_address(
        &path,
        "a commit of an object that was cut short changed nothing, and nothing is to be forgotten; recover aborts the \
         uploads that it left",
    )?;
    let options = ForgetOptions { dry_run };
    let forgotten = py.detach(|| bytesplice::forget_with(path, options)).map_err(to_python)?;
    let set_aside = forgotten.set_aside.iter().map(|set_aside| {
        let dict = PyDict::new(py);
        dict.set_item("journal", set_aside.journal.as_os_str())?;
        dict.set_item("now", set_aside.now.as_os_str())?;
        Ok(dict)
    });
    let set_aside = PyList::new(py, set_aside.collect::<PyResult<Vec<_>>>()?)?;
    let dict = PyDict::new(py);
    dict.set_item("path", forgotten.path.as_os_str())?;
    dict.set_item("mark_removed", forgotten.mark_removed)?;
    dict.set_item("set_aside", set_aside)?;
    Ok(dict)
}
