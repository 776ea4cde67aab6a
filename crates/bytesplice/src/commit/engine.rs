//! The journaled protocol, for commits and for recoveries alike.
//!
//! ```text
//! 1  create the journal: header, runs, literals, saved blocks of step 0, room for those of step 1; sync it and its
//!    directory                                                            PREPARED: recovery rolls back
//! 2  reserve; mark the inode; growing: set the length; sync the target, others' dirty pages included
//! 3  for each step k: save the old blocks that it both reads and writes; write record k into slot k mod 2; sync the
//!    journal; write the blocks; sync the target                           record 0 durable = COMMIT POINT
//! 4  END, the record after the last step; sync the journal; shrinking: set the length, sync the target; take the
//!    mark off; sync the target
//! 5  unlink the journal; sync the directory
//! ```
//! Invariant: no block is overwritten while it is a source of a step at or after the durable record, unless its old
//! image is durable in that step's slot. Every step before the durable record is final and durable.
//!
//! Why two slots: while record k is written, record k − 1 is in the other slot, and its step is done and durable;
//! should record k be torn, doing step k − 1 again writes the same bytes.
//!
//! Why END always, and before the mark goes: a journal with END beside an unmarked inode belongs to a commit that
//! was finished, and whatever the file holds now is newer. It is removed and not obeyed.

use std::ops::Range;

use super::buffer::Buffer;
use super::checksum::checksum;
use super::failure::{Attempt, Failure, Object, Stage};
use super::journal::{self, Header, Layout, Record};
use super::payload::{JournaledLiterals, Literals, Payload, SavedBlocks};
use super::plan::{Geometry, Plan, StepReads};
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use crate::storage::{Storage, StorageFile};

/// Carries a plan out on a storage.
pub(crate) struct Engine<'a, S: Storage> {
    /// The target and its journal.
    pub storage: &'a S,
    /// The sizes to work with.
    pub geometry: Geometry,
    /// Told how many bytes were just written or saved.
    pub progress: &'a mut dyn FnMut(u64),
}

/// Asks whether the target and the sources are still what the plan was made for.
pub(crate) type Check<'a> = &'a mut dyn FnMut() -> crate::Result<()>;

/// A journal that is open and understood, with the plan that it is about.
pub(super) struct Prepared<'p, F> {
    pub journal: F,
    pub header: Header,
    pub layout: Layout,
    pub plan: &'p Plan,
    /// Whether the inode is marked.
    pub marked: bool,
}

