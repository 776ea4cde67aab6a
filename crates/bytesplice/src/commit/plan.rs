use std::ops::Range;

use super::order::{self, Class, Segment, Span};
use super::part::{Part, Supply};
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use crate::pieces::{Piece, Source};

/// The sizes a plan and its journal are made with, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Unit of writing to the target: at least what the disk may tear.
    pub block: u64,
    /// Unit of the journal's layout.
    pub page: u64,
    /// Most bytes that one step writes, as a rule.
    pub chunk: u64,
    /// Most bytes that one step writes when they move further than that, so that it need save nothing.
    pub longest_step: u64,
    /// Most bytes read and written at a time.
    pub buffer: u64,
    /// The mistake that a crash test put in.
    #[cfg(any(test, feature = "simulation"))]
    pub sabotage: Option<Sabotage>,
}

impl Geometry {
    /// What real files are committed with.
    pub const REAL: Self = Self {
        block: 4096,
        page: 4096,
        chunk: 16 << 20,
        longest_step: 64 << 20,
        // Buffers that fit the L2 cache move bytes fastest.
        buffer: 1 << 20,
        #[cfg(any(test, feature = "simulation"))]
        sabotage: None,
    };
}

/// Where a run of the new file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From this offset of the old file.
    Kept(u64),
    /// From this offset of the literals: the new bytes, one after the other.
    Literal(u64),
    /// One byte, repeated.
    Fill(u8),
    /// From a hole: whole blocks that become a hole.
    Hole,
}

/// A run of bytes of the new file, within dirty blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Offset in the new file.
    pub destination: u64,
    /// Number of bytes.
    pub len: u64,
    /// Where they come from.
    pub origin: Origin,
}

impl Run {
    /// Offset after the last byte.
    pub fn end(&self) -> u64 {
        self.destination + self.len
    }

    /// Which old bytes it keeps of those that go to `range`, which it overlaps.
    pub fn source_of(&self, range: &Range<u64>) -> Option<Range<u64>> {
        match self.origin {
            Origin::Kept(source) => Some(self.part_of(source, range)),
            _ => None,
        }
    }

    /// Which literals it has of those that go to `range`, which it overlaps.
    pub fn literals_of(&self, range: &Range<u64>) -> Option<Range<u64>> {
        match self.origin {
            Origin::Literal(offset) => Some(self.part_of(offset, range)),
            _ => None,
        }
    }

    /// What goes to `range`, if the first byte is from `source`.
    fn part_of(&self, source: u64, range: &Range<u64>) -> Range<u64> {
        let from = range.start.max(self.destination) - self.destination;
        let to = range.end.min(self.end()) - self.destination;
        source + from..source + to
    }

    /// The whole blocks of this run within `range` that come from whole blocks of the old file, and where those begin; if
    /// sharing them is worth a call.
    pub fn shareable(&self, range: &Range<u64>, block: u64) -> Option<(Range<u64>, u64)> {
        /// Fewer bytes are rather written.
        const WORTHWHILE: u64 = 64 << 10;
        let Origin::Kept(source) = self.origin else { return None };
        let blocks = self.whole_blocks(range, block);
        let worthwhile = blocks.end >= blocks.start + WORTHWHILE.min(16 * block);
        let aligned = source.abs_diff(self.destination) % block == 0;
        (aligned && worthwhile)
            .then(|| (blocks.clone(), source + (blocks.start - self.destination)))
    }

    /// The whole blocks of this run within `range`.
    pub fn whole_blocks(&self, range: &Range<u64>, block: u64) -> Range<u64> {
        let start = self.destination.max(range.start).next_multiple_of(block);
        start..(self.end().min(range.end) / block * block).max(start)
    }

    /// Whether `next` goes on where this run ends, so that both can be one.
    fn continues_in(&self, next: &Self) -> bool {
        self.end() == next.destination
            && match (self.origin, next.origin) {
                (Origin::Kept(one), Origin::Kept(other))
                | (Origin::Literal(one), Origin::Literal(other)) => one + self.len == other,
                (Origin::Fill(one), Origin::Fill(other)) => one == other,
                (Origin::Hole, Origin::Hole) => true,
                _ => false,
            }
    }
}

/// Blocks that are written between two watermarks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// All blocks of a step are of one class.
    pub class: Class,
    /// Byte ranges of whole blocks (but for the end of the file), in the order of writing.
    pub ranges: Vec<Range<u64>>,
}

/// What a step reads from the old file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StepReads {
    /// Whole old blocks that the step also overwrites: they must be saved first. Ascending, in bytes.
    pub overwritten: Vec<Range<u64>>,
    /// The other bytes it reads. Ascending.
    pub untouched: Vec<Range<u64>>,
}

