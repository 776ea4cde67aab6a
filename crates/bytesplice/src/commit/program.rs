use std::ops::Range;

use super::engine::total;
use super::part::{self, Part, Supply};
use super::plan::{Geometry, Plan, Step};
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use super::shift::{DataMap, Shift, ShiftKind};
use crate::pieces::{Piece, PieceTree};

/// Where more is read than that, what is cached is of use.
const READ_BEFORE: u64 = 1 << 20;

/// Everything that a crash-safe commit does to the file, in order: shifts of extents, a plan of writes, shifts again.
///
/// The steps that a journal counts are those shifts and the steps of the plan. With a snapshot the whole plan is one step:
/// nothing that recovery reads is ever overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// Length of the old contents.
    pub old_len: u64,
    /// Length of the new contents.
    pub new_len: u64,
    /// Shifts before the plan. They bring whole blocks to their places.
    pub opening: Vec<Shift>,
    /// What is written, starting from the file as the opening shifts left it.
    pub plan: Plan,
    /// Shifts after the plan: they close the gap that let bytes move without being saved.
    pub closing: Vec<Shift>,
    /// Whether the journal holds a copy of the old file that shares its blocks.
    pub snapshot: bool,
    /// The [`Geometry::chunk`] that the plan was made with.
    pub chunk: u64,
    /// The [`Geometry::longest_step`] that the plan was made with.
    pub longest_step: u64,
}

impl Program {
    /// Number of steps.
    pub fn step_count(&self) -> u64 {
        self.opening.len() as u64 + self.write_count() + self.closing.len() as u64
    }

    /// The step of this number; none past the last.
    pub fn step(&self, number: u64) -> Option<ProgramStep<'_>> {
        let opening = self.opening.len() as u64;
        if number < opening {
            let before = &self.opening[..number as usize];
            let shift = self.opening[number as usize];
            return Some(ProgramStep::Shift { shift, len_before: lengths(self.old_len, before) });
        }
        let number = number - opening;
        if number < self.write_count() {
            let steps = &self.plan.steps;
            let number = number as usize;
            return Some(ProgramStep::Write(if self.snapshot {
                steps
            } else {
                &steps[number..=number]
            }));
        }
        let number = (number - self.write_count()) as usize;
        let shift = *self.closing.get(number)?;
        let len_before = lengths(self.working_len(), &self.closing[..number]);
        Some(ProgramStep::Shift { shift, len_before })
    }

    /// Whether the step of this number may be written while the one before it is not durable, though that one's record is.
    pub fn runs_ahead(&self, number: u64, geometry: Geometry) -> bool {
        let Some(before) = number.checked_sub(1) else { return false };
        match (self.step(before), self.step(number)) {
            (Some(ProgramStep::Write([step])), Some(ProgramStep::Write([next])))
                if !self.snapshot =>
            {
                #[cfg(any(test, feature = "simulation"))]
                if geometry.sabotage == Some(Sabotage::RunsAhead) {
                    return true;
                }
                self.plan.may_overlap(step, next, geometry.block)
            }
            _ => false,
        }
    }

    /// Of which bytes of the old file the cache will be of no use: shifting and sharing extents drops it, and takes longer
    /// than dropping it beforehand, while the journal is being written. Nothing, if much of it is read before.
    pub fn dropped(&self, block: u64) -> Vec<Range<u64>> {
        if let Some(first) = self.opening.iter().map(|shift| shift.offset).min() {
            return std::iter::once(first..self.old_len).collect();
        }
        let shared = if self.snapshot { self.plan.shareable(block) } else { Vec::new() };
        let read = self.plan.bytes_kept().saturating_sub(total(&shared));
        if read > READ_BEFORE { Vec::new() } else { shared }
    }

    /// Whether the old contents are the new ones.
    pub fn is_nothing(&self) -> bool {
        self.step_count() == 0 && self.old_len == self.new_len
    }

    /// Whether extents are shifted.
    pub fn shifts(&self) -> bool {
        !self.opening.is_empty() || !self.closing.is_empty()
    }

    /// Length of the file after the opening shifts.
    pub fn base_len(&self) -> u64 {
        lengths(self.old_len, &self.opening)
    }

    /// Length of the file while the plan writes.
    pub fn working_len(&self) -> u64 {
        self.base_len().max(self.plan.new_len)
    }

    /// Length of the file after the last step, before it is cut to the new length.
    pub fn final_len(&self) -> u64 {
        lengths(self.working_len(), &self.closing)
    }

    /// The length that the file gets before the commit point, if it gets another one.
    pub fn grown_len(&self) -> Option<u64> {
        let grows = self.opening.is_empty() && self.working_len() > self.old_len;
        grows.then(|| self.working_len())
    }

    fn write_count(&self) -> u64 {
        match self.plan.steps.len() as u64 {
            count if self.snapshot => count.min(1),
            count => count,
        }
    }
}

