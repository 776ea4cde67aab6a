use std::mem;
use std::sync::Arc;

use super::array::PieceArray;

/// Most pieces of a leaf, and most children of an inner node. Even, and at most 256.
///
/// Tiny under test, so that short inputs make deep trees.
pub(super) const CAPACITY: usize = if cfg!(test) { 4 } else { 64 };

/// Least entries of a node that is not the root. Two halves of an overfull node always have them.
pub(super) const MINIMUM: usize = CAPACITY / 2;

/// Greatest height of a tree: of height h it has `2 * MINIMUM^h` pieces or more, each of one byte
/// or more, and contents are shorter than 2^63 bytes.
pub(super) const MAX_HEIGHT: usize = (62 / MINIMUM.ilog2()) as usize;

/// A node with the number of bytes below it: what a parent knows of a child.
///
/// Methods that change a subtree keep its count right. Where it outgrows one node they return what
/// they cut off, to be placed right behind it.
#[derive(Clone, Debug)]
pub(super) struct Subtree {
    pub len: u64,
    pub node: Node,
}

/// Shared between trees and copied when written.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Arc<Leaf>),
    Inner(Arc<Inner>),
}

/// Pieces in the order of the contents.
pub(super) type Leaf = PieceArray<CAPACITY>;

/// Children of equal height, one less than `height`, in the order of the contents.
#[derive(Debug)]
pub(super) struct Inner {
    /// Steps down to the leaves, at least 1.
    pub height: usize,
    pub children: Vec<Subtree>,
}

impl Subtree {
    pub fn leaf(leaf: Leaf) -> Self {
        Self { len: leaf.bytes(), node: Node::Leaf(Arc::new(leaf)) }
    }

    pub fn inner(inner: Inner) -> Self {
        Self { len: inner.bytes(), node: Node::Inner(Arc::new(inner)) }
    }

    /// A new root over two trees of equal height, or the first alone.
    pub fn root(first: Self, second: Option<Self>) -> Self {
        match second {
            None => first,
            Some(second) => Self::inner(Inner::new(first.height() + 1, [first, second])),
        }
    }

    /// Steps down to the leaves; 0 for a leaf.
    pub fn height(&self) -> usize {
        match &self.node {
            Node::Leaf(_) => 0,
            Node::Inner(inner) => inner.height,
        }
    }

    /// Whether only the root may have so few entries.
    pub fn is_underfull(&self) -> bool {
        self.entries() < MINIMUM
    }

    fn entries(&self) -> usize {
        match &self.node {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.children.len(),
        }
    }

    /// Places the equally high `right` behind `self`, in one node if that is needed and enough.
    /// Afterwards none is underfull, unless it is alone.
    pub fn append(&mut self, mut right: Self) -> Option<Self> {
        debug_assert_eq!(self.height(), right.height());
        if !self.is_underfull() && !right.is_underfull() {
            return Some(right);
        }
        let total = self.entries() + right.entries();
        let kept = if total <= CAPACITY { total } else { total / 2 };
        match (&mut self.node, &mut right.node) {
            (Node::Leaf(left), Node::Leaf(right)) => {
                let (left, right) = (Arc::make_mut(left), Arc::make_mut(right));
                if let Some(missing) = kept.checked_sub(left.len()) {
                    left.extend(right[..missing].iter().copied());
                    right.splice(0..missing, &[]);
                } else {
                    right.splice(0..0, &left[kept..]);
                    left.truncate(kept);
                }
            }
            (Node::Inner(left), Node::Inner(right)) => {
                let (left, right) = (Arc::make_mut(left), Arc::make_mut(right));
                if let Some(missing) = kept.checked_sub(left.children.len()) {
                    left.children.extend(right.children.drain(..missing));
                } else {
                    right.children.splice(0..0, left.children.drain(kept..));
                }
            }
            // Unequal heights: callers never do that.
            (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {}
        }
        let len = self.len + right.len;
        self.len = self.node.bytes();
        right.len = len - self.len;
        (right.len > 0).then_some(right)
    }

    /// Like [`append`](Self::append), but places `left` before `self`.
    pub fn prepend(&mut self, left: Self) -> Option<Self> {
        let right = mem::replace(self, left);
        self.append(right)
    }
}

impl Node {
    fn bytes(&self) -> u64 {
        match self {
            Self::Leaf(leaf) => leaf.bytes(),
            Self::Inner(inner) => inner.bytes(),
        }
    }
}

impl Inner {
    pub fn new(height: usize, children: impl IntoIterator<Item = Subtree>) -> Self {
        // Room for the child too many that a split divides.
        let mut roomy = Vec::with_capacity(CAPACITY + 1);
        roomy.extend(children);
        Self { height, children: roomy }
    }

    fn bytes(&self) -> u64 {
        self.children.iter().map(|child| child.len).sum()
    }

    /// Index and start, counted from the beginning of this node, of the first child that ends
    /// behind `offset`; of the last child if there is none.
    pub fn child_at(&self, offset: u64) -> (usize, u64) {
        let mut start = 0;
        let last = self.children.len() - 1;
        for (index, child) in self.children[..last].iter().enumerate() {
            if offset < start + child.len {
                return (index, start);
            }
            start += child.len;
        }
        (last, start)
    }

    /// Restores the node after the child at `index` has changed and perhaps been cut: places
    /// `cut` behind the child, fills up a child that runs empty, and cuts the node if it is
    /// overfull.
    pub fn settle(&mut self, index: usize, cut: Option<Subtree>) -> Option<Subtree> {
        if let Some(cut) = cut {
            self.children.insert(index + 1, cut);
            if self.children.len() > CAPACITY {
                let half = self.children.len() / 2;
                return Some(Subtree::inner(Self::new(self.height, self.children.drain(half..))));
            }
        } else if self.children[index].is_underfull() && self.children.len() > 1 {
            let left = index.min(self.children.len() - 2);
            let right = self.children.remove(left + 1);
            if let Some(right) = self.children[left].append(right) {
                self.children.insert(left + 1, right);
            }
        }
        None
    }
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self::new(self.height, self.children.iter().cloned())
    }
}
