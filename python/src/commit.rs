//! Commits that Python can watch and interrupt.

use std::time::{Duration, Instant};

use bytesplice::{
    Cancel, CommitOptions, Durability, Error, Progress, SpliceFile, Strategy, UnknownStrategy,
};
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

/// How edits are committed: without more ado by the default.
#[derive(Default)]
pub(crate) struct How {
    strategy: Strategy,
    durability: Durability,
    /// Called with the bytes done and the bytes to do.
    progress: Option<Py<PyAny>>,
}

impl How {
    /// Reads the arguments of the same names.
    ///
    /// # Errors
    /// As for [`strategy`]; `TypeError` for what cannot be called.
    pub(crate) fn read(
        name: &str,
        durable: bool,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let progress = callable(progress)?;
        Ok(Self { strategy: strategy(name)?, durability: durability(durable), progress })
    }

    /// The same for a `SpliceFile`, which any strategy can commit.
    ///
    /// # Errors
    /// `ValueError` for a name that is no strategy; `TypeError` for what cannot be called.
    pub(crate) fn of_file(
        name: &str,
        durable: bool,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let progress = callable(progress)?;
        Ok(Self { strategy: any_strategy(name)?, durability: durability(durable), progress })
    }

    /// What a plan is made for.
    pub(crate) fn options<'a>(&self) -> CommitOptions<'a> {
        CommitOptions::new().strategy(self.strategy).durability(self.durability)
    }
}

fn durability(durable: bool) -> Durability {
    if durable { Durability::Synced } else { Durability::Unsynced }
}

fn any_strategy(name: &str) -> PyResult<Strategy> {
    name.parse().map_err(|error: UnknownStrategy| PyValueError::new_err(error.to_string()))
}

/// A callback, or none.
///
/// # Errors
/// `TypeError` for what cannot be called.
pub(crate) fn callable(progress: Option<Bound<'_, PyAny>>) -> PyResult<Option<Py<PyAny>>> {
    if let Some(progress) = &progress
        && !progress.is_callable()
    {
        return Err(PyTypeError::new_err("progress must be callable"));
    }
    Ok(progress.map(Bound::unbind))
}

/// Commits without holding up other threads. What the callback raises, or a signal's handler such as that of Ctrl-C,
/// stops the commit if the old contents can still be kept; it is raised again in the end.
///
/// # Errors
/// What was raised, or that the commit failed.
pub(crate) fn commit(py: Python<'_>, file: &mut SpliceFile, how: How) -> PyResult<()> {
    let How { strategy, durability, progress } = how;
    watched(py, progress, None, |report, cancel| {
        let options = CommitOptions::new().strategy(strategy).durability(durability);
        file.commit_with(options.progress(report).cancel(cancel))
    })
}

/// Searches in the same way: Ctrl-C, or what the callback raises, stops the search.
///
/// # Errors
/// What was raised, or that the search failed.
pub(crate) fn search<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    search: impl FnOnce(&mut dyn FnMut(Progress), &Cancel) -> Result<T, Error> + Send,
) -> PyResult<T> {
    // A short search without a callback need not ask Python at all.
    let asked = progress.is_none().then(Instant::now);
    watched(py, progress, asked, search)
}

fn watched<T: Send>(
    py: Python<'_>,
    callback: Option<Py<PyAny>>,
    asked: Option<Instant>,
    work: impl FnOnce(&mut dyn FnMut(Progress), &Cancel) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let cancel = Cancel::new();
    let mut watcher = Watcher { callback, cancel: &cancel, asked, raised: None };
    let outcome = py.detach(|| work(&mut |progress| watcher.report(progress), &cancel));
    match (outcome, watcher.raised) {
        (Ok(value), None) => Ok(value),
        (Ok(_) | Err(Error::Cancelled { .. }), Some(raised)) => Err(raised),
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
