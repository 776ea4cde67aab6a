use std::ops::RangeBounds;

use super::replacing::Replacing;
use super::searcher::{ReverseSearcher, Searcher};
use super::{Match, Matches, Pattern, Replacement, ReverseMatches, SearchOptions};
use crate::{Contents, Result};

/// Finding and replacing in the current contents.
impl Contents {
    /// The first match of `pattern` in `range`. Reads O(n) bytes up to the match, 256 KiB at a time, and takes memory for
    /// no more than that and the pattern.
    ///
    /// # Errors
    /// [`OutOfRange`](crate::Error::OutOfRange), [`ReversedRange`](crate::Error::ReversedRange); else as
    /// [`read_at`](Self::read_at).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// # std::fs::write(&path, "one three")?;
    /// use bytesplice::{Pattern, SpliceFile};
    ///
    /// let mut file = SpliceFile::open(&path)?;
    /// file.insert(4, "two ")?;
    /// let found = file.find(&Pattern::literal("e two t"), ..)?;
    /// assert_eq!(found.unwrap().range, 2..9);
    /// assert_eq!(file.find(&Pattern::literal("two"), 5..)?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn find(&self, pattern: &Pattern, range: impl RangeBounds<u64>) -> Result<Option<Match>> {
        self.find_with(pattern, SearchOptions::new().range(range))
    }

    /// The first match of `pattern`, with options: see [`find`](Self::find).
    ///
    /// # Errors
    /// As for [`find`](Self::find); [`Cancelled`](crate::Error::Cancelled).
    pub fn find_with(
        &self,
        pattern: &Pattern,
        options: SearchOptions<'_>,
    ) -> Result<Option<Match>> {
        Searcher::new(self, pattern, options)?.next(self)
    }

    /// The match of `pattern` in `range` that starts last. It may overlap matches that start earlier: `aa` is found in `aaa`
    /// at 1. Reads O(n) bytes from the end; else as [`find`](Self::find).
    ///
    /// # Errors
    /// As for [`find`](Self::find).
    pub fn rfind(&self, pattern: &Pattern, range: impl RangeBounds<u64>) -> Result<Option<Match>> {
        self.rfind_with(pattern, SearchOptions::new().range(range))
    }

    /// The match of `pattern` that starts last, with options: see [`rfind`](Self::rfind).
    ///
    /// # Errors
    /// As for [`find`](Self::find); [`Cancelled`](crate::Error::Cancelled).
    pub fn rfind_with(
        &self,
        pattern: &Pattern,
        options: SearchOptions<'_>,
    ) -> Result<Option<Match>> {
        ReverseSearcher::new(self, pattern, options)?.next(self)
    }

    /// The matches of `pattern` in `range` in order, without overlap, each looked for when it is asked for. An empty match
    /// right behind the last match is left out, as in the crate `regex`.
    ///
    /// # Errors
    /// As for [`find`](Self::find), at once or as an item, which is the last then.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// # std::fs::write(&path, "1, 22, 333")?;
    /// use bytesplice::{Pattern, SpliceFile};
    ///
    /// let file = SpliceFile::open(&path)?;
    /// let mut ranges = Vec::new();
    /// for found in file.find_iter(&Pattern::regex("[0-9]+")?, ..)? {
    ///     ranges.push(found?.range);
    /// }
    /// assert_eq!(ranges, [0..1, 3..5, 7..10]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn find_iter<'a>(
        &'a self,
        pattern: &'a Pattern,
        range: impl RangeBounds<u64>,
    ) -> Result<Matches<'a>> {
        self.find_iter_with(pattern, SearchOptions::new().range(range))
    }

    /// The matches of `pattern` in order, with options: see [`find_iter`](Self::find_iter).
    ///
    /// # Errors
    /// As for [`find_iter`](Self::find_iter); [`Cancelled`](crate::Error::Cancelled).
    pub fn find_iter_with<'a>(
        &'a self,
        pattern: &'a Pattern,
        options: SearchOptions<'a>,
    ) -> Result<Matches<'a>> {
        Ok(Matches { file: self, searcher: Searcher::new(self, pattern, options)? })
    }

    /// The matches of `pattern` in `range` from the end: each is the one that starts last among those that end where the one
    /// before starts, or earlier. These need not be those of [`find_iter`](Self::find_iter), in reverse.
    ///
    /// # Errors
    /// As for [`find_iter`](Self::find_iter).
    pub fn rfind_iter<'a>(
        &'a self,
        pattern: &'a Pattern,
        range: impl RangeBounds<u64>,
    ) -> Result<ReverseMatches<'a>> {
        self.rfind_iter_with(pattern, SearchOptions::new().range(range))
    }

    /// The matches of `pattern` from the end, with options: see [`rfind_iter`](Self::rfind_iter).
    ///
    /// # Errors
    /// As for [`rfind_iter`](Self::rfind_iter); [`Cancelled`](crate::Error::Cancelled).
    pub fn rfind_iter_with<'a>(
        &'a self,
        pattern: &'a Pattern,
        options: SearchOptions<'a>,
    ) -> Result<ReverseMatches<'a>> {
        Ok(ReverseMatches { file: self, searcher: ReverseSearcher::new(self, pattern, options)? })
    }

    /// Replaces all matches of `pattern` and returns how many there were: those of [`find_iter`](Self::find_iter). See
    /// [`replace_all_with`](Self::replace_all_with).
    ///
    /// # Errors
    /// As for [`replace_all_with`](Self::replace_all_with).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// use bytesplice::{Pattern, Replacement, SpliceFile};
    ///
    /// std::fs::write(&path, "one fish, two fish")?;
    /// let mut file = SpliceFile::open(&path)?;
    /// let count = file.replace_all(&Pattern::literal("fish"), &Replacement::literal("rabbit"))?;
    /// file.commit()?;
    /// assert_eq!(count, 2);
    /// assert_eq!(std::fs::read(&path)?, b"one rabbit, two rabbit");
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace_all(&mut self, pattern: &Pattern, replacement: &Replacement) -> Result<u64> {
        self.replace_all_with(pattern, replacement, SearchOptions::new())
    }

    /// Replaces the matches of `pattern`, all or as the options limit them, and returns how many there were. All of them or,
    /// after an error, none; without a match nothing is changed.
    ///
    /// One pass over the contents: O(n) and the pieces. Each match takes about 50 bytes of memory, whatever its length and
    /// that of its replacement; a literal replacement is stored once. Where matches lie less than 64 bytes apart, what is
    /// between them counts as added bytes instead, as does what a template is expanded to: beyond the
    /// [`memory_limit`](crate::OpenOptions::memory_limit) these go to a temporary file. Where a template names groups, the
    /// matches are read into memory one by one.
    ///
    /// # Errors
    /// As for [`find`](Self::find) and [`splice`](Self::splice); [`Cancelled`](crate::Error::Cancelled);
    /// [`MatchTooLong`](crate::Error::MatchTooLong) if a match whose groups are wanted has more than 4 MiB.
    pub fn replace_all_with(
        &mut self,
        pattern: &Pattern,
        replacement: &Replacement,
        options: SearchOptions<'_>,
    ) -> Result<u64> {
        Replacing::new(self, pattern, replacement, options)?.run()
    }
}
