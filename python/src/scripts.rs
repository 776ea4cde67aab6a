//! Edit scripts: read from and written to files and file objects.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Write};
use std::path::PathBuf;

use bytesplice::{Checks, Difference, OpenOptions, Script, ScriptWriter, WorkOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::commit;
use crate::content::bytes_like;
use crate::errors::{os_error, to_python};
use crate::place::{Place, StoreOptions, check_no_address, open_place};
use crate::stream::{Sink, Source};

/// Bytes that are read or written at a time.
const BUFFER: usize = 256 << 10;

/// What the script says of the bytes that it removes.
///
/// # Errors
/// `ValueError` for other names.
pub(crate) fn checks(name: &str) -> PyResult<Checks> {
    match name {
        "none" => Ok(Checks::None),
        "checksum" => Ok(Checks::Checksum),
        "whole" => Ok(Checks::Whole),
        _ => Err(PyValueError::new_err(format!(
            "there are no checks {name:?}: use none, checksum or whole"
        ))),
    }
}

/// Where a script comes from.
pub(crate) enum From {
    Path(PathBuf),
    Bytes(PyBackedBytes),
    Stream(Source),
}

impl<'py> FromPyObject<'_, 'py> for From {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(path) = object.extract() {
            check_no_address(
                &path,
                "a script is read from a file, bytes or a file object: pass bytesplice.open(address).reader()",
            )?;
            return Ok(Self::Path(path));
        }
        if let Ok(bytes) = bytes_like(&object) {
            return Ok(Self::Bytes(bytes));
        }
        Source::new(&object).map(Self::Stream)
    }
}

impl From {
    /// Whether reading it runs Python code.
    pub(crate) fn runs_python(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Reads the header.
    pub(crate) fn open(self) -> bytesplice::Result<Script<BufReader<Box<dyn Read>>>> {
        let (name, reader): (PathBuf, Box<dyn Read>) = match self {
            Self::Path(path) => {
                let file = File::open(&path)
                    .map_err(|source| bytesplice::Error::Open { path: path.clone(), source })?;
                (path, Box::new(file))
            }
            Self::Bytes(bytes) => ("script".into(), Box::new(Cursor::new(bytes))),
            Self::Stream(source) => ("script".into(), Box::new(source)),
        };
        Script::new(name, BufReader::with_capacity(BUFFER, reader))
    }
}

/// Where a script goes.
pub(crate) enum To {
    Path(PathBuf),
    Object(Py<PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for To {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let Ok(path) = object.extract() else {
            return Ok(Self::Object(object.to_owned().unbind()));
        };
        check_no_address(
            &path,
            "a script is written to a file or a file object: write it to io.BytesIO(), and append that to an object",
        )?;
        Ok(Self::Path(path))
    }
}

/// The writer of a script.
pub(crate) type Out = ScriptWriter<BufWriter<Box<dyn Write + Send>>>;

impl To {
    /// Creates the file, or overwrites it.
    ///
    /// # Errors
    /// `OSError`.
    pub(crate) fn open(self) -> PyResult<Out> {
        let (name, writer): (PathBuf, Box<dyn Write + Send>) = match self {
            Self::Path(path) => {
                let file = File::create(&path).map_err(|error| {
                    let errno = rustix::io::Errno::from_io_error(&error);
                    let message = format!("{}: cannot create: {error}", path.display());
                    os_error(errno.unwrap_or(rustix::io::Errno::IO), message)
                })?;
                (path, Box::new(file))
            }
            Self::Object(object) => ("script".into(), Box::new(Sink(object))),
        };
        Ok(ScriptWriter::new(name, BufWriter::with_capacity(BUFFER, writer)))
    }
}

/// Write the script that turns the file or object at old into the one at new to out, a path or a binary file object.
///
/// checks says what it holds of the bytes that it removes, to be compared when it is applied: "none", "checksum", or "whole",
/// which makes it invertible. endpoint and store are those of open, for objects.
#[pyfunction]
#[pyo3(signature = (old, new, out, *, checks="checksum", endpoint=None, store=None))]
pub(crate) fn diff(
    py: Python<'_>,
    old: Place,
    new: Place,
    out: To,
    checks: &str,
    endpoint: Option<String>,
    store: Option<&str>,
) -> PyResult<()> {
    let checks = self::checks(checks)?;
    let store = StoreOptions::read(endpoint, store)?;
    if let (Place::File(_), Place::File(_)) = (&old, &new) {
        store.check_file()?;
    }
    let open = |place| open_place(py, place, &store, OpenOptions::new().read_only(true));
    let (old, new) = (open(old)?, open(new)?);
    let difference = commit::search(py, None, |report, cancel| {
        let options = WorkOptions::new().progress(report).cancel(cancel);
        Difference::find_with(&old, &new, options)
    })?;
    // Only now: what is at its place stays there if the comparison is stopped.
    let mut out = out.open()?;
    py.detach(|| {
        difference.write_script(checks, &mut out)?;
        out.finish().map(drop)
    })
    .map_err(to_python)
}
