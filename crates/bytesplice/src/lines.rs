use std::ops::{Bound, Range, RangeBounds};

use memchr::{memchr_iter, memrchr};

use crate::buffer::Buffer;
use crate::{Contents, Error, Result, WorkOptions, range};

/// Bytes that are read at once: in the second-level cache they are counted as fast as they are read.
const BUFFER: usize = 256 << 10;
/// Bytes that are counted at once; the last of them are then searched for the one newline that is wanted.
const BLOCK: usize = 16 << 10;

/// Lines of the current contents.
///
/// A line ends after its newline (`\n`). A last line without one is a line; empty contents have none. Lines are
/// numbered from 0 and ranges of them are half-open.
///
/// Nothing is kept between calls. Newlines are counted as fast as bytes are read, and an index would have to be built
/// by the same reading and be dropped at every edit.
impl Contents {
    /// The bytes of a range of lines: from the start of the first to the start of the one behind the last.
    ///
    /// Reads the contents up to there, or all of them if the range lies outside. O(bytes read).
    ///
    /// # Errors
    /// [`Error::LinesOutOfRange`], which says how many lines there are; [`Error::ReversedRange`] of lines; else as
    /// [`read_at`](Self::read_at).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("log");
    /// std::fs::write(&path, "one\ntwo\nthree\nfour")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// assert_eq!(file.lines(1..3)?, 4..14);
    /// assert_eq!(file.lines(3..)?, 14..18);
    /// assert_eq!(file.lines(9..10).unwrap_err().to_string().split(": ").last(),
    ///     Some("lines 9..10 are outside the contents, which have 4 lines"));
    /// file.remove(file.lines(..2)?)?;
    /// assert_eq!(file.line_count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lines(&self, range: impl RangeBounds<u64>) -> Result<Range<u64>> {
        self.find_lines(range, LineScan::new(self))
    }

    /// The same as [`lines`](Self::lines), told of and stopped by `options`.
    ///
    /// # Errors
    /// As for [`lines`](Self::lines), and [`Error::Cancelled`].
    ///
    /// # Examples
    /// See [`WorkOptions`].
    pub fn lines_with(
        &self,
        range: impl RangeBounds<u64>,
        options: WorkOptions<'_>,
    ) -> Result<Range<u64>> {
        self.find_lines(range, LineScan::watched(self, options))
    }

    fn find_lines(
        &self,
        range: impl RangeBounds<u64>,
        mut scan: LineScan<'_, '_>,
    ) -> Result<Range<u64>> {
        let too_large = |what| Error::TooLarge { path: self.path().into(), what };
        let first = match range.start_bound() {
            Bound::Included(&first) => first,
            Bound::Excluded(&first) => {
                first.checked_add(1).ok_or_else(|| too_large("the start of the range"))?
            }
            Bound::Unbounded => 0,
        };
        let behind = match range.end_bound() {
            Bound::Included(&last) => {
                Some(last.checked_add(1).ok_or_else(|| too_large("the end of the range"))?)
            }
            Bound::Excluded(&behind) => Some(behind),
            Bound::Unbounded => None,
        };
        if let Some(end) = behind.filter(|&behind| behind < first) {
            return Err(Error::ReversedRange { path: self.path().into(), start: first, end });
        }
        let outside = |lines| Error::LinesOutOfRange {
            path: self.path().into(),
            start: first,
            end: behind.unwrap_or(first),
            lines,
        };
        let start = scan.start_of(first)?.map_err(outside)?;
        let end = match behind {
            Some(behind) => scan.start_of(behind)?.map_err(outside)?,
            None => self.len(),
        };
        Ok(start..end)
    }

    /// How many lines there are. Reads all bytes.
    ///
    /// # Errors
    /// As for [`read_at`](Self::read_at).
    pub fn line_count(&self) -> Result<u64> {
        LineScan::new(self).count()
    }

    /// The same as [`line_count`](Self::line_count), told of and stopped by `options`.
    ///
    /// # Errors
    /// As for [`read_at`](Self::read_at), and [`Error::Cancelled`].
    pub fn line_count_with(&self, options: WorkOptions<'_>) -> Result<u64> {
        LineScan::watched(self, options).count()
    }

    /// The number of the line in which the byte at `offset` lies, from 0 on; at the end, of the line that a byte
    /// appended there would be in. Reads all bytes before `offset`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `offset` is past the end; else as [`read_at`](Self::read_at).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("log");
    /// std::fs::write(&path, "one\ntwo\n")?;
    /// let file = bytesplice::SpliceFile::open(&path)?;
    /// assert_eq!((file.line_at(3)?, file.line_at(4)?, file.line_at(8)?), (0, 1, 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn line_at(&self, offset: u64) -> Result<u64> {
        self.find_line(offset, LineScan::new(self))
    }

    /// The same as [`line_at`](Self::line_at), told of and stopped by `options`.
    ///
    /// # Errors
    /// As for [`line_at`](Self::line_at), and [`Error::Cancelled`].
    pub fn line_at_with(&self, offset: u64, options: WorkOptions<'_>) -> Result<u64> {
        self.find_line(offset, LineScan::watched(self, options))
    }

    fn find_line(&self, offset: u64, scan: LineScan<'_, '_>) -> Result<u64> {
        let before =
            range::resolve(..offset, self.len(), self.path()).map_err(|_| Error::OutOfRange {
                path: self.path().into(),
                start: offset,
                end: offset,
                len: self.len(),
            })?;
        let mut scan = LineScan { end: before.end, ..scan };
        while scan.skip_buffer()? {}
        Ok(scan.newlines)
    }
}

