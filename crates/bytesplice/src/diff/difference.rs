use std::fmt;
use std::io::Write;

use super::Matcher;
use super::join::join;
use crate::pieces::Piece;
use crate::script::{Supply, describe};
use crate::vcdiff::encode;
use crate::{
    Checks, Contents, Offsets, Result, ScriptHeader, ScriptWriter, VcdiffWriter, WorkOptions,
};

/// What turns the contents of one file into those of another, to be written as a script or as a delta.
///
/// It is short, not the shortest. Bytes that changed their place are copied where they are found, in runs of 2 KiB for
/// old files of 1 GiB and in proportion.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let (one, other) = (directory.path().join("one"), directory.path().join("other"));
/// use bytesplice::{WorkOptions, Difference, SpliceFile, Vcdiff, VcdiffWriter};
///
/// std::fs::write(&one, "Twelve lines, all of them long enough to be found again.")?;
/// std::fs::write(&other, "Twelve short lines, all of them long enough to be found again.")?;
/// let (mut old, new) = (SpliceFile::open(&one)?, SpliceFile::open(&other)?);
/// let mut delta = VcdiffWriter::new("delta", Vec::new());
/// let mut compared = 0;
/// let mut count = |progress: bytesplice::Progress| compared = progress.bytes_done;
/// let options = WorkOptions::new().progress(&mut count);
/// Difference::find_with(&old, &new, options)?.write_vcdiff(&mut delta)?;
/// assert_eq!(compared, 62);
///
/// old.apply_vcdiff(Vcdiff::new("delta", &delta.finish()?[..])?)?;
/// old.commit()?;
/// assert_eq!(std::fs::read(&one)?, std::fs::read(&other)?);
/// # Ok(())
/// # }
/// ```
pub struct Difference<'a> {
    old: &'a Contents,
    new: &'a Contents,
    /// `Source::Original` pieces are of the old file, `Source::Added` ones of the new.
    pieces: Vec<Piece>,
}

impl<'a> Difference<'a> {
    /// Compares all of both files. O(bytes of both); memory: about 30 MiB, and 24 bytes for every edit.
    ///
    /// # Errors
    /// As for [`read_at`](crate::Contents::read_at).
    pub fn find(old: &'a Contents, new: &'a Contents) -> Result<Self> {
        Self::find_with(old, new, WorkOptions::new())
    }

    /// The same, told of and stopped by `options`.
    ///
    /// # Errors
    /// As for [`find`](Self::find), and [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn find_with(
        old: &'a Contents,
        new: &'a Contents,
        options: WorkOptions<'_>,
    ) -> Result<Self> {
        let mut matcher = Matcher::new(old, new, options);
        matcher.run()?;
        Ok(Self { old, new, pieces: matcher.pieces })
    }

    /// Writes it as a script. Edits that are closer to each other than another line costs are written as one.
    /// O(n log n), and the bytes that are new or removed.
    ///
    /// # Errors
    /// [`Error::Script`](crate::Error::Script) if it cannot be written; else as for [`read_at`](crate::Contents::read_at).
    pub fn write_script<W: Write>(&self, checks: Checks, out: &mut ScriptWriter<W>) -> Result<()> {
        let (old_len, new_len) = (Some(self.old.len()), Some(self.new.len()));
        out.header(&ScriptHeader { offsets: Offsets::Old, old_len, new_len })?;
        let pieces = join(&self.pieces, self.old.len(), checks);
        describe(&pieces, self.old.len(), self, checks, out)
    }

    /// Writes it as a delta in VCDIFF. O(bytes of the new file): they are read once more, for the checksums.
    ///
    /// # Errors
    /// [`Error::Vcdiff`](crate::Error::Vcdiff) if it cannot be written; else as for [`read_at`](crate::Contents::read_at).
    pub fn write_vcdiff<W: Write>(&self, out: &mut VcdiffWriter<W>) -> Result<()> {
        encode(self.pieces.iter().copied(), self, out)
    }
}

impl Supply for Difference<'_> {
    fn read_new(&self, buffer: &mut [u8], piece: Piece) -> Result<()> {
        self.new.read_exact_at(buffer, piece.offset)
    }

    fn read_old(&self, buffer: &mut [u8], offset: u64) -> Result<bool> {
        self.old.read_exact_at(buffer, offset).map(|()| true)
    }
}

impl fmt::Debug for Difference<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Difference")
            .field("old", self.old)
            .field("new", self.new)
            .field("pieces", &self.pieces.len())
            .finish()
    }
}
