//! Where the new contents are cut into parts.
//!
//! # The shape of the best division
//! Let *min* and *max* be the lengths of the smallest and the largest part. All new bytes are sent, whatever the cuts. So the
//! bytes through the client are the fewest when the fewest kept bytes are fetched. A kept run is either fetched whole, or its
//! middle is copied, its first `x` bytes are sent together with what is before, and its last `y` bytes with what is
//! after: fetching something within the middle would only cost. Between two copied middles lies a *stretch* that is sent. It
//! is empty, or `min` bytes long at least; if what lies between the two runs is shorter, exactly what lacks (`fill`) is
//! fetched from both, `y` from the left and `fill - y` from the right. Middles and stretches of at least `min` bytes can
//! always be divided into parts of `min` to `max`, as `max >= 2 min - 1`.
//!
//! Runs shorter than `min` cannot be copied, but for one at the very end. Of those that can, at most two that follow
//! each other are fetched whole: of three, the middle one has `min` bytes on each side of it that are sent anyway, and
//! could be copied. So each copied run has one of the next four as its successor.
//!
//! # Dynamic programming
//! The states are pairs of a copied run and its `x`; the cost is (bytes fetched, requests), in this order. How `fill` is
//! split matters only at few places: all right, all left, as much to the left as its middle can spare, as little as the
//! right one must be spared, or as much as saves the left run a part. Of two states of one run the one is dropped that
//! costs more and has the worse `x`: a run that is longer than `max` can spare `2 min` bytes, and may save a part by
//! more, a shorter one is better off with less. That leaves few states a run, and the whole is O(runs).
//!
//! What is not counted: where a stretch is longer than one part, a cut in the middle of a fetched run takes a request more.

use super::{Origin, Part, PlanError, Runs, Segment};
use crate::Profile;

/// Bytes fetched, then requests.
type Price = (u64, u64);

/// The best parts, or none if nothing is to be copied and one put can do.
pub(super) fn divide(
    runs: &Runs,
    old_len: u64,
    profile: &Profile,
) -> Result<Option<Vec<Part>>, PlanError> {
    let attempt = |upload: u64, copied_from: u64| {
        let table = Table::new(runs, old_len, profile, upload, copied_from);
        table.parts()
    };
    let most = profile.most_parts;
    let parts = attempt(profile.preferred_upload, profile.smallest_part);
    if parts.len() as u64 <= most {
        return Ok(Some(parts));
    }
    let parts = attempt(profile.largest_part, profile.smallest_part);
    if parts.len() as u64 <= most {
        // Parts that are sent need not be so long: the shortest length that will do, to a MiB or a part.
        let step = profile.smallest_part.min(1 << 20);
        let (mut short, mut long) = (profile.preferred_upload, profile.largest_part);
        let mut best = parts;
        while long - short > step {
            let middle = short + (long - short) / 2;
            let parts = attempt(middle, profile.smallest_part);
            if parts.len() as u64 <= most {
                (long, best) = (middle, parts);
            } else {
                short = middle;
            }
        }
        return Ok(Some(best));
    }
    // Fewer runs are copied, the longest ones.
    let copyable = |run: &&Segment| is_kept(run) && run.len > profile.smallest_part;
    let mut limits: Vec<u64> = runs.all().iter().filter(copyable).map(|run| run.len + 1).collect();
    limits.push(profile.smallest_part + 1);
    limits.sort_unstable();
    limits.dedup();
    let (mut few, mut many) = (0, limits.len());
    let mut best: Option<Vec<Part>> = None;
    let mut fewest = parts.len() as u64;
    while few < many {
        let middle = few + (many - few) / 2;
        let parts = attempt(profile.largest_part, limits[middle]);
        fewest = fewest.min(parts.len() as u64);
        if parts.len() as u64 <= most {
            best = Some(parts);
            many = middle;
        } else {
            few = middle + 1;
        }
    }
    best.map(Some).ok_or(PlanError::TooManyParts { parts: fewest, most })
}

fn is_kept(run: &Segment) -> bool {
    run.origin != Origin::New
}

