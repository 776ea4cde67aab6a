//! Maps with edits that were never flushed, when they are dropped and when the interpreter ends.

use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::exceptions::PyResourceWarning;
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::shared::SharedWindow;
use crate::window::Window;

/// All maps that had something to save, and may have it still.
static UNSAVED: Mutex<Vec<Weak<SharedWindow>>> = Mutex::new(Vec::new());

/// Remembers that a map has something to save.
pub(crate) fn note(map: &Arc<SharedWindow>) {
    let mut unsaved = UNSAVED.lock().unwrap_or_else(PoisonError::into_inner);
    // Also keeps the list as long as the maps are many.
    unsaved.retain(|known| {
        known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), &raw const **map)
    });
    unsaved.push(Arc::downgrade(map));
}

/// Has everything saved when the interpreter ends.
///
/// # Errors
/// What `atexit.register` raises.
pub(crate) fn save_at_exit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    #[pyfunction]
    fn save_all() {
        let unsaved = std::mem::take(&mut *UNSAVED.lock().unwrap_or_else(PoisonError::into_inner));
        unsaved.iter().filter_map(Weak::upgrade).for_each(|map| abandon(&map));
    }
    module
        .py()
        .import("atexit")?
        .call_method1("register", (wrap_pyfunction!(save_all, module)?,))?;
    Ok(())
}

/// Closes a map that nobody will close. What is unsaved is saved, as `mmap` would have kept it, if this process may.
pub(crate) fn abandon(map: &SharedWindow) {
    if let Some(window) = map.take_abandoned()
        && map.protection().commits()
        && window.is_unsaved()
        && window.is_of_this_process()
    {
        commit(window);
    }
}

/// Commits with a warning. What fails cannot be raised here and goes to `sys.unraisablehook`.
fn commit(mut window: Window) {
    let Some(path) = window.file().map(|tracked| tracked.file.path().display().to_string()) else {
        return;
    };
    let attached = Python::try_attach(|py| {
        let pending = PyErr::take(py);
        let message =
            format!("unclosed map of {path} with edits: they are committed now").replace('\0', "");
        let category = py.get_type::<PyResourceWarning>();
        let warned = PyErr::warn(py, &category, &CString::new(message).unwrap_or_default(), 1);
        let stores = Arc::clone(window.file_stores());
        let committed = stores.committing(py).and_then(|_committing| {
            let file = window.committable()?;
            py.detach(|| file.commit()).map_err(to_python)
        });
        for error in [warned, committed].into_iter().filter_map(Result::err) {
            error.write_unraisable(py, None);
        }
        if let Some(pending) = pending {
            pending.restore(py);
        }
    });
    // After the end of the interpreter the commit still counts, and standard error is all that is left.
    if attached.is_none()
        && let Ok(file) = window.committable()
        && let Err(error) = file.commit()
    {
        eprintln!("bytesplice: {error}");
    }
}
