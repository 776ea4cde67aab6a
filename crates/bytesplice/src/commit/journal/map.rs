//! The map of what is data and what is hole, as it stands in the slot of a shift.

use std::io;

use super::codec::{Decoder, Encoder};
use super::read_if_there;
use crate::commit::shift::DataMap;
use crate::storage::StorageFile;

/// A map of data as it stands in the slot of a shift: the number of ranges, then their ends.
pub(crate) fn encode(map: &DataMap) -> Vec<u8> {
    let ranges = map.ranges();
    let mut bytes = vec![0; len_of(ranges.len()) as usize];
    let mut out = Encoder { bytes: &mut bytes, at: 0 };
    out.put(&(ranges.len() as u64).to_le_bytes());
    for range in ranges {
        out.put(&range.start.to_le_bytes());
        out.put(&range.end.to_le_bytes());
    }
    bytes
}

/// Length of a map of so many ranges in the journal, in bytes.
pub(crate) fn len_of(ranges: usize) -> u64 {
    8 + 16 * ranges as u64
}

/// The map in a slot and its checksum; none if there is none.
pub(crate) fn read(
    journal: &impl StorageFile,
    place: u64,
    slot_len: u64,
) -> io::Result<Option<(DataMap, u32)>> {
    let mut count = [0; 8];
    if !read_if_there(journal, &mut count, place)? {
        return Ok(None);
    }
    let count = u64::from_le_bytes(count);
    if count > slot_len.saturating_sub(8) / 16 {
        return Ok(None);
    }
    let mut bytes = vec![0; len_of(count as usize) as usize];
    if !read_if_there(journal, &mut bytes, place)? {
        return Ok(None);
    }
    let mut input = Decoder { bytes: &bytes, at: 8 };
    let ranges: Vec<_> = (0..count).map(|_| input.u64()..input.u64()).collect();
    let ascending = ranges.iter().all(|range| range.start < range.end)
        && ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
    Ok(ascending.then(|| (DataMap::new(ranges, 1), crc32fast::hash(&bytes))))
}
