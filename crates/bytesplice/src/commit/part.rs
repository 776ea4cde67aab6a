use std::ops::Range;
use std::rc::Rc;

use super::order;
use super::shift::{DataMap, Shift, ShiftKind};
use crate::pieces::{Piece, Source};

/// A piece of the new contents, and how it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The bytes, as the edits know them.
    pub piece: Piece,
    /// Where the commit takes them from.
    pub supply: Supply,
}

/// How a commit comes by the bytes of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Supply {
    /// They are moved within the file, from this offset.
    Kept(u64),
    /// They are a hole, and become one.
    Hole,
    /// They are read before anything changes, and journaled.
    New,
    /// They may be anything: the blocks are left alone.
    Gap,
}

impl Part {
    /// The bytes `from..to` of this part.
    pub fn slice(&self, from: u64, to: u64) -> Self {
        let supply = match self.supply {
            Supply::Kept(source) => Supply::Kept(source + from),
            other => other,
        };
        Self { piece: self.piece.slice(from, to), supply }
    }
}

/// The parts that move kept pieces where that is possible, and make new bytes of the rest.
pub(crate) fn in_place(
    pieces: impl Iterator<Item = Piece> + Clone,
) -> impl Iterator<Item = Part> + Clone {
    let kept: Rc<[bool]> = order::kept_in_order(pieces.clone()).into();
    pieces.enumerate().map(move |(index, piece)| {
        let supply = if kept[index] { Supply::Kept(piece.offset) } else { Supply::New };
        Part { piece, supply }
    })
}

/// The same parts, but that holes of the old file which change their place become holes again. O(parts + holes).
pub(crate) fn with_holes(parts: impl Iterator<Item = Part>, data: &DataMap) -> Vec<Part> {
    let mut split = Vec::new();
    let mut destination = 0;
    for part in parts {
        let stays = part.supply == Supply::Kept(destination);
        destination += part.piece.len;
        if stays || part.piece.source != Source::Original || part.supply == Supply::Gap {
            split.push(part);
            continue;
        }
        let Range { start, end } = part.piece.offset..part.piece.offset + part.piece.len;
        let mut position = start;
        let first = data.ranges().partition_point(|range| range.end <= start);
        for range in &data.ranges()[first..] {
            if position >= end {
                break;
            }
            let data_start = range.start.clamp(position, end);
            if position < data_start {
                let hole = part.slice(position - start, data_start - start);
                split.push(Part { supply: Supply::Hole, ..hole });
            }
            let data_end = range.end.clamp(data_start, end);
            if data_start < data_end {
                split.push(part.slice(data_start - start, data_end - start));
            }
            position = data_end;
        }
        if position < end {
            let hole = part.slice(position - start, end - start);
            split.push(Part { supply: Supply::Hole, ..hole });
        }
    }
    split
}

/// The parts with a gap of `len` bytes put in at `offset`, both multiples of the block.
pub(crate) fn with_gap(
    parts: impl Iterator<Item = Part> + Clone,
    offset: u64,
    len: u64,
) -> impl Iterator<Item = Part> + Clone {
    let gap = Part { piece: Piece::new(Source::Fill(0), 0, len), supply: Supply::Gap };
    let mut destination = 0;
    parts.flat_map(move |part| {
        let start = destination;
        destination += part.piece.len;
        let parts = if start < offset && offset < destination {
            let (before, after) = (offset - start, part.piece.len);
            [Some(part.slice(0, before)), Some(gap), Some(part.slice(before, after))]
        } else if start == offset {
            [None, Some(gap), Some(part)]
        } else {
            [None, None, Some(part)]
        };
        parts.into_iter().flatten()
    })
}

/// Shifts of whole blocks that bring long kept parts to their places, and the parts as they are to be had after those
/// shifts. A part is long if it has `worthwhile` bytes at least. O(parts).
///
/// Between two long parts bytes are inserted or removed; the net difference is made by one shift, in front of the first
/// whole block of the second. What a collapse takes along becomes new bytes.
pub(crate) fn shifted(
    parts: impl Iterator<Item = Part>,
    block: u64,
    worthwhile: u64,
) -> (Vec<Shift>, Vec<Part>) {
    let mut shifts = Vec::new();
    let mut shifted: Vec<Part> = Vec::new();
    // How far everything from here on is from its old place.
    let mut moved: i128 = 0;
    let mut destination = 0;
    for part in parts {
        let start = destination;
        destination += part.piece.len;
        let Supply::Kept(source) = part.supply else {
            shifted.push(part);
            continue;
        };
        let base = place(source, moved);
        let head = (start.next_multiple_of(block) - start).min(part.piece.len);
        let aligned = source.abs_diff(start) % block == 0;
        let wanted = i128::from(start) - i128::from(source);
        if !aligned || wanted == moved || part.piece.len - head < worthwhile {
            shifted.push(at(part, base));
            continue;
        }
        let border = base + head;
        let len = (wanted - moved).unsigned_abs() as u64;
        if wanted > moved {
            shifts.push(Shift { kind: ShiftKind::Insert, offset: border, len });
            if head > 0 {
                shifted.push(at(part.slice(0, head), base));
            }
        } else {
            let lost = border - len..border;
            shifts.push(Shift { kind: ShiftKind::Collapse, offset: lost.start, len });
            if head > 0 {
                shifted.push(at(part.slice(0, head), base));
            }
            take_out(&mut shifted, &lost);
        }
        moved = wanted;
        shifted.push(at(part.slice(head, part.piece.len), start + head));
    }
    (shifts, shifted)
}

/// Whether [`shifted`] would find a long part, which the first one is that lies on block borders again.
pub(crate) fn is_worth_shifting(
    parts: impl Iterator<Item = Part>,
    block: u64,
    worthwhile: u64,
) -> bool {
    let mut destination = 0;
    for part in parts {
        let start = destination;
        destination += part.piece.len;
        if let Supply::Kept(source) = part.supply
            && source != start
            && source.abs_diff(start) % block == 0
            && part.piece.len
                >= worthwhile + (start.next_multiple_of(block) - start).min(part.piece.len)
        {
            return true;
        }
    }
    false
}

fn place(offset: u64, moved: i128) -> u64 {
    (i128::from(offset) + moved) as u64
}

fn at(part: Part, offset: u64) -> Part {
    Part { supply: Supply::Kept(offset), ..part }
}

/// What lies in the lost range must be journaled. Kept parts are in order, so only the last ones can.
fn take_out(parts: &mut Vec<Part>, lost: &Range<u64>) {
    let mut after = Vec::new();
    while let Some(part) = parts.pop() {
        let Supply::Kept(source) = part.supply else {
            after.push(part);
            continue;
        };
        let end = source + part.piece.len;
        if end <= lost.start {
            parts.push(part);
            break;
        }
        let survives = lost.start.saturating_sub(source);
        after.push(Part { supply: Supply::New, ..part.slice(survives, part.piece.len) });
        if survives > 0 {
            after.push(part.slice(0, survives));
        }
    }
    parts.extend(after.into_iter().rev());
}
