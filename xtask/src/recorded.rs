//! Commits that a disk recorded, and what a power cut at a moment of the record may lead to.

use std::fs;
use std::path::Path;

use crate::chance::Chance;
use crate::extents::Shape;
use crate::fuse_disk::Event;
use crate::workload::COMMITTING;

/// What the workload says of itself in the record.
#[derive(Debug, Clone, Copy)]
pub enum Mark {
    /// Commit number n comes next.
    Begin(usize),
    /// Its shift of extents comes next.
    Shift,
    /// It has returned.
    Returned,
    /// A recovery has returned.
    Recovered,
}

/// What the file holds before and after a commit.
pub struct Change {
    /// Before others overwrote some bytes and did not sync them.
    pub earlier: Vec<u8>,
    pub old: Vec<u8>,
    pub new: Vec<u8>,
    /// If many extents are shifted: for which edit.
    pub shift: Option<(Shape, u64)>,
}

impl Change {
    /// Whether these are the old contents; of what others overwrote any bytes may be missing.
    pub fn is_old(&self, contents: &[u8]) -> bool {
        let mut bytes = contents.iter().zip(self.old.iter().zip(&self.earlier));
        contents.len() == self.old.len()
            && (contents == self.old
                || bytes.all(|(is, (old, earlier))| is == old || is == earlier))
    }

    /// Whether a shift of many extents is in its middle.
    pub fn is_cut_short(&self, path: &Path, phase: &str) -> std::io::Result<bool> {
        match self.shift {
            Some((shape, seed)) if phase == COMMITTING => {
                Ok(shape.is_cut_short(seed, &self.old, &self.new, &fs::read(path)?))
            }
            _ => Ok(false),
        }
    }
}

/// Commits that were recorded.
pub struct History {
    /// The moment of the disk at which the record begins.
    pub start: usize,
    pub changes: Vec<Change>,
    pub events: Vec<Event<Mark>>,
}

/// A moment to cut the power at: the number of events before it. Where extents are shifted, three of four cuts fall
/// between the shift and the end of the commit.
pub fn moment(events: &[Event<Mark>], chance: &mut Chance) -> usize {
    let place = |is: fn(&Mark) -> bool| {
        events.iter().position(|event| matches!(event, Event::Mark(mark) if is(mark)))
    };
    let shift = place(|mark| matches!(mark, Mark::Shift));
    let returned = place(|mark| matches!(mark, Mark::Returned));
    let (first, last) = match shift.zip(returned) {
        Some(within) if !chance.one_in(4) => within,
        _ => (0, events.len()),
    };
    first + chance.below((last - first) as u64 + 1) as usize
}

/// Where a power cut falls.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The commit that is under way or was the last.
    pub number: usize,
    /// Whether the contents must be new; none if both are right.
    pub must: Option<bool>,
}

impl At {
    /// The place of a cut behind so many events.
    pub fn of(events: &[Event<Mark>], cut: usize) -> Self {
        let mut at = Self { number: 0, must: None };
        for event in &events[..cut] {
            match event {
                Event::Mark(Mark::Begin(number)) => at = Self { number: *number, must: None },
                Event::Mark(Mark::Returned) => at.must = Some(true),
                _ => {}
            }
        }
        at
    }
}
