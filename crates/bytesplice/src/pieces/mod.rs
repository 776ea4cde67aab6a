//! The contents as a sequence of pieces, kept in a counted B+tree.
//!
//! A *piece table* describes an edited text without moving a byte of it: the contents are a list of
//! runs, each taken from a source that never changes (the original file, an append-only store of
//! added bytes). A splice changes a few entries of that list, whatever the size of the file.
//! Crowley, "Data Structures for Text Sequences" (1998), compares it with gap buffers and line
//! lists and finds it the one that scales with the edits and not with the text.
//!
//! What remains is to find the piece at an offset. A plain list needs O(n) for that, and a million
//! edits make two million pieces. So the pieces are the entries of a B+tree (Bayer and McCreight
//! 1972; Comer, "The Ubiquitous B-Tree", 1979), ordered by position. It stores no keys: a key
//! would be an offset, and every insertion shifts all offsets behind it. It is *counted* instead,
//! an order-statistic tree: beside each child stands the number of bytes below it. To find an
//! offset, subtract the counts of the children passed over; to insert, correct the counts on one
//! path.
//!
//! ```text
//!                   ┌─────────────────────────────┐
//!     Inner, 2      │   900 B   │   350 B         │         bytes below each child
//!                   └─────┬───────────┬───────────┘
//!              ┌──────────┘           └────────┐
//!     Inner, 1 │ 400 B │ 500 B │               │ 100 B │ 250 B │
//!              └───┬───────┬───┘               └───┬───────┬───┘
//!     Leaf, 0   [pieces] [pieces]               [pieces] [pieces]
//! ```
//!
//! Always true, and checked by [`PieceTree::assert_invariants`]:
//! - all leaves have the same depth;
//! - every node but the root is at least half full, an inner root has two children or more;
//! - every count is the sum of what is below it;
//! - no piece is empty, and no two neighbours could be one piece.
//!
//! The last one makes typing 10,000 bytes one piece, and gives equal contents from equal sources
//! one description only.
//!
//! Nodes are shared between trees and copied when written (`Arc::make_mut`), so that a snapshot
//! costs one reference count, and an edit after it copies one path of nodes.
//!
//! A splice takes one of two ways. Where the replaced range lies within one leaf, which is nearly
//! every edit, [`leaf_edit`] descends to it and changes it in place; only a node that overflows or
//! runs empty touches a neighbour. Everything else is cut and glued: [`join`] splits the tree at
//! both ends of the range, builds a tree of the new pieces, and concatenates the three, each in a
//! time that grows with the difference of heights.
mod array;
mod cursor;
#[cfg(any(test, feature = "simulation"))]
mod invariants;
mod join;
mod leaf_edit;
mod merged;
mod node;
mod piece;
mod tree;

#[cfg(test)]
mod tests;

pub(crate) use cursor::Pieces;
pub(crate) use piece::{Piece, Source};
pub(crate) use tree::PieceTree;
