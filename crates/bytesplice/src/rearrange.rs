use std::ops::RangeBounds;

use crate::content::Content;
use crate::range;
use crate::{Contents, Error, Result};

/// Bytes of the contents, once more or elsewhere.
impl Contents {
    /// Inserts a copy of the bytes of `range` (half-open, in bytes) before the byte at `offset`. O(log n): nothing is
    /// read before the commit. `offset` may lie within the range.
    ///
    /// # Errors
    /// As for [`splice`](Self::splice) with [`Content::copy`].
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.copy_range(8.., 1)?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&path)?, b"089123456789");
    /// # Ok(())
    /// # }
    /// ```
    pub fn copy_range(&mut self, range: impl RangeBounds<u64>, offset: u64) -> Result<()> {
        self.splice(offset..offset, Content::copy(range))
    }

    /// Moves the bytes of `range` (half-open, in bytes) before the byte that is now at `offset`: an offset before the
    /// move, as the range is. At either end of the range nothing changes. O(log n).
    ///
    /// # Errors
    /// [`Error::MoveIntoItself`] if `offset` lies within the range; [`Error::OutOfRange`], [`Error::ReversedRange`] and
    /// [`Error::Poisoned`]. Nothing is changed by any of these.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.move_range(..2, 5)?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&path)?, b"2340156789");
    /// # Ok(())
    /// # }
    /// ```
    pub fn move_range(&mut self, range: impl RangeBounds<u64>, offset: u64) -> Result<()> {
        self.check_usable()?;
        let from = range::resolve(range, self.len(), self.path())?;
        let offset = range::resolve(offset..offset, self.len(), self.path())?.start;
        if from.start < offset && offset < from.end {
            let (path, start, end) = (self.path.clone(), from.start, from.end);
            return Err(Error::MoveIntoItself { path, start, end, offset });
        }
        // Two neighbours change places. Each byte is there once, as before, so that none is shared.
        let neighbour = if offset <= from.start { offset..from.start } else { from.end..offset };
        let both = neighbour.start.min(from.start)..neighbour.end.max(from.end);
        if neighbour.is_empty() || from.is_empty() {
            return Ok(());
        }
        let (moved, passed) = (self.tree.slice(from.clone()), self.tree.slice(neighbour.clone()));
        let (mut first, second) =
            if neighbour.start < from.start { (moved, passed) } else { (passed, moved) };
        first.splice_tree(first.len()..first.len(), second);
        self.put_tree(both, first);
        Ok(())
    }
}
