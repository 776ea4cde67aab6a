use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

/// An open directory, and the names in it.
///
/// Every operation goes through the open directory and never through its path, so that it reaches the same directory
/// after others have renamed it or put another directory in its place: see openat(2).
#[derive(Debug)]
pub(crate) struct Directory {
    /// The directory, or why it could not be opened: a file that was removed may have had a directory that is gone.
    handle: Result<OwnedFd, Errno>,
    /// Where the directory was when it was opened; for messages and for the mark.
    path: PathBuf,
}

/// Device and inode of a name in a directory.
pub(crate) type Key = (u64, u64);

/// A directory is only looked through, which takes the permission to search it, not to read it.
#[cfg(target_os = "linux")]
const SEARCHED: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const SEARCHED: OFlags = OFlags::RDONLY;

impl Directory {
    /// Opens the directory at `path`. If that fails, every later operation fails with the same error.
    pub fn open(path: &Path) -> Self {
        let flags = SEARCHED | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self { handle: rustix::fs::open(path, flags, Mode::empty()), path: path.into() }
    }

    /// Opens the directory that holds the name of the file at `path`.
    pub fn of(path: &Path) -> Self {
        Self::open(path.parent().unwrap_or(Path::new("/")))
    }

    /// Where the directory was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file of this directory; a symlink is not followed. See [`open_existing`](Self::open_existing) for files
    /// that may be missing.
    pub fn open_file(&self, name: &OsStr, flags: OFlags, mode: Mode) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(openat(self.handle()?, name, flags, mode)?))
    }

    /// Opens a regular file of this directory, if the name is there.
    ///
    /// # Errors
    /// `InvalidInput` if the name leads to anything but a regular file.
    pub fn open_existing(&self, name: &OsStr, flags: OFlags) -> io::Result<Option<File>> {
        match self.open_file(name, flags, Mode::empty()) {
            Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
            Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a file that only its owner may read; `AlreadyExists` if the name is taken.
    pub fn create_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        self.open_file(name, flags, Mode::RUSR | Mode::WUSR)
    }

    /// Device and inode of a name, which may be a symlink; none if the name is not there.
    #[allow(clippy::unnecessary_cast, reason = "these numbers have other types on macOS")]
    pub fn key(&self, name: &OsStr) -> io::Result<Option<Key>> {
        match statat(self.handle()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some((found.st_dev as u64, found.st_ino as u64))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Device of the directory.
    #[allow(clippy::unnecessary_cast, reason = "this number has another type on macOS")]
    pub fn device(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(self.handle()?)?.st_dev as u64)
    }

    /// Unlinks a file that was just created and turned out to be of no use. What cannot be unlinked is empty, and is removed by
    /// whoever finds it.
    pub fn remove_created(&self, name: &OsStr) {
        if let Ok(handle) = self.handle() {
            let _ = unlinkat(handle, name, AtFlags::empty());
        }
    }

    /// Unlinks a name if it leads to the inode of `key`.
    ///
    /// # Errors
    /// `NotFound` if the name is not there, and an error that says so if it leads to another file.
    pub fn remove(&self, name: &OsStr, key: Key) -> io::Result<()> {
        match self.key(name)? {
            Some(found) if found == key => Ok(unlinkat(self.handle()?, name, AtFlags::empty())?),
            Some(_) => Err(io::Error::other("another file has taken its name")),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Gives the inode of `key`, whose name is `from`, the name `to`.
    ///
    /// # Errors
    /// `AlreadyExists` if the new name is taken; `NotFound` if the old one is not there, and an error that says so if it leads to
    /// another file.
    pub fn rename(&self, from: &OsStr, key: Key, to: &OsStr) -> io::Result<()> {
        let handle = self.handle()?;
        match self.key(from)? {
            Some(found) if found == key => {}
            Some(_) => return Err(io::Error::other("another file has taken its name")),
            None => return Err(ErrorKind::NotFound.into()),
        }
        match renameat_with(handle, from, handle, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            // Not on this file system: then look, and rename.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match self.key(to)? {
                Some(_) => Err(ErrorKind::AlreadyExists.into()),
                None => Ok(renameat(handle, from, handle, to)?),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a file of this directory another name in it, in the place of the file that has that name.
    pub fn replace(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let handle = self.handle()?;
        Ok(renameat(handle, from, handle, to)?)
    }

    /// Makes the names in the directory durable.
    pub fn sync(&self) -> io::Result<()> {
        self.open_to_sync()?.sync_all()
    }

    /// Fails if the directory could not be synced: only one that can be read can.
    pub fn check_syncable(&self) -> io::Result<()> {
        self.open_to_sync().map(drop)
    }

    fn open_to_sync(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(File::from(openat(self.handle()?, OsStr::from_bytes(b"."), flags, Mode::empty())?))
    }

    fn handle(&self) -> io::Result<BorrowedFd<'_>> {
        match &self.handle {
            Ok(handle) => Ok(handle.as_fd()),
            Err(errno) => Err((*errno).into()),
        }
    }
}

/// Whether a file was not opened because its name leads to something else, or is a symlink.
pub(crate) fn is_no_regular_file(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidInput
        || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_stays_the_same_after_it_was_renamed() {
        let parent = tempfile::tempdir().unwrap();
        let [first, moved] = ["first", "moved"].map(|name| parent.path().join(name));
        fs::create_dir(&first).unwrap();
        let directory = Directory::open(&first);
        fs::rename(&first, &moved).unwrap();
        fs::create_dir(&first).unwrap();
        let name = OsStr::new("file");
        directory.create_file(name).unwrap();
        assert!(moved.join("file").exists() && !first.join("file").exists());
        directory.sync().unwrap();
        let key = directory.key(name).unwrap().unwrap();
        directory.remove(name, key).unwrap();
        assert_eq!(directory.key(name).unwrap(), None);
    }

    #[test]
    fn a_name_that_another_file_has_taken_is_not_removed() {
        let parent = tempfile::tempdir().unwrap();
        let directory = Directory::open(parent.path());
        let name = OsStr::new("file");
        let kept = directory.create_file(name).unwrap();
        let key = directory.key(name).unwrap().unwrap();
        fs::remove_file(parent.path().join("file")).unwrap();
        fs::write(parent.path().join("file"), "of somebody else").unwrap();
        assert!(directory.remove(name, key).is_err());
        assert!(parent.path().join("file").exists());
        drop(kept);
    }

    #[test]
    fn a_rename_replaces_nothing_and_moves_no_other_file() {
        let parent = tempfile::tempdir().unwrap();
        let directory = Directory::open(parent.path());
        let [file, taken, free] = ["file", "taken", "free"].map(OsStr::new);
        for name in [file, taken] {
            fs::write(parent.path().join(name), name.as_bytes()).unwrap();
        }
        let key = directory.key(file).unwrap().unwrap();
        let error = directory.rename(file, key, taken).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(parent.path().join(taken)).unwrap(), b"taken");
        directory.rename(taken, key, free).unwrap_err();
        assert!(parent.path().join(taken).exists());
        directory.rename(file, key, free).unwrap();
        assert_eq!(fs::read(parent.path().join(free)).unwrap(), b"file");
        let error = directory.rename(file, key, OsStr::new("other")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_directory_that_is_gone_says_so_at_every_use() {
        let directory = Directory::open(Path::new("/no/such/directory"));
        let error = directory.key(OsStr::new("file")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
