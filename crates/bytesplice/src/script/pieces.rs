use crate::commit::order::kept_in_order;
use crate::pieces::{Piece, Source};

/// The other way round: from the pieces of new contents over an old file to the pieces of the old file over the new
/// contents. In the result `Source::Original` means the new contents, and `Source::Added` the old file at the same
/// offset: bytes that are nowhere in the new contents. O(n log n).
pub(super) fn inverse(pieces: &[Piece], old_len: u64) -> Vec<Piece> {
    let mut kept = Vec::new();
    let mut spare = Vec::new();
    let mut offset = 0;
    for (piece, is_kept) in pieces.iter().zip(kept_in_order(pieces.iter().copied())) {
        let place = Place { old: piece.offset, len: piece.len, new: offset };
        if is_kept {
            kept.push(place);
        } else if piece.source == Source::Original {
            spare.push(place);
        }
        offset += piece.len;
    }
    spare.sort_unstable_by_key(|place| place.old);
    let mut gaps = Gaps { spare: spare.into_iter().peekable(), best: None, out: Vec::new() };
    let mut at = 0;
    for place in kept {
        gaps.fill(at, place.old);
        gaps.out.push(Piece::new(Source::Original, place.new, place.len));
        at = place.end();
    }
    gaps.fill(at, old_len);
    gaps.out
}

/// Bytes of the old file that are in the new contents.
#[derive(Clone, Copy)]
struct Place {
    old: u64,
    len: u64,
    new: u64,
}

impl Place {
    fn end(&self) -> u64 {
        self.old + self.len
    }
}

/// Fills what the kept pieces leave out, from left to right: by bytes that were copied or moved, as far as there are
/// any.
struct Gaps<I: Iterator<Item = Place>> {
    /// Ascending by place in the old file; they may overlap.
    spare: std::iter::Peekable<I>,
    /// Of those passed, the one that goes furthest.
    best: Option<Place>,
    out: Vec<Piece>,
}

impl<I: Iterator<Item = Place>> Gaps<I> {
    fn fill(&mut self, mut at: u64, end: u64) {
        while at < end {
            while let Some(place) = self.spare.next_if(|place| place.old <= at) {
                if self.best.is_none_or(|best| best.end() < place.end()) {
                    self.best = Some(place);
                }
            }
            let (piece, next) = match self.best.filter(|best| best.end() > at) {
                Some(best) => {
                    let next = best.end().min(end);
                    (Piece::new(Source::Original, best.new + (at - best.old), next - at), next)
                }
                None => {
                    let next = self.spare.peek().map_or(end, |place| place.old.min(end));
                    (Piece::new(Source::Added, at, next - at), next)
                }
            };
            self.out.push(piece);
            at = next;
        }
    }
}
