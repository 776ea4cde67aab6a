use std::io::IoSliceMut;
use std::ops::Range;

use rustix::io::{Errno, preadv};

use crate::pieces::{Piece, Source};
use crate::{Result, SpliceFile};

/// Bytes between two pieces of the original that are rather read along and forgotten than skipped: a call costs as much as
/// the copy of some 4 KiB.
const SKIPPED: u64 = 4 << 10;
/// Bytes that one call may read along.
const SKIPPED_AT_ONCE: usize = 32 << 10;
/// Buffers that one call may fill: the least limit of the systems there are (`IOV_MAX`).
const BUFFERS: usize = 1024;

/// Pieces of the original that follow each other closely in the file, though not in the contents.
#[derive(Default)]
struct Run {
    /// Offset in the file of the first byte, and behind the last.
    range: Range<u64>,
    /// Where the bytes go in the buffer, and how many bytes of the file come before them that are not wanted.
    places: Vec<(Range<usize>, usize)>,
    /// All of those.
    skipped: usize,
}

impl SpliceFile {
    /// Fills `buffer` with the bytes of `pieces`, which are as long. Pieces of the original that lie near each other in the
    /// file are read by one call: edits in many places leave the file in many pieces.
    pub(crate) fn gather(
        &self,
        pieces: impl Iterator<Item = Piece>,
        buffer: &mut [u8],
    ) -> Result<()> {
        let mut run = Run::default();
        let mut at = 0;
        for piece in pieces {
            let place = at..at + piece.len as usize;
            at = place.end;
            if piece.source != Source::Original {
                self.read_piece(&mut buffer[place], piece)?;
                continue;
            }
            if !run.takes(piece) {
                self.read_run(&run, buffer)?;
                run.places.clear();
                (run.range, run.skipped) = (piece.offset..piece.offset, 0);
            }
            let skipped = (piece.offset - run.range.end) as usize;
            run.places.push((place, skipped));
            run.skipped += skipped;
            run.range.end = piece.offset + piece.len;
        }
        self.read_run(&run, buffer)
    }

    fn read_run(&self, run: &Run, buffer: &mut [u8]) -> Result<()> {
        let Range { start, end } = run.range;
        if let [(place, _)] = &run.places[..] {
            let piece = Piece::new(Source::Original, start, end - start);
            return self.read_piece(&mut buffer[place.clone()], piece);
        }
        let mut unwanted = vec![0; run.skipped];
        let (mut unwanted, mut rest) = (&mut unwanted[..], &mut *buffer);
        let mut buffers = Vec::with_capacity(2 * run.places.len());
        let mut at = 0;
        for (place, skipped) in &run.places {
            if *skipped > 0 {
                let (now, later) = unwanted.split_at_mut(*skipped);
                buffers.push(IoSliceMut::new(now));
                unwanted = later;
            }
            let (now, later) = rest[place.start - at..].split_at_mut(place.len());
            buffers.push(IoSliceMut::new(now));
            (rest, at) = (later, place.end);
        }
        let (mut buffers, mut offset) = (&mut buffers[..], start);
        while !buffers.is_empty() {
            match preadv(&**self.original.file(), buffers, offset) {
                Ok(count) if count > 0 => {
                    offset += count as u64;
                    IoSliceMut::advance_slices(&mut buffers, count);
                }
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return self.read_one_by_one(run, buffer),
            }
        }
        Ok(())
    }

    /// The slow way, which can say what is wrong with which bytes.
    fn read_one_by_one(&self, run: &Run, buffer: &mut [u8]) -> Result<()> {
        let mut offset = run.range.start;
        for (place, skipped) in &run.places {
            offset += *skipped as u64;
            let piece = Piece::new(Source::Original, offset, place.len() as u64);
            self.read_piece(&mut buffer[place.clone()], piece)?;
            offset += place.len() as u64;
        }
        Ok(())
    }
}

impl Run {
    /// Whether one call can read the piece as well.
    fn takes(&self, piece: Piece) -> bool {
        !self.places.is_empty()
            // Two buffers a piece.
            && 2 * self.places.len() + 2 <= BUFFERS
            && piece.offset.checked_sub(self.range.end).is_some_and(|skipped| {
                skipped <= SKIPPED && self.skipped + skipped as usize <= SKIPPED_AT_ONCE
            })
    }
}
