use std::io::Write;
use std::ops::Range;
use std::path::Path;

use super::{Checks, OldBytes, ScriptContent, ScriptEdit, ScriptWriter};
use crate::Result;
use crate::commit::order::kept_in_order;
use crate::pieces::{Piece, Source};

/// Most bytes in one edit, new or old: longer ones become several edits, so that a line is never long.
const MOST_BYTES: u64 = 768 << 10;

/// Where the bytes of a description come from.
pub(crate) trait Supply {
    /// Fills `buffer` with the bytes of `piece`, which is none of the old file.
    fn read_new(&self, buffer: &mut [u8], piece: Piece) -> Result<()>;

    /// Fills `buffer` with bytes of the old file; false if nobody knows them.
    fn read_old(&self, buffer: &mut [u8], offset: u64) -> Result<bool>;

    /// The other file that `piece` is a range of, if a script is to name it.
    fn path_of(&self, _piece: Piece) -> Option<&Path> {
        None
    }
}

/// Writes the edits that turn a file of `old_len` bytes, of which `Source::Original` pieces are, into `pieces`.
/// O(n log n), and the bytes that are not of the old file.
pub(crate) fn describe<W: Write>(
    pieces: &[Piece],
    old_len: u64,
    supply: &impl Supply,
    checks: Checks,
    out: &mut ScriptWriter<W>,
) -> Result<()> {
    let kept = kept_in_order(pieces.iter().copied());
    let mut at = 0;
    let mut first = 0;
    for (index, piece) in pieces.iter().enumerate() {
        if kept[index] {
            let gap = Gap { removed: at..piece.offset, supply, checks, out, bytes: Vec::new() };
            gap.write(&pieces[first..index])?;
            at = piece.offset + piece.len;
            first = index + 1;
        }
    }
    let gap = Gap { removed: at..old_len, supply, checks, out, bytes: Vec::new() };
    gap.write(&pieces[first..])
}

/// What lies between two pieces that stay.
struct Gap<'a, S, W> {
    /// The old bytes that no edit has removed yet.
    removed: Range<u64>,
    supply: &'a S,
    checks: Checks,
    out: &'a mut ScriptWriter<W>,
    /// New bytes that no edit has yet.
    bytes: Vec<u8>,
}

impl<S: Supply, W: Write> Gap<'_, S, W> {
    fn write(mut self, pieces: &[Piece]) -> Result<()> {
        for &piece in pieces {
            let range = piece.offset..piece.offset + piece.len;
            match piece.source {
                Source::Original => self.put(ScriptContent::Copy(range))?,
                // A few bytes are shorter as they are.
                Source::Fill(byte) if piece.len > 16 => {
                    self.put(ScriptContent::Fill(byte, piece.len))?;
                }
                _ => match self.supply.path_of(piece) {
                    Some(path) if path.to_str().is_some() => {
                        self.put(ScriptContent::File(path.into(), Some(range)))?;
                    }
                    _ => self.put_bytes(piece)?,
                },
            }
        }
        self.put_rest()?;
        while !self.removed.is_empty() {
            self.edit(ScriptContent::Bytes(Vec::new()))?;
        }
        Ok(())
    }

    fn put(&mut self, content: ScriptContent) -> Result<()> {
        self.put_rest()?;
        self.edit(content)
    }

    fn put_bytes(&mut self, piece: Piece) -> Result<()> {
        let mut done = 0;
        while done < piece.len {
            let have = self.bytes.len();
            let count = (piece.len - done).min(MOST_BYTES - have as u64);
            self.bytes.resize(have + count as usize, 0);
            let part = piece.slice(done, done + count);
            self.supply.read_new(&mut self.bytes[have..], part)?;
            done += count;
            if self.bytes.len() as u64 == MOST_BYTES {
                self.put_rest()?;
            }
        }
        Ok(())
    }

    fn put_rest(&mut self) -> Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes);
        self.edit(ScriptContent::Bytes(bytes))
    }

    /// Writes one edit, which removes as much as it may.
    fn edit(&mut self, content: ScriptContent) -> Result<()> {
        let Range { start, end } = self.removed;
        let end = match self.checks {
            Checks::Whole => end.min(start + MOST_BYTES),
            Checks::None | Checks::Checksum => end,
        };
        let old = if start == end { None } else { self.old_bytes(start..end)? };
        self.removed.start = end;
        self.out.edit(&ScriptEdit { range: start..end, content, old })
    }

    fn old_bytes(&self, range: Range<u64>) -> Result<Option<OldBytes>> {
        if self.checks == Checks::None {
            return Ok(None);
        }
        let mut buffer = vec![0; (range.end - range.start).min(MOST_BYTES) as usize];
        let mut checksum = crc32fast::Hasher::new();
        let mut at = range.start;
        while at < range.end {
            let count = (range.end - at).min(MOST_BYTES) as usize;
            if !self.supply.read_old(&mut buffer[..count], at)? {
                return Ok(None);
            }
            checksum.update(&buffer[..count]);
            at += count as u64;
        }
        Ok(Some(match self.checks {
            Checks::Whole => OldBytes::Bytes(buffer),
            _ => OldBytes::Checksum(checksum.finalize()),
        }))
    }
}
