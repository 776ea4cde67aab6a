//! What the disk holds, as opposed to what the system has cached.
//!
//! After a failed write-back Linux calls the pages clean, and ext4 reports success for a second write and sync of blocks that
//! were allocated for the first one and then read as zeros. So recovery does not believe a sync, nor a cached page: it reads
//! past the cache. Dropping pages is advice that the system may ignore, hence reads by `O_DIRECT`; where those are refused, the
//! pages are dropped and must be proven absent by reads that do not wait for the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Advice, OFlags, fadvise, fstatfs};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// Reads are of whole blocks of this size, in bytes: at least the sector of the disk.
const BLOCK: u64 = 4096;
/// Longest read, in bytes.
const LONGEST: u64 = 1 << 20;
/// Types of file systems that have no disk: tmpfs and ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Checksums of what was written to a file, by offset, for a look at the disk later.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<BTreeMap<u64, (u64, u32)>>);

impl Written {
    /// Notes a write.
    pub fn note(&self, bytes: &[u8], offset: u64) {
        let entry = (bytes.len() as u64, crc32fast::hash(bytes));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(offset, entry);
    }

    /// Forgets the writes that begin in a range, and gives them.
    fn take(&self, range: &Range<u64>) -> Vec<(Range<u64>, u32)> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken: Vec<_> = written
            .range(range.clone())
            .map(|(&start, &(len, crc))| (start..start + len, crc))
            .collect();
        for (range, _) in &taken {
            written.remove(&range.start);
        }
        taken
    }
}

/// The first write that begins in `ranges` and that the disk does not hold.
///
/// # Errors
/// `Unsupported` if the file system does not let anybody know; else what prevents reading.
pub(super) fn first_lost(
    file: &File,
    written: &Written,
    ranges: &[Range<u64>],
) -> io::Result<Option<Range<u64>>> {
    let disk = Disk::of(file)?;
    for range in ranges {
        for (range, crc) in written.take(range) {
            if let Some(disk) = &disk
                && disk.checksum(&range)? != crc
            {
                return Ok(Some(range));
            }
        }
    }
    Ok(None)
}

/// The first part of `ranges` that the system has cached otherwise than it is on the disk. Ends at the end of the file.
///
/// # Errors
/// `Unsupported` if the file system does not let anybody know; else what prevents reading.
pub(super) fn first_stale(file: &File, ranges: &[Range<u64>]) -> io::Result<Option<Range<u64>>> {
    let Some(disk) = Disk::of(file)? else { return Ok(None) };
    let len = file.metadata()?.len();
    let mut cached = Vec::new();
    for range in ranges {
        let end = range.end.min(len);
        let mut start = range.start;
        while start < end {
            let part = start..end.min(start + LONGEST);
            cached.resize((part.end - part.start) as usize, 0);
            file.read_exact_at(&mut cached, part.start)?;
            if disk.checksum(&part)? != crc32fast::hash(&cached) {
                return Ok(Some(part));
            }
            start = part.end;
        }
    }
    Ok(None)
}

/// How the disk behind a file is read.
struct Disk<'f> {
    file: &'f File,
    /// Reads past the cache; none where the file system refuses that.
    direct: Option<File>,
}

impl<'f> Disk<'f> {
    /// `None` for files in memory.
    fn of(file: &'f File) -> io::Result<Option<Self>> {
        let kind = fstatfs(file)?.f_type as u64 & 0xffff_ffff;
        if IN_MEMORY.contains(&kind) {
            return Ok(None);
        }
        let direct = File::options()
            .read(true)
            .custom_flags(OFlags::DIRECT.bits().cast_signed())
            .open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Ok(Some(Self { file, direct: direct.ok() }))
    }

    /// Checksum of what the disk holds of a range within the file.
    fn checksum(&self, range: &Range<u64>) -> io::Result<u32> {
        let mut crc = crc32fast::Hasher::new();
        let longest = (range.end - range.start + 2 * BLOCK).min(LONGEST + 2 * BLOCK);
        let mut memory = vec![0; (longest + 2 * BLOCK) as usize];
        let border = memory.as_ptr().align_offset(BLOCK as usize).min(BLOCK as usize);
        let mut start = range.start;
        while start < range.end {
            let first = start / BLOCK * BLOCK;
            let end = range.end.min(first + LONGEST);
            let blocks = end.next_multiple_of(BLOCK) - first;
            let buffer = &mut memory[border..border + blocks as usize];
            let count = self.read(buffer, first)?;
            let (from, to) = ((start - first) as usize, (end - first) as usize);
            let bytes = buffer[..count].get(from..to).ok_or(ErrorKind::UnexpectedEof)?;
            crc.update(bytes);
            start = end;
        }
        Ok(crc.finalize())
    }

