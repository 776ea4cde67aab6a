//! The class `bytesplice.mmap`.

use std::process;

use bytesplice::CommitOptions;
use pyo3::exceptions::{
    PyIndexError, PyOverflowError, PyPermissionError, PyRuntimeError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::abandoned;
use crate::commit::{self, How, commit};
use crate::content::{byte_value, bytes_like, is_integer};
use crate::descriptor::{Reopened, reopen, size_on_disk, window_len};
use crate::errors::to_python;
use crate::index::{Index, clip, item};
use crate::plan::plan_to_python;
use crate::protection::{ACCESS_DEFAULT, MAP_SHARED, PROT_READ_WRITE, Protection, anonymous};
use crate::reading::{in_memory, read_bytes, take};
use crate::search;
use crate::shared::SharedWindow;
use crate::window::Window;

/// mmap(fileno, length, flags=MAP_SHARED, prot=PROT_READ | PROT_WRITE, access=ACCESS_DEFAULT, offset=0)
/// --
///
/// A memory-mapped file whose slices can take bytes of any length.
///
/// Like mmap.mmap of the standard library, with three great differences. Slice assignment, del and insert change the
/// length, and shift what lies behind. Nothing reaches the file before flush, close or the end of a with block:
/// these commit all edits in one crash-safe pass. Empty files can be mapped, and offset can be any number of bytes.
///
/// The descriptor is opened anew, so its own offset and locks are not touched. length is the length of the window
/// from offset on, in bytes; 0 stands for all to the end of the file.
#[pyclass(name = "mmap", module = "bytesplice", subclass, weakref, mapping, frozen)]
pub(crate) struct Mmap {
    window: SharedWindow,
    protection: Protection,
    /// The process that may commit: a fork must not write the edits of its parent a second time.
    process: u32,
}

#[pymethods]
impl Mmap {
    #[new]
    #[pyo3(signature = (fileno, length, flags=MAP_SHARED, prot=PROT_READ_WRITE, access=ACCESS_DEFAULT, offset=0))]
    fn new(
        py: Python<'_>,
        fileno: i32,
        length: i64,
        flags: i32,
        prot: i32,
        access: i32,
        offset: i64,
    ) -> PyResult<Self> {
        let positive = |number: i64, what: &str| {
            u64::try_from(number).map_err(|_| {
                PyOverflowError::new_err(format!("memory mapped {what} must be positive"))
            })
        };
        let length = positive(length, "length")?;
        let offset = positive(offset, "offset")?;
        let protection = Protection::new(flags, prot, access)?;
        if fileno == -1 {
            return Err(anonymous());
        }
        let reopened = reopen(py, fileno, protection.commits());
        if let Err(error) = &reopened
            && error.value(py).is_instance_of::<PyPermissionError>()
            && let Some(size) = size_on_disk(py, fileno)
        {
            // mmap looks at the size before the permissions.
            window_len(offset, length, size)?;
        }
        let Reopened { file, descriptor } = reopened?;
        // Only now: opening may have finished an earlier commit, which changed the size.
        let len = window_len(offset, length, file.len())?;
        let window = Window { file, descriptor, start: offset, len, position: 0 };
        Ok(Self { window: SharedWindow::new(window), protection, process: process::id() })
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |window| in_memory(window.len))
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.check_open(py)?;
        let slice = match Index::read(index)? {
            Index::Item(index) => {
                let byte = self.with(py, |window| {
                    let mut byte = [0];
                    window.read(&mut byte, item(index, window.len)?).map_err(to_python)?;
                    Ok(byte[0])
                })?;
                return Ok(byte.into_pyobject(py)?.into_any());
            }
            Index::Slice(slice) => slice,
        };
        self.with(py, |window| {
            let run = slice.over(window.len);
            read_bytes(py, run.count, |buffer| window.read_run(&run, buffer))
        })
        .map(Bound::into_any)
    }

    fn __setitem__(
        &self,
        py: Python<'_>,
        index: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.check_stores(py)?;
        let slice = match Index::read(index)? {
            Index::Item(index) => {
                // Like mmap: an index that is out of range comes before a value that is no byte.
                self.with(py, |window| item(index, window.len))?;
                let byte = byte_value(value)?;
                return self.with(py, |window| {
                    let at = item(index, window.len)?;
                    window.replace(at..at + 1, &[byte]).map_err(to_python)
                });
            }
            Index::Slice(slice) => slice,
        };
        let bytes = bytes_like(value)?;
        self.with(py, |window| {
            let run = slice.over(window.len);
            if let Some(range) = run.plain() {
                return window.replace(range, &bytes).map_err(to_python);
            }
            if run.count != bytes.len() as u64 {
                return Err(PyIndexError::new_err("mmap slice assignment is wrong size"));
            }
            window.store_run(&run, &bytes).map_err(to_python)
        })
    }

    fn __delitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<()> {
        self.check_stores(py)?;
        match Index::read(index)? {
            Index::Item(index) => self.with(py, |window| {
                let at = item(index, window.len)?;
                window.replace(at..at + 1, b"").map_err(to_python)
            }),
            Index::Slice(slice) => self.with(py, |window| {
                let run = slice.over(window.len);
                window.remove_run(&run).map_err(to_python)
            }),
        }
    }

    /// Insert bytes, or one byte given as an integer, before index. Like that of list.insert, index counts from the end
    /// if negative and is clipped to the map: one out of range is no error and inserts at the start or the end.
    #[pyo3(signature = (index, value, /))]
    fn insert(&self, py: Python<'_>, index: i64, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.check_stores(py)?;
        let byte;
        let bytes;
        let new: &[u8] = if is_integer(value)? {
            byte = [byte_value(value)?];
            &byte
        } else {
            bytes = bytes_like(value)?;
            &bytes
        };
        self.with(py, |window| {
            let at = clip(index, window.len);
            window.replace(at..at, new).map_err(to_python)
        })
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
        self.check_stores(py)?;
        self.with(py, |window| {
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
            window.copy(to.start, from).map_err(to_python)
        })
    }

    /// Set the position, counted from the start (whence 0), the position (1) or the end (2), and return it.
    #[pyo3(signature = (dist, whence=0, /))]
    fn seek(&self, py: Python<'_>, dist: i64, whence: i32) -> PyResult<u64> {
        self.with(py, |window| {
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

    /// Return the position.
    fn tell(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |window| Ok(window.position))
    }

    /// Return up to n bytes from the position on and move it behind them; all to the end if n is negative or None.
    #[pyo3(signature = (n=None, /))]
    fn read<'py>(&self, py: Python<'py>, n: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(py, |window| {
            let wanted = n.and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX);
            take(py, window, window.remaining().min(wanted))
        })
    }

    /// Return the byte at the position as an integer and move behind it.
    fn read_byte(&self, py: Python<'_>) -> PyResult<u8> {
        self.with(py, |window| {
            if window.remaining() == 0 {
                return Err(PyValueError::new_err("read byte out of range"));
            }
            let mut byte = [0];
            window.read(&mut byte, window.position).map_err(to_python)?;
            window.position += 1;
            Ok(byte[0])
        })
    }

    /// Return the bytes from the position to the next newline, or to the end, and move behind them.
    fn readline<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(py, |window| {
            if window.remaining() == 0 {
                return Ok(PyBytes::new(py, b""));
            }
            let position = window.position;
            let newline = search::find(window, b"\n", position..window.len).map_err(to_python)?;
            take(py, window, newline.map_or(window.len, |at| at + 1) - position)
        })
    }

    /// Store bytes over those at the position, move behind them and return their number. The length stays.
    #[pyo3(signature = (bytes, /))]
    fn write(&self, py: Python<'_>, bytes: &Bound<'_, PyAny>) -> PyResult<usize> {
        let bytes = bytes_like(bytes)?;
        self.check_stores(py)?;
        self.with(py, |window| {
            let count = bytes.len() as u64;
            let end = window.position.saturating_add(count);
            if end > window.len {
                return Err(PyValueError::new_err("data out of range"));
            }
            window.replace(window.position..end, &bytes).map_err(to_python)?;
            window.position = end;
            Ok(bytes.len())
        })
    }

    /// Store a byte, given as an integer, over that at the position and move behind it.
    #[pyo3(signature = (byte, /))]
    fn write_byte(&self, py: Python<'_>, byte: i64) -> PyResult<()> {
        let byte = u8::try_from(byte).map_err(|_| {
            let side = if byte < 0 { "less than minimum" } else { "greater than maximum" };
            PyOverflowError::new_err(format!("unsigned byte integer is {side}"))
        })?;
        self.check_stores(py)?;
        self.with(py, |window| {
            if window.remaining() == 0 {
                return Err(PyValueError::new_err("write byte out of range"));
            }
            let position = window.position;
            window.replace(position..position + 1, &[byte]).map_err(to_python)?;
            window.position += 1;
            Ok(())
        })
    }

    /// Return the size of the file, which can be larger than the map; with edits, the size it will have.
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |window| {
            if self.protection.commits() && window.file.is_modified() {
                return Ok(window.file.len());
            }
            Ok(window.descriptor.metadata()?.len())
        })
    }

    /// Write all edits to the file in one crash-safe pass. Whatever offset and size say, all of them are written.
    ///
    /// strategy is "auto", "journaled", "snapshot", "extents" or "direct", the only one that is not crash-safe. progress is
    /// called now and then with the bytes done and the bytes to do. An exception that it raises, or Ctrl-C, stops the
    /// commit as long as the file can keep the old contents, and the edits stay in the map; later the commit is finished
    /// first. The callback cannot use the map itself.
    #[pyo3(signature = (offset=0, size=None, /, *, strategy="auto", progress=None))]
    fn flush(
        &self,
        py: Python<'_>,
        offset: i64,
        size: Option<i64>,
        strategy: &str,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let how = How::read(strategy, progress)?;
        self.with(py, |window| {
            let inside = || {
                let offset = u64::try_from(offset).ok()?;
                let size = size.map_or(Some(window.len), |size| u64::try_from(size).ok())?;
                (size <= window.len && offset <= window.len - size).then_some(())
            };
            inside().ok_or_else(|| PyValueError::new_err("flush values out of range"))?;
            if !self.protection.commits() || !window.file.is_modified() {
                return Ok(());
            }
            self.check_process()?;
            let _committing = self.window.committing();
            commit(py, &mut window.file, how)
        })
    }

    /// Return what flush would do, as a dictionary: the strategy, the reason for it, its costs, and under "costs" those of
    /// every other strategy, or why it cannot be had. Nothing is written.
    #[pyo3(signature = (*, strategy="auto"))]
    fn plan<'py>(&self, py: Python<'py>, strategy: &str) -> PyResult<Bound<'py, PyDict>> {
        let strategy = commit::strategy(strategy)?;
        self.with(py, |window| {
            if !self.protection.commits() && window.file.is_modified() {
                return Err(PyValueError::new_err("a copy-on-write map is never written"));
            }
            let options = CommitOptions::new().strategy(strategy);
            let file = &window.file;
            plan_to_python(py, &file.plan_with(&options).map_err(to_python)?)
        })
    }

    /// Write all edits to the file and close the map; closing twice is no error.
    ///
    /// If writing fails the exception says why, the map is closed and the edits are lost: call flush first where
    /// they must survive that. The same goes for Ctrl-C, and for what progress raises. The arguments are those of flush.
    #[pyo3(signature = (*, strategy="auto", progress=None))]
    fn close(
        &self,
        py: Python<'_>,
        strategy: &str,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let how = How::read(strategy, progress)?;
        let window = self.window.lock(py)?.take();
        let Some(mut window) = window else {
            return Ok(());
        };
        let outcome =
            if self.holds_edits(&window) { commit(py, &mut window.file, how) } else { Ok(()) };
        py.detach(|| drop(window));
        outcome
    }

    /// Whether the map is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.window.lock(py)?.is_none())
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.check_open(slf.py())?;
        Ok(slf)
    }

    /// Closes the map, and so commits, also after an exception, as `mmap` keeps its stores.
    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py, "auto", None)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (py, map) = (slf.py(), slf.get());
        let name = slf.get_type().fully_qualified_name()?;
        let access = map.protection.name();
        Ok(match &*map.window.lock(py)? {
            None => format!("<{name} closed=True, access={access}>"),
            Some(window) => format!(
                "<{name} closed=False, access={access}, length={}, pos={}, offset={}>",
                window.len, window.position, window.start
            ),
        })
    }
}

