use std::io::BufRead;
use std::mem;
use std::ops::Range;

use super::code_table::{CODES, Cache, Kind, Written};
use super::read::Window;
use super::sections::{Fault, Section};
use super::{Vcdiff, VcdiffProblem};
use crate::pieces::{Piece, PieceTree, Source};
use crate::range::MAX_LEN;
use crate::view::View;
use crate::{Contents, Error, Result};

/// Copies from the old file that are shorter become added bytes: a piece takes more memory, and more of a commit.
const SHORTEST_PIECE: u64 = 32;
/// Runs that are shorter become added bytes.
const SHORTEST_FILL: u64 = 64;
/// Copies within a window that are longer repeat pieces, not bytes: a few bytes of a delta can ask for all of a window.
const REPEATED: usize = 64 << 10;
/// Most pieces that copies may be of: what they copy may be of many, and a delta is not to be trusted.
const MOST_COPIED_PIECES: u64 = 1 << 24;

/// Makes the new contents window by window.
struct Decoder<'a> {
    file: &'a mut Contents,
    before: &'a PieceTree,
    after: PieceTree,
    copied: u64,
}

/// What a window has made so far.
#[derive(Default)]
struct Made {
    /// All of it, for copies from it and for the checksum.
    bytes: Vec<u8>,
    /// How many of the bytes have pieces.
    stored: usize,
    pieces: Vec<Piece>,
}

impl Decoder<'_> {
    /// Appends what `window` makes.
    fn window(&mut self, window: &Window, made: &mut Made) -> Result<(), Fault> {
        let at_window = |problem| Fault { offset: window.offset, problem };
        made.stored = 0;
        made.bytes.clear();
        made.pieces.clear();
        let segment = self.segment(window)?;
        let segment_len = segment.end - segment.start;
        let in_target = window.source.as_ref().is_some_and(|(_, in_target)| *in_target);

        let Window { data, instructions, addresses, sections, target_len, .. } = window;
        let (data_len, code_len) = (data.len() as u64, instructions.len() as u64);
        let mut data = Section::new("data", data, *sections);
        let mut codes = Section::new("instructions", instructions, sections + data_len);
        let mut addresses = Section::new("addresses", addresses, sections + data_len + code_len);
        let mut cache = Cache::new();
        while !codes.is_empty() {
            let offset = codes.offset();
            for instruction in CODES[usize::from(codes.byte()?)] {
                if instruction.kind == Kind::Noop {
                    continue;
                }
                let size = match instruction.size {
                    0 => codes.integer()?,
                    size => u64::from(size),
                };
                let now = made.bytes.len() as u64;
                if size > target_len - now {
                    let found = now.saturating_add(size);
                    let problem = VcdiffProblem::TargetLength { expected: *target_len, found };
                    return Err(Fault { offset, problem });
                }
                match instruction.kind {
                    Kind::Noop => {}
                    Kind::Add => made.bytes.extend_from_slice(data.take(size)?),
                    Kind::Run => self.run(data.byte()?, size, made).map_err(at_window)?,
                    Kind::Copy(mode) => {
                        let here = segment_len + now;
                        let offset = addresses.offset();
                        let written = if Cache::is_byte(mode) {
                            Written::Byte(addresses.byte()?)
                        } else {
                            Written::Integer(addresses.integer()?)
                        };
                        let address = cache.address(mode, written, here);
                        let problem = VcdiffProblem::Address { here };
                        let address = address.ok_or(Fault { offset, problem })?;
                        // A copy may begin in the segment and go on in the window.
                        let first = size.min(segment_len.saturating_sub(address));
                        if first > 0 {
                            let start = segment.start + address;
                            let range = start..start + first;
                            self.copy_source(range, in_target, made).map_err(at_window)?;
                        }
                        if first < size {
                            let from = (address + first - segment_len) as usize;
                            let len = (size - first) as usize;
                            self.copy_made(from, len, made).map_err(at_window)?;
                        }
                    }
                }
            }
        }
        let found = made.bytes.len() as u64;
        if found != *target_len {
            let problem = VcdiffProblem::TargetLength { expected: *target_len, found };
            return Err(Fault { offset: codes.offset(), problem });
        }
        data.end()?;
        addresses.end()?;
        let start = self.after.len();
        if found > MAX_LEN - start {
            return Err(at_window(VcdiffProblem::TooLarge));
        }
        if window.checksum.is_some_and(|sum| sum != adler2::adler32_slice(&made.bytes)) {
            return Err(at_window(VcdiffProblem::Checksum { start, end: start + found }));
        }
        self.store(made.bytes.len(), made).map_err(at_window)?;
        self.after.splice(start..start, made.pieces.drain(..));
        Ok(())
    }

    /// The source segment, which is within what it is a range of.
    fn segment(&self, window: &Window) -> Result<Range<u64>, Fault> {
        let Some((segment, in_target)) = &window.source else { return Ok(0..0) };
        let (what, len) = match in_target {
            false => ("the old contents", self.before.len()),
            true => ("the new contents so far", self.after.len()),
        };
        let Range { start, end } = *segment;
        if end > len {
            let problem = VcdiffProblem::OutOfRange { what, start, end, len };
            return Err(Fault { offset: window.offset, problem });
        }
        Ok(start..end)
    }

    fn run(&mut self, byte: u8, count: u64, made: &mut Made) -> Result<(), VcdiffProblem> {
        let start = made.bytes.len();
        made.bytes.resize(start + count as usize, byte);
        if count >= SHORTEST_FILL {
            self.store(start, made)?;
            made.push(Piece::new(Source::Fill(byte), 0, count));
        }
        Ok(())
    }

    /// Copies bytes of the old contents or, with `in_target`, of earlier windows.
    fn copy_source(
        &mut self,
        range: Range<u64>,
        in_target: bool,
        made: &mut Made,
    ) -> Result<(), VcdiffProblem> {
        let tree = if in_target { &self.after } else { self.before };
        let (start, len) = (made.bytes.len(), range.end - range.start);
        made.bytes.resize(start + len as usize, 0);
        let view = View::new(self.file, tree);
        view.read_exact_at(&mut made.bytes[start..], range.start).map_err(content)?;
        let first = tree.range(range.clone()).next();
        let goes_on = made.stored == start
            && made.pieces.last().zip(first).is_some_and(|(last, first)| last.continues_in(first));
        if len < SHORTEST_PIECE && !goes_on {
            return Ok(());
        }
        let room = MOST_COPIED_PIECES - self.copied;
        let pieces: Vec<Piece> = tree.range(range).take(room as usize + 1).collect();
        if pieces.len() as u64 > room {
            return Err(VcdiffProblem::TooManyPieces { limit: MOST_COPIED_PIECES });
        }
        // A copy of one piece is what an instruction pays for.
        self.copied += pieces.len() as u64 - 1;
        self.store(start, made)?;
        pieces.into_iter().for_each(|piece| made.push(piece));
        Ok(())
    }

    /// Copies bytes that this window has made, or is about to make: the copy may reach into itself.
    fn copy_made(&mut self, from: usize, len: usize, made: &mut Made) -> Result<(), VcdiffProblem> {
        let start = made.bytes.len();
        let mut done = 0;
        while done < len {
            // What was copied is copied along, so that each round has twice as much.
            let count = (len - done).min(made.bytes.len() - from);
            made.bytes.extend_from_within(from..from + count);
            done += count;
        }
        let period = start - from;
        if len < REPEATED || period >= len {
            return Ok(());
        }
        if period == 1 {
            self.store(start, made)?;
            made.push(Piece::new(Source::Fill(made.bytes[from]), 0, len as u64));
            return Ok(());
        }
        // A block of whole periods is stored once, and then named again and again.
        let block = (period * REPEATED.div_ceil(period)).min(len);
        self.store(start + block, made)?;
        let stored = made.pieces.last().copied().filter(|last| last.len >= block as u64);
        let Some(last) = stored else { return Ok(()) };
        let block = last.slice(last.len - block as u64, last.len);
        let mut rest = made.bytes.len() - made.stored;
        while rest > 0 {
            let count = (block.len as usize).min(rest);
            made.pieces.push(block.slice(0, count as u64));
            rest -= count;
        }
        made.stored = made.bytes.len();
        Ok(())
    }

    /// Takes the bytes up to `end` into the store, as far as they have no piece.
    fn store(&mut self, end: usize, made: &mut Made) -> Result<(), VcdiffProblem> {
        if made.stored == end {
            return Ok(());
        }
        let bytes = &made.bytes[made.stored..end];
        let address = self.file.added.append(bytes);
        let address = address.map_err(|error| content(self.file.not_added(error)))?;
        made.push(Piece::new(Source::Added, address, bytes.len() as u64));
        Ok(())
    }
}

