use std::fmt;

/// Why a journal does not belong to the file beside it, or to the file whose mark names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The file is a copy of the interrupted file that was made in the middle of its commit. The original still has its
    /// journal.
    CopiedFile,
    /// The file is another one than the journal was written for, such as a backup that was moved into its place.
    OtherFile,
    /// The journal is a copy: only [`RecoverOptions::force`](crate::RecoverOptions::force) obeys it, if it fits the file.
    CopiedJournal,
    /// The journal is of another commit than the one that the mark of the file names.
    OtherCommit,
    /// The commit had marked its file, and this file has no mark: it got the inode number of the interrupted file after
    /// that was removed, or lost its mark.
    Unmarked,
}

impl Mismatch {
    /// Whether [`RecoverOptions::force`](crate::RecoverOptions::force) may obey the journal.
    #[must_use]
    pub fn yields_to_force(self) -> bool {
        self == Self::CopiedJournal
    }
}

/// What to do about it.
impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::CopiedFile => {
                "recover the original, and copy it again: this copy holds neither the old nor the new contents"
            }
            Self::OtherFile => {
                "if this file is whole, such as a backup that was moved here, `forget` takes it as it is; else move the \
                 interrupted file back here and recover it"
            }
            Self::CopiedJournal => {
                "if file and journal are restored copies, recover with RecoverOptions::force; if this file is whole, \
                 such as a backup, `forget` takes it as it is"
            }
            Self::OtherCommit => {
                "put the journal of that commit back and recover; or, if this file is whole, such as a backup, `forget` \
                 takes it as it is"
            }
            Self::Unmarked => {
                "if this file is whole, such as a new file or a backup, `forget` takes it as it is"
            }
        })
    }
}
