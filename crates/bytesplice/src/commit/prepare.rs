//! Phases 1 and 2 of a commit: everything up to the commit point.

use std::io;
use std::ops::Range;

use super::engine::{Armed, Check, Engine, Prepared};
use super::failure::{Attempt, Failure, Object, Stage};
use super::journal::header::Header;
use super::journal::record::Record;
use super::journal::{self, TRIAL_BLOCKS, VERSION};
use super::payload::Literals;
use super::plan::Origin;
use super::program::Program;
use super::roll_back::Slipped;
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use crate::storage::extents::is_refusal;
use crate::storage::{Storage, StorageFile};

/// Length of a run or shift in the journal. It divides a page.
const ENTRY: usize = journal::program::ENTRY_LEN as usize;

impl<S: Storage> Engine<'_, S> {
    /// Phases 1 and 2, up to the commit point; what fails is cleaned up. Also gives the record of the first step.
    pub(super) fn prepare<'p>(
        &mut self,
        program: &'p Program,
        literals: &impl Literals,
        nonce: u64,
        check: Check<'_>,
    ) -> Result<(Prepared<'p, S::File>, Option<Record>), Failure> {
        check().map_err(|error| Failure::Changed(Box::new(error)))?;
        self.watch.check().map_err(|failure| failure.at(Stage::Unchanged))?;
        let journal = self
            .storage
            .create_journal()
            .attempt(Object::Journal, "create", 0, 0)
            .map_err(|failure| failure.at(Stage::Unchanged))?;
        let (mut prepared, first) =
            match self.fill_journal(journal, program, literals, nonce, check) {
                Ok(prepared) => prepared,
                // The target was not touched.
                Err(failure) => return Err(after_cleaning(failure, self.drop_journal())),
            };
        let ready = self.mark_and_grow(&mut prepared).and_then(|()| self.watch.pass_commit_point());
        if let Err(failure) = ready {
            let slipped = match failure {
                Failure::AppendedTo => Slipped::Perhaps,
                _ => Slipped::No,
            };
            let cleaned = self.roll_back(&prepared.armed, slipped);
            return Err(after_cleaning(failure, cleaned));
        }
        let first = first.map(|record| Record { marked: prepared.marked, ..record });
        Ok((prepared, first))
    }

    /// Phase 1: nothing that the old contents need is touched.
    fn fill_journal<'p>(
        &mut self,
        journal: S::File,
        program: &'p Program,
        literals: &impl Literals,
        nonce: u64,
        check: Check<'_>,
    ) -> Result<(Prepared<'p, S::File>, Option<Record>), Failure> {
        #[allow(unused_mut, reason = "a sabotage changes it")]
        let mut prepared = self.write_journal(journal, program, literals, nonce)?;
        if program.snapshot {
            self.take_snapshot(&prepared)?;
        }
        let first = if program.step_count() == 0 { None } else { Some(self.save(&prepared, 0)?) };
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

    /// Shares all blocks of the old file with the journal.
    fn take_snapshot(&self, prepared: &Prepared<'_, S::File>) -> Result<(), Failure> {
        let (old, start) = (0..prepared.header.old_len, prepared.layout.saved[0]);
        let journal = &prepared.journal;
        let shared = if old.is_empty() {
            Ok(())
        } else {
            journal.share(self.storage.target(), old.clone(), start)
        };
        refusable(
            shared.and_then(|()| journal.set_len(prepared.layout.len)),
            Object::Target,
            "share the blocks of",
            old,
        )
    }

    /// Writes everything that recovery will need, but no record.
    fn write_journal<'p>(
        &mut self,
        journal: S::File,
        program: &'p Program,
        literals: &impl Literals,
        nonce: u64,
    ) -> Result<Prepared<'p, S::File>, Failure> {
        let plan = &program.plan;
        let mut slot_len = if program.snapshot { 0 } else { plan.slot_len(self.geometry.block) };
        if program.shifts() {
            let data = self.storage.target().data_ranges(0);
            let data = data.attempt(Object::Target, "list the holes of", 0, program.old_len)?;
            slot_len = slot_len.max(map_room(program, data.len()));
        }
        let mut header = Header {
            version: VERSION,
            nonce,
            inode: self.storage.target().inode().attempt(Object::Target, "identify", 0, 0)?,
            journal: Header::fold(journal.inode().attempt(Object::Journal, "identify", 0, 0)?),
            old_len: program.old_len,
            new_len: program.new_len,
            working_len: program.working_len(),
            final_len: program.final_len(),
            block: self.geometry.block,
            chunk: program.chunk,
            longest_step: program.longest_step,
            run_count: plan.runs.len() as u64,
            literal_len: plan.literal_len,
            slot_len,
            step_count: program.step_count(),
            opening_count: program.opening.len() as u64,
            closing_count: program.closing.len() as u64,
            snapshot: program.snapshot,
            runs_crc: 0,
            literals_crc: 0,
        };
        let page = self.geometry.page;
        let Some(layout) = header.layout(page) else {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge)).attempt(
                Object::Journal,
                "lengthen",
                0,
                plan.literal_len,
            );
        };
        // Written in advance to the last byte: the commit itself must not run out of space.
        let mut buffer = self.saver().buffer(layout.len);
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
        let mut entries = journal::program::encode(program).peekable();
        let mut crc = crc32fast::Hasher::new();
        while entries.peek().is_some() {
            let mut filled = 0;
            for (place, entry) in buffer.chunks_exact_mut(ENTRY).zip(entries.by_ref()) {
                place.copy_from_slice(&entry);
                filled += ENTRY;
            }
            crc.update(&buffer[..filled]);
            // The last page is filled up.
            let padded = filled.next_multiple_of(page as usize);
            buffer[filled..padded].fill(0);
            journal.write_all_at(&buffer[..padded], position).attempt(
                Object::Journal,
                "write",
                position,
                padded as u64,
            )?;
            position += padded as u64;
        }
        header.runs_crc = crc.finalize();
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
            self.watch.advance(len)?;
            offset += len;
        }
        header.literals_crc = crc.finalize();
        buffer.fill(0);
        let end = if program.snapshot { layout.saved[0] } else { layout.len };
        let mut position = layout.literals + plan.literal_len;
        while position < end {
            let len = (end - position).min(buffer.len() as u64);
            journal.write_all_at(&buffer[..len as usize], position).attempt(
                Object::Journal,
                "write",
                position,
                len,
            )?;
            position += len;
        }
        header.write(&journal, page).attempt(Object::Journal, "write", 0, page)?;
        Ok(Prepared { armed: Armed { journal, header, layout, marked: false }, program })
    }

    /// Phase 2: marks the inode and gives the file its working length.
    fn mark_and_grow(&self, prepared: &mut Prepared<'_, S::File>) -> Result<(), Failure> {
        let program = prepared.program;
        let target = self.storage.target();
        prepared.armed.marked = self.storage.set_mark(prepared.header.nonce).attempt(
            Object::Target,
            "mark the inode of",
            0,
            0,
        )?;
        // After opening shifts other blocks are there to be written.
        let to_reserve =
            if program.opening.is_empty() { program.plan.ranges_to_write() } else { Vec::new() };
        for range in to_reserve {
            let len = range.end - range.start;
            self.storage.reserve(range.start, len).attempt(
                Object::Target,
                "reserve space in",
                range.start,
                len,
            )?;
        }
        if let Some(len) = program.grown_len()
            && !self.grows_late()
        {
            let grown = self.storage.grow(program.old_len, len).attempt(
                Object::Target,
                "lengthen",
                program.old_len,
                len - program.old_len,
            )?;
            if !grown {
                return Err(Failure::AppendedTo);
            }
        }
        if program.shifts() {
            self.try_shifts(program)?;
        }
        target.sync_all().attempt(Object::Target, "sync", 0, program.working_len())
    }

    /// Shifts a block to and fro behind the end of the file: this very file must not refuse it later.
    fn try_shifts(&self, program: &Program) -> Result<(), Failure> {
        let block = self.geometry.block;
        let len = program.grown_len().unwrap_or(program.old_len);
        let offset = journal::trial_offset(len, block);
        let outcome = self.storage.try_shift(len, block, TRIAL_BLOCKS);
        let undisturbed = matches!(outcome, Ok(true) | Err(_));
        refusable(
            outcome.map(drop),
            Object::Target,
            "shift the extents of",
            offset..offset + block,
        )?;
        if undisturbed { Ok(()) } else { Err(Failure::AppendedTo) }
    }

    fn grows_late(&self) -> bool {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::GrowLate) {
            return true;
        }
        false
    }
}

/// A failure before the commit point, after the attempt to leave no trace of it.
fn after_cleaning(failure: Failure, cleaned: Result<(), Failure>) -> Failure {
    match cleaned {
        Ok(()) => failure.at(Stage::Unchanged),
        Err(cleaning) => failure.leaving_journal(cleaning),
    }
}

/// A refusal by the file system before the commit point is no failure of the file: another strategy may do.
fn refusable(
    outcome: io::Result<()>,
    object: Object,
    operation: &'static str,
    range: Range<u64>,
) -> Result<(), Failure> {
    let refused = outcome.as_ref().is_err_and(is_refusal);
    match outcome.attempt(object, operation, range.start, range.end - range.start) {
        Err(Failure::Io(failure)) if refused => Err(Failure::Unsupported(failure)),
        outcome => outcome,
    }
}

/// Room for the map of a file that has so many ranges of data now: every shift and every hole adds one at most.
fn map_room(program: &Program, data_ranges: usize) -> u64 {
    let holes = program.plan.runs.iter().filter(|run| run.origin == Origin::Hole).count();
    let shifts = program.opening.len() + program.closing.len();
    journal::map::len_of(data_ranges + holes + shifts + 16)
}
