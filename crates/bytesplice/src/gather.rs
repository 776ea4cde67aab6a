use std::io::{self, IoSliceMut};
use std::ops::Range;

use crate::pieces::{Piece, Source};
use crate::{Contents, Result};

/// Bytes between two pieces of the original that are rather read along and forgotten than skipped: a call costs as much as
/// the copy of some 4 KiB.
const SKIPPED: u64 = 4 << 10;
/// Bytes that one call may read along.
const SKIPPED_AT_ONCE: u64 = 32 << 10;
/// Buffers that one call may fill: the least limit of the systems there are (`IOV_MAX`).
const BUFFERS: usize = 1024;

/// Pieces that begin in so many bytes each, on average, are read with all that is between them and then copied: filling
/// a buffer more costs a call as much.
const DENSE: u64 = 512;
/// Bytes that are read at once to be copied.
const COPIED_AT_ONCE: u64 = 256 << 10;

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

impl Contents {
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
        if run.is_dense() {
            let mut bytes = vec![0; (end - start) as usize];
            if let Err(error) = self.original.read_exact_at(&mut bytes, start) {
                return self.read_again(error, run, buffer);
            }
            let mut rest = &bytes[..];
            for (place, skipped) in &run.places {
                let (now, later) = rest[*skipped..].split_at(place.len());
                buffer[place.clone()].copy_from_slice(now);
                rest = later;
            }
            return Ok(());
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
        match self.original.read_vectored_at(&mut buffers, start) {
            Ok(()) => Ok(()),
            Err(error) => self.read_again(error, run, buffer),
        }
    }

    /// The slow way, which can say what is wrong with which bytes. What is not read by the system, but fetched, has its own
    /// say, and may take as long to fail again.
    fn read_again(&self, error: io::Error, run: &Run, buffer: &mut [u8]) -> Result<()> {
        if error.get_ref().is_some() {
            return Err(self.not_read(run.range.clone(), error));
        }
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
        if self.places.is_empty() {
            return false;
        }
        let Some(skipped) = piece.offset.checked_sub(self.range.end) else { return false };
        // Two buffers a piece.
        let fits = 2 * self.places.len() + 2 <= BUFFERS
            && self.skipped as u64 + skipped <= SKIPPED_AT_ONCE;
        let end = piece.offset + piece.len;
        skipped <= SKIPPED && (fits || self.is_dense() && self.would_be_dense(end))
    }

    /// Whether it is better read as a whole.
    fn is_dense(&self) -> bool {
        self.would_be_dense(self.range.end)
    }

    fn would_be_dense(&self, end: u64) -> bool {
        let len = end - self.range.start;
        len <= COPIED_AT_ONCE && len <= DENSE * self.places.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{Error, OpenOptions, Original, SpliceFile};

    /// Bytes that cannot be fetched, and how often that was tried.
    #[derive(Debug, Default)]
    struct Unreachable(AtomicUsize);

    impl Original for Unreachable {
        fn len(&self) -> u64 {
            100_000
        }

        fn read_exact_at(&self, buffer: &mut [u8], _: u64) -> io::Result<()> {
            if buffer.is_empty() {
                return Ok(());
            }
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(io::Error::other("nobody answers"))
        }

        fn change(&self) -> Option<String> {
            None
        }
    }

    #[test]
    fn what_cannot_be_fetched_is_not_tried_twice() {
        for distance in [10, 1000] {
            let original = Arc::new(Unreachable::default());
            let contents = Contents::new("far".into(), original.clone(), &OpenOptions::new());
            let pieces = (5..50).map(|number| Piece::new(Source::Original, distance * number, 9));
            let outcome = contents.gather(pieces, &mut [0; 45 * 9]);
            assert!(
                matches!(outcome, Err(Error::Io { offset, .. }) if offset == 5 * distance),
                "{outcome:?}"
            );
            assert_eq!(original.0.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn runs_end_where_a_call_can_take_no_more() {
        let bytes: Vec<u8> = (0..600_000_u32).map(|number| (number * 7 / 5) as u8).collect();
        let target = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(target.path(), &bytes).unwrap();
        let file = SpliceFile::open(target.path()).unwrap();
        // Pieces of this length, and how far it is from the beginning of one to that of the next.
        for (len, distance) in [(3, 3), (3, 4), (100, 100 + SKIPPED), (100, 101 + SKIPPED), (9, 0)]
        {
            let count = 590_000_u64.checked_div(distance).unwrap_or(2000);
            let offsets = (0..count).map(|number| number * distance);
            let pieces = offsets.clone().flat_map(|offset| {
                [Piece::new(Source::Original, offset, len), Piece::new(Source::Fill(b'-'), 0, 2)]
            });
            let expected: Vec<u8> = offsets
                .flat_map(|offset| [&bytes[offset as usize..][..len as usize], b"--"].concat())
                .collect();
            let mut found = vec![0; expected.len()];
            file.gather(pieces.clone(), &mut found).unwrap();
            assert!(found == expected, "{len} {distance}");
        }
        target.as_file().set_len(500_000).unwrap();
        let pieces = (0..60_000).map(|number| Piece::new(Source::Original, 10 * number, 9));
        let outcome = file.gather(pieces, &mut vec![0; 540_000]);
        assert!(matches!(outcome, Err(Error::Changed { .. })), "{outcome:?}");
    }
}
