//! Trees against a plain model: a vector that names, for every byte of the contents, where it
//! comes from. Nodes have four entries here, so that a hundred pieces make a deep tree.
use std::ops::Range;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::node::{Node, Subtree};
use super::{Piece, PieceTree, Source};

/// Where one byte comes from. The offset of a fill is 0.
type Byte = (Source, u64);

fn bytes_of(pieces: impl IntoIterator<Item = Piece>) -> Vec<Byte> {
    let bytes = |piece: Piece| {
        (0..piece.len).map(move |index| match piece.source {
            Source::Fill(_) => (piece.source, 0),
            _ => (piece.source, piece.offset + index),
        })
    };
    pieces.into_iter().flat_map(bytes).collect()
}

/// As few pieces as possible for these bytes.
fn pieces_of(bytes: &[Byte]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for &(source, offset) in bytes {
        let byte = Piece::new(source, offset, 1);
        match pieces.last_mut() {
            Some(last) if last.continues_in(byte) => last.len += 1,
            _ => pieces.push(byte),
        }
    }
    pieces
}

fn bounds(range: &Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// A tree and what it should be.
#[derive(Clone, Default)]
struct Checked {
    tree: PieceTree,
    model: Vec<Byte>,
}

impl Checked {
    fn from_pieces(pieces: &[Piece]) -> Self {
        let tree = PieceTree::from_pieces(pieces.iter().copied());
        let checked = Self { tree, model: bytes_of(pieces.iter().copied()) };
        checked.check();
        checked
    }

    fn splice(&mut self, range: Range<u64>, pieces: &[Piece]) {
        self.tree.splice(range.clone(), pieces.iter().copied());
        self.model.splice(bounds(&range), bytes_of(pieces.iter().copied()));
        self.check();
    }

    /// Replaces the bytes of `range` by those of `copied`, as one tree.
    fn copy(&mut self, copied: Range<u64>, range: Range<u64>) {
        let copy = Self {
            tree: self.tree.slice(copied.clone()),
            model: self.model[bounds(&copied)].to_vec(),
        };
        copy.check();
        self.tree.splice_tree(range.clone(), copy.tree);
        self.model.splice(bounds(&range), copy.model);
        self.check();
    }

    fn check(&self) {
        self.tree.assert_invariants();
        let pieces: Vec<Piece> = self.tree.iter().collect();
        assert_eq!(pieces, pieces_of(&self.model));
        assert_eq!(self.tree.len(), self.model.len() as u64);
        assert_eq!(self.tree.is_empty(), self.model.is_empty());
        assert_eq!(self.tree.piece_count(), pieces.len());
    }

    fn check_range(&self, range: Range<u64>) {
        let pieces: Vec<Piece> = self.tree.range(range.clone()).collect();
        assert_eq!(pieces, pieces_of(&self.model[bounds(&range)]));
    }

    fn check_every_offset(&self) {
        let mut start = 0;
        for piece in self.tree.iter() {
            for offset in start..start + piece.len {
                assert_eq!(self.tree.piece_at(offset), Some((start, piece)));
            }
            start += piece.len;
        }
        assert_eq!(self.tree.piece_at(start), None);
        assert_eq!(self.tree.piece_at(u64::MAX), None);
    }

    /// A position anywhere in the contents.
    fn position(&self, at: u16) -> u64 {
        self.tree.len() * u64::from(at) / u64::from(u16::MAX)
    }

    /// A range of at most `len` bytes from anywhere on, or up to any other position.
    fn range(&self, (at, extent): Place) -> Range<u64> {
        let start = self.position(at);
        match extent {
            Extent::Bytes(len) => start..self.tree.len().min(start + len),
            Extent::To(end) => start.min(self.position(end))..start.max(self.position(end)),
        }
    }
}

type Place = (u16, Extent);

#[derive(Clone, Debug)]
enum Extent {
    Bytes(u64),
    To(u16),
}

#[derive(Clone, Debug)]
enum Op {
    Splice(Place, Vec<Piece>),
    /// Removes a range and puts it back in two steps, which must leave no trace.
    RemoveAndRestore(Place),
    /// Puts a copy of a range somewhere else.
    Copy(Place, u16),
    Overlay(Place, Place),
    /// Cuts the pieces at a range one byte at a time from the front.
    RemoveByBytes(Place),
    Snapshot,
    Read(Place),
}

fn place() -> impl Strategy<Value = Place> {
    let extent = prop_oneof![
        4 => Just(Extent::Bytes(0)),
        6 => (0..12u64).prop_map(Extent::Bytes),
        1 => any::<u16>().prop_map(Extent::To),
    ];
    // The ends, and places near them, are more likely than chance would have them.
    let at = prop_oneof![8 => any::<u16>(), 1 => Just(0), 1 => Just(u16::MAX)];
    (at, extent)
}

fn piece() -> impl Strategy<Value = Piece> {
    let source = prop_oneof![
        3 => Just(Source::Original),
        3 => Just(Source::Added),
        1 => (0..2u32).prop_map(Source::File),
        1 => (0..2u8).prop_map(Source::Fill),
    ];
    (source, 0..30u64, 0..6u64).prop_map(|(source, offset, len)| Piece::new(source, offset, len))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => (place(), vec(piece(), 0..4)).prop_map(|(place, pieces)| Op::Splice(place, pieces)),
        1 => (place(), vec(piece(), 0..60)).prop_map(|(place, pieces)| Op::Splice(place, pieces)),
        2 => place().prop_map(Op::RemoveAndRestore),
        2 => (place(), any::<u16>()).prop_map(|(place, to)| Op::Copy(place, to)),
        1 => (place(), place()).prop_map(|(place, with)| Op::Overlay(place, with)),
        1 => place().prop_map(Op::RemoveByBytes),
        1 => Just(Op::Snapshot),
        4 => place().prop_map(Op::Read),
    ]
}

