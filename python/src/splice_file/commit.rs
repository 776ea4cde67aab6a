//! Scripts and commits of a `SpliceFile`.

use bytesplice_s3::Opened;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::PySpliceFile;
use crate::commit::How;
use crate::errors::to_python;
use crate::plan::{object_plan_to_python, plan_to_python};
use crate::scripts;

#[pymethods]
impl PySpliceFile {
    /// Make all edits of a script, or none, and return how many there were. script is as for bytesplice.apply.
    #[pyo3(signature = (script, /))]
    pub(super) fn apply(&self, py: Python<'_>, script: scripts::From) -> PyResult<u64> {
        let calls = script.runs_python();
        self.edit_detached(py, calls, |file| file.apply(script.open()?))
    }

    /// Write the edits since the last commit as a script to out, a path or a binary file object; with undo, the script that
    /// takes them back. checks is as for bytesplice.diff.
    #[pyo3(signature = (out, /, *, undo=false, checks="checksum"))]
    fn write_script(
        &self,
        py: Python<'_>,
        out: scripts::To,
        undo: bool,
        checks: &str,
    ) -> PyResult<()> {
        let checks = scripts::checks(checks)?;
        self.file.with(py, |edited| {
            let file = &*edited.file;
            let mut out = out.open()?;
            let _calling = self.file.calling();
            py.detach(|| {
                if undo {
                    file.write_undo_script(checks, &mut out)?;
                } else {
                    file.write_script(checks, &mut out)?;
                }
                out.finish().map(drop)
            })
            .map_err(to_python)
        })
    }

    /// Return what commit would do, as a dictionary: the strategy, the reason for it, its costs, and under "costs" those of
    /// every other strategy, or why it cannot be had. Nothing is written.
    ///
    /// Of an object: what is sent, fetched and copied by the store, by how many requests, for about how many US dollars, and
    /// the parts of the upload. Nothing is asked for.
    #[pyo3(signature = (*, strategy="auto", durable=true, allow_writers=false))]
    fn plan<'py>(
        &self,
        py: Python<'py>,
        strategy: &str,
        durable: bool,
        allow_writers: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let how = How::of_file(strategy, durable, allow_writers, None)?;
        self.file.with(py, |edited| match &mut edited.file {
            Opened::File(file) => {
                file.locate().map_err(to_python)?;
                plan_to_python(py, &file.plan_with(&how.options()).map_err(to_python)?)
            }
            Opened::Object(object) => {
                how.check_object()?;
                let plan = py.detach(|| object.plan()).map_err(to_python)?;
                object_plan_to_python(py, object, &plan)
            }
        })
    }

    /// Bring the file to the current contents in one pass.
    ///
    /// After a crash the file is wholly old or wholly new, but for strategy "direct" and durable=False, which does not wait
    /// for the disk. strategy is "auto", "journaled", "snapshot", "extents", "replace" or "direct". progress is called now and
    /// then with the bytes done and the bytes to do. An exception that it raises, or Ctrl-C, stops the commit as long as the
    /// file can keep the old contents; the edits are still there then. Later the commit is finished first.
    ///
    /// While other processes have the file open for writing, a commit that shortens it is refused with LockedError unless it can
    /// end without a cut: what they append at that instant would be lost. allow_writers takes that risk.
    ///
    /// An object is swapped whole by its store, so that it has neither strategies nor durable=False: ValueError.
    #[pyo3(signature = (*, progress=None, strategy="auto", durable=true, allow_writers=false))]
    pub(super) fn commit(
        &self,
        py: Python<'_>,
        progress: Option<Bound<'_, PyAny>>,
        strategy: &str,
        durable: bool,
        allow_writers: bool,
    ) -> PyResult<()> {
        self.commit_as(py, How::of_file(strategy, durable, allow_writers, progress)?)
    }

    /// Drop all edits since the last commit, and the history and the snapshots with them.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        self.edit(py, |file| {
            file.discard();
            Ok(())
        })
    }
}
