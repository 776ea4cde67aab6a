//! What was there before: undo, redo and named snapshots.
//!
//! An undo step is the inverse edit: where, how many bytes to take out, and the pieces to put back; or, for an overwrite
//! of added bytes, the bytes that were there. It costs what the edit changed, whatever the size of the file. A snapshot
//! is a clone of the tree, which is one reference count.
//!
//! Edits never change what a step or a snapshot refers to: sources are constant but for added bytes that are overwritten
//! in place, and those are only such that nothing else refers to ([`Overwrites`](crate::overwrite::Overwrites)).
//!
//! A commit changes the ground under all of this: [`rebase`] says how steps and snapshots outlive it.

mod rebase;
mod snapshot;
mod step;
#[cfg(test)]
mod tests;
mod undo;

use std::collections::VecDeque;

pub use rebase::Kept;
pub(crate) use snapshot::Snapshots;
use step::{Inverse, Removed, Step};
pub use undo::HistoryUsage;
use undo::Way;

/// The steps that can be undone and redone, up to a limit of memory.
#[derive(Debug)]
pub(crate) struct History {
    /// The newest is the last.
    undo: VecDeque<Step>,
    /// The next to redo is the last.
    redo: Vec<Step>,
    /// Memory of all steps in bytes, about.
    memory: u64,
    /// Most of it.
    limit: u64,
    /// Bytes that the last commit saved for steps and snapshots.
    saved: u64,
    /// Groups begun and not ended.
    depth: u32,
    /// Whether the next step joins the one before: the group under way has steps.
    joins: bool,
    /// Whether the beginning of the group under way is forgotten, so that the rest is worth nothing.
    beheaded: bool,
    /// Why there are no older steps, if there were some.
    forgotten: Option<String>,
    /// Why there are no further steps to redo, if there were some.
    redo_forgotten: Option<String>,
}

impl History {
    /// Without steps, and with room for `limit` bytes of them.
    pub fn new(limit: u64) -> Self {
        Self {
            undo: VecDeque::new(),
            redo: Vec::new(),
            memory: 0,
            limit,
            saved: 0,
            depth: 0,
            joins: false,
            beheaded: false,
            forgotten: None,
            redo_forgotten: None,
        }
    }

    /// Whether steps are worth making.
    pub fn is_on(&self) -> bool {
        self.limit > 0
    }

    /// Forgets all steps, as if there never were any.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Notes how to take back an edit that was just made. There is nothing to redo any more.
    pub fn record(&mut self, edit: Inverse) {
        self.redo.drain(..).for_each(|step| self.memory -= step.memory());
        self.redo_forgotten = None;
        if self.depth > 0 && self.beheaded {
            return;
        }
        let joined = self.depth > 0 && self.joins;
        self.joins = self.depth > 0;
        self.push(Way::Undo, Step { joined, edit });
        self.forget_oldest();
    }

    /// Notes that an edit was made that cannot be taken back.
    pub fn skip(&mut self) {
        self.forgotten.get_or_insert_with(|| "it is switched off".to_owned());
    }

    fn push(&mut self, way: Way, step: Step) {
        self.memory += step.memory();
        match way {
            Way::Undo => self.undo.push_back(step),
            Way::Redo => self.redo.push(step),
        }
    }

    fn pop(&mut self, way: Way) -> Option<Step> {
        let step = match way {
            Way::Undo => self.undo.pop_back(),
            Way::Redo => self.redo.pop(),
        }?;
        self.memory -= step.memory();
        Some(step)
    }

    /// Why there is nothing more this way, if there was something.
    fn forgotten(&self, way: Way) -> Option<&str> {
        match way {
            Way::Undo => self.forgotten.as_deref(),
            Way::Redo => self.redo_forgotten.as_deref(),
        }
    }

    /// Forgets the oldest groups of steps until the rest is within the limit.
    fn forget_oldest(&mut self) {
        while self.memory > self.limit && !self.undo.is_empty() {
            self.forget_undo_below(1, format!("it is limited to {} bytes", self.limit));
        }
    }

    /// Forgets the oldest `count` steps, and those that are of one group with the last of them.
    fn forget_undo_below(&mut self, count: usize, why: String) {
        let mut forgotten = 0;
        while self.undo.front().is_some_and(|step| forgotten < count || step.joined) {
            let step = self.undo.pop_front();
            self.memory -= step.map_or(0, |step| step.memory());
            forgotten += 1;
        }
        if forgotten > 0 {
            self.forgotten = Some(why);
            self.beheaded |= self.joins && self.undo.is_empty();
        }
    }

    /// Forgets the `count` steps that would be redone last, and those that are of one group with them.
    fn forget_redo_below(&mut self, count: usize, why: String) {
        // The first step of a group is the first to be redone, and lies above the others.
        let mut end = count;
        while end > 0 && end < self.redo.len() && self.redo[end - 1].joined {
            end += 1;
        }
        if end > 0 {
            self.redo
                .drain(..end.min(self.redo.len()))
                .for_each(|step| self.memory -= step.memory());
            self.redo_forgotten = Some(why);
        }
    }
}
