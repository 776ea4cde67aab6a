//! The class `bytesplice.SpliceFile`, and the functions beside it.

use std::ffi::CString;
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::Duration;

use bytesplice::{
    Error, LockMode, OpenOptions, RecoverOptions, Replacement, SearchOptions, SpliceFile,
};
use pyo3::exceptions::{PyResourceWarning, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::commit::{How, callable, commit, search};
use crate::content::bytes_like;
use crate::descriptor::reopen;
use crate::edited::SharedFile;
use crate::errors::{not_a_pattern, to_python};
use crate::matches::{Match, Matches};
use crate::new_bytes::{self, NewBytes, PyContent};
use crate::offset::{Limits, Offset, limits};
use crate::plan::plan_to_python;
use crate::reading::in_memory;
use crate::view::{self, Index, PyView};
use crate::window::Tracked;
use crate::{name_of, pattern, scripts, status};

/// Puts all of this into the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySpliceFile>()?;
    module.add_class::<PyView>()?;
    module.add_class::<PyContent>()?;
    module.add_class::<Match>()?;
    module.add_class::<Matches>()?;
    module.add_class::<pattern::Regex>()?;
    module.add_class::<Group>()?;
    module.add_function(wrap_pyfunction!(open, module)?)?;
    module.add_function(wrap_pyfunction!(open_descriptor, module)?)?;
    module.add_function(wrap_pyfunction!(recover, module)?)?;
    module.add_function(wrap_pyfunction!(apply, module)?)?;
    module.add_function(wrap_pyfunction!(scripts::diff, module)?)?;
    module.add_function(wrap_pyfunction!(status::status, module)?)?;
    module.add_function(wrap_pyfunction!(new_bytes::fill, module)?)?;
    module.add_function(wrap_pyfunction!(new_bytes::copy, module)?)?;
    module.add_function(wrap_pyfunction!(new_bytes::file_range, module)?)
}

/// Open a file to be spliced.
///
/// read_only takes a lock that readers share; edits can then be made and read, not committed. create makes an empty file,
/// at once, where there is none. lock says what to do when another bytesplice holds the file: "try" raises LockedError,
/// "wait" waits, "none" locks only while a commit runs. Up to memory_limit added bytes are kept in memory, and history_limit
/// bytes of undo steps; what is over goes to a file without a name in temporary_directory. A commit that was cut short is
/// finished or taken back first.
#[pyfunction]
#[pyo3(signature = (path, *, read_only=false, create=false, lock="try", memory_limit=None, history_limit=None, temporary_directory=None))]
#[expect(clippy::too_many_arguments, reason = "the options are keywords")]
fn open(
    py: Python<'_>,
    path: PathBuf,
    read_only: bool,
    create: bool,
    lock: &str,
    memory_limit: Option<Offset>,
    history_limit: Option<Offset>,
    temporary_directory: Option<PathBuf>,
) -> PyResult<PySpliceFile> {
    let (lock, waits) = match lock {
        "try" => (LockMode::Try, false),
        // Asked again and again, so that Ctrl-C can end it.
        "wait" => (LockMode::Try, true),
        "none" => (LockMode::None, false),
        _ => {
            return Err(PyValueError::new_err(format!(
                "there is no lock {lock:?}: use try, wait or none"
            )));
        }
    };
    let mut options = OpenOptions::new().read_only(read_only).create(create).lock(lock);
    if let Some(Offset(bytes)) = memory_limit {
        options = options.memory_limit(bytes);
    }
    if let Some(Offset(bytes)) = history_limit {
        options = options.history_limit(bytes);
    }
    if let Some(directory) = temporary_directory {
        options = options.temporary_directory(directory);
    }
    loop {
        match py.detach(|| options.open(&path)) {
            Ok(file) => return Ok(PySpliceFile::new(file)),
            Err(Error::Locked { .. }) if waits => {
                py.check_signals()?;
                py.detach(|| thread::sleep(BETWEEN_TRIES));
            }
            Err(error) => return Err(to_python(error)),
        }
    }
}

