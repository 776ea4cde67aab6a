//! A disk that forgets: every operation is logged, and after a crash any subset of what was not synced is there.
//!
//! The model, sector by sector:
//! - a write, a length, a mark, the creation and the removal of the journal are durable after the matching sync; before
//!   it each may or may not be, in any combination;
//! - a write of part of a sector writes the whole sector; the sector in flight may be torn: half new, or garbage;
//! - what was written past the durable end of a file is lost; a gap reads as zeros, in a new journal also as what an
//!   older one held there (where inodes can be marked);
//! - a sync that fails makes some of the writes durable and forgets the rest, and the next one succeeds.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use super::{InodeIdentity, Mark, Storage, StorageFile};
use crate::commit::sabotage::Sabotage;

/// Bytes per sector of the simulated disk.
pub(crate) const SECTOR: usize = 16;

/// A small, fast, seeded source of chance (SplitMix64; Steele, Lea, Flood, OOPSLA 2014).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Chance from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }
}

/// The number of a simulated file: 0 is the target, journals count from 1.
type FileNumber = usize;

/// A logged change or sync.
#[derive(Debug, Clone)]
enum Operation {
    Write { file: FileNumber, first: usize, bytes: Vec<u8> },
    SetLen { file: FileNumber, len: usize },
    SetMark(Option<u64>),
    Create(FileNumber),
    Remove,
    Sync { file: FileNumber, all: bool },
    SyncFailed { file: FileNumber, seed: u64 },
    SyncDirectory,
}

/// What the disk holds for sure, or what a process sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Image {
    /// Contents by file number.
    files: Vec<Vec<u8>>,
    /// The file that the journal's name leads to.
    journal: Option<FileNumber>,
    mark: Option<u64>,
}

impl Image {
    fn file(&mut self, file: FileNumber) -> &mut Vec<u8> {
        if self.files.len() <= file {
            self.files.resize(file + 1, Vec::new());
        }
        &mut self.files[file]
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { file, first, bytes } => {
                let contents = self.file(*file);
                let start = (first * SECTOR).min(contents.len());
                let end = (first * SECTOR + bytes.len()).min(contents.len());
                contents[start..end].copy_from_slice(&bytes[..end - start]);
            }
            Operation::SetLen { file, len } => self.file(*file).resize(*len, 0),
            Operation::SetMark(mark) => self.mark = *mark,
            Operation::Create(file) => self.journal = Some(*file),
            Operation::Remove => self.journal = None,
            Operation::Sync { .. } | Operation::SyncFailed { .. } | Operation::SyncDirectory => {}
        }
    }
}

/// A failure put in on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing fails.
    None,
    /// The operation of this number fails.
    At(usize),
}

#[derive(Debug)]
struct Disk {
    /// What was there at the boot.
    base: Image,
    /// What a process sees.
    seen: Image,
    log: Vec<Operation>,
    markable: bool,
    sabotage: Option<Sabotage>,
    fault: Fault,
    attempts: usize,
    failed: bool,
    next_file: FileNumber,
}

/// A target, its journal and their directory on one simulated disk.
#[derive(Debug)]
pub(crate) struct SimulatedStorage {
    disk: Rc<RefCell<Disk>>,
    target: SimulatedFile,
}

/// A handle on a file of a simulated disk.
#[derive(Debug)]
pub(crate) struct SimulatedFile {
    disk: Rc<RefCell<Disk>>,
    file: FileNumber,
}

/// The state that a crash left: where the next life of the disk starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wreck {
    image: Image,
    markable: bool,
}

impl Wreck {
    /// A disk with one file and no journal.
    pub fn fresh(contents: Vec<u8>, markable: bool) -> Self {
        Self { image: Image { files: vec![contents], journal: None, mark: None }, markable }
    }

    /// What the target holds.
    pub fn contents(&self) -> &[u8] {
        &self.image.files[0]
    }

    /// Whether a journal or a mark is there.
    pub fn is_clean(&self) -> bool {
        self.image.journal.is_none() && self.image.mark.is_none()
    }
}

impl SimulatedStorage {
    /// Starts the system on a disk.
    pub fn boot(wreck: &Wreck, sabotage: Option<Sabotage>, fault: Fault) -> Self {
        let disk = Rc::new(RefCell::new(Disk {
            next_file: wreck.image.files.len(),
            base: wreck.image.clone(),
            seen: wreck.image.clone(),
            log: Vec::with_capacity(64),
            markable: wreck.markable,
            sabotage,
            fault,
            attempts: 0,
            failed: false,
        }));
        Self { target: SimulatedFile { disk: Rc::clone(&disk), file: 0 }, disk }
    }

