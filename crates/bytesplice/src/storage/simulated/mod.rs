//! A disk that forgets: every operation is logged, and after a crash any subset of what was not synced is there.
//!
//! The model, sector by sector:
//! - a write, a length, a mark, the creation and the removal of the journal or of a replacement, and its renaming, are
//!   durable after the matching sync; before it each may or may not be, in any combination;
//! - a write of part of a sector writes the whole sector; the sector in flight may be torn: half new, or garbage;
//! - what was written past the durable end of a file is lost; a gap reads as zeros, in a new journal also as what an
//!   older one held there (where inodes can be marked);
//! - a file that grows may have got to the end of its last block only, by its length or by a shift;
//! - a shift of extents may be there wholly, not at all, or up to any extent; a punched hole wholly or not at all; blocks
//!   that are shared are as durable as if they were written;
//! - others may append to the target between any two calls, and sync it or not; they wait while the commit has a lease;
//! - blocks that were allocated and never written are holes until something of them is cached, and again after a crash;
//! - a sync that fails makes some of the writes durable and forgets the rest, and the next one succeeds.

mod appender;
mod chance;
mod contents;
mod history;
mod replacement;

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) use chance::Chance;
pub(crate) use contents::Contents;
pub(crate) use history::{CrashPoint, History, Wreck};
use history::{FileNumber, Image, Operation};
pub(crate) use replacement::SimulatedReplacement;

use super::{InodeIdentity, Mark, Storage, StorageFile};
use crate::commit::sabotage::Sabotage;
use crate::commit::shift::{Shift, ShiftKind};
pub(crate) use appender::{Appended, Appender};

/// Bytes per sector of the simulated disk.
pub(crate) const SECTOR: usize = 16;

/// A failure put in on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing fails.
    None,
    /// The call of this number fails.
    At(usize),
    /// All calls from this number on fail.
    From(usize),
    /// From this number on there is no room: calls that take some fail.
    Full(usize),
}

/// What a call asks of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// It may take room that was free.
    TakesRoom,
    /// It takes none.
    TakesNone,
}

impl Fault {
    /// One among the first `calls`, once or for good.
    pub fn random(calls: usize, chance: &mut Chance) -> Self {
        let number = chance.below(calls as u64) as usize;
        match chance.below(4) {
            0 | 1 => Self::At(number),
            2 => Self::From(number),
            _ => Self::Full(number),
        }
    }
}

#[derive(Debug)]
struct Disk {
    /// What was there at the boot.
    base: Image,
    /// What a process sees.
    seen: Image,
    log: Vec<Operation>,
    markable: bool,
    garbles: bool,
    sabotage: Option<Sabotage>,
    fault: Fault,
    attempts: usize,
    failed: bool,
    next_file: FileNumber,
    /// Another process that appends to the target.
    appender: Option<Appender>,
}

/// A target, its journal and their directory on one simulated disk.
#[derive(Debug)]
pub(crate) struct SimulatedStorage {
    disk: Arc<Mutex<Disk>>,
    target: SimulatedFile,
}

/// A handle on a file of a simulated disk.
#[derive(Debug)]
pub(crate) struct SimulatedFile {
    disk: Arc<Mutex<Disk>>,
    file: FileNumber,
}

impl SimulatedStorage {
    /// Starts the system on a disk.
    pub fn boot(wreck: &Wreck, sabotage: Option<Sabotage>, fault: Fault) -> Self {
        let disk = Arc::new(Mutex::new(Disk {
            next_file: wreck.image.files.len(),
            base: wreck.image.clone(),
            seen: wreck.image.clone(),
            log: Vec::with_capacity(64),
            markable: wreck.markable,
            garbles: wreck.garbles,
            sabotage,
            fault,
            attempts: 0,
            failed: false,
            appender: None,
        }));
        Self { target: SimulatedFile { disk: Arc::clone(&disk), file: wreck.image.target }, disk }
    }

    /// Lets another process append to the target from now on.
    pub fn appended_to_by(self, appender: Appender) -> Self {
        lock(&self.disk).appender = Some(appender);
        self
    }

