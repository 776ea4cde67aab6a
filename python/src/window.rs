//! The part of a file that a map shows, with offsets that begin at its start.

use std::fs::File;
use std::ops::Range;

use bytesplice::{Content, Result, SpliceFile};

use crate::index::Run;

/// Neighbours of an extended slice that lie this close together are read and stored in one piece.
const GROUP: u64 = 64 << 10;

/// A window on a file: edits inside change its length, and shift what lies behind it in the file.
pub(crate) struct Window {
    /// The file, with the edits since the last commit.
    pub(crate) file: SpliceFile,
    /// The same file once more, to ask for the size it has on the disk.
    pub(crate) descriptor: File,
    /// Where the window begins in the file.
    pub(crate) start: u64,
    /// Its length in bytes.
    pub(crate) len: u64,
    /// Where `read` and `write` go on. May lie past the end after bytes were removed.
    pub(crate) position: u64,
}

impl Window {
    /// Bytes from the position to the end of the window.
    pub(crate) fn remaining(&self) -> u64 {
        self.len.saturating_sub(self.position)
    }

    /// Fills `buffer` from `offset`.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(buffer, self.start + offset)
    }

    /// Replaces `range` by bytes of any length.
    pub(crate) fn replace(&mut self, range: Range<u64>, bytes: &[u8]) -> Result<()> {
        let removed = range.end - range.start;
        self.file.replace(self.start + range.start..self.start + range.end, bytes)?;
        self.len = self.len - removed + bytes.len() as u64;
        Ok(())
    }

    /// Copies bytes of the window over others of it; the two may overlap.
    pub(crate) fn copy(&mut self, to: u64, from: Range<u64>) -> Result<()> {
        let (to, from) = (self.start + to, self.start + from.start..self.start + from.end);
        let end = to + (from.end - from.start);
        self.file.splice(to..end, Content::copy(from))
    }

    /// Reads the bytes of a slice, in its order, into a buffer of as many bytes.
    pub(crate) fn read_run(&self, run: &Run, buffer: &mut [u8]) -> Result<()> {
        if run.stride == 1 {
            self.read(buffer, run.start)?;
        } else {
            let mut rest = &mut *buffer;
            for group in groups(run) {
                let bytes = self.read_group(&group)?;
                let (here, behind) = rest.split_at_mut(group.count as usize);
                for (to, from) in here.iter_mut().zip(bytes.iter().step_by(step(run))) {
                    *to = *from;
                }
                rest = behind;
            }
        }
        if run.reversed {
            buffer.reverse();
        }
        Ok(())
    }

    /// Stores as many bytes as the slice names, in its order.
    pub(crate) fn store_run(&mut self, run: &Run, bytes: &[u8]) -> Result<()> {
        let turned: Vec<u8>;
        let mut rest = if run.reversed {
            turned = bytes.iter().rev().copied().collect();
            &turned
        } else {
            bytes
        };
        if run.stride == 1 {
            return self.replace(run.start..run.start + run.count, rest);
        }
        for group in groups(run) {
            let mut patched = self.read_group(&group)?;
            let (here, behind) = rest.split_at(group.count as usize);
            for (to, from) in patched.iter_mut().step_by(step(run)).zip(here) {
                *to = *from;
            }
            self.replace(group.start..group.start + patched.len() as u64, &patched)?;
            rest = behind;
        }
        Ok(())
    }

    /// Removes the bytes of a slice.
    pub(crate) fn remove_run(&mut self, run: &Run) -> Result<()> {
        if run.stride == 1 {
            return self.replace(run.start..run.start + run.count, b"");
        }
        // From the highest down, so that the lower offsets stay as they are.
        for nth in (0..run.count).rev() {
            let offset = run.start + nth * run.stride;
            self.replace(offset..offset + 1, b"")?;
        }
        Ok(())
    }

    /// All bytes from the first to the last of a group.
    fn read_group(&self, group: &Run) -> Result<Vec<u8>> {
        let mut bytes = vec![0; ((group.count - 1) * group.stride + 1) as usize];
        self.read(&mut bytes, group.start)?;
        Ok(bytes)
    }
}

/// The stride of a run of more than one group's bytes; larger ones make groups of one byte, which need no step.
fn step(run: &Run) -> usize {
    run.stride.min(GROUP) as usize
}

/// Cuts a run into runs that span at most [`GROUP`] bytes, lowest first.
fn groups(run: &Run) -> impl Iterator<Item = Run> {
    let run = *run;
    let per_group = (GROUP / run.stride).max(1);
    (0..run.count.div_ceil(per_group)).map(move |nth| {
        let done = nth * per_group;
        let count = per_group.min(run.count - done);
        Run { start: run.start + done * run.stride, count, ..run }
    })
}
