use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;

use super::extents;
use crate::Strategy;

/// What a file system does with whole extents, tried once on an anonymous temporary file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Files can share blocks (FICLONERANGE).
    pub shares: bool,
    /// Extents can be shifted (INSERT_RANGE, COLLAPSE_RANGE).
    pub shifts: bool,
}

impl Capabilities {
    /// Those of the file system of `directory`, for blocks of `block` bytes. Remembered for the life of the process.
    ///
    /// # Errors
    /// A sentence on why no temporary file can be made there.
    pub fn of(directory: &Path, block: u64) -> Result<Self, String> {
        Self::known_or_probed(directory, block)
            .map_err(|error| format!("no temporary file can be made beside it: {error}"))
    }

    fn known_or_probed(directory: &Path, block: u64) -> io::Result<Self> {
        static KNOWN: Mutex<BTreeMap<(u64, u64), Capabilities>> = Mutex::new(BTreeMap::new());
        // Device numbers are used again for the next file system.
        let file_system = rustix::fs::statvfs(directory)?.f_fsid;
        let key = (directory.metadata()?.dev(), file_system);
        let known = || KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(&capabilities) = known().get(&key) {
            return Ok(capabilities);
        }
        let capabilities = probe(directory, block)?;
        known().insert(key, capabilities);
        Ok(capabilities)
    }

    /// Why a strategy cannot be had on such a file system, if it cannot.
    pub fn refusal(self, strategy: Strategy) -> Option<&'static str> {
        match strategy {
            Strategy::Snapshot if !self.shares => {
                Some("the file system cannot share blocks between files")
            }
            Strategy::Extents if !self.shifts => Some("the file system cannot shift extents"),
            _ => None,
        }
    }
}

fn probe(directory: &Path, block: u64) -> io::Result<Capabilities> {
    // A write past the limit of file sizes would kill the process.
    if super::os_file::file_size_limit().is_some_and(|limit| limit < 8 * block) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let blocks = |count: u64| -> io::Result<File> {
        let file = tempfile::tempfile_in(directory)?;
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![1; (count * block) as usize], 0)?;
        Ok(file)
    };
    let (file, other) = (blocks(3)?, blocks(1)?);
    let supported = |outcome: io::Result<()>| match outcome {
        Ok(()) => Ok(true),
        Err(error) if extents::is_refusal(&error) => Ok(false),
        Err(error) => Err(error),
    };
    Ok(Capabilities {
        shares: supported(extents::clone_range(&file, 0..block, &other, block))?,
        // Recovery tells how far a broken shift got by a map in these blocks: extents on finer borders would deceive it.
        shifts: rustix::fs::fstatvfs(&file)?.f_frsize >= block
            && supported(
                extents::insert_range(&file, block, block)
                    .and_then(|()| extents::collapse_range(&file, block, block)),
            )?,
    })
}

/// Bytes that are free for this user on the file system of `file`.
pub(crate) fn free_space(file: &File) -> io::Result<u64> {
    let statistics = rustix::fs::fstatvfs(file)?;
    Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
}

/// Bytes that are free for this process on the file system of `file`: for root with what is set aside for it.
pub(crate) fn room(file: &File) -> io::Result<u64> {
    let statistics = rustix::fs::fstatvfs(file)?;
    let root = rustix::process::geteuid().is_root();
    let blocks = if root { statistics.f_bfree } else { statistics.f_bavail };
    Ok(blocks.saturating_mul(statistics.f_frsize))
}

/// Allocates the space for a new file of `len` bytes in `directory`, and gives it back at once. The file never has a name, where
/// the file system can do without.
///
/// # Errors
/// What the system answers to whoever creates such a file and writes it: no permission, or no space.
pub(crate) fn try_new_file(directory: &Path, len: u64) -> io::Result<File> {
    let file = nameless(directory)?;
    allocate(&file, len)?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn nameless(directory: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(file.into()),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => tempfile::tempfile_in(directory),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn nameless(directory: &Path) -> io::Result<File> {
    tempfile::tempfile_in(directory)
}

/// Takes the space, or asks for what is free where there is much to take: in memory that would be slow.
#[cfg(target_os = "linux")]
fn allocate(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    const MOST: u64 = 256 << 20;
    // Past the limit of file sizes a signal would kill the process.
    let taken = len.min(MOST).min(super::os_file::file_size_limit().unwrap_or(u64::MAX));
    let untried = || if room(file)? < len { Err(Errno::NOSPC.into()) } else { Ok(()) };
    if taken == 0 {
        return Ok(());
    }
    match rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::KEEP_SIZE, 0, taken)) {
        Ok(()) if taken == len => Ok(()),
        Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => untried(),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(file: &File, len: u64) -> io::Result<()> {
    if room(file)? < len { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

/// About which share of `start..end` is in the page cache, by a few samples that do not wait for the disk.
pub(crate) fn cached_share(file: &File, start: u64, end: u64) -> f64 {
    const SAMPLES: u64 = 32;
    let step = (end.saturating_sub(start) / SAMPLES).max(4096);
    let (mut samples, mut cached) = (0, 0);
    let mut offset = start;
    while offset < end && samples < SAMPLES {
        samples += 1;
        cached += u64::from(is_cached(file, offset));
        offset += step;
    }
    if samples == 0 { 1.0 } else { cached as f64 / samples as f64 }
}

#[cfg(target_os = "linux")]
fn is_cached(file: &File, offset: u64) -> bool {
    let mut byte = [0];
    let mut buffers = [io::IoSliceMut::new(&mut byte)];
    let flags = rustix::io::ReadWriteFlags::NOWAIT;
    // A file system that does not know the flag counts as cached: its samples say nothing.
    !matches!(rustix::io::preadv2(file, &mut buffers, offset, flags), Err(rustix::io::Errno::AGAIN))
}

#[cfg(not(target_os = "linux"))]
fn is_cached(_file: &File, _offset: u64) -> bool {
    true
}
