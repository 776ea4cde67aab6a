//! The strategy *replace*: a new file beside the old one, which takes its name when it is complete and durable.
//!
//! ```text
//! 1  sync the target, others' dirty pages included: they are part of the old contents
//! 2  create the new file beside it, held exclusively; share the target's blocks or begin empty; write the rest; give
//!    it the target's permissions and attributes; sync it
//! 3  ask again whether others changed the target
//! 4  rename the new file over the old one                                          COMMIT POINT
//! 5  sync the directory; take the mark off the file that has the name now
//! ```
//! Why this is old or new after a crash: nothing writes to the old inode, and a name leads to one inode or the other.
//! The new one was durable before it could get the name. Before 5 either may come back; after it only the new one.
//!
//! Why there is nothing to recover: a crash before 4 leaves the new file under its own name. It is never read again; the
//! next open for writing removes it, as it holds the target exclusively and so knows that no commit is under way.
//!
//! Why the new file is locked before it has the name: who waits for the lock of the old inode gets it when the commit is
//! done, sees that the path leads to another inode, and waits for that one. Nobody can slip in between.
//!
//! Holes stay holes, also those that move by whole blocks or not, and zeros that an edit fills in are holes too.

use std::ops::Range;

use super::engine::Check;
use super::failure::{Attempt, Failure, Object, Stage};
use super::literals::Sources;
use super::nearby::Nearby;
use super::watch::Watch;
use crate::buffer::Buffer;
use crate::pieces::{Piece, Source};
use crate::storage::StorageFile;
use crate::storage::replacement::Replacement;

/// Sharing works by whole blocks; on file systems with larger ones the system copies instead.
const BLOCK: u64 = 4096;
/// Less than this is copied faster than shared.
const LEAST_SHARED: u64 = 128 << 10;

/// What operations are called in errors.
pub(crate) const CREATE: &str = "create";
pub(crate) const COPY_METADATA: &str = "give owner, permissions and attributes to";
const REMOVE_MARK: &str = "take the mark of an unfinished file off";

/// Carries new contents into a new file.
pub(crate) struct Replace<'a, R> {
    /// The target and the new file.
    pub replacement: &'a R,
    /// Most bytes written at a time.
    pub buffer: u64,
    /// Told how many bytes were just written; asked before the commit point whether to go on.
    pub watch: Watch<'a>,
}