    /// Number of operations logged so far.
    pub fn operations(&self) -> usize {
        self.disk.borrow().log.len()
    }

    /// Number of calls so far that could have failed.
    pub fn attempts(&self) -> usize {
        self.disk.borrow().attempts
    }

    /// Lets the call of this number, and no other, fail from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.disk.borrow_mut().fault = fault;
    }

    /// The disk as a process sees it, without a crash.
    pub fn seen(&self) -> Wreck {
        let disk = self.disk.borrow();
        Wreck { image: disk.seen.clone(), markable: disk.markable }
    }

    /// Everything that happened since the boot.
    pub fn history(&self) -> History {
        let disk = self.disk.borrow();
        History {
            base: Wreck { image: disk.base.clone(), markable: disk.markable },
            log: disk.log.clone(),
        }
    }
}

/// A boot and all operations after it, from which the state after a crash at any of them can be drawn.
#[derive(Debug)]
pub(crate) struct History {
    base: Wreck,
    log: Vec<Operation>,
}

/// The state of the disk at one point of a history: what is durable, and what may be.
#[derive(Debug)]
pub(crate) struct CrashPoint<'a> {
    history: &'a History,
    at: usize,
    durable: Image,
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
        let sync = |operation: &Operation| matches!(operation, Operation::Sync { file: 0, .. });
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
                let synced = |operation: &Operation| match operation {
                    Operation::Write { file: other, .. }
                    | Operation::SetLen { file: other, .. } => file == other,
                    Operation::SetMark(_) => *file == 0 && *all,
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
                    matches!(operation, Operation::Create(_) | Operation::Remove)
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
        for (position, &index) in self.pending.iter().enumerate() {
            let operation = &self.history.log[index];
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
                        let place = &mut contents[start..end];
                        match torn.then(|| chance.below(3)) {
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
                    if chance.below(16) < odds.max(1) {
                        let old = image.file(*file).len();
                        image.file(*file).resize(*len, 0);
                        if stale && *file > 1 && *len > old {
                            let older = image.files[file - 1].clone();
                            let end = older.len().min(*len);
                            if old < end {
                                image.files[*file][old..end].copy_from_slice(&older[old..end]);
                            }
                        }
                    }
                }
                other => {
                    if chance.below(16) < odds {
                        image.apply(other);
                    }
                }
            }
        }
        Wreck { image, markable: self.history.base.markable }
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

impl Disk {
    /// Performs and logs an operation.
    fn perform(&mut self, operation: Operation) {
        self.seen.apply(&operation);
        self.log.push(operation);
    }

    /// Whether the call that is being made fails.
    fn fails(&mut self) -> bool {
        let fails = self.fault == Fault::At(self.attempts);
        self.attempts += 1;
        if fails {
            self.failed = true;
            if self.sabotage == Some(Sabotage::RemoveJournalOnError) {
                self.perform(Operation::Remove);
                self.log.push(Operation::SyncDirectory);
            }
        }
        fails
    }

    fn write(&mut self, file: FileNumber, bytes: &[u8], offset: usize) {
        let contents = self.seen.file(file);
        let end = offset + bytes.len();
        let longer = end > contents.len();
        if longer {
            contents.resize(end, 0);
        }
        contents[offset..end].copy_from_slice(bytes);
        // Whole sectors, as the disk writes them; the end of the file cuts the last one short.
        let first = offset / SECTOR;
        let last = end.next_multiple_of(SECTOR).min(contents.len());
        let bytes = contents[first * SECTOR..last].to_vec();
        if longer {
            self.log.push(Operation::SetLen { file, len: end });
        }
        self.log.push(Operation::Write { file, first, bytes });
    }
}

impl SimulatedFile {
    fn sync(&self, all: bool) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        let committing = disk.seen.mark.is_some();
        let forgotten = match disk.sabotage {
            Some(Sabotage::NoInitialSync) => self.file == 0 && all && committing,
            Some(Sabotage::NoFinalSync) => self.file == 0 && all && !committing,
            Some(Sabotage::NoStepSync) => self.file == 0 && !all,
            Some(Sabotage::NoPreparedSync) => self.file != 0 && all,
            Some(Sabotage::NoRecordSync) => self.file != 0 && !all,
            _ => false,
        };
        if forgotten {
            return Ok(());
        }
        if disk.fails() {
            let seed = disk.attempts as u64;
            disk.log.push(Operation::SyncFailed { file: self.file, seed });
            if disk.sabotage != Some(Sabotage::RetryFailedSync) {
                return Err(io::Error::other("injected failure"));
            }
        }
        disk.log.push(Operation::Sync { file: self.file, all });
        Ok(())
    }
}

