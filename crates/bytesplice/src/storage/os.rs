//! Real files: the only system calls of a commit.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use super::write_behind::WriteBehind;
use super::{InodeIdentity, Mark, Storage, StorageFile, extents};
use crate::threads;

/// Longest file name on all supported systems, in bytes.
const NAME_MAX: usize = 255;

/// A target, the journal beside it, and their directory.
#[derive(Debug)]
pub(crate) struct OsStorage {
    target: OsFile,
    journal: PathBuf,
    synced: bool,
}

/// An open file whose syncs may be off.
#[derive(Debug)]
pub(crate) struct OsFile {
    file: Arc<File>,
    synced: bool,
    write_behind: WriteBehind,
    /// Whether bytes of the file were changed, or may have been, by calls on this.
    changed: AtomicBool,
}

impl OsFile {
    /// The file; without `synced` its syncs do nothing.
    pub fn new(file: Arc<File>, synced: bool) -> Self {
        let (write_behind, changed) = (WriteBehind::default(), AtomicBool::new(false));
        Self { file, synced, write_behind, changed }
    }

    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }
}

impl OsStorage {
    /// The storage of the file at `path`, which has no symlinks. Its journal is where the mark on the inode says, if
    /// there is one, and else beside the path. Without `synced` no call waits for the disk.
    ///
    /// # Errors
    /// When the mark cannot be read.
    pub fn new(file: Arc<File>, path: &Path, synced: bool) -> io::Result<Self> {
        let beside = journal_beside(path);
        let journal = match xattr::read(&file)? {
            xattr::Value::Present { journal, .. } => {
                // The directory may have moved, with the journal in it.
                let moved = journal.file_name().map(|name| path.with_file_name(name));
                [Some(journal.clone()), moved, Some(beside)]
                    .into_iter()
                    .flatten()
                    .find(|candidate| candidate.symlink_metadata().is_ok())
                    .unwrap_or(journal)
            }
            xattr::Value::Absent | xattr::Value::Unsupported => beside,
        };
        Ok(Self { target: OsFile::new(file, synced), journal, synced })
    }

    /// Where the journal is, or would be.
    pub fn journal_path(&self) -> &Path {
        &self.journal
    }

    /// Whether there is a journal or a mark: whether an earlier commit was cut short, or one is under way.
    pub fn has_traces(&self) -> io::Result<bool> {
        Ok(matches!(self.mark()?, Mark::Present(_)) || self.open_journal_read_only()?.is_some())
    }

    /// The journal, if there is one, for looking at it.
    pub fn open_journal_read_only(&self) -> io::Result<Option<OsFile>> {
        self.open_journal_with(OpenOptions::new().read(true))
    }

    fn open_directory(&self) -> io::Result<File> {
        File::open(self.journal.parent().unwrap_or(Path::new("/")))
    }

