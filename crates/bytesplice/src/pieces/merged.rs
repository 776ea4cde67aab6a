use std::iter::Fuse;
use std::mem;

use super::Piece;

/// The same bytes in as few pieces as possible: no empty ones, no two that could be one.
pub(super) struct Merged<I: Iterator<Item = Piece>> {
    pieces: Fuse<I>,
    /// Read already, and perhaps to be continued by the next piece.
    pending: Option<Piece>,
}

impl<I: Iterator<Item = Piece>> Merged<I> {
    pub fn new(pieces: impl IntoIterator<IntoIter = I>) -> Self {
        Self { pieces: pieces.into_iter().fuse(), pending: None }
    }
}

impl<I: Iterator<Item = Piece>> Iterator for Merged<I> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        for piece in self.pieces.by_ref().filter(|piece| piece.len > 0) {
            match &mut self.pending {
                None => self.pending = Some(piece),
                Some(last) if last.continues_in(piece) => last.len += piece.len,
                Some(last) => return Some(mem::replace(last, piece)),
            }
        }
        self.pending.take()
    }
}
