use std::fmt;
use std::io::ErrorKind;
use std::ops::{Range, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io, mem};

use crate::content::{Content, Kind};
use crate::history::{History, Kept, Snapshots};
use crate::identity::Identity;
use crate::lock::FileLock;
use crate::overwrite::Overwrites;
use crate::pieces::{Piece, PieceTree, Source};
use crate::range::{self, MAX_LEN};
use crate::source::{AddedBytes, AppendError, FileSource, OriginalFile};
use crate::{Error, FileState, OpenOptions, Result};

/// A file whose bytes `0..len` can be spliced: inserted, removed and replaced anywhere.
///
/// Nothing reaches the file before a commit; dropping the handle discards the edits. A failed edit changes nothing.
/// The handle is `Send` and `Sync`: any number of threads can read at a time.
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
    /// Without symlinks. For messages only where `unlinked`.
    pub(crate) path: PathBuf,
    /// The contents on the disk that `Source::Original` pieces mean.
    pub(crate) original: OriginalFile,
    /// The state of the file when those were its contents.
    pub(crate) identity: Identity,
    /// The current contents.
    pub(crate) tree: PieceTree,
    /// What `Source::Added` pieces mean.
    pub(crate) added: AddedBytes,
    /// How small overwrites are kept from making a piece each.
    pub(crate) overwrites: Overwrites,
    /// How to go back and forth between contents.
    pub(crate) history: History,
    /// Contents kept by name.
    pub(crate) snapshots: Snapshots,
    /// What `Source::File` pieces mean, by number.
    pub(crate) sources: Vec<FileSource>,
    /// The first expectation since the last commit that did not hold.
    pub(crate) unmet_expectation: Option<UnmetExpectation>,
    /// Set by a commit that failed half-way: what the file holds since.
    pub(crate) poisoned: Option<FileState>,
    /// Opened for reading only.
    pub(crate) read_only: bool,
    /// No known path leads to the file: a removed or anonymous one.
    pub(crate) unlinked: bool,
    /// Held from opening to dropping, except with `LockMode::None`. Shared if `read_only`.
    pub(crate) lock: Option<FileLock>,
}

