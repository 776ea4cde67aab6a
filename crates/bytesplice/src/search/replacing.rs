use std::collections::VecDeque;
use std::ops::Range;

use super::pattern::Pattern;
use super::replacement::{Part, Parts, Replacement, expand};
use super::searcher::Searcher;
use super::{Match, SearchOptions};
use crate::pieces::{Piece, PieceTree, Pieces, Source};
use crate::range::MAX_LEN;
use crate::{Contents, Error, Result};

/// Longest match, in bytes, whose groups are put into a replacement.
const EXPANDED: u64 = if cfg!(test) { 190 } else { 4 << 20 };

/// Pieces of so many bytes are small: more than twice what a piece takes.
const SMALL: u64 = 64;
/// So many small pieces in a row are stored as one.
const MANY: usize = 8;
/// Bytes of small pieces that are stored at once.
const STORED_AT_ONCE: usize = if cfg!(test) { 20 } else { 64 << 10 };

/// Makes the new contents while their matches are being found.
pub(super) struct Replacing<'a, 'w> {
    file: &'a mut Contents,
    searcher: Searcher<'a, 'w>,
    pattern: &'a Pattern,
    new: New<'a>,
    /// Length of what the added bytes were before.
    added: u64,
    replaced: u64,
}

/// What each match is replaced by.
enum New<'a> {
    /// One run of added bytes, which the pieces of all matches share.
    Shared(Piece),
    Template(&'a [Part]),
}

impl<'a, 'w> Replacing<'a, 'w> {
    /// Begins to search.
    ///
    /// # Errors
    /// As for [`Contents::replace_all_with`].
    pub fn new(
        file: &'a mut Contents,
        pattern: &'a Pattern,
        replacement: &'a Replacement,
        options: SearchOptions<'w>,
    ) -> Result<Self> {
        let searcher = Searcher::new(file, pattern, options)?;
        let added = file.added.len();
        let new = match &replacement.0 {
            Parts::Literal(bytes) => {
                let address = file.added.append(bytes).map_err(|error| file.not_added(error))?;
                New::Shared(Piece::new(Source::Added, address, bytes.len() as u64))
            }
            Parts::Template(parts) => New::Template(parts),
        };
        Ok(Self { file, searcher, pattern, new, added, replaced: 0 })
    }

    /// Replaces all matches or, if that fails, none. Tells how many.
    pub fn run(mut self) -> Result<u64> {
        // Costs nothing: the nodes are shared.
        let old = self.file.tree.clone();
        let mut kept = Kept { pieces: old.iter(), rest: None };
        let mut failure = None;
        let edited =
            Edited { kept: &mut kept, copied_to: 0, at: 0, next: None, is_last: false, len: 0 };
        let mut pieces = Frugal { edited, small: Vec::new(), len: 0, ready: VecDeque::new() };
        let tree = PieceTree::from_pieces(std::iter::from_fn(|| {
            pieces.next(&mut self).unwrap_or_else(|error| {
                failure = Some(error);
                None
            })
        }));
        if failure.is_some() || self.replaced == 0 {
            self.file.added.forget_from(self.added);
        } else {
            self.file.put_tree(0..self.file.len(), tree);
        }
        failure.map_or(Ok(self.replaced), Err)
    }

    fn next_match(&mut self) -> Result<Option<Match>> {
        self.searcher.next(self.file)
    }

    /// The replacement of a match.
    fn replacement(&mut self, found: &Range<u64>) -> Result<Piece> {
        let parts = match self.new {
            New::Shared(piece) => return Ok(piece),
            New::Template(parts) => parts,
        };
        let bytes = self.expanded(parts, found)?;
        self.store(&bytes)
    }

    fn store(&mut self, bytes: &[u8]) -> Result<Piece> {
        let appended = self.file.added.append(bytes);
        let address = appended.map_err(|error| self.file.not_added(error))?;
        Ok(Piece::new(Source::Added, address, bytes.len() as u64))
    }

