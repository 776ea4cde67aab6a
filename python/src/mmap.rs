//! The class `bytesplice.mmap`: how a map is made, and what it has of a file.
//!
//! Its other methods are in [`items`](crate::items), [`length`](crate::length), [`saving`](crate::saving) and
//! [`buffer`](crate::buffer).

use std::sync::Arc;

use pyo3::exceptions::{PyOverflowError, PyPermissionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::content::{bytes_like, unsigned_byte};
use crate::descriptor::{memory, reopen, size_on_disk, window_len};
use crate::errors::{io_to_python, unsupported};
use crate::index::clip;
use crate::protection::{ACCESS_DEFAULT, MAP_ANONYMOUS, MAP_SHARED, PROT_READ_WRITE, Protection};
use crate::reading::{in_memory, take};
use crate::search;
use crate::shared::SharedWindow;
use crate::unsaved;
use crate::window::Window;

/// mmap(fileno, length, flags=MAP_SHARED, prot=PROT_READ | PROT_WRITE, access=ACCESS_DEFAULT, offset=0, *, trackfd=True, deferred=False)
/// --
///
/// A memory-mapped file whose slices can take bytes of any length.
///
/// Like mmap.mmap of the standard library, with one great difference: slice assignment, del, insert, append, extend, pop,
/// remove and clear change the length, and shift what lies behind. Stores that keep the length reach the file at once, as
/// in mmap. From the first change of the length on everything waits for flush, close or the end of a with block: these
/// commit all edits in one crash-safe pass. With deferred=True everything always waits for them.
///
/// Empty files can be mapped, and offset can be any number of bytes. The descriptor is opened anew, so its own offset and
/// locks are not touched. length is the length of the window from offset on, in bytes; 0 stands for all to the end of the
/// file. fileno -1 maps zeros in memory that no file has. With trackfd=False no descriptor is kept, and the length is fixed.
#[pyclass(name = "mmap", module = "bytesplice", subclass, weakref, frozen)]
pub(crate) struct Mmap {
    pub(crate) shared: Arc<SharedWindow>,
    /// Whether it is memory that no file has.
    pub(crate) anonymous: bool,
}

#[pymethods]
impl Mmap {
    #[new]
    #[pyo3(signature = (
        fileno, length, flags=MAP_SHARED, prot=PROT_READ_WRITE, access=ACCESS_DEFAULT, offset=0,
        *, trackfd=true, deferred=false
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are those of the standard library")]
    fn new(
        py: Python<'_>,
        fileno: i32,
        length: i64,
        flags: i32,
        prot: i32,
        access: i32,
        offset: i64,
        trackfd: bool,
        deferred: bool,
    ) -> PyResult<Self> {
        let positive = |number: i64, what: &str| {
            u64::try_from(number).map_err(|_| {
                PyOverflowError::new_err(format!("memory mapped {what} must be positive"))
            })
        };
        let (bytes, start) = (positive(length, "length")?, positive(offset, "offset")?);
        let protection = Protection::new(flags, prot, access)?;
        let event = ("mmap.__new__", fileno, length, access, offset);
        py.import("sys")?.call_method1("audit", event)?;
        let anonymous = fileno == -1 || flags & MAP_ANONYMOUS != 0;
        let tracked = if anonymous {
            memory(py, bytes, protection.commits())?
        } else {
            reopen(py, fileno, protection.commits()).map_err(|error| {
                // mmap looks at the size before the permissions.
                let size = error
                    .value(py)
                    .is_instance_of::<PyPermissionError>()
                    .then(|| size_on_disk(py, fileno))
                    .flatten();
                size.and_then(|size| window_len(start, bytes, size).err()).unwrap_or(error)
            })?
        };
        let (start, len) = if anonymous {
            (0, bytes)
        } else {
            // Only now: opening may have finished an earlier commit, which changed the size.
            (start, window_len(start, bytes, tracked.file.len())?)
        };
        let stores = protection.stores(deferred);
        let mut window = Window::new(tracked, start, len, stores).map_err(|e| io_to_python(&e))?;
        if !trackfd {
            window.untrack();
        }
        Ok(Self { shared: Arc::new(SharedWindow::new(window, protection)), anonymous })
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.shared.with(py, |window| in_memory(window.len))
    }

    /// Return the lowest index where sub lies wholly in start..end, or -1. The search starts at the position unless
    /// start says otherwise.
    #[pyo3(signature = (sub, start=None, end=None, /))]
    fn find(
        &self,
        py: Python<'_>,
        sub: &Bound<'_, PyAny>,
        start: Option<i64>,
        end: Option<i64>,
    ) -> PyResult<i64> {
        self.search(py, sub, start, end, search::find)
    }

    /// Return the highest index where sub lies wholly in start..end, or -1. As for find, start is the position unless
    /// given.
    #[pyo3(signature = (sub, start=None, end=None, /))]
    fn rfind(
        &self,
        py: Python<'_>,
        sub: &Bound<'_, PyAny>,
        start: Option<i64>,
        end: Option<i64>,
    ) -> PyResult<i64> {
        self.search(py, sub, start, end, search::rfind)
    }

    /// Copy count bytes from src over those at dest; the two may overlap, the length stays.
    #[pyo3(name = "move", signature = (dest, src, count, /))]
    fn move_bytes(&self, py: Python<'_>, dest: i64, src: i64, count: i64) -> PyResult<()> {
        self.shared.change(py, |window| {
            let inside = |start: i64| {
                let (start, count) = (u64::try_from(start).ok()?, u64::try_from(count).ok()?);
                (count <= window.len && start <= window.len - count).then(|| start..start + count)
            };
            let (Some(to), Some(from)) = (inside(dest), inside(src)) else {
                return Err(PyValueError::new_err("source, destination, or count out of range"));
            };
            if to == from {
                return Ok(());
            }
            py.detach(|| window.copy(to.start, from))
        })
    }

    /// Set the position, counted from the start (whence 0), the position (1) or the end (2), and return it.
    #[pyo3(signature = (dist, whence=0, /))]
    fn seek(&self, py: Python<'_>, dist: i64, whence: i32) -> PyResult<u64> {
        self.shared.with(py, |window| {
            let from = match whence {
                0 => 0,
                1 => window.position,
                2 => window.len,
                _ => return Err(PyValueError::new_err("unknown seek type")),
            };
            window.position = from
                .checked_add_signed(dist)
                .filter(|&position| position <= window.len)
                .ok_or_else(|| PyValueError::new_err("seek out of range"))?;
            Ok(window.position)
        })
    }

    /// Return that the position can be set.
    #[allow(clippy::unused_self, reason = "a method of Python has it")]
    fn seekable(&self) -> bool {
        true
    }

    /// Return the position.
    fn tell(&self, py: Python<'_>) -> PyResult<u64> {
        self.shared.with(py, |window| Ok(window.position))
    }

    /// Return up to n bytes from the position on and move it behind them; all to the end if n is negative or None.
    #[pyo3(signature = (n=None, /))]
    fn read<'py>(&self, py: Python<'py>, n: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        self.shared.with(py, |window| {
            let wanted = n.and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX);
            take(py, window, window.remaining().min(wanted))
        })
    }

    /// Return the byte at the position as an integer and move behind it.
    fn read_byte(&self, py: Python<'_>) -> PyResult<u8> {
        self.shared.with(py, |window| {
            if window.remaining() == 0 {
                return Err(PyValueError::new_err("read byte out of range"));
            }
            let byte = window.byte(window.position)?;
            window.position += 1;
            Ok(byte)
        })
    }

    /// Return the bytes from the position to the next newline, or to the end, and move behind them.
    fn readline<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.shared.with(py, |window| {
            if window.remaining() == 0 {
                return Ok(PyBytes::new(py, b""));
            }
            let position = window.position;
            let rest = position..window.len;
            let newline = search::search(py, &self.shared, window, b"\n", rest, search::find)?;
            take(py, window, newline.map_or(window.len, |at| at + 1) - position)
        })
    }

    /// Store bytes over those at the position, move behind them and return their number. The length stays.
    #[pyo3(signature = (bytes, /))]
    fn write(&self, py: Python<'_>, bytes: &Bound<'_, PyAny>) -> PyResult<usize> {
        let bytes = bytes_like(bytes)?;
        self.shared.change(py, |window| {
            let count = bytes.len() as u64;
            if window.position > window.len || window.remaining() < count {
                return Err(PyValueError::new_err("data out of range"));
            }
            window.store(window.position, &bytes)?;
            window.position += count;
            Ok(bytes.len())
        })
    }

    /// Store a byte, given as an integer, over that at the position and move behind it.
    #[pyo3(signature = (byte, /))]
    fn write_byte(&self, py: Python<'_>, byte: &Bound<'_, PyAny>) -> PyResult<()> {
        let byte = unsigned_byte(byte)?;
        self.shared.change(py, |window| {
            if window.remaining() == 0 {
                return Err(PyValueError::new_err("write byte out of range"));
            }
            window.store(window.position, &[byte])?;
            window.position += 1;
            Ok(())
        })
    }

    /// Return the size of the file, which can be larger than the map; with unsaved edits, the size it will have.
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.shared.with(py, |window| {
            let Some(tracked) = window.file() else {
                return Err(unsupported("can't get size with trackfd=False"));
            };
            if self.shared.protection().commits() && window.is_unsaved() {
                return Ok(tracked.file.len());
            }
            Ok(tracked.descriptor.metadata()?.len())
        })
    }

    /// Give the system advice, one of the MADV_ numbers, about length bytes from start on, or all from there. While there
    /// are unsaved edits there is no map to advise about, and nothing is done.
    #[pyo3(signature = (option, start=0, length=None, /))]
    fn madvise(
        &self,
        py: Python<'_>,
        option: i32,
        start: i64,
        length: Option<i64>,
    ) -> PyResult<()> {
        self.shared.with(py, |window| {
            let from = u64::try_from(start).ok().filter(|&from| from < window.len);
            let Some(from) = from else {
                return Err(PyValueError::new_err("madvise start out of bounds"));
            };
            let Ok(length) = u64::try_from(length.unwrap_or(window.len as i64)) else {
                return Err(PyValueError::new_err("madvise length invalid"));
            };
            if i64::MAX as u64 - from < length {
                return Err(PyOverflowError::new_err("madvise length too large"));
            }
            let end = window.len.min(from + length);
            window.map().map_or(Ok(()), |map| {
                map.advise(option, from..end).map_err(|error| io_to_python(&error))
            })
        })
    }

    /// Name the memory for /proc/self/maps, which the system allows for anonymous memory only; a file there has its own.
    #[pyo3(signature = (name, /))]
    fn set_name(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.shared.check_open(py)?;
        if name.len() > 66 {
            return Err(PyValueError::new_err("name is too long"));
        }
        if !self.anonymous {
            return Err(PyValueError::new_err("Cannot set annotation on non-anonymous mappings"));
        }
        Ok(())
    }

    /// Whether the map is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.shared.lock(py)?.is_none())
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.shared.check_open(slf.py())?;
        Ok(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (py, map) = (slf.py(), slf.get());
        let name = slf.get_type().fully_qualified_name()?;
        let access = map.shared.protection().name();
        Ok(match &*map.shared.lock(py)? {
            None => format!("<{name} closed=True>"),
            Some(window) => format!(
                "<{name} closed=False, access={access}, length={}, pos={}, offset={}>",
                window.len, window.position, window.start
            ),
        })
    }
}

impl Mmap {
    fn search(
        &self,
        py: Python<'_>,
        sub: &Bound<'_, PyAny>,
        start: Option<i64>,
        end: Option<i64>,
        how: search::Search,
    ) -> PyResult<i64> {
        let needle = bytes_like(sub)?;
        self.shared.with(py, |window| {
            if needle.is_empty()
                && start.is_some_and(|at| at > window.len as i64)
                && py.version_info() >= (3, 15)
            {
                // Not even nothing lies there, as for bytes; older versions of mmap find it at the end.
                return Ok(-1);
            }
            let start = start.map_or(window.position.min(window.len), |at| clip(at, window.len));
            let end = end.map_or(window.len, |at| clip(at, window.len));
            let found = search::search(py, &self.shared, window, &needle, start..end, how)?;
            // Offsets in files fit into 63 bits.
            Ok(found.map_or(-1, |at| at as i64))
        })
    }
}

impl Drop for Mmap {
    fn drop(&mut self) {
        unsaved::abandon(&self.shared);
    }
}