/// How the old contents become the new ones in place: pure data, without any I/O.
///
/// Blocks that no run touches stay as they are. A plan is made from the pieces of the new contents, or again, in
/// recovery, from the runs in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Length of the old contents.
    pub old_len: u64,
    /// Length of the new contents.
    pub new_len: u64,
    /// What the dirty blocks will hold, ascending by destination, without overlap.
    pub runs: Vec<Run>,
    /// The order of writing.
    pub steps: Vec<Step>,
    /// Number of literal bytes.
    pub literal_len: u64,
}

impl Plan {
    /// Plans the way from an old file of `old_len` bytes to `parts`. Also gives the pieces that make up the literals, in
    /// order. O(parts).
    ///
    /// Parts are taken several times, and not kept: a million edits have two million.
    pub fn new(
        parts: impl Iterator<Item = Part> + Clone,
        old_len: u64,
        geometry: Geometry,
    ) -> (Self, Vec<Piece>) {
        let mut new_len = 0;
        let segments = placed(parts.clone()).inspect(|(_, part)| new_len += part.piece.len);
        let segments = segments.map(|(destination, part)| Segment {
            destination,
            len: part.piece.len,
            source: match part.supply {
                Supply::Kept(source) => Some(source),
                // What is left alone is as good as what stays.
                Supply::Gap => Some(destination),
                Supply::New | Supply::Hole => None,
            },
        });
        let spans = order::dirty_spans(segments, geometry.block);
        // Counted first: lists that grow take up to three times their memory.
        let (mut runs, mut literals) = (0, 0);
        for_each_dirty(parts.clone(), &spans, new_len, geometry.block, |_, part, class| {
            runs += 1;
            literals += usize::from(part.supply == Supply::New || class == Class::Still);
        });
        let mut builder = RunBuilder {
            block: geometry.block,
            runs: Vec::with_capacity(runs),
            literals: Vec::with_capacity(literals),
            literal_len: 0,
        };
        for_each_dirty(parts, &spans, new_len, geometry.block, |destination, part, class| {
            builder.push(destination, part, class);
        });
        drop(spans);
        // Classes and steps come from the runs once more, as recovery will find them.
        let plan = Self::from_runs(builder.runs, old_len, new_len, geometry);
        (plan, builder.literals)
    }

    /// The plan that these runs are. They must be ascending, and cover whole blocks up to the end of the file.
    pub fn from_runs(runs: Vec<Run>, old_len: u64, new_len: u64, geometry: Geometry) -> Self {
        let segments = runs.iter().map(|run| Segment {
            destination: run.destination,
            len: run.len,
            source: match run.origin {
                Origin::Kept(source) => Some(source),
                Origin::Literal(_) | Origin::Fill(_) | Origin::Hole => None,
            },
        });
        let literal_len = runs
            .iter()
            .filter(|run| matches!(run.origin, Origin::Literal(_)))
            .map(|run| run.len)
            .sum();
        let spans = order::dirty_spans(segments, geometry.block);
        let steps = steps(&spans, new_len, geometry);
        Self { old_len, new_len, runs, steps, literal_len }
    }

    /// Bytes written to the target.
    pub fn bytes_to_write(&self) -> u64 {
        self.written_runs().map(|run| run.len).sum()
    }

    /// What need not be written where blocks can be shared, ascending.
    pub fn shareable(&self, block: u64) -> Vec<Range<u64>> {
        let shareable = self.runs.iter().filter_map(|run| run.shareable(&(0..u64::MAX), block));
        shareable.map(|(range, _)| range).collect()
    }

    /// Bytes read from the old file.
    pub fn bytes_kept(&self) -> u64 {
        let kept = self.runs.iter().filter(|run| matches!(run.origin, Origin::Kept(_)));
        kept.map(|run| run.len).sum()
    }

