use super::{Chance, Disk, Operation};

/// Another process that appends to the target between the calls of a commit or a recovery.
#[derive(Debug, Clone)]
pub(crate) struct Appender {
    chance: Chance,
    /// How many more times it appends.
    left: u64,
    /// From which call on.
    first: usize,
    /// Where in the row of bytes it begins.
    base: u64,
    /// Whether it keeps the file open, so that there is no lease; else it opens it anew each time.
    holds: bool,
    /// Whether the commit has a lease: then it waits.
    waits: bool,
    /// What it has appended.
    pub appended: Appended,
}

/// What a process has appended, and when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Appended {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// Each time.
    times: Vec<Time>,
}

/// One time that a process appended.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// The operations of the disk before and after it.
    operations: (usize, usize),
    /// Bytes that were appended, this time included.
    bytes: usize,
    /// Bytes that were synced.
    synced: usize,
}

impl Appender {
    /// A process that appends up to `most` times, from the call `first` on.
    pub fn new(chance: &mut Chance, most: u64, first: usize, holds: bool) -> Self {
        let chance = Chance::new(chance.bits());
        let (waits, appended) = (false, Appended::default());
        // Those of a commit and of its recovery are far from each other.
        let base = if first == 0 { 0 } else { 128 };
        Self { chance, left: most, first, base, holds, waits, appended }
    }
}

impl Appended {
    /// What was appended, and how much of it was synced, before this operation of the disk.
    pub fn before(&self, position: usize) -> (&[u8], usize) {
        let last =
            |done: fn(&Time) -> usize| self.times.iter().rev().find(|time| done(time) <= position);
        let bytes = last(|time| time.operations.0 + 1).map_or(0, |time| time.bytes);
        let synced = last(|time| time.operations.1).map_or(0, |time| time.synced);
        (&self.bytes[..bytes], synced)
    }
}

impl Disk {
    /// Whether another process has the file open, so that no lease can be had.
    pub(super) fn is_held_open(&self) -> bool {
        self.appender.as_ref().is_some_and(|appender| appender.holds)
    }

    /// Takes a lease. Whether others had been kept out before.
    pub(super) fn keep_others_out(&mut self) -> bool {
        self.appender.as_mut().is_some_and(|appender| std::mem::replace(&mut appender.waits, true))
    }

    /// Gives the lease back.
    pub(super) fn let_others_in(&mut self, waited: bool) {
        if let Some(appender) = &mut self.appender {
            appender.waits = waited;
        }
    }

    /// Another process may append now, if there is one.
    pub(super) fn let_others_append(&mut self) {
        let Some(mut appender) = self.appender.take() else { return };
        if appender.left > 0
            && self.attempts >= appender.first
            && !appender.waits
            && appender.chance.below(8) == 0
        {
            appender.left -= 1;
            let len = 1 + appender.chance.below(24);
            // No bytes come twice: that a file was cut is told by what is behind the cut.
            let bytes: Vec<u8> = (0..len)
                .map(|at| {
                    1 + ((appender.appended.bytes.len() as u64 + at + appender.base) % 255) as u8
                })
                .collect();
            let (file, end) = (self.seen.target, self.target_len() as usize);
            let first = self.log.len();
            self.write(file, &bytes, end);
            appender.appended.bytes.extend_from_slice(&bytes);
            let total = appender.appended.bytes.len();
            let before = appender.appended.times.last().map_or(0, |time| time.synced);
            let synced = if appender.chance.below(2) == 0 {
                self.log.push(Operation::Sync { file, all: false });
                total
            } else {
                before
            };
            let operations = (first, self.log.len());
            appender.appended.times.push(Time { operations, bytes: total, synced });
        }
        self.appender = Some(appender);
    }
}
