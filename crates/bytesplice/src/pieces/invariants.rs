use super::PieceTree;
use super::node::{CAPACITY, MAX_HEIGHT, MINIMUM, Node, Subtree};

impl PieceTree {
    /// Checks everything that the [module](super) says is always true. Costs O(n); for tests.
    ///
    /// # Panics
    /// If something is not true.
    pub fn assert_invariants(&self) {
        let Some(root) = self.root() else { return };
        assert!(root.height() <= MAX_HEIGHT, "the tree is higher than its pieces need");
        assert!(root.len > 0, "a tree without bytes has no root");
        assert_node(root, true);

        for (piece, next) in self.iter().zip(self.iter().skip(1)) {
            assert!(!piece.continues_in(next), "{piece:?} and {next:?} could be one");
        }
        assert_eq!(self.iter().count(), self.piece_count());
    }
}

/// Checks a node and all below it, apart from what concerns neighbours.
fn assert_node(tree: &Subtree, is_root: bool) {
    let (entries, least, len) = match &tree.node {
        Node::Leaf(leaf) => {
            assert!(leaf.iter().all(|piece| piece.len > 0), "an empty piece in {leaf:?}");
            (leaf.len(), if is_root { 1 } else { MINIMUM }, leaf.bytes())
        }
        Node::Inner(inner) => {
            for child in &inner.children {
                assert_eq!(child.height() + 1, inner.height, "leaves of different depth");
                assert_node(child, false);
            }
            let len = inner.children.iter().map(|child| child.len).sum();
            (inner.children.len(), if is_root { 2 } else { MINIMUM }, len)
        }
    };
    assert!((least..=CAPACITY).contains(&entries), "{entries} entries in {tree:?}");
    assert_eq!(tree.len, len, "the count is wrong in {tree:?}");
}
