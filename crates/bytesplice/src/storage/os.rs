//! Real files: the only system calls of a commit.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;

use super::directory::{Directory, Key};
use super::mark::{self, FileMark};
use super::os_file::{OsFile, advice};
use super::{Mark, Storage, length};
use crate::threads;

/// Longest file name on all supported systems, in bytes.
const NAME_MAX: usize = 255;

/// A target, its journal, and the directory that names the journal.
#[derive(Debug)]
pub(crate) struct OsStorage {
    target: OsFile,
    place: JournalPlace,
    /// The journal that was created or opened at the place: nothing else is ever unlinked there.
    journal: Mutex<Option<Key>>,
    synced: bool,
    /// Whether the file may be cut although others have it open for writing.
    despite_writers: bool,
}

/// Where a journal is, or would be: a name in a directory that is kept open.
#[derive(Debug)]
pub(crate) struct JournalPlace {
    /// The directory of the journal.
    pub directory: Directory,
    /// The name of the journal in it.
    pub name: OsString,
    /// Whether a journal at this place is none of this file, although the mark of the file names it.
    pub foreign: bool,
}

impl JournalPlace {
    /// Beside the file at `path`: `.NAME.bytesplice`.
    pub fn beside(path: &Path) -> Self {
        Self::at(&journal_beside(path))
    }

    /// At the path of a journal.
    pub fn at(journal: &Path) -> Self {
        Self {
            directory: Directory::of(journal),
            name: journal.file_name().unwrap_or_default().into(),
            foreign: false,
        }
    }

    /// The path of the journal.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }

    /// The journal, if there is one, for looking at it.
    ///
    /// # Errors
    /// `InvalidInput` if the name leads to anything but a regular file.
    pub fn open_read_only(&self) -> io::Result<Option<OsFile>> {
        Ok(self.open(OFlags::RDONLY)?.map(|file| OsFile::new(Arc::new(file), true)))
    }

    fn open(&self, flags: OFlags) -> io::Result<Option<File>> {
        if self.foreign { Ok(None) } else { self.directory.open_existing(&self.name, flags) }
    }
}

impl OsStorage {
    /// The storage of a file whose journal is, or would be, at this place. Without `synced` no call waits for the disk.
    pub fn new(file: Arc<File>, place: JournalPlace, synced: bool) -> Self {
        Self {
            target: OsFile::new(file, synced),
            place,
            journal: Mutex::new(None),
            synced,
            despite_writers: false,
        }
    }

    /// The same storage, which takes the risk to cut bytes off that others append at that instant.
    pub fn despite_writers(mut self, despite: bool) -> Self {
        self.despite_writers = despite;
        self
    }

    /// Where the journal is, or would be.
    pub fn journal_path(&self) -> PathBuf {
        self.place.path()
    }

    /// Whether there is a journal or a mark: whether an earlier commit was cut short, or one is under way.
    pub fn has_traces(&self) -> io::Result<bool> {
        Ok(matches!(self.mark()?, Mark::Present(_)) || self.place.open_read_only()?.is_some())
    }

    /// The journal, if there is one, for looking at it.
    pub fn open_journal_read_only(&self) -> io::Result<Option<OsFile>> {
        self.place.open_read_only()
    }

    fn remember(&self, file: File) -> io::Result<OsFile> {
        let metadata = file.metadata()?;
        let key = (
            std::os::unix::fs::MetadataExt::dev(&metadata),
            std::os::unix::fs::MetadataExt::ino(&metadata),
        );
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Ok(OsFile::new(Arc::new(file), self.synced))
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
        advice::reserve(self.target.file(), offset, len)
    }

    fn grow(&self, from: u64, to: u64) -> io::Result<bool> {
        length::grow(&self.target, from, to)
    }

    fn cut(&self, from: u64, to: u64) -> io::Result<bool> {
        length::cut(&self.target, from, to, self.despite_writers)
    }

    fn try_shift(&self, len: u64, block: u64, blocks: u64) -> io::Result<bool> {
        length::try_shift(&self.target, len, block, blocks)
    }

    fn mark(&self) -> io::Result<Mark> {
        Ok(match mark::read(self.target.file())? {
            FileMark::Unsupported => Mark::Unsupported,
            FileMark::Absent => Mark::Absent,
            FileMark::Present { nonce, .. } => Mark::Present(nonce),
        })
    }

    fn set_mark(&self, nonce: u64) -> io::Result<bool> {
        mark::write(self.target.file(), nonce, &self.place.path())
    }

    fn clear_mark(&self) -> io::Result<()> {
        mark::remove(self.target.file())
    }

    fn create_journal(&self) -> io::Result<OsFile> {
        if self.place.foreign {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if self.synced {
            // A directory that cannot be read cannot be synced: better to know now.
            self.place.directory.check_syncable()?;
        }
        // As secret as the file itself may be: it holds parts of it.
        let journal = self.remember(self.place.directory.create_file(&self.place.name)?);
        if journal.is_err() {
            self.place.directory.remove_created(&self.place.name);
        }
        journal
    }

    fn open_journal(&self) -> io::Result<Option<OsFile>> {
        self.place.open(OFlags::RDWR)?.map(|file| self.remember(file)).transpose()
    }

    fn remove_journal(&self) -> io::Result<()> {
        let journal = *self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let journal = journal.ok_or(io::ErrorKind::NotFound)?;
        self.place.directory.remove(&self.place.name, journal)
    }

    fn sync_directory(&self) -> io::Result<()> {
        if self.synced { self.place.directory.sync() } else { Ok(()) }
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

#[cfg(test)]
mod tests {
    use super::*;

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
