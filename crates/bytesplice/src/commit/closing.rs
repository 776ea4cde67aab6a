//! Phases 4 and 5 of a commit: END, what others appended meanwhile, the new length, the mark, the journal.
//!
//! A commit that removes bytes leaves the file `final_len` bytes long, and cuts it to `new_len`. Others may have appended behind
//! `final_len` meanwhile, and their bytes must not be cut off. They are carried to the new end first:
//!
//! ```text
//! 4a  END: all steps are durable; its checksum is that of the bytes that the cut will take
//! 4b  while the file is longer than expected: copy a chunk of what was appended into the journal; record it; sync;
//!     write it behind the new end; sync
//! 4c  if anything was carried: a record without a chunk, with the checksum of what the cut will take now
//! 4d  cut the file and sync it, if its length still is what was looked at; else go on at 4b. Nobody can append meanwhile
//! 4e  take the mark off; sync the target
//! 5   unlink the journal; sync the directory
//! ```
//! Records of phase 4 count on from END, so that the farthest one says how much is in place. A chunk is redone from the journal,
//! hence it does not matter that source and destination overlap.
//!
//! Whether the cut was done is told by the length, as long as nobody appends between a crash in 4d and the recovery. If they do,
//! the file may be as long again as before the cut; then the bytes that the cut takes are no longer where they were, and the
//! checksums of 4a or 4c say so. There are two: the file system fills the rest of the block in which it cuts with zeros, and may
//! do that on the disk before the new length is there.

use std::ops::Range;

use super::checksum::checksum;
use super::engine::{Armed, Engine, Prepared};
use super::failure::{Attempt, Failure, Object, Stage};
use super::journal::VERSION_1;
use super::journal::header::Header;
use super::journal::record::{ROLL_BACK, Record};
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use super::saving::sampled;
use crate::storage::{Storage, StorageFile};

/// After so many chunks in one go others append faster than a commit can carry.
const MOST_CHUNKS: u64 = 10_000;