impl StorageFile for SimulatedFile {
    fn inode(&self) -> io::Result<InodeIdentity> {
        Ok(InodeIdentity { inode: self.file as u64, birth: 1 })
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.borrow_mut().seen.file(self.file).len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        let contents = disk.seen.file(self.file);
        let start = offset as usize;
        let part = contents.get(start..start + buffer.len());
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut disk = self.disk.borrow_mut();
        let offset = offset as usize;
        if disk.fails() {
            // A short write.
            let written = bytes.len() / 2;
            if written > 0 && disk.seen.journal.is_some() {
                disk.write(self.file, &bytes[..written], offset);
            }
            return Err(io::Error::other("injected failure"));
        }
        if self.file == 0 && disk.sabotage == Some(Sabotage::PartialBlocks) {
            let contents = disk.seen.file(0);
            let old = contents.get(offset..offset + bytes.len());
            let changed: Option<Range<usize>> = old.map(|old| {
                let first =
                    old.iter().zip(bytes).position(|(old, new)| old != new).unwrap_or(bytes.len());
                let last = old
                    .iter()
                    .zip(bytes)
                    .rposition(|(old, new)| old != new)
                    .map_or(first, |last| last + 1);
                first..last
            });
            if let Some(changed) = changed {
                if !changed.is_empty() {
                    disk.write(0, &bytes[changed.clone()], offset + changed.start);
                }
                return Ok(());
            }
        }
        disk.write(self.file, bytes, offset);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        if disk.fails() {
            return Err(io::Error::other("injected failure"));
        }
        disk.perform(Operation::SetLen { file: self.file, len: len as usize });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(false)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(true)
    }

    fn forget_cached(&self) {
        let mut disk = self.disk.borrow_mut();
        // Only after a failure can the disk hold anything else than what is seen.
        if disk.failed {
            let base = Wreck { image: disk.base.clone(), markable: disk.markable };
            let history = History { base, log: disk.log.clone() };
            let mut end = history.start();
            while end.advance() {}
            *disk.seen.file(self.file) = std::mem::take(end.durable.file(self.file));
        }
    }

    fn will_read(&self, _offset: u64, _len: u64) {}
}

impl Storage for SimulatedStorage {
    type File = SimulatedFile;

    fn target(&self) -> &SimulatedFile {
        &self.target
    }

    fn reserve(&self, _offset: u64, _len: u64) -> io::Result<()> {
        if self.disk.borrow_mut().fails() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn mark(&self) -> io::Result<Mark> {
        let disk = self.disk.borrow();
        Ok(match disk.seen.mark {
            _ if !disk.markable => Mark::Unsupported,
            None => Mark::Absent,
            Some(nonce) => Mark::Present(nonce),
        })
    }

    fn set_mark(&self, nonce: u64) -> io::Result<bool> {
        let mut disk = self.disk.borrow_mut();
        if disk.fails() {
            return Err(io::Error::other("injected failure"));
        }
        disk.perform(Operation::SetMark(Some(nonce)));
        Ok(disk.markable)
    }

    fn clear_mark(&self) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        if disk.fails() {
            return Err(io::Error::other("injected failure"));
        }
        if disk.seen.mark.is_some() {
            disk.perform(Operation::SetMark(None));
        }
        Ok(())
    }

    fn create_journal(&self) -> io::Result<SimulatedFile> {
        let mut disk = self.disk.borrow_mut();
        if disk.seen.journal.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if disk.fails() {
            return Err(io::Error::other("injected failure"));
        }
        let file = disk.next_file;
        disk.next_file += 1;
        disk.seen.file(file);
        disk.perform(Operation::Create(file));
        Ok(SimulatedFile { disk: Rc::clone(&self.disk), file })
    }

    fn open_journal(&self) -> io::Result<Option<SimulatedFile>> {
        let journal = self.disk.borrow().seen.journal;
        Ok(journal.map(|file| SimulatedFile { disk: Rc::clone(&self.disk), file }))
    }

    fn remove_journal(&self) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        if disk.fails() {
            return Err(io::Error::other("injected failure"));
        }
        disk.perform(Operation::Remove);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = self.disk.borrow_mut();
        let created = disk.seen.journal.is_some();
        let forgotten = match disk.sabotage {
            Some(Sabotage::NoDirectorySyncAfterCreate) => created,
            Some(Sabotage::NoDirectorySyncAfterRemove) => !created,
            _ => false,
        };
        if forgotten {
            return Ok(());
        }
        if disk.fails() {
            return Err(io::Error::other("injected failure"));
        }
        disk.log.push(Operation::SyncDirectory);
        Ok(())
    }
}