impl Mmap {
    /// Runs `action` on the open window. It must not call back into Python, which could ask for the same lock.
    fn with<T>(
        &self,
        py: Python<'_>,
        action: impl FnOnce(&mut Window) -> PyResult<T>,
    ) -> PyResult<T> {
        match &mut *self.window.lock(py)? {
            Some(window) => action(window),
            None => Err(PyValueError::new_err("mmap closed or invalid")),
        }
    }

    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |_| Ok(()))
    }

    /// Whether bytes may be stored, here and now.
    fn check_stores(&self, py: Python<'_>) -> PyResult<()> {
        self.check_open(py)?;
        if !self.protection.allows_stores() {
            return Err(PyTypeError::new_err("mmap can't modify a readonly memory map."));
        }
        if self.protection.commits() { self.check_process() } else { Ok(()) }
    }

    fn check_process(&self) -> PyResult<()> {
        if process::id() == self.process {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(format!(
            "this map belongs to process {}, which was forked since: only that process can change the file through \
             it; map the file again here",
            self.process
        )))
    }

    /// Whether there is anything that this process has to commit.
    fn holds_edits(&self, window: &Window) -> bool {
        self.protection.commits() && window.file.is_modified() && process::id() == self.process
    }

    fn search(
        &self,
        py: Python<'_>,
        sub: &Bound<'_, PyAny>,
        start: Option<i64>,
        end: Option<i64>,
        search: search::Search,
    ) -> PyResult<i64> {
        let needle = bytes_like(sub)?;
        self.with(py, |window| {
            let start = start.map_or(window.position.min(window.len), |at| clip(at, window.len));
            let end = end.map_or(window.len, |at| clip(at, window.len));
            let (window, needle) = (&*window, &*needle);
            let found = py.detach(|| search(window, needle, start..end)).map_err(to_python)?;
            // Offsets in files fit into 63 bits.
            Ok(found.map_or(-1, |at| at as i64))
        })
    }
}

impl Drop for Mmap {
    /// Commits what was never flushed, as `mmap` would have kept it, and warns: an error has nobody to go to here.
    fn drop(&mut self) {
        let window = self.window.take();
        let Some(window) = window.filter(|window| self.holds_edits(window)) else {
            return;
        };
        abandoned::commit(window);
    }
}
