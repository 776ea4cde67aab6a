//! What to do with a journal that a broken commit left. The cases (`docs/format.md` has them in the order in which they are
//! looked at):
//!
//! | journal | file | recovery |
//! |---|---|---|
//! | none | not marked | nothing to do |
//! | none | marked | `JournalMissing`: touch nothing |
//! | header invalid | marked, or some record is valid of a commit that could not mark its inode | `Corrupt`: touch nothing |
//! | header invalid | otherwise | never armed: remove the journal — old; or no journal at all: `Corrupt`, touch nothing |
//! | header of another journal file | another inode, marked, or some record as above | `WrongFile`: touch nothing |
//! | header of another journal file | otherwise | never armed: remove the journal — old |
//! | other version, other inode, other mark | | `Version`, `WrongFile`: touch nothing |
//! | no record of its nonce, too short | marked, or grown | `Corrupt`: touch nothing |
//! | no record of its nonce | otherwise | never armed: restore length and mark, remove the journal — old |
//! | a record past END | | `Corrupt`: touch nothing |
//! | END with a checksum of saved or untouched blocks, so the record of a step | | `Corrupt`: touch nothing |
//! | END | unmarked, though the commit had marked it | was finished: remove the journal — new, or newer |
//! | END | otherwise, neither of old nor of new length | `Corrupt`: touch nothing |
//! | END | otherwise | set the length, take the mark off, remove the journal — new |
//! | record k of blocks | not of the working length, the longer one; but see below | `Corrupt`: touch nothing |
//! | record k of blocks | checksums do not match, or k's slot is too short | `Corrupt`: touch nothing |
//! | record k of a shift | no state that the shift goes through | `Corrupt`: touch nothing |
//! | record k | otherwise | do step k again, then the rest — new |
//!
//! The first step after opening shifts also finds the length that those left, and sets the working length. A snapshot is
//! written to a file of any length.
//!
//! To abort is the same up to the rows with a record. From there on only a snapshot before END goes back: it is shared with
//! the file again and the length is restored; once that is durable the records are erased, the mark is taken off and the
//! journal is removed — old. Cut short, recovery brings the new contents as long as the journal still says so. All else is
//! `PastCommitPoint`: touch nothing.
//!
//! Force serves restored copies: another inode (of the file or of the journal) is no obstacle then, though the mark of
//! another commit is, and a missing mark does not say that the commit was finished: lengths and checksums decide alone.
//!
//! Record k counts only together with the blocks, or the map, that it saved; when these are torn, record k was not durable,
//! step k had not begun, and record k − 1 is the one to stand on. That step k had not begun is not taken on trust: the file
//! must still hold what was to be saved, or have that map. What step 0 saved is durable before record 0. A snapshot was
//! durable before any record, and has no checksum.

use std::ops::Range;

use super::checksum::checksum;
use super::engine::{Engine, Prepared, total};
use super::failure::{Attempt, Failure, Object};
use super::journal::{self, Header, HeaderState, Layout, Record};
use super::plan::Geometry;
use super::program::{Program, ProgramStep};
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use super::saving::sampled;
use super::shift::{DataMap, Repair, Shift, ShiftKind};
use crate::storage::{Mark, Storage, StorageFile};

/// Which contents a broken commit is brought to, where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The new ones, once the commit point is passed. With `force` a journal of another inode is obeyed, if its checksums
    /// fit the file: for restored copies.
    Recover { force: bool },
    /// The old ones.
    Abort,
}

/// The step to begin with, as its record says.
struct Resume {
    record: Record,
    /// The map of data before that step, if it is a shift.
    map: DataMap,
    /// The old bytes that are in the slot of that step.
    saved: Vec<Range<u64>>,
}

/// What recovery found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// No commit had been cut short.
    Clean,
    /// The commit had not reached its commit point: the file holds the old contents.
    RolledBack,
    /// The commit was finished: the file holds the new contents.
    Completed,
}

