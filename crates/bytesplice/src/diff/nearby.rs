use super::view::same_bytes;
use super::{Elsewhere, FOLLOWED, LONG, Run, better};
use crate::Result;

/// Bytes that are looked up.
const KEY: usize = 16;
/// Most runs that are followed in one search.
const MOST_RUNS: usize = 256;

/// The longest run that two windows have in common, by a table of all places of the first window. Kept for its memory.
#[derive(Default)]
pub(super) struct Nearby {
    /// By the hash of the bytes there: where in the window they are first, counted from 1.
    table: Vec<u32>,
}

impl Nearby {
    /// The longest run that begins in both windows, which are at the offsets `starts`; the first one that is [`LONG`].
    pub fn longest(
        &mut self,
        old: &[u8],
        new: &[u8],
        starts: (u64, u64),
        elsewhere: &mut Elsewhere<'_>,
    ) -> Result<Option<Run>> {
        let bits = (2 * old.len()).max(2).next_power_of_two().trailing_zeros();
        self.table.clear();
        self.table.resize(1 << bits, 0);
        // Backwards, so that the first place of all that are alike stays.
        for (at, key) in old.windows(KEY).enumerate().rev() {
            self.table[hash(key, bits)] = at as u32 + 1;
        }
        let mut best: Option<Run> = None;
        let mut followed = 0;
        // The run that was followed last on the way: its shift and its end in the new window.
        let (mut shift, mut end) = (usize::MAX, 0);
        for (at, key) in new.windows(KEY).enumerate() {
            let place = (self.table[hash(key, bits)] as usize).checked_sub(1);
            // Bytes that were replaced by as many go on at the same distance.
            for place in [place, Some(at)].into_iter().flatten() {
                if at < end && place.wrapping_sub(at) == shift
                    || old.get(place..place + KEY) != Some(key)
                {
                    continue;
                }
                let mut len = same_bytes_of(&old[place..], &new[at..]);
                let (first, second) = (starts.0 + place as u64, starts.1 + at as u64);
                if place + len == old.len() || at + len == new.len() {
                    len = elsewhere.follow(first, second, FOLLOWED)? as usize;
                }
                (shift, end) = (place.wrapping_sub(at), at + len);
                let run = Some(Run { old: first, new: second, len: len as u64 });
                best = better(best, run, starts.0, starts.1);
                followed += 1;
                if len as u64 >= LONG || followed == MOST_RUNS {
                    return Ok(best);
                }
            }
        }
        Ok(best)
    }
}

fn same_bytes_of(left: &[u8], right: &[u8]) -> usize {
    let len = left.len().min(right.len());
    same_bytes(&left[..len], &right[..len])
}

/// Of [`KEY`] bytes, `bits` long.
fn hash(key: &[u8], bits: u32) -> usize {
    let word = |at: usize| key[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
    let mixed = (word(0) ^ word(8).rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> (64 - bits)) as usize
}
