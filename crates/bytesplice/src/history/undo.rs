use std::mem;
use std::ops::Range;

use super::{History, Inverse, Removed};
use crate::pieces::{Piece, PieceTree, Source};
use crate::{Contents, Error, Result};

/// What the history of a file holds, from [`Contents::history`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HistoryUsage {
    /// Edits that can be undone, groups counted edit by edit.
    pub undo_steps: usize,
    /// Edits that can be redone.
    pub redo_steps: usize,
    /// Memory of both in bytes, about. Pieces that are shared with the contents count fully.
    pub memory: u64,
    /// Bytes that the last commit saved because steps or snapshots need them and the file has them no more.
    pub saved: u64,
    /// Most bytes of `memory`, and of `saved`.
    pub limit: u64,
    /// Whether older steps were forgotten.
    pub forgotten: bool,
}

/// Which way through the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Undo,
    Redo,
}

impl Way {
    fn back(self) -> Self {
        match self {
            Self::Undo => Self::Redo,
            Self::Redo => Self::Undo,
        }
    }
}

/// Undo and redo.
impl Contents {
    /// Takes back the last edit, or the last [`group`](Self::group) of edits; whether there was one. O(log n) each.
    ///
    /// Edits before the last commit are taken back, too (and the next commit brings the file there): a commit saves
    /// the removed bytes that this takes, up to [`OpenOptions::history_limit`](crate::OpenOptions::history_limit).
    ///
    /// # Errors
    /// Nothing is changed by any of these. [`Error::UndoForgotten`] if there was an edit, but the limit did not allow to
    /// keep what it takes; for overwritten bytes those of [`splice`](Self::splice).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.remove(2..9)?;
    /// file.commit()?;
    /// assert!(file.undo()?);
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&path)?, b"0123456789");
    /// assert!(!file.undo()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn undo(&mut self) -> Result<bool> {
        self.step(Way::Undo)
    }

    /// Makes the edit again that [`undo`](Self::undo) took back last; whether there was one. A new edit leaves nothing to
    /// redo. O(log n).
    ///
    /// # Errors
    /// As for [`undo`](Self::undo).
    pub fn redo(&mut self) -> Result<bool> {
        self.step(Way::Redo)
    }

    /// Makes edits that are undone and redone together. Also when `edits` fails half-way: one [`undo`](Self::undo) then
    /// takes back what was done.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.group(|file| {
    ///     file.insert(10, ")")?;
    ///     file.insert(0, "(")
    /// })?;
    /// file.undo()?;
    /// assert_eq!(file.len(), 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn group<T>(&mut self, edits: impl FnOnce(&mut Self) -> T) -> T {
        self.begin_group();
        let outcome = edits(self);
        self.end_group();
        outcome
    }

    /// Begins a [`group`](Self::group) that [`end_group`](Self::end_group) ends. Groups within groups belong to the
    /// outermost.
    pub fn begin_group(&mut self) {
        if self.history.depth == 0 {
            self.history.joins = false;
            self.history.beheaded = false;
        }
        self.history.depth += 1;
    }

    /// Ends the group begun last; without one, does nothing.
    pub fn end_group(&mut self) {
        self.history.depth = self.history.depth.saturating_sub(1);
        self.history.joins &= self.history.depth > 0;
    }

    /// What can be undone and redone, and what it takes. O(1).
    #[must_use]
    pub fn history(&self) -> HistoryUsage {
        let History { undo, redo, memory, saved, limit, forgotten, .. } = &self.history;
        HistoryUsage {
            undo_steps: undo.len(),
            redo_steps: redo.len(),
            memory: *memory,
            saved: *saved,
            limit: *limit,
            forgotten: forgotten.is_some(),
        }
    }

    /// Replaces the bytes of `range` by `pieces`, whose added bytes are new.
    pub(crate) fn put(&mut self, range: Range<u64>, pieces: impl IntoIterator<Item = Piece>) {
        let old_len = self.len();
        self.put_by(range, |tree, range| {
            tree.splice(range.clone(), pieces.into_iter().filter(|piece| piece.len > 0));
            tree.len() - (old_len - (range.end - range.start))
        });
    }

    /// Replaces the bytes of `range` by `contents`, whose added bytes may be in use already.
    pub(crate) fn put_tree(&mut self, range: Range<u64>, contents: PieceTree) {
        self.overwrites.share(self.added.len());
        self.put_by(range, |tree, range| {
            let len = contents.len();
            tree.splice_tree(range, contents);
            len
        });
    }

    /// Replaces a range by what `put` says the length of, and records that.
    fn put_by(&mut self, range: Range<u64>, put: impl FnOnce(&mut PieceTree, Range<u64>) -> u64) {
        let start = range.start;
        let removed = self.history.is_on().then(|| Removed::capture(&self.tree, range.clone()));
        let was_empty = range.is_empty();
        let len = put(&mut self.tree, range);
        if was_empty && len == 0 {
            return;
        }
        match removed {
            Some(removed) => self.history.record(Inverse::Splice { start, len, removed }),
            None => self.history.skip(),
        }
    }

    /// Overwrites the bytes from `start` on, added bytes that nothing else refers to, in place, and records that.
    pub(crate) fn put_in_place(&mut self, range: Range<u64>, bytes: &[u8]) -> Result<()> {
        let start = range.start;
        let old = self.swap_in_place(range, bytes)?;
        self.record_overwrite(start, old);
        Ok(())
    }

    /// The same where they all lie together, from `address` on.
    pub(crate) fn put_at_address(&mut self, start: u64, address: u64, bytes: &[u8]) -> Result<()> {
        let mut old = Box::default();
        if self.history.is_on() {
            old = vec![0; bytes.len()].into_boxed_slice();
            let piece = Piece::new(Source::Added, address, old.len() as u64);
            self.read_piece(&mut old, piece)?;
        }
        self.added.overwrite(address, bytes).map_err(|error| self.not_added(error))?;
        self.record_overwrite(start, old);
        Ok(())
    }

    fn record_overwrite(&mut self, start: u64, old: Box<[u8]>) {
        if self.history.is_on() {
            self.history.record(Inverse::Overwrite { start, old });
        } else {
            self.history.skip();
        }
    }

    /// Puts `bytes` into the store in the place of the added bytes of `range`, and returns those.
    fn swap_in_place(&mut self, range: Range<u64>, bytes: &[u8]) -> Result<Box<[u8]>> {
        let mut old = vec![0; bytes.len()];
        self.read_exact_at(&mut old, range.start)?;
        let outcome = self.store_in_place(range.clone(), bytes);
        if outcome.is_err() {
            // What was overwritten before the failure comes back, unless that fails as well.
            let _ = self.store_in_place(range, &old);
        }
        outcome.map(|()| old.into())
    }

    fn store_in_place(&mut self, range: Range<u64>, mut bytes: &[u8]) -> Result<()> {
        for piece in self.tree.range(range) {
            let (now, later) = bytes.split_at(piece.len as usize);
            let outcome = self.added.overwrite(piece.offset, now);
            outcome.map_err(|error| self.not_added(error))?;
            bytes = later;
        }
        Ok(())
    }

    fn step(&mut self, way: Way) -> Result<bool> {
        self.check_usable()?;
        let mut done = 0;
        while let Some(mut step) = self.history.pop(way) {
            let joined = step.joined;
            let outcome = self.take_back(&mut step.edit);
            if let Err(error) = outcome {
                self.history.push(way, step);
                // Half a group is no state that anybody asked for.
                while done > 0 && self.take_back_one(way.back()).is_ok() {
                    done -= 1;
                }
                return Err(error);
            }
            self.history.push(way.back(), step);
            done += 1;
            let whole = match way {
                Way::Undo => !joined,
                Way::Redo => !self.history.redo.last().is_some_and(|next| next.joined),
            };
            if whole {
                // What follows begins a new step, even within a group.
                self.history.joins = false;
                return Ok(true);
            }
        }
        match self.history.forgotten(way) {
            None => Ok(false),
            Some(why) => Err(Error::UndoForgotten { path: self.path.clone(), why: why.to_owned() }),
        }
    }

    fn take_back_one(&mut self, way: Way) -> Result<()> {
        let Some(mut step) = self.history.pop(way) else { return Ok(()) };
        let outcome = self.take_back(&mut step.edit);
        self.history.push(if outcome.is_ok() { way.back() } else { way }, step);
        outcome
    }

    /// Makes an inverse edit, and turns it into its own inverse.
    fn take_back(&mut self, edit: &mut Inverse) -> Result<()> {
        match edit {
            Inverse::Splice { start, len, removed } => {
                let range = *start..*start + *len;
                let current = Removed::capture(&self.tree, range.clone());
                *len = removed.len();
                mem::replace(removed, current).put_back(&mut self.tree, range);
            }
            Inverse::Overwrite { start, old } => {
                let range = *start..*start + old.len() as u64;
                if self.is_owned(range.clone()) {
                    *old = self.swap_in_place(range, old)?;
                } else {
                    // A snapshot has these bytes by now, or the file itself.
                    let address = self.added.append(old).map_err(|error| self.not_added(error))?;
                    let len = old.len() as u64;
                    let removed = Removed::capture(&self.tree, range.clone());
                    self.tree.splice(range.clone(), [Piece::new(Source::Added, address, len)]);
                    *edit = Inverse::Splice { start: range.start, len, removed };
                }
            }
        }
        Ok(())
    }
}
