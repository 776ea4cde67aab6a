//! Search in a map, block by block, so that a large file is never in memory as a whole.

use std::ops::Range;

use bytesplice::{Error, FileState, Progress, Result};
use memchr::memmem;
use pyo3::prelude::*;

use crate::commit;
use crate::errors::to_python;
use crate::shared::SharedWindow;
use crate::window::Window;

/// How many bytes are looked at first, if the needle is not longer: a script that goes from match to match must not
/// pay for a large block each time.
const FIRST_BLOCK: u64 = 1 << 10;
/// How many bytes are looked at in one go in the end; each block is twice as long as the one before.
const LONGEST_BLOCK: u64 = 1 << 20;

/// Reads, stores and searches of so many bytes let other threads run meanwhile.
pub(crate) const LONG: u64 = 64 << 10;

/// [`find`] or [`rfind`].
pub(crate) type Search = fn(&Window, &[u8], Range<u64>, &mut Watch<'_>) -> Result<Option<u64>>;

/// Told how many bytes were looked at before each block; what it answers ends the search.
pub(crate) type Watch<'a> = dyn FnMut(u64) -> Result<()> + 'a;

/// Searches the window of `shared`, whose lock is held. What takes long lets other threads run meanwhile, and Ctrl-C ends it.
///
/// # Errors
/// What a signal handler raised, and what reading can say.
pub(crate) fn search(
    py: Python<'_>,
    shared: &SharedWindow,
    window: &Window,
    needle: &[u8],
    range: Range<u64>,
    how: Search,
) -> PyResult<Option<u64>> {
    let cancelled = || {
        let path = window.file().map_or_else(Default::default, |it| it.file.path().into());
        Err(Error::Cancelled { path, state: FileState::Unchanged })
    };
    if (needle.len() as u64) < LONG {
        // A match near by is found before others could run meanwhile.
        let mut is_near = true;
        let found = how(window, needle, range.clone(), &mut |bytes_done| {
            is_near = bytes_done < LONG;
            if is_near { Ok(()) } else { cancelled() }
        });
        if is_near {
            return found.map_err(to_python);
        }
    }
    let bytes_total = range.end.saturating_sub(range.start);
    let _calling = shared.calling();
    commit::search(py, None, |report, cancel| {
        how(window, needle, range, &mut |bytes_done| {
            report(Progress { bytes_done, bytes_total });
            if cancel.is_requested() { cancelled() } else { Ok(()) }
        })
    })
}

/// Offset of the first place in `range` where `needle` lies wholly inside it.
///
/// Reads each byte of the range at most twice, and none behind the match's block.
pub(crate) fn find(
    window: &Window,
    needle: &[u8],
    range: Range<u64>,
    watch: &mut Watch<'_>,
) -> Result<Option<u64>> {
    let Some(mut blocks) = Blocks::new(needle, &range) else {
        return Ok(None);
    };
    let finder = memmem::Finder::new(needle);
    let mut start = range.start;
    loop {
        watch(start - range.start)?;
        let end = range.end.min(start + blocks.next_len());
        if let Some(found) = finder.find(blocks.read(window, start..end)?) {
            return Ok(Some(start + found as u64));
        }
        if end == range.end {
            return Ok(None);
        }
        start = end - blocks.overlap;
    }
}

/// Offset of the last place in `range` where `needle` lies wholly inside it.
pub(crate) fn rfind(
    window: &Window,
    needle: &[u8],
    range: Range<u64>,
    watch: &mut Watch<'_>,
) -> Result<Option<u64>> {
    let Some(mut blocks) = Blocks::new(needle, &range) else {
        return Ok(None);
    };
    let finder = memmem::FinderRev::new(needle);
    let mut end = range.end;
    loop {
        watch(range.end - end)?;
        let start = range.start.max(end.saturating_sub(blocks.next_len()));
        if let Some(found) = finder.rfind(blocks.read(window, start..end)?) {
            return Ok(Some(start + found as u64));
        }
        if start == range.start {
            return Ok(None);
        }
        end = start + blocks.overlap;
    }
}

/// Blocks that overlap by a needle less one byte, so that a match across their border is found.
struct Blocks {
    buffer: Vec<u8>,
    /// Bytes of the next block without the overlap: at least a needle, so that the reading is linear for any needle.
    step: u64,
    overlap: u64,
}

impl Blocks {
    /// `None` if the needle cannot lie in the range.
    fn new(needle: &[u8], range: &Range<u64>) -> Option<Self> {
        let needle = needle.len() as u64;
        range.end.checked_sub(range.start).filter(|&len| needle <= len)?;
        let overlap = needle.saturating_sub(1);
        Some(Self { buffer: Vec::new(), step: FIRST_BLOCK.max(needle), overlap })
    }

    /// Length of the next block in bytes, if the range is so long.
    fn next_len(&mut self) -> u64 {
        let len = self.step + self.overlap;
        self.step = self.step.max(LONGEST_BLOCK.min(self.step * 2));
        len
    }

    fn read(&mut self, window: &Window, range: Range<u64>) -> Result<&[u8]> {
        let len = (range.end - range.start) as usize;
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        let block = &mut self.buffer[..len];
        window.read(block, range.start)?;
        Ok(block)
    }
}
