use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::identity::Identity;
use crate::lock::{Access, FileLock};
use crate::recovery::is_marked;
use crate::regular::{self, Regular};
use crate::source::OriginalFile;
use crate::{Contents, Error, LockMode, OpenOptions, Result, SpliceFile};

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
        let (opened, lock) =
            open_locked(given, resolve_links, !self.read_only, |file, path, read_only| {
                self.lock_file(file, path, read_only)
            })?;
        let Opened { file, path, read_only } = opened;
        self.finish(file, path, read_only, lock)
    }

    /// Opens the file behind `file` anew, with an offset, flags and locks of its own, for reading and writing
    /// where permitted. Works for files without a name too.
    ///
    /// # Errors
    /// As for [`open`](Self::open); [`Error::Open`] also where `/proc` is missing, and where the system does not tell
    /// whether the name of the file still leads to it (no permission to search its directory).
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
        // A file whose name cannot be looked at is not taken for one without a name, which is committed without a journal.
        let unlinked = metadata.nlink() == 0 || !leads_to(&path, key).map_err(failed)?;
        if !unlinked || is_marked(&file, &path)? {
            self.recover_first(&file, &path, read_only)?;
        }
        let identity = Identity::of(&file).map_err(failed)?;
        let original = Arc::new(OriginalFile::new(file, identity));
        let contents = Contents::new(path, original.clone(), self);
        Ok(SpliceFile { contents, original, read_only, unlinked, lock })
    }
}

/// A regular file, open.
pub(crate) struct Opened {
    pub file: Arc<File>,
    /// Without symlinks.
    pub path: PathBuf,
    pub read_only: bool,
}

/// Opens the file that `given` leads to once it is locked: whoever held it meanwhile may have put another file in its
/// place, and then that one is the file. So this goes on as long as others replace the file; a path that leads to
/// another inode than the one it opens, over and over, is [`Error::Changed`].
pub(crate) fn open_locked<L>(
    given: &Path,
    resolve: impl Fn(&Path) -> io::Result<PathBuf>,
    writable: bool,
    lock: impl Fn(&Arc<File>, &Path, bool) -> Result<L>,
) -> Result<(Opened, L)> {
    const MOST_TRIES: u32 = 100;
    let failed = |source| Error::Open { path: given.into(), source };
    let (mut last, mut tries) = (None, 0);
    loop {
        let path = resolve(given).map_err(failed)?;
        let Regular { file, read_only, metadata } = regular::open(&path, given, writable)?;
        let file = Arc::new(file);
        let lock = lock(&file, &path, read_only)?;
        let key = Identity::from(&metadata).key();
        if leads_to(&path, key).map_err(failed)? {
            return Ok((Opened { file, path, read_only }, lock));
        }
        // Another inode every time is the work of others, and each waited for one of their commits.
        tries = if last == Some(key) { tries + 1 } else { 0 };
        last = Some(key);
        if tries == MOST_TRIES {
            return Err(Error::Changed { path, what: "another file is at this path".into() });
        }
    }
}

/// Makes an empty file where nothing is, also at the end of a dangling symlink.
fn create_if_missing(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(false).custom_flags(regular::never_wait());
            regular::past_leases(|| options.open(path)).map(drop)
        }
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
pub(crate) fn leads_to(path: &Path, key: (u64, u64)) -> io::Result<bool> {
    match Identity::at(path) {
        Ok(identity) => Ok(identity.key() == key),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Paths of an open descriptor: one to open its file anew, and one to show.
#[cfg(not(target_os = "macos"))]
pub(crate) mod descriptor {
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
pub(crate) mod descriptor {
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
