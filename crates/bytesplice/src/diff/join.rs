use crate::Checks;
use crate::pieces::{Piece, Source};

/// What a line that inserts costs without its bytes, and one that removes or replaces; offsets have eight digits.
const INSERTS: u64 = 30;
const REPLACES: u64 = 42;
/// The checksum of what is removed.
const CHECKSUM: u64 = 27;

/// The same with edits joined that are close: where writing the old bytes between two of them as new ones takes less
/// than the second line. `Source::Added` pieces are at their place in the new contents. O(n).
pub(super) fn join(pieces: &[Piece], old_len: u64, checks: Checks) -> Vec<Piece> {
    let (replaces, byte) = match checks {
        Checks::None => (REPLACES, 1),
        Checks::Checksum => (REPLACES + CHECKSUM, 1),
        Checks::Whole => (REPLACES, 2),
    };
    let costs = |removes: bool| if removes { replaces } else { INSERTS };
    let mut out: Vec<Piece> = Vec::new();
    // Where the last piece that stays ends in the old file, and the next piece begins in the new one.
    let (mut reached, mut offset) = (0, 0);
    for (index, &piece) in pieces.iter().enumerate() {
        let mut piece = piece;
        if piece.source == Source::Original {
            let end = piece.offset + piece.len;
            let later = pieces[index + 1..].iter().take(2);
            let next = later.filter(|next| next.source == Source::Original).map(|it| it.offset);
            let next = next.chain([old_len]).next().unwrap_or(old_len);
            let is_between = offset > 0 && index + 1 < pieces.len();
            if is_between && reached <= piece.offset && end <= next {
                let apart = costs(reached < piece.offset) + costs(end < next);
                if piece.len * byte + replaces < apart {
                    piece = Piece::new(Source::Added, offset, piece.len);
                }
            }
            if piece.source == Source::Original {
                reached = end;
            }
        }
        offset += piece.len;
        match out.last_mut() {
            Some(last) if last.continues_in(piece) => last.len += piece.len,
            _ => out.push(piece),
        }
    }
    out
}