/// A run that may be copied.
struct Copyable {
    run: Segment,
    /// Bytes of kept runs before it, and their number.
    kept_before: (u64, u64),
    /// The shortest middle.
    least: u64,
}

impl Copyable {
    fn end(&self) -> u64 {
        self.run.offset + self.run.len
    }
}

/// A copied run, how many of its first bytes are fetched, and the cheapest way to get there: up to and without its
/// middle.
#[derive(Clone, Copy)]
struct State {
    copyable: usize,
    head: u64,
    price: Price,
    /// The state before, and how many of the last bytes of its run are fetched.
    before: Option<(usize, u64)>,
}

struct Table<'a> {
    runs: &'a Runs,
    smallest: u64,
    largest: u64,
    upload: u64,
    copyable: Vec<Copyable>,
    kept_in_all: (u64, u64),
}

impl<'a> Table<'a> {
    /// Runs of `copied_from` bytes are copied, and a shorter one at the end of the contents.
    fn new(runs: &'a Runs, old_len: u64, profile: &Profile, upload: u64, copied_from: u64) -> Self {
        let smallest = profile.smallest_part;
        let (mut kept, mut count) = (0, 0);
        let mut copyable = Vec::new();
        for &run in runs.all().iter().filter(|run| is_kept(run)) {
            let is_last = run.offset + run.len == runs.len() && copied_from == smallest;
            // No store copies a range of an object that is not longer than a part.
            if old_len > smallest && (run.len >= copied_from || is_last) {
                let least = if is_last { 1 } else { smallest };
                copyable.push(Copyable { run, kept_before: (kept, count), least });
            }
            kept += run.len;
            count += 1;
        }
        let largest = profile.largest_part;
        Self { runs, smallest, largest, upload, copyable, kept_in_all: (kept, count) }
    }

    /// The best parts.
    fn parts(&self) -> Vec<Part> {
        const SUCCESSORS: usize = 4;
        let mut states: Vec<State> = Vec::new();
        // Where the states of each run begin.
        let mut begins = vec![0];
        for index in 0..self.copyable.len() {
            let mut fresh: Vec<State> = Vec::new();
            if index < SUCCESSORS {
                fresh.extend(self.first(index));
            }
            let predecessors = begins[index.saturating_sub(SUCCESSORS)]..states.len();
            for number in predecessors {
                self.follow(number, states[number], index, &mut fresh);
            }
            self.drop_dominated(index, &mut fresh);
            states.extend(fresh);
            begins.push(states.len());
        }
        let last = begins[self.copyable.len().saturating_sub(SUCCESSORS)]..states.len();
        let ends = last.filter_map(|number| Some((self.finish(states[number])?, number)));
        let best = ends.min();
        let (fetched, requests) = self.kept_in_all;
        let nothing = (fetched, requests + self.sent_parts(self.runs.len()));
        match best {
            Some((price, number)) if price < nothing => self.trace(&states, number),
            _ => {
                let mut parts = Vec::new();
                push_parts(&mut parts, 0, self.runs.len(), self.upload, Origin::New);
                parts
            }
        }
    }

    /// The state of a run that is the first one copied.
    fn first(&self, index: usize) -> Option<State> {
        let to = &self.copyable[index];
        let base = to.run.offset;
        let head = self.fill(base);
        let (kept, count) = to.kept_before;
        let requests = count + u64::from(head > 0) + self.sent_parts(base + head);
        let price = (kept + head, requests);
        (head + to.least <= to.run.len).then_some(State {
            copyable: index,
            head,
            price,
            before: None,
        })
    }

