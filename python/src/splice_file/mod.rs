//! The class `bytesplice.SpliceFile`, and the functions beside it.

mod commit;
mod edits;
mod history;
mod search;

use std::ffi::{CString, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytesplice::{Contents, Error, LockMode, OpenOptions, RecoverOptions, SpliceFile, WorkOptions};
use bytesplice_s3::{ObjectOptions, Opened};
use pyo3::exceptions::{PyResourceWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::commit::{How, commit, commit_object, search};
use crate::descriptor::reopen;
use crate::edited::{Edited, SharedFile};
use crate::errors::to_python;
use crate::matches::{Match, Matches};
use crate::new_bytes::{self, NewBytes, PyContent};
use crate::offset::{Limits, Offset};
use crate::place::{
    Place, StoreOptions, WriteOptions, address, client, only_for_objects, open_object, open_place,
};
use crate::reading::in_memory;
use crate::stores::FileStores;
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
    module.add_class::<history::Group>()?;
    module.add_function(wrap_pyfunction!(open, module)?)?;
    module.add_function(wrap_pyfunction!(open_descriptor, module)?)?;
    module.add_function(wrap_pyfunction!(recover, module)?)?;
    module.add_function(wrap_pyfunction!(status::forget, module)?)?;
    module.add_function(wrap_pyfunction!(apply, module)?)?;
    module.add_function(wrap_pyfunction!(scripts::diff, module)?)?;
    module.add_function(wrap_pyfunction!(status::status, module)?)?;
    module.add_function(wrap_pyfunction!(new_bytes::fill, module)?)?;
    module.add_function(wrap_pyfunction!(new_bytes::copy, module)?)?;
    module.add_function(wrap_pyfunction!(new_bytes::file_range, module)?)
}

/// Open a file, or an object s3://BUCKET/KEY, to be spliced.
///
/// read_only takes a lock that readers share; edits can then be made and read, not committed. create makes an empty file,
/// at once, where there is none. lock says what to do when another bytesplice holds the file: "try" raises LockedError,
/// "wait" waits, "none" locks only while a commit runs. Up to memory_limit added bytes are kept in memory, and history_limit
/// bytes of undo steps; what is over goes to a file without a name in temporary_directory. A commit that was cut short is
/// finished or taken back first.
///
/// Objects are not locked, and with create the commit makes them. endpoint is the address of their store, without it that of
/// AWS_ENDPOINT_URL, or Amazon S3; store says what it allows, without it told by its address: "aws", "compatible" or
/// "equal-parts". A commit fetches up to fetched_history bytes that it removes, so that undo can bring them back after it.
///
/// A commit needs a store that honours If-Match, or it could lose what others write at the same
/// time: StoreError where that is not known. store="compatible", or BYTESPLICE_STORE=compatible in
/// the environment, says that it does; probe_store finds out, unless read_only, by writing to an
/// object of its own beside it, which is removed again; unconditional commits in any case, for
/// objects that nobody else writes. drop_tags does not carry over the object's tags, for
/// credentials that may not read them.
#[pyfunction]
#[pyo3(signature = (path, *, read_only=false, create=false, lock="try", memory_limit=None, history_limit=None, temporary_directory=None, endpoint=None, store=None, fetched_history=None, probe_store=false, unconditional=false, drop_tags=false))]
#[expect(clippy::too_many_arguments, reason = "the options are keywords")]
fn open(
    py: Python<'_>,
    path: Place,
    read_only: bool,
    create: bool,
    lock: &str,
    memory_limit: Option<Offset>,
    history_limit: Option<Offset>,
    temporary_directory: Option<PathBuf>,
    endpoint: Option<String>,
    store: Option<&str>,
    fetched_history: Option<Offset>,
    probe_store: bool,
    unconditional: bool,
    drop_tags: bool,
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
    let writes = WriteOptions { probe_store, unconditional, drop_tags };
    let store = StoreOptions::read(endpoint, store)?.with_writes(writes);
    let path = match path {
        Place::File(path) => path,
        Place::Object(_) if waits => {
            return Err(PyValueError::new_err(
                "nothing locks an object, so there is nothing to wait for: who commits first wins; leave lock out",
            ));
        }
        Place::Object(name) => {
            let options = ObjectOptions {
                create: create && !read_only,
                fetched_history: fetched_history.map_or(0, |Offset(bytes)| bytes),
                contents: options,
                ..ObjectOptions::default()
            };
            // Nothing is to be written.
            let writes = WriteOptions { probe_store: probe_store && !read_only, ..writes };
            let object = open_object(py, name, &store.with_writes(writes), options)?;
            return Ok(PySpliceFile::new(object.into(), read_only, writes));
        }
    };
    store.check_file()?;
    if fetched_history.is_some() {
        return Err(only_for_objects("fetched_history"));
    }
    loop {
        match py.detach(|| options.open(&path)) {
            Ok(file) => return Ok(PySpliceFile::of_file(file)),
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
    Ok(PySpliceFile::of_file(file))
}

/// Finish or take back a commit of the file at path that was cut short. Opening the file does the same.
///
/// Returns "clean", "rolled-back" or "completed". force obeys the copy of a journal, if its checksums fit the file: for restored
/// copies of a file and its journal.
///
/// The commit of an object that was cut short leaves it as it was, and an upload, whose parts are charged. So for an object this
/// aborts its uploads that were begun older_than seconds ago, a day without it, and returns a list of them. They may be others'.
#[pyfunction]
#[pyo3(signature = (path, /, *, force=false, older_than=None, endpoint=None))]
fn recover<'py>(
    py: Python<'py>,
    path: Place,
    force: bool,
    older_than: Option<f64>,
    endpoint: Option<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let store = StoreOptions::read(endpoint, None)?;
    match path {
        Place::File(path) => {
            store.check_file()?;
            if older_than.is_some() {
                return Err(only_for_objects("older_than"));
            }
            let options = RecoverOptions { force };
            let recovered = py.detach(|| bytesplice::recover_with(path, options));
            let recovered = recovered.map(name_of).map_err(to_python)?;
            Ok(recovered.into_pyobject(py)?.into_any())
        }
        Place::Object(_) if force => {
            Err(PyValueError::new_err("an object has no journal that force could obey"))
        }
        Place::Object(name) => {
            let age = Duration::try_from_secs_f64(older_than.unwrap_or(DAY)).map_err(|error| {
                PyValueError::new_err(format!("older_than is a number of seconds: {error}"))
            })?;
            let store = client(name, &store.settings(py)?)?;
            let aborted = py.detach(|| bytesplice_s3::recover(&*store, age)).map_err(to_python)?;
            Ok(status::uploads(py, &aborted)?.into_any())
        }
    }
}

/// In seconds: no commit of an object takes so long.
const DAY: f64 = 86_400.0;

/// Make all edits of a script in the file or object at path, commit them, and return how many there were. All or none are made.
///
/// script is a path, the bytes of a script, or a binary file object. The other arguments are those of SpliceFile.commit and of
/// open.
#[pyfunction]
#[pyo3(signature = (path, script, *, progress=None, strategy="auto", durable=true, allow_writers=false, endpoint=None, store=None, probe_store=false, unconditional=false, drop_tags=false))]
#[expect(clippy::too_many_arguments, reason = "most of them are keywords")]
fn apply(
    py: Python<'_>,
    path: Place,
    script: scripts::From,
    progress: Option<Bound<'_, PyAny>>,
    strategy: &str,
    durable: bool,
    allow_writers: bool,
    endpoint: Option<String>,
    store: Option<&str>,
    probe_store: bool,
    unconditional: bool,
    drop_tags: bool,
) -> PyResult<u64> {
    let how = How::of_file(strategy, durable, allow_writers, progress)?;
    let writes = WriteOptions { probe_store, unconditional, drop_tags };
    let store = StoreOptions::read(endpoint, store)?.with_writes(writes);
    match &path {
        Place::File(_) => store.check_file()?,
        Place::Object(_) => how.check_object()?,
    }
    let opened = open_place(py, path, &store, OpenOptions::new())?;
    let file = PySpliceFile::new(opened, false, writes);
    let outcome = file.apply(py, script).and_then(|count| {
        file.commit_as(py, how)?;
        Ok(count)
    });
    file.close(py)?;
    outcome
}

/// A file or an object whose bytes can be spliced: from open.
///
/// Nothing reaches the file before commit, which makes all edits in one crash-safe pass. A with block commits at its end,
/// and discards the edits if an exception leaves it. A range is start and stop, half-open, in bytes; None stands for the
/// start or the end of the contents. Ranges of methods are never clipped and never negative: RangeError, an IndexError. An
/// edit that fails changes nothing. New bytes are bytes-like objects; fill, copy or file_range; or binary file objects and
/// iterables of bytes, which are streamed.
#[pyclass(name = "SpliceFile", module = "bytesplice", frozen, weakref, mapping)]
pub(crate) struct PySpliceFile {
    pub(crate) file: SharedFile,
    /// Where the file was when it was opened or last committed.
    path: Mutex<PathBuf>,
    /// How an object is committed.
    writes: WriteOptions,
}

impl PySpliceFile {
    /// `read_only` is for objects: files know it themselves.
    fn new(file: Opened, read_only: bool, writes: WriteOptions) -> Self {
        let (path, read_only) = match &file {
            Opened::File(file) => (file.path().into(), file.is_read_only()),
            Opened::Object(object) => (address(object.store().name()).into(), read_only),
        };
        Self { file: SharedFile::new(file, read_only), path: Mutex::new(path), writes }
    }

    fn path(&self) -> PathBuf {
        self.path.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_path(&self, path: &Path) {
        let mut known = self.path.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != path {
            *known = path.into();
        }
    }

    fn of_file(file: SpliceFile) -> Self {
        Self::new(file.into(), false, WriteOptions::default())
    }

    /// Makes an edit that does not take long, unless bytes have to be fetched for it, nor runs Python code.
    fn edit<T: Send>(
        &self,
        py: Python<'_>,
        edit: impl FnOnce(&mut Contents) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.file.with(py, |edited| {
            edited.edits += 1;
            let is_far = edited.is_far();
            let contents = &mut *edited.file;
            if is_far { py.detach(|| edit(contents)) } else { edit(contents) }.map_err(to_python)
        })
    }

    /// Makes one that may take long, and runs Python code if `calls`.
    fn edit_detached<T: Send>(
        &self,
        py: Python<'_>,
        calls: bool,
        edit: impl FnOnce(&mut Contents) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.file.with(py, |edited| {
            let _calling = calls.then(|| self.file.calling());
            edited.edits += 1;
            let file = &mut *edited.file;
            py.detach(|| edit(file)).map_err(to_python)
        })
    }

    /// Reads for long, until Ctrl-C.
    fn look<T: Send>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&Contents, WorkOptions<'_>) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.file.with(py, |edited| {
            let _calling = self.file.calling();
            let file = &*edited.file;
            search(py, None, |report, cancel| {
                look(file, WorkOptions::new().progress(report).cancel(cancel))
            })
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
            let is_modified = edited.file.is_modified();
            if is_modified {
                edited.check_process()?;
            }
            let Edited { file, read_only, .. } = edited;
            let file = match file {
                Opened::File(file) => file,
                Opened::Object(object) if *read_only && is_modified => {
                    return Err(to_python(Error::PermissionDenied { path: object.path().into() }));
                }
                Opened::Object(object) => return commit_object(py, object, how, self.writes),
            };
            if is_modified {
                self.set_path(file.locate().map_err(to_python)?);
            }
            let stores = is_modified.then(|| FileStores::at(file.path())).flatten();
            let _committing = stores.as_ref().map(|stores| stores.committing(py)).transpose()?;
            let _calling = self.file.calling();
            commit(py, file, how)
        })
    }
}

