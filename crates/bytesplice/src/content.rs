use std::fmt;
use std::io::Read;
use std::ops::{Bound, Range, RangeBounds};
use std::path::Path;

use crate::Result;
use crate::source::FileSource;

/// What an edit puts in place of the bytes it removes.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("notes");
/// use bytesplice::{Content, SpliceFile};
///
/// std::fs::write(&path, "0123456789")?;
/// let mut file = SpliceFile::open(&path)?;
/// file.splice(..2, Content::fill(b'-', 3))?;
/// file.splice(3..3, Content::copy(9..))?;
/// file.splice(.., Content::reader(&b"streamed"[..]))?;
/// file.splice(8.., "!".into())?;
/// assert_eq!(file.len(), 9);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Content<'a>(pub(crate) Kind<'a>);

/// What stands behind a [`Content`].
pub(crate) enum Kind<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// All that a reader gives.
    Reader(Box<dyn Read + 'a>),
    /// A range of another file, or of this one as it is on the disk.
    File(FileSource, Range<u64>),
    /// A range of this file, as edited.
    Copy(Bound<u64>, Bound<u64>),
    /// One byte, this many times.
    Fill(u8, u64),
}

impl<'a> Content<'a> {
    /// These bytes, which are copied.
    #[must_use]
    pub fn bytes(bytes: &'a [u8]) -> Self {
        Self(Kind::Bytes(bytes))
    }

    /// All bytes of a reader up to its end. They are streamed, and those over the memory limit go to a temporary
    /// file. This is the way for pipes and FIFOs.
    #[must_use]
    pub fn reader(reader: impl Read + 'a) -> Self {
        Self(Kind::Reader(Box::new(reader)))
    }

    /// All bytes of another regular file. They are not copied until the commit, which fails with
    /// [`SourceChanged`](crate::Error::SourceChanged) if that file is not the same then. O(1).
    ///
    /// If it is the edited file itself, by whatever name, these are its contents on the disk, without the edits.
    ///
    /// # Errors
    /// [`Open`](crate::Error::Open) and [`NotRegular`](crate::Error::NotRegular).
    pub fn file(path: impl AsRef<Path>) -> Result<Self> {
        Self::file_range(path, ..)
    }

    /// The bytes of `range` (half-open, in bytes) of another regular file; else as [`file`](Self::file).
    ///
    /// # Errors
    /// [`Open`](crate::Error::Open), [`NotRegular`](crate::Error::NotRegular), and
    /// [`OutOfRange`](crate::Error::OutOfRange) or [`ReversedRange`](crate::Error::ReversedRange) of that file.
    pub fn file_range(path: impl AsRef<Path>, range: impl RangeBounds<u64>) -> Result<Self> {
        let (source, range) = FileSource::open_range(path.as_ref(), range)?;
        Ok(Self(Kind::File(source, range)))
    }

    /// The bytes of `range` (half-open, in bytes) of the edited file, as they are before this edit. They are not
    /// copied until the commit. The range may overlap the one that is replaced.
    #[must_use]
    pub fn copy(range: impl RangeBounds<u64>) -> Self {
        Self(Kind::Copy(range.start_bound().cloned(), range.end_bound().cloned()))
    }

    /// `byte`, `count` times. O(1).
    #[must_use]
    pub fn fill(byte: u8, count: u64) -> Self {
        Self(Kind::Fill(byte, count))
    }
}

impl<'a> From<&'a [u8]> for Content<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Content<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Content<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl<'a> From<&'a str> for Content<'a> {
    fn from(text: &'a str) -> Self {
        Self::bytes(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Content<'a> {
    fn from(text: &'a String) -> Self {
        Self::bytes(text.as_bytes())
    }
}

impl fmt::Debug for Kind<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(out, "{} bytes", bytes.len()),
            Self::Reader(_) => out.write_str("all of a reader"),
            Self::File(source, range) => write!(out, "bytes {range:?} of {:?}", source.path()),
            Self::Copy(start, end) => write!(out, "a copy of {:?}", (start, end)),
            Self::Fill(byte, count) => write!(out, "{count} times {byte:#04x}"),
        }
    }
}
