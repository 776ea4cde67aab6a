//! Commits that Python can watch and interrupt.

use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use bytesplice::{
    Cancel, CommitOptions, Durability, Error, Progress, SpliceFile, Strategy, UnknownStrategy,
};
use bytesplice_s3::{Error as ObjectError, ObjectFile};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::place::WriteOptions;

/// Python is asked no more often than this: with busy threads, every time may take 5 ms.
pub(crate) const INTERVAL: Duration = Duration::from_millis(20);

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
    allow_writers: bool,
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
        Ok(Self {
            strategy: strategy(name)?,
            durability: durability(durable),
            allow_writers: false,
            progress,
        })
    }

    /// The same for a `SpliceFile`, which any strategy can commit.
    ///
    /// # Errors
    /// `ValueError` for a name that is no strategy; `TypeError` for what cannot be called.
    pub(crate) fn of_file(
        name: &str,
        durable: bool,
        allow_writers: bool,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let progress = callable(progress)?;
        Ok(Self {
            strategy: any_strategy(name)?,
            durability: durability(durable),
            allow_writers,
            progress,
        })
    }

    /// Fails for an object unless it says nothing but what holds for every object.
    ///
    /// # Errors
    /// `ValueError`.
    pub(crate) fn check_object(&self) -> PyResult<()> {
        let why = if self.strategy != Strategy::Auto {
            "objects have no strategies: their store puts them together and swaps them whole; leave strategy out"
        } else if self.durability != Durability::Synced {
            "objects have no durable=False: what a store has taken is durable; leave durable out"
        } else if self.allow_writers {
            "objects have no allow_writers: their store refuses the swap if others wrote them; leave allow_writers out"
        } else {
            return Ok(());
        };
        Err(PyValueError::new_err(why))
    }

    /// What a plan is made for.
    pub(crate) fn options<'a>(&self) -> CommitOptions<'a> {
        CommitOptions::new()
            .strategy(self.strategy)
            .durability(self.durability)
            .allow_writers(self.allow_writers)
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
    let How { strategy, durability, allow_writers, progress } = how;
    watched(py, progress, None, |report, cancel| {
        let options = CommitOptions::new()
            .strategy(strategy)
            .durability(durability)
            .allow_writers(allow_writers);
        file.commit_with(options.progress(report).cancel(cancel))
    })
}

/// Commits an object in the same way. Its parts are made by several threads, while this one asks Python.
///
/// # Errors
/// What was raised, or that the commit failed.
pub(crate) fn commit_object(
    py: Python<'_>,
    object: &mut ObjectFile,
    how: How,
    writes: WriteOptions,
) -> PyResult<()> {
    how.check_object()?;
    let swaps = object.is_modified() || object.head().is_none();
    let mut latest = Progress { bytes_done: 0, bytes_total: object.len() };
    watched(py, how.progress, None, |report, cancel| {
        // The thread takes the object out of here, because what is given to a refused thread is lost.
        let mut waiting = Some(object);
        let watched = thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let object = &mut waiting;
            let commit = move || {
                // Nobody listens only after this has ended.
                let progress = |progress| sender.send(progress).unwrap_or_default();
                Some(object.take()?.commit_with(&bytesplice_s3::CommitOptions {
                    progress: Some(&progress),
                    cancel: Some(cancel),
                    unconditional: writes.unconditional,
                    drop_tags: writes.drop_tags,
                    ..bytesplice_s3::CommitOptions::default()
                }))
            };
            let commit = thread::Builder::new().spawn_scoped(scope, commit).ok()?;
            loop {
                match receiver.recv_timeout(INTERVAL) {
                    Ok(now) if now.bytes_done < latest.bytes_done => {}
                    Ok(now) => latest = now,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                report(latest);
            }
            commit.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
        });
        let committed = match (watched, waiting) {
            (Some(committed), _) => committed,
            // The system refused the thread: the commit is not watched, and the last report comes at its end.
            (None, Some(object)) => object.commit_with(&bytesplice_s3::CommitOptions {
                cancel: Some(cancel),
                ..bytesplice_s3::CommitOptions::default()
            }),
            (None, None) => unreachable!("an object that was taken has been committed"),
        };
        // One that was sent whole has no parts to tell of.
        if committed.is_ok() && swaps && latest.bytes_done < latest.bytes_total {
            report(Progress { bytes_done: latest.bytes_total, ..latest });
        }
        committed
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

fn watched<T: Send, E: Into<ObjectError> + Send>(
    py: Python<'_>,
    callback: Option<Py<PyAny>>,
    asked: Option<Instant>,
    work: impl FnOnce(&mut dyn FnMut(Progress), &Cancel) -> Result<T, E> + Send,
) -> PyResult<T> {
    let cancel = Cancel::new();
    let mut watcher = Watcher { callback, cancel: &cancel, asked, raised: None };
    let outcome = py.detach(|| work(&mut |progress| watcher.report(progress), &cancel));
    match (outcome.map_err(E::into), watcher.raised) {
        (Ok(value), None) => Ok(value),
        (
            Ok(_)
            | Err(ObjectError::Cancelled { .. } | ObjectError::Edits(Error::Cancelled { .. })),
            Some(raised),
        ) => Err(raised),
        (Err(error), raised) => {
            let error = to_python(error);
            if raised.is_some() {
                error.set_cause(py, raised);
            }
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
        // There is nothing to tell of nothing, which no share can be taken of.
        let callback = self.callback.as_ref().filter(|_| bytes_total > 0);
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
