use std::io;
use std::ops::Range;

use super::checksum::checksum;
use super::engine::{Armed, Prepared, Verification, total};
use super::failure::{Attempt, Failure, Object};
use super::journal;
use super::journal::VERSION_1;
use super::journal::record::Record;
use super::nearby::joined;
use super::plan::{Geometry, Step};
use super::program::ProgramStep;
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use super::samples::Samples;
use super::shift::{DataMap, Shift};
use crate::buffer::Buffer;
use crate::storage::{Storage, StorageFile};

/// Copies what recovery will need of the target into the journal. It writes nothing else, so that it can save for the next
/// step while the one before is being written: that one does not touch what the next one reads.
pub(super) struct Saver<'s, S: Storage> {
    /// The target and its journal.
    pub storage: &'s S,
    /// The sizes to work with.
    pub geometry: Geometry,
    /// Whether syncs are believed.
    pub verification: Verification,
}

impl<S: Storage> Saver<'_, S> {
    /// Copies into the slot of a step what recovery needs to do it again; gives the step's record, and how many bytes of
    /// blocks were saved.
    pub fn save(
        &self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
    ) -> Result<(Record, u64), Failure> {
        let record = Record::of_step(number, prepared.marked);
        match prepared.program.step(number) {
            Some(ProgramStep::Write([step])) if !prepared.header.snapshot => {
                let (saved_crc, untouched_crc, saved) = self.save_blocks(prepared, number, step)?;
                Ok((Record { saved_crc, untouched_crc, ..record }, saved))
            }
            Some(ProgramStep::Shift { shift, .. }) => {
                let saved_crc = self.save_map(prepared, number, shift)?;
                Ok((Record { saved_crc, ..record }, 0))
            }
            _ => Ok((record, 0)),
        }
    }

    /// Makes the record durable, and with it everything that its step saved. All steps before it are written. Gives the record
    /// with its samples.
    pub fn write_record(
        &self,
        prepared: &Prepared<'_, S::File>,
        record: Record,
    ) -> Result<Record, Failure> {
        let (written_crc, ends_crc) = self.sample(prepared, record.step)?;
        let record = Record { written_crc, ends_crc, ..record };
        self.put_record(prepared, record)?;
        Ok(record)
    }

    /// Makes a record durable whose samples are known.
    pub fn put_record(&self, armed: &Armed<S::File>, record: Record) -> Result<(), Failure> {
        let page = self.geometry.page;
        let Armed { journal, header, layout, .. } = armed;
        record
            .write(journal, (header.version, header.nonce), self.slot(record.step), page)
            .attempt(Object::Journal, "write", page, page)?;
        journal.sync_data().attempt(Object::Journal, "sync", 0, layout.len)
    }

    /// Checksums of the samples of a record: of what the step before wrote, and of the ends of the file.
    pub fn sample(
        &self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
    ) -> Result<(u32, u32), Failure> {
        if prepared.header.version == VERSION_1 {
            return Ok((0, 0));
        }
        let geometry = Geometry { block: prepared.header.block, ..self.geometry };
        let samples = Samples::of(prepared.program, number, geometry);
        let target = self.storage.target();
        let mut buffer = self.buffer(total(&samples.written).max(total(&samples.ends)));
        let mut crc = |ranges: &[Range<u64>]| {
            checksum(target, Object::Target, ranges, &mut buffer, |_| Ok(()))
        };
        Ok((crc(&samples.written)?, crc(&samples.ends)?))
    }

    /// Makes a step durable that is written, and then the record of the next one. It gives that record, and how many bytes
    /// were saved for it.
    pub fn settle(
        &self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
    ) -> Result<(Record, u64), Failure> {
        self.sync_step(prepared, number)?;
        let program = prepared.program;
        if let (Some(ProgramStep::Write(steps)), false) =
            (program.step(number), program.closing.is_empty())
        {
            // The closing shift drops it anyhow, and takes the longer for it.
            steps.iter().for_each(|step| self.storage.target().will_not_read(&step.ranges));
        }
        let (record, saved) = self.save(prepared, number + 1)?;
        self.write_record(prepared, record)?;
        Ok((record, saved))
    }

    /// Makes a step durable that is carried out.
    pub fn sync_step(&self, prepared: &Prepared<'_, S::File>, number: u64) -> Result<(), Failure> {
        let target = self.storage.target();
        let synced = match prepared.program.step(number) {
            Some(ProgramStep::Write(_)) => target.sync_data(),
            Some(ProgramStep::Shift { .. }) | None => target.sync_all(),
        };
        synced.attempt(Object::Target, "sync", 0, prepared.program.working_len())?;
        let Some(ProgramStep::Write(steps)) = prepared.program.step(number) else { return Ok(()) };
        steps.iter().try_for_each(|step| self.verify_written(&step.ranges))
    }

    /// Fails if the disk does not hold what was written to these ranges of the target and synced.
    pub fn verify_written(&self, ranges: &[Range<u64>]) -> Result<(), Failure> {
        self.verify(Object::Target, ranges, |ranges| self.storage.target().first_lost(ranges))
    }

    /// Fails if these ranges of the journal are not on the disk as they are read.
    pub fn verify_journal(&self, journal: &S::File, ranges: &[Range<u64>]) -> Result<(), Failure> {
        self.verify(Object::Journal, ranges, |ranges| journal.first_stale(ranges))
    }

    fn verify(
        &self,
        object: Object,
        ranges: &[Range<u64>],
        difference: impl FnOnce(&[Range<u64>]) -> io::Result<Option<Range<u64>>>,
    ) -> Result<(), Failure> {
        if self.verification == Verification::None {
            return Ok(());
        }
        match difference(ranges) {
            Ok(None) => Ok(()),
            Ok(Some(range)) => Err(Failure::DiskDiffers { object, range }),
            Err(error)
                if error.kind() == io::ErrorKind::Unsupported
                    && self.verification == Verification::WherePossible =>
            {
                Ok(())
            }
            Err(error) => {
                let start = ranges.first().map_or(0, |range| range.start);
                Err(error).attempt(object, "read from the disk what was written to", start, 0)
            }
        }
    }

    /// Copies the old blocks that a step both reads and writes into its slot; gives the checksums, and how
    /// many bytes were saved.
    fn save_blocks(
        &self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
        step: &Step,
    ) -> Result<(u32, u32, u64), Failure> {
        let reads = prepared.program.plan.reads(step, prepared.header.block);
        let target = self.storage.target();
        for ranges in [&reads.untouched, &reads.overwritten] {
            for range in joined(ranges.iter().cloned()) {
                target.will_read(range.start, range.end - range.start);
            }
        }
        let mut place = prepared.layout.saved[self.slot(number)];
        let untouched = sampled(&reads.untouched);
        let mut buffer = self.buffer(total(&reads.overwritten).max(total(&untouched)));
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
                    prepared.journal.start_writing(place, len);
                }
                place += len;
                Ok(())
            })?;
        let untouched_crc = checksum(target, Object::Target, &untouched, &mut buffer, |_| Ok(()))?;
        Ok((saved_crc, untouched_crc, total(&reads.overwritten)))
    }

    /// Writes down what is data and what is hole before a shift; gives the checksum.
    fn save_map(
        &self,
        prepared: &Prepared<'_, S::File>,
        number: u64,
        shift: Shift,
    ) -> Result<u32, Failure> {
        let map = self.data_map(shift.offset)?;
        let bytes = journal::map::encode(&map);
        let place = prepared.layout.saved[self.slot(number)];
        let len = bytes.len() as u64;
        let fits = if len <= prepared.header.slot_len {
            Ok(())
        } else {
            Err(io::Error::other("the file has more holes than were counted"))
        };
        let written = fits.and_then(|()| prepared.journal.write_all_at(&bytes, place));
        written.attempt(Object::Journal, "write", place, len)?;
        if number > 0 && !self.trusts_unsynced_maps() {
            // A record without its map would look like the record of a shift that has begun. What step 0 saves is durable
            // before any record is written.
            prepared.journal.sync_data().attempt(Object::Journal, "sync", place, len)?;
        }
        Ok(crc32fast::hash(&bytes))
    }

    /// Where the target has data from an offset on.
    pub fn data_map(&self, start: u64) -> Result<DataMap, Failure> {
        let ranges = self.storage.target().data_ranges(start);
        let ranges = ranges.attempt(Object::Target, "list the holes of", start, 0)?;
        Ok(DataMap::new(ranges, self.geometry.block))
    }

    /// Zeros, as long as is useful for work on `len` bytes: whole blocks, at least a page, at most about the buffer size.
    pub fn buffer(&self, len: u64) -> Buffer {
        let unit = self.geometry.page.next_multiple_of(self.geometry.block);
        let longest = self.geometry.buffer.next_multiple_of(unit);
        Buffer::new(len.next_multiple_of(unit).clamp(unit, longest) as usize)
    }

    /// The slot of a step.
    pub fn slot(&self, step: u64) -> usize {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::OneSlot) {
            return 0;
        }
        (step % 2) as usize
    }

    fn trusts_unsynced_maps(&self) -> bool {
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::MapNotSynced) {
            return true;
        }
        false
    }

    fn saves_nothing(&self) -> bool {
        #[cfg(any(test, feature = "simulation"))]
        if matches!(self.geometry.sabotage, Some(Sabotage::NoSavedBlocks | Sabotage::GapTooSmall)) {
            return true;
        }
        false
    }
}

/// The bytes of some ranges that tell whether they are what they were: all of them would have to be read once more. The
/// beginnings and ends of long ranges are enough to notice that they have moved.
pub(super) fn sampled(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    const SAMPLE: u64 = 64 << 10;
    let mut samples = Vec::with_capacity(ranges.len());
    for range in ranges {
        if range.end - range.start <= 2 * SAMPLE {
            samples.push(range.clone());
        } else {
            samples.extend([range.start..range.start + SAMPLE, range.end - SAMPLE..range.end]);
        }
    }
    samples
}
