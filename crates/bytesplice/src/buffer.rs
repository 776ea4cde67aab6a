use std::ops::{Deref, DerefMut};

const PAGE: usize = 4096;

/// Zeroed memory for moving bytes, placed half a page off the page borders.
///
/// Processors copy slowly when the target lies less than a few cache lines after the source, modulo 4096 ("4 KiB
/// aliasing"): a memory buffer at a page border makes reading bytes that move by 4 take three times as long. Pages of
/// the cache are aligned, so half a page off is far from both ends of most moves.
pub(crate) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` bytes of zeros.
    pub fn new(len: usize) -> Self {
        let memory = vec![0; len + 2 * PAGE];
        // Wherever the border is, the bytes fit behind it; without one they are merely slower.
        let border = memory.as_ptr().align_offset(PAGE).min(PAGE);
        Self { memory, start: border + PAGE / 2, len }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}
