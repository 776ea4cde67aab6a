//! What a search found.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytesplice::{Pattern, SearchOptions};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::commit::search;
use crate::splice_file::PySpliceFile;

/// Most matches that are looked for ahead of the one that is asked for.
const MOST_AHEAD: usize = 1024;
/// No more are looked for after this time.
const LONGEST_AHEAD: Duration = Duration::from_millis(5);

/// Where a pattern was found: the bytes start..stop of the contents.
#[pyclass(name = "Match", module = "bytesplice", frozen, eq, hash)]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Match {
    /// Offset of the first byte.
    #[pyo3(get)]
    start: u64,
    /// Offset behind the last byte.
    #[pyo3(get)]
    stop: u64,
    /// Which of several needles was found, by its index; else 0.
    #[pyo3(get)]
    needle: usize,
}

#[pymethods]
impl Match {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str, &'static str) {
        ("start", "stop", "needle")
    }

    /// start and stop as a tuple, as the methods of SpliceFile take them: file.remove(*match.span).
    #[getter]
    fn span(&self) -> (u64, u64) {
        (self.start, self.stop)
    }

    /// The number of bytes.
    fn __len__(&self) -> usize {
        (self.stop - self.start) as usize
    }

    /// A match is something, even if it is empty.
    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self) -> String {
        let Self { start, stop, needle } = self;
        format!("bytesplice.Match(start={start}, stop={stop}, needle={needle})")
    }
}

impl From<bytesplice::Match> for Match {
    fn from(found: bytesplice::Match) -> Self {
        Self { start: found.range.start, stop: found.range.end, needle: found.needle }
    }
}

/// The matches of a pattern in order. Looks a little ahead, and so is no use after an edit.
#[pyclass(name = "Matches", module = "bytesplice", frozen)]
pub(crate) struct Matches {
    file: Py<PySpliceFile>,
    pattern: Pattern,
    progress: Option<Py<PyAny>>,
    ahead: Mutex<Ahead>,
}

struct Ahead {
    found: VecDeque<Match>,
    /// What is not searched yet; `None` after the end.
    rest: Option<Range<u64>>,
    /// End of the last match: an empty one there is none of its own.
    last_stop: Option<u64>,
    /// How many edits the file has had.
    edits: u64,
    /// How many matches are looked for next time.
    wanted: usize,
}

impl Matches {
    pub(crate) fn new(
        file: Py<PySpliceFile>,
        pattern: Pattern,
        progress: Option<Py<PyAny>>,
        range: Range<u64>,
        edits: u64,
    ) -> Self {
        let ahead =
            Ahead { found: VecDeque::new(), rest: Some(range), last_stop: None, edits, wanted: 1 };
        Self { file, pattern, progress, ahead: Mutex::new(ahead) }
    }

    /// Looks for some more matches.
    fn look(&self, py: Python<'_>, ahead: &mut Ahead) -> PyResult<()> {
        let shared = &self.file.get().file;
        shared.with(py, |edited| {
            let Some(range) = ahead.rest.clone() else { return Ok(()) };
            let _calling = shared.calling();
            let progress = self.progress.as_ref().map(|progress| progress.clone_ref(py));
            let (file, pattern, wanted, last_stop) =
                (&*edited.file, &self.pattern, ahead.wanted, ahead.last_stop);
            let outcome = search(py, progress, |report, cancel| {
                let options =
                    SearchOptions::new().range(range.clone()).progress(report).cancel(cancel);
                let begin = Instant::now();
                let mut found = VecDeque::new();
                for next in file.find_iter_with(pattern, options)? {
                    let next = Match::from(next?);
                    if next.start == next.stop && Some(next.stop) == last_stop {
                        continue;
                    }
                    found.push_back(next);
                    if found.len() >= wanted || begin.elapsed() > LONGEST_AHEAD {
                        return Ok((found, false));
                    }
                }
                Ok((found, true))
            });
            let (found, ended) = outcome.inspect_err(|_| ahead.rest = None)?;
            ahead.last_stop = found.back().map(|last| last.stop).or(last_stop);
            ahead.rest = (!ended).then(|| ahead.last_stop.unwrap_or(range.start)..range.end);
            ahead.found = found;
            ahead.wanted = MOST_AHEAD.min(2 * wanted);
            Ok(())
        })
    }
}

#[pymethods]
impl Matches {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Match>> {
        // Nobody waits for this lock: a second thread is told that there is a first.
        let mut ahead = match self.ahead.try_lock() {
            Ok(ahead) => ahead,
            Err(std::sync::TryLockError::Poisoned(error)) => PoisonError::into_inner(error),
            Err(std::sync::TryLockError::WouldBlock) => {
                return Err(PyRuntimeError::new_err("the iterator is being used already"));
            }
        };
        if ahead.found.is_empty() && ahead.rest.is_none() {
            return Ok(None);
        }
        self.file.get().file.with(py, |edited| {
            if edited.edits == ahead.edits {
                return Ok(());
            }
            ahead.found.clear();
            ahead.rest = None;
            Err(PyRuntimeError::new_err("the file was edited during the iteration"))
        })?;
        if ahead.found.is_empty() {
            self.look(py, &mut ahead)?;
        }
        Ok(ahead.found.pop_front())
    }
}
