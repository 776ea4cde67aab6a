use std::io;

use super::payload::Literals;
use crate::pieces::{Piece, Source};

/// Reads bytes of any source of pieces.
pub(crate) trait Sources: Sync {
    /// Fills the buffer from `offset` of `source` on. A fill has no offsets.
    fn read_exact_at(&self, source: Source, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// The literals of a plan, read from the sources of their pieces. Only right as long as nothing was written to the
/// target: pieces may lie there.
pub(crate) struct PieceLiterals<'a, S> {
    pieces: &'a [Piece],
    /// Where among the literals each piece starts.
    starts: Vec<u64>,
    sources: &'a S,
}

impl<'a, S: Sources> PieceLiterals<'a, S> {
    /// The literals that `pieces` make up, one after the other.
    pub fn new(pieces: &'a [Piece], sources: &'a S) -> Self {
        let mut position = 0;
        let starts = pieces
            .iter()
            .map(|piece| {
                let start = position;
                position += piece.len;
                start
            })
            .collect();
        Self { pieces, starts, sources }
    }
}

impl<S: Sources> Literals for PieceLiterals<'_, S> {
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        let mut index = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        while !buffer.is_empty() {
            let piece = self.pieces.get(index).ok_or(io::ErrorKind::UnexpectedEof)?;
            let skipped = offset - self.starts[index];
            let len = (piece.len - skipped).min(buffer.len() as u64);
            let (part, rest) = buffer.split_at_mut(len as usize);
            self.sources.read_exact_at(piece.source, part, piece.offset + skipped)?;
            buffer = rest;
            offset += len;
            index += 1;
        }
        Ok(())
    }
}
