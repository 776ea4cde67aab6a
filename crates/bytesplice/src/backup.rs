use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::storage::backup;
use crate::{Cancel, Error, FileState, Progress, Result, SpliceFile};

/// How to back a file up. The default: no progress, and nothing can stop it.
#[derive(Default)]
pub struct BackupOptions<'a> {
    /// Called from time to time with what has been copied.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
    /// Looked at from time to time: whether to stop.
    pub cancel: Option<&'a Cancel>,
}

impl<'a> BackupOptions<'a> {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what is told of the progress.
    #[must_use]
    pub fn progress(self, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Sets what can stop it.
    #[must_use]
    pub fn cancel(self, cancel: &'a Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }
}

impl fmt::Debug for BackupOptions<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BackupOptions")
            .field("progress", &self.progress.is_some())
            .field("cancel", &self.cancel)
            .finish()
    }
}

/// What a backup is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Whether it shares its blocks with the file (XFS, btrfs), so that it took neither time nor space.
    pub shares_blocks: bool,
}

impl SpliceFile {
    /// Copies the file as it is on the disk, without the edits, to a new file at `path`, and waits for the disk. Blocks are
    /// shared where the file system can, else the data is copied, and holes stay holes. Owner, permissions, extended
    /// attributes and times are kept, all of them, or it is an error. O(1) or O(n) in the bytes of data.
    ///
    /// # Errors
    /// [`Error::Io`] with the path of the backup if something is there already, or it cannot be written, or what is to be
    /// kept cannot be; [`Error::NoSpace`]; [`Error::Cancelled`]. There is no new file then.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let (path, backup) = (directory.path().join("data"), directory.path().join("data~"));
    /// use bytesplice::{BackupOptions, SpliceFile};
    ///
    /// std::fs::write(&path, "old")?;
    /// let mut file = SpliceFile::open(&path)?;
    /// file.append("er")?;
    /// file.back_up(&backup, BackupOptions::new())?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&backup)?, b"old");
    /// assert_eq!(std::fs::read(&path)?, b"older");
    /// # Ok(())
    /// # }
    /// ```
    pub fn back_up(
        &self,
        path: impl AsRef<Path>,
        mut options: BackupOptions<'_>,
    ) -> Result<Backup> {
        let path = path.as_ref();
        let failed = |source: io::Error| {
            let (operation, offset, len) = ("write the backup", 0, self.old_len());
            let (path, state) = (path.into(), FileState::Unchanged);
            match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    Error::NoSpace { path, operation, offset, len, source, state }
                }
                _ => Error::Io { path, operation, offset, len, source, state },
            }
        };
        let bytes_total = self.old_len();
        let mut bytes_done = 0;
        let mut cancelled = false;
        let mut advance = |bytes: u64| {
            bytes_done += bytes;
            if let Some(progress) = &mut options.progress {
                progress(Progress { bytes_done: bytes_done.min(bytes_total), bytes_total });
            }
            cancelled = options.cancel.is_some_and(Cancel::is_requested);
            if cancelled { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
        };
        let new = backup::create(path).map_err(failed)?;
        let copied = backup::copy(self.original.file(), &new, &mut advance)
            .and_then(|shares_blocks| sync_directory_of(path).map(|()| Backup { shares_blocks }));
        copied.map_err(|error| {
            // What failed is what the caller must hear of.
            let _ = fs::remove_file(path);
            if cancelled {
                return Error::Cancelled { path: self.path.clone(), state: FileState::Unchanged };
            }
            failed(error)
        })
    }
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| *directory != Path::new(""));
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