impl<R: Replacement> Replace<'_, R> {
    /// Puts a file with the contents of `pieces` in the place of the target. When this returns, it is durable. On any
    /// failure before the name changes the new file is removed, and the target is as it was; if the new file cannot be
    /// removed, the failure says so.
    pub fn commit(
        &mut self,
        pieces: &[Piece],
        sources: &impl Sources,
        check: Check<'_>,
    ) -> Result<R::File, Failure> {
        let unchanged = |failure: Failure| failure.at(Stage::Unchanged);
        check().map_err(changed)?;
        let target = self.replacement.target();
        target.sync_all().attempt(Object::Target, "sync", 0, 0).map_err(unchanged)?;
        let file = self.replacement.create();
        let file = file.attempt(Object::Replacement, CREATE, 0, 0).map_err(unchanged)?;
        let complete = self.complete(&file, pieces, sources, check);
        complete.map_err(|failure| self.clean_up(failure))?;
        self.take_name(&file)?;
        let committed = |failure: Failure| failure.at(Stage::Committed);
        let synced = self.replacement.sync_directory();
        synced.attempt(Object::Directory, "sync", 0, 0).map_err(committed)?;
        let unmarked = self.replacement.remove_mark(&file);
        unmarked.attempt(Object::Target, REMOVE_MARK, 0, 0).map_err(committed)?;
        Ok(file)
    }

    /// Removes the new file, which does not have the name of the target.
    fn clean_up(&self, failure: Failure) -> Failure {
        let failure = failure.at(Stage::Unchanged);
        match self.replacement.remove().attempt(Object::Replacement, "remove", 0, 0) {
            Ok(()) => failure,
            Err(cleaning) => failure.leaving_replacement(cleaning),
        }
    }

    /// Renames the new file over the target. A rename that failed may have been done, as on a file system whose server
    /// answered too late: the inode that the name leads to tells.
    fn take_name(&self, file: &R::File) -> Result<(), Failure> {
        let renamed = self.replacement.rename(file);
        let Err(failure) = renamed.attempt(Object::Replacement, "rename", 0, 0) else {
            return Ok(());
        };
        match self.replacement.has_name(file) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.clean_up(failure)),
            Err(_) => Err(failure.at(Stage::OldOrNew)),
        }
    }

    /// From the empty file to one that only lacks the name.
    fn complete(
        &mut self,
        file: &R::File,
        pieces: &[Piece],
        sources: &impl Sources,
        check: Check<'_>,
    ) -> Result<(), Failure> {
        self.replacement.prepare(file).attempt(Object::Replacement, CREATE, 0, 0)?;
        let cloned = has_staying(pieces)
            && self.replacement.clone_contents(file).attempt(
                Object::Replacement,
                "clone the contents into",
                0,
                0,
            )?;
        let work = Work::new(self.replacement, pieces, cloned)?;
        self.write(file, &work, sources)?;
        let copied = self.replacement.copy_metadata(file);
        copied.attempt(Object::Replacement, COPY_METADATA, 0, 0)?;
        file.sync_all().attempt(Object::Replacement, "sync", 0, work.len)?;
        // Writing may have taken long.
        check().map_err(changed)?;
        self.watch.pass_commit_point()
    }

    fn write(
        &mut self,
        file: &R::File,
        work: &Work,
        sources: &impl Sources,
    ) -> Result<(), Failure> {
        let set_len =
            |len| file.set_len(len).attempt(Object::Replacement, "set the length of", 0, len);
        if work.shared > 0 {
            // What is behind the last byte that stays becomes one hole.
            set_len(work.shared)?;
        }
        set_len(work.len)?;
        let longest = work.parts.iter().map(|part| part.len).max().unwrap_or(0);
        let mut writer = Writer {
            file,
            buffer: Buffer::new(self.buffer.min(longest.max(work.bytes_to_write())) as usize),
            start: 0,
            filled: 0,
            nearby: Nearby::default(),
            watch: &mut self.watch,
        };
        for (index, part) in work.parts.iter().enumerate() {
            let following = &work.parts[index + 1..];
            match part.what {
                What::Share(from) => {
                    writer.flush()?;
                    writer.watch.check()?;
                    let done = self.replacement.share(file, from, part.destination, part.len);
                    let done = done.min(part.len);
                    writer.watch.advance(done)?;
                    writer.push(&part.after(done), following, sources)?;
                }
                What::Zeros => {
                    writer.flush()?;
                    let range = part.destination..part.destination + part.len;
                    self.replacement.clear(file, range).attempt(
                        Object::Replacement,
                        "write",
                        part.destination,
                        part.len,
                    )?;
                }
                What::Copy(_) | What::New(..) => writer.push(part, following, sources)?,
            }
        }
        writer.flush()
    }
}

/// What is to be done to the new file.
#[derive(Debug)]
pub(super) struct Work {
    /// Length of the new contents.
    pub len: u64,
    /// Up to here the new file begins as a clone of the target; 0 if it begins empty.
    shared: u64,
    /// Ascending, without overlap; what is between them is there already.
    parts: Vec<Part>,
}

/// A run of bytes of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    destination: u64,
    len: u64,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Bytes from this offset of the target.
    Copy(u64),
    /// The same, whole blocks that both files can share.
    Share(u64),
    /// Bytes of another source, from an offset.
    New(Source, u64),
    /// Nothing, where the clone holds something.
    Zeros,
}

