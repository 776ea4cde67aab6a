//! The journaled protocol, for commits and for recoveries alike.
//!
//! ```text
//! 1  create the journal: header, runs, literals, saved blocks of step 0, room for those of step 1; sync it and its
//!    directory                                                            PREPARED: recovery rolls back
//! 2  reserve; mark the inode; growing: set the length; sync the target, others' dirty pages included
//! 3  for each step k: save the old blocks that it both reads and writes; write record k into slot k mod 2; sync the
//!    journal; write the blocks; sync the target                           record 0 durable = COMMIT POINT
//! 4  END, the record after the last step; sync the journal; shrinking: carry what others appended, cut the file, sync the
//!    target (`commit/closing.rs`); take the mark off; sync the target
//! 5  unlink the journal; sync the directory
//! ```
//! These are the phases of a commit; its steps, which the records count, are those of phase 3. What step 0 saves is saved
//! in phase 1 already.
//!
//! A step may also shift extents: it then saves the map of what is data and what is hole, which tells recovery how far a
//! broken shift got (`commit/shift.rs`). Phase 2 tries such a shift behind the end of the file, because after the commit
//! point it must not be refused. With a snapshot phase 1 shares all blocks of the old file with the journal instead of
//! saving some, and there is only one step.
//!
//! Invariant: no block is overwritten while it is a source of a step at or after the durable record, unless its old
//! image is durable in that step's slot. Every step before the durable record is final and durable.
//!
//! Running ahead: step k + 1 is written while step k becomes durable, if it overwrites nothing that either of them reads
//! (`Plan::may_overlap`). Record k + 1 is written behind step k's sync as always, and the invariant holds: both steps can
//! still be done again. Recovery need not know, for what it finds of step k + 1 it never reads.
//!
//! Why two slots: while record k is written, record k − 1 is in the other slot, and its step is done and durable;
//! should record k be torn, doing step k − 1 again writes the same bytes.
//!
//! Why END always, and before the mark goes: a journal with END beside an unmarked inode belongs to a commit that
//! was finished, and whatever the file holds now is newer. It is removed and not obeyed.

use std::ops::Range;

use super::failure::{Attempt, Failure, Object};
use super::journal::Layout;
use super::journal::header::Header;
use super::journal::record::Record;
use super::payload::{JournaledLiterals, Literals, Payload, Reading, SavedBlocks, Snapshot};
use super::plan::Geometry;
use super::program::{Program, ProgramStep};
use super::saving::Saver;
use super::shift::{Shift, ShiftKind};
use super::watch::Watch;
use crate::storage::{Storage, StorageFile};

/// Carries a program out on a storage.
pub(crate) struct Engine<'a, S: Storage> {
    /// The target and its journal.
    pub storage: &'a S,
    /// The sizes to work with.
    pub geometry: Geometry,
    /// Told of the progress, and asked whether to stop.
    pub watch: Watch<'a>,
    /// Whether the disk is read to see that it holds what was written and synced.
    pub verification: Verification,
}

/// Whether a sync is believed. A commit does: an error of the disk before it would have been reported to somebody else. A
/// recovery does not, because the commit that it finishes may have been cut short by an error of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    /// Syncs are believed.
    None,
    /// The disk is read, where the file system lets that be done.
    WherePossible,
    /// The disk is read; where that is not possible, recovery stops.
    Required,
}

/// Asks whether the target and the sources are still what the plan was made for.
pub(crate) type Check<'a> = &'a mut dyn FnMut() -> crate::Result<()>;

/// A journal that is open, and whose header is understood.
pub(super) struct Armed<F> {
    pub journal: F,
    pub header: Header,
    pub layout: Layout,
    /// Whether the inode is marked.
    pub marked: bool,
}

/// The same with the program that the journal is about.
pub(super) struct Prepared<'p, F> {
    pub armed: Armed<F>,
    pub program: &'p Program,
}

impl<F> std::ops::Deref for Prepared<'_, F> {
    type Target = Armed<F>;

    fn deref(&self) -> &Armed<F> {
        &self.armed
    }
}

impl<'a, S: Storage> Engine<'a, S> {
    /// Commits the program with a journal. When this returns, the new contents are durable and the journal is gone.
    pub fn commit(
        &mut self,
        program: &Program,
        literals: &impl Literals,
        nonce: u64,
        check: Check<'_>,
    ) -> Result<(), Failure> {
        let dropped = program.dropped(self.geometry.block);
        let (prepared, first) = if dropped.is_empty() {
            self.prepare(program, literals, nonce, check)?
        } else {
            let target = self.storage.target();
            let drop_cached = || target.will_not_read(&dropped);
            self.storage.both(|| self.prepare(program, literals, nonce, check), drop_cached).0?
        };
        // From here on a failure leaves the journal: only recovery knows whether the record became durable.
        if let Some(record) = first {
            self.run_steps(&prepared, record)?;
        }
        self.finish(&prepared)
    }

