use std::ops::{Bound, Range, RangeBounds};
use std::path::Path;

use crate::{Error, Result};

/// Largest file size on Linux and macOS, in bytes: offsets are signed there.
pub(crate) const MAX_LEN: u64 = i64::MAX as u64;

/// Turns any range into half-open `start..end` within `0..len`. Ranges are never clipped.
///
/// # Errors
/// [`Error::ReversedRange`] and [`Error::OutOfRange`].
pub(crate) fn resolve(range: impl RangeBounds<u64>, len: u64, path: &Path) -> Result<Range<u64>> {
    let too_large = |what| Error::TooLarge { path: path.into(), what };
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&start) => {
            start.checked_add(1).ok_or_else(|| too_large("the start of the range"))?
        }
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&end) => {
            end.checked_add(1).ok_or_else(|| too_large("the end of the range"))?
        }
        Bound::Excluded(&end) => end,
        // `7..` of 5 bytes lies outside; it is not reversed.
        Bound::Unbounded => len.max(start),
    };
    if end < start {
        return Err(Error::ReversedRange { path: path.into(), start, end });
    }
    if end > len {
        return Err(Error::OutOfRange { path: path.into(), start, end, len });
    }
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_range() {
        let path = Path::new("f");
        assert_eq!(resolve(1..3, 5, path).unwrap(), 1..3);
        assert_eq!(resolve(1..=3, 5, path).unwrap(), 1..4);
        assert_eq!(resolve(.., 5, path).unwrap(), 0..5);
        assert_eq!(resolve(5.., 5, path).unwrap(), 5..5);
        assert_eq!(resolve((Bound::Excluded(1), Bound::Unbounded), 5, path).unwrap(), 2..5);
        assert!(matches!(
            resolve(6.., 5, path),
            Err(Error::OutOfRange { start: 6, end: 6, len: 5, .. })
        ));
        assert!(matches!(resolve(0..6, 5, path), Err(Error::OutOfRange { .. })));
        #[expect(clippy::reversed_empty_ranges)]
        let reversed = 3..1;
        assert!(matches!(resolve(reversed, 5, path), Err(Error::ReversedRange { .. })));
        assert!(matches!(resolve(0..=u64::MAX, 5, path), Err(Error::TooLarge { .. })));
    }
}
