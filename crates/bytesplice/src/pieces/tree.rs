use std::ops::Range;

use super::array::PieceArray;
use super::join::{build, join, split};
use super::leaf_edit::{FEW, LeafEdit};
use super::merged::Merged;
use super::node::{CAPACITY, Leaf, Node, Subtree};
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

    /// The contents of `range` as a tree of their own, which shares its nodes with this one. Costs O(log n).
    pub fn slice(&self, range: Range<u64>) -> Self {
        let range = self.clip(range);
        let Some(root) = self.root.clone().filter(|_| !range.is_empty()) else {
            return Self::new();
        };
        let (first, last) = (self.piece_at(range.start), self.piece_at(range.end - 1));
        let (Some((first_start, first)), Some((last_start, last))) = (first, last) else {
            return Self::new();
        };
        if first_start == last_start {
            let piece = first.slice(range.start - first_start, range.end - first_start);
            return Self::from_pieces([piece]);
        }
        let inner = first_start + first.len..last_start;
        let head = first.slice(range.start - first_start, first.len);
        let tail = last.slice(0, range.end - last_start);
        let middle = split(root, inner.end).0;
        let middle = middle.and_then(|middle| split(middle, inner.start).1);
        let middle = middle.filter(|_| !inner.is_empty());
        Self { root: join(join(build([head].into_iter()), middle), build([tail].into_iter())) }
    }

    /// Replaces the bytes of `range` by `contents`, as [`splice`](Self::splice) does with their pieces, but in
    /// O(log n) however many those are.
    pub fn splice_tree(&mut self, range: Range<u64>, contents: Self) {
        let range = self.clip(range);
        let last = contents.len().checked_sub(1).and_then(|last| contents.piece_at(last));
        let (Some((_, first)), Some((last_start, last))) = (contents.piece_at(0), last) else {
            return self.splice(range, []);
        };
        if last_start <= first.len {
            let both = [Some(first), (last_start > 0).then_some(last)];
            return self.splice(range, both.into_iter().flatten());
        }
        let inner = contents.root.and_then(|root| split(root, last_start).0);
        let inner = inner.and_then(|inner| split(inner, first.len).1);
        let Gap { head, before, after, tail } = self.cut(range);
        // Only the outer pieces can continue their new neighbours.
        let left = build(Merged::new(before.into_iter().chain([first])));
        let right = build(Merged::new([last].into_iter().chain(after)));
        self.root = join(join(join(join(head, left), inner), right), tail);
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

    /// Bytes of memory that the nodes take, estimated from the height and the entries of the root. O(1).
    pub fn approximate_memory(&self) -> u64 {
        // Nodes are a quarter empty on average.
        let entries = (CAPACITY * 3 / 4) as u64;
        let leaf = size_of::<Leaf>() as u64 + 16;
        self.root.as_ref().map_or(0, |root| match &root.node {
            Node::Leaf(_) => leaf,
            Node::Inner(inner) => {
                let below = entries.saturating_pow(inner.height as u32 - 1);
                (inner.children.len() as u64).saturating_mul(below).saturating_mul(leaf)
            }
        })
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
        let Gap { head, before, after, tail } = self.cut(range);
        let middle = build(Merged::new(before.into_iter().chain(pieces).chain(after)));
        self.root = join(join(head, middle), tail);
    }

    /// Takes the contents apart, around `range` and the pieces that touch it.
    fn cut(&mut self, range: Range<u64>) -> Gap {
        let left = range.start.checked_sub(1).and_then(|last| self.piece_at(last));
        let right = self.piece_at(range.end);
        let from = left.map_or(range.start, |(start, _)| start);
        let to = right.map_or(range.end, |(start, piece)| start + piece.len);
        let (head, tail) = match self.root.take() {
            Some(root) => {
                let (rest, tail) = split(root, to);
                (rest.and_then(|rest| split(rest, from).0), tail)
            }
            None => (None, None),
        };
        Gap {
            head,
            before: left.map(|(start, piece)| piece.slice(0, range.start - start)),
            after: right.map(|(start, piece)| piece.slice(range.end - start, piece.len)),
            tail,
        }
    }
}

/// What is around a range that was cut out.
struct Gap {
    /// Everything before `before`.
    head: Option<Subtree>,
    /// What is left of the piece that holds the byte before the range.
    before: Option<Piece>,
    /// What is left of the piece that holds the byte after the range.
    after: Option<Piece>,
    /// Everything behind `after`.
    tail: Option<Subtree>,
}
