use std::fmt;
use std::path::PathBuf;

use super::text::Shown;

/// What a file holds after an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileState {
    /// The old contents.
    Unchanged,
    /// The commit point was passed, or may have been: the next open finishes the commit.
    Recoverable {
        /// The journal that knows how.
        journal: PathBuf,
    },
    /// The commit is done and the file holds the new contents.
    Committed,
    /// A `direct` or unsynced commit was cut: neither old nor new.
    Damaged,
    /// An object whose swap, or a file whose change of name, was not answered: wholly old or wholly new.
    OldOrNew,
}

impl fmt::Display for FileState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => out.write_str("the file is unchanged"),
            Self::Recoverable { journal } => write!(
                out,
                "the commit was cut short and its journal kept: solve the cause, then run `bytesplice recover` on \
                 the file (journal: {})",
                Shown(journal)
            ),
            Self::Committed => out.write_str("the file holds the new contents"),
            Self::OldOrNew => out.write_str(
                "whether it holds the old or the new contents is not known: open it again and look",
            ),
            Self::Damaged => out.write_str(
                "the file was being changed without a journal and is now neither old nor new: restore it from a backup",
            ),
        }
    }
}
