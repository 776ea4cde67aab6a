use std::ops::Range;

use super::array::PieceArray;
use super::join::{build, join, split};
use super::leaf_edit::{FEW, LeafEdit};
use super::merged::Merged;
use super::node::{Node, Subtree};
use super::{Piece, Pieces};

/// The contents as pieces in order. See the [module](super) for the structure.
///
/// A clone is O(1): it shares all nodes, and writing to either copies only what changes.
///
/// Offsets count bytes of the contents, ranges are half-open. Callers check ranges
/// (`start <= end <= len`) and keep the contents shorter than 2^63 bytes; a range that goes beyond
/// the contents is clipped in release builds.
#[derive(Clone, Debug, Default)]
pub(crate) struct PieceTree {
    /// `None` without pieces.
    root: Option<Subtree>,
}

impl PieceTree {
    /// Contents without a byte. Does not allocate.
    pub fn new() -> Self {
        Self::default()
    }

    /// The contents made of `pieces`: empty ones are dropped, neighbours that continue each other
    /// become one. Costs O(n).
    pub fn from_pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self { root: build(Merged::new(pieces)) }
    }

    /// Number of bytes. O(1).
    pub fn len(&self) -> u64 {
        self.root.as_ref().map_or(0, |root| root.len)
    }

    /// Whether there is no byte. O(1).
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Replaces the bytes of `range` by `pieces`: empty ones are dropped, and neighbours that
    /// continue each other become one, at both seams too. Costs O(log n + k) for k pieces.
    pub fn splice(&mut self, range: Range<u64>, pieces: impl IntoIterator<Item = Piece>) {
        let range = self.clip(range);
        let mut pieces = Merged::new(pieces);
        let mut few = PieceArray::<FEW>::new();
        let next = loop {
            match pieces.next() {
                Some(piece) if !few.is_full() => few.push(piece),
                next => break next,
            }
        };
        if range.is_empty() && few.is_empty() {
            return;
        }
        if next.is_none()
            && let Some(edit) = LeafEdit::plan(self, &range, &few)
        {
            self.splice_leaf(&edit);
        } else {
            self.splice_across(range, few.iter().copied().chain(next).chain(pieces));
        }
    }

    /// All pieces in order. See [`range`](Self::range).
    pub fn iter(&self) -> Pieces<'_> {
        Pieces::new(self.root.as_ref(), 0..self.len())
    }

    /// The pieces of `range` in order, the first and the last clipped to it. Costs O(log n) to
    /// start and O(1) amortised a piece, without allocation.
    pub fn range(&self, range: Range<u64>) -> Pieces<'_> {
        Pieces::new(self.root.as_ref(), self.clip(range))
    }

    /// The piece that holds the byte at `offset`, and where it starts in the contents; `None` at
    /// the end and beyond. Costs O(log n).
    pub fn piece_at(&self, offset: u64) -> Option<(u64, Piece)> {
        let mut tree = self.root.as_ref().filter(|root| offset < root.len)?;
        let mut start = 0;
        while let Node::Inner(inner) = &tree.node {
            let (index, before) = inner.child_at(offset - start);
            start += before;
            tree = &inner.children[index];
        }
        let Node::Leaf(leaf) = &tree.node else { return None };
        for &piece in leaf.iter() {
            if offset - start < piece.len {
                return Some((start, piece));
            }
            start += piece.len;
        }
        None
    }

    /// Number of pieces. Costs O(n), or rather one step a leaf.
    pub fn piece_count(&self) -> usize {
        fn count(tree: &Subtree) -> usize {
            match &tree.node {
                Node::Leaf(leaf) => leaf.len(),
                Node::Inner(inner) => inner.children.iter().map(count).sum(),
            }
        }
        self.root.as_ref().map_or(0, count)
    }

    pub(super) fn root(&self) -> Option<&Subtree> {
        self.root.as_ref()
    }

    fn clip(&self, range: Range<u64>) -> Range<u64> {
        debug_assert!(range.start <= range.end && range.end <= self.len());
        let end = range.end.min(self.len());
        range.start.min(end)..end
    }

    fn splice_leaf(&mut self, edit: &LeafEdit) {
        let Some(mut root) = self.root.take() else { return };
        let cut = edit.apply(&mut root);
        root = Subtree::root(root, cut);
        // Two children may have become one, which then is the root.
        if let Node::Inner(inner) = &root.node
            && let [only] = &inner.children[..]
        {
            root = only.clone();
        }
        self.root = Some(root).filter(|root| root.len > 0);
    }

    /// The general way: cut out the range with the pieces at both seams, so that all merging
    /// happens among the new pieces, and concatenate.
    fn splice_across(&mut self, range: Range<u64>, pieces: impl Iterator<Item = Piece>) {
        let left = range.start.checked_sub(1).and_then(|last| self.piece_at(last));
        let right = self.piece_at(range.end);
        let from = left.map_or(range.start, |(start, _)| start);
        let to = right.map_or(range.end, |(start, piece)| start + piece.len);
        let before = left.map(|(start, piece)| piece.slice(0, range.start - start));
        let after = right.map(|(start, piece)| piece.slice(range.end - start, piece.len));
        let middle = build(Merged::new(before.into_iter().chain(pieces).chain(after)));

        let (head, tail) = match self.root.take() {
            Some(root) => {
                let (rest, tail) = split(root, to);
                (rest.and_then(|rest| split(rest, from).0), tail)
            }
            None => (None, None),
        };
        self.root = join(join(head, middle), tail);
    }
}
