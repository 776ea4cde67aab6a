use std::ops::Range;
use std::path::Path;

use super::apply::{Refused, Target};
use super::{OldBytes, Supply};
use crate::pieces::{Piece, PieceTree, Source};
use crate::source::{AddedBytes, AppendError, FileSource};
use crate::{Error, FileState, Result};

/// New bytes that stay in memory; those beyond go to a temporary file, as those of a [`SpliceFile`](crate::SpliceFile).
const MEMORY_LIMIT: u64 = 16 << 20;
/// Stands for a length that is not known: further than any edit reaches that means anything.
const FAR: u64 = 1 << 62;

/// Contents over a file that need not be there: its bytes are not known, and its length may not be.
pub(super) struct Draft {
    tree: PieceTree,
    added: AddedBytes,
    sources: Vec<FileSource>,
    /// Length of the old file, or what stands for it.
    old_len: u64,
    knows_length: bool,
    /// Old bytes that scripts told; `None` if nobody will ask.
    known: Option<Vec<Known>>,
}

/// Bytes of the old file, in the store of added bytes.
struct Known {
    start: u64,
    len: u64,
    address: u64,
}

impl Draft {
    /// The file before any edit. With `learns` every removal must tell the bytes that go, which are kept.
    pub fn new(len: Option<u64>, learns: bool) -> Self {
        let old_len = len.unwrap_or(FAR);
        Self {
            tree: PieceTree::from_pieces([Piece::new(Source::Original, 0, old_len)]),
            added: AddedBytes::new(MEMORY_LIMIT, None),
            sources: Vec::new(),
            old_len,
            knows_length: len.is_some(),
            known: learns.then(Vec::new),
        }
    }

    /// Whether the lengths mean anything.
    pub fn knows_length(&self) -> bool {
        self.knows_length
    }

    /// Learns the length from that of the contents as edited; false if it is already known to be another one.
    pub fn settle(&mut self, len: u64) -> bool {
        let now = self.tree.len();
        if self.knows_length || now == len {
            return now == len;
        }
        // What is far too much lies at the end, where no edit was.
        let last = now.checked_sub(1).and_then(|last| self.tree.piece_at(last));
        let rest = last.filter(|(start, piece)| {
            piece.source == Source::Original && piece.offset + piece.len == FAR && *start <= len
        });
        if rest.is_none() || now < len {
            return false;
        }
        self.tree.splice(len..now, []);
        self.old_len = FAR - (now - len);
        self.knows_length = true;
        true
    }

    /// Length of the old file, or what stands for it.
    pub fn old_len(&self) -> u64 {
        self.old_len
    }

    /// Length of the contents, or what stands for it.
    pub fn len(&self) -> u64 {
        self.tree.len()
    }

    /// The contents.
    pub fn pieces(&self) -> Vec<Piece> {
        self.tree.iter().collect()
    }

    /// Brings what scripts told into order, to be looked up.
    pub fn learned(&mut self) {
        if let Some(known) = &mut self.known {
            known.sort_unstable_by_key(|known| known.start);
        }
    }

    fn read(&self, buffer: &mut [u8], piece: Piece) -> Result<bool> {
        let failed = |path: &Path, source| Error::Io {
            path: path.into(),
            operation: "read",
            offset: piece.offset,
            len: piece.len,
            source,
            state: FileState::Unchanged,
        };
        match piece.source {
            Source::Original => return self.recall(buffer, piece.offset),
            Source::Added => self
                .added
                .read_exact_at(buffer, piece.offset)
                .map_err(|error| failed(&self.added.directory(), error))?,
            Source::File(number) => {
                let Some(source) = self.sources.get(number as usize) else { return Ok(false) };
                source
                    .read_exact_at(buffer, piece.offset)
                    .map_err(|error| failed(source.path(), error))?;
            }
            Source::Fill(byte) => buffer.fill(byte),
        }
        Ok(true)
    }

    /// Old bytes as a script told them.
    fn recall(&self, mut buffer: &mut [u8], mut offset: u64) -> Result<bool> {
        let known = self.known.as_deref().unwrap_or_default();
        while !buffer.is_empty() {
            let next = known.partition_point(|known| known.start <= offset);
            // Those of a script in sequence may overlap: the last few are looked at.
            let found = known[..next].iter().rev().take(16).find(|it| it.start + it.len > offset);
            let Some(found) = found else { return Ok(false) };
            let skip = offset - found.start;
            let count = (found.len - skip).min(buffer.len() as u64);
            let (now, later) = buffer.split_at_mut(count as usize);
            self.read(now, Piece::new(Source::Added, found.address + skip, count))?;
            offset += count;
            buffer = later;
        }
        Ok(true)
    }

    fn not_added(&self, error: AppendError) -> Error {
        let (path, state) = (self.added.directory(), FileState::Unchanged);
        match error {
            AppendError::OverLimit { len, limit } => Error::SizeLimit { path, len, limit, state },
            AppendError::Read(source) | AppendError::Store(source) => Error::Io {
                path,
                operation: "store added bytes in a temporary file in it",
                offset: self.added.len(),
                len: 0,
                source,
                state,
            },
        }
    }
}

impl Target for Draft {
    fn tree(&mut self) -> &mut PieceTree {
        &mut self.tree
    }

    fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        self.added.append(bytes).map_err(|error| self.not_added(error))
    }

    fn number(&mut self, source: FileSource) -> Result<Source> {
        let same = |known: &FileSource| {
            known.path() == source.path() && known.identity() == source.identity()
        };
        let known = self.sources.iter().position(same);
        let number = known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        Ok(Source::File(number as u32))
    }

    fn check(&mut self, range: Range<u64>, old: Option<&OldBytes>) -> Result<(), Refused> {
        let mut known = match self.known.take() {
            None => return Ok(()),
            Some(known) => known,
        };
        let Some(OldBytes::Bytes(bytes)) = old else { return Err(Refused::Unknown) };
        let mut address = self.append(bytes)?;
        for piece in self.tree.range(range) {
            if piece.source == Source::Original {
                known.push(Known { start: piece.offset, len: piece.len, address });
            }
            address += piece.len;
        }
        self.known = Some(known);
        Ok(())
    }
}

/// From the old file to the contents.
pub(super) struct Forward<'a>(pub &'a Draft);

impl Supply for Forward<'_> {
    fn read_new(&self, buffer: &mut [u8], piece: Piece) -> Result<()> {
        self.0.read(buffer, piece).map(drop)
    }

    fn read_old(&self, buffer: &mut [u8], offset: u64) -> Result<bool> {
        self.0.recall(buffer, offset)
    }

    fn path_of(&self, piece: Piece) -> Option<&Path> {
        match piece.source {
            Source::File(number) => self.0.sources.get(number as usize).map(FileSource::path),
            _ => None,
        }
    }
}

/// From the contents to the old file.
pub(super) struct Backward<'a>(pub &'a Draft);

impl Supply for Backward<'_> {
    fn read_new(&self, buffer: &mut [u8], piece: Piece) -> Result<()> {
        // All bytes that went were told, or the script would have been refused.
        self.0.recall(buffer, piece.offset).map(drop)
    }

    fn read_old(&self, mut buffer: &mut [u8], offset: u64) -> Result<bool> {
        for piece in self.0.tree.range(offset..offset + buffer.len() as u64) {
            let (now, later) = buffer.split_at_mut(piece.len as usize);
            if !self.0.read(now, piece)? {
                return Ok(false);
            }
            buffer = later;
        }
        Ok(true)
    }
}
