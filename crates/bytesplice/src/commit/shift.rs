//! Shifts of whole extents, and how to go on from one that a crash left half done.
//!
//! Neither INSERT_RANGE nor COLLAPSE_RANGE is atomic: the file system moves one extent after the other, each in its own
//! transaction. Let D be the length and O the offset of the shift. What a crash may leave:
//! - *Insert*: the length is set first, then extents move, the last one first. The file holds the old bytes with one hole
//!   of D in them, somewhere at or after O. On XFS it may also hold the old bytes and a length up to the end of its last
//!   block: that block is filled with zeros before the length is set, and its writing alone makes that much durable.
//! - *Collapse*: D bytes at O are punched out, then extents move, the first one after the hole first, and the length is
//!   set last. The file holds holes within `O..O + D` only, or the new bytes with one hole of D in them, at or after O.
//!
//! Holes tell how far it got. A file has holes of its own, so the map of what was data before the shift is written to
//! the journal first, and compared. With h a hole of D and x the bytes that h wandered over, a half-done shift looks like
//! a finished or an untouched one only if `x h = h x` as patterns of data and hole, that is, if x is nothing but hole;
//! and then it makes no difference.
//!
//! Others may append to the file, though never within a shift, which excludes them. Then lengths say less, and a sample of the
//! bytes behind the shift says whether they have moved.
//!
//! To go on: take the wandering hole out (a collapse, which makes it wander on if it is cut short in its turn), and an
//! insertion then starts again.

use std::ops::Range;

/// A change of the place of all bytes from an offset on, by whole blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift {
    /// Which way.
    pub kind: ShiftKind,
    /// From where on, in bytes; a multiple of the block.
    pub offset: u64,
    /// By how many bytes; a multiple of the block.
    pub len: u64,
}

/// Which way a shift goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShiftKind {
    /// A hole of the length opens at the offset.
    Insert,
    /// The bytes at the offset vanish.
    Collapse,
}

/// How to finish a shift that was begun, or was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repair {
    /// It was finished.
    Nothing,
    /// It had not begun.
    Perform,
    /// Take out the hole at this offset, as long as the shift is; then perform the shift if it is an insertion.
    RemoveHole(u64),
    /// The hole is at the end: set this length; then perform the shift if it is an insertion.
    Cut(u64),
    /// Only the last block was filled up with zeros, or others appended just that many bytes: set this length unless there is
    /// anything but zeros behind it; then perform the shift.
    CutZeros(u64),
    /// The file is in none of the states that the shift goes through: others changed it.
    Impossible,
}

/// Where the bytes are found that were behind the offset of a shift, by a sample of them. What is not known may be both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Where they were before the shift.
    pub in_place: bool,
    /// Where the shift brings them.
    pub moved: bool,
}

impl Shift {
    /// Length of a file after the shift.
    pub fn len_after(&self, len: u64) -> u64 {
        match self.kind {
            ShiftKind::Insert => len + self.len,
            ShiftKind::Collapse => len - self.len,
        }
    }

