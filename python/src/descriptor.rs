//! From the number of a file descriptor to a file of our own.

use std::fs::File;

use bytesplice::{LockMode, OpenOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::errors::{os_error, to_python};
use crate::window::Tracked;

/// Opens the file behind `number` again, for stores that a commit writes if `writes`.
///
/// Asks for the permissions that `mmap` asks for: the descriptor must be readable, and writable if `writes`. An
/// earlier commit that was cut short is finished here, if `writes`.
///
/// # Errors
/// `OSError` for a descriptor that is not open, `PermissionError` for one without the permissions or a file that
/// cannot be opened again, and what opening can say.
pub(crate) fn reopen(py: Python<'_>, number: i32, writes: bool) -> PyResult<Tracked> {
    refuse_unless_regular(py, number)?;
    let modes = modes(py, number)? & OFlags::RWMODE;
    if modes == OFlags::WRONLY || (writes && modes != OFlags::RDWR) {
        let needed = if writes { "reading and writing" } else { "reading" };
        return Err(os_error(
            Errno::ACCESS,
            format!("Permission denied: the descriptor is not open for {needed}"),
        ));
    }
    open(py, path(number), writes)
}

/// Memory of `len` zeros that no file has: a file without a name, in memory.
///
/// # Errors
/// What the system says against it.
#[cfg(target_os = "linux")]
pub(crate) fn memory(py: Python<'_>, len: u64, writes: bool) -> PyResult<Tracked> {
    let made = rustix::fs::memfd_create("bytesplice", rustix::fs::MemfdFlags::CLOEXEC);
    let file = made.map(File::from).map_err(|errno| os_error(errno, errno.to_string()))?;
    file.set_len(len)?;
    open(py, path(std::os::fd::AsRawFd::as_raw_fd(&file)), writes)
}

/// Memory that no file has: here there is none.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory(_py: Python<'_>, _len: u64, _writes: bool) -> PyResult<Tracked> {
    Err(PyValueError::new_err(
        "bytesplice maps files only: for anonymous memory use the standard mmap",
    ))
}

fn open(py: Python<'_>, path: String, writes: bool) -> PyResult<Tracked> {
    let opened = py.detach(|| -> Result<Tracked, Failure> {
        let file = File::options().read(true).write(writes).open(path)?;
        let descriptor = file.try_clone()?;
        let file = OpenOptions::new()
            .read_only(!writes)
            .lock(LockMode::None)
            .history_limit(0)
            .from_file(file)?;
        Ok(Tracked { file, descriptor })
    });
    let opened = opened.map_err(|failure| match failure {
        Failure::System(error) => {
            os_error(Errno::from_io_error(&error).unwrap_or(Errno::IO), error.to_string())
        }
        Failure::Library(error) => to_python(error),
    })?;
    if writes && opened.file.is_read_only() {
        let path = opened.file.path().into();
        return Err(to_python(bytesplice::Error::PermissionDenied { path }));
    }
    Ok(opened)
}

enum Failure {
    System(std::io::Error),
    Library(bytesplice::Error),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::System(error)
    }
}

impl From<bytesplice::Error> for Failure {
    fn from(error: bytesplice::Error) -> Self {
        Self::Library(error)
    }
}

/// The size of the file behind the descriptor, in bytes, if it can be asked for.
pub(crate) fn size_on_disk(py: Python<'_>, number: i32) -> Option<u64> {
    py.import("os")
        .ok()?
        .call_method1("fstat", (number,))
        .ok()?
        .getattr("st_size")
        .ok()?
        .extract()
        .ok()
}

/// The length of a window on a file of `size` bytes.
///
/// # Errors
/// `ValueError` if it does not lie inside the file.
pub(crate) fn window_len(offset: u64, length: u64, size: u64) -> PyResult<u64> {
    match length {
        // An empty file can be mapped here, but not the nothing behind a file.
        0 if offset > size || (offset == size && size > 0) => {
            Err(PyValueError::new_err("mmap offset is greater than file size"))
        }
        0 => Ok(size - offset),
        _ if offset > size || size - offset < length => {
            Err(PyValueError::new_err("mmap length is greater than file size"))
        }
        _ => Ok(length),
    }
}

/// Opening a pipe or a device again may block or do worse, so the kind is looked at first.
fn refuse_unless_regular(py: Python<'_>, number: i32) -> PyResult<()> {
    let mode = py.import("os")?.call_method1("fstat", (number,))?.getattr("st_mode")?;
    if py.import("stat")?.call_method1("S_ISREG", (mode,))?.is_truthy()? {
        return Ok(());
    }
    // What mapping a directory or a pipe answers.
    Err(os_error(Errno::NODEV, "No such device: only regular files can be mapped"))
}

/// The flags that the descriptor was opened with, by way of Python: a bare number is no safe handle in Rust.
fn modes(py: Python<'_>, number: i32) -> PyResult<OFlags> {
    let fcntl = py.import("fcntl")?;
    let flags: i32 = fcntl.call_method1("fcntl", (number, fcntl.getattr("F_GETFL")?))?.extract()?;
    Ok(OFlags::from_bits_retain(flags as _))
}

/// Opening this name makes a new open file description, where `dup` would share the caller's.
fn path(number: i32) -> String {
    if cfg!(target_os = "linux") {
        format!("/proc/self/fd/{number}")
    } else {
        format!("/dev/fd/{number}")
    }
}