    /// Carries out the steps from that of `record` on, for which everything is saved.
    pub(super) fn run_steps(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        mut record: Record,
    ) -> Result<(), Failure> {
        let program = prepared.program;
        let geometry = Geometry { block: prepared.header.block, ..self.geometry };
        let (storage, saver) = (self.storage, self.saver());
        saver.write_record(prepared, record)?;
        // Whether the step of the record, which is durable, is written already.
        let mut written = false;
        loop {
            let (number, next) = (record.step, record.step + 1);
            if program.runs_ahead(next, geometry) {
                if !written {
                    self.write_step(prepared, number, None)?;
                }
                let (ahead, settled) = storage.both(
                    || self.write_step(prepared, next, None),
                    || saver.settle(prepared, number),
                );
                ahead?;
                let saved;
                (record, saved) = settled?;
                self.watch.advance(saved)?;
                written = true;
                continue;
            }
            let mut finish_step = || {
                if !written {
                    self.write_step(prepared, number, None)?;
                }
                saver.sync_step(prepared, number)
            };
            // Once record k is durable the other slot is free, and step k overwrites nothing that step k + 1 reads. What a
            // shift saves, or comes after, is only there when the step before is done.
            let independent = [number, next]
                .map(|step| program.step(step))
                .iter()
                .all(|step| matches!(step, Some(ProgramStep::Write(_))));
            let saved;
            (record, saved) = if independent {
                let (done, saved) = storage.both(finish_step, || saver.save(prepared, next));
                done?;
                saved?
            } else {
                finish_step()?;
                if next == program.step_count() {
                    return Ok(());
                }
                saver.save(prepared, next)?
            };
            self.watch.advance(saved)?;
            saver.write_record(prepared, record)?;
            written = false;
        }
    }

    /// Saves for a step while nothing else is done.
    pub(super) fn save(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
    ) -> Result<Record, Failure> {
        let (record, saved) = self.saver().save(prepared, number)?;
        self.watch.advance(saved)?;
        Ok(record)
    }

    pub(super) fn saver(&self) -> Saver<'a, S> {
        Saver { storage: self.storage, geometry: self.geometry, verification: self.verification }
    }

    /// Carries a step out, without making it durable. What a broken step may have overwritten already is read from the blocks
    /// that it `saved`.
    pub(super) fn write_step(
        &mut self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
        saved: Option<&[Range<u64>]>,
    ) -> Result<(), Failure> {
        let program = prepared.program;
        let target = self.storage.target();
        let steps = match program.step(number) {
            Some(ProgramStep::Write(steps)) => steps,
            Some(ProgramStep::Shift { shift, .. }) => return self.shift(shift),
            None => return Ok(()),
        };
        let working_len = program.working_len();
        let may_be_shorter = !program.opening.is_empty() || program.snapshot;
        if may_be_shorter && target.len().attempt(Object::Target, "measure", 0, 0)? < working_len {
            target.set_len(working_len).attempt(Object::Target, "lengthen", 0, working_len)?;
        }
        let (journal, start) =
            (&prepared.journal, prepared.layout.saved[self.saver().slot(number)]);
        let literals = JournaledLiterals { journal, start: prepared.layout.literals };
        let payload = Payload {
            plan: &program.plan,
            block: prepared.header.block,
            target,
            literals: &literals,
            saved: saved.map(|ranges| SavedBlocks { journal, start, ranges }),
            snapshot: program.snapshot.then_some(Snapshot { journal, start }),
            // When it was saved; and what is saved for the next step is being copied meanwhile.
            reading: Reading::Announced,
        };
        let longest = steps.iter().map(|step| total(&step.ranges)).max();
        let mut buffer = self.saver().buffer(longest.unwrap_or(0));
        let watch = &mut self.watch;
        for step in steps {
            payload.write(step, &mut buffer, &mut |bytes| watch.advance(bytes))?;
        }
        Ok(())
    }

    /// Shifts extents.
    pub(super) fn shift(&self, shift: Shift) -> Result<(), Failure> {
        let Shift { kind, offset, len } = shift;
        let target = self.storage.target();
        match kind {
            ShiftKind::Insert => target.insert_range(offset, len),
            ShiftKind::Collapse => target.collapse_range(offset, len),
        }
        .attempt(Object::Target, "shift the extents of", offset, len)
    }
}

/// Number of bytes in all ranges.
pub(super) fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}
