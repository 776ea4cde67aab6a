//! What some file systems do with whole extents instead of bytes: shift, share, punch and list them.
//!
//! See fallocate(2), ioctl_ficlonerange(2) and lseek(2). Elsewhere than on Linux all of it is `Unsupported`, and a file
//! is one range of data.

use std::io;
use std::ops::Range;

pub(crate) use system::{clone_range, collapse_range, data_ranges, insert_range, punch_hole};

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

    pub fn clone_range(
        _source: &File,
        _range: Range<u64>,
        _target: &File,
        _offset: u64,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
