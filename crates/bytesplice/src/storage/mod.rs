//! What a commit needs from the system, and the only seam at which tests replace it.
//!
//! [`Storage`] is one target file, the journal beside it and the directory that names the journal. The engine is
//! generic over it: [`os`] is the real thing, [`simulated`] forgets what was not synced.

use std::io;
use std::ops::Range;

pub(crate) mod backup;
pub(crate) mod capabilities;
pub(crate) mod directory;
#[cfg(target_os = "linux")]
mod disk;
pub(crate) mod extents;
pub(crate) mod lease;
mod length;
pub(crate) mod mark;
mod metadata;
pub(crate) mod mount;
pub(crate) mod os;
pub(crate) mod os_file;
pub(crate) mod record_lock;
pub(crate) mod replacement;
#[cfg(any(test, feature = "simulation"))]
pub(crate) mod simulated;
mod write_behind;
pub(crate) mod writers;

/// A file that is read and written at offsets. Offsets and lengths are bytes.
pub(crate) trait StorageFile: Sync {
    /// What stays the same for this inode over every remount and every write.
    fn inode(&self) -> io::Result<InodeIdentity>;

    /// Length of the file.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on; `UnexpectedEof` when the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`; the file grows when they reach past its end.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or lengthens (with zeros) the file.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes contents and length durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;

    /// Makes contents, length and marks durable (fsync).
    fn sync_all(&self) -> io::Result<()>;

