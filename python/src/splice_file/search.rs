//! What a `SpliceFile` finds.

use bytesplice::{Replacement, SearchOptions};
use pyo3::prelude::*;

use super::PySpliceFile;
use crate::commit::{callable, search};
use crate::content::bytes_like;
use crate::errors::{not_a_pattern, to_python};
use crate::matches::{Match, Matches};
use crate::offset::{Limits, Offset, limits};
use crate::pattern;

impl PySpliceFile {
    fn find_one(
        &self,
        py: Python<'_>,
        pattern: &Bound<'_, PyAny>,
        range: Limits,
        progress: Option<Bound<'_, PyAny>>,
        backwards: bool,
    ) -> PyResult<Option<Match>> {
        let (pattern, progress) = (pattern::read(pattern)?, callable(progress)?);
        self.file.with(py, |edited| {
            let _calling = self.file.calling();
            let file = &*edited.file;
            let found = search(py, progress, |report, cancel| {
                let options = SearchOptions::new().range(range).progress(report).cancel(cancel);
                if backwards {
                    file.rfind_with(&pattern, options)
                } else {
                    file.find_with(&pattern, options)
                }
            })?;
            Ok(found.map(Match::from))
        })
    }
}

#[pymethods]
impl PySpliceFile {
    /// Return the first match of pattern that lies in start..stop, or None.
    ///
    /// pattern is bytes; a tuple of bytes, any of which; a Regex; or a compiled re.Pattern of bytes, as far as it can be searched
    /// for in linear time: others raise PatternError. progress is called with the bytes searched and those to search.
    #[pyo3(signature = (pattern, start=None, stop=None, /, *, progress=None))]
    fn find(
        &self,
        py: Python<'_>,
        pattern: &Bound<'_, PyAny>,
        start: Option<Offset>,
        stop: Option<Offset>,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Option<Match>> {
        self.find_one(py, pattern, limits(start, stop), progress, false)
    }

    /// Return the match that starts last, or None. The arguments are those of find.
    #[pyo3(signature = (pattern, start=None, stop=None, /, *, progress=None))]
    fn rfind(
        &self,
        py: Python<'_>,
        pattern: &Bound<'_, PyAny>,
        start: Option<Offset>,
        stop: Option<Offset>,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Option<Match>> {
        self.find_one(py, pattern, limits(start, stop), progress, true)
    }

    /// Return an iterator of the matches of pattern in start..stop, in order and without overlap. The arguments are those of
    /// find. It raises RuntimeError if the file is edited meanwhile: make a list of it first.
    #[pyo3(signature = (pattern, start=None, stop=None, /, *, progress=None))]
    fn find_iter(
        slf: &Bound<'_, Self>,
        pattern: &Bound<'_, PyAny>,
        start: Option<Offset>,
        stop: Option<Offset>,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Matches> {
        let (pattern, progress) = (pattern::read(pattern)?, callable(progress)?);
        slf.get().file.with(slf.py(), |edited| {
            let len = edited.file.len();
            let range = start.map_or(0, |start| start.0)..stop.map_or(len, |stop| stop.0);
            // For its errors: it is looked at when the first match is asked for.
            edited.file.chunks(range.clone()).map_err(to_python)?;
            Ok(Matches::new(slf.clone().unbind(), pattern, progress, range, edited.edits))
        })
    }

    /// Replace the matches of pattern in start..stop and return how many there were. All of them or, after an error, none.
    ///
    /// replacement is bytes. With template they may hold $1, $name or ${name} for groups of a regular expression, $0 for the
    /// whole match and $$ for a dollar sign. max is the most matches that are replaced. The others are as for find.
    #[pyo3(signature = (pattern, replacement, start=None, stop=None, /, *, template=false, max=None, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "most of them are keywords")]
    fn replace_all(
        &self,
        py: Python<'_>,
        pattern: &Bound<'_, PyAny>,
        replacement: &Bound<'_, PyAny>,
        start: Option<Offset>,
        stop: Option<Offset>,
        template: bool,
        max: Option<Offset>,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        let (pattern, progress) = (pattern::read(pattern)?, callable(progress)?);
        let replacement = bytes_like(replacement)?;
        let replacement = if template {
            Replacement::template(&pattern, &*replacement).map_err(not_a_pattern)?
        } else {
            Replacement::literal(&*replacement)
        };
        let range = limits(start, stop);
        self.file.with(py, |edited| {
            let _calling = self.file.calling();
            edited.edits += 1;
            let file = &mut *edited.file;
            search(py, progress, |report, cancel| {
                let options = SearchOptions::new()
                    .range(range)
                    .max(max.map_or(u64::MAX, |max| max.0))
                    .progress(report)
                    .cancel(cancel);
                file.replace_all_with(&pattern, &replacement, options)
            })
        })
    }

    /// Return start and stop of the bytes of the lines first..last, counted from 0 and half-open; None for the first and
    /// behind the last: file.remove(*file.lines(2, 4)).
    #[pyo3(signature = (first, last, /))]
    fn lines(
        &self,
        py: Python<'_>,
        first: Option<Offset>,
        last: Option<Offset>,
    ) -> PyResult<(u64, u64)> {
        let lines = limits(first, last);
        let range = self.look(py, |file, options| file.lines_with(lines, options))?;
        Ok((range.start, range.end))
    }

    /// Return how many lines there are. Reads all bytes.
    fn line_count(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, |file, options| file.line_count_with(options))
    }

    /// Return the number of the line, from 0 on, that the byte at offset lies in.
    #[pyo3(signature = (offset, /))]
    fn line_at(&self, py: Python<'_>, offset: Offset) -> PyResult<u64> {
        self.look(py, |file, options| file.line_at_with(offset.0, options))
    }
}
