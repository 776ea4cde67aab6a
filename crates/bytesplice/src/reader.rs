use std::borrow::Cow;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::iter::FusedIterator;
use std::ops::Range;

use crate::view::View;
use crate::{Error, Result};

/// Bytes a [`Reader`] reads ahead.
const BUFFER: usize = 64 << 10;
/// Most bytes in one chunk of [`Chunks`].
const CHUNK: u64 = 1 << 20;
/// Chunks end half-way between multiples of this, so that the next one, whose memory begins at such a multiple, is not
/// copied from one: processors do that slowly (4 KiB aliasing, see [`buffer`](crate::buffer)).
const PAGE: u64 = 4 << 10;
/// Added bytes that lie together in fewer bytes than this are copied with their neighbours: a chunk for every few
/// bytes costs more than their copy.
const WORTH_BORROWING: u64 = 4 << 10;

/// Reads [`Contents`](crate::Contents), from their [`reader`](crate::Contents::reader) or that of a
/// [`View`].
///
/// Errors are [`std::io::Error`]s that hold an [`Error`]. Seeking past the end is allowed; there is nothing to read.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("notes");
/// use std::io::BufRead;
///
/// std::fs::write(&path, "first\nsecond\n")?;
/// let mut file = bytesplice::SpliceFile::open(&path)?;
/// file.insert(6, "between\n")?;
/// let lines: Result<Vec<_>, _> = file.reader().lines().collect();
/// assert_eq!(lines?, ["first", "between", "second"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reader<'a> {
    contents: View<'a>,
    /// Offset of the next byte that is not in the buffer.
    ahead: u64,
    buffer: Vec<u8>,
    /// How many bytes of the buffer are used up.
    used: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(contents: View<'a>) -> Self {
        Self { contents, ahead: 0, buffer: Vec::new(), used: 0 }
    }

    /// Offset of the next byte to read.
    fn position(&self) -> u64 {
        self.ahead - (self.buffer.len() - self.used) as u64
    }

    fn read_ahead(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead > self.contents.len() {
            return Ok(0);
        }
        let count = self.contents.read_at(buffer, self.ahead).map_err(into_io_error)?;
        self.ahead += count as u64;
        Ok(count)
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.buffer.len() && buffer.len() >= BUFFER {
            self.buffer.clear();
            self.used = 0;
            return self.read_ahead(buffer);
        }
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.buffer.len() {
            let mut buffer = std::mem::take(&mut self.buffer);
            self.used = 0;
            buffer.resize(BUFFER, 0);
            let count = self.read_ahead(&mut buffer)?;
            buffer.truncate(count);
            self.buffer = buffer;
        }
        Ok(&self.buffer[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.buffer.len());
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.contents.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position().checked_add_signed(offset),
        };
        let position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the position is negative or too large")
        })?;
        let begin = self.ahead - self.buffer.len() as u64;
        if (begin..=self.ahead).contains(&position) {
            self.used = (position - begin) as usize;
        } else {
            self.buffer.clear();
            self.used = 0;
            self.ahead = position;
        }
        Ok(position)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position())
    }
}

/// Keeps the kind of a system error, so that callers can match on it.
fn into_io_error(error: Error) -> io::Error {
    let kind = match &error {
        Error::Io { source, .. } => source.kind(),
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// The bytes of a range in order, from [`Contents::chunks`](crate::Contents::chunks) or [`View::chunks`].
#[derive(Debug, Clone)]
pub struct Chunks<'a> {
    contents: View<'a>,
    rest: Range<u64>,
}

impl<'a> Chunks<'a> {
    pub(crate) fn new(contents: View<'a>, range: Range<u64>) -> Self {
        Self { contents, rest: range }
    }

    fn read(&self) -> Result<Cow<'a, [u8]>> {
        let Range { start, end } = self.rest;
        let most = (start + CHUNK - PAGE / 2) / PAGE * PAGE + PAGE / 2;
        let mut count = 0;
        for piece in self.contents.pieces(start..end.min(most)) {
            let bytes = self.contents.in_memory(piece);
            if bytes.len() as u64 >= WORTH_BORROWING.min(end - start) {
                if count == 0 {
                    return Ok(Cow::Borrowed(bytes));
                }
                break;
            }
            count += piece.len;
        }
        let mut bytes = vec![0; count as usize];
        self.contents.read_exact_at(&mut bytes, start)?;
        Ok(Cow::Owned(bytes))
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Cow<'a, [u8]>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let chunk = self.read();
        match &chunk {
            Ok(bytes) => self.rest.start += bytes.len() as u64,
            Err(_) => self.rest.start = self.rest.end,
        }
        Some(chunk)
    }
}

impl FusedIterator for Chunks<'_> {}
