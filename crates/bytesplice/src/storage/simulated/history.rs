//! What happened on a simulated disk, and what a crash may leave of it.

use super::contents::Contents;
use super::{Chance, SECTOR};
use crate::commit::shift::Shift;

/// A boot and all operations after it, from which the state after a crash at any of them can be drawn.
#[derive(Debug)]
pub(crate) struct History {
    pub(super) base: Wreck,
    pub(super) log: Vec<Operation>,
}

/// The state of the disk at one point of a history: what is durable, and what may be.
#[derive(Debug)]
pub(crate) struct CrashPoint<'a> {
    history: &'a History,
    at: usize,
    pub(super) durable: Image,
    pending: Vec<usize>,
}

impl History {
    /// The point before the first operation.
    pub fn start(&self) -> CrashPoint<'_> {
        CrashPoint { history: self, at: 0, durable: self.base.image.clone(), pending: Vec::new() }
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Position after the first sync of the target.
    pub fn first_target_sync(&self) -> usize {
        let target = self.base.image.target;
        let sync = |operation: &Operation| matches!(operation, Operation::Sync { file, .. } if *file == target);
        self.log.iter().position(sync).map_or(usize::MAX, |position| position + 1)
    }
}

impl CrashPoint<'_> {
    /// Goes on over one operation; false at the end.
    pub fn advance(&mut self) -> bool {
        let Some(operation) = self.history.log.get(self.at) else {
            return false;
        };
        match operation {
            Operation::Sync { file, all } => {
                let target = self.durable.target;
                let synced = |operation: &Operation| match operation {
                    Operation::Write { file: other, .. }
                    | Operation::SetLen { file: other, .. } => file == other,
                    Operation::Shift { .. } | Operation::Punch { .. } => *file == target,
                    Operation::SetMark(_) => *file == target && *all,
                    _ => false,
                };
                self.settle(synced, |durable, operation| durable.apply(operation));
            }
            Operation::SyncFailed { file, seed } => {
                let mut chance = Chance::new(*seed);
                // Pages are forgotten; lengths and marks stay pending.
                let of_file = |operation: &Operation| matches!(operation, Operation::Write { file: other, .. } if file == other);
                self.settle(of_file, |durable, operation| {
                    if chance.below(2) == 0 {
                        durable.apply(operation);
                    }
                });
            }
            Operation::SyncDirectory => {
                let of_directory = |operation: &Operation| {
                    matches!(
                        operation,
                        Operation::Create(_)
                            | Operation::Remove
                            | Operation::CreateReplacement(_)
                            | Operation::RemoveReplacement
                            | Operation::Rename(_)
                    )
                };
                self.settle(of_directory, |durable, operation| durable.apply(operation));
            }
            _ => self.pending.push(self.at),
        }
        self.at += 1;
        true
    }

    /// How many operations came before.
    pub fn position(&self) -> usize {
        self.at
    }

    /// A disk on which a random subset of what was pending is durable.
    pub fn crash(&self, chance: &mut Chance) -> Wreck {
        let mut image = self.durable.clone();
        // How likely an unsynced sector is on the disk: often all or nothing, so that rare states come up too.
        let odds = [0, 1, 3, 8, 13, 15, 16][chance.below(7) as usize];
        let stale = self.history.base.markable && chance.below(4) == 0;
        let mut lengths = self.surviving_lengths(chance);
        let mut lost_length = false;
        for (position, &index) in self.pending.iter().enumerate() {
            let operation = &self.history.log[index];
            if let Some(left) = &mut lengths
                && operation.changes_length_of(image.target)
            {
                match left.checked_sub(1) {
                    Some(rest) => {
                        *left = rest;
                        image.apply(operation);
                    }
                    None => {
                        let first = !std::mem::replace(&mut lost_length, true);
                        if let (true, Operation::SetLen { file, len }) = (first, operation) {
                            // A cut fills the rest of its block with zeros first.
                            let contents = image.file(*file);
                            let end = len.next_multiple_of(contents.block()).min(contents.len());
                            if *len < end && chance.below(4) == 0 {
                                contents[*len..end].fill(0);
                            }
                        }
                    }
                }
                continue;
            }
            // Nor is what was written behind the end that the file did not get.
            if lost_length
                && matches!(operation, Operation::Write { file, .. } if *file == image.target)
            {
                continue;
            }
            let in_flight = position + 1 == self.pending.len();
            match operation {
                Operation::Write { file, first, bytes } => {
                    let contents = image.file(*file);
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        let start = (first + number) * SECTOR;
                        let end = (start + sector.len()).min(contents.len());
                        let torn = chance.below(if in_flight { 8 } else { 64 }) == 0;
                        if start >= end || (!torn && chance.below(16) >= odds) {
                            continue;
                        }
                        contents.fill_in(start, end);
                        let place = &mut contents[start..end];
                        let kinds = if self.history.base.garbles { 3 } else { 2 };
                        match torn.then(|| chance.below(kinds)) {
                            None => place.copy_from_slice(&sector[..end - start]),
                            Some(0) => {
                                let half = place.len() / 2;
                                place[..half].copy_from_slice(&sector[..half]);
                            }
                            Some(1) => {
                                let half = place.len() / 2;
                                let whole = place.len();
                                place[half..].copy_from_slice(&sector[half..whole]);
                            }
                            Some(_) => {
                                let noise = chance.bits().to_le_bytes();
                                place
                                    .iter_mut()
                                    .zip(noise.iter().cycle())
                                    .for_each(|(byte, noise)| *byte = *noise);
                            }
                        }
                    }
                }
                Operation::SetLen { file, len } => {
                    // A cut fills the rest of its block with zeros first.
                    let contents = image.file(*file);
                    if *len < contents.len() && chance.below(4) == 0 {
                        let end = len.next_multiple_of(contents.block()).min(contents.len());
                        contents[*len..end].fill(0);
                    }
                    if chance.below(16) < odds.max(1) {
                        let old = image.file(*file).len();
                        // Growing, XFS zeroes the rest of the last block first, and counts that in already.
                        let block_end = image.file(*file).block_end();
                        let halfway = *len > block_end && chance.below(8) == 0;
                        image.file(*file).resize(if halfway { block_end } else { *len });
                        if stale && *file > 1 && *len > old {
                            let older = image.files[file - 1].clone();
                            let end = older.len().min(image.files[*file].len());
                            if old < end {
                                image.files[*file][old..end].copy_from_slice(&older[old..end]);
                            }
                        }
                    }
                }
                Operation::Shift { shift, reached } => {
                    // None of it, all that was done, or less.
                    if chance.below(16) < odds {
                        let reached = (chance.below(3) > 0).then(|| chance.bits()).or(*reached);
                        let target = image.target;
                        image.file(target).shift(*shift, reached);
                    }
                }
                other => {
                    if chance.below(16) < odds {
                        image.apply(other);
                    }
                }
            }
        }
        image.files.iter_mut().for_each(Contents::forget);
        let Wreck { markable, garbles, .. } = self.history.base;
        Wreck { image, markable, garbles }
    }

    /// How many changes of lengths, from the first one on, are durable. Where others append a later length does not come
    /// without the earlier ones: file systems have them in the order of their log. Else any of them may be there.
    fn surviving_lengths(&self, chance: &mut Chance) -> Option<u64> {
        if self.history.base.garbles {
            return None;
        }
        let target = self.durable.target;
        let changes_length = |index: &&usize| self.history.log[**index].changes_length_of(target);
        Some(chance.below(self.pending.iter().filter(changes_length).count() as u64 + 1))
    }

    /// Takes the matching operations out of what is pending.
    fn settle(
        &mut self,
        matches: impl Fn(&Operation) -> bool,
        mut apply: impl FnMut(&mut Image, &Operation),
    ) {
        let (log, durable) = (&self.history.log, &mut self.durable);
        self.pending.retain(|&index| {
            let settled = matches(&log[index]);
            if settled {
                apply(durable, &log[index]);
            }
            !settled
        });
    }
}

