//! What those who own [`Contents`] do with them: see what they are made of, and commit them.
//!
//! A commit asks [`Contents::begin_commit`] whether it may begin, brings the [parts](Contents::parts) to where the
//! original is, and gives [`Contents::end_commit`] the new original.

use std::sync::Arc;

use crate::contents::pristine;
pub use crate::history::Kept;
use crate::overwrite::Overwrites;
use crate::pieces::PieceTree;
use crate::source::Original;
use crate::{Contents, FileState, Result};

/// For owners.
impl Contents {
    /// Whether a commit may begin now; saves what it takes from history and snapshots, which is read for that: `room` bytes
    /// at most, and no more than the [`history_limit`](crate::OpenOptions::history_limit). O(n) in their pieces and those
    /// of the contents, and what is saved.
    ///
    /// # Errors
    /// [`Error::Poisoned`](crate::Error::Poisoned); [`Error::Unexpected`](crate::Error::Unexpected), if an
    /// [expectation](Self::expect) was not met; [`Error::SourceChanged`](crate::Error::SourceChanged).
    pub fn begin_commit(&self, room: u64) -> Result<Kept> {
        self.check_usable()?;
        self.check_expectations()?;
        self.sources.iter().try_for_each(|source| source.check_unchanged())?;
        Ok(self.keep_history(room))
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
