//! Commits that Python can watch and interrupt.

use std::time::{Duration, Instant};

use bytesplice::{Cancel, CommitOptions, Error, Progress, SpliceFile, Strategy};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::errors::to_python;

/// Python is asked no more often than this: with busy threads, every time may take 5 ms.
const INTERVAL: Duration = Duration::from_millis(20);

/// The strategy of a name.
///
/// # Errors
/// `ValueError`: there is none, or a map cannot be committed by it.
pub(crate) fn strategy(name: &str) -> PyResult<Strategy> {
    match name.parse() {
        Ok(Strategy::Replace) => Err(PyValueError::new_err(
            "a map cannot be committed by strategy 'replace': it makes a new file with another inode, and the descriptor \
             that was mapped would go on showing the old one; use auto, journaled, snapshot, extents or direct",
        )),
        Ok(strategy) => Ok(strategy),
        Err(_) => Err(PyValueError::new_err(format!(
            "there is no strategy {name:?}: use auto, journaled, snapshot, extents or direct"
        ))),
    }
}

/// How a map is committed: without more ado by the default.
#[derive(Default)]
pub(crate) struct How {
    strategy: Strategy,
    /// Called with the bytes done and the bytes to do.
    progress: Option<Py<PyAny>>,
}

impl How {
    /// Reads the arguments of the same names.
    ///
    /// # Errors
    /// As for [`strategy`]; `TypeError` for what cannot be called.
    pub(crate) fn read(name: &str, progress: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        if let Some(progress) = &progress
            && !progress.is_callable()
        {
            return Err(PyTypeError::new_err("progress must be callable"));
        }
        Ok(Self { strategy: strategy(name)?, progress: progress.map(Bound::unbind) })
    }
}

/// Commits without holding up other threads. What the callback raises, or a signal's handler such as that of Ctrl-C,
/// stops the commit if the old contents can still be kept; it is raised again in the end.
///
/// # Errors
/// What was raised, or that the commit failed.
pub(crate) fn commit(py: Python<'_>, file: &mut SpliceFile, how: How) -> PyResult<()> {
    let cancel = Cancel::new();
    let mut watcher =
        Watcher { callback: how.progress, cancel: &cancel, asked: None, raised: None };
    let outcome = py.detach(|| {
        let mut report = |progress| watcher.report(progress);
        let options = CommitOptions::new().strategy(how.strategy);
        file.commit_with(options.progress(&mut report).cancel(&cancel))
    });
    match (outcome, watcher.raised) {
        (Ok(()), None) => Ok(()),
        (Ok(()) | Err(Error::Cancelled { .. }), Some(raised)) => Err(raised),
        (Err(error), raised) => {
            let error = to_python(error);
            error.set_cause(py, raised);
            Err(error)
        }
    }
}

struct Watcher<'a> {
    callback: Option<Py<PyAny>>,
    cancel: &'a Cancel,
    /// When Python was last asked.
    asked: Option<Instant>,
    raised: Option<PyErr>,
}

impl Watcher<'_> {
    /// Asks Python what it thinks: the first time, the last time, and now and then.
    fn report(&mut self, Progress { bytes_done, bytes_total }: Progress) {
        let lately = self.asked.is_some_and(|asked| asked.elapsed() < INTERVAL);
        if self.raised.is_some() || (lately && bytes_done < bytes_total) {
            return;
        }
        self.asked = Some(Instant::now());
        let callback = self.callback.as_ref();
        let answer = Python::try_attach(|py| {
            // Looks at signals in the main thread only, as always in Python.
            py.check_signals()?;
            callback
                .map_or(Ok(()), |callback| callback.call1(py, (bytes_done, bytes_total)).map(drop))
        });
        if let Some(Err(raised)) = answer {
            self.cancel.request();
            self.raised = Some(raised);
        }
    }
}
