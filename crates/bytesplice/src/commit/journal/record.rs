use std::io;

use super::codec::{Decoder, Encoder, is_sealed, seal};
use super::{RECORD_PAGES, VERSION_1, read_if_there};
use crate::storage::StorageFile;

const MAGIC_1: [u8; 4] = *b"bsrc";
const MAGIC: [u8; 4] = *b"bsr2";
const LEN_1: usize = 40;
const LEN: usize = 88;
/// Records from this step on say that a commit is being taken back, and carry what others appended behind the room that it
/// had made.
pub(crate) const ROLL_BACK: u64 = 1 << 62;

/// How far a commit got: all steps before `step` are done and durable.
///
/// The record of the number of steps is END; then bytes that others appended are carried to the new end, chunk by chunk, each
/// with a record of its own that counts on from END.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// The step that may be half done; the number of steps when all are done, and more when appended bytes are carried.
    pub step: u64,
    /// Whether the inode carries a mark while the commit runs.
    pub marked: bool,
    /// Checksum of the saved blocks of this step, or of its map of data. 0 with a snapshot, which has no checksum. When all
    /// steps are done: of the appended bytes that are carried, or of the bytes that the file is to lose at its end.
    pub saved_crc: u32,
    /// Checksum of the bytes that this step reads and does not overwrite; of long ranges only of their ends.
    pub untouched_crc: u32,
    /// Checksum of a sample of what the step before wrote. 0 in journals of version 1.
    pub written_crc: u32,
    /// Checksum of the ends of the file, as far as this step leaves them alone. 0 in journals of version 1.
    pub ends_crc: u32,
    /// Where appended bytes begin before they are carried, from END on.
    pub from: u64,
    /// Where they are carried to; there the file is cut when all are.
    pub to: u64,
    /// Bytes that others appended and that are in their new place.
    pub carried: u64,
    /// Appended bytes that are carried next, from `carried` on; they are in the slot of this record. 0 if none are.
    pub carry_len: u64,
}

impl Record {
    /// The record of a step, with nothing known yet.
    pub fn of_step(step: u64, marked: bool) -> Self {
        Self {
            step,
            marked,
            saved_crc: 0,
            untouched_crc: 0,
            written_crc: 0,
            ends_crc: 0,
            from: 0,
            to: 0,
            carried: 0,
            carry_len: 0,
        }
    }

    /// Writes the record into a slot, as journals of the version have it. Two copies, half a page apart, so that no single
    /// damaged sector makes an armed journal look like one that was never armed.
    pub fn write(
        &self,
        journal: &impl StorageFile,
        (version, nonce): (u32, u64),
        slot: usize,
        page: u64,
    ) -> io::Result<()> {
        let mut bytes = [0; LEN];
        let len = if version == VERSION_1 { LEN_1 } else { LEN };
        let bytes = &mut bytes[..len];
        let mut out = Encoder { bytes, at: 0 };
        out.put(if version == VERSION_1 { &MAGIC_1 } else { &MAGIC });
        out.put(&u32::from(self.marked).to_le_bytes());
        out.put(&nonce.to_le_bytes());
        out.put(&self.step.to_le_bytes());
        out.put(&self.saved_crc.to_le_bytes());
        out.put(&self.untouched_crc.to_le_bytes());
        if version != VERSION_1 {
            out.put(&self.written_crc.to_le_bytes());
            out.put(&self.ends_crc.to_le_bytes());
            out.put(&self.from.to_le_bytes());
            out.put(&self.to.to_le_bytes());
            out.put(&self.carried.to_le_bytes());
            out.put(&self.carry_len.to_le_bytes());
        }
        seal(bytes);
        let offset = RECORD_PAGES[slot] * page;
        journal.write_all_at(bytes, offset)?;
        journal.write_all_at(bytes, offset + page / 2)
    }

    /// Overwrites the records of both slots.
    pub fn erase_all(journal: &impl StorageFile, page: u64) -> io::Result<()> {
        let bytes = [0; LEN];
        RECORD_PAGES.iter().try_for_each(|number| {
            journal.write_all_at(&bytes, number * page)?;
            journal.write_all_at(&bytes, number * page + page / 2)
        })
    }

    /// The records in both slots that belong to `nonce` (or to any journal), the farther one first.
    pub fn read_all(
        journal: &impl StorageFile,
        nonce: Option<u64>,
        page: u64,
    ) -> io::Result<Vec<Self>> {
        let mut records: Vec<Self> = Vec::with_capacity(2);
        for slot in RECORD_PAGES {
            for offset in [slot * page, slot * page + page / 2] {
                let mut bytes = [0; LEN];
                // The last copy of a small journal of version 1 may end before a longer record would.
                let there = read_if_there(journal, &mut bytes, offset)?
                    || read_if_there(journal, &mut bytes[..LEN_1], offset)?;
                if !there {
                    continue;
                }
                if let Some((found, record)) = Self::decode(&bytes)
                    && nonce.is_none_or(|nonce| nonce == found)
                    && !records.contains(&record)
                {
                    records.push(record);
                }
            }
        }
        records.sort_by_key(|record| std::cmp::Reverse(record.step));
        Ok(records)
    }

    fn decode(bytes: &[u8; LEN]) -> Option<(u64, Self)> {
        let first = bytes[..4] == MAGIC_1;
        let bytes = if first { &bytes[..LEN_1] } else { &bytes[..] };
        if (!first && bytes[..4] != MAGIC) || !is_sealed(bytes) {
            return None;
        }
        let mut input = Decoder { bytes, at: 4 };
        let marked = input.u32() != 0;
        let (nonce, step) = (input.u64(), input.u64());
        let mut record = Self::of_step(step, marked);
        (record.saved_crc, record.untouched_crc) = (input.u32(), input.u32());
        if !first {
            (record.written_crc, record.ends_crc) = (input.u32(), input.u32());
            (record.from, record.to) = (input.u64(), input.u64());
            (record.carried, record.carry_len) = (input.u64(), input.u64());
        }
        Some((nonce, record))
    }
}
