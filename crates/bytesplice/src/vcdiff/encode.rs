use std::io::Write;
use std::ops::Range;

use super::code_table::{self, Cache, Kind, Written};
use super::{CHECKSUM, FROM_SOURCE, VcdiffWriter, integer};
use crate::pieces::{Piece, Source};
use crate::script::{Forward, Supply};
use crate::{Contents, Result};

/// Bytes that a window makes: as many as those of xdelta3, which refuses more than twice as many.
const WINDOW: u64 = 8 << 20;
/// Bytes of the old file from the first to the last that a window copies: as many as xdelta3 keeps in memory.
const SEGMENT: u64 = 64 << 20;
/// Most instructions of a window, for the memory.
const MOST_INSTRUCTIONS: usize = 1 << 18;
/// Copies that are shorter are written as bytes.
const SHORTEST_COPY: u64 = 8;
/// Runs of one byte that are shorter are written as bytes.
const SHORTEST_RUN: u64 = 16;
/// Bytes that are read at once.
const STEP: u64 = 256 << 10;

/// A window that is being made.
#[derive(Default)]
struct Window {
    instructions: Vec<Instruction>,
    data: Vec<u8>,
    /// What the copies are within, in the old file.
    segment: Range<u64>,
    len: u64,
    checksum: adler2::Adler32,
}

/// Makes the next bytes of the window.
enum Instruction {
    /// So many bytes of the data section.
    Add(u64),
    /// One of them, so many times.
    Run(u64),
    /// These bytes of the old file.
    Copy(Range<u64>),
}

/// Writes the delta that turns the file that `Source::Original` pieces are of into `pieces`. O(bytes of the pieces): all
/// are read, for the checksums.
pub(crate) fn encode<W: Write>(
    pieces: impl IntoIterator<Item = Piece>,
    supply: &impl Supply,
    out: &mut VcdiffWriter<W>,
) -> Result<()> {
    out.header()?;
    let mut window = Window::default();
    let mut buffer = Vec::new();
    for piece in pieces {
        let mut done = 0;
        while done < piece.len {
            let rest = piece.slice(done, piece.len);
            let room = window.room(rest);
            if room == 0 {
                window.write(out)?;
                continue;
            }
            let part = rest.slice(0, rest.len.min(room).min(STEP));
            window.put(part, supply, &mut buffer)?;
            done += part.len;
        }
    }
    // xdelta3 wants one window at least.
    if window.len > 0 || out.windows() == 0 { window.write(out) } else { Ok(()) }
}

impl Window {
    /// How many of the bytes of `piece` may come in.
    fn room(&self, piece: Piece) -> u64 {
        if self.instructions.len() >= MOST_INSTRUCTIONS {
            return 0;
        }
        let room = WINDOW - self.len;
        if piece.source != Source::Original || self.segment.is_empty() {
            return room;
        }
        // A segment reaches from the first to the last byte that is copied.
        let most = if piece.offset >= self.segment.start {
            (self.segment.start + SEGMENT).saturating_sub(piece.offset)
        } else if self.segment.end - piece.offset <= SEGMENT {
            SEGMENT
        } else {
            0
        };
        room.min(most)
    }

    fn put(&mut self, part: Piece, supply: &impl Supply, buffer: &mut Vec<u8>) -> Result<()> {
        buffer.resize(part.len as usize, 0);
        match part.source {
            Source::Original => drop(supply.read_old(buffer, part.offset)?),
            _ => supply.read_new(buffer, part)?,
        }
        self.checksum.write_slice(buffer);
        self.len += part.len;
        let goes_on = matches!(self.instructions.last(), Some(Instruction::Copy(last))
            if part.source == Source::Original && last.end == part.offset);
        match part.source {
            Source::Original if goes_on || part.len >= SHORTEST_COPY => self.copy(part),
            Source::Fill(byte) if part.len >= SHORTEST_RUN => {
                self.data.push(byte);
                self.instructions.push(Instruction::Run(part.len));
            }
            _ => {
                self.data.extend_from_slice(buffer);
                match self.instructions.last_mut() {
                    Some(Instruction::Add(count)) => *count += part.len,
                    _ => self.instructions.push(Instruction::Add(part.len)),
                }
            }
        }
        Ok(())
    }

    fn copy(&mut self, part: Piece) {
        let range = part.offset..part.offset + part.len;
        self.segment = if self.segment.is_empty() {
            range.clone()
        } else {
            self.segment.start.min(range.start)..self.segment.end.max(range.end)
        };
        match self.instructions.last_mut() {
            Some(Instruction::Copy(last)) if last.end == range.start => last.end = range.end,
            _ => self.instructions.push(Instruction::Copy(range)),
        }
    }

    /// Writes the window, and begins the next one.
    fn write<W: Write>(&mut self, out: &mut VcdiffWriter<W>) -> Result<()> {
        let window = std::mem::take(self);
        let Range { start, end } = window.segment;
        let (mut codes, mut addresses) = (Vec::new(), Vec::new());
        let mut cache = Cache::new();
        let mut here = end - start;
        for instruction in &window.instructions {
            let (kind, size) = match instruction {
                Instruction::Add(count) => (Kind::Add, *count),
                Instruction::Run(count) => (Kind::Run, *count),
                Instruction::Copy(range) => {
                    let (mode, written) = cache.write(range.start - start, here);
                    match written {
                        Written::Integer(value) => integer::write(value, &mut addresses),
                        Written::Byte(byte) => addresses.push(byte),
                    }
                    (Kind::Copy(mode), range.end - range.start)
                }
            };
            code_table::write(kind, size, &mut codes);
            here += size;
        }
        let mut lengths = Vec::new();
        integer::write(window.len, &mut lengths);
        // No section is compressed once more.
        lengths.push(0);
        for section in [&window.data, &codes, &addresses] {
            integer::write(section.len() as u64, &mut lengths);
        }
        lengths.extend_from_slice(&window.checksum.checksum().to_be_bytes());
        let mut head = Vec::new();
        if start < end {
            head.push(FROM_SOURCE | CHECKSUM);
            integer::write(end - start, &mut head);
            integer::write(start, &mut head);
        } else {
            head.push(CHECKSUM);
        }
        let sections = window.data.len() + codes.len() + addresses.len();
        integer::write((lengths.len() + sections) as u64, &mut head);
        out.window([&head, &lengths, &window.data, &codes, &addresses])
    }
}

/// Deltas in VCDIFF.
impl Contents {
    /// Writes the pending edits as a delta that turns the file, as it is on the disk, into the current contents. All of
    /// those are read, for the checksums; in memory is one window of 8 MiB.
    ///
    /// # Errors
    /// [`Error::Vcdiff`](crate::Error::Vcdiff) if it cannot be written; else as for [`read_at`](Self::read_at).
    ///
    /// # Examples
    /// See [`Vcdiff`](crate::Vcdiff).
    pub fn write_vcdiff<W: Write>(&self, out: &mut VcdiffWriter<W>) -> Result<()> {
        self.check_usable()?;
        encode(self.tree.iter(), &Forward(self), out)
    }
}
