use std::ops::Range;

use super::view::View;
use super::{Elsewhere, FOLLOWED, Run, SHORTEST};
use crate::Result;

/// About so many blocks are kept, whatever the file.
const MOST_BLOCKS: u64 = 1 << 19;
const SMALLEST_BLOCK: u64 = 64;
/// Bits for every block in the filter: one in so many lookups of bytes that are no block goes on to the list.
const FILTER_BITS: usize = 64;
/// First bits of a hash by which the list is looked up.
const BEGIN_BITS: u32 = 16;
/// The factor of the polynomial: odd, and otherwise arbitrary.
const FACTOR: u64 = 0x9e6c_63d0_876a_3f6b;

/// The blocks of the old file by their hashes.
pub(super) struct Blocks {
    /// Bytes in a block.
    size: u64,
    /// Hash and number of every whole block, ascending.
    list: Vec<(u64, u32)>,
    /// A bit for every hash that is in the list.
    filter: Vec<u64>,
    /// By the first bits of a hash: where in the list those are that begin so.
    begins: Vec<u32>,
    /// What a byte is worth when it leaves the block.
    leaving: Box<[u64; 256]>,
}

impl Blocks {
    /// Reads the whole file, and asks `check` from time to time whether to go on.
    pub fn of(file: &mut View<'_>, check: &mut dyn FnMut() -> Result<()>) -> Result<Self> {
        let size = (file.len() / MOST_BLOCKS).next_power_of_two().max(SMALLEST_BLOCK);
        let count = file.len() / size;
        let mut list = Vec::with_capacity(count as usize);
        for number in 0..count {
            if number % 4096 == 0 {
                check()?;
            }
            let bytes = file.from(number * size, size as usize)?;
            list.push((hash(&bytes[..size as usize]), number as u32));
        }
        list.sort_unstable();
        let bits = (list.len() * FILTER_BITS).next_power_of_two().max(64);
        let mut filter = vec![0; bits / 64];
        for &(hash, _) in &list {
            let bit = filter_bit(hash, bits);
            filter[bit / 64] |= 1 << (bit % 64);
        }
        let mut begins = vec![0_u32; (1 << BEGIN_BITS) + 1];
        for &(hash, _) in &list {
            begins[(hash >> (64 - BEGIN_BITS)) as usize + 1] += 1;
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        let weight = (0..size).fold(1_u64, |weight, _| weight.wrapping_mul(FACTOR));
        let mut leaving = Box::new([0; 256]);
        for (byte, worth) in leaving.iter_mut().enumerate() {
            *worth = (byte as u64).wrapping_mul(weight);
        }
        Ok(Self { size, list, filter, begins, leaving })
    }

    /// The first run of a whole block that begins within `starts` of the new file. Of blocks that are alike the one
    /// nearest to `expected` in the old file is taken, for a run that begins at the start of `starts`.
    pub fn find(
        &self,
        starts: Range<u64>,
        expected: u64,
        elsewhere: &mut Elsewhere<'_>,
    ) -> Result<Option<Run>> {
        let size = self.size as usize;
        let len = (starts.end.min(elsewhere.new.len()) - starts.start) as usize;
        let bytes = elsewhere.new.from(starts.start, len + size)?;
        if self.list.is_empty() || bytes.len() < size {
            return Ok(None);
        }
        let bits = self.filter.len() * 64;
        let mut now = hash(&bytes[..size]);
        let mut candidates = Vec::new();
        for at in 0..len.min(bytes.len() - size + 1) {
            let bit = filter_bit(now, bits);
            if self.filter[bit / 64] >> (bit % 64) & 1 == 1
                && let Some(number) = self.nearest(now, (expected + at as u64) / self.size)
            {
                candidates.push((u64::from(number) * self.size, starts.start + at as u64));
                if candidates.len() == 8 {
                    break;
                }
            }
            if let Some(&next) = bytes.get(at + size) {
                let gone = self.leaving[usize::from(bytes[at])];
                now = now.wrapping_mul(FACTOR).wrapping_add(u64::from(next)).wrapping_sub(gone);
            }
        }
        let mut best: Option<Run> = None;
        for (old, new) in candidates {
            let len = elsewhere.follow(old, new, FOLLOWED.max(2 * self.size))?;
            if len >= SHORTEST.max(self.size) && best.is_none_or(|best| best.len < len) {
                best = Some(Run { old, new, len });
            }
        }
        Ok(best)
    }

    /// The block of this hash whose number is nearest.
    fn nearest(&self, hash: u64, number: u64) -> Option<u32> {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        // Hashes spread evenly: a few are left to be searched.
        let begin = (hash >> (64 - BEGIN_BITS)) as usize;
        let (start, end) = (self.begins[begin] as usize, self.begins[begin + 1] as usize);
        let at = start + self.list[start..end].partition_point(|&entry| entry < (hash, number));
        let of_hash = |at: usize| self.list.get(at).filter(|it| it.0 == hash).map(|it| it.1);
        let before = at.checked_sub(1).and_then(of_hash);
        match (before, of_hash(at)) {
            (Some(one), Some(other)) if number - one < other - number => Some(one),
            (one, None) => one,
            (_, other) => other,
        }
    }
}

/// The polynomial of the bytes, modulo 2^64.
fn hash(bytes: &[u8]) -> u64 {
    const POWERS: [u64; 5] = {
        let mut powers = [1; 5];
        let mut at = 1;
        while at < 5 {
            powers[at] = FACTOR.wrapping_mul(powers[at - 1]);
            at += 1;
        }
        powers
    };
    let mut value = 0_u64;
    let quads = bytes.chunks_exact(4);
    let rest = quads.remainder();
    // Four at a time, as each step waits for the one before.
    for quad in quads {
        let part = (u64::from(quad[0]).wrapping_mul(POWERS[3]))
            .wrapping_add(u64::from(quad[1]).wrapping_mul(POWERS[2]))
            .wrapping_add(u64::from(quad[2]).wrapping_mul(POWERS[1]))
            .wrapping_add(u64::from(quad[3]));
        value = value.wrapping_mul(POWERS[4]).wrapping_add(part);
    }
    rest.iter().fold(value, |value, &byte| value.wrapping_mul(FACTOR).wrapping_add(u64::from(byte)))
}

/// The low bits of a polynomial know its last bytes only, so they are mixed.
fn filter_bit(hash: u64, bits: usize) -> usize {
    ((hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> (64 - bits.trailing_zeros()))
        as usize
}
