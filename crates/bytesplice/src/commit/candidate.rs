use std::time::Duration;

use super::engine::total;
use super::journal::{Layout, TRIAL_BLOCKS};
use super::plan::{Geometry, Plan};
use super::program::{Program, Subject};
use super::report::StrategyCost;
use super::shift::{Shift, ShiftKind};
use crate::Strategy;
use crate::pieces::Piece;
use crate::storage::capabilities::Capabilities;

/// A strategy, worked out for one commit.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// What is done.
    pub method: Method,
    /// The pieces that make up the new bytes of the journal, in order.
    pub literals: Vec<Piece>,
    /// What it costs.
    pub cost: StrategyCost,
}

/// What a candidate does.
#[derive(Debug)]
pub(crate) enum Method {
    /// With a journal.
    Program(Program),
    /// Without.
    Direct(Plan),
}

/// The ways to shift extents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Long parts come to their places by shifts.
    LongShifts,
    /// All parts that lie on block borders again do.
    AllShifts,
    /// Everything goes over a gap.
    Hop,
}

/// What the choice depends on, beside the edits.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// What the file system can do, or why that could not be found out.
    pub capabilities: Result<Capabilities, String>,
    /// Bytes that are free there.
    pub free_space: u64,
    /// Which share of what moves is in the page cache.
    pub cached_share: f64,
    /// Longest file that the process may write, if there is a limit.
    pub size_limit: Option<u64>,
    /// Whether the file has a name beside which a journal can lie.
    pub named: bool,
    /// Whether the commit waits for the disk.
    pub synced: bool,
    /// Whether what moves has blocks that are allocated but were never written, or may have some.
    pub preallocated: bool,
    /// The other processes that have the file open for writing, if there are any: what they append must not be cut off.
    pub writers: Option<String>,
}

/// A program that moves less is committed by the plain journal without looking further: nothing else is much faster.
pub(crate) const SMALL: u64 = 4 << 20;

// What a commit is estimated with: seconds, measured on a virtual disk. Only their ratios matter.
const WRITE: f64 = 1.0 / 1.5e9;
/// The journal's slots are written again and again, and stay in the cache.
const JOURNAL: f64 = 1.0 / 3e9;
const COLD_READ: f64 = 1.0 / 1e9;
const FSYNC: f64 = 0.002;
const SHIFT: f64 = 0.005;
const SNAPSHOT: f64 = 0.004;
/// Shifts drop what is cached behind them, and whoever reads next pays for it.
const CACHE_LOSS: f64 = 1.0 / 8e9;
/// Parts that a shift brings to their place must be worth its syncs.
const WORTHWHILE: u64 = 8 << 20;
/// With more pieces than these no more than the long parts are worth looking at.
const FEW_PIECES: usize = 100_000;
/// Disk space that is left alone.
const SPARE_SPACE: u64 = 16 << 20;

