//! Which process made a map: a child after fork has all maps of its parent, but none of the right to commit their edits.

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How many forks lie between this process and the one that loaded the module: cheaper to ask for than the process's number.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// A process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    number: u32,
    forks: usize,
}

impl Process {
    /// The one that runs this.
    pub(crate) fn current() -> Self {
        Self { number: process::id(), forks: FORKS.load(Ordering::Relaxed) }
    }

    /// How many forks lie between it and the one that loaded the module.
    pub(crate) fn forks(self) -> usize {
        self.forks
    }

    /// Whether it runs this, as far as Python's own forks go.
    pub(crate) fn is_current(self) -> bool {
        self.forks == FORKS.load(Ordering::Relaxed)
    }

    /// Whether it runs this, whoever forked: for what is done seldom.
    pub(crate) fn is_surely_current(self) -> bool {
        self.is_current() && self.number == process::id()
    }

    /// Fails unless it runs this.
    ///
    /// # Errors
    /// `RuntimeError`.
    pub(crate) fn check(self) -> PyResult<()> {
        if self.is_current() {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(format!(
            "this map belongs to process {}, which was forked since: only that process can change the length through \
             it or save what it has not saved; map the file again here",
            self.number
        )))
    }
}

/// Counts forks, from now on.
///
/// # Errors
/// What `os.register_at_fork` raises.
pub(crate) fn count_forks(module: &Bound<'_, PyModule>) -> PyResult<()> {
    #[pyfunction]
    fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    let arguments = pyo3::types::PyDict::new(module.py());
    arguments.set_item("after_in_child", wrap_pyfunction!(forked, module)?)?;
    module.py().import("os")?.call_method("register_at_fork", (), Some(&arguments))?;
    Ok(())
}