    /// Opens a gap of zeros; offset and length are whole blocks, the offset lies within the file. Not atomic: a failure
    /// or a crash may leave it half done.
    fn insert_range(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Takes bytes out; offset and length are whole blocks, the file goes on behind them. Not atomic either.
    fn collapse_range(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes a hole of whole blocks within the file.
    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()>;

    /// What lies between the holes from `start` to the end of the file, ascending.
    fn data_ranges(&self, start: u64) -> io::Result<Vec<Range<u64>>>;

    /// Where the first byte of a range is that is not zero; none if all are, as far as the file reaches.
    fn start_of_data(&self, range: Range<u64>) -> io::Result<Option<u64>> {
        for part in parts_of_data(self, &range)? {
            if let Some((first, _)) = nonzero(self, part)? {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    /// Where the last byte of a range ends that is not zero; none if all are, as far as the file reaches.
    fn end_of_data(&self, range: Range<u64>) -> io::Result<Option<u64>> {
        for part in parts_of_data(self, &range)?.into_iter().rev() {
            if let Some((_, end)) = nonzero(self, part)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Lets this file share the blocks of a range of `source` from `offset` on. All are whole blocks, but that the range
    /// may end with its file.
    fn share(&self, source: &Self, range: Range<u64>, offset: u64) -> io::Result<()>;

    /// Drops what is cached and clean, so that reads come from the disk. A hint: it cannot fail.
    fn forget_cached(&self);

    /// Lets the system begin to write the range to the disk, so that the next sync has less to wait for. A hint: it
    /// cannot fail, and promises nothing.
    fn start_writing(&self, offset: u64, len: u64);

    /// Tells the system that the range will be read soon. A hint: it cannot fail.
    fn will_read(&self, offset: u64, len: u64);

    /// Tells the system that what is cached of the ranges may go, where it is on the disk. A hint: it cannot fail.
    fn will_not_read(&self, ranges: &[Range<u64>]);

    /// Whether calls on this file have changed bytes of it, or may have: writes, also short ones, punched holes, shifts and
    /// shared blocks. Changes of the length do not count, as they can be measured. True where that is not known.
    fn may_have_changed_bytes(&self) -> bool {
        true
    }

    /// Notes from now on what is written, for [`first_lost`](Self::first_lost).
    fn note_writes(&self) {}

    /// The first write that was noted, begins in `ranges` and is not what the disk holds, though it was synced: after an
    /// earlier write-back failed, a sync may succeed without that. The writes are forgotten.
    fn first_lost(&self, _ranges: &[Range<u64>]) -> io::Result<Option<Range<u64>>> {
        Ok(None)
    }

    /// The first part of `ranges` that is read otherwise than the disk holds it.
    fn first_stale(&self, _ranges: &[Range<u64>]) -> io::Result<Option<Range<u64>>> {
        Ok(None)
    }

    /// Whether the commit waits for the disk in the end, so that copying faster would gain nothing.
    fn waits_for_disk(&self) -> bool;
}

/// What is no hole in a range, in parts of at most 64 KiB.
fn parts_of_data(
    file: &(impl StorageFile + ?Sized),
    range: &Range<u64>,
) -> io::Result<Vec<Range<u64>>> {
    const PART: usize = 64 << 10;
    let mut parts = Vec::new();
    for data in file.data_ranges(range.start)? {
        let end = data.end.min(range.end);
        let starts = (data.start.max(range.start)..end).step_by(PART);
        parts.extend(starts.map(|start| start..end.min(start + PART as u64)));
    }
    Ok(parts)
}

/// Where the first byte of a short range is that is not zero, and where the last one ends.
fn nonzero(
    file: &(impl StorageFile + ?Sized),
    range: Range<u64>,
) -> io::Result<Option<(u64, u64)>> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut bytes, range.start)?;
    let first = bytes.iter().position(|&byte| byte != 0);
    let last = bytes.iter().rposition(|&byte| byte != 0);
    let place = |at: usize| range.start + at as u64;
    Ok(first.zip(last).map(|(first, last)| (place(first), place(last) + 1)))
}

/// A target file with its journal.
pub(crate) trait Storage: Sync {
    /// Both the target and the journal.
    type File: StorageFile;

    /// Does both, at the same time if that helps, in any order if not.
    fn both<A, B: Send>(&self, one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send)
    -> (A, B);

    /// The file that is committed.
    fn target(&self) -> &Self::File;

    /// Allocates the blocks of `offset..offset + len` of the target without changing its length, so that writing
    /// them later cannot run out of space. File systems that cannot promise this answer success.
    fn reserve(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Lengthens the target, which is `from` bytes long, to `to` bytes, with zeros. False if it has another length: others
    /// appended to it. Then it may have been lengthened all the same, so that zeros follow what was appended; nothing is lost.
    fn grow(&self, from: u64, to: u64) -> io::Result<bool>;

    /// Shortens the target, which is `from` bytes long, to `to` bytes, durably. False if it has another length: others appended to
    /// it. While others have the file open for writing nothing can keep them from appending between the last look and the
    /// shortening, so that is an error, unless the user takes the risk.
    fn cut(&self, from: u64, to: u64) -> io::Result<bool>;

    /// Shifts a block to and fro behind the end of the target, which is `len` bytes long and keeps that length: whether
    /// the system refuses this for this very file is known only then. Meanwhile the target is up to `blocks` longer. False
    /// if others appended to it.
    fn try_shift(&self, len: u64, block: u64, blocks: u64) -> io::Result<bool>;

    /// The mark on the target's inode.
    fn mark(&self) -> io::Result<Mark>;

    /// Puts a mark on the inode, durable after the target's next `sync_all`; false where inodes cannot be marked.
    fn set_mark(&self, nonce: u64) -> io::Result<bool>;

    /// Takes the mark off, durable after the target's next `sync_all`.
    fn clear_mark(&self) -> io::Result<()>;

    /// Creates the journal; `AlreadyExists` when there is one.
    fn create_journal(&self) -> io::Result<Self::File>;

    /// The journal, if there is one.
    fn open_journal(&self) -> io::Result<Option<Self::File>>;

    /// Unlinks the journal, durable after the next `sync_directory`.
    fn remove_journal(&self) -> io::Result<()>;

    /// Makes the creation or removal of the journal durable.
    fn sync_directory(&self) -> io::Result<()>;
}

/// Tells one inode from another across reboots: never the device number, which changes with the next mount, nor
/// modification times, which commits change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InodeIdentity {
    /// Inode number.
    pub inode: u64,
    /// Birth of the inode in nanoseconds since 1970, where the file system knows it; else 0. An inode number is
    /// used again after its file is deleted, a birth is not.
    pub birth: u64,
}

/// The note on an inode that a commit is under way: it finds the journal again after a rename, and through another
/// hard link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The file system cannot mark inodes.
    Unsupported,
    /// No commit is under way.
    Absent,
    /// The commit whose journal has this nonce is under way.
    Present(u64),
}
