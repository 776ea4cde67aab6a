use std::ops::Range;

use super::failure::{Attempt, Failure, Object};
use super::nearby::Nearby;
use crate::storage::StorageFile;

/// Checksum (CRC-32) of some ranges of a file, one after the other. They are read in parts of at most `buffer.len()`
/// bytes, and each part is handed to `each`.
pub(super) fn checksum(
    file: &impl StorageFile,
    object: Object,
    ranges: &[Range<u64>],
    buffer: &mut [u8],
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u32, Failure> {
    let mut crc = crc32fast::Hasher::new();
    let mut nearby = Nearby::default();
    for (index, range) in ranges.iter().enumerate() {
        let mut offset = range.start;
        while offset < range.end {
            let len = (range.end - offset).min(buffer.len() as u64);
            let part = &mut buffer[..len as usize];
            nearby.read(part, offset, ranges[index + 1..].iter().cloned(), |part, offset| {
                let len = part.len() as u64;
                file.read_exact_at(part, offset).attempt(object, "read", offset, len)
            })?;
            crc.update(part);
            each(part)?;
            offset += len;
        }
    }
    Ok(crc.finalize())
}
