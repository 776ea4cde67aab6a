//! Which pieces of the original can move in place, and in which order blocks are written.
//!
//! # Kept pieces
//! In-place moves need the kept pieces to come in the order of the old file, without overlap. Insertions, removals
//! and replacements never disturb that order; copies and reorderings do. [`kept_in_order`] picks the order-preserving
//! subset that keeps most bytes where they are cheap; what is left out is written like new bytes, read from the old
//! file before anything moves. (The general problem is "In-Place Reconstruction of Version Differences", Burns,
//! Stockmeyer, Long, TKDE 2003: breaking cycles by stashing.)
//!
//! # The order of blocks
//! Let a *dirty* block be one whose contents may change: some of its bytes come from elsewhere, though they may turn out
//! to be equal. Every dirty block falls into one class:
//! - **U** reads some higher block. U blocks are written first, ascending.
//! - **D** reads some lower block and no higher one, perhaps itself too. D blocks come next, descending.
//! - **S** reads no block but itself. S blocks come last, in any order.
//!
//! No block is then overwritten before all its readers are done. Kept pieces are in order, so what a higher
//! destination reads lies higher in the old file:
//! - U against U: let b read c with c below b and both in U, so that c would be written first. But c reads a block
//!   above c, hence every destination after c reads above that, and b cannot read c.
//! - U against D: let the D block b read the U block u. u reads above u, and u lies below b (b reads no higher block),
//!   so b reads above u too: contradiction.
//! - D against D: a D block reads itself and lower blocks only, and the lower ones are written later.
//! - S is last, and is read by earlier classes only.
//!
//! (Writing an insertion ascending, or new bytes first, destroys data; the crash tests have both as sabotages.)

use std::cmp::Ordering;
use std::collections::VecDeque;

use crate::pieces::{Piece, Source};

/// Class of a dirty block, in the order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Reads a higher block: written ascending.
    Up,
    /// Reads a lower block only: written descending.
    Down,
    /// Reads no other block.
    Still,
}

/// A part of the new file: where it goes and, if it is kept, where it lies in the old file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Offset in the new file.
    pub destination: u64,
    /// Number of bytes.
    pub len: u64,
    /// Offset in the old file, if the bytes come from there.
    pub source: Option<u64>,
}

impl Segment {
    fn end(self) -> u64 {
        self.destination + self.len
    }
}

/// Dirty blocks that follow each other and are of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Number of the first block.
    pub first: u64,
    /// How many blocks.
    pub count: u64,
    /// Their class.
    pub class: Class,
    /// How far the bytes move when all blocks move alike; none for blocks of mixed contents, and of new ones.
    pub shift: Option<u64>,
}

/// For every piece of the new file, in order: whether it is kept, that is, moved in place. O(n) when the pieces of
/// the original are in order, O(n log n) otherwise.
pub(crate) fn kept_in_order(pieces: impl Iterator<Item = Piece> + Clone) -> Vec<bool> {
    let original = |piece: Piece| piece.source == Source::Original;
    let mut reached = 0;
    let in_order = pieces.clone().filter(|&piece| original(piece)).all(|piece| {
        let follows = piece.offset >= reached;
        reached = piece.offset + piece.len;
        follows
    });
    if in_order {
        return pieces.map(original).collect();
    }
    heaviest_chain(pieces)
}

