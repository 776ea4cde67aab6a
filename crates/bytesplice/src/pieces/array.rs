use std::fmt;
use std::ops::{Deref, Range};

use super::{Piece, Source};

/// Up to `CAPACITY` pieces without an allocation of their own.
#[derive(Clone)]
pub(super) struct PieceArray<const CAPACITY: usize> {
    count: usize,
    pieces: [Piece; CAPACITY],
}

impl<const CAPACITY: usize> PieceArray<CAPACITY> {
    pub fn new() -> Self {
        let unused = Piece { source: Source::Original, offset: 0, len: 0 };
        Self { count: 0, pieces: [unused; CAPACITY] }
    }

    pub fn is_full(&self) -> bool {
        self.count == CAPACITY
    }

    /// Number of bytes in all pieces.
    pub fn bytes(&self) -> u64 {
        self.iter().map(|piece| piece.len).sum()
    }

    /// Adds a piece at the end. There must be room.
    pub fn push(&mut self, piece: Piece) {
        self.pieces[self.count] = piece;
        self.count += 1;
    }

    /// Adds pieces at the end. There must be room.
    pub fn extend(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        pieces.into_iter().for_each(|piece| self.push(piece));
    }

    pub fn truncate(&mut self, count: usize) {
        self.count = self.count.min(count);
    }

    /// Replaces the pieces of `window`. There must be room.
    pub fn splice(&mut self, window: Range<usize>, with: &[Piece]) {
        let tail = window.start + with.len();
        self.pieces.copy_within(window.end..self.count, tail);
        self.pieces[window.start..tail].copy_from_slice(with);
        self.count = self.count - window.len() + with.len();
    }
}

impl<const CAPACITY: usize> Deref for PieceArray<CAPACITY> {
    type Target = [Piece];

    fn deref(&self) -> &[Piece] {
        &self.pieces[..self.count]
    }
}

impl<const CAPACITY: usize> fmt::Debug for PieceArray<CAPACITY> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}