/// How long a lock that is held is left alone.
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Opens the file of a descriptor anew, without a lock.
#[pyfunction]
#[pyo3(name = "_open_descriptor", signature = (fileno, /))]
fn open_descriptor(py: Python<'_>, fileno: i32) -> PyResult<PySpliceFile> {
    let Tracked { file, .. } = reopen(py, fileno, true)?;
    Ok(PySpliceFile::new(file))
}

/// Finish or take back a commit of the file at path that was cut short. Opening the file does the same.
///
/// Returns "clean", "rolled-back" or "completed". force obeys a journal that was written for another inode, if its checksums
/// fit: for restored copies of a file and its journal.
#[pyfunction]
#[pyo3(signature = (path, /, *, force=false))]
fn recover(py: Python<'_>, path: PathBuf, force: bool) -> PyResult<&'static str> {
    let options = RecoverOptions { force };
    py.detach(|| bytesplice::recover_with(path, options)).map(name_of).map_err(to_python)
}

/// Make all edits of a script in the file at path, commit them, and return how many there were. All or none are made.
///
/// script is a path, the bytes of a script, or a binary file object. The other arguments are those of SpliceFile.commit.
#[pyfunction]
#[pyo3(signature = (path, script, *, progress=None, strategy="auto", durable=true))]
fn apply(
    py: Python<'_>,
    path: PathBuf,
    script: scripts::From,
    progress: Option<Bound<'_, PyAny>>,
    strategy: &str,
    durable: bool,
) -> PyResult<u64> {
    let how = How::of_file(strategy, durable, progress)?;
    let file = py.detach(|| SpliceFile::open(path)).map_err(to_python)?;
    let file = PySpliceFile::new(file);
    let outcome = file.apply(py, script).and_then(|count| {
        file.commit_as(py, how)?;
        Ok(count)
    });
    file.close(py)?;
    outcome
}

/// A file whose bytes can be spliced: from open.
///
/// Nothing reaches the file before commit, which makes all edits in one crash-safe pass. A with block commits at its end,
/// and discards the edits if an exception leaves it. A range is start and stop, half-open, in bytes; None stands for the
/// start or the end of the contents. Ranges of methods are never clipped and never negative: RangeError, an IndexError. An
/// edit that fails changes nothing. New bytes are bytes-like objects; fill, copy or file_range; or binary file objects and
/// iterables of bytes, which are streamed.
#[pyclass(name = "SpliceFile", module = "bytesplice", frozen, weakref, mapping)]
pub(crate) struct PySpliceFile {
    pub(crate) file: SharedFile,
    path: PathBuf,
    /// The process that may commit: a fork must not write the edits of its parent a second time.
    process: u32,
}

impl PySpliceFile {
    fn new(file: SpliceFile) -> Self {
        let path = file.path().into();
        Self { file: SharedFile::new(file), path, process: process::id() }
    }

    /// Makes an edit that neither takes long nor runs Python code.
    fn edit<T>(
        &self,
        py: Python<'_>,
        edit: impl FnOnce(&mut SpliceFile) -> Result<T, Error>,
    ) -> PyResult<T> {
        self.file.with(py, |edited| {
            edited.edits += 1;
            edit(&mut edited.file).map_err(to_python)
        })
    }

    /// Makes one that may take long, and runs Python code if `calls`.
    fn edit_detached<T: Send>(
        &self,
        py: Python<'_>,
        calls: bool,
        edit: impl FnOnce(&mut SpliceFile) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.file.with(py, |edited| {
            let _calling = calls.then(|| self.file.calling());
            edited.edits += 1;
            let file = &mut edited.file;
            py.detach(|| edit(file)).map_err(to_python)
        })
    }

    /// Reads for long.
    fn look<T: Send>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&SpliceFile) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.file.with(py, |edited| {
            let file = &edited.file;
            py.detach(|| look(file)).map_err(to_python)
        })
    }

    fn put(&self, py: Python<'_>, range: Limits, new: NewBytes) -> PyResult<()> {
        if new.is_small() {
            self.edit(py, |file| new.put(file, range))
        } else {
            self.edit_detached(py, new.runs_python(), |file| new.put(file, range))
        }
    }

    fn commit_as(&self, py: Python<'_>, how: How) -> PyResult<()> {
        self.file.with(py, |edited| {
            if edited.file.is_modified() {
                self.check_process()?;
            }
            let _calling = self.file.calling();
            commit(py, &mut edited.file, how)
        })
    }

    fn check_process(&self) -> PyResult<()> {
        if process::id() == self.process {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(format!(
            "this file was opened by process {}, which was forked since: only that process can commit; open the file \
             again here",
            self.process
        )))
    }

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
            let file = &edited.file;
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
    /// The path of the file, without symlinks.
    #[getter]
    fn path(&self) -> &std::ffi::OsStr {
        self.path.as_os_str()
    }

    /// Whether there is something to commit.
    #[getter]
    fn is_modified(&self, py: Python<'_>) -> PyResult<bool> {
        self.file.with(py, |edited| Ok(edited.file.is_modified()))
    }

    /// Whether the file was opened for reading only, or may not be written.
    #[getter]
    fn read_only(&self, py: Python<'_>) -> PyResult<bool> {
        self.file.with(py, |edited| Ok(edited.file.is_read_only()))
    }

    /// Whether the file is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.file.lock(py)?.is_none())
    }

    /// The length of the contents in bytes, with all edits.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.file.with(py, |edited| in_memory(edited.file.len()))
    }

    fn __bool__(&self) -> bool {
        true
    }

    /// A byte as an integer, or the bytes of a slice: as for bytes, clipped and from the end if negative.
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let index = Index::read(index)?;
        self.file.with(py, |edited| {
            let file = &edited.file;
            index.get(py, file.len(), |buffer, at| file.read_exact_at(buffer, at))
        })
    }

    /// Return size bytes from offset on, or all to the end.
    #[pyo3(signature = (offset=Offset(0), size=None, /))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        offset: Offset,
        size: Option<Offset>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.file.with(py, |edited| {
            let file = &edited.file;
            view::read(py, file.len(), offset, size, |buffer, at| file.read_exact_at(buffer, at))
        })
    }

    /// Return a binary file object (io.RawIOBase) that reads the contents, with all edits.
    fn reader<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        view::reader(slf.as_any())
    }

    /// Replace the bytes start..stop by others, of any length.
    #[pyo3(signature = (start, stop, data, /))]
    fn replace(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        data: NewBytes,
    ) -> PyResult<()> {
        self.put(py, limits(start, stop), data)
    }

    /// The same as replace, under the name that it has in Rust.
    #[pyo3(signature = (start, stop, data, /))]
    fn splice(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        data: NewBytes,
    ) -> PyResult<()> {
        self.put(py, limits(start, stop), data)
    }

    /// Insert bytes before the one at offset; at the length of the contents this appends.
    #[pyo3(signature = (offset, data, /))]
    fn insert(&self, py: Python<'_>, offset: Offset, data: NewBytes) -> PyResult<()> {
        self.put(py, limits(Some(offset), Some(offset)), data)
    }

    /// Add bytes at the end.
    #[pyo3(signature = (data, /))]
    fn append(&self, py: Python<'_>, data: NewBytes) -> PyResult<()> {
        let end = |file: &SpliceFile| limits(Some(Offset(file.len())), None);
        if data.is_small() {
            self.edit(py, |file| data.put(file, end(file)))
        } else {
            self.edit_detached(py, data.runs_python(), |file| data.put(file, end(file)))
        }
    }

    /// Remove the bytes start..stop.
    #[pyo3(signature = (start, stop, /))]
    fn remove(&self, py: Python<'_>, start: Option<Offset>, stop: Option<Offset>) -> PyResult<()> {
        self.edit(py, |file| file.remove(limits(start, stop)))
    }

    /// Remove all bytes from offset length on. It only shortens: to lengthen, append fill(0, count).
    #[pyo3(signature = (length, /))]
    fn truncate(&self, py: Python<'_>, length: Offset) -> PyResult<()> {
        self.edit(py, |file| file.truncate(length.0))
    }

    /// Insert a copy of the bytes start..stop before the byte at offset. Nothing is read before the commit.
    #[pyo3(signature = (start, stop, offset, /))]
    fn copy_range(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        offset: Offset,
    ) -> PyResult<()> {
        self.edit(py, |file| file.copy_range(limits(start, stop), offset.0))
    }

    /// Move the bytes start..stop before the byte that is now at offset. OverlapError if that is one of them.
    #[pyo3(signature = (start, stop, offset, /))]
    fn move_range(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        offset: Offset,
    ) -> PyResult<()> {
        self.edit(py, |file| file.move_range(limits(start, stop), offset.0))
    }

    /// Raise UnexpectedError unless the bytes start..stop are old; every commit raises it as well then, until discard.
    #[pyo3(signature = (start, stop, old, /))]
    fn expect(
        &self,
        py: Python<'_>,
        start: Option<Offset>,
        stop: Option<Offset>,
        old: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let old = bytes_like(old)?;
        self.file.with(py, |edited| {
            let file = &mut edited.file;
            py.detach(|| file.expect(limits(start, stop), &*old)).map_err(to_python)
        })
    }

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
            let file = &mut edited.file;
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
        let range = self.look(py, |file| file.lines(limits(first, last)))?;
        Ok((range.start, range.end))
    }

    /// Return how many lines there are. Reads all bytes.
    fn line_count(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, SpliceFile::line_count)
    }

    /// Return the number of the line, from 0 on, that the byte at offset lies in.
    #[pyo3(signature = (offset, /))]
    fn line_at(&self, py: Python<'_>, offset: Offset) -> PyResult<u64> {
        self.look(py, |file| file.line_at(offset.0))
    }

    /// Take back the last edit or group of edits, also one that is committed; return whether there was one.
    fn undo(&self, py: Python<'_>) -> PyResult<bool> {
        self.edit(py, SpliceFile::undo)
    }

    /// Make the edit again that undo took back last; return whether there was one.
    fn redo(&self, py: Python<'_>) -> PyResult<bool> {
        self.edit(py, SpliceFile::redo)
    }

    /// Return a context manager: the edits in its block are undone and redone together.
    fn group(slf: &Bound<'_, Self>) -> Group {
        Group(slf.clone().unbind())
    }

    /// Keep the contents as they are now under a name, for view and restore. O(1).
    #[pyo3(signature = (name, /))]
    fn snapshot(&self, py: Python<'_>, name: String) -> PyResult<()> {
        self.file.with(py, |edited| edited.file.snapshot(name).map_err(to_python))
    }

    /// Return the names of all snapshots.
    fn snapshots(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.file.with(py, |edited| Ok(edited.file.snapshots().map(str::to_owned).collect()))
    }

    /// Drop a snapshot; return whether there was one of this name.
    #[pyo3(signature = (name, /))]
    fn remove_snapshot(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.file.with(py, |edited| Ok(edited.file.remove_snapshot(name)))
    }

    /// Return the contents of a snapshot, to be read. HistoryError if there is none of this name.
    #[pyo3(signature = (name, /))]
    fn view(slf: &Bound<'_, Self>, name: String) -> PyResult<PyView> {
        slf.get().file.with(slf.py(), |edited| {
            edited.file.view(&name).map(drop).map_err(to_python)?;
            Ok(PyView::new(slf.clone().unbind(), name))
        })
    }

    /// Make the contents those of a snapshot: an edit like others, which can be undone.
    #[pyo3(signature = (name, /))]
    fn restore(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.edit(py, |file| file.restore(name))
    }

    /// Make all edits of a script, or none, and return how many there were. script is as for bytesplice.apply.
    #[pyo3(signature = (script, /))]
    fn apply(&self, py: Python<'_>, script: scripts::From) -> PyResult<u64> {
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
            let file = &edited.file;
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
    #[pyo3(signature = (*, strategy="auto", durable=true))]
    fn plan<'py>(
        &self,
        py: Python<'py>,
        strategy: &str,
        durable: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let options = How::of_file(strategy, durable, None)?.options();
        self.file.with(py, |edited| {
            plan_to_python(py, &edited.file.plan_with(&options).map_err(to_python)?)
        })
    }

    /// Bring the file to the current contents in one pass.
    ///
    /// After a crash the file is wholly old or wholly new, but for strategy "direct" and durable=False, which does not wait
    /// for the disk. strategy is "auto", "journaled", "snapshot", "extents", "replace" or "direct". progress is called now and
    /// then with the bytes done and the bytes to do. An exception that it raises, or Ctrl-C, stops the commit as long as the
    /// file can keep the old contents; the edits are still there then. Later the commit is finished first.
    #[pyo3(signature = (*, progress=None, strategy="auto", durable=true))]
    fn commit(
        &self,
        py: Python<'_>,
        progress: Option<Bound<'_, PyAny>>,
        strategy: &str,
        durable: bool,
    ) -> PyResult<()> {
        self.commit_as(py, How::of_file(strategy, durable, progress)?)
    }

    /// Drop all edits since the last commit, and the history and the snapshots with them.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        self.edit(py, |file| {
            file.discard();
            Ok(())
        })
    }

    /// Close the file without a commit: edits since the last one are dropped. Closing twice is no error.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let closed = self.file.lock(py)?.take();
        py.detach(|| drop(closed));
        Ok(())
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.file.with(slf.py(), |_| Ok(()))?;
        Ok(slf)
    }

    /// Commits, unless an exception leaves the block, and closes.
    #[pyo3(signature = (kind, _error, _traceback, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let is_open = self.file.lock(py)?.is_some();
        let outcome =
            if kind.is_none() && is_open { self.commit(py, None, "auto", true) } else { Ok(()) };
        self.close(py)?;
        outcome
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = &self.path;
        Ok(match &*self.file.lock(py)? {
            None => format!("<bytesplice.SpliceFile {path:?} closed>"),
            Some(edited) => {
                format!("<bytesplice.SpliceFile {path:?} length={}>", edited.file.len())
            }
        })
    }
}