    /// How to finish this shift of a file that was `len_before` bytes long with data where `before` says, and is
    /// `len_now` bytes long with data where `now` says; `tail` says where the bytes behind the shift are found. Others may
    /// have appended to the file before or after the shift, not to one that is half done. Maps are of blocks of `block`
    /// bytes. O(ranges).
    pub fn repair(
        &self,
        before: &DataMap,
        len_before: u64,
        now: &DataMap,
        len_now: u64,
        tail: Tail,
        block: u64,
    ) -> Repair {
        let before = before.from(self.offset);
        let now = now.from(self.offset);
        let (untouched, finished) = (len_before, self.len_after(len_before));
        let after = match self.kind {
            ShiftKind::Insert => before.with_gap(self.offset, self.len),
            ShiftKind::Collapse => before.without(self.offset, self.len),
        };
        // A hole of the length at the end, with bytes of others behind it, is a shift that is not finished.
        let end = after.end().unwrap_or(0).max(finished);
        let hole_at_end = len_now >= end + self.len && !now.has_data(end..end + self.len);
        let is_finished =
            tail.moved && len_now >= finished && now.begins_like(&after) && !hole_at_end;
        match self.kind {
            ShiftKind::Insert => {
                if len_now == untouched {
                    return if now == before { Repair::Perform } else { Repair::Impossible };
                }
                if len_now == finished {
                    if now == after {
                        return Repair::Nothing;
                    }
                    let hole = self.wandering_hole(&before, untouched, &now, block);
                    if hole != Repair::Impossible {
                        return hole;
                    }
                }
                let in_place = tail.in_place && now.begins_like(&before);
                if len_now > untouched && Some(len_now) == before.end() && now == before {
                    Repair::CutZeros(untouched)
                } else if is_finished {
                    Repair::Nothing
                } else if in_place && len_now > untouched {
                    Repair::Perform
                } else {
                    Repair::Impossible
                }
            }
            ShiftKind::Collapse => {
                let end = self.offset + self.len;
                if tail.in_place
                    && len_now >= untouched
                    && now.from(end).begins_like(&before.from(end))
                {
                    return Repair::Perform;
                }
                if len_now == untouched {
                    let hole = self.wandering_hole(&after, finished, &now, block);
                    if hole != Repair::Impossible {
                        return hole;
                    }
                }
                if is_finished { Repair::Nothing } else { Repair::Impossible }
            }
        }
    }

    /// Looks for the hole without which `now` would be `goal`, the map of a file of `goal_len` bytes, of blocks of `block`.
    fn wandering_hole(&self, goal: &DataMap, goal_len: u64, now: &DataMap, block: u64) -> Repair {
        let Some(difference) = now.first_difference(goal) else {
            // Others may have appended just as many bytes as the hole would have.
            let end = goal_len.next_multiple_of(block);
            let appended = now.has_data(end..u64::MAX);
            return if appended { Repair::Impossible } else { Repair::Cut(goal_len) };
        };
        let hole = now.hole_before(difference).max(self.offset);
        if now.without(hole, self.len) != *goal || now.has_data(hole..hole + self.len) {
            return Repair::Impossible;
        }
        if hole >= goal_len { Repair::Cut(goal_len) } else { Repair::RemoveHole(hole) }
    }
}

/// Where a file has data, in whole blocks: ranges of bytes, ascending, with holes in between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DataMap(Vec<Range<u64>>);

impl DataMap {
    /// The map of these ranges, rounded out to whole blocks. They must be ascending.
    pub fn new(ranges: impl IntoIterator<Item = Range<u64>>, block: u64) -> Self {
        let mut map = Self::default();
        for range in ranges {
            map.push(range.start / block * block..range.end.div_ceil(block).saturating_mul(block));
        }
        map
    }

    /// The ranges, ascending, none touching the next.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }

    /// Where the last range ends.
    fn end(&self) -> Option<u64> {
        self.0.last().map(|range| range.end)
    }

    /// Whether this map, up to the end of the other one, is the other one.
    fn begins_like(&self, other: &Self) -> bool {
        let end = other.end().unwrap_or(0);
        let mut begin = Self::default();
        for range in &self.0 {
            begin.push(range.start.min(end)..range.end.min(end));
        }
        begin == *other
    }