/// Length of a file after some shifts.
fn lengths(len: u64, shifts: &[Shift]) -> u64 {
    shifts.iter().fold(len, |len, shift| shift.len_after(len))
}

/// One step of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgramStep<'p> {
    /// A shift of a file of the length `len_before`.
    Shift { shift: Shift, len_before: u64 },
    /// These steps of the plan, one after the other.
    Write(&'p [Step]),
}

/// What a program is made from: the new contents and the old file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The new contents.
    pub pieces: &'a PieceTree,
    /// Length of the old contents.
    pub old_len: u64,
    /// Where the old file has data.
    pub data: &'a DataMap,
    /// The sizes to work with.
    pub geometry: Geometry,
}

impl Subject<'_> {
    /// Blocks are moved with a journal that saves what is overwritten. Also gives the pieces of the literals.
    pub fn journaled(&self) -> (Program, Vec<Piece>) {
        self.program(Vec::new(), part::in_place(self.pieces.iter()), Vec::new())
    }

    /// The journal holds a snapshot of the old file.
    pub fn with_snapshot(&self) -> (Program, Vec<Piece>) {
        let (program, literals) = self.journaled();
        (Program { snapshot: true, ..program }, literals)
    }

    /// Shifts of whole blocks bring kept parts of `worthwhile` bytes and more to their places, where those lie on block
    /// borders again; none if there are no such parts.
    pub fn by_shifts(&self, worthwhile: u64) -> Option<(Program, Vec<Piece>)> {
        let parts = part::in_place(self.pieces.iter());
        if !part::is_worth_shifting(parts.clone(), self.geometry.block, worthwhile) {
            return None;
        }
        let (opening, parts) = part::shifted(parts, self.geometry.block, worthwhile);
        let program = self.program(opening, parts.iter().copied(), Vec::new());
        // The file must not have to grow once more after the commit point, where others may append to it.
        (program.0.working_len() == program.0.base_len()).then_some(program)
    }

    /// The hop: everything behind the first byte that moves goes right by a gap more than it should, so far that no step
    /// overwrites what it or the one before it reads, and a collapse closes the gap. None if too little moves, or, unless it
    /// goes `any_distance`, if bytes move left so far that they need no gap.
    pub fn by_hop(&self, any_distance: bool) -> Option<(Program, Vec<Piece>)> {
        let Geometry { block, chunk, .. } = self.geometry;
        let parts = part::in_place(self.pieces.iter());
        let (mut destination, mut first, mut furthest_left) = (0, None, 0);
        for part in parts.clone() {
            if let Supply::Kept(source) = part.supply
                && source != destination
            {
                first = first.or(Some(destination));
                furthest_left = furthest_left.max(source.saturating_sub(destination));
            }
            destination += part.piece.len;
        }
        let offset = first?.next_multiple_of(block);
        if offset >= destination || (furthest_left > chunk && !any_distance) {
            return None;
        }
        // Two steps of a chunk then end before the first byte that they read.
        let longest = (2 * chunk).min(destination - offset);
        #[allow(unused_mut, reason = "a sabotage changes it")]
        let mut len = (longest + furthest_left).next_multiple_of(block);
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::GapTooSmall) {
            len = block;
        }
        let gap = Shift { kind: ShiftKind::Collapse, offset, len };
        let subject = Self { geometry: Geometry { longest_step: chunk, ..self.geometry }, ..*self };
        Some(subject.program(Vec::new(), part::with_gap(parts, offset, gap.len), vec![gap]))
    }

    fn program(
        &self,
        opening: Vec<Shift>,
        parts: impl Iterator<Item = Part> + Clone,
        closing: Vec<Shift>,
    ) -> (Program, Vec<Piece>) {
        let base_len = lengths(self.old_len, &opening);
        let data = self.data.ranges();
        let has_holes = !matches!(data, [only] if only.start == 0 && only.end >= self.old_len);
        let (plan, literals) = if has_holes && self.old_len > 0 {
            let parts = part::with_holes(parts, self.data);
            Plan::new(parts.iter().copied(), base_len, self.geometry)
        } else {
            Plan::new(parts, base_len, self.geometry)
        };
        let new_len = lengths(plan.new_len, &closing);
        let Geometry { chunk, longest_step, .. } = self.geometry;
        let program = Program {
            old_len: self.old_len,
            new_len,
            opening,
            plan,
            closing,
            snapshot: false,
            chunk,
            longest_step,
        };
        (program, literals)
    }
}