    fn expanded(&self, parts: &[Part], found: &Range<u64>) -> Result<Vec<u8>> {
        let Range { start, end } = *found;
        if end - start > EXPANDED {
            let path = self.file.path.clone();
            return Err(Error::MatchTooLong { path, start, end, limit: EXPANDED });
        }
        // A byte more on either side, for assertions.
        let from = start.saturating_sub(1);
        let to = self.file.len().min(end + 1);
        let mut text = vec![0; (to - from) as usize];
        self.file.read_exact_at(&mut text, from)?;
        let whole = (start - from) as usize..(end - from) as usize;
        let groups = match self.pattern.as_regex() {
            Some(regex) => regex.groups_of(&text, whole),
            None => vec![Some(whole)],
        };
        Ok(expand(parts, &text, &groups))
    }
}

/// The pieces of the new contents, in order.
struct Edited<'k, 'p> {
    kept: &'k mut Kept<'p>,
    /// Offset in the old contents up to which all is done.
    at: u64,
    /// Offset in the old contents up to which bytes are kept.
    copied_to: u64,
    /// The match there.
    next: Option<Match>,
    /// Whether no match follows.
    is_last: bool,
    /// Length of the new contents so far.
    len: u64,
}

impl Edited<'_, '_> {
    fn next(&mut self, replacing: &mut Replacing<'_, '_>) -> Result<Option<Piece>> {
        loop {
            if self.at < self.copied_to {
                let Some(piece) = self.kept.take(self.copied_to - self.at) else { return Ok(None) };
                self.at += piece.len;
                return self.count(piece, replacing).map(Some);
            }
            if let Some(Match { range, .. }) = self.next.take() {
                let mut rest = range.end - range.start;
                while let Some(piece) = self.kept.take(rest) {
                    rest -= piece.len;
                }
                self.at = range.end;
                replacing.replaced += 1;
                let piece = replacing.replacement(&range)?;
                return self.count(piece, replacing).map(Some);
            }
            if self.is_last {
                return Ok(None);
            }
            self.next = replacing.next_match()?;
            self.is_last = self.next.is_none();
            let start = |found: &Match| found.range.start;
            self.copied_to = self.next.as_ref().map_or(replacing.file.len(), start);
        }
    }

    /// Counts a piece, unless the contents become too long.
    fn count(&mut self, piece: Piece, replacing: &Replacing<'_, '_>) -> Result<Piece> {
        self.len = self.len.saturating_add(piece.len);
        if self.len > MAX_LEN {
            let (path, what) = (replacing.file.path.clone(), "the length of the contents");
            return Err(Error::TooLarge { path, what });
        }
        Ok(piece)
    }
}

/// The same pieces, but that many small ones in a row become one: where matches lie close together, the bytes between
/// them, stored once more, take less than their pieces would.
struct Frugal<'k, 'p> {
    edited: Edited<'k, 'p>,
    /// Small pieces in a row, with so many bytes.
    small: Vec<Piece>,
    len: usize,
    /// What comes next.
    ready: VecDeque<Piece>,
}

impl Frugal<'_, '_> {
    fn next(&mut self, replacing: &mut Replacing<'_, '_>) -> Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            match self.edited.next(replacing)? {
                Some(piece) if piece.len <= SMALL => {
                    if piece.len > 0 {
                        self.small.push(piece);
                        self.len += piece.len as usize;
                    }
                    if self.len >= STORED_AT_ONCE && self.small.len() >= MANY {
                        self.settle(replacing)?;
                    }
                }
                large => {
                    self.settle(replacing)?;
                    self.ready.extend(large);
                    if self.ready.is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Hands over the small pieces, as one if they are many.
    fn settle(&mut self, replacing: &mut Replacing<'_, '_>) -> Result<()> {
        if self.small.len() >= MANY {
            let mut bytes = vec![0; self.len];
            replacing.file.gather(self.small.drain(..), &mut bytes)?;
            self.ready.push_back(replacing.store(&bytes)?);
        } else {
            self.ready.extend(self.small.drain(..));
        }
        self.len = 0;
        Ok(())
    }
}

/// The old pieces, to be taken in parts.
struct Kept<'p> {
    pieces: Pieces<'p>,
    /// The rest of a piece.
    rest: Option<Piece>,
}

impl Kept<'_> {
    /// The next bytes of one piece, `longest` at most; none if that is 0.
    fn take(&mut self, longest: u64) -> Option<Piece> {
        if longest == 0 {
            return None;
        }
        let piece = self.rest.take().or_else(|| self.pieces.next())?;
        if piece.len > longest {
            self.rest = Some(piece.slice(longest, piece.len));
            return Some(piece.slice(0, longest));
        }
        Some(piece)
    }
}