    /// The ranges that change, ascending: whole blocks, but for the end of the file.
    pub fn dirty_ranges(&self) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        for run in &self.runs {
            push_merged(&mut ranges, run.destination..run.end());
        }
        ranges
    }

    /// The ranges that will hold data, ascending.
    pub fn ranges_to_write(&self) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        for run in self.written_runs() {
            push_merged(&mut ranges, run.destination..run.end());
        }
        ranges
    }

    fn written_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.origin != Origin::Hole)
    }

    /// Bytes of old blocks that each step has to save.
    pub fn saved_per_step(&self, block: u64) -> Vec<u64> {
        let saved = |step| {
            self.reads(step, block).overwritten.iter().map(|range| range.end - range.start).sum()
        };
        self.steps.iter().map(saved).collect()
    }

    /// Room that the journal needs for the saved blocks of one step.
    pub fn slot_len(&self, block: u64) -> u64 {
        self.saved_per_step(block).into_iter().max().unwrap_or(0)
    }

    /// The runs that overlap `range`, whole.
    pub fn runs_in(&self, range: &Range<u64>) -> &[Run] {
        let first = self.runs.partition_point(|run| run.end() <= range.start);
        let count = self.runs[first..].partition_point(|run| run.destination < range.end);
        &self.runs[first..first + count]
    }

    /// Whether `next` may be written while `step`, the one before it, is not durable: it overwrites nothing that either of
    /// them reads, so that both can be done again. O(runs in the steps).
    pub fn may_overlap(&self, step: &Step, next: &Step, block: u64) -> bool {
        let [reads, next_reads] = [step, next].map(|step| self.reads(step, block));
        // The last block may be torn behind the end of the new file, too.
        let overwrites = |source: &Range<u64>| {
            next.ranges
                .iter()
                .any(|range| range.start < source.end && source.start < block_end(range.end, block))
        };
        next_reads.overwritten.is_empty()
            && !reads.untouched.iter().chain(&reads.overwritten).any(overwrites)
    }

    /// What a step reads from the old file. O(runs in the step).
    pub fn reads(&self, step: &Step, block: u64) -> StepReads {
        let mut sources = Vec::new();
        let mut written = step.ranges.clone();
        written.sort_unstable_by_key(|range| range.start);
        for range in &written {
            for run in self.runs_in(range) {
                if let Some(source) = run.source_of(range) {
                    push_merged(&mut sources, source);
                }
            }
        }
        let mut reads = StepReads::default();
        let mut index = 0;
        for source in &sources {
            let mut position = source.start;
            while index < written.len() && block_end(written[index].end, block) <= source.start {
                index += 1;
            }
            let mut at = index;
            while position < source.end {
                // The next written range that overlaps the rest of this source.
                match written.get(at).filter(|range| range.start < source.end) {
                    Some(range) => {
                        let range_end = block_end(range.end, block);
                        if position < range.start {
                            push_merged(&mut reads.untouched, position..range.start);
                            position = range.start;
                        }
                        let end = range_end.min(source.end);
                        let whole =
                            position / block * block..block_end(end, block).min(self.old_len);
                        push_merged(&mut reads.overwritten, whole);
                        position = end;
                        at += 1;
                    }
                    None => {
                        push_merged(&mut reads.untouched, position..source.end);
                        position = source.end;
                    }
                }
            }
        }
        reads
    }
}

/// Collects runs, and the pieces of their literals.
struct RunBuilder {
    block: u64,
    runs: Vec<Run>,
    literals: Vec<Piece>,
    literal_len: u64,
}

impl RunBuilder {
    /// Adds a part of blocks of a class.
    fn push(&mut self, destination: u64, part: Part, class: Class) {
        let piece = part.piece;
        let whole = destination.is_multiple_of(self.block) && piece.len.is_multiple_of(self.block);
        let origin = match (part.supply, piece.source) {
            // A still block is written from the journal alone, together with the bytes in it that stay.
            (Supply::Kept(source), _) if class != Class::Still => Origin::Kept(source),
            (Supply::Hole, _) if whole => Origin::Hole,
            (Supply::Hole | Supply::Gap, _) => Origin::Fill(0),
            (_, Source::Fill(byte)) => Origin::Fill(byte),
            (_, Source::Original | Source::Added | Source::File(_)) => {
                let offset = self.literal_len;
                self.literal_len += piece.len;
                match self.literals.last_mut() {
                    Some(last) if last.continues_in(piece) => last.len += piece.len,
                    _ => self.literals.push(piece),
                }
                Origin::Literal(offset)
            }
        };
        let run = Run { destination, len: piece.len, origin };
        match self.runs.last_mut() {
            Some(last) if last.continues_in(&run) => last.len += run.len,
            _ => self.runs.push(run),
        }
    }
}

/// The parts of dirty blocks in order: where each goes, and the class of its blocks.
fn for_each_dirty(
    parts: impl Iterator<Item = Part> + Clone,
    spans: &[Span],
    new_len: u64,
    block: u64,
    mut take: impl FnMut(u64, Part, Class),
) {
    let mut parts = placed(parts);
    let mut under_way = parts.next();
    for span in spans {
        let range = bytes_of(span, block, new_len);
        while let Some((destination, part)) = under_way {
            let end = destination + part.piece.len;
            if destination >= range.end {
                break;
            }
            if end > range.start {
                let from = range.start.max(destination) - destination;
                let to = range.end.min(end) - destination;
                take(destination + from, part.slice(from, to), span.class);
            }
            if end > range.end {
                break;
            }
            under_way = parts.next();
        }
    }
}

/// Parts, and where each goes.
fn placed(parts: impl Iterator<Item = Part> + Clone) -> impl Iterator<Item = (u64, Part)> + Clone {
    parts.scan(0, |destination, part| {
        let start = *destination;
        *destination += part.piece.len;
        Some((start, part))
    })
}

