use std::io;
use std::ops::Range;
use std::sync::mpsc::channel;
use std::thread;

use super::failure::{Attempt, Failure, Object};
use super::nearby::{Nearby, joined};
use super::order::Class;
use super::plan::{Origin, Plan, Step};
use crate::storage::StorageFile;

/// The new bytes of a plan, one after the other.
pub(crate) trait Literals: Sync {
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

/// What is announced to the system at a time: a multiple of every buffer.
const ANNOUNCED_AT_A_TIME: u64 = 16 << 20;
/// Shorter ranges are not worth a thread that reads ahead.
const WORTH_A_THREAD: u64 = 4 << 20;
/// Parts of the buffer that take turns being read and written.
const TURNS: u64 = 4;

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
    /// How it is read.
    pub reading: Reading,
}

/// How what has to be written is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The system was told what will be read.
    Announced,
    /// The system is told in time.
    Announce,
    /// The system is told in time, and a thread reads while the last parts are written, which takes a second core.
    Ahead,
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
    /// Writes the blocks of a step, at most `buffer.len()` bytes at a time (a multiple of the block), telling `written` how
    /// many. Every part of that length is read wholly before it is written, and the parts follow the order of their
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
        let turn = buffer.len() as u64 / TURNS / self.block * self.block;
        let long = turn > 0 && range.end - range.start >= WORTH_A_THREAD;
        if long && self.reading == Reading::Ahead {
            let buffers = buffer.chunks_exact_mut(turn as usize);
            let parts = self.announced_parts(range.clone(), descending, turn);
            if let Some(outcome) = self.write_reading_ahead(parts, buffers, written) {
                return outcome;
            }
        }
        for part in self.announced_parts(range, descending, buffer.len() as u64) {
            let buffer = &mut buffer[..(part.end - part.start) as usize];
            self.gather(part.clone(), buffer)?;
            self.write_part(buffer, part.start)?;
            written(buffer.len() as u64)?;
        }
        Ok(())
    }

    /// A range in parts in the order of writing, each taken when the system has been told what it and the next ones read.
    fn announced_parts(
        &self,
        range: Range<u64>,
        descending: bool,
        longest: u64,
    ) -> impl Iterator<Item = Range<u64>> + Send {
        let announces = self.reading != Reading::Announced;
        parts(&range, descending, ANNOUNCED_AT_A_TIME).flat_map(move |together| {
            let runs = self.plan.runs_in(&together).iter().filter(|_| announces);
            for source in joined(runs.filter_map(|run| run.source_of(&together))) {
                self.target.will_read(source.start, source.end - source.start);
            }
            parts(&together, descending, longest)
        })
    }

    /// Writes the parts while a thread reads the next ones into the buffers that are free. What is read early is as it
    /// was: no part overwrites what a later one reads. Returns `None`, and has done nothing, if the system refuses the
    /// thread.
    fn write_reading_ahead<'b>(
        &self,
        parts: impl Iterator<Item = Range<u64>> + Send,
        buffers: impl Iterator<Item = &'b mut [u8]>,
        written: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Option<Result<(), Failure>> {
        thread::scope(|scope| {
            let (give_back, free) = channel();
            let (hand_over, filled) = channel();
            // Either end stops when the other one has; nothing that is sent then is missed.
            buffers.for_each(|buffer| drop(give_back.send(buffer)));
            let read = move || {
                for part in parts {
                    let Ok(buffer) = free.recv() else { return };
                    let len = (part.end - part.start) as usize;
                    let gathered = self.gather(part.clone(), &mut buffer[..len]);
                    if hand_over.send((part, buffer, gathered)).is_err() {
                        return;
                    }
                }
            };
            thread::Builder::new().spawn_scoped(scope, read).ok()?;
            let write = || {
                for (part, buffer, gathered) in filled {
                    gathered?;
                    let len = part.end - part.start;
                    self.write_part(&buffer[..len as usize], part.start)?;
                    written(len)?;
                    drop(give_back.send(buffer));
                }
                Ok(())
            };
            Some(write())
        })
    }

    fn write_part(&self, bytes: &[u8], offset: u64) -> Result<(), Failure> {
        let len = bytes.len() as u64;
        self.target.write_all_at(bytes, offset).attempt(Object::Target, "write", offset, len)?;
        self.target.start_writing(offset, len);
        Ok(())
    }

    /// Fills the buffer with the new contents of `range`.
    fn gather(&self, range: Range<u64>, buffer: &mut [u8]) -> Result<(), Failure> {
        // For this part alone: what is written later may lie between what is read now.
        let (mut old, mut new) = (Nearby::default(), Nearby::default());
        let runs = self.plan.runs_in(&range);
        for (index, run) in runs.iter().enumerate() {
            let from = range.start.max(run.destination);
            let to = range.end.min(run.end());
            let part = &mut buffer[(from - range.start) as usize..(to - range.start) as usize];
            let skipped = from - run.destination;
            let following = &runs[index + 1..];
            match run.origin {
                Origin::Fill(byte) => part.fill(byte),
                Origin::Hole => part.fill(0),
                Origin::Literal(offset) => {
                    let following = following.iter().filter_map(|run| run.literals_of(&range));
                    new.read(part, offset + skipped, following, |part, offset| {
                        let len = part.len() as u64;
                        let read = self.literals.read_exact_at(part, offset);
                        read.attempt(Object::Literals, "read new bytes", offset, len)
                    })?;
                }
                Origin::Kept(source) => {
                    let following = following.iter().filter_map(|run| run.source_of(&range));
                    old.read(part, source + skipped, following, |part, offset| {
                        self.read_old(part, offset)
                    })?;
                }
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

/// A range in parts of `longest` bytes, in the order of writing.
fn parts(
    range: &Range<u64>,
    descending: bool,
    longest: u64,
) -> impl Iterator<Item = Range<u64>> + Send + use<> {
    let Range { start, end } = *range;
    let count = (end - start).div_ceil(longest);
    (0..count).map(move |number| {
        let number = if descending { count - 1 - number } else { number };
        let start = start + number * longest;
        start..(start + longest).min(end)
    })
}
