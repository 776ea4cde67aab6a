use super::{Origin, Part, PlanError, Runs};
use crate::Profile;

/// Parts of one length, but for the last, which may be shorter: the best of the lengths tried, which are the smallest
/// possible and its doubles. O(pieces + parts) each.
pub(super) fn divide(runs: &Runs, profile: &Profile) -> Result<Option<Vec<Part>>, PlanError> {
    let needed = runs.len().div_ceil(profile.most_parts).max(profile.smallest_part);
    // Round, as long as that is not too long for the store.
    let first = needed.next_multiple_of(profile.smallest_part).min(profile.largest_part);
    if first < needed {
        let parts = runs.len().div_ceil(profile.largest_part);
        return Err(PlanError::TooManyParts { parts, most: profile.most_parts });
    }
    let lengths = std::iter::successors(Some(first), |&len| {
        Some(len * 2).filter(|&len| len <= profile.preferred_upload && len < runs.len() * 2)
    });
    let divisions = lengths.map(|len| division(runs, len));
    Ok(divisions
        .min_by_key(|(fetched, requests, _)| (*fetched, *requests))
        .map(|(_, _, parts)| parts))
}

/// The parts of length `len`, the bytes fetched for them, and the requests.
fn division(runs: &Runs, len: u64) -> (u64, u64, Vec<Part>) {
    let (mut fetched, mut requests) = (0, 0);
    let mut parts = Vec::new();
    let mut offset = 0;
    while offset < runs.len() {
        let end = runs.len().min(offset + len);
        let mut origin = Origin::New;
        for segment in runs.within(offset..end) {
            match segment.origin {
                Origin::Kept(_) if segment.len == end - offset => origin = segment.origin,
                Origin::Kept(_) => {
                    fetched += segment.len;
                    requests += 1;
                }
                Origin::New => {}
            }
        }
        requests += 1;
        parts.push(Part { offset, len: end - offset, origin });
        offset = end;
    }
    (fetched, requests, parts)
}
