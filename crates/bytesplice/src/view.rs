use std::ops::{Range, RangeBounds};

use crate::pieces::{Piece, PieceTree, Pieces, Source};
use crate::reader::{Chunks, Reader};
use crate::{Contents, Error, Result, range};

/// [`Contents`] at one time, to be read beside those of other times: from [`Contents::view`].
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("notes");
/// std::fs::write(&path, "one")?;
/// let mut file = bytesplice::SpliceFile::open(&path)?;
/// file.snapshot("before")?;
/// file.append(", two")?;
/// assert_eq!((file.view("before")?.len(), file.len()), (3, 8));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What the pieces mean.
    file: &'a Contents,
    tree: &'a PieceTree,
}

impl<'a> View<'a> {
    pub(crate) fn new(file: &'a Contents, tree: &'a PieceTree) -> Self {
        Self { file, tree }
    }

    /// Length in bytes. O(1).
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tree.len()
    }

    /// Whether there is no byte. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// As [`Contents::read_at`].
    ///
    /// # Errors
    /// As there.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let rest = range::resolve(offset.., self.len(), self.file.path())?;
        let count = (rest.end - rest.start).min(buffer.len() as u64) as usize;
        self.read_exact_at(&mut buffer[..count], offset)?;
        Ok(count)
    }

    /// As [`Contents::read_exact_at`].
    ///
    /// # Errors
    /// As there.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.check_usable()?;
        let end = offset.checked_add(buffer.len() as u64).ok_or_else(|| Error::TooLarge {
            path: self.file.path.clone(),
            what: "the end of the range",
        })?;
        let range = range::resolve(offset..end, self.len(), self.file.path())?;
        self.file.gather(self.tree.range(range), buffer)
    }

    /// As [`Contents::chunks`].
    ///
    /// # Errors
    /// As there.
    pub fn chunks(&self, range: impl RangeBounds<u64>) -> Result<Chunks<'a>> {
        self.file.check_usable()?;
        Ok(Chunks::new(*self, range::resolve(range, self.len(), self.file.path())?))
    }

    /// As [`Contents::reader`].
    #[must_use]
    pub fn reader(&self) -> Reader<'a> {
        Reader::new(*self)
    }

    /// The pieces of `range`, which is within the contents.
    pub(crate) fn pieces(&self, range: Range<u64>) -> Pieces<'a> {
        self.tree.range(range)
    }

    /// The bytes of `piece`, or their first part, if they can be borrowed.
    pub(crate) fn in_memory(&self, piece: Piece) -> &'a [u8] {
        match piece.source {
            Source::Added => self.file.added.slice_up_to(piece.offset, piece.len),
            _ => &[],
        }
    }
}