/// Cuts the spans into steps, in the order of writing.
fn steps(spans: &[Span], new_len: u64, geometry: Geometry) -> Vec<Step> {
    let mut ordered: Vec<&Span> = Vec::with_capacity(spans.len());
    for class in [Class::Up, Class::Down, Class::Still] {
        let of_class = spans.iter().filter(|span| span.class == class);
        if class == Class::Down { ordered.extend(of_class.rev()) } else { ordered.extend(of_class) }
    }
    #[cfg(any(test, feature = "simulation"))]
    sabotage_order(&mut ordered, geometry);

    let mut steps: Vec<Step> = Vec::new();
    let (mut written, mut limit) = (0, 0);
    for span in ordered {
        let (mut first, mut end) = (span.first, span.first + span.count);
        while first < end {
            limit = limit.min(longest_step(span, geometry));
            if written + geometry.block > limit
                || steps.last().is_none_or(|step| step.class != span.class)
            {
                steps.push(Step { class: span.class, ranges: Vec::new() });
                (written, limit) = (0, longest_step(span, geometry));
            }
            // Steps end at multiples of their length where that costs few steps: the cache keeps large aligned runs,
            // and writes one again for every step that touches it.
            let aligned = limit / geometry.block;
            let to_edge = match span.class {
                Class::Down => (end - 1) % aligned + 1,
                Class::Up | Class::Still => aligned - first % aligned,
            };
            let count = (end - first).min((limit - written) / geometry.block).min(to_edge);
            let blocks = if span.class == Class::Down {
                end -= count;
                end..end + count
            } else {
                first += count;
                first - count..first
            };
            written += count * geometry.block;
            if count == to_edge && written > limit / 2 {
                written = limit;
            }
            let range = blocks.start * geometry.block..(blocks.end * geometry.block).min(new_len);
            if let Some(step) = steps.last_mut() {
                match step.ranges.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    Some(last) if range.end == last.start => last.start = range.start,
                    _ => step.ranges.push(range),
                }
            }
        }
    }
    steps
}

/// Most bytes that a step with blocks of this span may write.
fn longest_step(span: &Span, geometry: Geometry) -> u64 {
    match span.shift {
        // Still blocks are redone from the journal alone, however many they are.
        _ if span.class == Class::Still => u64::MAX,
        // A step that is shorter than its bytes move reads nothing that it writes, and need save nothing.
        Some(shift) => shift.clamp(geometry.chunk, geometry.longest_step),
        None => geometry.chunk,
    }
}

/// The bytes of a span's blocks; the last block may be cut short by the end of the file.
fn bytes_of(span: &Span, block: u64, new_len: u64) -> Range<u64> {
    span.first * block..((span.first + span.count) * block).min(new_len)
}

/// Rounds up to the end of a block.
fn block_end(offset: u64, block: u64) -> u64 {
    offset.div_ceil(block) * block
}

/// Appends a range to an ascending list, joining it with the last one if they touch.
fn push_merged(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
        _ => ranges.push(range),
    }
}

#[cfg(any(test, feature = "simulation"))]
fn sabotage_order(ordered: &mut [&Span], geometry: Geometry) {
    match geometry.sabotage {
        Some(Sabotage::LiteralsFirst) => ordered.sort_by_key(|span| span.class != Class::Still),
        Some(Sabotage::AscendingOnly) => ordered.sort_by_key(|span| span.first),
        Some(Sabotage::DescendingOnly) => ordered.sort_by_key(|span| std::cmp::Reverse(span.first)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        /// Steps are part of the format of the journal: that spans of mixed blocks are merged must not be seen in them.
        #[test]
        fn steps_do_not_depend_on_how_mixed_blocks_are_listed(
            lists in vec((0..3_u8, 1..40_u64, 0..3_u64, prop::option::of(1..200_u64)), 0..12),
            chunk in 1..12_u64, longest in 1..30_u64
        ) {
            let geometry = Geometry { block: 4, chunk: 4 * chunk, longest_step: 4 * longest, ..Geometry::REAL };
            let (mut merged, mut single) = (Vec::new(), Vec::new());
            let mut first = 0;
            for (class, count, gap, shift) in lists {
                let class = [Class::Up, Class::Down, Class::Still][usize::from(class)];
                let shift = shift.filter(|_| class != Class::Still).map(|shift| shift.max(4 * chunk));
                let span = Span { first, count, class, shift };
                match shift {
                    Some(_) => single.push(span),
                    None => single.extend((first..first + count).map(|first| Span { first, count: 1, ..span })),
                }
                merged.push(span);
                first += count + gap;
            }
            let geometry = Geometry { longest_step: geometry.longest_step.max(geometry.chunk), ..geometry };
            let new_len = 4 * first;
            prop_assert_eq!(steps(&merged, new_len, geometry), steps(&single, new_len, geometry));
        }
    }
}
