use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs};

use crate::history::Kept;
use crate::identity::Identity;
use crate::lock::FileLock;
use crate::source::OriginalFile;
use crate::{Contents, Error, FileState, OpenOptions, Result};

/// A file whose bytes `0..len` can be spliced: inserted, removed and replaced anywhere.
///
/// It edits and reads as its [`Contents`] do, to which it dereferences, and brings the file to them by a
/// [`commit`](Self::commit). Nothing reaches the file before; dropping the handle discards the edits. The handle is
/// `Send` and `Sync`: any number of threads can read at a time.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("notes");
/// use bytesplice::SpliceFile;
///
/// std::fs::write(&path, "one three")?;
/// let mut file = SpliceFile::open(&path)?;
/// file.insert(4, "two ")?;
/// file.replace(..3, "zero, one,")?;
/// let mut bytes = vec![0; file.len() as usize];
/// file.read_exact_at(&mut bytes, 0)?;
/// assert_eq!(bytes, b"zero, one, two three");
/// assert_eq!(std::fs::read(&path)?, b"one three");
/// # Ok(())
/// # }
/// ```
pub struct SpliceFile {
    /// The contents with all edits.
    pub(crate) contents: Contents,
    /// What they are edits of: the file on the disk.
    pub(crate) original: Arc<OriginalFile>,
    /// Opened for reading only.
    pub(crate) read_only: bool,
    /// No known path leads to the file: a removed or anonymous one. The path of the contents is for messages only then.
    pub(crate) unlinked: bool,
    /// Held from opening to dropping, except with `LockMode::None`. Shared if `read_only`.
    pub(crate) lock: Option<FileLock>,
}

crate::owns_contents!(SpliceFile);

impl SpliceFile {
    /// Opens a regular file with the default [`OpenOptions`].
    ///
    /// # Errors
    /// As for [`OpenOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    /// Opens the file behind `file` anew with the default [`OpenOptions`].
    ///
    /// # Errors
    /// As for [`OpenOptions::from_file`].
    pub fn from_file(file: fs::File) -> Result<Self> {
        OpenOptions::new().from_file(file)
    }

    /// Whether the file could be opened for reading only. Edits and reads work, commits do not.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Drops all edits, like [`discard`](Contents::discard), and takes the file as it is on the disk now for the ground of
    /// new ones: what others wrote since it was opened or last committed is then no reason to refuse a commit. O(1).
    ///
    /// # Errors
    /// [`Error::Io`], if the file cannot be looked at; [`Error::Poisoned`].
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "one")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// std::fs::write(&path, "three")?;
    /// file.reload()?;
    /// file.append(" four")?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&path)?, b"three four");
    /// # Ok(())
    /// # }
    /// ```
    pub fn reload(&mut self) -> Result<()> {
        self.check_usable()?;
        let identity = Identity::of(self.original.file())
            .map_err(|source| self.io_error("read the length of the file", source))?;
        self.take_for_original(identity);
        self.discard();
        Ok(())
    }

    /// Takes stores of equal length that were made since the file was opened, reloaded or last committed for those of the
    /// caller: a commit is not refused because of them, and keeps them where the edits keep the bytes. For callers who
    /// store through maps of their own. O(1).
    ///
    /// # Errors
    /// [`Error::Changed`], if more than the times of the file changed; [`Error::Io`]; [`Error::Poisoned`].
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "one")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.append(" two")?;
    /// std::fs::write(&path, "ONE")?;
    /// file.accept_stores()?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&path)?, b"ONE two");
    /// # Ok(())
    /// # }
    /// ```
    pub fn accept_stores(&mut self) -> Result<()> {
        self.check_usable()?;
        let now = Identity::of(self.original.file())
            .map_err(|source| self.io_error("read the state of the file", source))?;
        let known = self.original.identity();
        if (now.key(), now.len) != (known.key(), known.len) {
            return Err(self.changed());
        }
        self.take_for_original(now);
        Ok(())
    }

    /// Takes the file in this state for what the contents are edits of.
    fn take_for_original(&mut self, identity: Identity) {
        self.original = Arc::new(self.original.in_state(identity));
        self.contents.original = self.original.clone();
    }

    /// Takes the contents on the disk, which a commit just wrote, as the new ground for edits.
    pub(crate) fn start_over_from_disk(&mut self, kept: Kept) -> Result<()> {
        self.start_over_from(Arc::clone(self.original.file()), kept)
    }

    /// The same with `file`, which a commit put in the place of the old one.
    pub(crate) fn start_over_from(&mut self, file: Arc<fs::File>, kept: Kept) -> Result<()> {
        let identity = Identity::of(&file).map_err(|source| Error::Io {
            path: self.path.clone(),
            operation: "read the length of the file",
            offset: 0,
            len: 0,
            source,
            state: FileState::Committed,
        })?;
        self.original = Arc::new(OriginalFile::new(file, identity));
        self.contents.end_commit(self.original.clone(), kept);
        Ok(())
    }
}

impl fmt::Debug for SpliceFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SpliceFile")
            .field("contents", &self.contents)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Content;
    use crate::contents::tests::opened;

    #[test]
    fn a_handle_goes_on_from_what_a_commit_wrote() {
        let (target, mut file) = opened("0123456789");
        file.append("abc").unwrap();
        fs::write(target.path(), "0123456789abc").unwrap();
        let kept = file.keep_history(u64::MAX);
        file.start_over_from_disk(kept).unwrap();
        assert!(!file.is_modified());
        file.remove(..9).unwrap();
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"9abc");
        file.splice(.., Content::file(target.path()).unwrap()).unwrap();
        assert!(!file.is_modified());
    }

    #[test]
    fn contents_are_committed_to_their_own_file_only() {
        let (target, mut file) = opened("0123456789");
        let (other_target, mut other) = opened("abc");
        file.append("!").unwrap();
        std::mem::swap(&mut *file, &mut *other);
        other.append("?").unwrap();
        file.append("?").unwrap();
        for file in [&mut file, &mut other] {
            assert!(matches!(file.commit(), Err(Error::Changed { .. })));
        }
        assert_eq!(fs::read(target.path()).unwrap(), b"0123456789");
        assert_eq!(fs::read(other_target.path()).unwrap(), b"abc");
        std::mem::swap(&mut *file, &mut *other);
        file.commit().unwrap();
        assert_eq!(fs::read(target.path()).unwrap(), b"0123456789!?");
    }
}
