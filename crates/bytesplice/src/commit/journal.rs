//! The journal: a file beside the target that makes a commit crash-safe. `docs/format.md` has every field, and a journal
//! byte by byte.
//!
//! All numbers are little-endian. A *page* is [`Geometry::page`] bytes (4096).
//! ```text
//! page 0      header
//! page 1, 2   record slots 0 and 1, each with two copies of its record
//! page 3      header again
//! page 4 …    runs and shifts (32 bytes each) · literals · slot 0 · slot 1, each from a page border on
//! ```
//! A slot holds the blocks that its step saved, or the map of data before its step shifts extents. With a snapshot slot 0
//! is the whole old file, sharing its blocks, and slot 1 is empty.
//!
//! The steps are not written down: recovery derives them from the runs once more, and their saved blocks and samples from
//! the steps. So [`Plan::from_runs`], [`Plan::reads`] and what is sampled are part of the format: a change of what they
//! give takes a new [`VERSION`].

use std::io;

use super::plan::{Geometry, Origin, Plan, Run};
use super::program::Program;
use super::shift::{DataMap, Shift, ShiftKind};
use crate::storage::{InodeIdentity, StorageFile};

/// The version of the format that this program writes and reads.
pub(crate) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"bytspljr";
const RECORD_MAGIC: [u8; 4] = *b"bsrc";
const HEADER_LEN: usize = 192;
const RECORD_LEN: usize = 40;
pub(super) const RUN_LEN: u64 = 32;
const HEADER_PAGES: [u64; 2] = [0, 3];
const RECORD_PAGES: [u64; 2] = [1, 2];
const FIRST_FREE_PAGE: u64 = 4;

/// What a journal is about. Durable before the first record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
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

/// How far a commit got: all steps before `step` are done and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// The step that may be half done; the number of steps when all are done.
    pub step: u64,
    /// Whether the inode carries a mark while the commit runs.
    pub marked: bool,
    /// Checksum of the saved blocks of this step, or of its map of data. 0 with a snapshot, which has no checksum.
    pub saved_crc: u32,
    /// Checksum of the bytes that this step reads and does not overwrite; of long ranges only of their ends.
    pub untouched_crc: u32,
}

/// Where a shift is tried on a file of this length, in bytes: behind its end.
pub(crate) fn trial_offset(len: u64, block: u64) -> u64 {
    len.div_ceil(block).saturating_mul(block)
}

/// What a crash may leave of a growing file of this length: XFS first fills its last block with zeros, and may make the
/// length durable that it has then.
pub(crate) fn end_of_block(len: u64, block: u64) -> u64 {
    len.checked_next_multiple_of(block).unwrap_or(len)
}

/// How many blocks a file gets for the trial of a shift.
pub(crate) const TRIAL_BLOCKS: u64 = 3;

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
    /// No header: never written wholly, or damaged.
    Invalid,
}

/// Where the parts of a journal lie, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// The runs.
    pub runs: u64,
    /// The literals.
    pub literals: u64,
    /// The saved blocks of even and odd steps.
    pub saved: [u64; 2],
    /// Length of the journal.
    pub len: u64,
}

impl Header {
    /// Where the parts of this journal lie; none if its numbers overflow.
    pub fn layout(&self, page: u64) -> Option<Layout> {
        let entries = self.run_count.checked_add(self.opening_count)?;
        let entries = entries.checked_add(self.closing_count)?;
        let slots = if self.snapshot { [self.old_len, 0] } else { [self.slot_len; 2] };
        Layout::new(page, entries, self.literal_len, slots)
    }

    /// Whether a file of this length may have got it on the way to the commit point, or has room reserved behind it.
    pub fn may_have_grown_to(&self, len: u64) -> bool {
        let shifts = self.opening_count + self.closing_count > 0;
        let grown = if self.opening_count == 0 { self.working_len } else { self.old_len };
        if !shifts && grown <= self.old_len {
            return false;
        }
        let trial = trial_offset(grown, self.block);
        let tried = |blocks: u64| trial.saturating_add(blocks.saturating_mul(self.block));
        // The blocks of the file system may be smaller or larger than ours.
        let mut sizes = (0..8).map(|halves| (self.block << 4) >> halves);
        len == self.old_len
            || len == grown
            || sizes.any(|block| end_of_block(self.old_len, block) == len)
            || shifts && (0..=TRIAL_BLOCKS + 1).any(|blocks| tried(blocks) == len)
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
        out.put(&VERSION.to_le_bytes());
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
            u64::from(self.snapshot),
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
        if version != VERSION {
            return HeaderState::OtherVersion(version);
        }
        let runs_crc = input.u32();
        let nonce = input.u64();
        let inode = InodeIdentity { inode: input.u64(), birth: input.u64() };
        HeaderState::Valid(Self {
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
            snapshot: input.u64() != 0,
            runs_crc,
            literals_crc: input.u32(),
        })
    }
}

