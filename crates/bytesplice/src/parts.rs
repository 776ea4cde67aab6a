use std::iter;
use std::ops::Range;

use crate::Contents;
use crate::commit::order::kept_in_order;
use crate::pieces::{Piece, Source};

/// A run of bytes of the contents, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where these bytes are in the contents as edited, half-open.
    pub range: Range<u64>,
    /// Where they come from.
    pub origin: Origin,
}

/// Where the bytes of a [`Part`] come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Bytes of the original, in their order, that begin at this offset in it: at the same one they stay, else they move.
    Kept(u64),
    /// Bytes of the original that begin at this offset in it, and are there a second time or in another order.
    Copied(u64),
    /// Bytes that the original does not have.
    New,
}

impl Contents {
    /// What the contents are made of, in order and without gaps: of the original, which is the file as it is on the disk, and
    /// of new bytes. O(n log n) in the pieces, and a byte a piece of memory.
    ///
    /// What no part comes from is removed.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("data");
    /// use bytesplice::{Origin, Part, SpliceFile};
    ///
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = SpliceFile::open(&path)?;
    /// file.replace(4..6, "new")?;
    /// assert!(file.parts().eq([
    ///     Part { range: 0..4, origin: Origin::Kept(0) },
    ///     Part { range: 4..7, origin: Origin::New },
    ///     Part { range: 7..11, origin: Origin::Kept(6) },
    /// ]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let kept = kept_in_order(self.tree.iter());
        let mut pieces = self.tree.iter().zip(kept).map(origin).peekable();
        let mut start = 0;
        iter::from_fn(move || {
            let (origin, mut len) = pieces.next()?;
            // New bytes of several sources are one part.
            while let Some((_, more)) =
                pieces.next_if(|(next, _)| (origin, *next) == (Origin::New, Origin::New))
            {
                len += more;
            }
            let range = start..start + len;
            start = range.end;
            Some(Part { range, origin })
        })
    }

    /// Length in bytes of the original: the file as it is on the disk, without the edits. O(1).
    #[must_use]
    pub fn old_len(&self) -> u64 {
        self.original.len()
    }
}

fn origin((piece, kept): (Piece, bool)) -> (Origin, u64) {
    let origin = match piece.source {
        Source::Original if kept => Origin::Kept(piece.offset),
        Source::Original => Origin::Copied(piece.offset),
        Source::Added | Source::File(_) | Source::Fill(_) => Origin::New,
    };
    (origin, piece.len)
}