impl<S: Storage> Engine<'_, S> {
    /// Brings the file to wholly old or wholly new contents.
    pub fn recover(&mut self, goal: Goal) -> Result<Recovery, Failure> {
        let force = goal == Goal::Recover { force: true };
        let mark = self.storage.mark().attempt(Object::Target, "read the mark of", 0, 0)?;
        let Some(journal) = self.storage.open_journal().attempt(Object::Journal, "open", 0, 0)?
        else {
            return match mark {
                Mark::Present(_) => Err(Failure::JournalMissing),
                Mark::Absent | Mark::Unsupported => Ok(Recovery::Clean),
            };
        };
        // After a failed sync the cache may hold what the disk never got, and call it clean.
        journal.sync_all().attempt(Object::Journal, "sync", 0, 0)?;
        journal.forget_cached();
        let page = self.geometry.page;
        let header = match Header::read(&journal, page).attempt(Object::Journal, "read", 0, page)? {
            HeaderState::Valid(header) => header,
            HeaderState::Elsewhere(header) if force => header,
            HeaderState::OtherVersion(version) => return Err(Failure::Version(version)),
            HeaderState::Elsewhere(header) => {
                self.check_identity(&header, mark, false)?;
                if self.may_be_armed(&journal, mark)? {
                    return Err(Failure::WrongFile("it is a copy of the journal".into()));
                }
                self.drop_journal()?;
                return Ok(Recovery::RolledBack);
            }
            HeaderState::Invalid => {
                if self.may_be_armed(&journal, mark)? {
                    return Err(Failure::Corrupt("its header is damaged".into()));
                }
                if !journal::may_be_unfinished(&journal, page).attempt(
                    Object::Journal,
                    "read",
                    0,
                    page,
                )? {
                    return Err(Failure::Corrupt("it is no journal".into()));
                }
                self.drop_journal()?;
                return Ok(Recovery::RolledBack);
            }
        };
        self.check_identity(&header, mark, force)?;

        let records = self.records(&journal, self.nonce_to_believe(&header))?;
        let Some(&farthest) = records.first() else {
            self.check_never_armed(&journal, &header, mark)?;
            self.roll_back(&header)?;
            return Ok(Recovery::RolledBack);
        };
        if farthest.step > header.step_count {
            return Err(Failure::Corrupt("a record is past its last step".into()));
        }
        if goal == Goal::Abort {
            return self.restore(&journal, &header, farthest);
        }
        if farthest.step == header.step_count {
            let len = self.storage.target().len().attempt(Object::Target, "measure", 0, 0)?;
            if (farthest.saved_crc, farthest.untouched_crc) != (0, 0) {
                return Err(Failure::Corrupt("its last record is the record of a step".into()));
            }
            if farthest.marked && mark == Mark::Absent && !force {
                // Taken off, but perhaps not durably yet.
                self.storage.target().sync_all().attempt(Object::Target, "sync", 0, len)?;
                self.drop_journal()?;
            } else if len == header.final_len || len == header.new_len {
                self.close(&header)?;
            } else {
                return Err(wrong_length_after_end(len, &header));
            }
            return Ok(Recovery::Completed);
        }
        self.finish_commit(journal, header, &records)?;
        Ok(Recovery::Completed)
    }

    /// Does the step of the farthest durable record again, and all later ones.
    fn finish_commit(
        &mut self,
        journal: S::File,
        header: Header,
        records: &[Record],
    ) -> Result<(), Failure> {
        let (program, layout) = self.read_program(&journal, &header)?;
        let literals = layout.literals..layout.literals + header.literal_len;
        let crc = self.checksum(&journal, Object::Journal, std::slice::from_ref(&literals))?;
        if crc != header.literals_crc {
            return Err(Failure::Corrupt("the checksum of the new bytes does not match".into()));
        }

        let marked = records[0].marked;
        let prepared = Prepared { journal, header, layout, program: &program, marked };
        let resume = self.resume(&prepared, records)?;
        let step = resume.record.step;
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::RewriteRecord) {
            let record = self.save(&prepared, step)?;
            return self.run_steps(&prepared, record).and_then(|()| self.finish(&prepared));
        }
        match program.step(step) {
            Some(ProgramStep::Shift { shift, len_before }) => {
                self.finish_shift(shift, &resume.map, len_before)?;
            }
            _ => {
                self.check_length(&prepared, step)?;
                self.write_step(&prepared, step, Some(&resume.saved))?;
                self.saver().sync_step(&prepared, step)?;
            }
        }
        if step + 1 < program.step_count() {
            let record = self.save(&prepared, step + 1)?;
            self.run_steps(&prepared, record)?;
        }
        self.finish(&prepared)
    }

    fn read_program(
        &self,
        journal: &S::File,
        header: &Header,
    ) -> Result<(Program, Layout), Failure> {
        let geometry = Geometry {
            block: header.block,
            chunk: header.chunk,
            longest_step: header.longest_step,
            ..self.geometry
        };
        let layout = header
            .layout(geometry.page)
            .ok_or_else(|| Failure::Corrupt("the lengths in its header overflow".into()))?;
        let program = journal::read_program(journal, header, &layout, geometry)
            .attempt(Object::Journal, "read", layout.runs, layout.literals - layout.runs)?
            .map_err(Failure::Corrupt)?;
        Ok((program, layout))
    }

    /// Where to begin: the farthest record whose slot is whole.
    fn resume(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        records: &[Record],
    ) -> Result<Resume, Failure> {
        let farthest = records[0];
        for &record in records.iter().filter(|record| record.step + 1 >= farthest.step) {
            let step = prepared.program.step(record.step);
            let step =
                step.ok_or_else(|| Failure::Corrupt("a record is past its last step".into()))?;
            let (resume, begun) = match step {
                ProgramStep::Shift { shift, .. } => self.resume_shift(prepared, record, shift)?,
                ProgramStep::Write(_) => self.resume_write(prepared, record)?,
            };
            if let Some(resume) = resume {
                return Ok(resume);
            }
            if begun {
                // Not torn before the step began, but damaged after: what it overwrote is lost.
                break;
            }
        }
        Err(Failure::Corrupt("the checksum of the blocks it saved does not match".into()))
    }

    /// The record, if its slot holds the map of data; and whether the shift has begun.
    fn resume_shift(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        record: Record,
        shift: Shift,
    ) -> Result<(Option<Resume>, bool), Failure> {
        let place = prepared.layout.saved[self.saver().slot(record.step)];
        let found = journal::read_map(&prepared.journal, place, prepared.header.slot_len);
        let found = found.attempt(Object::Journal, "read", place, prepared.header.slot_len)?;
        if let Some((map, crc)) = found
            && crc == record.saved_crc
        {
            return Ok((Some(Resume { record, map, saved: Vec::new() }), true));
        }
        let now = journal::encode_map(&self.saver().data_map(shift.offset)?);
        Ok((None, crc32fast::hash(&now) != record.saved_crc))
    }

    /// The record, if its slot holds the blocks that it saved; and whether its step has begun.
    fn resume_write(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        record: Record,
    ) -> Result<(Option<Resume>, bool), Failure> {
        let resume = |saved| Resume { record, map: DataMap::default(), saved };
        if prepared.program.snapshot {
            #[cfg(any(test, feature = "simulation"))]
            if self.geometry.sabotage == Some(Sabotage::SnapshotIgnored) {
                return Ok((Some(resume(Vec::new())), true));
            }
            let whole = std::iter::once(0..prepared.header.old_len).collect();
            return Ok((Some(resume(whole)), true));
        }
        let Some(ProgramStep::Write([step])) = prepared.program.step(record.step) else {
            return Ok((None, true));
        };
        let reads = prepared.program.plan.reads(step, prepared.header.block);
        let start = prepared.layout.saved[self.saver().slot(record.step)];
        let saved = total(&reads.overwritten);
        if saved > prepared.header.slot_len {
            return Ok((None, false));
        }
        let in_slot = start..start + saved;
        let crc =
            self.checksum(&prepared.journal, Object::Journal, std::slice::from_ref(&in_slot))?;
        let target = self.storage.target();
        if crc != record.saved_crc {
            let still_there = self.checksum(target, Object::Target, &reads.overwritten)?;
            return Ok((None, still_there != record.saved_crc));
        }
        let untouched = sampled(&reads.untouched);
        self.check_length(prepared, record.step)?;
        if self.checksum(target, Object::Target, &untouched)? != record.untouched_crc {
            return Err(Failure::Corrupt(
                "the file does not hold what the broken step was reading".into(),
            ));
        }
        Ok((Some(resume(reads.overwritten)), true))
    }

    /// Fails if others changed the length of the file while steps were being written.
    fn check_length(&self, prepared: &Prepared<'_, S::File>, step: u64) -> Result<(), Failure> {
        let program = prepared.program;
        let len = self.storage.target().len().attempt(Object::Target, "measure", 0, 0)?;
        let (base_len, working_len) = (program.base_len(), program.working_len());
        let filled_up = journal::end_of_block(base_len, prepared.header.block).min(working_len);
        let after_shifts = !program.opening.is_empty()
            && step == program.opening.len() as u64
            && [base_len, filled_up].contains(&len);
        // A snapshot can be written to a file of any length, as an abort leaves it.
        if len == working_len || after_shifts || program.snapshot {
            return Ok(());
        }
        Err(wrong_length_in_between(len, working_len))
    }

    /// Finishes a shift, however far it got.
    fn finish_shift(&self, shift: Shift, before: &DataMap, len_before: u64) -> Result<(), Failure> {
        let target = self.storage.target();
        let len = target.len().attempt(Object::Target, "measure", 0, 0)?;
        // What a failed call left is built upon: it must not be lost on its own. And only what is on the disk is data.
        target.sync_all().attempt(Object::Target, "sync", 0, len)?;
        let now = self.saver().data_map(shift.offset)?;
        let again = shift.kind == ShiftKind::Insert;
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::ShiftRepeated) {
            let _ = self.shift(shift);
            return target.sync_all().attempt(Object::Target, "sync", 0, len);
        }
        match shift.repair(before, len_before, &now, len) {
            Repair::Nothing => {}
            Repair::Perform => self.shift(shift)?,
            Repair::RemoveHole(offset) => {
                self.shift(Shift { kind: ShiftKind::Collapse, offset, ..shift })?;
                // The hole must be gone for good before another one opens.
                target.sync_all().attempt(Object::Target, "sync", 0, len)?;
                if again {
                    self.shift(shift)?;
                }
            }
            Repair::Cut(cut) => {
                target.set_len(cut).attempt(Object::Target, "shorten", cut, len - cut)?;
                target.sync_all().attempt(Object::Target, "sync", 0, len)?;
                if again {
                    self.shift(shift)?;
                }
            }
            Repair::Impossible => {
                return Err(Failure::Corrupt(format!(
                    "the file ({len} bytes) is in no state that a broken shift of {} bytes at {} leaves: others changed it",
                    shift.len, shift.offset
                )));
            }
        }
        target.sync_all().attempt(Object::Target, "sync", 0, len)
    }

    /// Takes a commit back after its commit point: only a snapshot still has all old contents.
    fn restore(
        &mut self,
        journal: &S::File,
        header: &Header,
        farthest: Record,
    ) -> Result<Recovery, Failure> {
        if !header.snapshot || farthest.step >= header.step_count {
            return Err(Failure::PastCommitPoint);
        }
        let (program, layout) = self.read_program(journal, header)?;
        let (target, old_len, start) = (self.storage.target(), header.old_len, layout.saved[0]);
        // Only what the commit writes: should this be cut short, recovery writes just that, and brings the new contents.
        for range in program.plan.dirty_ranges() {
            let blocks = |offset: u64| offset.min(old_len).next_multiple_of(header.block);
            let range = range.start..blocks(range.end);
            if range.is_empty() {
                continue;
            }
            target.share(journal, start + range.start..start + range.end, range.start).attempt(
                Object::Target,
                "share blocks with the journal of",
                range.start,
                range.end - range.start,
            )?;
        }
        target.set_len(old_len).attempt(Object::Target, "set the length of", 0, old_len)?;
        self.erase_records(journal, old_len)?;
        self.roll_back(header)?;
        Ok(Recovery::RolledBack)
    }

    /// From here on the journal says old, once that is durable in the file. Should its removal fail to reach the disk, what
    /// comes back must not bring the new contents over later edits.
    fn erase_records(&self, journal: &S::File, old_len: u64) -> Result<(), Failure> {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::AbortKeepsRecords) {
            return Ok(());
        }
        if !self.erases_early() {
            self.storage.target().sync_all().attempt(Object::Target, "sync", 0, old_len)?;
        }
        let page = self.geometry.page;
        Record::erase_all(journal, page).attempt(Object::Journal, "write", page, 2 * page)?;
        journal.sync_data().attempt(Object::Journal, "sync", page, 2 * page)
    }

    fn erases_early(&self) -> bool {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::NoSyncBeforeRecordsGo) {
            return true;
        }
        false
    }

    /// Whether a journal without a header of its own may be needed: a commit marks its inode or, where that fails, says
    /// so in its records.
    fn may_be_armed(&self, journal: &S::File, mark: Mark) -> Result<bool, Failure> {
        Ok(match mark {
            Mark::Present(_) => true,
            Mark::Absent => self.records(journal, None)?.iter().any(|record| !record.marked),
            Mark::Unsupported => !self.records(journal, None)?.is_empty(),
        })
    }

    /// Fails if the records may be missing because the journal was cut: it was whole and durable before the inode was
    /// marked or the file grew.
    fn check_never_armed(
        &self,
        journal: &S::File,
        header: &Header,
        mark: Mark,
    ) -> Result<(), Failure> {
        let found = journal.len().attempt(Object::Journal, "measure", 0, 0)?;
        let len = self.storage.target().len().attempt(Object::Target, "measure", 0, 0)?;
        let prepared = matches!(mark, Mark::Present(_)) || len > header.old_len;
        match header.layout(self.geometry.page) {
            Some(layout) if found >= layout.len || !prepared => Ok(()),
            Some(layout) => {
                Err(Failure::Corrupt(format!("it is {found} bytes long instead of {}", layout.len)))
            }
            None => Err(Failure::Corrupt("the lengths in its header overflow".into())),
        }
    }

    fn check_identity(&self, header: &Header, mark: Mark, force: bool) -> Result<(), Failure> {
        let inode = self.storage.target().inode().attempt(Object::Target, "identify", 0, 0)?;
        if inode != header.inode && !force {
            return Err(Failure::WrongFile(format!(
                "it was written for inode {}, this file is inode {}{}",
                header.inode.inode,
                inode.inode,
                if inode.inode == header.inode.inode { ", made later" } else { "" }
            )));
        }
        match mark {
            Mark::Present(nonce) if nonce != header.nonce => {
                Err(Failure::WrongFile("the file is marked by another commit".into()))
            }
            _ => Ok(()),
        }
    }

    fn records(&self, journal: &S::File, nonce: Option<u64>) -> Result<Vec<Record>, Failure> {
        let page = self.geometry.page;
        Record::read_all(journal, nonce, page).attempt(Object::Journal, "read", page, 2 * page)
    }

    fn nonce_to_believe(&self, header: &Header) -> Option<u64> {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::NoNonce) {
            return None;
        }
        Some(header.nonce)
    }

    /// Checksum of ranges of the target or the journal.
    fn checksum(
        &self,
        file: &S::File,
        object: Object,
        ranges: &[Range<u64>],
    ) -> Result<u32, Failure> {
        checksum(file, object, ranges, &mut self.saver().buffer(total(ranges)), |_| Ok(()))
    }
}

fn wrong_length_after_end(len: u64, header: &Header) -> Failure {
    Failure::Corrupt(format!(
        "the file is {len} bytes long, which fits neither the old contents ({}) nor the new ({}): others changed it",
        header.old_len, header.new_len
    ))
}

fn wrong_length_in_between(len: u64, working_len: u64) -> Failure {
    Failure::Corrupt(format!(
        "the file is {len} bytes long instead of {working_len}, its length in the middle of this commit: others changed it"
    ))
}
