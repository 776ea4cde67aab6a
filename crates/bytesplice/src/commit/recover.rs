//! What to do with a journal that a broken commit left. The cases:
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
//! | record k | not of the working length, the longer one | `Corrupt`: touch nothing |
//! | record k | checksums do not match, or k's slot is too short | `Corrupt`: touch nothing |
//! | record k | otherwise | do step k again, then the rest — new |
//!
//! Force serves restored copies: another inode (of the file or of the journal) is no obstacle then, though the mark of
//! another commit is, and a missing mark does not say that the commit was finished: lengths and checksums decide alone.
//!
//! Record k counts only together with the blocks that it saved; when these are torn, record k was not durable, step k
//! had not begun, and record k − 1 is the one to stand on. That step k had not begun is not taken on trust: the file must
//! still hold what was to be saved. The blocks saved by step 0 are durable before record 0.

use std::ops::Range;

use super::checksum::checksum;
use super::engine::{Engine, Prepared, total};
use super::failure::{Attempt, Failure, Object};
use super::journal::{self, Header, HeaderState, Record};
use super::plan::{Geometry, StepReads};
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use crate::storage::{Mark, Storage, StorageFile};

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
    /// Brings the file to wholly old or wholly new contents. With `force`, a journal of another inode is obeyed if its
    /// checksums fit the file: for restored copies.
    pub fn recover(&mut self, force: bool) -> Result<Recovery, Failure> {
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
            self.roll_back(header.old_len, header.new_len)?;
            return Ok(Recovery::RolledBack);
        };
        if farthest.step > header.step_count {
            return Err(Failure::Corrupt("a record is past its last step".into()));
        }
        let len = self.storage.target().len().attempt(Object::Target, "measure", 0, 0)?;
        if farthest.step == header.step_count {
            if (farthest.saved_crc, farthest.untouched_crc) != (0, 0) {
                return Err(Failure::Corrupt("its last record is the record of a step".into()));
            }
            if farthest.marked && mark == Mark::Absent && !force {
                // Taken off, but perhaps not durably yet.
                self.storage.target().sync_all().attempt(Object::Target, "sync", 0, len)?;
                self.drop_journal()?;
            } else if len == header.old_len || len == header.new_len {
                self.close(&header)?;
            } else {
                return Err(wrong_length_after_end(len, &header));
            }
            return Ok(Recovery::Completed);
        }
        if len != header.working_len() {
            return Err(wrong_length_in_between(len, &header));
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
        let geometry = Geometry {
            block: header.block,
            chunk: header.chunk,
            longest_step: header.longest_step,
            ..self.geometry
        };
        let layout = header
            .layout(geometry.page)
            .ok_or_else(|| Failure::Corrupt("the lengths in its header overflow".into()))?;
        let plan = journal::read_plan(&journal, &header, &layout, geometry)
            .attempt(Object::Journal, "read", layout.runs, layout.literals - layout.runs)?
            .map_err(Failure::Corrupt)?;
        let literals = layout.literals..layout.literals + header.literal_len;
        let crc = self.checksum(&journal, Object::Journal, std::slice::from_ref(&literals))?;
        if crc != header.literals_crc {
            return Err(Failure::Corrupt("the checksum of the new bytes does not match".into()));
        }

        let prepared = Prepared { journal, header, layout, plan: &plan, marked: records[0].marked };
        let (record, reads) = self.durable_record(&prepared, records)?;
        let target = self.storage.target();
        if self.checksum(target, Object::Target, &reads.untouched)? != record.untouched_crc {
            return Err(Failure::Corrupt(
                "the file does not hold what the broken step was reading".into(),
            ));
        }
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::RewriteRecord) {
            return self.run_steps(&prepared, record.step).and_then(|()| self.finish(&prepared));
        }
        self.write_step(&prepared, record.step, Some(&reads))?;
        self.run_steps(&prepared, record.step + 1)?;
        self.finish(&prepared)
    }

    /// The farthest record whose saved blocks are whole.
    fn durable_record(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        records: &[Record],
    ) -> Result<(Record, StepReads), Failure> {
        let farthest = records[0];
        for &record in records.iter().filter(|record| record.step + 1 >= farthest.step) {
            let step = prepared.plan.steps.get(record.step as usize);
            let step =
                step.ok_or_else(|| Failure::Corrupt("a record is past its last step".into()))?;
            let reads = prepared.plan.reads(step, prepared.header.block);
            let start = prepared.layout.saved[self.slot(record.step)];
            let saved = total(&reads.overwritten);
            if saved > prepared.header.slot_len {
                continue;
            }
            let in_slot = start..start + saved;
            let crc =
                self.checksum(&prepared.journal, Object::Journal, std::slice::from_ref(&in_slot))?;
            if crc == record.saved_crc {
                return Ok((record, reads));
            }
            let target = self.storage.target();
            if self.checksum(target, Object::Target, &reads.overwritten)? != record.saved_crc {
                // Not torn before step k began, but damaged after: what step k overwrote is lost.
                break;
            }
        }
        Err(Failure::Corrupt("the checksum of the blocks it saved does not match".into()))
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
        checksum(file, object, ranges, &mut self.buffer(total(ranges)), |_| Ok(()))
    }
}

fn wrong_length_after_end(len: u64, header: &Header) -> Failure {
    Failure::Corrupt(format!(
        "the file is {len} bytes long, which fits neither the old contents ({}) nor the new ({}): others changed it",
        header.old_len, header.new_len
    ))
}

fn wrong_length_in_between(len: u64, header: &Header) -> Failure {
    Failure::Corrupt(format!(
        "the file is {len} bytes long instead of {}, its length in the middle of this commit: others changed it",
        header.working_len()
    ))
}
