use std::ops::Range;

use super::options::Watch;
use crate::{Contents, Result};

/// Bytes that are read at a time. They stay in the processor's second cache until they are searched.
pub(super) const WINDOW: usize = 256 << 10;
const PAGE: usize = 4096;

/// A stretch of the contents in memory, moved along them.
#[derive(Debug)]
pub(super) struct Window {
    memory: Vec<u8>,
    /// Where in `memory` the stretch is.
    place: Range<usize>,
    /// Offset of its first byte.
    start: u64,
    /// How many bytes are read at a time.
    step: usize,
}

impl Window {
    /// Nothing, to be read `step` bytes at a time.
    pub fn new(step: usize) -> Self {
        Self { memory: Vec::new(), place: 0..0, start: 0, step: step.max(1) }
    }

    /// The range of the contents that is in memory.
    pub fn range(&self) -> Range<u64> {
        self.start..self.start + self.place.len() as u64
    }

    /// What is in memory of `range`, from its start on; nothing if that is not there.
    pub fn at_start(&self, range: &Range<u64>) -> &[u8] {
        self.part(range.start..range.end.min(self.range().end))
    }

    /// What is in memory of `range`, up to its end; nothing if that is not there.
    pub fn at_end(&self, range: &Range<u64>) -> &[u8] {
        self.part(range.start.max(self.start)..range.end)
    }

    fn part(&self, range: Range<u64>) -> &[u8] {
        let there = self.range();
        if range.start < there.start || range.end > there.end || range.start >= range.end {
            return &[];
        }
        let start = self.place.start + (range.start - self.start) as usize;
        &self.memory[start..start + (range.end - range.start) as usize]
    }

    /// The byte at `offset`, which lies in the contents.
    pub fn byte_at(&self, file: &Contents, offset: u64) -> Result<u8> {
        if let [byte, ..] = self.part(offset..offset + 1) {
            return Ok(*byte);
        }
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset)?;
        Ok(byte[0])
    }

    /// Keeps what is there from `kept` on and reads further, not past `end`. What lies between, if anything does, is left
    /// out.
    pub fn read_on(
        &mut self,
        file: &Contents,
        kept: u64,
        end: u64,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let there = self.range();
        let carried = if there.contains(&kept) { (there.end - kept) as usize } else { 0 };
        let from = kept + carried as u64;
        let count = (end - from).min(self.step as u64) as usize;
        self.make_room(carried + count);
        let old = self.place.end - carried..self.place.end;
        let place = self.placed(carried, from);
        self.memory.copy_within(old, place);
        // Should the read fail, there is nothing in memory.
        (self.place, self.start) = (0..0, kept);
        file.read_exact_at(&mut self.memory[place + carried..place + carried + count], from)?;
        self.place = place..place + carried + count;
        watch.advance(file, count as u64)
    }

    /// Keeps what is there up to `kept` and reads what lies before, not from before `start`.
    pub fn read_back(
        &mut self,
        file: &Contents,
        kept: u64,
        start: u64,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let there = self.range();
        let within = there.start < kept && kept <= there.end;
        let carried = if within { (kept - there.start) as usize } else { 0 };
        let to = kept - carried as u64;
        let count = (to - start).min(self.step as u64) as usize;
        self.make_room(carried + count);
        let old = self.place.start..self.place.start + carried;
        let from = to - count as u64;
        let place = self.placed(0, from);
        self.memory.copy_within(old, place + count);
        (self.place, self.start) = (0..0, from);
        file.read_exact_at(&mut self.memory[place..place + count], from)?;
        self.place = place..place + count + carried;
        watch.advance(file, count as u64)
    }

    fn make_room(&mut self, count: usize) {
        let needed = count + PAGE;
        if self.memory.len() < needed {
            self.memory.resize(needed, 0);
        }
    }

    /// Where in memory a stretch begins whose bytes behind the first `carried` are read from `offset` on: half a page off
    /// from where the bytes lie in an unedited file. (Copying is slow at almost the same place within a page: see
    /// `commit/buffer.rs`.)
    fn placed(&self, carried: usize, offset: u64) -> usize {
        let address = self.memory.as_ptr().addr().wrapping_add(carried);
        let wanted = (offset % PAGE as u64) as usize + PAGE / 2;
        wanted.wrapping_sub(address) % PAGE
    }
}
