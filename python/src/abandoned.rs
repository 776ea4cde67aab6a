//! Maps that were dropped without a last `flush` or `close`.

use std::ffi::CString;

use pyo3::exceptions::PyResourceWarning;
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::window::Window;

/// Commits the edits of a window nobody holds any more, with a warning. What fails cannot be raised here and goes
/// to `sys.unraisablehook`.
pub(crate) fn commit(mut window: Window) {
    let path = window.file.path().display().to_string();
    let attached = Python::try_attach(|py| {
        let pending = PyErr::take(py);
        let message =
            format!("unclosed map of {path} with edits: they are committed now").replace('\0', "");
        let category = py.get_type::<PyResourceWarning>();
        let warned = PyErr::warn(py, &category, &CString::new(message).unwrap_or_default(), 1);
        let committed = py.detach(|| window.file.commit()).map_err(to_python);
        for error in [warned, committed].into_iter().filter_map(Result::err) {
            error.write_unraisable(py, None);
        }
        if let Some(pending) = pending {
            pending.restore(py);
        }
    });
    // After the end of the interpreter the commit still counts, and standard error is all that is left.
    if attached.is_none()
        && let Err(error) = window.file.commit()
    {
        eprintln!("bytesplice: {error}");
    }
}
