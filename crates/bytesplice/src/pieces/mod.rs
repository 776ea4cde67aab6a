mod piece;

pub(crate) use piece::{Piece, Source};