/// The state that a crash left: where the next life of the disk starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wreck {
    pub(super) image: Image,
    pub(super) markable: bool,
    /// Whether a torn sector may hold garbage. Where others append, it may not: the sector of the end of the file also holds
    /// bytes of theirs, which nobody could bring back, and which their own appending puts at the same risk.
    pub(super) garbles: bool,
}

impl Wreck {
    /// A disk with one file and no journal.
    pub fn fresh(contents: Contents, markable: bool) -> Self {
        Self { image: Image { files: vec![contents], ..Image::default() }, markable, garbles: true }
    }

    /// The same disk, without garbage in torn sectors.
    pub fn without_garbage(self) -> Self {
        Self { garbles: false, ..self }
    }

    /// What the target holds.
    pub fn contents(&self) -> &[u8] {
        &self.image.files[self.image.target]
    }

    /// Where the target has data.
    pub fn data_ranges(&self) -> Vec<std::ops::Range<u64>> {
        self.image.files[self.image.target].data_ranges(0)
    }

    /// Whether neither a journal nor a mark nor an unfinished replacement is there.
    pub fn is_clean(&self) -> bool {
        let Image { journal, mark, replacement, .. } = &self.image;
        journal.is_none() && mark.is_none() && replacement.is_none()
    }
}

/// The number of a simulated file: 0 is the first target, journals and replacements count from 1.
pub(super) type FileNumber = usize;

