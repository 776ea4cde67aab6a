use std::io;

use super::codec::{Decoder, Encoder, is_sealed, seal};
use super::{
    HEADER_PAGES, Layout, TRIAL_BLOCKS, VERSION, VERSION_1, end_of_block, read_if_there,
    trial_offset,
};
use crate::storage::{InodeIdentity, StorageFile};

const MAGIC: [u8; 8] = *b"bytspljr";
pub(super) const HEADER_LEN: usize = 192;
/// A commit that saves blocks and maps step by step.
const KIND_PLAIN: u64 = 0;
/// A commit with a snapshot of the old file. The kinds 2 (clones of ranges), 3 (exchange of contents) and 4 (trim of the
/// front) are reserved.
const KIND_SNAPSHOT: u64 = 1;

/// What a journal is about. Durable before the first record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Version of the format: [`VERSION`], or [`VERSION_1`] in a journal that an earlier program left.
    pub version: u32,
    /// Tells this commit from all others.
    pub nonce: u64,
    /// The file that is committed.
    pub inode: InodeIdentity,
    /// The journal itself, folded: what a file system shows of an older journal in the blocks of this one is not
    /// believed.
    pub journal: u64,
    /// Length of the old contents.
    pub old_len: u64,
    /// Length of the new contents.
    pub new_len: u64,
    /// Length of the file while the plan writes.
    pub working_len: u64,
    /// Length of the file after the last step; it is then cut to `new_len`.
    pub final_len: u64,
    /// The [`Geometry::block`] that the plan was made with.
    pub block: u64,
    /// See [`Geometry::chunk`].
    pub chunk: u64,
    /// See [`Geometry::longest_step`].
    pub longest_step: u64,
    /// Number of runs.
    pub run_count: u64,
    /// Number of literal bytes.
    pub literal_len: u64,
    /// Room for the saved blocks of one step, or for the map of data of a shift; 0 with a snapshot and without shifts.
    pub slot_len: u64,
    /// Number of steps, shifts included; the record of this number says that all are done.
    pub step_count: u64,
    /// Number of shifts before the plan.
    pub opening_count: u64,
    /// Number of shifts after the plan.
    pub closing_count: u64,
    /// Whether slot 0 holds the whole old file.
    pub snapshot: bool,
    /// Checksum of the runs and shifts.
    pub runs_crc: u32,
    /// Checksum of the literals.
    pub literals_crc: u32,
}

/// What the header pages hold.
#[derive(Debug)]
pub(crate) enum HeaderState {
    /// A header of our version.
    Valid(Header),
    /// A header of our version that was written for another journal file: this one is a copy, or shows what an older
    /// journal held in its blocks.
    Elsewhere(Header),
    /// A header of another version.
    OtherVersion(u32),
    /// A header of our version, but of a kind of commit that only later programs make.
    OtherKind(u64),
    /// No header: never written wholly, or damaged.
    Invalid,
}

impl Header {
    /// Where the parts of this journal lie; none if its numbers overflow.
    pub fn layout(&self, page: u64) -> Option<Layout> {
        let entries = self.run_count.checked_add(self.opening_count)?;
        let entries = entries.checked_add(self.closing_count)?;
        let slots = if self.snapshot { [self.old_len, 0] } else { [self.slot_len; 2] };
        Layout::new(page, entries, self.literal_len, slots)
    }

    /// The lengths that the file may have got on the way to the commit point, in bytes, all longer than the old one.
    pub fn lengths_before_commit_point(&self) -> Vec<u64> {
        let shifts = self.opening_count + self.closing_count > 0;
        let grown = if self.opening_count == 0 { self.working_len } else { self.old_len };
        if !shifts && grown <= self.old_len {
            return Vec::new();
        }
        // The blocks of the file system may be smaller or larger than ours.
        let sizes = (0..8).map(|halves| (self.block << 4) >> halves);
        let filled_up = sizes.map(|block| end_of_block(self.old_len, block));
        let trial = trial_offset(grown, self.block);
        let tried = (0..=TRIAL_BLOCKS + 1)
            .map(|blocks| trial.saturating_add(blocks.saturating_mul(self.block)))
            .filter(|_| shifts);
        let all = std::iter::once(grown).chain(filled_up).chain(tried);
        all.filter(|&len| len > self.old_len).collect()
    }