/// Bytes that were not as [`SpliceFile::expect`] said.
#[derive(Debug, Clone)]
pub(crate) struct UnmetExpectation {
    /// The bytes compared.
    pub range: Range<u64>,
    /// Offset of the first difference.
    pub at: u64,
}

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

    /// The path of the file, without symlinks. A file without a name has the path it had, or one the system made up.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the contents in bytes, with all edits. O(1).
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tree.len()
    }

    /// Whether the contents, with all edits, have no bytes. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Whether there is something to commit. Edits that cancel each other out do not count; bytes replaced by equal
    /// bytes do. O(1).
    #[must_use]
    pub fn is_modified(&self) -> bool {
        !self.tree.iter().eq(pristine(self.original.len()))
    }

    /// Whether the file could be opened for reading only. Edits and reads work, commits do not.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Number of pieces that the contents are made of: what the cost of edits grows with, like its logarithm. O(n).
    #[must_use]
    pub fn piece_count(&self) -> usize {
        self.tree.piece_count()
    }

    /// Replaces the bytes of `range` (half-open) by `bytes`, of any length. O(log n) and the new bytes.
    ///
    /// Small overwrites (of equal length) do not make a piece each, however many there are: new bytes are overwritten
    /// where they are, and after the first thousand an overwrite takes its block of 4 KiB along.
    ///
    /// # Errors
    /// As for [`splice`](Self::splice).
    pub fn replace(&mut self, range: impl RangeBounds<u64>, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.splice(range, Content::bytes(bytes.as_ref()))
    }

    /// Inserts `bytes` before the byte at `offset`; at the length of the contents this appends. O(log n) and the
    /// new bytes.
    ///
    /// # Errors
    /// As for [`splice`](Self::splice).
    pub fn insert(&mut self, offset: u64, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.replace(offset..offset, bytes)
    }

    /// Removes the bytes of `range` (half-open). O(log n).
    ///
    /// # Errors
    /// As for [`splice`](Self::splice).
    pub fn remove(&mut self, range: impl RangeBounds<u64>) -> Result<()> {
        self.replace(range, b"")
    }

    /// Adds `bytes` at the end. O(log n) and the new bytes.
    ///
    /// # Errors
    /// As for [`splice`](Self::splice).
    pub fn append(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.insert(self.len(), bytes)
    }

    /// Removes all bytes from offset `len` on. It only shortens: to lengthen use [`Content::fill`]. O(log n).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `len` is more than the length; [`Error::Poisoned`].
    pub fn truncate(&mut self, len: u64) -> Result<()> {
        self.remove(len..)
    }

    /// Replaces the bytes of `range` (half-open) by `content`. O(log n), and the new bytes where they come from
    /// memory or a reader.
    ///
    /// # Errors
    /// Nothing is changed by any of these. [`Error::OutOfRange`] and [`Error::ReversedRange`] for either range;
    /// [`Error::TooLarge`] if the contents would pass 2^63 - 1 bytes; [`Error::Content`] if the reader fails;
    /// [`Error::Io`], [`Error::NoSpace`] or [`Error::SizeLimit`] if the new bytes find no room outside memory;
    /// [`Error::Changed`] if bytes of the file itself are wanted whose length others changed; for an overwrite those of
    /// [`read_at`](Self::read_at); [`Error::Poisoned`].
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let (path, other) = (directory.path().join("notes"), directory.path().join("other"));
    /// use bytesplice::{Content, SpliceFile};
    ///
    /// std::fs::write(&path, "0123456789")?;
    /// std::fs::write(&other, "abcdef")?;
    /// let mut file = SpliceFile::open(&path)?;
    /// file.splice(2..8, Content::file_range(&other, 1..3)?)?;
    /// file.splice(0..0, Content::fill(b'.', 1 << 40))?;
    /// assert_eq!(file.len(), 6 + (1 << 40));
    /// # Ok(())
    /// # }
    /// ```
    pub fn splice(&mut self, range: impl RangeBounds<u64>, content: Content<'_>) -> Result<()> {
        self.check_usable()?;
        let range = range::resolve(range, self.len(), &self.path)?;
        // Not negative, and no sum below can overflow: all lengths so far are at most MAX_LEN.
        let room = MAX_LEN - (self.len() - (range.end - range.start));
        match content.0 {
            Kind::Bytes(bytes) => {
                let len = bytes.len() as u64;
                self.check_room(len, room)?;
                if self.overwrite(range.clone(), bytes)? {
                    return Ok(());
                }
                let address = self.added.append(bytes).map_err(|error| self.not_added(error))?;
                self.put(range, [Piece::new(Source::Added, address, len)]);
            }
            Kind::Reader(mut reader) => {
                // One byte more than fits is enough to see that it does not.
                let mut reader = io::Read::take(&mut reader, room + 1);
                let outcome = self.added.append_from(&mut reader);
                let (address, len) = outcome.map_err(|error| self.not_added(error))?;
                if let Err(error) = self.check_room(len, room) {
                    self.added.forget_from(address);
                    return Err(error);
                }
                self.put(range, [Piece::new(Source::Added, address, len)]);
            }
            Kind::File(source, from) => {
                let len = from.end - from.start;
                self.check_room(len, room)?;
                let source = self.number_source(source)?;
                self.put(range, [Piece::new(source, from.start, len)]);
            }
            Kind::Copy(start, end) => {
                let from = range::resolve((start, end), self.len(), &self.path)?;
                self.check_room(from.end - from.start, room)?;
                self.put_tree(range, self.tree.slice(from));
            }
            Kind::Fill(byte, count) => {
                self.check_room(count, room)?;
                if !self.overwrite_by_fill(range.clone(), byte, count)? {
                    self.put(range, [Piece::new(Source::Fill(byte), 0, count)]);
                }
            }
        }
        Ok(())
    }

    /// Makes commits depend on the bytes of `range` being `old` now. If they differ, this fails at once, and every
    /// commit fails with the same error until [`discard`](Self::discard). Reads the range.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with the first difference; else as [`read_at`](Self::read_at).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// # std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.expect(2..4, "23")?;
    /// assert!(file.expect(2..4, "24").is_err());
    /// file.discard();
    /// # Ok(())
    /// # }
    /// ```
    pub fn expect(&mut self, range: impl RangeBounds<u64>, old: impl AsRef<[u8]>) -> Result<()> {
        let range = range::resolve(range, self.len(), &self.path)?;
        let Some(at) = self.first_difference(range.clone(), old.as_ref())? else { return Ok(()) };
        let unmet = UnmetExpectation { range, at };
        let error = self.unexpected(&unmet);
        self.unmet_expectation.get_or_insert(unmet);
        Err(error)
    }

    /// Drops all edits and expectations since the file was opened or last committed, and history and snapshots with them.
    pub fn discard(&mut self) {
        self.tree = PieceTree::from_pieces(pristine(self.original.len()));
        self.added.clear();
        self.overwrites = Overwrites::default();
        self.history.clear();
        self.snapshots.clear();
        self.sources.clear();
        self.unmet_expectation = None;
    }

    /// Drops all edits, like [`discard`](Self::discard), and takes the file as it is on the disk now for the ground of
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
        if identity.len != self.original.len() {
            self.original = OriginalFile::new(Arc::clone(self.original.file()), identity.len);
        }
        self.identity = identity;
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
        if (now.key(), now.len) != (self.identity.key(), self.identity.len) {
            return Err(self.changed());
        }
        self.identity = now;
        Ok(())
    }

    /// Fails if an expectation since the last commit did not hold.
    pub(crate) fn check_expectations(&self) -> Result<()> {
        self.unmet_expectation.as_ref().map_or(Ok(()), |unmet| Err(self.unexpected(unmet)))
    }

    /// Fails if a commit through this handle left it with a wrong view of the file.
    pub(crate) fn check_usable(&self) -> Result<()> {
        match &self.poisoned {
            None => Ok(()),
            Some(state) => Err(Error::Poisoned { path: self.path.clone(), state: state.clone() }),
        }
    }

    /// Takes the contents on the disk, which a commit just wrote, as the new ground for edits.
    pub(crate) fn start_over_from_disk(&mut self, kept: Kept) -> Result<()> {
        self.start_over_from(self.original.file().clone(), kept)
    }

    /// The same with `file`, which a commit put in the place of the old one.
    pub(crate) fn start_over_from(&mut self, file: Arc<fs::File>, mut kept: Kept) -> Result<()> {
        self.identity = Identity::of(&file).map_err(|source| Error::Io {
            path: self.path.clone(),
            operation: "read the length of the file",
            offset: 0,
            len: 0,
            source,
            state: FileState::Committed,
        })?;
        self.original = OriginalFile::new(file, self.identity.len);
        self.tree = PieceTree::from_pieces(pristine(self.original.len()));
        mem::swap(&mut self.added, &mut kept.added);
        self.overwrites = Overwrites::above(self.added.len());
        self.sources.clear();
        self.unmet_expectation = None;
        self.rebase_history(kept);
        Ok(())
    }

    fn check_room(&self, len: u64, room: u64) -> Result<()> {
        if len <= room {
            return Ok(());
        }
        Err(Error::TooLarge { path: self.path.clone(), what: "the length of the contents" })
    }

    /// The name under which pieces know this file: the target itself, or a number.
    pub(crate) fn number_source(&mut self, source: FileSource) -> Result<Source> {
        let identity = *source.identity();
        if identity.key() == self.identity.key() {
            if identity.len != self.original.len() {
                return Err(self.changed());
            }
            return Ok(Source::Original);
        }
        let known = self.sources.iter().position(|known| *known.identity() == identity);
        let number = known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        Ok(Source::File(number as u32))
    }

    pub(crate) fn first_difference(&self, range: Range<u64>, old: &[u8]) -> Result<Option<u64>> {
        let Range { start, end } = range;
        let mut at = 0;
        for chunk in self.chunks(start..end.min(start + old.len() as u64))? {
            let chunk = chunk?;
            let same = chunk.iter().zip(&old[at..]).take_while(|(now, old)| now == old).count();
            at += same;
            if same < chunk.len() {
                return Ok(Some(start + at as u64));
            }
        }
        Ok((end - start != old.len() as u64).then_some(start + at as u64))
    }

    fn unexpected(&self, unmet: &UnmetExpectation) -> Error {
        let Range { start, end } = unmet.range;
        Error::Unexpected { path: self.path.clone(), start, end, at: unmet.at }
    }

    pub(crate) fn not_added(&self, error: AppendError) -> Error {
        let path = self.added.directory();
        let (offset, state) = (self.added.len(), FileState::Unchanged);
        let operation = "store added bytes in a temporary file in it";
        match error {
            AppendError::Read(source) => Error::Content { path: self.path.clone(), source },
            AppendError::OverLimit { len, limit } => Error::SizeLimit { path, len, limit, state },
            AppendError::Store(source) => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    Error::NoSpace { path, operation, offset, len: 0, source, state }
                }
                _ => Error::Io { path, operation, offset, len: 0, source, state },
            },
        }
    }
}