    fn open_journal_with(&self, options: &mut OpenOptions) -> io::Result<Option<OsFile>> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        match options.custom_flags(flags.bits().cast_signed()).open(&self.journal) {
            Ok(file) if file.metadata()?.is_file() => {
                Ok(Some(OsFile::new(Arc::new(file), self.synced)))
            }
            Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl OsFile {
    fn note_change(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// For file systems that have no holes.
    fn write_zeros(&self, offset: u64, len: u64) -> io::Result<()> {
        let zeros = vec![0; len.min(1 << 20) as usize];
        let mut written = 0;
        while written < len {
            let part = &zeros[..(len - written).min(zeros.len() as u64) as usize];
            self.write_all_at(part, offset + written)?;
            written += part.len() as u64;
        }
        Ok(())
    }
}

impl StorageFile for OsFile {
    fn inode(&self) -> io::Result<InodeIdentity> {
        let metadata = self.file.metadata()?;
        let birth = metadata.created().ok().and_then(|birth| birth.duration_since(UNIX_EPOCH).ok());
        Ok(InodeIdentity {
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
            birth: birth.map_or(0, |birth| birth.as_nanos() as u64),
        })
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        refuse_past_limit(offset.saturating_add(bytes.len() as u64))?;
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write_at(&bytes[written..], offset + written as u64) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.note_change();
                    written += count;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.len()? {
            refuse_past_limit(len)?;
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.synced { self.file.sync_data() } else { Ok(()) }
    }

    fn sync_all(&self) -> io::Result<()> {
        if self.synced { self.file.sync_all() } else { Ok(()) }
    }

    fn insert_range(&self, offset: u64, len: u64) -> io::Result<()> {
        refuse_past_limit(self.len()?.saturating_add(len))?;
        // A shift that failed may be half done.
        self.note_change();
        extents::insert_range(&self.file, offset, len)
    }

    fn collapse_range(&self, offset: u64, len: u64) -> io::Result<()> {
        self.note_change();
        extents::collapse_range(&self.file, offset, len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        match extents::punch_hole(&self.file, offset, len) {
            Err(error) if extents::is_refusal(&error) => self.write_zeros(offset, len),
            outcome => {
                // A hole that could not be punched may be half done.
                self.note_change();
                outcome
            }
        }
    }

    fn data_ranges(&self, start: u64) -> io::Result<Vec<Range<u64>>> {
        extents::data_ranges(&self.file, start)
    }

    fn share(&self, source: &Self, range: Range<u64>, offset: u64) -> io::Result<()> {
        refuse_past_limit(offset.saturating_add(range.end - range.start))?;
        self.note_change();
        extents::clone_range(&source.file, range, &self.file, offset)
    }

    fn forget_cached(&self) {
        advice::forget_cached(&self.file, 0, None);
    }

    fn start_writing(&self, offset: u64, len: u64) {
        if self.synced {
            self.write_behind.start(&self.file, offset, len);
        }
    }

    fn will_read(&self, offset: u64, len: u64) {
        advice::will_read(&self.file, offset, len);
    }

    fn will_not_read(&self, ranges: &[Range<u64>]) {
        for range in ranges {
            let len = NonZeroU64::new(range.end.saturating_sub(range.start));
            if len.is_some() {
                advice::forget_cached(&self.file, range.start, len);
            }
        }
    }

    fn may_have_changed_bytes(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    fn waits_for_disk(&self) -> bool {
        self.synced
    }
}

impl Storage for OsStorage {
    type File = OsFile;

    fn both<A, B: Send>(
        &self,
        one: impl FnOnce() -> A,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        threads::join(one, other)
    }

    fn target(&self) -> &OsFile {
        &self.target
    }

    fn reserve(&self, offset: u64, len: u64) -> io::Result<()> {
        advice::reserve(&self.target.file, offset, len)
    }

    fn mark(&self) -> io::Result<Mark> {
        Ok(match xattr::read(&self.target.file)? {
            xattr::Value::Unsupported => Mark::Unsupported,
            xattr::Value::Absent => Mark::Absent,
            xattr::Value::Present { nonce, .. } => Mark::Present(nonce),
        })
    }

    fn set_mark(&self, nonce: u64) -> io::Result<bool> {
        xattr::write(&self.target.file, nonce, &self.journal)
    }

    fn clear_mark(&self) -> io::Result<()> {
        xattr::remove(&self.target.file)
    }

    fn create_journal(&self) -> io::Result<OsFile> {
        if self.synced {
            // A directory that cannot be read cannot be synced: better to know now.
            self.open_directory()?;
        }
        // As secret as the file itself may be: it holds parts of it.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.journal)?;
        Ok(OsFile::new(Arc::new(file), self.synced))
    }

    fn open_journal(&self) -> io::Result<Option<OsFile>> {
        self.open_journal_with(OpenOptions::new().read(true).write(true))
    }

    fn remove_journal(&self) -> io::Result<()> {
        std::fs::remove_file(&self.journal)
    }

    fn sync_directory(&self) -> io::Result<()> {
        if !self.synced {
            return Ok(());
        }
        self.open_directory()?.sync_all()
    }
}

/// Longest file that this process may write, in bytes (`ulimit -f`); none if there is no limit.
pub(crate) fn file_size_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current
}

/// Fails where the system would kill the process, as it does by default for a write past the limit.
fn refuse_past_limit(end: u64) -> io::Result<()> {
    match file_size_limit() {
        Some(limit) if end > limit => Err(ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}

/// The journal of the file at `path`: `.NAME.bytesplice`.
pub(crate) fn journal_beside(path: &Path) -> PathBuf {
    beside(path, ".bytesplice")
}

/// `.NAME` and the suffix, in the directory of the file; a long name is shortened and made distinct by a checksum.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let mut neighbour = vec![b'.'];
    if 1 + name.len() + suffix.len() <= NAME_MAX {
        neighbour.extend_from_slice(name);
    } else {
        let distinct = format!("~{:08x}", crc32fast::hash(name));
        neighbour.extend_from_slice(&name[..NAME_MAX - 1 - distinct.len() - suffix.len()]);
        neighbour.extend_from_slice(distinct.as_bytes());
    }
    neighbour.extend_from_slice(suffix.as_bytes());
    path.with_file_name(OsStr::from_bytes(&neighbour))
}

/// The mark: an extended attribute with the nonce and the path of the journal.
mod xattr {
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};

    use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
    use rustix::io::Errno;

    #[cfg(target_os = "macos")]
    const NAME: &str = "bytesplice";
    #[cfg(not(target_os = "macos"))]
    const NAME: &str = "user.bytesplice";
    #[cfg(target_os = "macos")]
    const MISSING: Errno = Errno::NOATTR;
    #[cfg(not(target_os = "macos"))]
    const MISSING: Errno = Errno::NODATA;

    pub enum Value {
        Unsupported,
        Absent,
        Present { nonce: u64, journal: PathBuf },
    }

    pub fn read(file: &File) -> io::Result<Value> {
        let mut buffer = vec![0; 8 + 4096];
        match fgetxattr(file, NAME, &mut buffer[..]) {
            Ok(len) if len > 8 => {
                let (nonce, journal) = buffer[..len].split_at(8);
                let nonce = nonce.iter().rev().fold(0, |nonce, &byte| nonce << 8 | u64::from(byte));
                Ok(Value::Present { nonce, journal: OsStr::from_bytes(journal).into() })
            }
            Ok(_) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the mark on the inode is damaged"))
            }
            Err(MISSING) => Ok(Value::Absent),
            Err(Errno::NOTSUP | Errno::NOSYS) => Ok(Value::Unsupported),
            Err(error) => Err(error.into()),
        }
    }

    pub fn write(file: &File, nonce: u64, journal: &Path) -> io::Result<bool> {
        let value = [&nonce.to_le_bytes()[..], journal.as_os_str().as_bytes()].concat();
        match fsetxattr(file, NAME, &value, XattrFlags::empty()) {
            Ok(()) => Ok(true),
            // No attributes here, or no room for one: the journal is then found by its name only.
            Err(
                Errno::NOTSUP
                | Errno::NOSYS
                | Errno::NOSPC
                | Errno::DQUOT
                | Errno::RANGE
                | Errno::TOOBIG,
            ) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub fn remove(file: &File) -> io::Result<()> {
        match fremovexattr(file, NAME) {
            Ok(()) | Err(MISSING | Errno::NOTSUP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the system is told ahead of time.
#[cfg(target_os = "linux")]
mod advice {
    use std::fs::File;
    use std::io;
    use std::num::NonZeroU64;

    use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
    use rustix::io::Errno;

    pub fn reserve(file: &File, offset: u64, len: u64) -> io::Result<()> {
        match rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::KEEP_SIZE, offset, len))
        {
            Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Without a length: up to the end.
    pub fn forget_cached(file: &File, offset: u64, len: Option<NonZeroU64>) {
        let _ = fadvise(file, offset, len, Advice::DontNeed);
    }

    pub fn will_read(file: &File, offset: u64, len: u64) {
        let _ = fadvise(file, offset, NonZeroU64::new(len), Advice::WillNeed);
    }
}

#[cfg(not(target_os = "linux"))]
mod advice {
    use std::fs::File;
    use std::io;
    use std::num::NonZeroU64;

    pub fn reserve(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    pub fn forget_cached(_file: &File, _offset: u64, _len: Option<NonZeroU64>) {}

    pub fn will_read(_file: &File, _offset: u64, _len: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_changed_bytes_is_noted() {
        let full =
            OsFile::new(Arc::new(File::options().write(true).open("/dev/full").unwrap()), false);
        let error = full.write_all_at(b"bytes", 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(!full.may_have_changed_bytes());

        let file = OsFile::new(Arc::new(tempfile::tempfile().unwrap()), false);
        assert!(!file.may_have_changed_bytes());
        file.set_len(3).unwrap();
        assert!(!file.may_have_changed_bytes());
        file.write_all_at(b"bytes", 0).unwrap();
        assert!(file.may_have_changed_bytes());

        let file = OsFile::new(Arc::new(tempfile::tempfile().unwrap()), false);
        file.set_len(8192).unwrap();
        file.punch_hole(0, 4096).unwrap();
        assert!(file.may_have_changed_bytes());
    }

    #[test]
    fn the_journal_has_a_name_of_its_own_beside_the_file() {
        assert_eq!(journal_beside(Path::new("/a/b")), Path::new("/a/.b.bytesplice"));
        let [one, other] = ["x", "y"].map(|end| {
            let journal = journal_beside(Path::new(&format!("/a/{}{end}", "n".repeat(254))));
            assert_eq!(journal.file_name().unwrap().len(), NAME_MAX);
            journal
        });
        assert_ne!(one, other);
    }
}
