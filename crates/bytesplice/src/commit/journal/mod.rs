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
//! the steps. So [`Plan::from_runs`](super::plan::Plan::from_runs), [`Plan::reads`](super::plan::Plan::reads) and
//! `commit/samples.rs` are part of the format: a change of what they give takes a new [`VERSION`].

use std::io;

use crate::storage::StorageFile;
use header::HEADER_LEN;
use program::ENTRY_LEN;

mod codec;
pub(crate) mod header;
pub(crate) mod map;
pub(crate) mod program;
pub(crate) mod record;

/// The version of the format that this program writes.
pub(crate) const VERSION: u32 = 2;
/// The first version, which this program still recovers: its records have no samples and no appended bytes.
pub(crate) const VERSION_1: u32 = 1;

const HEADER_PAGES: [u64; 2] = [0, 3];
const RECORD_PAGES: [u64; 2] = [1, 2];
const FIRST_FREE_PAGE: u64 = 4;

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

impl Layout {
    /// The layout of a journal with so many runs and shifts, literal bytes, and bytes in each slot; none if the numbers
    /// overflow.
    pub fn new(page: u64, entry_count: u64, literal_len: u64, slots: [u64; 2]) -> Option<Self> {
        let pages = |len: u64| len.checked_next_multiple_of(page);
        let runs = FIRST_FREE_PAGE.checked_mul(page)?;
        let literals = runs.checked_add(pages(entry_count.checked_mul(ENTRY_LEN)?)?)?;
        let saved = literals.checked_add(pages(literal_len)?)?;
        let other = saved.checked_add(pages(slots[0])?)?;
        let len = other.checked_add(pages(slots[1])?)?;
        Some(Self { runs, literals, saved: [saved, other], len })
    }
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

/// Fills the buffer; false when the file ends before.
fn read_if_there(journal: &impl StorageFile, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match journal.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