fn run(checked: &mut Checked, snapshots: &mut Vec<Checked>, op: Op) {
    match op {
        Op::Splice(place, pieces) => checked.splice(checked.range(place), &pieces),
        Op::RemoveAndRestore(place) => {
            let range = checked.range(place);
            let removed: Vec<Piece> = checked.tree.range(range.clone()).collect();
            checked.splice(range.clone(), &[]);
            checked.splice(range.start..range.start, &removed);
        }
        Op::Copy(place, to) => {
            let range = checked.range(place);
            let to = checked.position(to);
            checked.copy(range.start..range.end.min(range.start + 100), to..to);
        }
        Op::Overlay(place, with) => {
            let with = checked.range(with);
            checked.copy(with.start..with.end.min(with.start + 100), checked.range(place));
        }
        Op::RemoveByBytes(place) => {
            let range = checked.range(place);
            for _ in range.clone().take(20) {
                checked.splice(range.start..range.start + 1, &[]);
            }
        }
        Op::Snapshot => snapshots.push(checked.clone()),
        Op::Read(place) => checked.check_range(checked.range(place)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn splices_do_what_a_vector_does(
        first in vec(piece(), 0..80),
        ops in vec(op(), 0..100),
    ) {
        let mut checked = Checked::from_pieces(&first);
        let mut snapshots = vec![checked.clone()];
        for op in ops {
            run(&mut checked, &mut snapshots, op);
        }
        checked.check_every_offset();
        // No later edit may show in a snapshot, nor an edit of a snapshot elsewhere.
        snapshots.iter().for_each(Checked::check);
        let mut revived = snapshots[0].clone();
        revived.splice(0..revived.tree.len() / 2, &[Piece::new(Source::Added, 1000, 3)]);
        snapshots.iter().for_each(Checked::check);
        checked.check();
    }

    #[test]
    fn building_drops_and_merges(pieces in vec(piece(), 0..200)) {
        Checked::from_pieces(&pieces).check_every_offset();
    }
}

/// Pieces of one byte, none of which continues another.
fn scattered(count: u64) -> Vec<Piece> {
    (0..count).map(|index| Piece::new(Source::Original, 2 * index, 1)).collect()
}

fn added(offset: u64, len: u64) -> Piece {
    Piece::new(Source::Added, offset, len)
}

fn height(tree: &PieceTree) -> usize {
    tree.root().map_or(0, Subtree::height)
}

#[test]
fn no_contents() {
    let mut empty = Checked::default();
    empty.check();
    empty.check_every_offset();
    empty.check_range(0..0);
    empty.splice(0..0, &[]);
    empty.splice(0..0, &[added(7, 0), Piece::new(Source::Fill(1), 0, 0)]);
    assert!(empty.tree.is_empty());
    assert!(PieceTree::from_pieces([added(7, 0)]).is_empty());

    empty.splice(0..0, &[added(0, 1)]);
    empty.splice(0..1, &[]);
    assert!(empty.tree.root().is_none());
}

#[test]
fn typing_is_one_piece() {
    let mut tree = PieceTree::from_pieces(scattered(100));
    for typed in 0..10_000 {
        tree.splice(50 + typed..50 + typed, [added(typed, 1)]);
        tree.assert_invariants();
    }
    assert_eq!(tree.piece_count(), 101);
    assert_eq!(tree.piece_at(60), Some((50, added(0, 10_000))));

    let mut tree = PieceTree::new();
    for typed in 0..10_000 {
        tree.splice(typed..typed, [added(typed, 1)]);
    }
    assert_eq!(tree.iter().collect::<Vec<_>>(), [added(0, 10_000)]);
}

#[test]
fn typing_backwards_is_one_piece() {
    let mut tree = PieceTree::from_pieces(scattered(100));
    for typed in (0..1000).rev() {
        tree.splice(50..50, [added(typed, 1)]);
        tree.assert_invariants();
    }
    assert_eq!(tree.piece_at(60), Some((50, added(0, 1000))));
}

#[test]
fn fills_of_one_byte_are_one_piece() {
    let zeros = |len| Piece::new(Source::Fill(0), 0, len);
    let mut checked = Checked::default();
    for _ in 0..20 {
        let middle = checked.tree.len() / 2;
        checked.splice(middle..middle, &[zeros(3), zeros(4)]);
    }
    assert_eq!(checked.tree.iter().collect::<Vec<_>>(), [zeros(140)]);
    checked.splice(70..70, &[Piece::new(Source::Fill(1), 0, 1)]);
    assert_eq!(checked.tree.piece_count(), 3);
    checked.splice(70..71, &[]);
    assert_eq!(checked.tree.piece_count(), 1);
}

/// The seam of a removal may be a seam of leaves, or of whole subtrees.
#[test]
fn removing_what_was_inserted_leaves_one_piece() {
    for inserted in [1, 2, 3, 4, 5, 9, 17, 40, 100] {
        for from in 0..20 {
            let mut tree = PieceTree::from_pieces(scattered(20));
            let whole = Piece::new(Source::File(1), 0, 20);
            tree.splice(from..from, [whole]);
            tree.splice(from + 10..from + 10, scattered(inserted));
            tree.assert_invariants();
            tree.splice(from + 10..from + 10 + inserted, []);
            tree.assert_invariants();
            assert_eq!(tree.piece_at(from), Some((from, whole)));
        }
    }
}

/// Every place of a tree, with edits that make leaves overflow, run empty, and vanish.
#[test]
fn every_range_of_a_deep_tree() {
    let first = Checked::from_pieces(&scattered(90));
    assert!(height(&first.tree) >= 3);
    for start in 0..=90 {
        for end in start..=90 {
            for pieces in [&[][..], &[added(0, 2)], &scattered(7)] {
                // The model compares all pieces; that it is quadratic is why lengths are thinned.
                if (end - start) % 7 < 3 {
                    first.clone().splice(start..end, pieces);
                }
            }
            first.check_range(start..end);
        }
    }
}

/// Copies of every length to every place, with merging seams and without.
#[test]
fn every_copy_in_a_deep_tree() {
    let first = Checked::from_pieces(&scattered(90));
    for start in 0..=90 {
        for end in start..=90 {
            // The model compares all pieces; that it is quadratic is why places are thinned.
            if (end - start) % 7 < 3 {
                let to = (start * 31 + end * 17) % 91;
                first.clone().copy(start..end, to..to);
                first.clone().copy(start..end, to..90);
                first.clone().copy(start..end, start..end);
            }
        }
    }
    let mut doubled = first;
    doubled.copy(0..90, 90..90);
    doubled.copy(0..180, 0..180);
    assert_eq!(doubled.tree.piece_count(), 180);
}

#[test]
fn a_slice_shares_all_but_its_edges() {
    let mut tree = PieceTree::from_pieces(scattered(1000));
    let copy = tree.slice(100..900);
    tree.splice_tree(0..0, copy);
    assert_eq!(tree.len(), 1800);
    let (mut nodes, mut distinct) = (Vec::new(), std::collections::HashSet::new());
    leaves(tree.root().unwrap(), &mut nodes);
    distinct.extend(nodes.iter().copied());
    assert!(distinct.len() < nodes.len() / 2 + 30, "{} of {}", distinct.len(), nodes.len());
}

fn leaves(tree: &Subtree, found: &mut Vec<*const ()>) {
    match &tree.node {
        Node::Leaf(leaf) => found.push(Arc::as_ptr(leaf).cast()),
        Node::Inner(inner) => inner.children.iter().for_each(|child| leaves(child, found)),
    }
}

#[test]
fn growing_and_shrinking_piece_by_piece() {
    for step in [0, 1, 7, 31] {
        let mut checked = Checked::default();
        for index in 0..300 {
            let at = (index * step) % (checked.tree.len() + 1);
            checked.splice(at..at, &[added(2 * index, 1)]);
        }
        assert!(height(&checked.tree) >= 4);
        for index in 0..300 {
            let at = (index * step) % checked.tree.len();
            checked.splice(at..at + 1, &[]);
        }
        assert!(checked.tree.root().is_none());
    }
}

#[test]
fn everything_removed_or_replaced() {
    let mut checked = Checked::from_pieces(&scattered(500));
    checked.clone().splice(0..500, &[]);
    checked.clone().splice(0..500, &[added(3, 4)]);
    checked.splice(0..500, &scattered(300));
    checked.splice(1..299, &[]);
    assert_eq!(height(&checked.tree), 0);
}

/// Lengths up to the limit of 2^63 bytes must not overflow any sum.
#[test]
fn the_longest_contents() {
    let longest = i64::MAX as u64;
    let mut tree = PieceTree::from_pieces([Piece::new(Source::Fill(0), 0, longest)]);
    tree.splice(longest - 1..longest, [added(0, 1)]);
    tree.splice(5..6, [added(9, 1)]);
    tree.assert_invariants();
    assert_eq!(tree.len(), longest);
    assert_eq!(tree.piece_count(), 4);
    assert_eq!(tree.range(longest - 2..longest).count(), 2);
}

#[test]
fn an_edit_after_a_clone_copies_one_path() {
    fn nodes(tree: &Subtree, found: &mut Vec<*const ()>) {
        match &tree.node {
            Node::Leaf(leaf) => found.push(Arc::as_ptr(leaf).cast()),
            Node::Inner(inner) => {
                found.push(Arc::as_ptr(inner).cast());
                inner.children.iter().for_each(|child| nodes(child, found));
            }
        }
    }
    let mut tree = PieceTree::from_pieces(scattered(1000));
    let snapshot = tree.clone();
    // The replaced byte is one piece, so that no node changes its number of entries.
    tree.splice(500..501, [added(0, 1)]);
    let (mut old, mut new) = (Vec::new(), Vec::new());
    nodes(snapshot.root().unwrap(), &mut old);
    nodes(tree.root().unwrap(), &mut new);
    new.retain(|node| !old.contains(node));
    assert_eq!(new.len(), height(&tree) + 1);

    // Without a snapshot everything is changed in place.
    drop(snapshot);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    nodes(tree.root().unwrap(), &mut before);
    tree.splice(501..502, [added(5, 1)]);
    nodes(tree.root().unwrap(), &mut after);
    assert_eq!(before, after);
}
