use std::io::{BufRead, Write};
use std::mem;
use std::ops::{Range, RangeBounds};
use std::path::Path;

use super::pieces::inverse;
use super::{
    Checks, Offsets, OldBytes, Script, ScriptContent, ScriptEdit, ScriptHeader, ScriptProblem,
    ScriptWriter, Supply, describe,
};
use crate::pieces::{Piece, PieceTree, Source};
use crate::range::MAX_LEN;
use crate::source::FileSource;
use crate::{Contents, Error, Result};

/// Most pieces that the copies of a script may be of: copies of copies double them, and a script is not to be trusted.
const MOST_COPIED_PIECES: u64 = 1 << 24;

/// What edits of a script are made in: a file, or a draft of one that need not be there.
pub(super) trait Target {
    /// The contents as pieces.
    fn tree(&mut self) -> &mut PieceTree;

    /// Takes `bytes` into the store and gives the address of the first.
    fn append(&mut self, bytes: &[u8]) -> Result<u64>;

    /// The name under which pieces know another file.
    fn number(&mut self, source: FileSource) -> Result<Source>;

    /// Looks at the bytes that an edit removes; there are as many as `old` has.
    fn check(&mut self, range: Range<u64>, old: Option<&OldBytes>) -> Result<(), Refused>;

    /// Takes `bytes` into the store and gives the piece of them.
    fn hold(&mut self, bytes: &[u8]) -> Result<Piece> {
        Ok(Piece::new(Source::Added, self.append(bytes)?, bytes.len() as u64))
    }

    /// The piece for a range of another file.
    fn open(&mut self, path: &Path, range: impl RangeBounds<u64>) -> Result<Piece> {
        let (source, range) = FileSource::open_range(path, range)?;
        Ok(Piece::new(self.number(source)?, range.start, range.end - range.start))
    }
}

/// Why bytes may not be removed.
pub(super) enum Refused {
    /// They are not as the script has them.
    Differ,
    /// The script does not have them.
    Unknown,
    /// They cannot be read or held.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Makes the edits of `script` in `target`, and says how many there were. After an error the target is anything.
/// `knows_length` is false for a draft of a file of unknown length.
pub(super) fn apply<R: BufRead>(
    target: &mut impl Target,
    script: &mut Script<R>,
    knows_length: bool,
) -> Result<u64> {
    let ScriptHeader { offsets, old_len, new_len } = *script.header();
    let before = target.tree().clone();
    if let Some(expected) = old_len.filter(|&len| knows_length && len != before.len()) {
        return Err(script.error(ScriptProblem::OldLength { expected, found: before.len() }));
    }
    let mut progress = Progress { offsets, old: 0, new: 0, copied: 0, before };
    let mut count = 0;
    while let Some(edit) = script.next() {
        progress.make(target, &edit?).map_err(|problem| script.error(problem))?;
        count += 1;
    }
    let found = target.tree().len();
    match new_len {
        Some(expected) if knows_length && expected != found => {
            Err(script.error(ScriptProblem::NewLength { expected, found }))
        }
        _ => Ok(count),
    }
}

/// How far a script is.
struct Progress {
    offsets: Offsets,
    /// Where the last edit ended in the old file.
    old: u64,
    /// The same place in the contents as edited.
    new: u64,
    copied: u64,
    before: PieceTree,
}

impl Progress {
    fn make(&mut self, target: &mut impl Target, edit: &ScriptEdit) -> Result<(), ScriptProblem> {
        let Range { start, end } = edit.range;
        let len = match self.offsets {
            Offsets::Old => self.before.len(),
            Offsets::Sequence => target.tree().len(),
        };
        if end > len {
            return Err(ScriptProblem::OutOfRange { start, end, len });
        }
        let now = match self.offsets {
            Offsets::Sequence => start..end,
            Offsets::Old if start < self.old => {
                return Err(ScriptProblem::NotAscending { start, end, reached: self.old });
            }
            Offsets::Old => {
                let now = self.new + (start - self.old);
                now..now + (end - start)
            }
        };
        if start < end {
            target.check(now.clone(), edit.old.as_ref()).map_err(|refused| match refused {
                Refused::Differ => ScriptProblem::OldBytes { start, end },
                Refused::Unknown => ScriptProblem::OldBytesMissing { start, end },
                Refused::Failed(error) => ScriptProblem::Content(error.into()),
            })?;
        }
        let failed = |error: Error| ScriptProblem::Content(error.into());
        let pieces = match &edit.content {
            ScriptContent::Copy(range) => self.copy(target, range.clone(), len)?,
            ScriptContent::Bytes(bytes) if bytes.is_empty() => Vec::new(),
            ScriptContent::Bytes(bytes) => vec![target.hold(bytes).map_err(failed)?],
            ScriptContent::Fill(byte, count) => vec![Piece::new(Source::Fill(*byte), 0, *count)],
            ScriptContent::File(path, range) => {
                let piece = match range {
                    Some(range) => target.open(path, range.clone()),
                    None => target.open(path, ..),
                };
                vec![piece.map_err(failed)?]
            }
        };
        let added: u128 = pieces.iter().map(|piece| u128::from(piece.len)).sum();
        let kept = target.tree().len() - (now.end - now.start);
        if added + u128::from(kept) > u128::from(MAX_LEN) {
            return Err(ScriptProblem::TooLarge);
        }
        target.tree().splice(now.clone(), pieces.into_iter().filter(|piece| piece.len > 0));
        (self.old, self.new) = (end, now.start + added as u64);
        Ok(())
    }

