//! What those who own [`Contents`] do with them: see what they are made of, and commit them.
//!
//! A commit asks [`Contents::begin_commit`] whether it may begin, brings the runs of [`Contents::runs`] to where the
//! original is, and gives [`Contents::end_commit`] the new original.

use std::iter::{self, Peekable};
use std::ops::Range;
use std::sync::Arc;

use crate::contents::pristine;
pub use crate::history::Kept;
use crate::overwrite::Overwrites;
use crate::pieces::{PieceTree, Source};
use crate::source::Original;
use crate::{Contents, FileState, Result};

/// Bytes of the contents that lie together in the original, or that are not from there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    /// Where they are in the contents, in bytes.
    pub range: Range<u64>,
    /// Offset of the first of them in the original; `None` for new bytes.
    pub original: Option<u64>,
}

/// For owners.
impl Contents {
    /// What the contents consist of, in order and without gaps; neighbours that could be one run are one. O(1) amortised
    /// each.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.replace(2..5, "new")?;
    /// let runs: Vec<_> = file.runs().map(|run| (run.range, run.original)).collect();
    /// assert_eq!(runs, [(0..2, Some(0)), (2..5, None), (5..10, Some(5))]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        let mut end = 0;
        let pieces = self.tree.iter().map(move |piece| {
            let start = end;
            end += piece.len;
            let original = (piece.source == Source::Original).then_some(piece.offset);
            Run { range: start..end, original }
        });
        let mut pieces = pieces.peekable();
        iter::from_fn(move || next_run(&mut pieces))
    }

    /// Whether a commit may begin now; saves what it takes from history and snapshots. O(n) in their pieces and those of the
    /// contents, and what is saved.
    ///
    /// # Errors
    /// [`Error::Poisoned`](crate::Error::Poisoned); [`Error::Unexpected`](crate::Error::Unexpected), if an
    /// [expectation](Self::expect) was not met; [`Error::SourceChanged`](crate::Error::SourceChanged).
    pub fn begin_commit(&self) -> Result<Kept> {
        self.check_usable()?;
        self.check_expectations()?;
        self.sources.iter().try_for_each(|source| source.check_unchanged())?;
        Ok(self.keep_history())
    }

    /// Takes `original`, whose bytes are the current contents since a commit, as the new ground for edits. `kept` is from the
    /// beginning of that commit; no edit may lie between.
    pub fn end_commit(&mut self, original: Arc<dyn Original>, mut kept: Kept) {
        self.original = original;
        self.tree = PieceTree::from_pieces(pristine(self.original.len()));
        std::mem::swap(&mut self.added, &mut kept.added);
        self.overwrites = Overwrites::above(self.added.len());
        self.sources.clear();
        self.unmet_expectation = None;
        self.rebase_history(kept);
    }

    /// Refuses all edits and reads from now on: a commit was cut short, and left `state`.
    pub fn poison(&mut self, state: FileState) {
        self.poisoned = Some(state);
    }
}

fn next_run(pieces: &mut Peekable<impl Iterator<Item = Run>>) -> Option<Run> {
    let mut run = pieces.next()?;
    // Neighbours in the original are one piece already.
    while let Some(next) = pieces.next_if(|next| run.original.is_none() && next.original.is_none())
    {
        run.range.end = next.range.end;
    }
    Some(run)
}

/// Makes a type that owns [`Contents`] (`$owner`, with a field `contents`) dereference to them, with the edits as methods of
/// its own besides: `file.remove(file.len() - 4..)` borrows twice, which the compiler allows for a method of `file`, but
/// not for one of what `file` dereferences to.
#[doc(hidden)]
#[macro_export]
macro_rules! owns_contents {
    ($owner:ident) => {
        impl ::std::ops::Deref for $owner {
            type Target = $crate::Contents;

            fn deref(&self) -> &$crate::Contents {
                &self.contents
            }
        }

        impl ::std::ops::DerefMut for $owner {
            fn deref_mut(&mut self) -> &mut $crate::Contents {
                &mut self.contents
            }
        }

        /// The edits of [`Contents`]($crate::Contents), where everything else of them is as well.
        impl $owner {
            $crate::owns_contents! { @edits
                replace(range: impl ::std::ops::RangeBounds<u64>, bytes: impl AsRef<[u8]>);
                insert(offset: u64, bytes: impl AsRef<[u8]>);
                remove(range: impl ::std::ops::RangeBounds<u64>);
                append(bytes: impl AsRef<[u8]>);
                truncate(len: u64);
                splice(range: impl ::std::ops::RangeBounds<u64>, content: $crate::Content<'_>);
                copy_range(range: impl ::std::ops::RangeBounds<u64>, offset: u64);
                move_range(range: impl ::std::ops::RangeBounds<u64>, offset: u64);
                expect(range: impl ::std::ops::RangeBounds<u64>, old: impl AsRef<[u8]>);
            }
        }
    };
    (@edits $($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            #[doc = concat!("As [`Contents::", stringify!($name), "`]($crate::Contents::", stringify!($name), ").")]
            ///
            /// # Errors
            /// As there.
            pub fn $name(&mut self, $($argument: $type),*) -> $crate::Result<()> {
                self.contents.$name($($argument),*)
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    use crate::Content;
    use crate::contents::tests::opened;

    #[test]
    fn new_bytes_of_all_kinds_are_one_run() {
        let (_target, mut file) = opened("0123456789");
        file.insert(4, "abc").unwrap();
        file.splice(7..7, Content::fill(b'-', 3)).unwrap();
        file.insert(10, "d").unwrap();
        file.splice(0..0, Content::copy(12..)).unwrap();
        let runs: Vec<_> = file.runs().map(|run| (run.range, run.original)).collect();
        assert_eq!(runs, [(0..5, Some(5)), (5..9, Some(0)), (9..16, None), (16..22, Some(4))]);
        file.truncate(0).unwrap();
        assert_eq!(file.runs().count(), 0);
    }
}
