use std::fmt;
use std::io;
use std::ops::{Range, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::content::{Content, Kind};
use crate::history::{History, Snapshots};
use crate::overwrite::Overwrites;
use crate::pieces::{Piece, PieceTree, Source};
use crate::range::{self, MAX_LEN};
use crate::source::{AddedBytes, AppendError, FileSource, Original};
use crate::{Error, FileState, OpenOptions, Result};

/// Contents that are edited: the bytes `0..len` of an [`Original`], and edits of any length anywhere in them.
///
/// This is the face that all that can be spliced shows: a [`SpliceFile`](crate::SpliceFile) dereferences to its
/// contents. Edits go into a tree of pieces over the original, which they never change; who owns the contents brings
/// them there, by a commit. A failed edit changes nothing. Any number of threads can read at a time.
///
/// Contents belong to their owner, like a string to its `String`: swapped with those of another, they are refused by the
/// next commit.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("notes");
/// use bytesplice::{Contents, SpliceFile};
///
/// fn sign(letter: &mut Contents) -> bytesplice::Result<()> {
///     letter.append("\nYours, A.")
/// }
/// std::fs::write(&path, "Dear B,")?;
/// let mut file = SpliceFile::open(&path)?;
/// sign(&mut file)?;
/// assert_eq!(file.len(), 17);
/// # Ok(())
/// # }
/// ```
pub struct Contents {
    /// Where they are, for messages: the path of a file without symlinks, the address of an object.
    pub(crate) path: PathBuf,
    /// The bytes that `Source::Original` pieces mean.
    pub(crate) original: Arc<dyn Original>,
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
    /// Set by a commit that failed half-way: what the original holds since.
    pub(crate) poisoned: Option<FileState>,
}

/// Bytes that were not as [`Contents::expect`] said.
#[derive(Debug, Clone)]
pub(crate) struct UnmetExpectation {
    /// The bytes compared.
    pub range: Range<u64>,
    /// Offset of the first difference.
    pub at: u64,
}

impl Contents {
    /// The contents of an original, without edits, for an owner who commits them: `owner.rs` has the rest that owners need.
    /// `path` is for messages; of the options those on memory and history count.
    pub fn new(path: PathBuf, original: Arc<dyn Original>, options: &OpenOptions) -> Self {
        let mut contents = Self {
            path,
            original,
            tree: PieceTree::new(),
            added: AddedBytes::new(options.memory_limit, options.temporary_directory.clone()),
            overwrites: Overwrites::default(),
            history: History::new(options.history_limit),
            snapshots: Snapshots::default(),
            sources: Vec::new(),
            unmet_expectation: None,
            poisoned: None,
        };
        contents.discard();
        contents
    }

    /// Where the contents are: the path of a file without symlinks, or the address of an object. A file without a name has
    /// the path it had, or one the system made up.
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

    /// The error for an original that is no longer as it was.
    pub(crate) fn changed(&self) -> Error {
        let what =
            self.original.change().unwrap_or_else(|| "bytes of it could not be read".to_owned());
        Error::Changed { path: self.path.clone(), what }
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
        if self.original.is_inode(identity.device, identity.inode) {
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
        match error {
            AppendError::Read(source) => Error::Content { path: self.path.clone(), source },
            AppendError::OverLimit { len, limit } => {
                Error::SizeLimit { path, len, limit, state: FileState::Unchanged }
            }
            AppendError::Store(source) => {
                let operation = "store added bytes in a temporary file in it";
                Error::not_written(path, operation, self.added.len(), 0, source)
            }
        }
    }
}

/// The pieces of a file of `len` bytes without edits.
pub(crate) fn pristine(len: u64) -> Option<Piece> {
    (len > 0).then(|| Piece::new(Source::Original, 0, len))
}

impl fmt::Debug for Contents {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Contents")
            .field("path", &self.path)
            .field("len", &self.len())
            .field("pieces", &self.tree.piece_count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::io::Read;

    use super::*;
    use crate::SpliceFile;

    pub fn opened(contents: &str) -> (tempfile::NamedTempFile, SpliceFile) {
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