impl Drop for PySpliceFile {
    /// Nobody can commit any more what was not: says so, as files that were never closed do.
    fn drop(&mut self) {
        let modified = self.file.take().is_some_and(|edited| edited.file.is_modified());
        if !modified || process::id() != self.process {
            return;
        }
        Python::try_attach(|py| {
            let pending = PyErr::take(py);
            let path = self.path.display();
            let message = format!("{path} was never closed: its edits are discarded");
            let message = CString::new(message.replace('\0', "")).unwrap_or_default();
            let category = py.get_type::<PyResourceWarning>();
            if let Err(error) = PyErr::warn(py, &category, &message, 1) {
                error.write_unraisable(py, None);
            }
            if let Some(pending) = pending {
                pending.restore(py);
            }
        });
    }
}

/// The block of SpliceFile.group.
#[pyclass(module = "bytesplice", frozen)]
pub(crate) struct Group(Py<PySpliceFile>);

#[pymethods]
impl Group {
    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get().file.with(py, |edited| {
            edited.file.begin_group();
            Ok(())
        })
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _exception: &Bound<'_, pyo3::types::PyTuple>,
    ) -> PyResult<()> {
        // The file may have been closed inside.
        if let Some(edited) = &mut *self.0.get().file.lock(py)? {
            edited.file.end_group();
        }
        Ok(())
    }
}