impl Layout {
    /// The layout of a journal with so many runs and shifts, literal bytes, and bytes in each slot; none if the numbers
    /// overflow.
    pub fn new(page: u64, entry_count: u64, literal_len: u64, slots: [u64; 2]) -> Option<Self> {
        let pages = |len: u64| len.checked_next_multiple_of(page);
        let runs = FIRST_FREE_PAGE.checked_mul(page)?;
        let literals = runs.checked_add(pages(entry_count.checked_mul(RUN_LEN)?)?)?;
        let saved = literals.checked_add(pages(literal_len)?)?;
        let other = saved.checked_add(pages(slots[0])?)?;
        let len = other.checked_add(pages(slots[1])?)?;
        Some(Self { runs, literals, saved: [saved, other], len })
    }
}

impl Record {
    /// Writes the record into the slot of its step. Two copies, half a page apart, so that no single damaged sector
    /// makes an armed journal look like one that was never armed.
    pub fn write(
        &self,
        journal: &impl StorageFile,
        nonce: u64,
        slot: usize,
        page: u64,
    ) -> io::Result<()> {
        let mut bytes = [0; RECORD_LEN];
        let mut out = Encoder { bytes: &mut bytes, at: 0 };
        out.put(&RECORD_MAGIC);
        out.put(&u32::from(self.marked).to_le_bytes());
        out.put(&nonce.to_le_bytes());
        out.put(&self.step.to_le_bytes());
        out.put(&self.saved_crc.to_le_bytes());
        out.put(&self.untouched_crc.to_le_bytes());
        seal(&mut bytes);
        let offset = RECORD_PAGES[slot] * page;
        journal.write_all_at(&bytes, offset)?;
        journal.write_all_at(&bytes, offset + page / 2)
    }

