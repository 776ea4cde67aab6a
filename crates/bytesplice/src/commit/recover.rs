//! What to do with a journal that a broken commit left. `docs/format.md` has the table of cases, in the order in which this file
//! looks at them. In short:
//!
//! - No journal: the file is clean, or, if its inode is marked, `JournalMissing`.
//! - A journal that cannot be this file's, or is damaged, or a file that is not the one that the commit left: an error, and
//!   nothing is touched.
//! - A journal without a record: the commit point was not reached, and the commit is taken back (`commit/roll_back.rs`).
//! - Record k: step k is done again, then the rest, and the file holds the new contents.
//! - END, or a record behind it: the rest of the commit is done (`commit/closing.rs`).
//!
//! A record that says that the inode is marked is obeyed on a marked inode only. The mark is durable before the first record and
//! goes after END: an inode without it has only the number of the one that was interrupted, or the commit was finished.
//!
//! The samples of a record (`commit/samples.rs`) and the bytes that its step reads tell whether the file is the one that the
//! commit left. It may be longer: others may have appended to it.
//!
//! The first step after opening shifts also finds the length that those left, and sets the working length. A snapshot is
//! written to a file of any length.
//!
//! To abort is the same as long as there is no record. From then on only a snapshot before END goes back: it is shared with
//! the file again and the length is restored; once that is durable the records are erased, the mark is taken off and the
//! journal is removed — old. Cut short, recovery brings the new contents as long as the journal still says so. All else is
//! `PastCommitPoint`: touch nothing.
//!
//! Force serves restored copies of a file and its journal: a journal that is a copy is obeyed for another inode, though not for one
//! with the mark of another commit, and a missing mark does not say that the commit was finished. A journal in its own inode is
//! obeyed for the inode that it names only.
//!
//! Record k counts only together with the blocks, or the map, that it saved; when these are torn, record k was not durable,
//! step k had not begun, and record k − 1 is the one to stand on. That step k had not begun is not taken on trust: the file
//! must still hold what was to be saved, or have that map. What step 0 saved is durable before record 0. A snapshot was
//! durable before any record, and has no checksum.

use std::ops::Range;

use super::checksum::checksum;
use super::engine::{Armed, Engine, Prepared, Verification, total};
use super::failure::{Attempt, Failure, Object, Stage};
use super::journal::header::{Header, HeaderState};
use super::journal::record::{ROLL_BACK, Record};
use super::journal::{self, VERSION_1};
use super::plan::Geometry;
use super::program::{Program, ProgramStep};
use super::roll_back::Slipped;
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use super::samples::Samples;
use super::saving::sampled;
use super::shift::{DataMap, Repair, Shift, ShiftKind, Tail};
use crate::Mismatch;
use crate::storage::{Mark, Storage, StorageFile};

