//! Short ranges that lie close together, read by one call of the system: a call for each takes longer than copying what lies
//! between them.

use std::ops::Range;

/// Longer ranges, and those that lie farther apart, are read by themselves.
const SHORT: u64 = 4 << 10;
/// Bytes that are read at once, at most.
const TOGETHER: u64 = 64 << 10;

/// Bytes of one source that were read together. They are good as long as nothing is written there.
#[derive(Debug, Default)]
pub(crate) struct Nearby {
    start: u64,
    bytes: Vec<u8>,
}

impl Nearby {
    /// Fills `buffer` from `offset` on, by `read` unless the bytes are there already. `following` is what will be wanted next:
    /// as much of it as begins close behind is read as well.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read<E>(
        &mut self,
        buffer: &mut [u8],
        offset: u64,
        following: impl Iterator<Item = Range<u64>>,
        read: impl FnOnce(&mut [u8], u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let wanted = offset..offset + buffer.len() as u64;
        if buffer.len() as u64 > SHORT {
            return read(buffer, offset);
        }
        if !self.has(&wanted) {
            let end = end_of_close(&wanted, following);
            if end == wanted.end {
                return read(buffer, offset);
            }
            self.start = offset;
            self.bytes.resize((end - offset) as usize, 0);
            if let Err(error) = read(&mut self.bytes, offset) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let skipped = (offset - self.start) as usize;
        buffer.copy_from_slice(&self.bytes[skipped..skipped + buffer.len()]);
        Ok(())
    }

    fn has(&self, wanted: &Range<u64>) -> bool {
        self.start <= wanted.start && wanted.end <= self.start + self.bytes.len() as u64
    }
}

/// Where the last of those ends that are to be read together with `wanted`.
fn end_of_close(wanted: &Range<u64>, following: impl Iterator<Item = Range<u64>>) -> u64 {
    let mut end = wanted.end;
    for next in following {
        let is_close = next.start >= end
            && next.start - end <= SHORT
            && next.end - next.start <= SHORT
            && next.end - wanted.start <= TOGETHER;
        if !is_close {
            break;
        }
        end = next.end;
    }
    end
}

/// The same ranges, but that those which follow close upon each other are one, with what lies between them.
pub(crate) fn joined(ranges: impl Iterator<Item = Range<u64>>) -> impl Iterator<Item = Range<u64>> {
    let mut ranges = ranges.peekable();
    std::iter::from_fn(move || {
        let mut joined = ranges.next()?;
        while let Some(next) =
            ranges.next_if(|next| next.start >= joined.end && next.start - joined.end <= SHORT)
        {
            joined.end = next.end;
        }
        Some(joined)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(ranges: &[Range<u64>], source: &[u8]) -> Result<(Vec<u8>, usize), ()> {
        let (mut nearby, mut found, mut calls) = (Nearby::default(), Vec::new(), 0);
        for (index, range) in ranges.iter().enumerate() {
            let mut buffer = vec![0; (range.end - range.start) as usize];
            let following = ranges[index + 1..].iter().cloned();
            nearby.read(&mut buffer, range.start, following, |buffer, offset| {
                calls += 1;
                let bytes = source.get(offset as usize..offset as usize + buffer.len());
                buffer.copy_from_slice(bytes.ok_or(())?);
                Ok(())
            })?;
            found.extend(buffer);
        }
        Ok((found, calls))
    }

    fn noise(len: usize) -> Vec<u8> {
        (0..len as u64).map(|at| (at * at / 7) as u8).collect()
    }

    #[test]
    fn short_ranges_take_few_calls() {
        let ranges: Vec<_> = (0..10_000).map(|at| at * 100..at * 100 + 90).collect();
        let (found, calls) = read_all(&ranges, &noise(1_000_000)).unwrap();
        assert_eq!(found.len(), 900_000);
        assert!(calls <= 1_000_000 / TOGETHER as usize + 1, "{calls}");
    }

    #[test]
    fn long_and_distant_ranges_are_read_alone() {
        let ranges = [0..10, 5000..15_000, 15_001..15_010, 30_000..30_001];
        let (_, calls) = read_all(&ranges, &noise(40_000)).unwrap();
        assert_eq!(calls, 4);
        assert_eq!(read_all(&[0..5, 6..11], &noise(10)), Err(()));
    }

    #[test]
    fn what_lies_close_is_joined() {
        let ranges = [0..10, 11..12, 12..20, 5000..5001, 100..200];
        assert_eq!(joined(ranges.into_iter()).collect::<Vec<_>>(), [0..20, 5000..5001, 100..200]);
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_the_ranges(
            ranges in prop::collection::vec((0..200_000_u64, 0..6000_u64), 0..80),
            ascending: bool,
        ) {
            let mut ranges: Vec<_> = ranges.into_iter().map(|(at, len)| at..at + len).collect();
            if ascending {
                ranges.sort_by_key(|range| range.start);
            }
            let source = noise(206_000);
            let (found, calls) = read_all(&ranges, &source).unwrap();
            let expected: Vec<u8> = ranges
                .iter()
                .flat_map(|range| &source[range.start as usize..range.end as usize])
                .copied()
                .collect();
            prop_assert!(found == expected);
            prop_assert!(calls <= ranges.len());
        }
    }
}