impl Subject<'_> {
    /// One strategy worked out; or why it cannot be had. `Auto` is no strategy of its own.
    pub fn candidate(
        &self,
        strategy: Strategy,
        surroundings: &Surroundings,
    ) -> Result<Candidate, String> {
        if !surroundings.named && strategy != Strategy::Direct {
            return Err("the file has no name beside which a journal could lie".into());
        }
        let allowed = || match surroundings.capabilities.as_ref() {
            Ok(capabilities) => capabilities.refusal(strategy).map_or(Ok(()), |it| Err(it.into())),
            Err(unknown) => Err(unknown.clone()),
        };
        match strategy {
            Strategy::Auto | Strategy::Journaled => {
                let (program, literals) = self.journaled();
                self.priced(Strategy::Journaled, program, literals, surroundings)
                    .beside_writers(surroundings)
            }
            Strategy::Snapshot => {
                allowed()?;
                let (program, literals) = self.with_snapshot();
                let candidate = self.priced(strategy, program, literals, surroundings);
                candidate.beside_writers(surroundings)?.within(surroundings)
            }
            Strategy::Extents => {
                allowed()?;
                // By holes recovery tells how far a shift got, and what is allocated but unwritten looks like a hole or like
                // data, depending on what is cached. The hop leaves no such blocks behind its gap.
                let tells = !surroundings.preallocated;
                let few = self.pieces.piece_count() <= FEW_PIECES;
                let program = |way: &Way| match way {
                    Way::LongShifts => tells.then(|| self.by_shifts(WORTHWHILE)).flatten(),
                    Way::AllShifts => (tells && few).then(|| self.by_shifts(1)).flatten(),
                    // Beside writers also over a gap that is not needed: it ends without a cut.
                    Way::Hop => self.by_hop(surroundings.writers.is_some()),
                };
                let ways = [Way::LongShifts, Way::AllShifts, Way::Hop];
                let cheapest = cheapest(ways, |way| {
                    let (program, literals) = program(&way)?;
                    let candidate = self.priced(strategy, program, literals, surroundings);
                    candidate.beside_writers(surroundings).ok()
                });
                let cheapest = match cheapest {
                    Some(cheapest) => cheapest,
                    None => {
                        // No extents change their place: there is nothing to shift.
                        let (program, literals) = self.journaled();
                        let candidate = self.priced(strategy, program, literals, surroundings);
                        candidate.beside_writers(surroundings)?
                    }
                };
                cheapest.within(surroundings)
            }
            // Nothing is done in place: see `SpliceFile::cost_of_replacing`.
            Strategy::Replace => Err("it does not work in place".into()),
            Strategy::Direct => {
                // Steps are for recovery.
                let whole = u64::MAX / 2;
                let geometry = Geometry { chunk: whole, longest_step: whole, ..self.geometry };
                let (program, literals) = Subject { geometry, ..*self }.journaled();
                self.priced_directly(program.plan, literals, surroundings)
                    .beside_writers(surroundings)
            }
        }
    }

    /// The costs of a program.
    pub fn priced(
        &self,
        strategy: Strategy,
        program: Program,
        literals: Vec<Piece>,
        surroundings: &Surroundings,
    ) -> Candidate {
        let Geometry { block, page, .. } = self.geometry;
        let plan = &program.plan;
        let saved = if program.snapshot { Vec::new() } else { plan.saved_per_step(block) };
        let saved_in_all: u64 = saved.iter().sum();
        let slot = saved.into_iter().max().unwrap_or(0);
        let slots = if program.snapshot { [program.old_len, 0] } else { [slot; 2] };
        let layout = Layout::new(page, plan.runs.len() as u64, plan.literal_len, slots);
        let steps = program.step_count();
        let shared = if program.snapshot { total(&plan.shareable(block)) } else { 0 };
        let written = plan.bytes_to_write() - shared;
        let journal = layout.map_or(u64::MAX, |layout| layout.saved[0]);
        // The slots are written twice: once in advance, so that there is room for what will be saved in them.
        let in_advance = if program.snapshot { 0 } else { 2 * slot };
        let journaled = journal.saturating_add(in_advance + saved_in_all + (steps + 1) * page);
        let gap: u64 = program.closing.iter().map(|shift| shift.len).sum();
        let is_insertion = |shift: &&Shift| shift.kind == ShiftKind::Insert;
        let inserted: u64 =
            program.opening.iter().filter(is_insertion).map(|shift| shift.len).sum();
        let shifts = (program.opening.len() + program.closing.len()) as u64;
        let shortened = u64::from(program.new_len < program.final_len());
        let read = plan.bytes_kept() - shared.min(plan.bytes_kept());
        // Copies on write, the old blocks are given back when the journal is.
        let on_write = if program.snapshot { written } else { 0 };
        let journal_len = match layout {
            Some(layout) if program.snapshot => layout.saved[0],
            Some(layout) => layout.len,
            None => u64::MAX,
        };
        let mut cost = StrategyCost {
            bytes_to_read: read + saved_in_all + plan.literal_len,
            bytes_to_write: written,
            bytes_to_journal: journaled,
            // The journal, its directory, the mark; record and blocks of each step; END, the length, the mark, the
            // directory again.
            fsyncs: if surroundings.synced { 3 + 2 * steps + 3 + shortened } else { 0 },
            extra_disk: journal_len.saturating_add(gap + inserted).saturating_add(on_write),
            longest_file: (program.working_len() + shift_room(shifts, block))
                .max(layout.map_or(u64::MAX, |layout| layout.len)),
            steps,
            ..StrategyCost::nothing(strategy)
        };
        let first_shift =
            program.opening.iter().chain(&program.closing).map(|shift| shift.offset).min();
        let moved_by_shifts = first_shift.map_or(0, |offset| self.data.len_from(offset));
        cost.estimate = estimate(&cost, surroundings)
            + Duration::from_secs_f64(
                shifts as f64 * SHIFT
                    + f64::from(u8::from(program.snapshot)) * SNAPSHOT
                    + moved_by_shifts as f64 * surroundings.cached_share * CACHE_LOSS,
            );
        Candidate { method: Method::Program(program), literals, cost }
    }

    fn priced_directly(
        &self,
        plan: Plan,
        literals: Vec<Piece>,
        surroundings: &Surroundings,
    ) -> Candidate {
        let mut cost = StrategyCost {
            bytes_to_read: plan.bytes_kept() + plan.literal_len,
            bytes_to_write: plan.bytes_to_write(),
            fsyncs: u64::from(surroundings.synced),
            longest_file: plan.old_len.max(plan.new_len),
            steps: plan.steps.len() as u64,
            ..StrategyCost::nothing(Strategy::Direct)
        };
        cost.estimate = estimate(&cost, surroundings);
        Candidate { method: Method::Direct(plan), literals, cost }
    }
}