    /// Ends the process that appends; gives what it appended.
    pub fn end_appender(&self) -> Appended {
        lock(&self.disk).appender.take().map(|appender| appender.appended).unwrap_or_default()
    }

    /// The same disk, with the file that has the target's name by now.
    pub fn reopened(&self) -> Self {
        let file = lock(&self.disk).seen.target;
        let target = SimulatedFile { disk: Arc::clone(&self.disk), file };
        Self { target, disk: Arc::clone(&self.disk) }
    }

    /// Number of operations logged so far.
    pub fn operations(&self) -> usize {
        lock(&self.disk).log.len()
    }

    /// Number of calls so far that could have failed.
    pub fn attempts(&self) -> usize {
        lock(&self.disk).attempts
    }

    /// Lets these calls, and no others, fail from now on.
    pub fn set_fault(&self, fault: Fault) {
        lock(&self.disk).fault = fault;
    }

    /// The disk as a process sees it, without a crash.
    pub fn seen(&self) -> Wreck {
        let disk = lock(&self.disk);
        disk.wreck(disk.seen.clone())
    }

    /// Everything that happened since the boot.
    pub fn history(&self) -> History {
        let disk = lock(&self.disk);
        History { base: disk.wreck(disk.base.clone()), log: disk.log.clone() }
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Disk {
    fn wreck(&self, image: Image) -> Wreck {
        Wreck { image, markable: self.markable, garbles: self.garbles }
    }

    /// Performs and logs an operation.
    fn perform(&mut self, operation: Operation) {
        self.seen.apply(&operation);
        self.log.push(operation);
    }

    fn target_len(&mut self) -> u64 {
        self.seen.file(self.seen.target).len() as u64
    }

    /// Counts a call, and fails if it is to fail. Others may append before it.
    fn attempt(&mut self, call: Call) -> io::Result<()> {
        self.let_others_append();
        let failure = match self.fault {
            Fault::At(number) if number == self.attempts => io::ErrorKind::Other,
            Fault::From(number) if number <= self.attempts => io::ErrorKind::Other,
            Fault::Full(number) if number <= self.attempts && call == Call::TakesRoom => {
                io::ErrorKind::StorageFull
            }
            _ => {
                self.attempts += 1;
                return Ok(());
            }
        };
        self.attempts += 1;
        self.failed = true;
        if self.sabotage == Some(Sabotage::RemoveJournalOnError) {
            self.perform(Operation::Remove);
            self.log.push(Operation::SyncDirectory);
        }
        Err(io::Error::new(failure, "injected failure"))
    }

    fn write(&mut self, file: FileNumber, bytes: &[u8], offset: usize) {
        let contents = self.seen.file(file);
        let end = offset + bytes.len();
        let longer = end > contents.len();
        if longer {
            contents.resize(end);
        }
        contents.fill_in(offset, end);
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
    /// Shifts extents of the target; a failure leaves some of them where they were.
    fn shift(&self, shift: Shift) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        let end = shift.offset + if shift.kind == ShiftKind::Collapse { shift.len } else { 0 };
        if self.file != disk.seen.target || end >= disk.seen.file(self.file).len() as u64 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let call = if shift.kind == ShiftKind::Insert { Call::TakesRoom } else { Call::TakesNone };
        let outcome = disk.attempt(call);
        let reached = outcome.is_err().then(|| disk.attempts as u64 * 0x9E37_79B9);
        disk.perform(Operation::Shift { shift, reached });
        outcome
    }

    fn sync(&self, all: bool) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        let committing = disk.seen.mark.is_some();
        let of_target = self.file == disk.seen.target;
        let of_replacement = Some(self.file) == disk.seen.replacement;
        let of_journal = !of_target && !of_replacement;
        let forgotten = match disk.sabotage {
            Some(Sabotage::NoInitialSync) => of_target && all && committing,
            Some(Sabotage::NoFinalSync) => of_target && all && !committing,
            Some(Sabotage::NoStepSync) => of_target && !all,
            Some(Sabotage::NoShiftSync) => {
                of_target && matches!(disk.log.last(), Some(Operation::Shift { .. }))
            }
            Some(Sabotage::NoPreparedSync) => of_journal && all,
            Some(Sabotage::NoRecordSync) => of_journal && !all,
            Some(Sabotage::RenameBeforeSync) => of_replacement,
            _ => false,
        };
        if forgotten {
            return Ok(());
        }
        if let Err(error) = disk.attempt(Call::TakesNone) {
            let seed = disk.attempts as u64;
            disk.log.push(Operation::SyncFailed { file: self.file, seed });
            if disk.sabotage != Some(Sabotage::RetryFailedSync) {
                return Err(error);
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
        Ok(lock(&self.disk).seen.file(self.file).len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        let contents = disk.seen.file(self.file);
        let start = offset as usize;
        contents.cache(start, start + buffer.len());
        let part = contents.get(start..start + buffer.len());
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut disk = lock(&self.disk);
        let offset = offset as usize;
        if let Err(error) = disk.attempt(Call::TakesRoom) {
            // A short write.
            let written = bytes.len() / 2;
            if written > 0 && (disk.seen.journal.is_some() || disk.seen.replacement.is_some()) {
                disk.write(self.file, &bytes[..written], offset);
            }
            return Err(error);
        }
        if self.file == disk.seen.target && disk.sabotage == Some(Sabotage::PartialBlocks) {
            let contents = disk.seen.file(self.file);
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
                    disk.write(self.file, &bytes[changed.clone()], offset + changed.start);
                }
                return Ok(());
            }
        }
        disk.write(self.file, bytes, offset);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.attempt(Call::TakesNone)?;
        disk.perform(Operation::SetLen { file: self.file, len: len as usize });
        Ok(())
    }

    fn insert_range(&self, offset: u64, len: u64) -> io::Result<()> {
        self.shift(Shift { kind: ShiftKind::Insert, offset, len })
    }

    fn collapse_range(&self, offset: u64, len: u64) -> io::Result<()> {
        self.shift(Shift { kind: ShiftKind::Collapse, offset, len })
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.attempt(Call::TakesNone)?;
        disk.perform(Operation::Punch { start: offset as usize, end: (offset + len) as usize });
        Ok(())
    }

    fn data_ranges(&self, start: u64) -> io::Result<Vec<Range<u64>>> {
        Ok(lock(&self.disk).seen.file(self.file).data_ranges(start))
    }

    fn share(&self, source: &Self, range: Range<u64>, offset: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.attempt(Call::TakesRoom)?;
        let bytes = disk.seen.file(source.file)[range.start as usize..range.end as usize].to_vec();
        disk.write(self.file, &bytes, offset as usize);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(false)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(true)
    }

    fn forget_cached(&self) {
        let mut disk = lock(&self.disk);
        // Only after a failure can the disk hold anything else than what is seen.
        if disk.failed {
            let base = disk.wreck(disk.base.clone());
            let history = History { base, log: disk.log.clone() };
            let mut end = history.start();
            while end.advance() {}
            *disk.seen.file(self.file) = std::mem::take(end.durable.file(self.file));
        }
    }

    fn start_writing(&self, _offset: u64, _len: u64) {}

    fn will_read(&self, _offset: u64, _len: u64) {}

    fn will_not_read(&self, _ranges: &[Range<u64>]) {}

    fn waits_for_disk(&self) -> bool {
        true
    }
}

impl Storage for SimulatedStorage {
    type File = SimulatedFile;

    fn both<A, B: Send>(
        &self,
        one: impl FnOnce() -> A,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        // One after the other, either way round.
        if lock(&self.disk).log.len().is_multiple_of(2) {
            let other = other();
            (one(), other)
        } else {
            (one(), other())
        }
    }

    fn target(&self) -> &SimulatedFile {
        &self.target
    }

    fn reserve(&self, _offset: u64, _len: u64) -> io::Result<()> {
        let outcome = lock(&self.disk).attempt(Call::TakesRoom);
        outcome.map_err(|_| io::ErrorKind::StorageFull.into())
    }

    fn grow(&self, from: u64, to: u64) -> io::Result<bool> {
        let mut disk = lock(&self.disk);
        disk.attempt(Call::TakesNone)?;
        let (file, len) = (self.target.file, disk.target_len());
        if len != from {
            return Ok(false);
        }
        if disk.is_held_open() {
            // As fallocate does it: never shorter, and what was appended after the look stays where it is.
            disk.let_others_append();
        }
        let len = disk.target_len();
        disk.perform(Operation::SetLen { file, len: (to.max(len)) as usize });
        Ok(len == from)
    }

    fn cut(&self, from: u64, to: u64) -> io::Result<bool> {
        let mut disk = lock(&self.disk);
        disk.attempt(Call::TakesNone)?;
        if disk.is_held_open() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let file = self.target.file;
        if disk.target_len() != from {
            return Ok(false);
        }
        disk.perform(Operation::SetLen { file, len: to as usize });
        // A lease keeps others from opening the file until the new length is durable.
        let waited = disk.keep_others_out();
        drop(disk);
        let synced = self.target.sync_all();
        lock(&self.disk).let_others_in(waited);
        synced.map(|()| true)
    }

    fn try_shift(&self, len: u64, block: u64, blocks: u64) -> io::Result<bool> {
        if lock(&self.disk).is_held_open() {
            return Ok(true);
        }
        let leased = lock(&self.disk).keep_others_out();
        let offset = len.next_multiple_of(block);
        let target = &self.target;
        let tried = if target.len()? == len {
            target
                .set_len(offset + blocks * block)
                .and_then(|()| target.insert_range(offset, block))
                .and_then(|()| target.collapse_range(offset, block))
                .and_then(|()| target.set_len(len))
                .map(|()| true)
        } else {
            Ok(false)
        };
        lock(&self.disk).let_others_in(leased);
        tried
    }

    fn mark(&self) -> io::Result<Mark> {
        let disk = lock(&self.disk);
        Ok(match disk.seen.mark {
            _ if !disk.markable => Mark::Unsupported,
            None => Mark::Absent,
            Some(nonce) => Mark::Present(nonce),
        })
    }

    fn set_mark(&self, nonce: u64) -> io::Result<bool> {
        let mut disk = lock(&self.disk);
        disk.attempt(Call::TakesRoom)?;
        disk.perform(Operation::SetMark(Some(nonce)));
        Ok(disk.markable)
    }

    fn clear_mark(&self) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.attempt(Call::TakesNone)?;
        if disk.seen.mark.is_some() {
            disk.perform(Operation::SetMark(None));
        }
        Ok(())
    }

    fn create_journal(&self) -> io::Result<SimulatedFile> {
        let mut disk = lock(&self.disk);
        if disk.seen.journal.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        disk.attempt(Call::TakesRoom)?;
        let file = disk.next_file;
        disk.next_file += 1;
        disk.seen.file(file);
        disk.perform(Operation::Create(file));
        Ok(SimulatedFile { disk: Arc::clone(&self.disk), file })
    }

    fn open_journal(&self) -> io::Result<Option<SimulatedFile>> {
        let journal = lock(&self.disk).seen.journal;
        Ok(journal.map(|file| SimulatedFile { disk: Arc::clone(&self.disk), file }))
    }

    fn remove_journal(&self) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.attempt(Call::TakesNone)?;
        disk.perform(Operation::Remove);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        let created = disk.seen.journal.is_some();
        let forgotten = match disk.sabotage {
            Some(Sabotage::NoDirectorySyncAfterCreate) => created,
            Some(Sabotage::NoDirectorySyncAfterRemove) => !created,
            _ => false,
        };
        if forgotten {
            return Ok(());
        }
        disk.attempt(Call::TakesNone)?;
        disk.log.push(Operation::SyncDirectory);
        Ok(())
    }
}