impl Part {
    /// Which bytes of the target are copied.
    fn copied(&self) -> Option<Range<u64>> {
        match self.what {
            What::Copy(from) => Some(from..from + self.len),
            _ => None,
        }
    }

    /// The part without its first `len` bytes.
    fn after(self, len: u64) -> Self {
        let what = match self.what {
            What::Copy(from) | What::Share(from) => What::Copy(from + len),
            What::New(source, offset) => What::New(source, offset + len),
            What::Zeros => What::Zeros,
        };
        Self { destination: self.destination + len, len: self.len - len, what }
    }
}

impl Work {
    /// The work for `pieces`, in a file that begins empty or, `cloned`, as a clone of the target. O(n) in the pieces and
    /// in the holes of the target.
    pub fn new<R: Replacement>(
        replacement: &R,
        pieces: &[Piece],
        cloned: bool,
    ) -> Result<Self, Failure> {
        let mut shared = 0;
        let mut destination = 0;
        for piece in pieces {
            if cloned && stays(piece, destination) {
                shared = destination + piece.len;
            }
            destination += piece.len;
        }
        let mut work = Self { len: destination, shared, parts: Vec::new() };
        let mut data = Data { replacement, known: 0..0, next: 0..0 };
        destination = 0;
        for piece in pieces {
            let range = destination..destination + piece.len;
            match piece.source {
                Source::Original if cloned && stays(piece, destination) => {}
                Source::Original => work.keep(range, piece.offset, cloned, &mut data)?,
                Source::Fill(0) => work.zeros(range),
                source => work.push(range, What::New(source, piece.offset)),
            }
            destination += piece.len;
        }
        Ok(work)
    }

    /// Bytes that are written.
    pub fn bytes_to_write(&self) -> u64 {
        let written = |part: &&Part| matches!(part.what, What::Copy(_) | What::New(..));
        self.parts.iter().filter(written).map(|part| part.len).sum()
    }

    /// Bytes that are read, from the target and from the sources of new bytes.
    pub fn bytes_to_read(&self) -> u64 {
        let read = |part: &&Part| {
            !matches!(part.what, What::New(Source::Fill(_), _) | What::Share(_) | What::Zeros)
        };
        self.parts.iter().filter(read).map(|part| part.len).sum()
    }

    /// Bytes that are reported as done by and by.
    pub fn bytes_of_progress(&self) -> u64 {
        let reported = |part: &&Part| part.what != What::Zeros;
        self.parts.iter().filter(reported).map(|part| part.len).sum()
    }

    /// Bytes of the target from `from` on, by data and holes.
    fn keep<R: Replacement>(
        &mut self,
        range: Range<u64>,
        from: u64,
        cloned: bool,
        data: &mut Data<'_, R>,
    ) -> Result<(), Failure> {
        let end = from + (range.end - range.start);
        let mut position = from;
        while position < end {
            let found = data.at_or_after(position)?;
            let (start, stop) = (found.start.clamp(position, end), found.end.clamp(position, end));
            let place = |offset: u64| range.start + (offset - from);
            self.zeros(place(position)..place(start));
            self.copy(place(start)..place(stop), start, cloned);
            position = stop;
        }
        Ok(())
    }

    fn copy(&mut self, range: Range<u64>, from: u64, cloned: bool) {
        let first = range.start.next_multiple_of(BLOCK);
        let last = range.end / BLOCK * BLOCK;
        let aligned = range.start % BLOCK == from % BLOCK;
        if !cloned || !aligned || last < first + LEAST_SHARED {
            return self.push(range, What::Copy(from));
        }
        let source = |offset: u64| from + (offset - range.start);
        self.push(range.start..first, What::Copy(from));
        self.push(first..last, What::Share(source(first)));
        self.push(last..range.end, What::Copy(source(last)));
    }