    /// Reads whole blocks, up to the end of the file.
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        // Also where reads go past the cache: some file systems take a direct read for an ordinary one.
        let _ = fadvise(self.file, offset, NonZeroU64::new(buffer.len() as u64), Advice::DontNeed);
        if let Some(direct) = &self.direct {
            match read_to_end(direct, buffer, offset) {
                Err(error) if is_refusal(&error) => {}
                outcome => return outcome,
            }
        }
        self.prove_absent(offset, buffer.len() as u64)?;
        read_to_end(self.file, buffer, offset)
    }

    /// Fails if a page of the range may still be cached.
    fn prove_absent(&self, offset: u64, len: u64) -> io::Result<()> {
        let end = (offset + len).min(self.file.metadata()?.len());
        for page in (offset..end).step_by(BLOCK as usize) {
            let mut byte = [0];
            let read =
                preadv2(self.file, &mut [IoSliceMut::new(&mut byte)], page, ReadWriteFlags::NOWAIT);
            match read {
                Err(Errno::AGAIN) => {}
                Ok(_) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                    return Err(io::Error::new(ErrorKind::Unsupported, UNKNOWN));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

const UNKNOWN: &str = "the file system reads nothing past its cache, and does not drop what is cached: unmount and mount \
                       it, then recover with RecoverOptions::force, which believes the cache";

fn read_to_end(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], offset + count as u64) {
            // A direct read that is not of whole blocks ended with the file.
            Ok(read) if read == 0 || !(read as u64).is_multiple_of(BLOCK) => {
                return Ok(count + read);
            }
            Ok(read) => count += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

fn is_refusal(error: &io::Error) -> bool {
    [Errno::INVAL, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        // Not in memory, as the directory for temporary files may be.
        let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.sync_all().unwrap();
        file
    }

    #[test]
    fn writes_that_the_disk_does_not_hold_are_found() {
        let bytes: Vec<u8> = (0..3_000_001_u32).map(|number| (number % 251) as u8).collect();
        let file = file(&bytes);
        if Disk::of(&file).unwrap().is_none() {
            println!("SKIPPED: this directory is in memory");
            return;
        }
        let written = Written::default();
        let note = |range: Range<usize>| written.note(&bytes[range.clone()], range.start as u64);
        // Whole blocks, bytes across blocks, more than one read, the end of the file.
        for range in [0..4096, 5000..9000, 10_000..2_500_000, 2_999_990..3_000_001] {
            note(range);
        }
        assert_eq!(
            first_lost(&file, &written, std::slice::from_ref(&(0..u64::MAX))).unwrap(),
            None
        );
        note(5000..9000);
        note(20_000..21_000);
        file.write_all_at(b"!", 20_500).unwrap();
        let lost = first_lost(&file, &written, &[0..10_000, 10_000..u64::MAX]).unwrap();
        assert_eq!(lost, Some(20_000..21_000));
        assert_eq!(
            first_lost(&file, &written, std::slice::from_ref(&(0..u64::MAX))).unwrap(),
            None
        );
    }

    #[test]
    fn the_cache_is_compared_up_to_the_end_of_the_file() {
        let file = file(&[7; 10_001]);
        assert_eq!(first_stale(&file, &[0..100, 9000..20_000]).unwrap(), None);
    }

    #[test]
    fn without_direct_reads_cached_pages_are_not_believed() {
        let file = file(&[7; 10_001]);
        let disk = Disk { file: &file, direct: None };
        match disk.checksum(&(5..10_001)) {
            Ok(crc) => assert_eq!(crc, crc32fast::hash(&[7; 9996])),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
        // A page of a map that is in use cannot be dropped.
        let map = memmap2::MmapOptions::new().map_raw_read_only(&file).unwrap();
        map.advise(memmap2::Advice::PopulateRead).unwrap();
        let error = disk.checksum(&(5..10_001)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
