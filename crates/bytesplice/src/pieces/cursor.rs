use std::iter::FusedIterator;
use std::ops::Range;
use std::slice;

use super::Piece;
use super::node::{MAX_HEIGHT, Node, Subtree};

/// The pieces of a range in order, the first and the last clipped to it.
///
/// Starts in O(log n), goes on in O(1) amortised, and never allocates.
#[derive(Clone, Debug)]
pub(crate) struct Pieces<'a> {
    /// By height less 1: the children still to come of the inner node under visit.
    children: [slice::Iter<'a, Subtree>; MAX_HEIGHT],
    /// Height of the tree.
    height: usize,
    /// The pieces still to come of the leaf under visit.
    leaf: slice::Iter<'a, Piece>,
    /// Bytes of the next piece that lie before the range.
    skip: u64,
    /// Bytes of the range still to come.
    remaining: u64,
}

impl<'a> Pieces<'a> {
    /// `range` lies within the tree; no root means no pieces.
    pub(super) fn new(root: Option<&'a Subtree>, range: Range<u64>) -> Self {
        let mut pieces = Self {
            children: std::array::from_fn(|_| slice::Iter::default()),
            height: 0,
            leaf: slice::Iter::default(),
            skip: 0,
            remaining: range.end - range.start,
        };
        if let Some(root) = root.filter(|_| pieces.remaining > 0) {
            pieces.height = root.height();
            pieces.skip = range.start;
            pieces.descend(root);
            while let Some(piece) = pieces.leaf.as_slice().first()
                && piece.len <= pieces.skip
            {
                pieces.skip -= piece.len;
                pieces.leaf.next();
            }
        }
        pieces
    }

    /// Goes down to the leaf that holds the byte `skip` of `tree`.
    fn descend(&mut self, mut tree: &'a Subtree) {
        loop {
            match &tree.node {
                Node::Leaf(leaf) => {
                    self.leaf = leaf.iter();
                    return;
                }
                Node::Inner(inner) => {
                    let (index, start) = inner.child_at(self.skip);
                    self.skip -= start;
                    self.children[inner.height - 1] = inner.children[index + 1..].iter();
                    tree = &inner.children[index];
                }
            }
        }
    }

    fn next_leaf(&mut self) -> Option<()> {
        let next = self.children[..self.height].iter_mut().find_map(Iterator::next)?;
        self.descend(next);
        Some(())
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.remaining == 0 {
            return None;
        }
        let piece = loop {
            match self.leaf.next() {
                Some(piece) => break piece,
                None => self.next_leaf()?,
            }
        };
        let end = piece.len.min(self.skip + self.remaining);
        let clipped = piece.slice(self.skip, end);
        self.skip = 0;
        self.remaining -= clipped.len;
        Some(clipped)
    }
}

impl FusedIterator for Pieces<'_> {}