impl<S: Storage> Engine<'_, S> {
    /// Phases 4 and 5, after all steps are done.
    pub(super) fn finish(&mut self, prepared: &Prepared<'_, S::File>) -> Result<(), Failure> {
        let header = &prepared.header;
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::TruncateBeforeEnd) {
            let target = self.storage.target();
            target.set_len(header.new_len).attempt(Object::Target, "shorten", 0, 0)?;
            target.sync_all().attempt(Object::Target, "sync", 0, 0)?;
        }
        let (from, to) = (header.final_len, header.new_len);
        let end = Record { from, to, ..Record::of_step(header.step_count, prepared.armed.marked) };
        let end = self.before_cut(&prepared.armed, end)?;
        let end = self.saver().write_record(prepared, end)?;
        self.close(&prepared.armed, end)
    }

    /// What is left to do after a record of phase 4 is durable and its chunk is in place.
    pub(super) fn close(&mut self, armed: &Armed<S::File>, record: Record) -> Result<(), Failure> {
        if record.to < record.from {
            // Durable before the mark goes: END without a mark says that nothing is left to do.
            self.carry_and_cut(armed, record)?;
        }
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::JournalRemovedBeforeMark) {
            self.drop_journal()?;
            self.storage.clear_mark().attempt(Object::Target, "unmark the inode of", 0, 0)?;
            return self.storage.target().sync_all().attempt(Object::Target, "sync", 0, record.to);
        }
        self.unmark_and_drop(record)
    }

    /// 4b to 4d.
    fn carry_and_cut(&mut self, armed: &Armed<S::File>, mut record: Record) -> Result<(), Failure> {
        let header = &armed.header;
        let target = self.storage.target();
        let last = record.step.saturating_add(MOST_CHUNKS);
        loop {
            let carried = record.carried + record.carry_len;
            let (end, new_end) = (record.from + carried, record.to + carried);
            #[cfg(any(test, feature = "simulation"))]
            if self.geometry.sabotage == Some(Sabotage::AppendedBytesCut) {
                target.set_len(new_end).attempt(Object::Target, "shorten", new_end, 0)?;
                return target.sync_all().attempt(Object::Target, "sync", 0, new_end);
            }
            let len = target.len().attempt(Object::Target, "measure", 0, 0)?;
            if len > end {
                if header.version == VERSION_1 {
                    return Err(wrong_length_after_end(len, header));
                }
                let chunk = (len - end).min(header.chunk);
                if record.step >= last {
                    return Err(std::io::Error::from(std::io::ErrorKind::ResourceBusy)).attempt(
                        Object::Target,
                        "keep up with others who append to",
                        end,
                        len - end,
                    );
                }
                let next = Record { carried, carry_len: chunk, step: record.step + 1, ..record };
                record = self.carry(armed, next)?;
            } else if record.carry_len > 0 {
                record = Record { carried, carry_len: 0, step: record.step + 1, ..record };
                record = self.before_cut(armed, record)?;
                self.saver().put_record(armed, record)?;
            } else if len < end {
                return Err(wrong_length_after_end(len, header));
            } else {
                let cut = self.storage.cut(end, new_end);
                if cut.attempt(Object::Target, "shorten", new_end, end - new_end)? {
                    return Ok(());
                }
            }
        }
    }

    /// Brings a chunk of the appended bytes to its new place, by way of the journal. Gives the record with its checksum.
    fn carry(&mut self, armed: &Armed<S::File>, record: Record) -> Result<Record, Failure> {
        let (target, journal) = (self.storage.target(), &armed.journal);
        let (start, len) = (record.from + record.carried, record.carry_len);
        // Whoever appended need not have synced: a record must not speak of bytes that a crash takes back.
        target.sync_data().attempt(Object::Target, "sync", start, len)?;
        let slot = self.slot_of_chunk(armed, record.step);
        let mut place = slot;
        let mut buffer = self.saver().buffer(len);
        let chunk = start..start + len;
        let saved_crc = checksum(target, Object::Target, &[chunk], &mut buffer, |bytes| {
            let len = bytes.len() as u64;
            journal.write_all_at(bytes, place).attempt(Object::Journal, "write", place, len)?;
            place += len;
            Ok(())
        })?;
        // The sync of the record makes the chunk durable with it, before the file is written.
        let record = Record { saved_crc, untouched_crc: 0, ..record };
        self.saver().put_record(armed, record)?;
        self.place_chunk(armed, record)?;
        Ok(record)
    }

    /// Writes the chunk of a record from the journal to its new place.
    fn place_chunk(&self, armed: &Armed<S::File>, record: Record) -> Result<(), Failure> {
        let target = self.storage.target();
        let slot = self.slot_of_chunk(armed, record.step);
        let start = record.to + record.carried;
        let mut offset = start;
        let mut buffer = self.saver().buffer(record.carry_len);
        let chunk = slot..slot + record.carry_len;
        checksum(&armed.journal, Object::Journal, &[chunk], &mut buffer, |bytes| {
            let len = bytes.len() as u64;
            target.write_all_at(bytes, offset).attempt(Object::Target, "write", offset, len)?;
            offset += len;
            Ok(())
        })?;
        target.sync_data().attempt(Object::Target, "sync", start, record.carry_len)?;
        let chunk = start..start + record.carry_len;
        self.saver().verify_written(std::slice::from_ref(&chunk))
    }

    /// Goes on from a record of phase 4, or of a commit that is being taken back. The samples of the record have been
    /// compared.
    pub(super) fn resume_closing(
        &mut self,
        armed: &Armed<S::File>,
        record: Record,
    ) -> Result<(), Failure> {
        let header = &armed.header;
        let first_version = header.version == VERSION_1;
        let record = if first_version {
            Record { from: header.final_len, to: header.new_len, ..record }
        } else {
            record
        };
        let target = self.storage.target();
        let len = target.len().attempt(Object::Target, "measure", 0, 0)?;
        if first_version && len == record.from {
            return self.close(armed, record);
        }
        if first_version && len == record.to {
            target.sync_all().attempt(Object::Target, "sync", 0, len)?;
            return self.unmark_and_drop(record);
        }
        let (end, new_end) = (record.from + record.carried, record.to + record.carried);
        if first_version || len < new_end {
            return Err(wrong_length_after_end(len, header));
        }
        if record.carry_len > 0 {
            return self.resume_carrying(armed, record, len);
        }
        if record.to == record.from || (len >= end && self.is_uncut(armed, record)?) {
            return self.close(armed, record);
        }
        // It was cut, and what lies behind the new end was appended later. That is written down: should this be cut short, others
        // may have appended more by then, and the file would be as long as it was before the cut.
        target.sync_all().attempt(Object::Target, "sync", 0, new_end)?;
        if !first_version {
            let done = Record { step: record.step + 1, from: record.to, saved_crc: 0, ..record };
            self.saver().put_record(armed, Record { untouched_crc: 0, ..done })?;
        }
        self.unmark_and_drop(record)
    }

    fn resume_carrying(
        &mut self,
        armed: &Armed<S::File>,
        record: Record,
        len: u64,
    ) -> Result<(), Failure> {
        let start = record.from + record.carried;
        if len < start + record.carry_len {
            return Err(wrong_length_after_end(len, &armed.header));
        }
        let slot = self.slot_of_chunk(armed, record.step);
        let crc_of = |file: &S::File, object, range: Range<u64>| {
            let mut buffer = self.saver().buffer(record.carry_len);
            checksum(file, object, &[range], &mut buffer, |_| Ok(()))
        };
        let journal = &armed.journal;
        let found = journal.len().attempt(Object::Journal, "measure", 0, 0)?;
        let saved = slot..slot + record.carry_len;
        let whole =
            found >= saved.end && crc_of(journal, Object::Journal, saved)? == record.saved_crc;
        if whole {
            self.place_chunk(armed, record)?;
            return self.close(armed, record);
        }
        let source = start..start + record.carry_len;
        if crc_of(self.storage.target(), Object::Target, source)? != record.saved_crc {
            return Err(Failure::Corrupt(
                "the checksum of the appended bytes that it saved does not match".into(),
            ));
        }
        // The chunk was not written yet: it is copied once more.
        self.close(armed, Record { carry_len: 0, ..record })
    }

    /// 4e and 5.
    fn unmark_and_drop(&self, record: Record) -> Result<(), Failure> {
        self.storage.clear_mark().attempt(Object::Target, "unmark the inode of", 0, 0)?;
        let synced = self.storage.target().sync_all();
        synced.attempt(Object::Target, "sync", 0, record.to)?;
        let holds = if record.step < ROLL_BACK { Stage::Committed } else { Stage::Unchanged };
        self.drop_journal().map_err(|failure| failure.at(holds))
    }

    /// The record with the checksums of the bytes that the cut after it takes: those of the block in which the file is cut, and
    /// those behind it, of which only the ends are taken if they are many.
    pub(super) fn before_cut(
        &self,
        armed: &Armed<S::File>,
        record: Record,
    ) -> Result<Record, Failure> {
        if armed.header.version == VERSION_1 {
            return Ok(record);
        }
        let (block, rest) = cut_ranges(&armed.header, record);
        Ok(Record { untouched_crc: self.crc_of(block)?, saved_crc: self.crc_of(rest)?, ..record })
    }

    /// Whether the bytes that the cut after this record takes are still there, in a file that is long enough. A cut that did
    /// not get to the disk may have filled the rest of its block with zeros already.
    fn is_uncut(&self, armed: &Armed<S::File>, record: Record) -> Result<bool, Failure> {
        let (block, rest) = cut_ranges(&armed.header, record);
        let whole = if rest.is_empty() {
            self.crc_of(block.clone())? == record.untouched_crc
        } else {
            self.crc_of(rest.clone())? == record.saved_crc
        };
        if whole {
            return Ok(true);
        }
        // The blocks of the file system may be smaller or larger than ours.
        let cut = block.start..rest.end;
        let (start, len) = (cut.start, cut.end - cut.start);
        let first = self.storage.target().start_of_data(cut.clone());
        let first = first.attempt(Object::Target, "read", start, len)?.unwrap_or(cut.end);
        let size = armed.header.block;
        let sizes = (0..8).map(|halves| (size << 4) >> halves);
        let mut others = sizes.filter(|&other| other != size && other >= 512);
        let filled_up = others.any(|other| first >= start.next_multiple_of(other));
        Ok(first == cut.end || (first > start && filled_up))
    }

    fn crc_of(&self, range: Range<u64>) -> Result<u32, Failure> {
        let ranges = sampled(std::slice::from_ref(&range));
        let mut buffer = self.saver().buffer(super::engine::total(&ranges));
        checksum(self.storage.target(), Object::Target, &ranges, &mut buffer, |_| Ok(()))
    }

    /// Where the chunk of a record is saved: behind everything else in the journal, by turns in one of two places.
    fn slot_of_chunk(&self, armed: &Armed<S::File>, step: u64) -> u64 {
        let room = armed.header.chunk.next_multiple_of(self.geometry.page);
        armed.layout.len + (step % 2) * room
    }

    /// Removes the journal for good: without the sync an old journal could come back and undo later edits.
    pub(super) fn drop_journal(&self) -> Result<(), Failure> {
        self.storage.remove_journal().attempt(Object::Journal, "remove", 0, 0)?;
        self.storage.sync_directory().attempt(Object::Directory, "sync", 0, 0)
    }
}

/// What the cut after a record takes: the rest of the block in which the file is cut, and what lies behind it.
fn cut_ranges(header: &Header, record: Record) -> (Range<u64>, Range<u64>) {
    let (new_end, end) = (record.to + record.carried, record.from + record.carried);
    let middle = new_end.next_multiple_of(header.block.max(1)).min(end);
    (new_end..middle, middle..end)
}

fn wrong_length_after_end(len: u64, header: &Header) -> Failure {
    Failure::ChangedSinceCrash(format!(
        "it is {len} bytes long, which fits neither the old contents ({}) nor the new ({})",
        header.old_len, header.new_len
    ))
}
