//! How steps and snapshots outlive a commit.
//!
//! A commit makes new ground: the file then holds the contents, one original piece, and added bytes and other files are
//! let go. What steps and snapshots refer to is either among the new contents, and is found there, or it is lost unless
//! it is saved before: into the store of added bytes that the next edits go on with. The limit of the history is also
//! the limit of that; what does not fit is forgotten and said to be so.

use std::collections::BTreeMap;

use super::snapshot::Snapshot;
use super::{Inverse, Removed, Step};
use crate::pieces::{Piece, PieceTree, Source};
use crate::source::AddedBytes;
use crate::{Contents, Result};

/// Bytes copied at a time.
const BUFFER: u64 = 1 << 20;

/// Steps and snapshots for the time after a commit, with the bytes that it takes from them: from
/// [`Contents::begin_commit`].
#[derive(Debug)]
pub struct Kept {
    /// What was saved.
    pub(crate) added: AddedBytes,
    snapshots: BTreeMap<String, Snapshot>,
    undo: KeptSteps,
    redo: KeptSteps,
}

/// What becomes of steps one way.
#[derive(Debug)]
struct KeptSteps {
    /// By index: the pieces that take the place of those removed.
    removed: Vec<(usize, Removed)>,
    /// How many of the furthest are forgotten, and why.
    lost: Option<(usize, String)>,
}

impl Contents {
    /// Saves what a commit of the current contents takes from steps and snapshots. O(n) in the pieces of both and of the
    /// contents if there is anything to find, O(steps) otherwise, and what is saved: `room` bytes at most, and no more than
    /// the limit.
    pub(crate) fn keep_history(&self, room: u64) -> Kept {
        let mut rebase = Rebase {
            file: self,
            found: None,
            added: self.added.another(),
            room: room.min(self.history.limit),
        };
        let mut snapshots = BTreeMap::new();
        for (name, snapshot) in self.snapshots.iter() {
            let kept = match snapshot {
                Snapshot::Stale(why) => Snapshot::Stale(why.clone()),
                Snapshot::Whole(tree) => match rebase.pieces(&mut tree.iter()) {
                    Ok(pieces) => Snapshot::Whole(PieceTree::from_pieces(pieces)),
                    Err(why) => Snapshot::Stale(why),
                },
            };
            snapshots.insert(name.clone(), kept);
        }
        let undo = rebase.steps(self.history.undo.iter());
        let redo = rebase.steps(self.history.redo.iter());
        Kept { added: rebase.added, snapshots, undo, redo }
    }

    /// Puts in what was kept, after the commit. The store has been exchanged already.
    pub(crate) fn rebase_history(&mut self, kept: Kept) {
        self.snapshots.set(kept.snapshots);
        let history = &mut self.history;
        for (index, removed) in kept.undo.removed {
            history.undo[index].set_removed(removed);
        }
        for (index, removed) in kept.redo.removed {
            history.redo[index].set_removed(removed);
        }
        history.memory = history.undo.iter().chain(&history.redo).map(Step::memory).sum();
        if let Some((count, why)) = kept.undo.lost {
            history.forget_undo_below(count, why);
        }
        if let Some((count, why)) = kept.redo.lost {
            history.forget_redo_below(count, why);
        }
        history.saved = self.added.len();
        history.forget_oldest();
    }
}

/// The way of pieces from before the commit to after it.
struct Rebase<'a> {
    file: &'a Contents,
    /// Where bytes of the sources are found after the commit. Made when it is needed.
    found: Option<Found>,
    added: AddedBytes,
    /// How many bytes may still be saved.
    room: u64,
}