    /// All states of run `index` that may be best after `state`.
    fn follow(&self, number: usize, state: State, index: usize, fresh: &mut Vec<State>) {
        let (from, to) = (&self.copyable[state.copyable], &self.copyable[index]);
        let base = to.run.offset - from.end();
        let fill = self.fill(base);
        let spare_left = from.run.len - state.head - from.least;
        let spare_right = to.run.len - to.least;
        let saves_a_part = self.over(from.run.len).saturating_sub(state.head);
        let splits =
            [0, fill, spare_left.min(fill), fill.saturating_sub(spare_right), saves_a_part];
        let kept = to.kept_before.0 - from.kept_before.0 - from.run.len;
        let count = to.kept_before.1 - from.kept_before.1 - 1;
        for (position, &tail) in splits.iter().enumerate() {
            if splits[..position].contains(&tail) || tail > fill.min(spare_left) {
                continue;
            }
            let head = fill - tail;
            if head > spare_right {
                continue;
            }
            let middle = from.run.len - state.head - tail;
            let requests = count
                + u64::from(tail > 0)
                + u64::from(head > 0)
                + self.sent_parts(base + fill)
                + middle.div_ceil(self.largest);
            let price = (state.price.0 + kept + fill, state.price.1 + requests);
            let before = Some((number, tail));
            fresh.push(State { copyable: index, head, price, before });
        }
    }

    /// The price of the whole if the run of `state` is the last one copied. What follows it is last, and so of any length.
    fn finish(&self, state: State) -> Option<Price> {
        let from = &self.copyable[state.copyable];
        let middle = from.run.len - state.head;
        let rest = self.runs.len() - from.end();
        let (kept, count) = self.kept_in_all;
        let kept = kept - from.kept_before.0 - from.run.len;
        let count = count - from.kept_before.1 - 1;
        let requests = count + middle.div_ceil(self.largest) + self.sent_parts(rest);
        (middle >= from.least).then_some((state.price.0 + kept, state.price.1 + requests))
    }

    /// Leaves only states that may be part of the best division, by ascending price.
    fn drop_dominated(&self, index: usize, states: &mut Vec<State>) {
        let more_is_better = self.copyable[index].run.len > self.largest;
        states.sort_unstable_by_key(|state| {
            (state.price, if more_is_better { u64::MAX - state.head } else { state.head })
        });
        let mut best: Option<u64> = None;
        states.retain(|state| {
            let keeps =
                best.is_none_or(
                    |head| {
                        if more_is_better { state.head > head } else { state.head < head }
                    },
                );
            if keeps {
                best = Some(state.head);
            }
            keeps
        });
    }

    /// The parts of the division that ends in this state.
    fn trace(&self, states: &[State], last: usize) -> Vec<Part> {
        let mut copied = vec![(states[last], 0)];
        let mut before = states[last].before;
        while let Some((number, tail)) = before {
            copied.push((states[number], tail));
            before = states[number].before;
        }
        let mut parts = Vec::new();
        let mut position = 0;
        for (state, tail) in copied.into_iter().rev() {
            let run = self.copyable[state.copyable].run;
            let start = run.offset + state.head;
            push_parts(&mut parts, position, start, self.upload, Origin::New);
            position = run.offset + run.len - tail;
            let Origin::Kept(offset) = run.origin else { continue };
            push_parts(
                &mut parts,
                start,
                position,
                self.largest,
                Origin::Kept(offset + state.head),
            );
        }
        push_parts(&mut parts, position, self.runs.len(), self.upload, Origin::New);
        parts
    }

    /// What has to be fetched so that `base` bytes make a part.
    fn fill(&self, base: u64) -> u64 {
        if base == 0 { 0 } else { self.smallest.saturating_sub(base) }
    }

    /// Without how many bytes a run of `len` bytes takes one part less; none if it takes one.
    fn over(&self, len: u64) -> u64 {
        if len > self.largest { (len - 1) % self.largest + 1 } else { 0 }
    }

    fn sent_parts(&self, len: u64) -> u64 {
        len.div_ceil(self.upload)
    }
}

/// Divides `start..end` evenly into as few parts as can be.
fn push_parts(parts: &mut Vec<Part>, start: u64, end: u64, largest: u64, origin: Origin) {
    let count = (end - start).div_ceil(largest);
    let mut position = start;
    for number in 0..count {
        let len = (end - position).div_ceil(count - number);
        let origin = match origin {
            Origin::Kept(offset) => Origin::Kept(offset + (position - start)),
            Origin::New => Origin::New,
        };
        parts.push(Part { offset: position, len, origin });
        position += len;
    }
}
