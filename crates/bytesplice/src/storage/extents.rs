//! What some file systems do with whole extents instead of bytes: shift, share, punch and list them.
//!
//! See fallocate(2), ioctl_ficlonerange(2), lseek(2) and the kernel's filesystems/fiemap.rst. Elsewhere than on Linux all of it is `Unsupported`, and a file
//! is one range of data.

use std::io;
use std::ops::Range;

pub(crate) use system::{
    clone_range, collapse_range, data_ranges, has_preallocated, insert_range, punch_hole,
};

/// Whether an answer of the system means that the file, its file system or its alignment does not allow the call at all.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let refusals = [
        Errno::NOTSUP,
        Errno::NOSYS,
        Errno::INVAL,
        Errno::XDEV,
        Errno::NOTTY,
        Errno::PERM,
        Errno::TXTBSY,
        Errno::FBIG,
    ];
    error.kind() == io::ErrorKind::Unsupported
        || Errno::from_io_error(error).is_some_and(|errno| refusals.contains(&errno))
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
    use rustix::io::Errno;

    use super::*;

    /// Opens a gap of `len` bytes at `offset`, both multiples of the file system's block; a crash may leave it half
    /// done.
    pub fn insert_range(file: &File, offset: u64, len: u64) -> io::Result<()> {
        Ok(fallocate(file, FallocateFlags::INSERT_RANGE, offset, len)?)
    }

    /// Takes `len` bytes out at `offset`, both multiples of the file system's block; a crash may leave it half done.
    pub fn collapse_range(file: &File, offset: u64, len: u64) -> io::Result<()> {
        Ok(fallocate(file, FallocateFlags::COLLAPSE_RANGE, offset, len)?)
    }

    /// Makes the range read as zeros and gives its space back.
    pub fn punch_hole(file: &File, offset: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::io::retry_on_intr(|| fallocate(file, flags, offset, len))?)
    }

    /// What lies between the holes from `start` to the end of the file, ascending.
    pub fn data_ranges(file: &File, start: u64) -> io::Result<Vec<Range<u64>>> {
        let mut ranges = Vec::new();
        let mut position = start;
        loop {
            let data = match seek(file, SeekFrom::Data(position)) {
                Ok(data) => data,
                Err(Errno::NXIO) => return Ok(ranges),
                // No such notion here: all is data.
                Err(Errno::INVAL | Errno::NOTSUP) => {
                    let len = file.metadata()?.len();
                    return Ok(if start < len {
                        std::iter::once(start..len).collect()
                    } else {
                        ranges
                    });
                }
                Err(error) => return Err(error.into()),
            };
            let hole = seek(file, SeekFrom::Hole(data))?;
            if hole <= data {
                return Err(io::ErrorKind::InvalidData.into());
            }
            ranges.push(data..hole);
            position = hole;
        }
    }

    /// Whether blocks of the range are allocated but were never written. Bytes that were not written to the disk yet may
    /// count as such.
    pub fn has_preallocated(file: &File, range: Range<u64>) -> io::Result<bool> {
        use rustix::ioctl::{Updater, ioctl, opcode};

        /// `struct fiemap_extent` of linux/fiemap.h.
        #[repr(C)]
        #[derive(Clone, Copy, Default)]
        struct Extent {
            logical: u64,
            physical: u64,
            len: u64,
            reserved64: [u64; 2],
            flags: u32,
            reserved: [u32; 3],
        }
        /// The fixed part of `struct fiemap`.
        #[repr(C)]
        #[derive(Default)]
        struct Head {
            start: u64,
            len: u64,
            flags: u32,
            mapped: u32,
            room: u32,
            reserved: u32,
        }
        /// `struct fiemap` with room for some extents.
        #[repr(C)]
        struct Fiemap {
            head: Head,
            extents: [Extent; ROOM],
        }
        const ROOM: usize = 256;
        const LAST: u32 = 0x1;
        const UNWRITTEN: u32 = 0x800;
        const FS_IOC_FIEMAP: rustix::ioctl::Opcode = opcode::read_write::<Head>(b'f', 11);

        let mut position = range.start;
        while position < range.end {
            let mut answer = Fiemap {
                head: Head {
                    start: position,
                    len: range.end - position,
                    room: ROOM as u32,
                    ..Head::default()
                },
                extents: [Extent::default(); ROOM],
            };
            // SAFETY: FS_IOC_FIEMAP takes a pointer to `struct fiemap` and writes to it and to at most `room` extents
            // behind it, which are there.
            unsafe { ioctl(file, Updater::<FS_IOC_FIEMAP, Fiemap>::new(&mut answer)) }?;
            let found = answer.head.mapped as usize;
            let Some(found @ [.., last]) = answer.extents.get(..found) else {
                return Ok(false);
            };
            if found.iter().any(|extent| extent.flags & UNWRITTEN != 0) {
                return Ok(true);
            }
            let end = last.logical.saturating_add(last.len);
            if last.flags & LAST != 0 || end <= position {
                return Ok(false);
            }
            position = end;
        }
        Ok(false)
    }

    /// Lets `target` share the blocks of `range` of `source` from `offset` on. All are multiples of the file system's
    /// block, but that the range may end with its file.
    pub fn clone_range(
        source: &File,
        range: Range<u64>,
        target: &File,
        offset: u64,
    ) -> io::Result<()> {
        use rustix::ioctl::{Setter, ioctl, opcode};

        /// `struct file_clone_range` of linux/fs.h.
        #[repr(C)]
        struct FileCloneRange {
            source: i64,
            source_offset: u64,
            source_len: u64,
            destination_offset: u64,
        }
        const FICLONERANGE: rustix::ioctl::Opcode = opcode::write::<FileCloneRange>(0x94, 13);

        let argument = FileCloneRange {
            source: i64::from(source.as_raw_fd()),
            source_offset: range.start,
            source_len: range.end - range.start,
            destination_offset: offset,
        };
        // SAFETY: FICLONERANGE takes a pointer to `struct file_clone_range`, which it only reads; the descriptor in it
        // is open for the whole call, because `source` is borrowed.
        unsafe { ioctl(target, Setter::<FICLONERANGE, FileCloneRange>::new(argument)) }?;
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;

    use super::*;

    pub fn insert_range(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn collapse_range(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn punch_hole(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn data_ranges(file: &File, start: u64) -> io::Result<Vec<Range<u64>>> {
        let len = file.metadata()?.len();
        Ok(if start < len { std::iter::once(start..len).collect() } else { Vec::new() })
    }

    pub fn has_preallocated(_file: &File, _range: Range<u64>) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn clone_range(
        _source: &File,
        _range: Range<u64>,
        _target: &File,
        _offset: u64,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