impl<S: Storage> Engine<'_, S> {
    /// Commits the plan with a journal. When this returns, the new contents are durable and the journal is gone.
    pub fn commit(
        &mut self,
        plan: &Plan,
        literals: &impl Literals,
        nonce: u64,
        check: Check<'_>,
    ) -> Result<(), Failure> {
        check().map_err(|error| Failure::Changed(Box::new(error)))?;
        let journal = self
            .storage
            .create_journal()
            .attempt(Object::Journal, "create", 0, 0)
            .map_err(|failure| failure.at(Stage::Unchanged))?;
        let (mut prepared, first) = match self.prepare(journal, plan, literals, nonce, check) {
            Ok(prepared) => prepared,
            // The target was not touched.
            Err(failure) => return Err(after_cleaning(failure, self.drop_journal())),
        };
        if let Err(failure) = self.mark_and_grow(&mut prepared) {
            return Err(after_cleaning(failure, self.roll_back(plan.old_len, plan.new_len)));
        }

        // From here on a failure leaves the journal: only recovery knows whether the record became durable.
        if let Some(record) = first {
            self.write_record(&prepared, Record { marked: prepared.marked, ..record })?;
            self.write_step(&prepared, 0, None)?;
            self.run_steps(&prepared, 1)?;
        }
        self.finish(&prepared)
    }

    /// Step 1 of the protocol: nothing that the old contents need is touched.
    fn prepare<'p>(
        &mut self,
        journal: S::File,
        plan: &'p Plan,
        literals: &impl Literals,
        nonce: u64,
        check: Check<'_>,
    ) -> Result<(Prepared<'p, S::File>, Option<Record>), Failure> {
        #[allow(unused_mut, reason = "a sabotage changes it")]
        let mut prepared = self.write_journal(journal, plan, literals, nonce)?;
        let first =
            if plan.steps.is_empty() { None } else { Some(self.save_blocks(&prepared, 0)?) };
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::MarkBeforeJournal) {
            self.mark_and_grow(&mut prepared)?;
        }
        prepared.journal.sync_all().attempt(Object::Journal, "sync", 0, prepared.layout.len)?;
        self.storage.sync_directory().attempt(Object::Directory, "sync", 0, 0)?;
        // Writing the journal may have taken long.
        check().map_err(|error| Failure::Changed(Box::new(error)))?;
        Ok((prepared, first))
    }

    /// Writes everything that recovery will need, but no record.
    fn write_journal<'p>(
        &mut self,
        journal: S::File,
        plan: &'p Plan,
        literals: &impl Literals,
        nonce: u64,
    ) -> Result<Prepared<'p, S::File>, Failure> {
        let runs = journal::encode_runs(&plan.runs);
        let padding = runs.len().next_multiple_of(self.geometry.page as usize) - runs.len();
        let slot_len = plan.slot_len(self.geometry.block);
        let mut header = Header {
            nonce,
            inode: self.storage.target().inode().attempt(Object::Target, "identify", 0, 0)?,
            journal: Header::fold(journal.inode().attempt(Object::Journal, "identify", 0, 0)?),
            old_len: plan.old_len,
            new_len: plan.new_len,
            block: self.geometry.block,
            chunk: self.geometry.chunk,
            longest_step: self.geometry.longest_step,
            run_count: plan.runs.len() as u64,
            literal_len: plan.literal_len,
            slot_len,
            step_count: plan.steps.len() as u64,
            runs_crc: crc32fast::hash(&runs),
            literals_crc: 0,
        };
        let page = self.geometry.page;
        let Some(layout) = header.layout(page) else {
            return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge)).attempt(
                Object::Journal,
                "lengthen",
                0,
                plan.literal_len,
            );
        };
        // Written in advance to the last byte: the commit itself must not run out of space.
        let mut buffer = self.buffer(layout.len);
        let mut position = 0;
        while position < layout.runs {
            let zeros = &buffer[..page as usize];
            journal.write_all_at(zeros, position).attempt(
                Object::Journal,
                "write",
                position,
                page,
            )?;
            position += page;
        }
        journal.write_all_at(&runs, layout.runs).attempt(
            Object::Journal,
            "write",
            layout.runs,
            runs.len() as u64,
        )?;
        let padding = &buffer[..padding];
        journal.write_all_at(padding, layout.runs + runs.len() as u64).attempt(
            Object::Journal,
            "write",
            layout.runs,
            padding.len() as u64,
        )?;
        let mut crc = crc32fast::Hasher::new();
        let mut offset = 0;
        while offset < plan.literal_len {
            let len = (plan.literal_len - offset).min(buffer.len() as u64);
            let part = &mut buffer[..len as usize];
            literals.read_exact_at(part, offset).attempt(
                Object::Literals,
                "read new bytes",
                offset,
                len,
            )?;
            crc.update(part);
            let place = layout.literals + offset;
            journal.write_all_at(part, place).attempt(Object::Journal, "write", place, len)?;
            (self.progress)(len);
            offset += len;
        }
        header.literals_crc = crc.finalize();
        buffer.fill(0);
        let mut position = layout.literals + plan.literal_len;
        while position < layout.len {
            let len = (layout.len - position).min(buffer.len() as u64);
            journal.write_all_at(&buffer[..len as usize], position).attempt(
                Object::Journal,
                "write",
                position,
                len,
            )?;
            position += len;
        }
        header.write(&journal, page).attempt(Object::Journal, "write", 0, page)?;
        Ok(Prepared { journal, header, layout, plan, marked: false })
    }

    /// Marks the inode and gives the file its working length.
    fn mark_and_grow(&self, prepared: &mut Prepared<'_, S::File>) -> Result<(), Failure> {
        let plan = prepared.plan;
        let target = self.storage.target();
        prepared.marked = self.storage.set_mark(prepared.header.nonce).attempt(
            Object::Target,
            "mark the inode of",
            0,
            0,
        )?;
        for step in &plan.steps {
            for range in &step.ranges {
                let len = range.end - range.start;
                self.storage.reserve(range.start, len).attempt(
                    Object::Target,
                    "reserve space in",
                    range.start,
                    len,
                )?;
            }
        }
        if plan.new_len > plan.old_len && !self.grows_late() {
            target.set_len(plan.new_len).attempt(
                Object::Target,
                "lengthen",
                plan.old_len,
                plan.new_len - plan.old_len,
            )?;
        }
        target.sync_all().attempt(Object::Target, "sync", 0, plan.new_len)
    }

    /// Takes back what was prepared. The mark must be durably gone before the journal is.
    pub(super) fn roll_back(&self, old_len: u64, new_len: u64) -> Result<(), Failure> {
        let target = self.storage.target();
        let len = target.len().attempt(Object::Target, "measure", 0, 0)?;
        if new_len > old_len && (len == new_len || len == old_len) {
            // Also at the old length: what was reserved behind it is given back.
            target.set_len(old_len).attempt(
                Object::Target,
                "shorten",
                old_len,
                new_len - old_len,
            )?;
        }
        self.storage.clear_mark().attempt(Object::Target, "unmark the inode of", 0, 0)?;
        target.sync_all().attempt(Object::Target, "sync", 0, old_len)?;
        self.drop_journal()
    }

    /// Carries out the steps from `first` on.
    pub(super) fn run_steps(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        first: u64,
    ) -> Result<(), Failure> {
        for number in first..prepared.plan.steps.len() as u64 {
            let record = self.save_blocks(prepared, number)?;
            self.write_record(prepared, record)?;
            self.write_step(prepared, number, None)?;
        }
        Ok(())
    }

    /// Copies the old blocks that a step both reads and writes into its slot; gives the step's record.
    fn save_blocks(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
    ) -> Result<Record, Failure> {
        let step = &prepared.plan.steps[number as usize];
        let reads = prepared.plan.reads(step, prepared.header.block);
        for range in reads.untouched.iter().chain(&reads.overwritten) {
            self.storage.target().will_read(range.start, range.end - range.start);
        }
        let mut place = prepared.layout.saved[self.slot(number)];
        let mut buffer = self.buffer(total(&reads.overwritten).max(total(&reads.untouched)));
        let target = self.storage.target();
        let saves_nothing = self.saves_nothing();
        let saved_crc =
            checksum(target, Object::Target, &reads.overwritten, &mut buffer, |bytes| {
                let len = bytes.len() as u64;
                if !saves_nothing {
                    prepared.journal.write_all_at(bytes, place).attempt(
                        Object::Journal,
                        "write",
                        place,
                        len,
                    )?;
                }
                (self.progress)(len);
                place += len;
                Ok(())
            })?;
        let untouched_crc =
            checksum(target, Object::Target, &reads.untouched, &mut buffer, |_| Ok(()))?;
        Ok(Record { step: number, marked: prepared.marked, saved_crc, untouched_crc })
    }

    /// Makes the record durable, and with it everything that its step saved.
    pub(super) fn write_record(
        &self,
        prepared: &Prepared<'_, S::File>,
        record: Record,
    ) -> Result<(), Failure> {
        let page = self.geometry.page;
        record
            .write(&prepared.journal, prepared.header.nonce, self.slot(record.step), page)
            .attempt(Object::Journal, "write", page, page)?;
        prepared.journal.sync_data().attempt(Object::Journal, "sync", 0, prepared.layout.len)
    }

    /// Writes the blocks of a step and makes them durable. What a broken step may have overwritten already is read
    /// from the blocks that it `saved`.
    pub(super) fn write_step(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
        saved: Option<&StepReads>,
    ) -> Result<(), Failure> {
        let step = &prepared.plan.steps[number as usize];
        let literals =
            JournaledLiterals { journal: &prepared.journal, start: prepared.layout.literals };
        let payload = Payload {
            plan: prepared.plan,
            target: self.storage.target(),
            literals: &literals,
            saved: saved.map(|reads| SavedBlocks {
                journal: &prepared.journal,
                start: prepared.layout.saved[self.slot(number)],
                ranges: &reads.overwritten,
            }),
        };
        let mut buffer = self.buffer(total(&step.ranges));
        payload.write(step, &mut buffer, self.progress)?;
        self.storage.target().sync_data().attempt(Object::Target, "sync", 0, prepared.plan.new_len)
    }

    /// Step 4 and 5 of the protocol, after all blocks are written.
    pub(super) fn finish(&mut self, prepared: &Prepared<'_, S::File>) -> Result<(), Failure> {
        let end = Record {
            step: prepared.header.step_count,
            marked: prepared.marked,
            saved_crc: 0,
            untouched_crc: 0,
        };
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::TruncateBeforeEnd) {
            self.storage.target().set_len(prepared.header.new_len).attempt(
                Object::Target,
                "shorten",
                0,
                0,
            )?;
            self.storage.target().sync_all().attempt(Object::Target, "sync", 0, 0)?;
        }
        self.write_record(prepared, end)?;
        self.close(&prepared.header)
    }

    /// What is left to do after END is durable.
    pub(super) fn close(&self, header: &Header) -> Result<(), Failure> {
        let target = self.storage.target();
        if header.new_len < header.old_len {
            let (offset, len) = (header.new_len, header.old_len - header.new_len);
            target.set_len(offset).attempt(Object::Target, "shorten", offset, len)?;
            // Before the mark goes: END without a mark says that nothing is left to do.
            target.sync_all().attempt(Object::Target, "sync", 0, offset)?;
        }
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::JournalRemovedBeforeMark) {
            self.drop_journal()?;
            self.storage.clear_mark().attempt(Object::Target, "unmark the inode of", 0, 0)?;
            return target.sync_all().attempt(Object::Target, "sync", 0, header.new_len);
        }
        self.storage.clear_mark().attempt(Object::Target, "unmark the inode of", 0, 0)?;
        target.sync_all().attempt(Object::Target, "sync", 0, header.new_len)?;
        self.drop_journal().map_err(|failure| failure.at(Stage::Committed))
    }

    /// Removes the journal for good: without the sync an old journal could come back and undo later edits.
    pub(super) fn drop_journal(&self) -> Result<(), Failure> {
        self.storage.remove_journal().attempt(Object::Journal, "remove", 0, 0)?;
        self.storage.sync_directory().attempt(Object::Directory, "sync", 0, 0)
    }

    /// Zeros, as long as is useful for work on `len` bytes: whole blocks, at least a page, at most about the buffer size.
    pub(super) fn buffer(&self, len: u64) -> Buffer {
        let unit = self.geometry.page.next_multiple_of(self.geometry.block);
        let longest = self.geometry.buffer.next_multiple_of(unit);
        Buffer::new(len.next_multiple_of(unit).clamp(unit, longest) as usize)
    }

    /// The slot of a step.
    pub(super) fn slot(&self, step: u64) -> usize {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::OneSlot) {
            return 0;
        }
        (step % 2) as usize
    }

    fn grows_late(&self) -> bool {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::GrowLate) {
            return true;
        }
        false
    }

    fn saves_nothing(&self) -> bool {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::NoSavedBlocks) {
            return true;
        }
        false
    }
}

/// A failure before the commit point, after the attempt to leave no trace of it.
fn after_cleaning(failure: Failure, cleaned: Result<(), Failure>) -> Failure {
    match cleaned {
        Ok(()) => failure.at(Stage::Unchanged),
        Err(_) => failure.at(Stage::Recoverable),
    }
}

/// Number of bytes in all ranges.
pub(super) fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}
