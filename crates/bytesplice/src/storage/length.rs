//! Changes of the length of a file to which others may append.
//!
//! Linux has no call that shortens a file only if it still has a certain length. While a write lease is held nobody else can
//! open the file, so the length can be looked at and changed in peace. Where the lease is refused, others have the file open; if
//! none of them is seen to write, or the file system knows no leases, what remains is the instant between the look and the
//! change.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

use super::lease::{self, Answer};
use super::os_file::OsFile;
use super::{StorageFile, writers};

/// Whoever appends a line has the file open for an instant. Others are waited for this often, for so long.
const TRIES: u32 = 500;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Lengthens a file that is `from` bytes long to `to` bytes; false if others appended to it.
pub(super) fn grow(file: &OsFile, from: u64, to: u64) -> io::Result<bool> {
    let alone = lease::while_alone(file.file(), || {
        if file.len()? != from {
            return Ok(false);
        }
        file.set_len(to)?;
        Ok(true)
    });
    if let Answer::Alone(outcome) = alone {
        return outcome;
    }
    if file.len()? != from {
        return Ok(false);
    }
    super::os_file::refuse_past_limit(to)?;
    if !lengthen(file.file(), to)? {
        file.set_len(to)?;
    }
    // What others appended between the look and the call begins at the old end.
    Ok(file.end_of_data(from..to)?.is_none())
}

/// Shortens a file that is `from` bytes long to `to` bytes, durably; false if others appended to it.
///
/// # Errors
/// `ResourceBusy` if others keep the file open for writing, unless that risk is taken.
pub(super) fn cut(file: &OsFile, from: u64, to: u64, despite_writers: bool) -> io::Result<bool> {
    let look_and_cut = || {
        if file.len()? != from {
            return Ok(false);
        }
        file.set_len(to)?;
        // Before others append: should the disk have what they append and not the new length, nobody could tell.
        file.sync_all()?;
        Ok(true)
    };
    for _ in 0..TRIES {
        if let Answer::Alone(outcome) = lease::while_alone(file.file(), look_and_cut) {
            return outcome;
        }
        if despite_writers || writers::of(file.file())?.is_empty() {
            return look_and_cut();
        }
        thread::sleep(BETWEEN_TRIES);
    }
    let writers = writers::of(file.file())?;
    let text = format!("others have it open for writing: {}", writers::listed(&writers));
    Err(io::Error::new(ErrorKind::ResourceBusy, text))
}

/// Shifts a block to and fro behind the end of a file that is `len` bytes long; false if others appended to it.
pub(super) fn try_shift(file: &OsFile, len: u64, block: u64, blocks: u64) -> io::Result<bool> {
    let offset = len.div_ceil(block).saturating_mul(block);
    let tried_len = offset.saturating_add(blocks.saturating_mul(block));
    let to_and_fro = || {
        if file.len()? != len {
            return Ok(false);
        }
        file.set_len(tried_len)?;
        file.insert_range(offset, block)?;
        file.collapse_range(offset, block)?;
        if file.len()? != tried_len {
            return Ok(false);
        }
        file.set_len(len)?;
        Ok(true)
    };
    if let Answer::Alone(outcome) = lease::while_alone(file.file(), to_and_fro) {
        return outcome;
    }
    if writers::of(file.file())?.is_empty() {
        return to_and_fro();
    }
    // The trial ends by a cut. What else would refuse shifts are special files.
    if is_special(file.file()) { Err(ErrorKind::Unsupported.into()) } else { Ok(true) }
}

/// Lengthens the file by a call that never shortens it; false where there is none.
#[cfg(target_os = "linux")]
fn lengthen(file: &File, to: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    let last = to.saturating_sub(1);
    match rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::empty(), last, 1)) {
        Ok(()) => Ok(true),
        Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn lengthen(_file: &File, _to: u64) -> io::Result<bool> {
    Ok(false)
}

/// Whether the inode has a flag with which file systems refuse to shift extents, or its flags are not known: see
/// ioctl_iflags(2).
#[cfg(target_os = "linux")]
fn is_special(file: &File) -> bool {
    use rustix::fs::{IFlags, ioctl_getflags};

    const ENCRYPTED: u32 = 0x800;
    const VERITY: u32 = 0x10_0000;
    let refused = IFlags::IMMUTABLE | IFlags::APPEND | IFlags::JOURNALING | IFlags::COMPRESSED;
    ioctl_getflags(file)
        .map_or(true, |flags| flags.intersects(refused) || flags.bits() & (ENCRYPTED | VERITY) != 0)
}

#[cfg(not(target_os = "linux"))]
fn is_special(_file: &File) -> bool {
    true
}