/// Which contents a broken commit is brought to, where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The new ones, once the commit point is passed. With `force` the copy of a journal is obeyed, if its checksums fit the
    /// file: for restored copies.
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
        // That a commit was begun is not known yet.
        let unknown = |failure: Failure| failure.at(Stage::Unchanged);
        let mark = self.storage.mark().attempt(Object::Target, "read the mark of", 0, 0);
        let mark = mark.map_err(unknown)?;
        let journal = self.storage.open_journal().attempt(Object::Journal, "open", 0, 0);
        let Some(journal) = journal.map_err(unknown)? else {
            return match mark {
                Mark::Present(_) => Err(Failure::JournalMissing),
                Mark::Absent | Mark::Unsupported => Ok(Recovery::Clean),
            };
        };
        // After a failed sync the cache may hold what the disk never got, and call it clean.
        journal.sync_all().attempt(Object::Journal, "sync", 0, 0)?;
        journal.forget_cached();
        let page = self.geometry.page;
        self.saver().verify_journal(&journal, std::slice::from_ref(&(0..4 * page)))?;
        if self.verification != Verification::None {
            self.storage.target().note_writes();
        }
        let state = Header::read(&journal, page).attempt(Object::Journal, "read", 0, page)?;
        // A journal in its own inode is obeyed for the inode that it names only: that file may still be there.
        let forced = force && matches!(state, HeaderState::Elsewhere(_));
        let header = match state {
            HeaderState::Valid(header) => {
                self.check_identity(&header, mark, Original::Journal)?;
                header
            }
            HeaderState::Elsewhere(header) if forced => {
                check_mark(&header, mark)?;
                header
            }
            HeaderState::OtherVersion(version) => return Err(Failure::Version(version)),
            HeaderState::OtherKind(kind) => {
                return Err(Failure::Corrupt(format!(
                    "it is of the kind {kind}, which a later program wrote"
                )));
            }
            HeaderState::Elsewhere(header) => {
                self.check_identity(&header, mark, Original::Neither)?;
                if self.may_be_armed(&journal, mark)? {
                    let detail = "it is a copy of the journal".into();
                    return Err(Failure::WrongFile(Mismatch::CopiedJournal, detail));
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
        let records = self.records(&journal, self.nonce_to_believe(&header))?;
        let Some(&farthest) = records.first() else {
            let armed = self.armed(journal, header, matches!(mark, Mark::Present(_)))?;
            self.check_never_armed(&armed, mark)?;
            self.roll_back(&armed, Slipped::No)?;
            return Ok(Recovery::RolledBack);
        };
        if farthest.step >= ROLL_BACK && header.version != VERSION_1 {
            let armed = self.armed(journal, header, farthest.marked)?;
            self.resume_closing(&armed, farthest)?;
            return Ok(Recovery::RolledBack);
        }
        let closing = farthest.step >= header.step_count;
        if farthest.step > header.step_count && header.version == VERSION_1 {
            return Err(Failure::Corrupt("a record is past its last step".into()));
        }
        let unmarked = farthest.marked && !matches!(mark, Mark::Present(_)) && !forced;
        if unmarked && !closing {
            // An inode that was marked is never found unmarked in the middle: this one only has its number.
            return Err(Failure::WrongFile(
                Mismatch::Unmarked,
                "it was written for a file that was marked, and this one is not: a new file that got the inode number of \
                 that one, or a file that lost its mark"
                    .into(),
            ));
        }
        if goal == Goal::Abort {
            return self.restore(journal, header, farthest);
        }
        if unmarked {
            // Taken off, but perhaps not durably yet.
            self.storage.target().sync_all().attempt(Object::Target, "sync", 0, 0)?;
            self.drop_journal()?;
            return Ok(Recovery::Completed);
        }
        let armed = self.armed(journal, header, farthest.marked)?;
        self.finish_commit(armed, &records)?;
        Ok(Recovery::Completed)
    }

    fn armed(
        &self,
        journal: S::File,
        header: Header,
        marked: bool,
    ) -> Result<Armed<S::File>, Failure> {
        let layout = header
            .layout(self.geometry.page)
            .ok_or_else(|| Failure::Corrupt("the lengths in its header overflow".into()))?;
        // All that recovery reads, but the snapshot, which is as long as the file.
        let slots = if header.snapshot { 0 } else { header.slot_len };
        let parts = [
            layout.runs..layout.literals + header.literal_len,
            layout.saved[0]..layout.saved[0] + slots,
            layout.saved[1]..layout.saved[1] + slots,
        ];
        self.saver().verify_journal(&journal, &parts)?;
        Ok(Armed { journal, header, layout, marked })
    }

    /// Does the step of the farthest durable record again, and all later ones.
    fn finish_commit(&mut self, armed: Armed<S::File>, records: &[Record]) -> Result<(), Failure> {
        let program = self.read_program(&armed)?;
        let prepared = Prepared { armed, program: &program };
        if records[0].step >= prepared.header.step_count {
            self.check_samples(&prepared, records[0])?;
            return self.resume_closing(&prepared.armed, records[0]);
        }
        self.check_literals(&prepared)?;
        let resume = self.resume(&prepared, records)?;
        let step = resume.record.step;
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::RewriteRecord) {
            let record = self.save(&prepared, step)?;
            return self.run_steps(&prepared, record).and_then(|()| self.finish(&prepared));
        }
        match program.step(step) {
            Some(ProgramStep::Shift { shift, len_before }) => {
                self.finish_shift(&prepared, &resume, shift, len_before)?;
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

    fn check_literals(&self, armed: &Armed<S::File>) -> Result<(), Failure> {
        let Armed { journal, header, layout, .. } = armed;
        let literals = layout.literals..layout.literals + header.literal_len;
        let crc = self.checksum(journal, Object::Journal, std::slice::from_ref(&literals))?;
        if crc == header.literals_crc {
            return Ok(());
        }
        Err(Failure::Corrupt("the checksum of the new bytes does not match".into()))
    }

    /// Fails if the file is not the one that the commit left, such as a backup that was copied into its inode.
    fn check_samples(
        &self,
        prepared: &Prepared<'_, S::File>,
        record: Record,
    ) -> Result<(), Failure> {
        if self.believes_any_file(&prepared.header) {
            return Ok(());
        }
        let (written_crc, ends_crc) =
            self.saver().sample(prepared, record.step.min(prepared.header.step_count))?;
        let differs = match (written_crc == record.written_crc, ends_crc == record.ends_crc) {
            (true, true) => return Ok(()),
            (false, _) => "it does not hold what the commit had written",
            (true, false) => "its beginning or its end differs",
        };
        Err(Failure::ChangedSinceCrash(differs.into()))
    }

    fn believes_any_file(&self, header: &Header) -> bool {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::SamplesIgnored) {
            return true;
        }
        header.version == VERSION_1
    }

    fn read_program(&self, armed: &Armed<S::File>) -> Result<Program, Failure> {
        let Armed { journal, header, layout, .. } = armed;
        let geometry = Geometry {
            block: header.block,
            chunk: header.chunk,
            longest_step: header.longest_step,
            ..self.geometry
        };
        journal::program::read(journal, header, layout, geometry)
            .attempt(Object::Journal, "read", layout.runs, layout.literals - layout.runs)?
            .map_err(Failure::Corrupt)
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
                if matches!(step, ProgramStep::Write(_)) {
                    self.check_samples(prepared, record)?;
                }
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
        let found = journal::map::read(&prepared.journal, place, prepared.header.slot_len);
        let found = found.attempt(Object::Journal, "read", place, prepared.header.slot_len)?;
        if let Some((map, crc)) = found
            && crc == record.saved_crc
        {
            return Ok((Some(Resume { record, map, saved: Vec::new() }), true));
        }
        let now = journal::map::encode(&self.saver().data_map(shift.offset)?);
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
            return Err(Failure::ChangedSinceCrash(
                "it does not hold what the broken step was reading".into(),
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
        // Others may have appended.
        if len >= working_len || after_shifts || program.snapshot {
            return Ok(());
        }
        Err(wrong_length_in_between(len, working_len))
    }

    /// Finishes a shift, however far it got.
    fn finish_shift(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        resume: &Resume,
        shift: Shift,
        len_before: u64,
    ) -> Result<(), Failure> {
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
        let tail = self.find_tail(prepared, resume.record, shift, len)?;
        let mut repair =
            shift.repair(&resume.map, len_before, &now, len, tail, prepared.header.block);
        if let Repair::CutZeros(cut) = repair {
            let appended = target
                .end_of_data(cut..len)
                .attempt(Object::Target, "read", cut, len - cut)?
                .is_some();
            repair = if appended { Repair::Perform } else { Repair::Cut(cut) };
        }
        match repair {
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
            Repair::Cut(cut) | Repair::CutZeros(cut) => {
                if !self.storage.cut(len, cut).attempt(Object::Target, "shorten", cut, len - cut)? {
                    return Err(in_no_state(len, shift));
                }
                target.sync_all().attempt(Object::Target, "sync", 0, len)?;
                if again {
                    self.shift(shift)?;
                }
            }
            Repair::Impossible => return Err(in_no_state(len, shift)),
        }
        target.sync_all().attempt(Object::Target, "sync", 0, len)
    }

    /// Looks for the bytes that a shift moves. Fails if the file is not the one that the commit left.
    fn find_tail(
        &self,
        prepared: &Prepared<'_, S::File>,
        record: Record,
        shift: Shift,
        len: u64,
    ) -> Result<Tail, Failure> {
        if self.believes_any_file(&prepared.header) {
            return Ok(Tail { in_place: true, moved: true });
        }
        let geometry = Geometry { block: prepared.header.block, ..self.geometry };
        let Samples { written, ends } = Samples::of(prepared.program, record.step, geometry);
        let crc_of = |ranges: &[Range<u64>]| {
            if ranges.last().is_some_and(|last| last.end > len) {
                return Ok(None);
            }
            self.checksum(self.storage.target(), Object::Target, ranges).map(Some)
        };
        if crc_of(&ends)? != Some(record.ends_crc) {
            return Err(Failure::ChangedSinceCrash("its beginning differs".into()));
        }
        let place = |offset: u64| match shift.kind {
            ShiftKind::Insert => offset + shift.len,
            ShiftKind::Collapse => offset - shift.len,
        };
        let there: Vec<_> = written.iter().map(|it| place(it.start)..place(it.end)).collect();
        Ok(Tail {
            in_place: crc_of(&written)? == Some(record.written_crc),
            moved: crc_of(&there)? == Some(record.written_crc),
        })
    }

    /// Takes a commit back after its commit point: only a snapshot still has all old contents.
    fn restore(
        &mut self,
        journal: S::File,
        header: Header,
        farthest: Record,
    ) -> Result<Recovery, Failure> {
        if !header.snapshot || farthest.step >= header.step_count {
            return Err(Failure::PastCommitPoint);
        }
        let armed = self.armed(journal, header, farthest.marked)?;
        let program = self.read_program(&armed)?;
        let Armed { journal, header, layout, .. } = &armed;
        let (target, old_len, start) = (self.storage.target(), header.old_len, layout.saved[0]);
        let len = target.len().attempt(Object::Target, "measure", 0, 0)?;
        if len > header.working_len {
            // Others appended to the new contents.
            return Err(Failure::PastCommitPoint);
        }
        let outcome = if len > old_len {
            self.storage.cut(len, old_len)
        } else {
            target.set_len(old_len).map(|()| true)
        };
        if !outcome.attempt(Object::Target, "set the length of", 0, old_len)? {
            return Err(Failure::PastCommitPoint);
        }
        // Only what the commit writes: should this be cut short, recovery writes just that, and brings the new contents. The
        // rest of the last block is copied: shared, it would make the file longer than it ever was.
        let whole = old_len / header.block * header.block;
        for range in program.plan.dirty_ranges() {
            let shared = range.start..range.end.next_multiple_of(header.block).min(whole);
            if !shared.is_empty() {
                target
                    .share(journal, start + shared.start..start + shared.end, shared.start)
                    .attempt(
                        Object::Target,
                        "share blocks with the journal of",
                        shared.start,
                        shared.end - shared.start,
                    )?;
            }
            if range.end > whole && range.start < old_len {
                let mut rest = vec![0; (old_len - whole) as usize];
                let len = rest.len() as u64;
                let read = journal.read_exact_at(&mut rest, start + whole);
                read.attempt(Object::Journal, "read", start + whole, len)?;
                let written = target.write_all_at(&rest, whole);
                written.attempt(Object::Target, "write", whole, len)?;
            }
        }
        self.erase_records(journal, old_len)?;
        self.roll_back(&armed, Slipped::No)?;
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
            self.saver().verify_written(std::slice::from_ref(&(0..old_len)))?;
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
    fn check_never_armed(&self, armed: &Armed<S::File>, mark: Mark) -> Result<(), Failure> {
        let found = armed.journal.len().attempt(Object::Journal, "measure", 0, 0)?;
        let len = armed.layout.len;
        if found >= len
            || match mark {
                Mark::Present(_) => false,
                // The mark was durable before any record was.
                Mark::Absent => true,
                Mark::Unsupported => !self.has_grown(armed)?,
            }
        {
            return Ok(());
        }
        Err(Failure::Corrupt(format!("it is {found} bytes long instead of {len}")))
    }

    fn check_identity(
        &self,
        header: &Header,
        mark: Mark,
        original: Original,
    ) -> Result<(), Failure> {
        check_mark(header, mark)?;
        let inode = self.storage.target().inode().attempt(Object::Target, "identify", 0, 0)?;
        if inode == header.inode {
            return Ok(());
        }
        let (named, here) = (header.inode.inode, inode.inode);
        let later = if named == here { ", made later" } else { "" };
        let inodes = format!("it was written for inode {named}, this file is inode {here}{later}");
        Err(match (original, mark) {
            (Original::Neither, _) => {
                Failure::WrongFile(Mismatch::CopiedJournal, format!("{inodes}; it is a copy"))
            }
            (Original::Journal, Mark::Present(_)) => Failure::WrongFile(
                Mismatch::CopiedFile,
                format!("{inodes}, a copy of that file that was made in the middle of its commit"),
            ),
            (Original::Journal, _) => Failure::WrongFile(
                Mismatch::OtherFile,
                format!(
                    "{inodes}: another file has taken the place of that file, such as a backup"
                ),
            ),
        })
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

fn in_no_state(len: u64, shift: Shift) -> Failure {
    Failure::ChangedSinceCrash(format!(
        "it ({len} bytes) is in no state that a broken shift of {} bytes at {} leaves",
        shift.len, shift.offset
    ))
}

fn wrong_length_in_between(len: u64, working_len: u64) -> Failure {
    Failure::ChangedSinceCrash(format!(
        "it is {len} bytes long instead of {working_len}, its length in the middle of this commit"
    ))
}

/// What is in the inode in which a commit made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Original {
    /// The journal. Whether the file is, is to be found out.
    Journal,
    /// Neither of the two has to be.
    Neither,
}

/// Fails if the mark of the file names another commit.
fn check_mark(header: &Header, mark: Mark) -> Result<(), Failure> {
    match mark {
        Mark::Present(nonce) if nonce != header.nonce => Err(Failure::WrongFile(
            Mismatch::OtherCommit,
            "the file is marked by another commit".into(),
        )),
        _ => Ok(()),
    }
}
