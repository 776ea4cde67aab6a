use std::fs::File;
use std::io::{self, ErrorKind};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

#[cfg(target_os = "linux")]
use super::disk;
use super::write_behind::WriteBehind;
use super::{InodeIdentity, StorageFile, extents};

/// An open file whose syncs may be off.
#[derive(Debug)]
pub(crate) struct OsFile {
    file: Arc<File>,
    synced: bool,
    write_behind: WriteBehind,
    /// Whether bytes of the file were changed, or may have been, by calls on this.
    changed: AtomicBool,
    /// What was written, once that is to be noted.
    #[cfg(target_os = "linux")]
    written: OnceLock<disk::Written>,
}

impl OsFile {
    /// The file; without `synced` its syncs do nothing.
    pub fn new(file: Arc<File>, synced: bool) -> Self {
        Self {
            file,
            synced,
            write_behind: WriteBehind::default(),
            changed: AtomicBool::new(false),
            #[cfg(target_os = "linux")]
            written: OnceLock::new(),
        }
    }

    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

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
                Err(error) => {
                    // For want of room nothing is written; what a disk that failed has written is not known.
                    let no_room = matches!(
                        error.kind(),
                        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
                    );
                    if !no_room {
                        self.note_change();
                    }
                    return Err(error);
                }
            }
        }
        #[cfg(target_os = "linux")]
        if let Some(written) = self.written.get() {
            written.note(bytes, offset);
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

    #[cfg(target_os = "linux")]
    fn note_writes(&self) {
        if self.synced {
            self.written.get_or_init(disk::Written::default);
        }
    }

    #[cfg(target_os = "linux")]
    fn first_lost(&self, ranges: &[Range<u64>]) -> io::Result<Option<Range<u64>>> {
        self.written.get().map_or(Ok(None), |written| disk::first_lost(&self.file, written, ranges))
    }

    #[cfg(target_os = "linux")]
    fn first_stale(&self, ranges: &[Range<u64>]) -> io::Result<Option<Range<u64>>> {
        if self.synced { disk::first_stale(&self.file, ranges) } else { Ok(None) }
    }

    fn waits_for_disk(&self) -> bool {
        self.synced
    }
}

/// Longest file that this process may write, in bytes (`ulimit -f`); none if there is no limit.
pub(crate) fn file_size_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current
}

/// Fails where the system would kill the process, as it does by default for a write past the limit.
pub(super) fn refuse_past_limit(end: u64) -> io::Result<()> {
    match file_size_limit() {
        Some(limit) if end > limit => Err(ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}

/// What the system is told ahead of time.
#[cfg(target_os = "linux")]
pub(super) mod advice {
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
pub(super) mod advice {
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
}
