use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::identity::Identity;
use crate::lock::{Access, FileLock};
use crate::pieces::PieceTree;
use crate::recovery::is_marked;
use crate::regular::{self, Regular};
use crate::source::{AddedBytes, OriginalFile};
use crate::{Error, LockMode, OpenOptions, Result, SpliceFile};

/// The end of [`OpenOptions`]: from a path or a file to a [`SpliceFile`].
impl OpenOptions {
    /// Opens the regular file that `path` leads to, through symlinks. Where writing is not permitted it is opened
    /// read-only.
    ///
    /// # Errors
    /// [`Error::Open`]; [`Error::NotRegular`]; [`Error::Locked`]; [`Error::Io`] when the lock fails otherwise; all
    /// errors of [`recover`](crate::recover), since a commit that was cut short is recovered first.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SpliceFile> {
        let given = path.as_ref();
        let failed = |source| Error::Open { path: given.into(), source };
        if self.create && !self.read_only {
            create_if_missing(given).map_err(failed)?;
        }
        loop {
            let path = resolve_links(given).map_err(failed)?;
            let opened = regular::open(&path, given, !self.read_only)?;
            let Regular { file, read_only, metadata } = opened;
            let file = Arc::new(file);
            let lock = self.lock_file(&file, &path, read_only)?;
            // While we waited for the lock its holder may have put another file here.
            let key = Identity::from(&metadata).key();
            if leads_to(&path, key).map_err(failed)? {
                return self.finish(file, path, read_only, lock);
            }
        }
    }

    /// Opens the file behind `file` anew, with an offset, flags and locks of its own, for reading and writing
    /// where permitted. Works for files without a name too.
    ///
    /// # Errors
    /// As for [`open`](Self::open); [`Error::Open`] also where `/proc` is missing.
    pub fn from_file(&self, file: File) -> Result<SpliceFile> {
        let failed = |source| Error::Open { path: PathBuf::from("<file>"), source };
        let (door, path) = descriptor::paths(&file).map_err(failed)?;
        let Regular { file, read_only, .. } = regular::open(&door, &path, !self.read_only)?;
        let file = Arc::new(file);
        let lock = self.lock_file(&file, &path, read_only)?;
        self.finish(file, path, read_only, lock)
    }

    fn lock_file(
        &self,
        file: &Arc<File>,
        path: &Path,
        read_only: bool,
    ) -> Result<Option<FileLock>> {
        let access = if read_only { Access::Shared } else { Access::Exclusive };
        match self.lock {
            LockMode::Try => FileLock::try_acquire(file, path, access).map(Some),
            LockMode::Wait => FileLock::wait_for(file, path, access).map(Some),
            LockMode::None => Ok(None),
        }
    }

    fn finish(
        &self,
        file: Arc<File>,
        path: PathBuf,
        read_only: bool,
        lock: Option<FileLock>,
    ) -> Result<SpliceFile> {
        let failed = |source| Error::Open { path: path.clone(), source };
        let metadata = file.metadata().map_err(failed)?;
        let key = Identity::from(&metadata).key();
        let unlinked = metadata.nlink() == 0 || !leads_to(&path, key).unwrap_or(false);
        if !unlinked || is_marked(&file, &path)? {
            self.recover_first(&file, &path, read_only)?;
        }
        let identity = Identity::of(&file).map_err(failed)?;
        let mut opened = SpliceFile {
            path,
            original: OriginalFile::new(file, identity.len),
            identity,
            tree: PieceTree::new(),
            added: AddedBytes::new(self.memory_limit, self.temporary_directory.clone()),
            sources: Vec::new(),
            unmet_expectation: None,
            poisoned: None,
            read_only,
            unlinked,
            lock,
        };
        opened.discard();
        Ok(opened)
    }
}

/// Makes an empty file where nothing is, also at the end of a dangling symlink.
fn create_if_missing(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(regular::never_wait())
            .open(path)
            .map(drop),
        // Anything else is told by opening it.
        _ => Ok(()),
    }
}

/// The path without symlinks. A link that can be followed but not resolved, such as `/dev/fd/3` of a file without a
/// name, stays as it is.
fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|error| {
        if fs::metadata(path).is_ok() { std::path::absolute(path) } else { Err(error) }
    })
}

/// Whether the file at `path` is the one with this device and inode.
fn leads_to(path: &Path, key: (u64, u64)) -> io::Result<bool> {
    match Identity::at(path) {
        Ok(identity) => Ok(identity.key() == key),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Paths of an open descriptor: one to open its file anew, and one to show.
#[cfg(not(target_os = "macos"))]
mod descriptor {
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    pub fn paths(file: &File) -> io::Result<(PathBuf, PathBuf)> {
        let door = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let link = std::fs::read_link(&door)?;
        let name = link.as_os_str().as_bytes();
        // The kernel's mark of a removed name. A file that is really called so exists.
        let shown = match name.strip_suffix(b" (deleted)") {
            Some(name) if !link.exists() => PathBuf::from(OsStr::from_bytes(name)),
            _ => link,
        };
        Ok((door, shown))
    }
}

/// Paths of an open descriptor: one to open its file anew, and one to show.
#[cfg(target_os = "macos")]
mod descriptor {
    use std::ffi::OsString;
    use std::fs::File;
    use std::io;
    use std::os::unix::ffi::OsStringExt;
    use std::path::PathBuf;

    // Opening `/dev/fd/N` is a dup here, with the caller's locks, so the file is opened by its name.
    pub fn paths(file: &File) -> io::Result<(PathBuf, PathBuf)> {
        let path = PathBuf::from(OsString::from_vec(rustix::fs::getpath(file)?.into_bytes()));
        Ok((path.clone(), path))
    }
}