    fn copy(
        &mut self,
        target: &mut impl Target,
        range: Range<u64>,
        len: u64,
    ) -> Result<Vec<Piece>, ScriptProblem> {
        let Range { start, end } = range;
        if end > len {
            return Err(ScriptProblem::OutOfRange { start, end, len });
        }
        let tree = match self.offsets {
            Offsets::Old => &self.before,
            Offsets::Sequence => target.tree(),
        };
        let room = MOST_COPIED_PIECES - self.copied;
        let pieces: Vec<Piece> = tree.range(range).take(room as usize + 1).collect();
        if pieces.len() as u64 > room {
            return Err(ScriptProblem::TooManyPieces { limit: MOST_COPIED_PIECES });
        }
        self.copied += pieces.len() as u64;
        Ok(pieces)
    }
}

impl Target for Contents {
    fn tree(&mut self) -> &mut PieceTree {
        &mut self.tree
    }

    fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        self.added.append(bytes).map_err(|error| self.not_added(error))
    }

    fn number(&mut self, source: FileSource) -> Result<Source> {
        self.number_source(source)
    }

    fn check(&mut self, range: Range<u64>, old: Option<&OldBytes>) -> Result<(), Refused> {
        let is_same = match old {
            None => true,
            Some(OldBytes::Bytes(old)) => self.first_difference(range, old)?.is_none(),
            Some(&OldBytes::Checksum(old)) => {
                let mut checksum = crc32fast::Hasher::new();
                for chunk in self.chunks(range)? {
                    checksum.update(&chunk?);
                }
                checksum.finalize() == old
            }
        };
        if is_same { Ok(()) } else { Err(Refused::Differ) }
    }
}

/// Edit scripts.
impl Contents {
    /// Makes all edits of a script, or none. Says how many there were.
    ///
    /// The script is read edit by edit: what stays in memory is the piece tree, and of the new bytes what the memory
    /// limit allows. O(log n) an edit, and the bytes.
    ///
    /// # Errors
    /// [`Error::Script`], with the line and what is wrong; nothing was changed then. [`Error::Poisoned`].
    ///
    /// # Examples
    /// See [`Script`].
    pub fn apply<R: BufRead>(&mut self, mut script: Script<R>) -> Result<u64> {
        self.check_usable()?;
        let before = self.tree.clone();
        let (added, sources) = (self.added.len(), self.sources.len());
        let outcome = apply(self, &mut script, true);
        let after = mem::replace(&mut self.tree, before);
        if outcome.is_ok() {
            // One step of the history.
            self.put_tree(0..self.len(), after);
        } else {
            self.added.forget_from(added);
            self.sources.truncate(sources);
        }
        outcome
    }

    /// Writes the pending edits as a script that turns the file, as it is on the disk, into the current contents.
    /// O(n log n), and the bytes.
    ///
    /// # Errors
    /// [`Error::Script`] if it cannot be written; else as for [`read_at`](Self::read_at).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// use bytesplice::{Checks, ScriptWriter, SpliceFile};
    ///
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = SpliceFile::open(&path)?;
    /// file.replace(2..4, "x")?;
    /// let mut script = ScriptWriter::new("edits", Vec::new());
    /// file.write_script(Checks::Whole, &mut script)?;
    /// assert_eq!(
    ///     String::from_utf8(script.finish()?)?.lines().last(),
    ///     Some(r#"{"replace":[2,4],"text":"x","old":{"text":"23"}}"#)
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn write_script<W: Write>(&self, checks: Checks, out: &mut ScriptWriter<W>) -> Result<()> {
        self.check_usable()?;
        let pieces: Vec<Piece> = self.tree.iter().collect();
        let (old_len, new_len) = (Some(self.original.len()), Some(self.len()));
        out.header(&ScriptHeader { offsets: Offsets::Old, old_len, new_len })?;
        describe(&pieces, self.original.len(), &Forward(self), checks, out)
    }

    /// Writes the script that turns the current contents back into the file as it is on the disk: the undo script of
    /// the pending edits. It holds the bytes that they removed. O(n log n), and the bytes.
    ///
    /// # Errors
    /// As for [`write_script`](Self::write_script).
    pub fn write_undo_script<W: Write>(
        &self,
        checks: Checks,
        out: &mut ScriptWriter<W>,
    ) -> Result<()> {
        self.check_usable()?;
        let pieces: Vec<Piece> = self.tree.iter().collect();
        let pieces = inverse(&pieces, self.original.len());
        let (old_len, new_len) = (Some(self.len()), Some(self.original.len()));
        out.header(&ScriptHeader { offsets: Offsets::Old, old_len, new_len })?;
        describe(&pieces, self.len(), &Backward(self), checks, out)
    }
}

/// From the file on the disk to the current contents.
pub(crate) struct Forward<'a>(pub &'a Contents);

impl Supply for Forward<'_> {
    fn read_new(&self, buffer: &mut [u8], piece: Piece) -> Result<()> {
        self.0.read_piece(buffer, piece)
    }

    fn read_old(&self, buffer: &mut [u8], offset: u64) -> Result<bool> {
        let piece = Piece::new(Source::Original, offset, buffer.len() as u64);
        self.0.read_piece(buffer, piece).map(|()| true)
    }

    fn path_of(&self, piece: Piece) -> Option<&Path> {
        match piece.source {
            Source::File(number) => self.0.sources.get(number as usize).map(|source| source.path()),
            _ => None,
        }
    }
}

/// From the current contents to the file on the disk.
struct Backward<'a>(&'a Contents);

impl Supply for Backward<'_> {
    fn read_new(&self, buffer: &mut [u8], piece: Piece) -> Result<()> {
        self.0.read_piece(buffer, Piece::new(Source::Original, piece.offset, piece.len))
    }

    fn read_old(&self, buffer: &mut [u8], offset: u64) -> Result<bool> {
        self.0.read_exact_at(buffer, offset).map(|()| true)
    }
}
