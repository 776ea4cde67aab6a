use std::io::{self, ErrorKind};
use std::ops::{Range, RangeBounds};
use std::path::PathBuf;

use crate::pieces::{Piece, Source};
use crate::reader::{Chunks, Reader};
use crate::view::View;
use crate::{Contents, Error, FileState, Result};

/// Reading the current contents.
impl Contents {
    /// Copies bytes from `offset` on into `buffer` and returns how many: fewer than asked for only at the end.
    /// O(log n) and the bytes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `offset` is past the end (at the end there are 0 bytes to read);
    /// [`Error::Changed`] or [`Error::SourceChanged`] if the bytes are gone; [`Error::Io`]; [`Error::Poisoned`].
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.now().read_at(buffer, offset)
    }

    /// Fills `buffer` with the bytes from `offset` on. O(log n) and the bytes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if they reach past the end; else as [`read_at`](Self::read_at).
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.now().read_exact_at(buffer, offset)
    }

    /// The bytes of `range` in order, in chunks of at most 1 MiB and never an empty one.
    ///
    /// Added bytes in memory are borrowed where 4 KiB or more of them lie together, or all that are asked for;
    /// everything else is copied.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::ReversedRange`], [`Error::Poisoned`]. An item fails as
    /// [`read_at`](Self::read_at) does, and is the last.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// # std::fs::write(&path, "0123456789")?;
    /// let file = bytesplice::SpliceFile::open(&path)?;
    /// let mut sum = 0;
    /// for chunk in file.chunks(2..)? {
    ///     sum += chunk?.iter().map(|byte| u64::from(byte - b'0')).sum::<u64>();
    /// }
    /// assert_eq!(sum, 44);
    /// # Ok(())
    /// # }
    /// ```
    pub fn chunks(&self, range: impl RangeBounds<u64>) -> Result<Chunks<'_>> {
        self.now().chunks(range)
    }

    /// A reader of the current contents from their beginning, with a buffer of 64 KiB.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        self.now().reader()
    }

    /// The contents as they are now.
    pub(crate) fn now(&self) -> View<'_> {
        View::new(self, &self.tree)
    }

    /// The error for bytes of the original that could not be read.
    pub(crate) fn not_read(&self, range: Range<u64>, source: io::Error) -> Error {
        if is_gone(&source) {
            return self.changed();
        }
        let (path, operation, state) = (self.path.clone(), "read", FileState::Unchanged);
        let Range { start: offset, end } = range;
        Error::Io { path, operation, offset, len: end - offset, source, state }
    }

    /// Fills `buffer` with `piece`, which has its length.
    pub(crate) fn read_piece(&self, buffer: &mut [u8], piece: Piece) -> Result<()> {
        let failed = |path: PathBuf, operation, source| Error::Io {
            path,
            operation,
            offset: piece.offset,
            len: piece.len,
            source,
            state: FileState::Unchanged,
        };
        match piece.source {
            Source::Original => {
                let range = piece.offset..piece.offset + piece.len;
                let read = self.original.read_exact_at(buffer, piece.offset);
                read.map_err(|error| self.not_read(range, error))
            }
            Source::Added => self.added.read_exact_at(buffer, piece.offset).map_err(|error| {
                failed(
                    self.added.directory(),
                    "read added bytes from a temporary file in it",
                    error,
                )
            }),
            Source::File(number) => {
                let source = &self.sources[number as usize];
                source.read_exact_at(buffer, piece.offset).map_err(|error| {
                    let cut = || source.check_unchanged().err();
                    is_gone(&error)
                        .then(cut)
                        .flatten()
                        .unwrap_or_else(|| failed(source.path().into(), "read", error))
                })
            }
            Source::Fill(byte) => {
                buffer.fill(byte);
                Ok(())
            }
        }
    }
}

/// Whether the bytes are there no more.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::UnexpectedEof
}