    /// Overwrites the records of both slots.
    pub fn erase_all(journal: &impl StorageFile, page: u64) -> io::Result<()> {
        let bytes = [0; RECORD_LEN];
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
                let mut bytes = [0; RECORD_LEN];
                if !read_if_there(journal, &mut bytes, offset)? {
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

    fn decode(bytes: &[u8; RECORD_LEN]) -> Option<(u64, Self)> {
        let mut input = Decoder { bytes, at: 0 };
        if input.take::<4>() != RECORD_MAGIC || !is_sealed(bytes) {
            return None;
        }
        let marked = input.u32() != 0;
        let nonce = input.u64();
        let record =
            Self { step: input.u64(), marked, saved_crc: input.u32(), untouched_crc: input.u32() };
        Some((nonce, record))
    }
}

/// Whether a file without a whole header may be a journal that was never finished: then nothing but zeros lies around
/// its headers and records. Anything else is not ours to remove, whatever its name.
pub(crate) fn may_be_unfinished(journal: &impl StorageFile, page: u64) -> io::Result<bool> {
    let len = journal.len()?;
    for number in HEADER_PAGES {
        let start = number * page;
        if len <= start {
            break;
        }
        let mut bytes = vec![0; (len - start).min(page) as usize];
        journal.read_exact_at(&mut bytes, start)?;
        // A page is written as zeros before a header goes into it, and is longer than a header, but in tests.
        let header =
            if bytes.len() as u64 == page || page == HEADER_LEN as u64 { HEADER_LEN } else { 0 };
        if bytes.iter().skip(header).any(|&byte| byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The runs and shifts as they stand in the journal, one after the other.
pub(crate) fn encode_program(
    program: &Program,
) -> impl Iterator<Item = [u8; RUN_LEN as usize]> + Clone {
    let runs = program.plan.runs.iter().map(|run| {
        let (kind, value) = match run.origin {
            Origin::Kept(source) => (0_u64, source),
            Origin::Literal(offset) => (1, offset),
            Origin::Fill(byte) => (2, u64::from(byte)),
            Origin::Hole => (3, 0),
        };
        [run.destination, run.len, kind, value]
    });
    let shifts = program.opening.iter().chain(&program.closing).map(|shift| {
        let kind = match shift.kind {
            ShiftKind::Insert => 4_u64,
            ShiftKind::Collapse => 5,
        };
        [shift.offset, shift.len, kind, 0]
    });
    runs.chain(shifts).map(|numbers| {
        let mut bytes = [0; RUN_LEN as usize];
        let mut out = Encoder { bytes: &mut bytes, at: 0 };
        numbers.into_iter().for_each(|number| out.put(&number.to_le_bytes()));
        bytes
    })
}

/// A map of data as it stands in the slot of a shift: the number of ranges, then their ends.
pub(crate) fn encode_map(map: &DataMap) -> Vec<u8> {
    let ranges = map.ranges();
    let mut bytes = vec![0; map_len(ranges.len()) as usize];
    let mut out = Encoder { bytes: &mut bytes, at: 0 };
    out.put(&(ranges.len() as u64).to_le_bytes());
    for range in ranges {
        out.put(&range.start.to_le_bytes());
        out.put(&range.end.to_le_bytes());
    }
    bytes
}

/// Length of a map of so many ranges in the journal, in bytes.
pub(crate) fn map_len(ranges: usize) -> u64 {
    8 + 16 * ranges as u64
}

/// The map in a slot and its checksum; none if there is none.
pub(crate) fn read_map(
    journal: &impl StorageFile,
    place: u64,
    slot_len: u64,
) -> io::Result<Option<(DataMap, u32)>> {
    let mut count = [0; 8];
    if !read_if_there(journal, &mut count, place)? {
        return Ok(None);
    }
    let count = u64::from_le_bytes(count);
    if count > slot_len.saturating_sub(8) / 16 {
        return Ok(None);
    }
    let mut bytes = vec![0; map_len(count as usize) as usize];
    if !read_if_there(journal, &mut bytes, place)? {
        return Ok(None);
    }
    let mut input = Decoder { bytes: &bytes, at: 8 };
    let ranges: Vec<_> = (0..count).map(|_| input.u64()..input.u64()).collect();
    let ascending = ranges.iter().all(|range| range.start < range.end)
        && ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
    Ok(ascending.then(|| (DataMap::new(ranges, 1), crc32fast::hash(&bytes))))
}

/// Reads the program of a journal; a description of what is wrong with it otherwise.
pub(crate) fn read_program(
    journal: &impl StorageFile,
    header: &Header,
    layout: &Layout,
    geometry: Geometry,
) -> io::Result<Result<Program, String>> {
    if journal.len()? < layout.len {
        return Ok(Err(format!("it is {} bytes long instead of {}", journal.len()?, layout.len)));
    }
    // Page by page, up to the first entry that cannot be: a header may claim more runs than memory holds.
    let mut crc = crc32fast::Hasher::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut shifts: Vec<Shift> = Vec::new();
    let mut bytes = vec![0; geometry.page as usize];
    let entries = header.run_count + header.opening_count + header.closing_count;
    let end = layout.runs + entries * RUN_LEN;
    let mut offset = layout.runs;
    while offset < end {
        let len = (end - offset).min(geometry.page);
        let part = &mut bytes[..len as usize];
        journal.read_exact_at(part, offset)?;
        crc.update(part);
        for bytes in part.chunks_exact(RUN_LEN as usize) {
            let outcome = if (runs.len() as u64) < header.run_count {
                decode_run(bytes).map(|run| runs.push(run))
            } else {
                decode_shift(bytes, header.block).map(|shift| shifts.push(shift))
            };
            if let Err(detail) = outcome {
                return Ok(Err(detail));
            }
        }
        offset += len;
    }
    if crc.finalize() != header.runs_crc {
        return Ok(Err("the checksum of its plan does not match".into()));
    }
    let closing = shifts.split_off(header.opening_count as usize);
    let Some((base_len, planned_len)) = shifted_lengths(header, &shifts, &closing) else {
        return Ok(Err("its shifts contradict its header".into()));
    };
    if !is_consistent(&runs, base_len, planned_len, header, geometry) {
        return Ok(Err("its plan contradicts itself".into()));
    }
    let program = Program {
        old_len: header.old_len,
        new_len: header.new_len,
        opening: shifts,
        plan: Plan::from_runs(runs, base_len, planned_len, geometry),
        closing,
        snapshot: header.snapshot,
        chunk: header.chunk,
        longest_step: header.longest_step,
    };
    let fits = (program.plan.literal_len, program.step_count())
        == (header.literal_len, header.step_count)
        && (program.working_len(), program.final_len()) == (header.working_len, header.final_len);
    if !fits {
        return Ok(Err("its plan contradicts its header".into()));
    }
    Ok(Ok(program))
}

/// The lengths that the plan begins and ends with; none if the shifts do not fit the file.
fn shifted_lengths(header: &Header, opening: &[Shift], closing: &[Shift]) -> Option<(u64, u64)> {
    let mut base_len = header.old_len;
    for shift in opening {
        let end = match shift.kind {
            ShiftKind::Insert => shift.offset,
            ShiftKind::Collapse => shift.offset.checked_add(shift.len)?,
        };
        if end >= base_len || shift.len > i64::MAX as u64 - base_len {
            return None;
        }
        base_len = shift.len_after(base_len);
    }
    let mut planned_len = header.new_len;
    for shift in closing.iter().rev() {
        let fits = shift.kind == ShiftKind::Collapse && shift.offset < planned_len;
        planned_len = planned_len.checked_add(shift.len).filter(|_| fits)?;
    }
    (planned_len <= i64::MAX as u64).then_some((base_len, planned_len))
}

/// One run; a description of what is wrong with it otherwise.
fn decode_run(bytes: &[u8]) -> Result<Run, String> {
    let mut input = Decoder { bytes, at: 0 };
    let (destination, len) = (input.u64(), input.u64());
    let origin = match (input.u64(), input.u64()) {
        (0, source) => Origin::Kept(source),
        (1, offset) => Origin::Literal(offset),
        (2, byte) => Origin::Fill(byte as u8),
        (3, _) => Origin::Hole,
        (kind, _) => return Err(format!("its plan has a run of the unknown kind {kind}")),
    };
    if len == 0 {
        return Err("its plan has an empty run".into());
    }
    Ok(Run { destination, len, origin })
}

/// One shift; a description of what is wrong with it otherwise.
fn decode_shift(bytes: &[u8], block: u64) -> Result<Shift, String> {
    let mut input = Decoder { bytes, at: 0 };
    let (offset, len) = (input.u64(), input.u64());
    let kind = match input.u64() {
        4 => ShiftKind::Insert,
        5 => ShiftKind::Collapse,
        kind => return Err(format!("its plan has a shift of the unknown kind {kind}")),
    };
    if len == 0 || block == 0 || offset % block != 0 || len % block != 0 {
        return Err("its plan has a shift that is not of whole blocks".into());
    }
    Ok(Shift { kind, offset, len })
}

/// Whether runs are in order, cover whole blocks, and stay within the file and the literals; and whether the steps
/// are not so small that their list would fill the memory.
fn is_consistent(
    runs: &[Run],
    base_len: u64,
    planned_len: u64,
    header: &Header,
    geometry: Geometry,
) -> bool {
    if header.block == 0
        || header.chunk < header.block.max(geometry.chunk / 64)
        || header.longest_step < header.chunk
    {
        return false;
    }
    let (mut position, mut literals, mut kept) = (0, 0, 0);
    let consistent = runs.iter().all(|run| {
        let contiguous = run.destination == position
            || (run.destination > position
                && run.destination % header.block == 0
                && position % header.block == 0);
        let (Some(end), true, true) =
            (run.destination.checked_add(run.len), contiguous, run.len > 0)
        else {
            return false;
        };
        position = end;
        end <= planned_len
            && match run.origin {
                Origin::Kept(source) => {
                    let in_order = source >= kept;
                    kept = source.saturating_add(run.len);
                    in_order && kept <= base_len
                }
                Origin::Literal(offset) => {
                    let in_order = offset == literals;
                    literals += run.len;
                    in_order
                }
                Origin::Fill(_) => true,
                Origin::Hole => run.destination % header.block == 0 && run.len % header.block == 0,
            }
    });
    consistent && (position % header.block == 0 || position == planned_len)
}

/// Fills the buffer; false when the file ends before.
fn read_if_there(journal: &impl StorageFile, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match journal.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts the checksum of all bytes before it into the last four.
fn seal(bytes: &mut [u8]) {
    let (body, checksum) = bytes.split_at_mut(bytes.len() - 4);
    checksum.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
}

fn is_sealed(bytes: &[u8]) -> bool {
    let (body, checksum) = bytes.split_at(bytes.len() - 4);
    checksum == crc32fast::hash(body).to_le_bytes()
}

struct Encoder<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Encoder<'_> {
    fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Decoder<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        field
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}
