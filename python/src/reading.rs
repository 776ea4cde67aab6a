//! Bytes of a window as new objects of Python.

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::{ptr, slice};

use bytesplice::{Error, FileState, Progress};
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::commit;
use crate::errors::to_python;
use crate::search::LONG as LARGE;
use crate::window::Window;

/// New memory is set to zero and read into by so many bytes at a time, while they are in the cache.
const BLOCK: usize = 256 << 10;

/// A length in bytes as a size in memory.
pub(crate) fn in_memory(len: u64) -> PyResult<usize> {
    // Python's own sizes are signed.
    isize::try_from(len)
        .map(isize::unsigned_abs)
        .map_err(|_| PyMemoryError::new_err(format!("{len} bytes do not fit into memory")))
}

/// New `bytes` of `len` bytes, filled by `fill` without a copy in between.
pub(crate) fn read_bytes<'py>(
    py: Python<'py>,
    len: u64,
    fill: impl FnOnce(&mut [u8]) -> bytesplice::Result<()> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, in_memory(len)?, |buffer| {
        if len < LARGE { fill(buffer) } else { py.detach(|| fill(buffer)) }.map_err(to_python)
    })
}

/// Where the bytes of a new object go: memory that holds nothing yet.
pub(crate) type Room = [MaybeUninit<u8>];

/// New `bytes` with `len` bytes from `offset` on, filled by `fill`, which is given places in them and their offsets. Bytes that
/// are far away are long in coming, however few they are, and Ctrl-C ends that between two blocks.
pub(crate) fn read_range<'py>(
    py: Python<'py>,
    offset: u64,
    len: u64,
    is_far: bool,
    mut fill: impl FnMut(&mut [u8], u64) -> bytesplice::Result<()> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    if len < LARGE && !is_far {
        return read_bytes(py, len, |buffer| fill(buffer, offset));
    }
    let mut fill = |block: &mut Room, at| {
        block.fill(MaybeUninit::new(0));
        // SAFETY: all of the block was just written.
        fill(unsafe { &mut *(ptr::from_mut(block) as *mut [u8]) }, at)
    };
    let fill = |room: &mut Room| {
        let mut blocks = room.chunks_mut(BLOCK).zip((offset..).step_by(BLOCK));
        if !is_far {
            let all = || blocks.try_for_each(|(block, at)| fill(block, at));
            return py.detach(all).map_err(to_python);
        }
        commit::search(py, None, |report, cancel| {
            blocks.try_for_each(|(block, at)| {
                report(Progress { bytes_done: at - offset, bytes_total: len });
                if cancel.is_requested() { Err(stopped()) } else { fill(block, at) }
            })
        })
    };
    // SAFETY: every block is set to zero.
    unsafe { long_bytes(py, len, fill) }
}

/// That a signal ended it, as its handler says itself.
fn stopped() -> Error {
    Error::Cancelled { path: PathBuf::new(), state: FileState::Unchanged }
}

/// New `bytes` of `len` bytes, filled by `fill`, which is not to hold up other threads.
///
/// # Safety
/// Unless it fails, `fill` writes every byte.
unsafe fn long_bytes<'py>(
    py: Python<'py>,
    len: u64,
    fill: impl FnOnce(&mut Room) -> PyResult<()>,
) -> PyResult<Bound<'py, PyBytes>> {
    let len = in_memory(len)?;
    // SAFETY: Python gives a new object with room for `len` bytes, or null with an exception. Nobody else knows it yet, and
    // the room need not hold anything.
    let (bytes, room) = unsafe {
        let object = ffi::PyBytes_FromStringAndSize(ptr::null(), len as isize);
        let bytes = Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked::<PyBytes>();
        let room = ffi::PyBytes_AsString(object).cast::<MaybeUninit<u8>>();
        (bytes, slice::from_raw_parts_mut(room, len))
    };
    fill(room)?;
    Ok(bytes)
}

/// `len` bytes of the window from `offset` on.
pub(crate) fn bytes_of<'py>(
    py: Python<'py>,
    window: &Window,
    offset: u64,
    len: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    match window.map() {
        Some(map) if len < LARGE => map.read_bytes(py, offset, len as usize),
        // SAFETY: a map fills all of the room.
        Some(map) => unsafe {
            long_bytes(py, len, |room| {
                py.detach(|| map.read_into(room, offset));
                Ok(())
            })
        },
        None => read_range(py, offset, len, false, |buffer, at| window.read(buffer, at)),
    }
}

/// Reads `len` bytes at the position and moves behind them.
pub(crate) fn take<'py>(
    py: Python<'py>,
    window: &mut Window,
    len: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    // The position may lie behind the end, where not even nothing can be read.
    if len == 0 {
        return Ok(PyBytes::new(py, b""));
    }
    let bytes = bytes_of(py, window, window.position, len)?;
    window.position += len;
    Ok(bytes)
}
