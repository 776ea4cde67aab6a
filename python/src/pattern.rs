//! What to search for.

use bytesplice::Pattern;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::content::bytes_like;
use crate::errors::{not_a_pattern, of_kind};

/// A regular expression on bytes, in the syntax of the Rust crate regex: Regex(pattern)
///
/// Linear in time, and a match may be longer than memory. `.` is any byte but newline, `\xFF` is that byte, classes know
/// ASCII only, `^` and `$` are the start and the end of the contents unless `(?m)` makes them those of lines. There are no
/// look-around assertions and no backreferences. PatternError says what is wrong and where.
#[pyclass(name = "Regex", module = "bytesplice", frozen)]
pub(crate) struct Regex {
    source: String,
    pattern: Pattern,
}

#[pymethods]
impl Regex {
    #[new]
    #[pyo3(signature = (pattern, /))]
    fn new(pattern: &Bound<'_, PyAny>) -> PyResult<Self> {
        let source = if let Ok(text) = pattern.cast::<PyString>() {
            text.to_str()?.to_owned()
        } else if let Ok(bytes) = pattern.cast::<PyBytes>() {
            from_bytes(bytes.as_bytes())?
        } else {
            return Err(PyTypeError::new_err("a regular expression is str or bytes"));
        };
        let pattern = Pattern::regex(&source).map_err(not_a_pattern)?;
        Ok(Self { source, pattern })
    }

    /// The expression.
    #[getter]
    fn pattern(&self) -> &str {
        &self.source
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("bytesplice.Regex({})", PyString::new(py, &self.source).repr()?))
    }
}

/// The text of an expression that was given as bytes.
fn from_bytes(bytes: &[u8]) -> PyResult<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(of_kind(
            "PatternError",
            "an expression of bytes must be ASCII: write other bytes as \\xFF",
        )),
    }
}

/// Reads a pattern: bytes, a `Regex`, a compiled `re.Pattern` of bytes, or a tuple or list of needles.
///
/// # Errors
/// `TypeError`, `PatternError`.
pub(crate) fn read(object: &Bound<'_, PyAny>) -> PyResult<Pattern> {
    if let Ok(regex) = object.cast::<Regex>() {
        return Ok(regex.get().pattern.clone());
    }
    if object.is_instance_of::<PyTuple>() || object.is_instance_of::<PyList>() {
        let needles = object.try_iter()?.map(|needle| bytes_like(&needle?));
        let needles = needles.collect::<PyResult<Vec<_>>>()?;
        return Pattern::any_of(needles).map_err(not_a_pattern);
    }
    let py = object.py();
    if object.is_instance(&py.import("re")?.getattr("Pattern")?)? {
        let regex = py.import("bytesplice._regex")?.call_method1("compiled", (object,))?;
        return Ok(regex.cast::<Regex>()?.get().pattern.clone());
    }
    match bytes_like(object) {
        Ok(needle) => Ok(Pattern::literal(&*needle)),
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            let kind = object.get_type().name()?;
            Err(PyTypeError::new_err(format!(
                "a pattern is bytes, a tuple of bytes, bytesplice.Regex or a compiled re.Pattern of bytes, not '{kind}'"
            )))
        }
        Err(error) => Err(error),
    }
}