/// The chain of non-overlapping, ascending original pieces with the largest weight, by a Fenwick tree of prefix
/// maxima over the ends of the pieces. Bytes that need not move at all weigh double.
fn heaviest_chain(pieces: impl Iterator<Item = Piece>) -> Vec<bool> {
    struct Candidate {
        index: usize,
        start: u64,
        end: u64,
        weight: u128,
        before: Option<usize>,
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    let (mut destination, mut count) = (0, 0);
    for (index, piece) in pieces.enumerate() {
        count += 1;
        if piece.source == Source::Original {
            let factor = if piece.offset == destination { 2 } else { 1 };
            candidates.push(Candidate {
                index,
                start: piece.offset,
                end: piece.offset + piece.len,
                weight: u128::from(piece.len) * factor,
                before: None,
            });
        }
        destination += piece.len;
    }
    let mut ends: Vec<u64> = candidates.iter().map(|candidate| candidate.end).collect();
    ends.sort_unstable();
    ends.dedup();

    // best[i]: the heaviest chain among those whose last piece ends at one of the ends that node i covers.
    let mut best: Vec<Option<(u128, usize)>> = vec![None; ends.len() + 1];
    let heavier = |left: Option<(u128, usize)>, right: Option<(u128, usize)>| match (left, right) {
        (Some(one), Some(other)) if one.0.cmp(&other.0) == Ordering::Less => Some(other),
        (None, other) => other,
        (one, _) => one,
    };
    #[expect(clippy::needless_range_loop, reason = "chains refer to candidates by number")]
    for number in 0..candidates.len() {
        let mut node = ends.partition_point(|&end| end <= candidates[number].start);
        let mut chain = None;
        while node > 0 {
            chain = heavier(chain, best[node]);
            node &= node - 1;
        }
        if let Some((weight, before)) = chain {
            candidates[number].weight += weight;
            candidates[number].before = Some(before);
        }
        let mut node = ends.partition_point(|&end| end < candidates[number].end) + 1;
        while node <= ends.len() {
            best[node] = heavier(best[node], Some((candidates[number].weight, number)));
            node += node & node.wrapping_neg();
        }
    }

    let mut kept = vec![false; count];
    let mut next = (0..candidates.len()).max_by_key(|&number| candidates[number].weight);
    while let Some(number) = next {
        kept[candidates[number].index] = true;
        next = candidates[number].before;
    }
    kept
}

/// The dirty blocks among `segments`, which are in order of destination, kept bytes ascending, and leave out only
/// whole blocks (all of which stay). The last block may be cut short by the end of the file. O(segments).
///
/// Segments are taken as they are needed, and blocks of mixed contents that are of one class make one span: a million
/// edits have two million segments.
pub(crate) fn dirty_spans(segments: impl Iterator<Item = Segment>, block: u64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut segments = segments.fuse();
    // Those from the one under way on that share a block.
    let mut ahead: VecDeque<Segment> = VecDeque::new();
    let mut last_is_mixed = false;
    let mut position = 0;
    loop {
        while ahead.front().is_some_and(|segment| segment.end() <= position) {
            ahead.pop_front();
        }
        if ahead.is_empty() {
            ahead.extend(segments.find(|segment| segment.end() > position));
        }
        let Some(&segment) = ahead.front() else { return spans };
        position = segment.destination.max(position);
        let first = position / block;
        if segment.end() - position >= block && position % block == 0 {
            // Whole blocks of one segment.
            let count = (segment.end() - position) / block;
            let class = match segment.source {
                None => Some(Class::Still),
                Some(source) => match source.cmp(&segment.destination) {
                    Ordering::Less => Some(Class::Down),
                    Ordering::Greater => Some(Class::Up),
                    Ordering::Equal => None,
                },
            };
            if let Some(class) = class {
                let shift = segment.source.map(|source| source.abs_diff(segment.destination));
                spans.push(Span { first, count, class, shift });
                last_is_mixed = false;
            }
            position += count * block;
        } else {
            // One block shared by several segments, or cut short by the end of the file.
            let end = (first + 1) * block;
            let (mut up, mut down, mut dirty) = (false, false, false);
            while ahead.back().is_some_and(|segment| segment.destination < end) {
                let Some(next) = segments.next() else { break };
                ahead.push_back(next);
            }
            let shared = ahead.iter().take_while(|segment| segment.destination < end);
            for segment in shared {
                let from = segment.destination.max(first * block);
                let to = segment.end().min(end);
                dirty |= segment.source != Some(segment.destination);
                if let Some(source) = segment.source {
                    let lowest = (source + (from - segment.destination)) / block;
                    let highest = (source + (to - segment.destination) - 1) / block;
                    up |= highest > first;
                    down |= lowest < first;
                }
            }
            if dirty {
                let class = if up {
                    Class::Up
                } else if down {
                    Class::Down
                } else {
                    Class::Still
                };
                match spans.last_mut() {
                    // Not with whole blocks of one segment: those may become holes.
                    Some(last)
                        if last_is_mixed
                            && last.class == class
                            && last.first + last.count == first =>
                    {
                        last.count += 1;
                    }
                    _ => spans.push(Span { first, count: 1, class, shift: None }),
                }
                last_is_mixed = true;
            }
            position = end;
        }
    }
}