    fn push(&mut self, range: Range<u64>) {
        match self.0.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => self.0.push(range),
        }
    }

    /// What lies at or after `offset`.
    fn from(&self, offset: u64) -> Self {
        let mut map = Self::default();
        for range in &self.0 {
            map.push(range.start.max(offset)..range.end.max(offset));
        }
        map
    }

    /// Bytes of data at or after `offset`.
    pub fn len_from(&self, offset: u64) -> u64 {
        self.0.iter().map(|range| range.end.saturating_sub(range.start.max(offset))).sum()
    }

    /// The map after an insertion of a hole.
    pub fn with_gap(&self, offset: u64, len: u64) -> Self {
        let mut map = Self::default();
        for range in &self.0 {
            map.push(range.start.min(offset)..range.end.min(offset));
            map.push(range.start.max(offset) + len..range.end.max(offset) + len);
        }
        map
    }

    /// The map after `len` bytes at `offset` are taken out.
    pub fn without(&self, offset: u64, len: u64) -> Self {
        let place = |position: u64| {
            if position <= offset { position } else { offset.max(position.saturating_sub(len)) }
        };
        let mut map = Self::default();
        for range in &self.0 {
            map.push(place(range.start)..place(range.end));
        }
        map
    }

    /// Whether any byte of the range is data.
    fn has_data(&self, range: Range<u64>) -> bool {
        self.0.iter().any(|data| data.start < range.end && range.start < data.end)
    }

    /// Where the hole begins that ends at or goes over `offset`; `offset` itself if data ends or goes on there.
    fn hole_before(&self, offset: u64) -> u64 {
        let before = self.0.iter().take_while(|data| data.start < offset).last();
        before.map_or(0, |data| data.end.min(offset))
    }

    /// The first offset that is data in one map and hole in the other.
    fn first_difference(&self, other: &Self) -> Option<u64> {
        let edges = |map: &Self| -> Vec<u64> {
            map.0.iter().flat_map(|range| [range.start, range.end]).collect()
        };
        let (one, other) = (edges(self), edges(other));
        let same = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
        match (one.get(same), other.get(same)) {
            (Some(&one), Some(&other)) => Some(one.min(other)),
            (Some(&edge), None) | (None, Some(&edge)) => Some(edge),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: u64 = 16;
    const UNKNOWN: Tail = Tail { in_place: true, moved: true };

    /// A file as blocks: a name for its data, or none for a hole.
    type Blocks = Vec<Option<u32>>;

    fn map(blocks: &Blocks) -> DataMap {
        let data = blocks.iter().enumerate().filter(|(_, block)| block.is_some());
        DataMap::new(data.map(|(at, _)| at as u64 * BLOCK..(at as u64 + 1) * BLOCK), BLOCK)
    }

    /// Every state that a crash may leave of a shift.
    fn states(shift: Shift, old: &Blocks) -> Vec<Blocks> {
        let (at, count) = ((shift.offset / BLOCK) as usize, (shift.len / BLOCK) as usize);
        let mut states = vec![old.clone()];
        let wander = |bytes: &Blocks| -> Vec<Blocks> {
            let with_hole = |hole| {
                let mut state = bytes.clone();
                state.splice(hole..hole, vec![None; count]);
                state
            };
            (at..=bytes.len()).map(with_hole).collect()
        };
        match shift.kind {
            ShiftKind::Insert => states.extend(wander(old)),
            ShiftKind::Collapse => {
                for punched in 0..=count {
                    let mut state = old.clone();
                    state[at + count - punched..at + count].fill(None);
                    states.push(state);
                }
                let mut new = old.clone();
                new.drain(at..at + count);
                states.extend(wander(&new));
                states.push(new);
            }
        }
        states
    }

    /// Finishes the shift as told.
    fn finish(shift: Shift, repair: Repair, state: &Blocks) -> Blocks {
        let mut blocks = state.clone();
        let count = (shift.len / BLOCK) as usize;
        let perform = |blocks: &mut Blocks| {
            let at = (shift.offset / BLOCK) as usize;
            match shift.kind {
                ShiftKind::Insert => drop(blocks.splice(at..at, vec![None; count])),
                ShiftKind::Collapse => drop(blocks.drain(at..at + count)),
            }
        };
        match repair {
            Repair::Nothing => return blocks,
            Repair::Perform => {
                perform(&mut blocks);
                return blocks;
            }
            Repair::RemoveHole(hole) => {
                let hole = (hole / BLOCK) as usize;
                drop(blocks.drain(hole..hole + count));
            }
            Repair::Cut(len) | Repair::CutZeros(len) => blocks.truncate((len / BLOCK) as usize),
            Repair::Impossible => panic!("impossible"),
        }
        if shift.kind == ShiftKind::Insert {
            perform(&mut blocks);
        }
        blocks
    }

    proptest! {
        #[test]
        fn every_half_done_shift_is_finished(
            data in proptest::collection::vec(proptest::bool::weighted(0.6), 2..12),
            insert: bool, at in 0..12_usize, count in 1..6_usize,
        ) {
            let old: Blocks = data.iter().enumerate().map(|(at, data)| data.then_some(at as u32)).collect();
            let kind = if insert { ShiftKind::Insert } else { ShiftKind::Collapse };
            let at = at % old.len();
            let count = if insert { count } else { count.min(old.len() - at) };
            let shift = Shift { kind, offset: at as u64 * BLOCK, len: count as u64 * BLOCK };
            let finished = finish(shift, Repair::Perform, &old);
            for state in states(shift, &old) {
                let bytes = |blocks: &Blocks| blocks.len() as u64 * BLOCK;
                let end = if insert { at } else { at + count };
                let same = |from: usize| state.get(from..from + old.len() - end) == Some(&old[end..]);
                let tail = Tail {
                    in_place: same(end),
                    moved: same(if insert { end + count } else { at }),
                };
                let repair =
                    shift.repair(&map(&old), bytes(&old), &map(&state), bytes(&state), tail, BLOCK);
                prop_assert_ne!(repair, Repair::Impossible, "{:?}", state);
                prop_assert_eq!(finish(shift, repair, &state), finished.clone(), "{:?} {:?}", state, repair);
            }
        }
    }

    /// Others append while the shift is under way: behind an untouched or a finished file, never in between.
    #[test]
    fn what_others_appended_does_not_hide_how_far_a_shift_got() {
        let whole = |blocks: u64| DataMap::new(std::iter::once(0..blocks * BLOCK), BLOCK);
        let (before, before_len) = (whole(8), 8 * BLOCK);
        let in_place = Tail { in_place: true, moved: false };
        let moved = Tail { in_place: false, moved: true };
        let collapse = Shift { kind: ShiftKind::Collapse, offset: 2 * BLOCK, len: 3 * BLOCK };
        let insert = Shift { kind: ShiftKind::Insert, ..collapse };
        for appended in 0..7 {
            let repair = |shift: Shift, blocks: u64, now: DataMap, tail| {
                shift.repair(&before, before_len, &now, (blocks + appended) * BLOCK, tail, BLOCK)
            };
            let grown = whole(8 + appended);
            assert_eq!(repair(collapse, 8, grown.clone(), in_place), Repair::Perform);
            assert_eq!(repair(collapse, 5, whole(5 + appended), moved), Repair::Nothing);
            assert_eq!(repair(insert, 8, grown.clone(), in_place), Repair::Perform);
            let gap = grown.with_gap(insert.offset, insert.len);
            assert_eq!(repair(insert, 11, gap, moved), Repair::Nothing);
        }
    }

    /// The map was made when others had appended already, and they go on until the file is as long as before the collapse.
    #[test]
    fn bytes_as_long_as_the_hole_are_not_taken_for_it() {
        let collapse = Shift { kind: ShiftKind::Collapse, offset: 32, len: 32 };
        let before = DataMap::new(std::iter::once(64..99), BLOCK);
        let now = DataMap::new(std::iter::once(32..82), BLOCK);
        let moved = Tail { in_place: false, moved: true };
        assert_eq!(collapse.repair(&before, 82, &now, 82, moved, BLOCK), Repair::Nothing);
    }

    #[test]
    fn an_insertion_that_only_filled_the_last_block_starts_again() {
        let shift = Shift { kind: ShiftKind::Insert, offset: 16, len: 32 };
        let before = DataMap::new([0..32, 48..61], BLOCK);
        let repair = |len| shift.repair(&before, 61, &before, len, UNKNOWN, BLOCK);
        assert_eq!(repair(64), Repair::CutZeros(61));
        assert_eq!(repair(60), Repair::Impossible);
        // Others appended.
        assert_eq!(repair(63), Repair::Perform);
    }

    #[test]
    fn a_file_that_others_changed_is_not_touched() {
        let shift = Shift { kind: ShiftKind::Insert, offset: 16, len: 16 };
        let whole = DataMap::new(std::iter::once(0..64), BLOCK);
        let neither = Tail { in_place: false, moved: false };
        assert_eq!(shift.repair(&whole, 64, &whole, 65, neither, BLOCK), Repair::Impossible);
        let other = DataMap::new([0..16, 48..64], BLOCK);
        assert_eq!(shift.repair(&whole, 64, &other, 64, UNKNOWN, BLOCK), Repair::Impossible);
    }
}