    fn zeros(&mut self, range: Range<u64>) {
        // Behind the clone there are zeros already.
        self.push(range.start..range.end.min(self.shared), What::Zeros);
    }

    fn push(&mut self, range: Range<u64>, what: What) {
        if range.start < range.end {
            let (destination, len) = (range.start, range.end - range.start);
            self.parts.push(Part { destination, len, what });
        }
    }
}

/// Where the target holds data, asked for as seldom as possible.
struct Data<'a, R> {
    replacement: &'a R,
    /// What is known: it begins with a hole, or nothing, and ends with data, or the end of the file.
    known: Range<u64>,
    /// The data at its end.
    next: Range<u64>,
}

impl<R: Replacement> Data<'_, R> {
    /// The run of data that `offset` lies in, or the first one after it; one past all bytes if only holes follow.
    fn at_or_after(&mut self, offset: u64) -> Result<Range<u64>, Failure> {
        if !self.known.contains(&offset) {
            let found = self.replacement.data_after(offset);
            let found = found.attempt(Object::Target, "look for holes in", offset, 0)?;
            self.next = found.unwrap_or(u64::MAX..u64::MAX);
            self.known = offset..self.next.end;
        }
        Ok(self.next.clone())
    }
}

/// Writes parts that follow each other together.
struct Writer<'a, 'w, F> {
    file: &'a F,
    buffer: Buffer,
    /// Where the buffered bytes go.
    start: u64,
    filled: usize,
    nearby: Nearby,
    watch: &'a mut Watch<'w>,
}

impl<F: StorageFile> Writer<'_, '_, F> {
    /// Takes over a part; `following` ones that are short and close are read with it.
    fn push(
        &mut self,
        part: &Part,
        following: &[Part],
        sources: &impl Sources,
    ) -> Result<(), Failure> {
        let mut rest = *part;
        while rest.len > 0 {
            if self.start + self.filled as u64 != rest.destination {
                self.flush()?;
                self.start = rest.destination;
            }
            // Writes end at multiples of the buffer's length.
            let capacity = self.buffer.len() as u64;
            let room = capacity - self.start % capacity - self.filled as u64;
            let len = rest.len.min(room);
            let buffer = &mut self.buffer[self.filled..self.filled + len as usize];
            let (source, offset, object, operation) = match rest.what {
                What::Copy(from) | What::Share(from) => {
                    (Source::Original, from, Object::Target, "read")
                }
                What::New(source, offset) => (source, offset, Object::Literals, "read new bytes"),
                What::Zeros => (Source::Fill(0), 0, Object::Literals, "read new bytes"),
            };
            let read = |buffer: &mut [u8], offset| {
                let len = buffer.len() as u64;
                let read = sources.read_exact_at(source, buffer, offset);
                read.attempt(object, operation, offset, len)
            };
            match rest.what {
                // The target is not written to.
                What::Copy(_) => {
                    let following = following.iter().filter_map(Part::copied);
                    self.nearby.read(buffer, offset, following, read)?;
                }
                _ => read(buffer, offset)?,
            }
            self.filled += len as usize;
            rest = rest.after(len);
            if len == room {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.filled > 0 {
            self.watch.check()?;
            let len = self.filled as u64;
            let written = self.file.write_all_at(&self.buffer[..self.filled], self.start);
            written.attempt(Object::Replacement, "write", self.start, len)?;
            self.watch.advance(len)?;
            self.start += len;
            self.filled = 0;
        }
        Ok(())
    }
}

/// Whether the piece is bytes of the target that keep their offset.
fn stays(piece: &Piece, destination: u64) -> bool {
    piece.source == Source::Original && piece.offset == destination
}

fn has_staying(pieces: &[Piece]) -> bool {
    let mut destination = 0;
    pieces.iter().any(|piece| {
        destination += piece.len;
        stays(piece, destination - piece.len)
    })
}

fn changed(error: crate::Error) -> Failure {
    Failure::Changed(Box::new(error))
}
