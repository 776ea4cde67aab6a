//! How a map is saved and closed.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rustix::io::Errno;

use crate::commit::{How, commit};
use crate::errors::{io_to_python, os_error, to_python};
use crate::mmap::Mmap;
use crate::plan::plan_to_python;
use crate::window::Window;

/// `MS_SYNC`, the default of `flags`.
const MS_SYNC: i32 = libc::MS_SYNC;

#[pymethods]
impl Mmap {
    /// Write all edits to the file in one crash-safe pass. Whatever offset and size say, all of them are written. Without
    /// unsaved edits the stores to size bytes from offset on are written to the disk, as by mmap.
    ///
    /// strategy is "auto", "journaled", "snapshot", "extents" or "direct", the only one that is not crash-safe. progress is
    /// called now and then with the bytes done and the bytes to do. An exception that it raises, or Ctrl-C, stops the
    /// commit as long as the file can keep the old contents, and the edits stay in the map; later the commit is finished
    /// first. The callback cannot use the map itself. With durable=False a commit does not wait for the disk, and is not
    /// crash-safe. flags is that of Python 3.15, for stores only: MS_ASYNC does not wait.
    #[pyo3(
        signature = (offset=0, size=-1, /, *, flags=MS_SYNC, strategy="auto", durable=true, progress=None),
        text_signature = "($self, offset=0, size=-1, /, *, flags=..., strategy='auto', durable=True, progress=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "most of them are keywords")]
    fn flush(
        &self,
        py: Python<'_>,
        offset: i64,
        size: i64,
        flags: i32,
        strategy: &str,
        durable: bool,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let how = How::read(strategy, durable, progress)?;
        self.shared.with(py, |window| {
            let range = || {
                let offset = u64::try_from(offset).ok()?;
                let rest = window.len.checked_sub(offset)?;
                let size = if size == -1 { rest } else { u64::try_from(size).ok()? };
                (size <= rest).then(|| offset..offset + size)
            };
            let range =
                range().ok_or_else(|| PyValueError::new_err("flush values out of range"))?;
            if !self.shared.protection().commits() {
                return Ok(());
            }
            if let Some(map) = window.map() {
                let page = rustix::param::page_size() as u64;
                if window.start % page == 0 && range.start % page != 0 {
                    return Err(os_error(Errno::INVAL, "Invalid argument"));
                }
                let later = flags & libc::MS_ASYNC != 0;
                return py.detach(|| map.flush(range, later)).map_err(|error| io_to_python(&error));
            }
            window.check_process()?;
            let file = &mut window.tracked()?.file;
            let outcome = if file.is_modified() {
                let stores = Arc::clone(window.file_stores());
                let _committing = (self.shared.calling(), stores.committing(py)?);
                let file = window.committable()?;
                commit(py, file, how)
            } else {
                Ok(())
            };
            // What was raised may have been raised after the end.
            if !window.tracked()?.file.is_modified() {
                window.map_anew();
            }
            outcome
        })
    }

    /// Return what flush would do, as a dictionary: the strategy, the reason for it, its costs, and under "costs" those of
    /// every other strategy, or why it cannot be had. Nothing is written.
    #[pyo3(signature = (*, strategy="auto", durable=true))]
    fn plan<'py>(
        &self,
        py: Python<'py>,
        strategy: &str,
        durable: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let options = How::read(strategy, durable, None)?.options();
        let plan = self.shared.with(py, |window| {
            if !self.shared.protection().commits() && window.is_unsaved() {
                return Err(PyValueError::new_err("a copy-on-write map is never written"));
            }
            let file = &mut window.tracked()?.file;
            file.locate().map_err(to_python)?;
            file.plan_with(&options).map_err(to_python)
        })?;
        plan_to_python(py, &plan)
    }

    /// Write all edits to the file and close the map; closing twice is no error. With exported views it is a BufferError.
    ///
    /// If writing fails the exception says why, the map is closed and the edits are lost: call flush first where
    /// they must survive that. The same goes for Ctrl-C, and for what progress raises. The arguments are those of flush.
    #[pyo3(signature = (*, strategy="auto", durable=true, progress=None))]
    fn close(
        &self,
        py: Python<'_>,
        strategy: &str,
        durable: bool,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let how = How::read(strategy, durable, progress)?;
        let Some(mut window) = self.shared.take(py)? else {
            return Ok(());
        };
        let saves = self.shared.protection().commits()
            && window.is_unsaved()
            && window.is_of_this_process();
        let outcome = if saves { save(py, &mut window, how) } else { Ok(()) };
        py.detach(|| drop(window));
        outcome
    }

    /// Closes the map, and so commits, also after an exception, as `mmap` keeps its stores.
    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py, "auto", true, None)
    }
}

/// Commits the edits of a window, which nobody else uses.
fn save(py: Python<'_>, window: &mut Window, how: How) -> PyResult<()> {
    let stores = Arc::clone(window.file_stores());
    let _committing = stores.committing(py)?;
    commit(py, window.committable()?, how)
}
