use std::ops::{Deref, DerefMut, Range};

use crate::commit::shift::{Shift, ShiftKind};

/// The bytes of a simulated file, and which of its blocks are holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    bytes: Vec<u8>,
    /// Block by block; what is missing at the end is hole.
    blocks: Vec<Block>,
    block: usize,
}

/// What a block of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Hole,
    /// Allocated, but never written: it counts as data while something of it is cached.
    Unwritten {
        cached: bool,
    },
    Data,
}

impl Contents {
    /// A file without holes, on a file system with blocks of this many bytes.
    pub fn new(bytes: Vec<u8>, block: usize) -> Self {
        Self { blocks: vec![Block::Data; bytes.len().div_ceil(block)], bytes, block }
    }

    /// An empty file on the same file system.
    pub fn sibling(&self) -> Self {
        Self::new(Vec::new(), self.block)
    }

    /// Bytes of a block.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Where the last block ends.
    pub fn block_end(&self) -> usize {
        self.bytes.len().next_multiple_of(self.block)
    }

    /// Sets the length; what is added is hole.
    pub fn resize(&mut self, len: usize) {
        self.bytes.resize(len, 0);
        self.blocks.truncate(len.div_ceil(self.block));
    }

    /// Says that the bytes are data from now on.
    pub fn fill_in(&mut self, start: usize, end: usize) {
        let blocks = start / self.block..end.div_ceil(self.block);
        if self.blocks.len() < blocks.end {
            self.blocks.resize(blocks.end, Block::Hole);
        }
        if start < end {
            self.blocks[blocks].fill(Block::Data);
        }
    }

    /// Says that the hole is allocated from now on.
    pub fn preallocate(&mut self, start: usize, end: usize) {
        for block in &mut self.blocks[start / self.block..end / self.block] {
            if *block == Block::Hole {
                *block = Block::Unwritten { cached: false };
            }
        }
    }

    /// Says that the bytes were read.
    pub fn cache(&mut self, start: usize, end: usize) {
        self.set_cached(start / self.block..end.div_ceil(self.block), true);
    }

    /// Says that nothing is cached, as after a crash.
    pub fn forget(&mut self) {
        self.set_cached(0..self.blocks.len(), false);
    }

    fn set_cached(&mut self, blocks: Range<usize>, cached: bool) {
        for block in blocks {
            if let Some(Block::Unwritten { cached: now }) = self.blocks.get_mut(block) {
                *now = cached;
            }
        }
    }

    /// Makes a hole of whole blocks.
    pub fn punch(&mut self, start: usize, end: usize) {
        let end = end.min(self.bytes.len());
        if start >= end {
            return;
        }
        self.bytes[start..end].fill(0);
        for block in start / self.block..(end / self.block).min(self.blocks.len()) {
            self.blocks[block] = Block::Hole;
        }
    }

    /// The ranges of data from an offset on.
    pub fn data_ranges(&self, start: u64) -> Vec<Range<u64>> {
        let is_data =
            |block: Block| matches!(block, Block::Data | Block::Unwritten { cached: true });
        let blocks = self.blocks.iter().enumerate().filter(|(_, block)| is_data(**block));
        let len = self.bytes.len() as u64;
        let block = self.block as u64;
        let ranges = blocks.map(|(at, _)| at as u64 * block..((at as u64 + 1) * block).min(len));
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            let range = range.start.max(start)..range.end;
            match merged.last_mut() {
                _ if range.start >= range.end => {}
                Some(last) if last.end == range.start => last.end = range.end,
                _ => merged.push(range),
            }
        }
        merged
    }

    /// Shifts extents: all of them, or only those that a broken call `reached`, a number that says where it stopped.
    pub fn shift(&mut self, shift: Shift, reached: Option<u64>) {
        let (offset, len) = (shift.offset as usize, shift.len as usize);
        if offset > self.bytes.len() {
            return;
        }
        match shift.kind {
            ShiftKind::Insert => {
                if reached.is_some_and(|reached| reached % 5 == 0) {
                    // Still about to grow.
                    self.resize(self.block_end());
                    return;
                }
                let hole = self.stop(offset, reached);
                self.open_hole(hole, len);
            }
            ShiftKind::Collapse if offset + len <= self.bytes.len() => {
                let blocks = len / self.block;
                if let Some(reached) = reached
                    && reached % 3 == 0
                {
                    // Still punching.
                    let punched = (reached / 3) as usize % (blocks + 1) * self.block;
                    self.punch(offset + len - punched, offset + len);
                    return;
                }
                self.bytes.drain(offset..offset + len);
                let first = (offset / self.block).min(self.blocks.len());
                let last = (first + blocks).min(self.blocks.len());
                self.blocks.drain(first..last);
                if reached.is_some() {
                    let hole = self.stop(offset, reached);
                    self.open_hole(hole, len);
                }
            }
            ShiftKind::Collapse => {}
        }
    }

    /// Where the hole of a shift is: at its offset when it is done.
    fn stop(&self, offset: usize, reached: Option<u64>) -> usize {
        let blocks = (self.bytes.len() - offset).div_ceil(self.block);
        let wandered = reached.map_or(0, |reached| reached as usize % (blocks + 1));
        (offset + wandered * self.block).min(self.bytes.len())
    }

    fn open_hole(&mut self, at: usize, len: usize) {
        self.bytes.splice(at..at, std::iter::repeat_n(0, len));
        let first = at.div_ceil(self.block);
        if first < self.blocks.len() {
            self.blocks.splice(first..first, std::iter::repeat_n(Block::Hole, len / self.block));
        }
    }
}

impl Default for Contents {
    fn default() -> Self {
        Self::new(Vec::new(), super::SECTOR)
    }
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Contents {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}