/// Counts newlines from the beginning of the contents on.
struct LineScan<'a, 'o> {
    file: &'a Contents,
    buffer: Buffer,
    /// The part of the buffer that is read and not counted yet.
    rest: Range<usize>,
    /// Offset of the first byte that is not counted yet.
    offset: u64,
    /// Newlines before `offset`.
    newlines: u64,
    /// Where the scan stops.
    end: u64,
    /// What is told of the bytes that were read, and what can stop the scan.
    options: WorkOptions<'o>,
}

impl<'a, 'o> LineScan<'a, 'o> {
    fn new(file: &'a Contents) -> Self {
        Self::watched(file, WorkOptions::new())
    }

    fn watched(file: &'a Contents, options: WorkOptions<'o>) -> Self {
        let end = file.len();
        let buffer = Buffer::new(end.min(BUFFER as u64) as usize);
        Self { file, buffer, rest: 0..0, offset: 0, newlines: 0, end, options }
    }

    /// Offset of the start of line `number`, of the end if there are so many lines and no more; else the number of
    /// lines as an error. Asked for in ascending order.
    fn start_of(&mut self, number: u64) -> Result<Result<u64, u64>> {
        while self.newlines < number {
            let wanted = number - self.newlines;
            if !self.fill()? {
                let lines = self.count()?;
                return Ok(if number == lines { Ok(self.end) } else { Err(lines) });
            }
            let block = &self.buffer[self.rest.start..self.rest.end.min(self.rest.start + BLOCK)];
            let found = memchr_iter(b'\n', block).count() as u64;
            // The one that is wanted is in this block: what is behind it belongs to the next call.
            let nth = usize::try_from(wanted - 1).ok().filter(|_| found >= wanted);
            let last = nth.and_then(|nth| memchr_iter(b'\n', block).nth(nth));
            let (counted, found) = last.map_or((block.len(), found), |at| (at + 1, wanted));
            self.rest.start += counted;
            self.offset += counted as u64;
            self.newlines += found;
        }
        Ok(Ok(self.offset))
    }

    /// Goes to the end and says how many lines there are.
    fn count(&mut self) -> Result<u64> {
        let mut terminated = self.end == 0;
        if self.offset == self.end && self.end > 0 {
            let mut last = [0];
            self.file.read_exact_at(&mut last, self.end - 1)?;
            terminated = last == *b"\n";
        }
        while self.fill()? {
            let bytes = &self.buffer[self.rest.clone()];
            terminated = memrchr(b'\n', bytes) == Some(bytes.len() - 1);
            self.skip_buffer()?;
        }
        Ok(self.newlines + u64::from(!terminated))
    }

    /// Counts what is in the buffer, or in the next one; false at the end.
    fn skip_buffer(&mut self) -> Result<bool> {
        if !self.fill()? {
            return Ok(false);
        }
        self.newlines += memchr_iter(b'\n', &self.buffer[self.rest.clone()]).count() as u64;
        self.offset += self.rest.len() as u64;
        self.rest = 0..0;
        Ok(true)
    }

    /// Reads on if nothing is left in the buffer; false at the end.
    fn fill(&mut self) -> Result<bool> {
        if self.rest.is_empty() {
            let count = (self.end - self.offset).min(self.buffer.len() as u64) as usize;
            self.file.read_exact_at(&mut self.buffer[..count], self.offset)?;
            self.rest = 0..count;
            self.options.advance(self.file, self.offset + count as u64, self.end)?;
        }
        Ok(!self.rest.is_empty())
    }
}