#[pymethods]
impl PySpliceFile {
    /// The path of the file, without symlinks, or the address of the object.
    ///
    /// A commit finds the new path of a renamed file.
    #[getter(path)]
    fn path_as_text(&self) -> OsString {
        self.path().into_os_string()
    }

    /// The ETag of the object as it was opened or last committed; None of a file, and of an object that is not there yet.
    #[getter]
    fn etag(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.file.with(py, |edited| match &edited.file {
            Opened::File(_) => Ok(None),
            Opened::Object(object) => Ok(object.head().map(|head| head.etag.clone())),
        })
    }

    /// Whether there is something to commit.
    #[getter]
    fn is_modified(&self, py: Python<'_>) -> PyResult<bool> {
        self.file.with(py, |edited| Ok(edited.file.is_modified()))
    }

    /// Whether the file was opened for reading only, or may not be written.
    #[getter]
    fn read_only(&self, py: Python<'_>) -> PyResult<bool> {
        self.file.with(py, |edited| Ok(edited.read_only))
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
            let (is_far, file) = (edited.is_far(), &*edited.file);
            index.get(py, file.len(), is_far, |buffer, at| file.read_exact_at(buffer, at))
        })
    }

    /// Return size bytes from offset on, or all to the end.
    #[pyo3(signature = (offset=Offset(0), size=None, /), text_signature = "($self, offset=0, size=None, /)")]
    fn read<'py>(
        &self,
        py: Python<'py>,
        offset: Offset,
        size: Option<Offset>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.file.with(py, |edited| {
            let (is_far, file) = (edited.is_far(), &*edited.file);
            view::read(py, file.len(), is_far, offset, size, |buffer, at| {
                file.read_exact_at(buffer, at)
            })
        })
    }

    /// Return a binary file object (io.RawIOBase) that reads the contents, with all edits.
    fn reader<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        view::reader(slf.as_any())
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
        let outcome = if kind.is_none() && is_open {
            self.commit(py, None, "auto", true, false)
        } else {
            Ok(())
        };
        self.close(py)?;
        outcome
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = self.path();
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
        let lost = |edited: Edited| edited.file.is_modified() && edited.is_of_this_process();
        if !self.file.take().is_some_and(lost) {
            return;
        }
        Python::try_attach(|py| {
            let pending = PyErr::take(py);
            let path = self.path();
            let message = format!("{} was never closed: its edits are discarded", path.display());
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