impl Rebase<'_> {
    /// The nearest first, which are the last: they are wanted sooner.
    fn steps<'s>(
        &mut self,
        steps: impl DoubleEndedIterator<Item = &'s Step> + ExactSizeIterator,
    ) -> KeptSteps {
        let mut kept = KeptSteps { removed: Vec::new(), lost: None };
        for (index, step) in steps.enumerate().rev() {
            match self.step(&step.edit) {
                Ok(None) => {}
                Ok(Some(removed)) => kept.removed.push((index, removed)),
                Err(why) => {
                    kept.lost = Some((index + 1, why));
                    break;
                }
            }
        }
        kept
    }

    fn step(&mut self, edit: &Inverse) -> Result<Option<Removed>, String> {
        match edit {
            Inverse::Overwrite { .. } | Inverse::Splice { removed: Removed::Nothing, .. } => {
                Ok(None)
            }
            Inverse::Splice { removed, .. } => {
                self.pieces(&mut removed.pieces()).map(|pieces| Some(Removed::new(pieces)))
            }
        }
    }

    /// The pieces that have the same bytes after the commit, or why they cannot be kept.
    fn pieces(&mut self, pieces: &mut dyn Iterator<Item = Piece>) -> Result<Vec<Piece>, String> {
        let mut found = self.found.take().unwrap_or_else(|| Found::new(&self.file.tree));
        let outcome = self.pieces_by(&mut found, pieces);
        self.found = Some(found);
        outcome
    }

    fn pieces_by(
        &mut self,
        found: &mut Found,
        pieces: &mut dyn Iterator<Item = Piece>,
    ) -> Result<Vec<Piece>, String> {
        let mut kept = Vec::new();
        let mut lost = Vec::new();
        for mut piece in pieces {
            if matches!(piece.source, Source::Fill(_)) {
                kept.push(piece);
                continue;
            }
            while piece.len > 0 {
                let (known, part) = found.first_part(piece);
                let len = part.len;
                if !known {
                    lost.push((kept.len(), piece.slice(0, len)));
                }
                kept.push(part);
                piece = piece.slice(len, piece.len);
            }
        }
        let needed: u64 = lost.iter().map(|(_, piece)| piece.len).sum();
        if needed > self.room {
            return Err(format!(
                "a commit would have had to save {needed} bytes, and {} of {} were left for that",
                self.room, self.file.history.limit
            ));
        }
        for (index, piece) in lost {
            let address = self.save(piece)?;
            self.room -= piece.len;
            kept[index] = Piece::new(Source::Added, address, piece.len);
            found.add(piece, kept[index]);
        }
        Ok(kept)
    }

    fn save(&mut self, piece: Piece) -> Result<u64, String> {
        let address = self.added.len();
        let mut buffer = vec![0; piece.len.min(BUFFER) as usize];
        let mut at = 0;
        while at < piece.len {
            let part = piece.slice(at, piece.len.min(at + BUFFER));
            let bytes = &mut buffer[..part.len as usize];
            let outcome = self.file.read_piece(bytes, part);
            let outcome = outcome.and_then(|()| {
                self.added.append(bytes).map_err(|error| self.file.not_added(error))
            });
            if let Err(error) = outcome {
                self.added.forget_from(address);
                return Err(format!("a commit could not save what it takes: {error}"));
            }
            at += part.len;
        }
        Ok(address)
    }
}

/// Bytes of the sources, by where they begin: where they are after the commit. They do not overlap.
struct Found {
    /// As the contents have them. In order.
    contents: Vec<(Piece, u64)>,
    /// What was saved since.
    saved: BTreeMap<(Source, u64), (u64, Piece)>,
}

impl Found {
    fn new(tree: &PieceTree) -> Self {
        let mut contents = Vec::new();
        let mut position = 0;
        for piece in tree.iter() {
            if !matches!(piece.source, Source::Fill(_)) {
                contents.push((piece, position));
            }
            position += piece.len;
        }
        contents.sort_unstable_by_key(|(piece, _)| (piece.source, piece.offset));
        // Copies may overlap: of two places one is enough.
        let mut reached: Option<(Source, u64)> = None;
        contents.retain_mut(|(piece, position)| {
            let end = piece.offset + piece.len;
            if let Some((source, before)) = reached
                && source == piece.source
            {
                if end <= before {
                    return false;
                }
                let hidden = before.saturating_sub(piece.offset);
                *piece = piece.slice(hidden, piece.len);
                *position += hidden;
            }
            reached = Some((piece.source, end));
            true
        });
        Self { contents, saved: BTreeMap::new() }
    }

    /// The first bytes of `piece` that have one fate: whether they are known, and the piece that they become, or would
    /// have the length of.
    fn first_part(&self, piece: Piece) -> (bool, Piece) {
        let key = (piece.source, piece.offset);
        let after = self.contents.partition_point(|(known, _)| (known.source, known.offset) <= key);
        let mut len = piece.len;
        if let Some((known, position)) = after.checked_sub(1).map(|index| self.contents[index])
            && known.source == piece.source
            && piece.offset < known.offset + known.len
        {
            let skipped = piece.offset - known.offset;
            len = len.min(known.len - skipped);
            return (true, Piece::new(Source::Original, position + skipped, len));
        }
        if let Some((next, _)) = self.contents.get(after)
            && next.source == piece.source
        {
            len = len.min(next.offset - piece.offset);
        }
        if let Some((&(source, offset), &(known, saved))) = self.saved.range(..=key).next_back()
            && source == piece.source
            && piece.offset < offset + known
        {
            let skipped = piece.offset - offset;
            return (true, saved.slice(skipped, known.min(skipped + len)));
        }
        if let Some((&(source, offset), _)) =
            self.saved.range((piece.source, piece.offset + 1)..).next()
            && source == piece.source
        {
            len = len.min(offset - piece.offset);
        }
        (false, piece.slice(0, len))
    }

    fn add(&mut self, piece: Piece, saved: Piece) {
        self.saved.insert((piece.source, piece.offset), (piece.len, saved));
    }
}
