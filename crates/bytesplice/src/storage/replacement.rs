//! What replacing a file needs from the system: a new file beside it, and its name.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::capabilities::{self, Capabilities};
use super::directory::{Directory, Key, is_no_regular_file};
use super::extents;
use super::metadata::{self, Mark};
use super::os_file::{OsFile, file_size_limit};
use super::{StorageFile, os};
use crate::Error;
use crate::commit::replace::{COPY_METADATA, CREATE};
use crate::identity::Identity;
use crate::lock::{Access, FileLock};

/// A target file, and the new file beside it that is to take its name.
pub(crate) trait Replacement {
    /// Both the target and the new file.
    type File: StorageFile;

    /// The file that is replaced.
    fn target(&self) -> &Self::File;

    /// Creates the new file: empty, and closed to everybody else. What a broken commit left in its place is removed first.
    fn create(&self) -> io::Result<Self::File>;

    /// Marks the new file, holds it exclusively, and gives it the owner of the target.
    fn prepare(&self, _file: &Self::File) -> io::Result<()> {
        Ok(())
    }

    /// Lets the new, still empty file share all blocks of the target; false where the file system cannot.
    fn clone_contents(&self, file: &Self::File) -> io::Result<bool>;

    /// Lets the new file share `len` bytes from `from` of the target, at `to`. Says how many bytes are done, by sharing
    /// or by copying; 0 where the file system cannot.
    fn share(&self, file: &Self::File, from: u64, to: u64, len: u64) -> u64;

    /// The first run of data in the target that ends after `offset`; none if only holes follow.
    fn data_after(&self, offset: u64) -> io::Result<Option<Range<u64>>>;

    /// Makes the range of the new file read as zeros.
    fn clear(&self, file: &Self::File, range: Range<u64>) -> io::Result<()>;

    /// Gives the new file the permissions and attributes of the target.
    fn copy_metadata(&self, file: &Self::File) -> io::Result<()>;

    /// Lets the new file take the name of the target, durable after the next `sync_directory`. A call that fails may
    /// have done it: see [`has_name`](Self::has_name).
    fn rename(&self, file: &Self::File) -> io::Result<()>;

    /// Whether the name of the target leads to the new file.
    fn has_name(&self, file: &Self::File) -> io::Result<bool>;

    /// Takes the mark off the new file, which has the name.
    fn remove_mark(&self, _file: &Self::File) -> io::Result<()> {
        Ok(())
    }

    /// Unlinks the new file, if it is still under its own name.
    fn remove(&self) -> io::Result<()>;

    /// Unlinks what a broken commit left in the place of the new file, and takes its mark off the target; returns whether
    /// there was a file. To be called by whoever holds the target exclusively, so that no commit is under way.
    fn remove_stale(&self) -> io::Result<bool>;

    /// Makes the new name durable.
    fn sync_directory(&self) -> io::Result<()>;
}

/// What the file system is asked to share to find out whether it can.
const CLONED_BLOCK: u64 = 4096;

/// A real file, and the new one beside it.
pub(crate) struct OsReplacement {
    target: OsFile,
    /// The directory of the target and the new file, which stays the same one whatever becomes of its path.
    directory: Directory,
    /// The name of the target in it.
    name: OsString,
    /// The name of the new file in it.
    new_name: OsString,
    /// The new file that was created: nothing else is unlinked under its name.
    created: OnceCell<Key>,
    synced: bool,
    lock: OnceCell<FileLock>,
}

impl OsReplacement {
    /// For the file at `path`, which has no symlinks. Without `synced` no call waits for the disk.
    pub fn new(target: Arc<File>, path: &Path, synced: bool) -> Self {
        Self {
            target: OsFile::new(target, synced),
            directory: Directory::of(path),
            name: path.file_name().unwrap_or_default().into(),
            new_name: replacement_beside(path).file_name().unwrap_or_default().into(),
            created: OnceCell::new(),
            synced,
            lock: OnceCell::new(),
        }
    }

    /// Where the new file is, or would be.
    pub fn beside(&self) -> PathBuf {
        self.directory.path().join(&self.new_name)
    }

    /// The lock on the new file, once it is created.
    pub fn into_lock(self) -> Option<FileLock> {
        self.lock.into_inner()
    }

