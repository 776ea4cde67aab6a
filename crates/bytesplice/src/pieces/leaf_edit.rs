//! The fast way of a splice: a range within one leaf, replaced by few pieces, in place.
//!
//! First the tree is only read: down to the leaf, remembering the path, to see whether the edit
//! fits this way. Then the same path is walked again to write, correcting the counts. Nothing is
//! allocated unless a node is cut in two, or is shared with a snapshot.
use std::ops::Range;
use std::sync::Arc;

use super::array::PieceArray;
use super::merged::Merged;
use super::node::{CAPACITY, Inner, Leaf, MAX_HEIGHT, Node, Subtree};
use super::{Piece, PieceTree};

/// Most new pieces on this way. With the two neighbours they must fit beside a full leaf in two.
pub(super) const FEW: usize = if CAPACITY < 8 { CAPACITY / 2 } else { 4 };

/// What changes in one leaf.
pub(super) struct LeafEdit {
    /// Indices to follow from the root, by the height of the inner node, less 1.
    path: [u8; MAX_HEIGHT],
    /// The pieces of the leaf to be replaced: those in the range, and the neighbours it touches.
    window: Range<usize>,
    /// Their replacement.
    pieces: PieceArray<{ FEW + 2 }>,
    /// Number of bytes removed from the contents.
    removed: u64,
    /// Number of bytes added to the contents.
    added: u64,
}

impl LeafEdit {
    /// How to replace `range` by at most [`FEW`] merged pieces, or `None` if that concerns more
    /// than one leaf.
    pub fn plan(tree: &PieceTree, range: &Range<u64>, pieces: &[Piece]) -> Option<Self> {
        let root = tree.root()?;
        let mut path = [0; MAX_HEIGHT];
        let mut node = root;
        let mut start = 0;
        // An insertion between two leaves goes to the left one: there typing goes on. For the same
        // reason the offset looked for is that of the byte before.
        let near = if range.is_empty() { range.start.saturating_sub(1) } else { range.start };
        let leaf = loop {
            match &node.node {
                Node::Leaf(leaf) => break leaf,
                Node::Inner(inner) => {
                    let (index, before) = inner.child_at(near - start);
                    path[inner.height - 1] = index as u8;
                    start += before;
                    node = &inner.children[index];
                }
            }
        };
        let end = start + node.len;
        if range.end > end {
            return None;
        }
        let window = Window::find(leaf, range.start - start..range.end - start);
        let mut replacement = PieceArray::new();
        replacement.extend(Merged::new(
            window.before.into_iter().chain(pieces.iter().copied()).chain(window.after),
        ));

        // At an end of the leaf the neighbour is in another one. Should the two have to become one
        // piece, two leaves change.
        let left = match window.before {
            None if start > 0 => tree.piece_at(start - 1),
            _ => None,
        };
        let right = match window.after {
            None => tree.piece_at(end),
            Some(_) => None,
        };
        if left.is_some() || right.is_some() {
            let seam = || replacement.iter().copied();
            let outer = |found: Option<(u64, Piece)>| found.map(|(_, piece)| piece);
            let apart = outer(left).into_iter().chain(seam()).chain(outer(right));
            let together = Merged::new(apart.clone());
            if together.count() < apart.count() {
                return None;
            }
        }
        let added = pieces.iter().map(|piece| piece.len).sum();
        let removed = range.end - range.start;
        Some(Self { path, window: window.indices, pieces: replacement, removed, added })
    }

    /// Makes the change; returns what is cut off on the right.
    pub fn apply(&self, tree: &mut Subtree) -> Option<Subtree> {
        let cut = match &mut tree.node {
            Node::Leaf(leaf) => self.replace(Arc::make_mut(leaf)).map(Subtree::leaf),
            Node::Inner(inner) => {
                let inner: &mut Inner = Arc::make_mut(inner);
                let index = usize::from(self.path[inner.height - 1]);
                let cut = self.apply(&mut inner.children[index]);
                inner.settle(index, cut)
            }
        };
        tree.len = tree.len - self.removed + self.added - cut.as_ref().map_or(0, |cut| cut.len);
        cut
    }

    fn replace(&self, leaf: &mut Leaf) -> Option<Leaf> {
        let count = leaf.len() - self.window.len() + self.pieces.len();
        if count <= CAPACITY {
            leaf.splice(self.window.clone(), &self.pieces);
            return None;
        }
        let old = leaf.clone();
        let (before, after) = (&old[..self.window.start], &old[self.window.end..]);
        let mut all = before.iter().chain(self.pieces.iter()).chain(after).copied();
        leaf.truncate(0);
        leaf.extend(all.by_ref().take(count / 2));
        let mut right = Leaf::new();
        right.extend(all);
        Some(right)
    }
}

/// The pieces of a leaf that a range touches.
struct Window {
    indices: Range<usize>,
    /// What stays of the piece that ends at or goes beyond the start of the range.
    before: Option<Piece>,
    /// What stays of the piece that starts at or before the end of the range.
    after: Option<Piece>,
}

impl Window {
    /// `range` counts from the beginning of the leaf and does not go beyond it.
    fn find(leaf: &[Piece], range: Range<u64>) -> Self {
        let mut start = 0;
        let mut first = 0;
        while first < leaf.len() && start + leaf[first].len < range.start {
            start += leaf[first].len;
            first += 1;
        }
        let before = match leaf.get(first) {
            Some(piece) if range.start > 0 => Some(piece.slice(0, range.start - start)),
            _ => None,
        };
        let mut last = first;
        while last < leaf.len() && start + leaf[last].len <= range.end {
            start += leaf[last].len;
            last += 1;
        }
        let after = leaf.get(last).map(|piece| piece.slice(range.end - start, piece.len));
        Self { indices: first..leaf.len().min(last + 1), before, after }
    }
}
