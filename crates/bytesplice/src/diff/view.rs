use crate::{Contents, Result};

/// Bytes that are read at once, where they go on from those before.
const BUFFER: u64 = 256 << 10;
/// The same after a jump.
const FIRST: u64 = 8 << 10;
/// Bytes kept before those that are asked for, for whoever goes back.
const BEFORE: u64 = 4 << 10;
/// Bytes that are compared at once.
const STEP: u64 = 64 << 10;

/// A buffer over contents, of the part that is looked at.
pub(super) struct View<'a> {
    file: &'a Contents,
    buffer: Vec<u8>,
    /// Offset of the first byte in the buffer.
    start: u64,
}

impl<'a> View<'a> {
    pub fn new(file: &'a Contents) -> Self {
        Self { file, buffer: Vec::new(), start: 0 }
    }

    /// Length of the contents.
    pub fn len(&self) -> u64 {
        self.file.len()
    }

    /// Bytes from `offset` on: `count` or more, or all up to the end.
    pub fn from(&mut self, offset: u64, count: usize) -> Result<&[u8]> {
        let end = self.len().min(offset + count as u64);
        if offset < self.start || end > self.start + self.buffer.len() as u64 {
            self.read(offset.saturating_sub(BEFORE), end)?;
        }
        Ok(&self.buffer[(offset.min(self.len()) - self.start) as usize..])
    }

    /// The `count` bytes before `offset`.
    fn before(&mut self, offset: u64, count: u64) -> Result<&[u8]> {
        let start = offset - count;
        if start < self.start || offset > self.start + self.buffer.len() as u64 {
            self.read(start, offset)?;
        }
        Ok(&self.buffer[(start - self.start) as usize..(offset - self.start) as usize])
    }

    /// Reads from `start` to `end` or further.
    fn read(&mut self, start: u64, end: u64) -> Result<()> {
        let start = start.min(self.len());
        let goes_on = (self.start..=self.start + self.buffer.len() as u64).contains(&start);
        let len = if goes_on { BUFFER } else { BEFORE + FIRST };
        let end = end.max(start + len).min(self.len());
        self.buffer.resize((end - start) as usize, 0);
        self.start = start;
        let outcome = self.file.read_exact_at(&mut self.buffer, start);
        if outcome.is_err() {
            self.buffer.clear();
        }
        outcome
    }
}

/// How many bytes are equal from both offsets on, up to `limit`.
pub(super) fn common(
    one: &mut View<'_>,
    first: u64,
    other: &mut View<'_>,
    second: u64,
    limit: u64,
) -> Result<u64> {
    let most = limit.min(one.len() - first).min(other.len() - second);
    let mut done = 0;
    while done < most {
        // A small step first, as most runs that are looked at end at once; and it keeps the buffer where it is.
        let step = if done == 0 { 256 } else { STEP }.min(most - done) as usize;
        let left = &one.from(first + done, step)?[..step];
        let right = &other.from(second + done, step)?[..step];
        let same = same_bytes(left, right);
        done += same as u64;
        if same < step {
            break;
        }
    }
    Ok(done)
}

/// How many bytes are equal before both offsets, up to `limit`.
pub(super) fn common_before(
    one: &mut View<'_>,
    first: u64,
    other: &mut View<'_>,
    second: u64,
    limit: u64,
) -> Result<u64> {
    let mut done = 0;
    while done < limit {
        let step = (limit - done).min(BEFORE / 4);
        let left = one.before(first - done, step)?;
        let right = other.before(second - done, step)?;
        let pairs = left.iter().rev().zip(right.iter().rev());
        let same = pairs.take_while(|(left, right)| left == right).count() as u64;
        done += same;
        if same < step {
            break;
        }
    }
    Ok(done)
}

/// How many bytes two slices begin with alike.
pub(super) fn same_bytes(left: &[u8], right: &[u8]) -> usize {
    let mut done = 0;
    // Whole blocks are compared by memcmp, the one that differs by words.
    for size in [4096, 8] {
        let pairs = left[done..].chunks_exact(size).zip(right[done..].chunks_exact(size));
        done += size * pairs.take_while(|(left, right)| left == right).count();
    }
    done + left[done..].iter().zip(&right[done..]).take_while(|(left, right)| left == right).count()
}