    /// Tries what the system may refuse to the new file, of which `len` bytes are written, on one that never has a name.
    ///
    /// # Errors
    /// The operation that would fail, and the system's answer.
    pub fn rehearse(&self, len: u64) -> Result<(), (&'static str, io::Error)> {
        let to_create = |error| (CREATE, error);
        if self.synced {
            self.directory.check_syncable().map_err(to_create)?;
        }
        let taken = self.directory.key(&self.new_name).map_err(to_create)?.is_some();
        // What a broken commit left is removed by the next one.
        if taken && self.stale().map_err(to_create)?.is_none() {
            return Err((CREATE, ErrorKind::AlreadyExists.into()));
        }
        let file = capabilities::try_new_file(self.directory.path(), len).map_err(to_create)?;
        metadata::copy_owner(self.target.file(), &file).map_err(to_create)?;
        metadata::copy_access(self.target.file(), &file).map_err(|error| (COPY_METADATA, error))
    }

    /// Whether the target can probably be cloned.
    pub fn can_clone(&self) -> bool {
        Capabilities::of(self.directory.path(), CLONED_BLOCK)
            .is_ok_and(|capabilities| capabilities.shares)
    }

    fn create_new(&self) -> io::Result<File> {
        // Nobody else may read what is not yet protected as the target is.
        let file = self.directory.create_file(&self.new_name)?;
        let identity =
            Identity::of(&file).inspect_err(|_| self.directory.remove_created(&self.new_name))?;
        // A commit makes one new file, so that there is no other yet.
        let _ = self.created.set(identity.key());
        Ok(file)
    }

    /// The file beside, if it was left by a commit: it carries our mark, or is empty (the commit ended before it could
    /// mark it, and nothing is lost with it). Where files cannot carry marks, one with a single link and the owner of the
    /// target counts.
    fn stale(&self) -> io::Result<Option<Key>> {
        let file = match self.directory.open_existing(&self.new_name, OFlags::RDONLY) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            // A symlink, a directory or the like is none of ours.
            Err(error) if is_no_regular_file(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        let ours = found.nlink() == 1
            && (found.len() == 0
                || match metadata::mark(&file)? {
                    Mark::Present => true,
                    Mark::Absent => false,
                    Mark::Unsupported => found.uid() == self.target.file().metadata()?.uid(),
                });
        Ok(ours.then(|| Identity::from(&found).key()))
    }
}

impl Replacement for OsReplacement {
    type File = OsFile;

    fn target(&self) -> &OsFile {
        &self.target
    }

