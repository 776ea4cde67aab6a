use std::mem::size_of;
use std::ops::Range;

use crate::pieces::{Piece, PieceTree};

/// How to take back one edit.
#[derive(Debug)]
pub(crate) struct Step {
    /// Whether it is undone and redone together with the step before it.
    pub joined: bool,
    /// The inverse edit.
    pub edit: Inverse,
}

/// An inverse edit. Offsets are those of the contents right after the edit that it takes back.
#[derive(Debug)]
pub(crate) enum Inverse {
    /// Replace the `len` bytes from `start` on by what was there.
    Splice {
        /// Offset of the first byte that was put in.
        start: u64,
        /// Number of bytes that were put in.
        len: u64,
        /// What they replaced.
        removed: Removed,
    },
    /// Replace the bytes from `start` on by these, which were overwritten.
    Overwrite {
        /// Offset of the first byte.
        start: u64,
        /// The bytes.
        old: Box<[u8]>,
    },
}

/// Pieces taken out of the contents.
#[derive(Debug, Clone)]
pub(crate) enum Removed {
    /// None: bytes were inserted.
    Nothing,
    /// One, as most often.
    One(Piece),
    /// A few: a node of a tree would be larger.
    Few(Box<[Piece]>),
    /// Any number, in nodes that may be shared with other trees.
    Many(PieceTree),
}

impl Step {
    /// Bytes of memory that this takes, about.
    pub fn memory(&self) -> u64 {
        let behind = match &self.edit {
            Inverse::Splice { removed, .. } => removed.memory(),
            // With what the allocator adds.
            Inverse::Overwrite { old, .. } => (old.len() as u64 + 8).next_multiple_of(16).max(32),
        };
        size_of::<Self>() as u64 + behind
    }
}

impl Step {
    /// Exchanges the pieces to put back for others with the same bytes.
    pub fn set_removed(&mut self, pieces: Removed) {
        if let Inverse::Splice { removed, .. } = &mut self.edit {
            *removed = pieces;
        }
    }
}

impl Removed {
    /// The pieces of `range`. O(log n).
    pub fn capture(tree: &PieceTree, range: Range<u64>) -> Self {
        const FEW: usize = 16;
        let mut pieces = tree.range(range.clone());
        let (Some(first), second) = (pieces.next(), pieces.next()) else { return Self::Nothing };
        let Some(second) = second else { return Self::One(first) };
        let few: Vec<Piece> =
            [first, second].into_iter().chain(pieces.by_ref().take(FEW)).collect();
        if pieces.next().is_none() { Self::Few(few.into()) } else { Self::Many(tree.slice(range)) }
    }

    /// The same for pieces from elsewhere.
    pub fn new(pieces: Vec<Piece>) -> Self {
        let tree = PieceTree::from_pieces(pieces);
        Self::capture(&tree, 0..tree.len())
    }

    /// Number of bytes of the contents.
    pub fn len(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::One(piece) => piece.len,
            Self::Few(pieces) => pieces.iter().map(|piece| piece.len).sum(),
            Self::Many(tree) => tree.len(),
        }
    }

    /// Puts the pieces into `tree` in the place of `range`. O(log n).
    pub fn put_back(self, tree: &mut PieceTree, range: Range<u64>) {
        match self {
            Self::Nothing => tree.splice(range, []),
            Self::One(piece) => tree.splice(range, [piece]),
            Self::Few(pieces) => tree.splice(range, pieces),
            Self::Many(pieces) => tree.splice_tree(range, pieces),
        }
    }

    /// The pieces in order.
    pub fn pieces(&self) -> Box<dyn Iterator<Item = Piece> + '_> {
        match self {
            Self::Nothing => Box::new(std::iter::empty()),
            Self::One(piece) => Box::new(std::iter::once(*piece)),
            Self::Few(pieces) => Box::new(pieces.iter().copied()),
            Self::Many(tree) => Box::new(tree.iter()),
        }
    }

    fn memory(&self) -> u64 {
        match self {
            Self::Nothing | Self::One(_) => 0,
            Self::Few(pieces) => size_of_val(&**pieces) as u64 + 16,
            Self::Many(tree) => tree.approximate_memory(),
        }
    }
}
