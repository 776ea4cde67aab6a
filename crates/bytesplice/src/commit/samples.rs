//! What a record says of the file beside its own step: enough to tell the interrupted file from another one that has come into
//! its inode, such as a backup that was copied over it.
//!
//! Two samples are taken: the ends of the file, and the ends of what the step before wrote. They are of bytes that neither the
//! step of the record nor the one that may be written ahead of it changes, so that recovery finds them as they were, however
//! far those steps got. Of a shift the second sample is of what it moves, which tells whether it was moved. Samples cost two
//! short reads a step. A file that differs elsewhere only is not told from the interrupted one.

use std::ops::Range;

use super::plan::{Geometry, Step};
use super::program::{Program, ProgramStep};
use super::shift::{Shift, ShiftKind};

/// Most bytes that are taken of each end.
const SAMPLE: u64 = 64 << 10;

/// Ranges of the target that a record has checksums of, in bytes, ascending.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Samples {
    /// What the step before wrote; of a shift, what it moves.
    pub written: Vec<Range<u64>>,
    /// The ends of the file.
    pub ends: Vec<Range<u64>>,
}

impl Samples {
    /// The samples of the record of `number`, a step of the program or END. O(runs in the step and its neighbours).
    pub fn of(program: &Program, number: u64, geometry: Geometry) -> Self {
        let written = match program.step(number) {
            Some(ProgramStep::Shift { shift, len_before }) => moved_by(shift, len_before),
            _ => written_before(program, number),
        };
        Self { written, ends: ends(program, number, geometry) }
    }
}

/// The ends of what the step before this one wrote. A shift before it has moved bytes and written none.
fn written_before(program: &Program, number: u64) -> Vec<Range<u64>> {
    let before = number.checked_sub(1).and_then(|before| program.step(before));
    let Some(ProgramStep::Write(steps)) = before else { return Vec::new() };
    ends_of(sorted(steps))
}

/// The ends of what a shift moves, where it lies before the shift.
fn moved_by(shift: Shift, len_before: u64) -> Vec<Range<u64>> {
    let start = match shift.kind {
        ShiftKind::Insert => shift.offset,
        ShiftKind::Collapse => shift.offset + shift.len,
    };
    ends_of(std::iter::once(start..len_before.max(start)).collect())
}

fn ends(program: &Program, number: u64, geometry: Geometry) -> Vec<Range<u64>> {
    let opening = program.opening.len() as u64;
    let before = |shifts: &[Shift]| {
        let first = shifts.iter().map(|shift| shift.offset).min().unwrap_or(0);
        std::iter::once(0..first.min(SAMPLE).min(program.old_len))
            .filter(|it| !it.is_empty())
            .collect()
    };
    if number < opening {
        return before(&program.opening);
    }
    match program.step(number) {
        Some(ProgramStep::Shift { .. }) => before(&program.closing),
        Some(ProgramStep::Write(steps)) => {
            // The old end, before which nothing is written but by steps.
            let mut ranges = ends_of(std::iter::once(0..program.base_len()).collect());
            let ahead = match program.step(number + 1) {
                Some(ProgramStep::Write(ahead)) if program.runs_ahead(number + 1, geometry) => {
                    ahead
                }
                _ => &[],
            };
            for step in steps.iter().chain(ahead) {
                for range in &step.ranges {
                    let end = range.end.checked_next_multiple_of(geometry.block);
                    ranges = without(ranges, &(range.start..end.unwrap_or(range.end)));
                }
            }
            ranges
        }
        None => ends_of(std::iter::once(0..program.new_len).collect()),
    }
}

fn sorted(steps: &[Step]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> =
        steps.iter().flat_map(|step| step.ranges.iter().cloned()).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    ranges
}

/// The first and the last bytes of some ascending ranges.
fn ends_of(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    if total <= 2 * SAMPLE {
        return ranges.into_iter().filter(|range| !range.is_empty()).collect();
    }
    let mut samples = Vec::new();
    let mut passed = 0;
    for range in ranges {
        let len = range.end - range.start;
        let first = range.start..range.start + SAMPLE.saturating_sub(passed).min(len);
        let skipped = (total - SAMPLE).saturating_sub(passed).min(len);
        let last = (range.start + skipped).max(first.end)..range.end;
        samples.extend([first, last].into_iter().filter(|part| !part.is_empty()));
        passed += len;
    }
    samples
}

fn without(ranges: Vec<Range<u64>>, hole: &Range<u64>) -> Vec<Range<u64>> {
    let cut = |range: Range<u64>| {
        let before = range.start..range.end.min(hole.start).max(range.start);
        let after = range.start.max(hole.end).min(range.end)..range.end;
        [before, after].into_iter().filter(|part| !part.is_empty())
    };
    ranges.into_iter().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_ranges_are_their_first_and_last_bytes() {
        let one = |start: u64, len: u64| ends_of(std::iter::once(start..start + len).collect());
        assert!(one(3, 0).is_empty());
        assert_eq!(one(5, 4), std::slice::from_ref(&(5..9)));
        assert_eq!(one(0, 2 * SAMPLE), std::slice::from_ref(&(0..2 * SAMPLE)));
        let parts = [7..7 + SAMPLE, 7 + 2 * SAMPLE..7 + 3 * SAMPLE];
        assert_eq!(one(7, 3 * SAMPLE), parts);
        assert_eq!(
            ends_of(vec![0..10, 100..100 + 3 * SAMPLE, 9_000_000..9_000_010]),
            [0..10, 100..90 + SAMPLE, 110 + 2 * SAMPLE..100 + 3 * SAMPLE, 9_000_000..9_000_010]
        );
    }

    #[test]
    fn what_a_step_writes_is_taken_out() {
        let ranges = vec![0..10, 20..30];
        assert_eq!(without(ranges.clone(), &(5..25)), [0..5, 25..30]);
        assert_eq!(without(ranges.clone(), &(0..30)), []);
        assert_eq!(without(ranges.clone(), &(12..18)), [0..10, 20..30]);
        assert_eq!(without(ranges, &(22..24)), [0..10, 20..22, 24..30]);
    }
}