    fn create(&self) -> io::Result<OsFile> {
        if self.synced {
            // A directory that cannot be read cannot be synced: better to know now.
            self.directory.check_syncable()?;
        }
        let file = match self.create_new() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if !self.remove_stale()? {
                    return Err(error);
                }
                self.create_new()?
            }
            outcome => outcome?,
        };
        Ok(OsFile::new(Arc::new(file), self.synced))
    }

    fn prepare(&self, file: &OsFile) -> io::Result<()> {
        let file = file.file();
        metadata::set_mark(file)?;
        let lock = FileLock::try_acquire(file, &self.beside(), Access::Exclusive);
        let lock = lock.map_err(|error| match error {
            Error::Io { source, .. } => source,
            error => io::Error::new(ErrorKind::WouldBlock, error.to_string()),
        })?;
        // A commit makes one new file, so that there is no other lock yet.
        drop(self.lock.set(lock));
        metadata::copy_flags(self.target.file(), file);
        metadata::copy_owner(self.target.file(), file)
    }

    fn clone_contents(&self, file: &OsFile) -> io::Result<bool> {
        // Cloning past the limit would bring the signal that kills by default.
        let len = self.target.len()?;
        if file_size_limit().is_some_and(|limit| len > limit) {
            return Ok(false);
        }
        sharing::clone_contents(self.target.file(), file.file())
    }

    fn share(&self, file: &OsFile, from: u64, to: u64, len: u64) -> u64 {
        sharing::share(self.target.file(), file.file(), from, to, len)
    }

    fn data_after(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        holes::data_after(self.target.file(), offset)
    }

    fn clear(&self, file: &OsFile, range: Range<u64>) -> io::Result<()> {
        match extents::punch_hole(file.file(), range.start, range.end - range.start) {
            Err(error) if extents::is_refusal(&error) => {}
            outcome => return outcome,
        }
        let zeros = vec![0; (range.end - range.start).min(1 << 20) as usize];
        let mut at = range.start;
        while at < range.end {
            let len = (range.end - at).min(zeros.len() as u64);
            file.write_all_at(&zeros[..len as usize], at)?;
            at += len;
        }
        Ok(())
    }

    fn copy_metadata(&self, file: &OsFile) -> io::Result<()> {
        metadata::copy_access(self.target.file(), file.file())
    }

    fn rename(&self, _file: &OsFile) -> io::Result<()> {
        self.directory.replace(&self.new_name, &self.name)
    }

    fn has_name(&self, file: &OsFile) -> io::Result<bool> {
        Ok(self.directory.key(&self.name)? == Some(Identity::of(file.file())?.key()))
    }

    fn remove_mark(&self, file: &OsFile) -> io::Result<()> {
        metadata::remove_mark(file.file())
    }

    fn remove(&self) -> io::Result<()> {
        match self.created.get().map(|&created| self.directory.remove(&self.new_name, created)) {
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn remove_stale(&self) -> io::Result<bool> {
        // One does not wait for the other.
        let unmarked = metadata::remove_mark(self.target.file());
        let removed = self.remove_stale_file()?;
        unmarked.map(|()| removed)
    }

    fn sync_directory(&self) -> io::Result<()> {
        if self.synced { self.directory.sync() } else { Ok(()) }
    }
}

impl OsReplacement {
    fn remove_stale_file(&self) -> io::Result<bool> {
        if self.directory.key(&self.new_name)?.is_none() {
            return Ok(false);
        }
        // A name that leads elsewhere by now has another owner, and so has what is beside it.
        let target = Identity::of(self.target.file())?.key();
        if self.directory.key(&self.name)? != Some(target) {
            return Ok(false);
        }
        match self.stale()? {
            Some(stale) => self.directory.remove(&self.new_name, stale).map(|()| true),
            None => Ok(false),
        }
    }
}

/// The new file that is to take the name of the file at `path`: `.NAME.bytesplice-new`.
pub(crate) fn replacement_beside(path: &Path) -> PathBuf {
    os::beside(path, ".bytesplice-new")
}

/// Blocks that two files share until one of them is written.
#[cfg(target_os = "linux")]
pub(super) mod sharing {
    use std::fs::File;
    use std::io;

    use rustix::fs::{copy_file_range, ioctl_ficlone};
    use rustix::io::Errno;

    pub fn clone_contents(from: &File, to: &File) -> io::Result<bool> {
        match ioctl_ficlone(to, from) {
            Ok(()) => Ok(true),
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO)) => Err(error.into()),
            // Not here, or not for this file: it is copied.
            Err(_) => Ok(false),
        }
    }

    pub fn share(from: &File, to: &File, start: u64, destination: u64, len: u64) -> u64 {
        let mut done = 0;
        while done < len {
            let (mut at, mut there) = (start + done, destination + done);
            let rest = usize::try_from(len - done).unwrap_or(usize::MAX).min(1 << 30);
            match copy_file_range(from, Some(&mut at), to, Some(&mut there), rest) {
                Ok(0) => break,
                Ok(count) => done += count as u64,
                Err(Errno::INTR) => {}
                // The caller copies the rest, and meets the same error if it is one.
                Err(_) => break,
            }
        }
        done
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) mod sharing {
    use std::fs::File;
    use std::io;

    pub fn clone_contents(_from: &File, _to: &File) -> io::Result<bool> {
        Ok(false)
    }

    pub fn share(_from: &File, _to: &File, _start: u64, _destination: u64, _len: u64) -> u64 {
        0
    }
}

/// Stretches of a file that hold no blocks.
#[cfg(target_os = "linux")]
pub(crate) mod holes {
    use std::fs::File;
    use std::io;
    use std::ops::Range;

    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    pub fn data_after(file: &File, offset: u64) -> io::Result<Option<Range<u64>>> {
        let start = match seek(file, SeekFrom::Data(offset)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            // It cannot tell: all is data.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some(offset..u64::MAX)),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(start..seek(file, SeekFrom::Hole(start))?))
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) mod holes {
    use std::fs::File;
    use std::io;
    use std::ops::Range;

    pub fn data_after(_file: &File, offset: u64) -> io::Result<Option<Range<u64>>> {
        Ok(Some(offset..u64::MAX))
    }
}