/// The pieces of a file of `len` bytes without edits.
fn pristine(len: u64) -> Option<Piece> {
    (len > 0).then(|| Piece::new(Source::Original, 0, len))
}

impl fmt::Debug for SpliceFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SpliceFile")
            .field("path", &self.path)
            .field("len", &self.len())
            .field("pieces", &self.tree.piece_count())
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn opened(contents: &str) -> (tempfile::NamedTempFile, SpliceFile) {
        let target = tempfile::NamedTempFile::new().unwrap();
        fs::write(target.path(), contents).unwrap();
        let file = SpliceFile::open(target.path()).unwrap();
        (target, file)
    }

    #[test]
    fn an_unmet_expectation_is_remembered_until_discarded() {
        let (_target, mut file) = opened("0123456789");
        file.expect(2..5, "234").unwrap();
        file.check_expectations().unwrap();
        for (old, differs) in [("2x4", 3), ("23", 4), ("2345", 5), ("", 2)] {
            let at_fault = |outcome: Result<()>| match outcome {
                Err(Error::Unexpected { start: 2, end: 5, at, .. }) => at,
                other => panic!("{other:?}"),
            };
            assert_eq!(at_fault(file.expect(2..5, old)), differs);
            assert_eq!(at_fault(file.check_expectations()), differs);
            file.discard();
            file.check_expectations().unwrap();
        }
        let _ = file.expect(2..5, "abc");
        let _ = file.expect(0..1, "x");
        assert!(matches!(file.check_expectations(), Err(Error::Unexpected { start: 2, .. })));
    }

    #[test]
    fn a_poisoned_handle_refuses_edits_and_reads() {
        let (_target, mut file) = opened("0123456789");
        file.poisoned = Some(FileState::Damaged);
        let poisoned = |outcome: Result<()>| {
            matches!(outcome, Err(Error::Poisoned { state: FileState::Damaged, .. }))
        };
        assert!(poisoned(file.append("x")));
        assert!(poisoned(file.read_exact_at(&mut [0; 2], 0)));
        assert!(poisoned(file.chunks(..).map(drop)));
        assert!(poisoned(file.expect(0..1, "0")));
        assert!(file.reader().read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_handle_goes_on_from_what_a_commit_wrote() {
        let (target, mut file) = opened("0123456789");
        file.append("abc").unwrap();
        fs::write(target.path(), "0123456789abc").unwrap();
        let kept = file.keep_history();
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
    fn one_source_file_is_held_open_once() {
        let (_target, mut file) = opened("0123456789");
        let other = tempfile::NamedTempFile::new().unwrap();
        fs::write(other.path(), "abcdef").unwrap();
        for at in 0..10 {
            let content = Content::file_range(other.path(), at / 2..4).unwrap();
            file.splice(at..at, content).unwrap();
        }
        assert_eq!(file.sources.len(), 1);
        fs::write(other.path(), "abcdefg").unwrap();
        assert!(matches!(file.sources[0].check_unchanged(), Err(Error::SourceChanged { .. })));
        file.discard();
        assert!(file.sources.is_empty());
    }
}
