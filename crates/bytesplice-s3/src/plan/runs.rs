use std::ops::Range;

use super::{Origin, Piece, PlanError, Segment};

/// The new contents as runs: pieces of one origin that follow each other are one, and none is empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Runs {
    runs: Vec<Segment>,
    len: u64,
}

impl Runs {
    /// O(pieces).
    pub fn new(
        pieces: impl IntoIterator<Item = Piece>,
        old_len: u64,
        largest: u64,
    ) -> Result<Self, PlanError> {
        let mut runs: Vec<Segment> = Vec::new();
        let mut position = 0_u64;
        for piece in pieces {
            let (origin, len) = match piece {
                Piece::Kept { offset, len } => {
                    let end = offset.saturating_add(len);
                    if end > old_len {
                        return Err(PlanError::OutOfRange { start: offset, end, old_len });
                    }
                    (Origin::Kept(offset), len)
                }
                Piece::New { len } => (Origin::New, len),
            };
            if len == 0 {
                continue;
            }
            let end = position.saturating_add(len);
            if end > largest {
                return Err(PlanError::TooLarge { len: end, largest });
            }
            match runs.last_mut() {
                Some(last) if origin_after(last) == origin => last.len += len,
                _ => runs.push(Segment { offset: position, len, origin }),
            }
            position = end;
        }
        Ok(Self { runs, len: position })
    }

    /// Length of the contents.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Segment] {
        &self.runs
    }

    /// Those in `range`, cut to it.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = Segment> + '_ {
        let first = self.runs.partition_point(|run| run.offset + run.len <= range.start);
        let runs = self.runs[first..].iter().take_while(move |run| run.offset < range.end);
        runs.map(move |run| {
            let start = run.offset.max(range.start);
            let end = (run.offset + run.len).min(range.end);
            let origin = match run.origin {
                Origin::Kept(offset) => Origin::Kept(offset + (start - run.offset)),
                Origin::New => Origin::New,
            };
            Segment { offset: start, len: end.saturating_sub(start), origin }
        })
    }
}

/// What a run would have to come from to continue `run`.
fn origin_after(run: &Segment) -> Origin {
    match run.origin {
        Origin::Kept(offset) => Origin::Kept(offset + run.len),
        Origin::New => Origin::New,
    }
}
