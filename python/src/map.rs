//! Mapped memory: the only place that reads and stores through a map.
//!
//! The bytes of a map can change at any time, by other maps, other processes and exported views, so no reference to them is
//! ever made: they are copied in and out by pointer. A page that others cut off the file gives SIGBUS when it is touched,
//! as with `mmap` of the standard library.

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::{MmapOptions, MmapRaw};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::io::Errno;

use crate::reading::Room;

/// What stores to a map do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stores {
    /// There are none.
    Refused,
    /// They stay in memory.
    Private,
    /// They are those of the file.
    Shared,
}

/// A mapped part of a file.
pub(crate) struct Map {
    memory: MmapRaw,
    len: usize,
    stores: Stores,
}

impl Map {
    /// Maps `len` bytes of `file` from `start` on, which need not be on a page. Not even one byte is a map.
    pub(crate) fn new(file: &File, start: u64, len: usize, stores: Stores) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        options.offset(start).len(len);
        let memory = match stores {
            Stores::Refused => options.map_raw_read_only(file)?,
            Stores::Shared => options.map_raw(file)?,
            // SAFETY: no reference is made to the memory, here or later: it becomes a raw map at once.
            Stores::Private => unsafe { options.map_copy(file)? }.into(),
        };
        Ok(Self { memory, len, stores })
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether stores are allowed.
    pub(crate) fn is_writable(&self) -> bool {
        self.stores != Stores::Refused
    }

    /// Where the memory begins; valid for [`len`](Self::len) bytes as long as the map lives.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.memory.as_mut_ptr()
    }

    /// The byte at an offset, if it is in the map.
    pub(crate) fn byte(&self, offset: u64) -> Option<u8> {
        let offset = usize::try_from(offset).ok().filter(|&offset| offset < self.len)?;
        // SAFETY: the offset lies inside the map, which is readable.
        Some(unsafe { self.as_ptr().add(offset).read_volatile() })
    }

    /// Fills `buffer` from `offset` on. They lie inside the map.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) {
        // SAFETY: bytes are bytes that may also hold nothing, and `read_into` writes nothing but bytes.
        self.read_into(unsafe { &mut *(std::ptr::from_mut(buffer) as *mut Room) }, offset);
    }

    /// The same where nothing was yet.
    pub(crate) fn read_into(&self, room: &mut Room, offset: u64) {
        let start = self.place(offset, room.len());
        // SAFETY: `place` has checked that these bytes lie inside the map; the room is memory of its own.
        unsafe {
            self.as_ptr().add(start).copy_to_nonoverlapping(room.as_mut_ptr().cast(), room.len());
        }
    }

    /// New `bytes` with `len` bytes from `offset` on. They lie inside the map.
    pub(crate) fn read_bytes<'py>(
        &self,
        py: Python<'py>,
        offset: u64,
        len: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let start = self.place(offset, len);
        // SAFETY: `place` has checked that these bytes lie inside the map; Python copies them into a new object, or
        // gives null with an exception.
        unsafe {
            let start = self.as_ptr().add(start).cast_const();
            let object = pyo3::ffi::PyBytes_FromStringAndSize(start.cast(), len as isize);
            Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
        }
    }

    /// Stores bytes from `offset` on. They lie inside the map, which allows stores.
    pub(crate) fn store(&self, offset: u64, bytes: &[u8]) {
        assert!(self.is_writable(), "a store into a map that allows none");
        let start = self.place(offset, bytes.len());
        // SAFETY: `place` has checked that the place lies inside the map, which is writable. The bytes may be those of
        // a view of it, so that the two may overlap.
        unsafe { self.as_ptr().add(start).copy_from(bytes.as_ptr(), bytes.len()) };
    }

    /// Copies bytes of the map over others of it; the two may overlap. Both lie inside the map, which allows stores.
    pub(crate) fn copy(&self, to: u64, from: Range<u64>) {
        assert!(self.is_writable(), "a store into a map that allows none");
        let len = (from.end - from.start) as usize;
        let (to, from) = (self.place(to, len), self.place(from.start, len));
        // SAFETY: `place` has checked that both lie inside the map, which is writable.
        unsafe { self.as_ptr().add(to).copy_from(self.as_ptr().add(from), len) };
    }

    /// Asks the system to write stores to the disk, and waits for it unless `later`.
    pub(crate) fn flush(&self, range: Range<u64>, later: bool) -> io::Result<()> {
        let (start, len) = (range.start as usize, (range.end - range.start) as usize);
        if later {
            self.memory.flush_async_range(start, len)
        } else {
            self.memory.flush_range(start, len)
        }
    }

    /// Advises the system about a range, by a number of the system.
    ///
    /// Harmless advice takes in the whole page where the map begins, wherever on it that is.
    pub(crate) fn advise(&self, advice: i32, range: Range<u64>) -> io::Result<()> {
        let harmless = (libc::MADV_NORMAL..=libc::MADV_WILLNEED).contains(&advice);
        let len = (range.end - range.start) as usize;
        let start = self.place(range.start, len);
        let page = rustix::param::page_size();
        let skewed = self.as_ptr() as usize % page;
        let before = if harmless && start == 0 { skewed } else { 0 };
        // SAFETY: the range lies inside the map, or begins earlier on its first page, which is the map's alone. As with
        // `mmap`, what the advice does to the contents is the caller's wish; no reference to them exists.
        let failed = unsafe {
            libc::madvise(self.as_ptr().add(start).sub(before).cast(), len + before, advice)
        } != 0;
        if failed {
            Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL).into())
        } else {
            Ok(())
        }
    }

    /// An offset in memory.
    ///
    /// # Panics
    /// Unless that many bytes lie inside the map: a slip here would be a store into foreign memory.
    fn place(&self, offset: u64, len: usize) -> usize {
        let inside = len <= self.len && offset <= (self.len - len) as u64;
        assert!(inside, "{len} bytes at {offset} are not in a map of {} bytes", self.len);
        offset as usize
    }
}