    /// The [`Header::journal`] of a journal file.
    pub fn fold(journal: InodeIdentity) -> u64 {
        journal.inode ^ journal.birth.rotate_left(32)
    }

    /// Writes both copies.
    pub fn write(&self, journal: &impl StorageFile, page: u64) -> io::Result<()> {
        let bytes = self.encode();
        HEADER_PAGES.iter().try_for_each(|number| journal.write_all_at(&bytes, number * page))
    }

    /// Reads the first copy that is whole, if there is one that was written for this very journal file.
    pub fn read(journal: &impl StorageFile, page: u64) -> io::Result<HeaderState> {
        let itself = Self::fold(journal.inode()?);
        let mut state = HeaderState::Invalid;
        for number in HEADER_PAGES {
            let mut bytes = [0; HEADER_LEN];
            if read_if_there(journal, &mut bytes, number * page)? {
                match Self::decode(&bytes) {
                    HeaderState::Valid(header) if header.journal == itself => {
                        return Ok(HeaderState::Valid(header));
                    }
                    HeaderState::Valid(header) => state = HeaderState::Elsewhere(header),
                    HeaderState::Invalid => {}
                    other => state = other,
                }
            }
        }
        Ok(state)
    }

    fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let mut out = Encoder { bytes: &mut bytes, at: 0 };
        out.put(&MAGIC);
        out.put(&self.version.to_le_bytes());
        out.put(&self.runs_crc.to_le_bytes());
        for number in [
            self.nonce,
            self.inode.inode,
            self.inode.birth,
            self.journal,
            self.old_len,
            self.new_len,
            self.working_len,
            self.final_len,
            self.block,
            self.chunk,
            self.longest_step,
            self.run_count,
            self.literal_len,
            self.slot_len,
            self.step_count,
            self.opening_count,
            self.closing_count,
            if self.snapshot { KIND_SNAPSHOT } else { KIND_PLAIN },
        ] {
            out.put(&number.to_le_bytes());
        }
        out.put(&self.literals_crc.to_le_bytes());
        seal(&mut bytes);
        bytes
    }

    fn decode(bytes: &[u8; HEADER_LEN]) -> HeaderState {
        let mut input = Decoder { bytes, at: 0 };
        if input.take::<8>() != MAGIC || !is_sealed(bytes) {
            return HeaderState::Invalid;
        }
        let version = input.u32();
        if version != VERSION && version != VERSION_1 {
            return HeaderState::OtherVersion(version);
        }
        let runs_crc = input.u32();
        let kind;
        let nonce = input.u64();
        let inode = InodeIdentity { inode: input.u64(), birth: input.u64() };
        let header = Self {
            version,
            nonce,
            inode,
            journal: input.u64(),
            old_len: input.u64(),
            new_len: input.u64(),
            working_len: input.u64(),
            final_len: input.u64(),
            block: input.u64(),
            chunk: input.u64(),
            longest_step: input.u64(),
            run_count: input.u64(),
            literal_len: input.u64(),
            slot_len: input.u64(),
            step_count: input.u64(),
            opening_count: input.u64(),
            closing_count: input.u64(),
            snapshot: {
                kind = input.u64();
                kind != KIND_PLAIN
            },
            runs_crc,
            literals_crc: input.u32(),
        };
        if version != VERSION_1 && kind > KIND_SNAPSHOT {
            return HeaderState::OtherKind(kind);
        }
        HeaderState::Valid(header)
    }
}
