use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::storage::backup;
use crate::{Error, Result, SpliceFile, WorkOptions};

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
    /// use bytesplice::{WorkOptions, SpliceFile};
    ///
    /// std::fs::write(&path, "old")?;
    /// let mut file = SpliceFile::open(&path)?;
    /// file.append("er")?;
    /// file.back_up(&backup, WorkOptions::new())?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&backup)?, b"old");
    /// assert_eq!(std::fs::read(&path)?, b"older");
    /// # Ok(())
    /// # }
    /// ```
    pub fn back_up(&self, path: impl AsRef<Path>, mut options: WorkOptions<'_>) -> Result<Backup> {
        let path = path.as_ref();
        let failed = |source: io::Error| {
            Error::not_written(path.into(), "write the backup", 0, self.old_len(), source)
        };
        let bytes_total = self.old_len();
        let mut bytes_done = 0;
        let mut cancelled = None;
        let mut advance = |bytes: u64| {
            bytes_done += bytes;
            let outcome = options.advance(self, bytes_done.min(bytes_total), bytes_total);
            outcome.map_err(|error| {
                cancelled = Some(error);
                ErrorKind::Interrupted.into()
            })
        };
        let new = backup::create(path).map_err(failed)?;
        let copied = backup::copy(self.original.file(), &new, &mut advance)
            .and_then(|shares_blocks| sync_directory_of(path).map(|()| Backup { shares_blocks }));
        copied.map_err(|error| {
            let error = cancelled.unwrap_or_else(|| failed(error));
            match fs::remove_file(path) {
                Ok(()) => error,
                Err(source) if source.kind() == ErrorKind::NotFound => error,
                Err(source) => error.leaving_file(path, source),
            }
        })
    }
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| *directory != Path::new(""));
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
