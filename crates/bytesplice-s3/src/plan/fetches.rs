use std::ops::Range;

use super::{Origin, Segment};

/// Most bytes that are fetched together for several segments.
const MOST: u64 = 8 << 20;

/// A range of the old object that one request fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub range: Range<u64>,
    /// How many kept segments lie in it, which follow each other in the new contents.
    pub segments: usize,
}

/// What is to be fetched for a part with these segments, in order. Those that lie near each other in the old object are fetched
/// together, with up to `along` bytes in between.
pub(super) fn fetches(segments: impl Iterator<Item = Segment>, along: u64) -> Vec<Fetch> {
    let mut fetches: Vec<Fetch> = Vec::new();
    for segment in segments {
        let Origin::Kept(start) = segment.origin else { continue };
        let end = start + segment.len;
        match fetches.last_mut() {
            Some(last)
                if (last.range.end..=last.range.end.saturating_add(along)).contains(&start)
                    && end - last.range.start <= MOST =>
            {
                last.range.end = end;
                last.segments += 1;
            }
            _ => fetches.push(Fetch { range: start..end, segments: 1 }),
        }
    }
    fetches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(offset: u64, start: u64, len: u64) -> Segment {
        Segment { offset, len, origin: Origin::Kept(start) }
    }

    #[test]
    fn what_lies_near_is_fetched_together() {
        let new = Segment { offset: 10, len: 5, origin: Origin::New };
        // 0..10, then 12..20, then 50..60, then back.
        let segments = [kept(0, 0, 10), new, kept(15, 12, 8), kept(23, 50, 10), kept(33, 0, 4)];
        let of = |along| fetches(segments.into_iter(), along);
        let fetch = |range, segments| Fetch { range, segments };
        assert_eq!(of(2), [fetch(0..20, 2), fetch(50..60, 1), fetch(0..4, 1)]);
        assert_eq!(of(1), [fetch(0..10, 1), fetch(12..20, 1), fetch(50..60, 1), fetch(0..4, 1)]);
        assert_eq!(of(u64::MAX), [fetch(0..60, 3), fetch(0..4, 1)]);
        let long = [kept(0, 0, MOST), kept(MOST, MOST + 1, 1)];
        assert_eq!(fetches(long.into_iter(), 10).len(), 2);
    }
}