/// A logged change or sync.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Write {
        file: FileNumber,
        first: usize,
        bytes: Vec<u8>,
    },
    SetLen {
        file: FileNumber,
        len: usize,
    },
    /// Extents of the target shifted: all, or up to somewhere.
    Shift {
        shift: Shift,
        reached: Option<u64>,
    },
    /// A hole in the target.
    Punch {
        start: usize,
        end: usize,
    },
    SetMark(Option<u64>),
    Create(FileNumber),
    Remove,
    CreateReplacement(FileNumber),
    RemoveReplacement,
    Rename(FileNumber),
    Sync {
        file: FileNumber,
        all: bool,
    },
    SyncFailed {
        file: FileNumber,
        seed: u64,
    },
    SyncDirectory,
}

impl Operation {
    /// Whether the operation changes the length of the file `target`, which is the target.
    fn changes_length_of(&self, target: FileNumber) -> bool {
        match self {
            Self::SetLen { file, .. } => *file == target,
            Self::Shift { .. } => true,
            _ => false,
        }
    }
}

/// What the disk holds for sure, or what a process sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Image {
    /// Contents by file number.
    pub files: Vec<Contents>,
    /// The file that the target's name leads to.
    pub target: FileNumber,
    /// The file that the name of the unfinished replacement leads to.
    pub replacement: Option<FileNumber>,
    /// The file that the journal's name leads to.
    pub journal: Option<FileNumber>,
    pub mark: Option<u64>,
}

impl Image {
    pub fn file(&mut self, file: FileNumber) -> &mut Contents {
        if self.files.len() <= file {
            let empty = self.files.first().map_or_else(Contents::default, Contents::sibling);
            self.files.resize(file + 1, empty);
        }
        &mut self.files[file]
    }

    pub fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { file, first, bytes } => {
                let contents = self.file(*file);
                let start = (first * SECTOR).min(contents.len());
                let end = (first * SECTOR + bytes.len()).min(contents.len());
                contents.fill_in(start, end);
                contents[start..end].copy_from_slice(&bytes[..end - start]);
            }
            Operation::SetLen { file, len } => self.file(*file).resize(*len),
            Operation::Shift { shift, reached } => self.file(self.target).shift(*shift, *reached),
            Operation::Punch { start, end } => self.file(self.target).punch(*start, *end),
            Operation::SetMark(mark) => self.mark = *mark,
            Operation::Create(file) => self.journal = Some(*file),
            Operation::Remove => self.journal = None,
            Operation::CreateReplacement(file) => self.replacement = Some(*file),
            Operation::RemoveReplacement => self.replacement = None,
            Operation::Rename(file) => {
                self.file(*file);
                self.target = *file;
                self.replacement = None;
            }
            Operation::Sync { .. } | Operation::SyncFailed { .. } | Operation::SyncDirectory => {}
        }
    }
}