impl Candidate {
    /// This candidate, unless it ends by cutting the file while others may append to it.
    fn beside_writers(self, surroundings: &Surroundings) -> Result<Self, String> {
        let cuts = match &self.method {
            Method::Program(program) => program.new_len < program.final_len(),
            Method::Direct(plan) => plan.new_len < plan.old_len,
        };
        match &surroundings.writers {
            Some(writers) if cuts => Err(format!(
                "it ends by cutting the file, and others may append to it at that instant: {writers}"
            )),
            _ => Ok(self),
        }
    }

    /// This candidate, unless there is no room for it.
    fn within(self, surroundings: &Surroundings) -> Result<Self, String> {
        let needed = self.cost.extra_disk.saturating_add(SPARE_SPACE);
        if needed > surroundings.free_space {
            let free = surroundings.free_space;
            return Err(format!("it takes {needed} bytes of disk space, {free} are free"));
        }
        match surroundings.size_limit {
            Some(limit) if self.cost.longest_file > limit => {
                Err(format!("it takes a file of {} bytes", self.cost.longest_file))
            }
            _ => Ok(self),
        }
    }

    /// Bytes by which the data of the file grows, beside what the opening shifts insert.
    pub fn growth(&self) -> u64 {
        match &self.method {
            Method::Direct(plan) => plan.new_len.saturating_sub(plan.old_len),
            Method::Program(program) if program.opening.is_empty() => {
                let ranges = program.plan.ranges_to_write();
                let past = |range: &std::ops::Range<u64>| range.start.max(program.old_len);
                ranges.iter().map(|range| range.end.saturating_sub(past(range))).sum()
            }
            Method::Program(_) => 0,
        }
    }

    /// Disk space that the commit takes until it is done, in bytes.
    pub fn disk_space(&self) -> u64 {
        self.cost.extra_disk.saturating_add(self.growth())
    }

    /// Bytes that the commit reports as done by and by.
    pub fn bytes_of_progress(&self, block: u64) -> u64 {
        match &self.method {
            Method::Direct(plan) => plan.bytes_to_write(),
            Method::Program(program) => {
                let plan = &program.plan;
                let saved = if program.snapshot { Vec::new() } else { plan.saved_per_step(block) };
                plan.bytes_to_write() + plan.literal_len + saved.iter().sum::<u64>()
            }
        }
    }
}

/// The cheapest of the candidates that there are; the first of those that cost the same. One is there at a time, as programs of
/// a million edits are large: the cheapest is worked out once more, unless it was the last.
pub(crate) fn cheapest<K: Copy + PartialEq>(
    kinds: impl IntoIterator<Item = K>,
    mut work_out: impl FnMut(K) -> Option<Candidate>,
) -> Option<Candidate> {
    let mut least: Option<(K, Duration)> = None;
    let mut last: Option<(K, Candidate)> = None;
    for kind in kinds {
        drop(last.take());
        let Some(candidate) = work_out(kind) else { continue };
        let estimate = candidate.cost.estimate;
        if least.is_none_or(|(_, least)| estimate < least) {
            least = Some((kind, estimate));
        }
        last = Some((kind, candidate));
    }
    let (kind, _) = least?;
    match last {
        Some((last, candidate)) if last == kind => Some(candidate),
        other => {
            drop(other);
            work_out(kind)
        }
    }
}

fn shift_room(shifts: u64, block: u64) -> u64 {
    if shifts == 0 { 0 } else { (TRIAL_BLOCKS + 2) * block }
}

pub(super) fn estimate(cost: &StrategyCost, surroundings: &Surroundings) -> Duration {
    let cold = cost.bytes_to_read as f64 * (1.0 - surroundings.cached_share);
    let seconds = cost.bytes_to_write as f64 * WRITE
        + cost.bytes_to_journal as f64 * JOURNAL
        + cold * COLD_READ
        + cost.fsyncs as f64 * FSYNC;
    Duration::from_secs_f64(seconds)
}
