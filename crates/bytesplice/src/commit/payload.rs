use std::io;
use std::ops::Range;

use super::failure::{Attempt, Failure, Object};
use super::order::Class;
use super::plan::{Origin, Plan, Step};
use crate::storage::StorageFile;

/// The new bytes of a plan, one after the other.
pub(crate) trait Literals {
    /// Fills the buffer from `offset` on.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// Literals that lie in a journal.
pub(crate) struct JournaledLiterals<'a, F> {
    /// The journal.
    pub journal: &'a F,
    /// Where in it the literals begin.
    pub start: u64,
}

impl<F: StorageFile> Literals for JournaledLiterals<'_, F> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.journal.read_exact_at(buffer, self.start + offset)
    }
}

/// Old blocks that a step overwrites and that recovery reads from the journal instead.
pub(crate) struct SavedBlocks<'a, F> {
    /// The journal.
    pub journal: &'a F,
    /// Where in it the saved blocks begin.
    pub start: u64,
    /// Which bytes of the old file they are; they lie one after the other in the journal.
    pub ranges: &'a [Range<u64>],
}

/// A copy of the whole old file that shares its blocks.
pub(crate) struct Snapshot<'a, F> {
    /// The journal.
    pub journal: &'a F,
    /// Where in it the old file begins.
    pub start: u64,
}

/// What the blocks of a step will hold, from wherever it can be read right now.
pub(crate) struct Payload<'a, F, L> {
    /// The plan.
    pub plan: &'a Plan,
    /// Unit of writing.
    pub block: u64,
    /// The file that is committed.
    pub target: &'a F,
    /// The new bytes.
    pub literals: &'a L,
    /// In recovery: the old blocks that the broken step may have overwritten already.
    pub saved: Option<SavedBlocks<'a, F>>,
    /// Whole blocks that move by whole blocks are shared with it instead of written.
    pub snapshot: Option<Snapshot<'a, F>>,
}

/// How a stretch of a step gets its contents.
#[derive(Debug, Clone, Copy)]
enum Means {
    /// They are read and written.
    Bytes,
    /// A hole is punched.
    Hole,
    /// The blocks at this offset of the old file are shared.
    Shared(u64),
}

impl<F: StorageFile, L: Literals> Payload<'_, F, L> {
    /// Writes the blocks of a step, `buffer.len()` bytes at a time (a multiple of the block), telling `written` how
    /// many. Every part of that length is read wholly before it is written, and parts follow the order of their
    /// class, so that nothing is overwritten before it was read.
    pub fn write(
        &self,
        step: &Step,
        buffer: &mut [u8],
        written: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let descending = step.class == Class::Down;
        for range in &step.ranges {
            let mut stretches = self.stretches(range);
            if descending {
                stretches.reverse();
            }
            for (range, means) in stretches {
                let (start, len) = (range.start, range.end - range.start);
                match means {
                    Means::Bytes => self.write_bytes(range, descending, buffer, written)?,
                    Means::Hole => self.target.punch_hole(start, len).attempt(
                        Object::Target,
                        "punch a hole into",
                        start,
                        len,
                    )?,
                    Means::Shared(source) => {
                        self.share(source, start, len)?;
                        written(len)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Cuts a range where the means change.
    fn stretches(&self, range: &Range<u64>) -> Vec<(Range<u64>, Means)> {
        let mut stretches = Vec::new();
        let mut position = range.start;
        for run in self.plan.runs_in(range) {
            let (blocks, means) = match (run.origin, &self.snapshot) {
                (Origin::Hole, _) => (run.whole_blocks(range, self.block), Means::Hole),
                (Origin::Kept(_), Some(_)) => match run.shareable(range, self.block) {
                    Some((blocks, source)) => (blocks, Means::Shared(source)),
                    None => continue,
                },
                _ => continue,
            };
            if !blocks.is_empty() {
                stretches.push((position..blocks.start, Means::Bytes));
                position = blocks.end;
                stretches.push((blocks, means));
            }
        }
        stretches.push((position..range.end, Means::Bytes));
        stretches.retain(|(range, _)| !range.is_empty());
        stretches
    }

    fn share(&self, source: u64, offset: u64, len: u64) -> Result<(), Failure> {
        let Some(snapshot) = &self.snapshot else { return Ok(()) };
        let source = snapshot.start + source..snapshot.start + source + len;
        self.target.share(snapshot.journal, source, offset).attempt(
            Object::Target,
            "share blocks with the journal of",
            offset,
            len,
        )
    }

    fn write_bytes(
        &self,
        range: Range<u64>,
        descending: bool,
        buffer: &mut [u8],
        written: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let longest = buffer.len() as u64;
        let count = (range.end - range.start).div_ceil(longest);
        for number in 0..count {
            let number = if descending { count - 1 - number } else { number };
            let start = range.start + number * longest;
            let part = start..(start + longest).min(range.end);
            let buffer = &mut buffer[..(part.end - part.start) as usize];
            self.gather(part.clone(), buffer)?;
            self.target.write_all_at(buffer, part.start).attempt(
                Object::Target,
                "write",
                part.start,
                buffer.len() as u64,
            )?;
            self.target.start_writing(part.start, buffer.len() as u64);
            written(buffer.len() as u64)?;
        }
        Ok(())
    }

    /// Fills the buffer with the new contents of `range`.
    fn gather(&self, range: Range<u64>, buffer: &mut [u8]) -> Result<(), Failure> {
        for run in self.plan.runs_in(&range) {
            let from = range.start.max(run.destination);
            let to = range.end.min(run.end());
            let part = &mut buffer[(from - range.start) as usize..(to - range.start) as usize];
            let (skipped, len) = (from - run.destination, to - from);
            match run.origin {
                Origin::Fill(byte) => part.fill(byte),
                Origin::Hole => part.fill(0),
                Origin::Literal(offset) => self
                    .literals
                    .read_exact_at(part, offset + skipped)
                    .attempt(Object::Literals, "read new bytes", offset + skipped, len)?,
                Origin::Kept(source) => self.read_old(part, source + skipped)?,
            }
        }
        Ok(())
    }

    /// Reads old bytes, from the saved blocks where they are saved.
    fn read_old(&self, buffer: &mut [u8], offset: u64) -> Result<(), Failure> {
        let target = |part: &mut [u8], offset: u64| {
            let len = part.len() as u64;
            self.target.read_exact_at(part, offset).attempt(Object::Target, "read", offset, len)
        };
        let Some(saved) = &self.saved else {
            return target(buffer, offset);
        };
        let end = offset + buffer.len() as u64;
        let mut position = offset;
        let mut start = saved.start;
        for range in saved.ranges {
            if range.end > position && range.start < end {
                let from = range.start.max(position);
                if position < from {
                    target(
                        &mut buffer[(position - offset) as usize..(from - offset) as usize],
                        position,
                    )?;
                }
                let to = range.end.min(end);
                let part = &mut buffer[(from - offset) as usize..(to - offset) as usize];
                let len = part.len() as u64;
                let place = start + (from - range.start);
                saved.journal.read_exact_at(part, place).attempt(
                    Object::Journal,
                    "read",
                    place,
                    len,
                )?;
                position = to;
            }
            start += range.end - range.start;
        }
        if position < end {
            target(&mut buffer[(position - offset) as usize..], position)?;
        }
        Ok(())
    }
}
