//! The journal: a file beside the target that makes a commit crash-safe. `docs/format.md` draws its layout.
//!
//! All numbers are little-endian. A *page* is [`Geometry::page`] bytes (4096).
//! ```text
//! page 0      header
//! page 1, 2   record slots 0 and 1, each with two copies of its record
//! page 3      header again
//! page 4 …    runs (32 bytes each) · literals · saved blocks 0 · saved blocks 1, each from a page border on
//! ```

use std::io;

use super::plan::{Geometry, Origin, Plan, Run};
use crate::storage::{InodeIdentity, StorageFile};

/// The version of the format that this program writes and reads.
pub(crate) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"bytspljr";
const RECORD_MAGIC: [u8; 4] = *b"bsrc";
const HEADER_LEN: usize = 128;
const RECORD_LEN: usize = 40;
const RUN_LEN: u64 = 32;
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
    /// Sizes that the plan was made with.
    pub block: u64,
    /// See [`Geometry::chunk`].
    pub chunk: u64,
    /// See [`Geometry::longest_step`].
    pub longest_step: u64,
    /// Number of runs.
    pub run_count: u64,
    /// Number of literal bytes.
    pub literal_len: u64,
    /// Room for the saved blocks of one step.
    pub slot_len: u64,
    /// Number of steps; the record of this number says that all are done.
    pub step_count: u64,
    /// Checksum of the runs.
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
    /// Checksum of the saved blocks of this step.
    pub saved_crc: u32,
    /// Checksum of the bytes that this step reads and does not overwrite.
    pub untouched_crc: u32,
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
        Layout::new(page, self.run_count, self.literal_len, self.slot_len)
    }

    /// Length of the file while blocks are written.
    pub fn working_len(&self) -> u64 {
        self.old_len.max(self.new_len)
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
            self.block,
            self.chunk,
            self.longest_step,
            self.run_count,
            self.literal_len,
            self.slot_len,
            self.step_count,
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
            block: input.u64(),
            chunk: input.u64(),
            longest_step: input.u64(),
            run_count: input.u64(),
            literal_len: input.u64(),
            slot_len: input.u64(),
            step_count: input.u64(),
            runs_crc,
            literals_crc: input.u32(),
        })
    }
}

impl Layout {
    /// The layout of a journal with so many runs, literal bytes and bytes to save; none if the numbers overflow.
    pub fn new(page: u64, run_count: u64, literal_len: u64, slot_len: u64) -> Option<Self> {
        let pages = |len: u64| len.checked_next_multiple_of(page);
        let runs = FIRST_FREE_PAGE.checked_mul(page)?;
        let literals = runs.checked_add(pages(run_count.checked_mul(RUN_LEN)?)?)?;
        let saved = literals.checked_add(pages(literal_len)?)?;
        let slot = pages(slot_len)?;
        let other = saved.checked_add(slot)?;
        let len = other.checked_add(slot)?;
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

/// The runs as they stand in the journal.
pub(crate) fn encode_runs(runs: &[Run]) -> Vec<u8> {
    let mut bytes = vec![0; runs.len() * RUN_LEN as usize];
    let mut out = Encoder { bytes: &mut bytes, at: 0 };
    for run in runs {
        let (kind, value) = match run.origin {
            Origin::Kept(source) => (0_u64, source),
            Origin::Literal(offset) => (1, offset),
            Origin::Fill(byte) => (2, u64::from(byte)),
        };
        for number in [run.destination, run.len, kind, value] {
            out.put(&number.to_le_bytes());
        }
    }
    bytes
}

/// Reads the plan of a journal; a description of what is wrong with it otherwise.
pub(crate) fn read_plan(
    journal: &impl StorageFile,
    header: &Header,
    layout: &Layout,
    geometry: Geometry,
) -> io::Result<Result<Plan, String>> {
    if journal.len()? < layout.len {
        return Ok(Err(format!("it is {} bytes long instead of {}", journal.len()?, layout.len)));
    }
    // Page by page, up to the first run that cannot be: a header may claim more runs than memory holds.
    let mut crc = crc32fast::Hasher::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut bytes = vec![0; geometry.page as usize];
    let end = layout.runs + header.run_count * RUN_LEN;
    let mut offset = layout.runs;
    while offset < end {
        let len = (end - offset).min(geometry.page);
        let part = &mut bytes[..len as usize];
        journal.read_exact_at(part, offset)?;
        crc.update(part);
        for bytes in part.chunks_exact(RUN_LEN as usize) {
            match decode_run(bytes) {
                Ok(run) => runs.push(run),
                Err(detail) => return Ok(Err(detail)),
            }
        }
        offset += len;
    }
    if crc.finalize() != header.runs_crc {
        return Ok(Err("the checksum of its plan does not match".into()));
    }
    if !is_consistent(&runs, header, geometry) {
        return Ok(Err("its plan contradicts itself".into()));
    }
    let plan = Plan::from_runs(runs, header.old_len, header.new_len, geometry);
    if plan.literal_len != header.literal_len || plan.steps.len() as u64 != header.step_count {
        return Ok(Err("its plan contradicts its header".into()));
    }
    Ok(Ok(plan))
}

/// One run; a description of what is wrong with it otherwise.
fn decode_run(bytes: &[u8]) -> Result<Run, String> {
    let mut input = Decoder { bytes, at: 0 };
    let (destination, len) = (input.u64(), input.u64());
    let origin = match (input.u64(), input.u64()) {
        (0, source) => Origin::Kept(source),
        (1, offset) => Origin::Literal(offset),
        (2, byte) => Origin::Fill(byte as u8),
        (kind, _) => return Err(format!("its plan has a run of the unknown kind {kind}")),
    };
    if len == 0 {
        return Err("its plan has an empty run".into());
    }
    Ok(Run { destination, len, origin })
}

/// Whether runs are in order, cover whole blocks, and stay within the file and the literals; and whether the steps
/// are not so small that their list would fill the memory.
fn is_consistent(runs: &[Run], header: &Header, geometry: Geometry) -> bool {
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
        end <= header.new_len
            && match run.origin {
                Origin::Kept(source) => {
                    let in_order = source >= kept;
                    kept = source.saturating_add(run.len);
                    in_order && kept <= header.old_len
                }
                Origin::Literal(offset) => {
                    let in_order = offset == literals;
                    literals += run.len;
                    in_order
                }
                Origin::Fill(_) => true,
            }
    });
    consistent && (position % header.block == 0 || position == header.new_len)
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