impl Made {
    /// Gives the next bytes a piece.
    fn push(&mut self, piece: Piece) {
        self.stored += piece.len as usize;
        match self.pieces.last_mut() {
            Some(last) if last.continues_in(piece) => last.len += piece.len,
            _ => self.pieces.push(piece),
        }
    }
}

fn content(error: Error) -> VcdiffProblem {
    VcdiffProblem::Content(error.into())
}

/// Deltas in VCDIFF.
impl Contents {
    /// Makes the contents those that a delta makes of them, or fails and leaves them as they are. Says how many windows
    /// the delta has.
    ///
    /// The delta is read window by window. What it copies from the contents becomes pieces of them; their bytes are read
    /// once, for the checksum. In memory are the piece tree, of the new bytes what the memory limit allows, and one
    /// window: up to 64 MiB that it makes, and up to 128 MiB that it holds. O(n log n) in instructions, and the bytes.
    ///
    /// # Errors
    /// [`Error::Vcdiff`], with the offset in the delta and what is wrong; nothing was changed then. [`Error::Poisoned`].
    ///
    /// # Examples
    /// See [`Vcdiff`].
    pub fn apply_vcdiff<R: BufRead>(&mut self, mut delta: Vcdiff<R>) -> Result<u64> {
        self.check_usable()?;
        let before = self.tree.clone();
        let added = self.added.len();
        let mut decoder =
            Decoder { file: self, before: &before, after: PieceTree::new(), copied: 0 };
        let outcome = decoder.all(&mut delta).map_err(|fault| delta.error(fault));
        let after = mem::take(&mut decoder.after);
        match outcome {
            // One step of the history.
            Ok(_) => self.put_tree(0..before.len(), after),
            Err(_) => self.added.forget_from(added),
        }
        outcome
    }
}

impl Decoder<'_> {
    fn all<R: BufRead>(&mut self, delta: &mut Vcdiff<R>) -> Result<u64, Fault> {
        let mut count = 0;
        let mut made = Made::default();
        while let Some(window) = delta.next_window()? {
            self.window(&window, &mut made)?;
            count += 1;
        }
        Ok(count)
    }
}
