//! Building, cutting and concatenating whole trees.
//!
//! All trees here obey the invariants, and a tree without pieces is `None`. Seams are the caller's
//! business: pieces are neither cut nor merged.
use std::sync::Arc;

use super::Piece;
use super::node::{CAPACITY, Inner, Leaf, Node, Subtree};

/// On which end of the contents.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// A tree of `pieces`, which are merged already. Costs O(n).
pub(super) fn build(pieces: impl Iterator<Item = Piece>) -> Option<Subtree> {
    let mut level = Vec::new();
    let mut leaf = Leaf::new();
    for piece in pieces {
        if leaf.is_full() {
            level.push(Subtree::leaf(leaf));
            leaf = Leaf::new();
        }
        leaf.push(piece);
    }
    if !leaf.is_empty() {
        push_last(&mut level, Subtree::leaf(leaf));
    }
    let mut height = 0;
    while level.len() > 1 {
        height += 1;
        let mut children = level.into_iter();
        let mut parents = Vec::with_capacity(children.len().div_ceil(CAPACITY));
        while children.len() > 0 {
            let inner = Inner::new(height, children.by_ref().take(CAPACITY));
            push_last(&mut parents, Subtree::inner(inner));
        }
        level = parents;
    }
    level.pop()
}

/// Adds a node to a level; the last one may have too few entries, and gets some of its neighbour.
fn push_last(level: &mut Vec<Subtree>, node: Subtree) {
    let rest = match level.last_mut() {
        Some(before) => before.append(node),
        None => Some(node),
    };
    level.extend(rest);
}

/// The contents of `left` followed by those of `right`. Costs O(difference of heights).
pub(super) fn join(left: Option<Subtree>, right: Option<Subtree>) -> Option<Subtree> {
    match (left, right) {
        (Some(mut left), Some(mut right)) => Some(if left.height() >= right.height() {
            let cut = attach(&mut left, right, Side::Right);
            Subtree::root(left, cut)
        } else {
            let cut = attach(&mut right, left, Side::Left);
            Subtree::root(right, cut)
        }),
        (left, right) => left.or(right),
    }
}

/// Adds `other`, which is not higher, on one side of `tree`; returns what is cut off on the right.
fn attach(tree: &mut Subtree, other: Subtree, side: Side) -> Option<Subtree> {
    let len = tree.len + other.len;
    let cut = match &mut tree.node {
        Node::Inner(inner) if inner.height > other.height() => {
            let inner = Arc::make_mut(inner);
            let edge = match side {
                Side::Left => 0,
                Side::Right => inner.children.len() - 1,
            };
            let cut = attach(&mut inner.children[edge], other, side);
            inner.settle(edge, cut)
        }
        _ => match side {
            Side::Left => tree.prepend(other),
            Side::Right => tree.append(other),
        },
    };
    tree.len = len - cut.as_ref().map_or(0, |cut| cut.len);
    cut
}

/// The contents before `offset` and from it on. `offset` lies between two pieces, or at an end.
/// Costs O(log n).
pub(super) fn split(tree: Subtree, offset: u64) -> (Option<Subtree>, Option<Subtree>) {
    if offset == 0 {
        return (None, Some(tree));
    }
    if offset >= tree.len {
        return (Some(tree), None);
    }
    match tree.node {
        Node::Leaf(mut leaf) => {
            let leaf = Arc::make_mut(&mut leaf);
            let (mut count, mut start) = (0, 0);
            while start < offset {
                start += leaf[count].len;
                count += 1;
            }
            debug_assert_eq!(start, offset, "between two pieces");
            (build(leaf[..count].iter().copied()), build(leaf[count..].iter().copied()))
        }
        Node::Inner(mut inner) => {
            let inner = Arc::make_mut(&mut inner);
            let (index, start) = inner.child_at(offset);
            let after = inner.children.split_off(index + 1);
            let middle = inner.children.pop();
            let before = inner.children.drain(..);
            let (left, right) = middle.map_or((None, None), |tree| split(tree, offset - start));
            (join(above(inner.height, before), left), join(right, above(inner.height, after)))
        }
    }
}

/// A tree of height `height` over the children, or lower if there are less than two.
fn above(height: usize, children: impl IntoIterator<Item = Subtree>) -> Option<Subtree> {
    let mut children = children.into_iter();
    let first = children.next()?;
    let Some(second) = children.next() else { return Some(first) };
    Some(Subtree::inner(Inner::new(height, [first, second].into_iter().chain(children))))
}
