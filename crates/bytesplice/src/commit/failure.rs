use std::io;

use crate::Mismatch;

/// Why a commit or a recovery stopped. The face turns it into an [`crate::Error`] that names the paths.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A system call failed.
    Io(IoFailure),
    /// Others changed the target, or a source of literals; nothing was changed.
    Changed(Box<crate::Error>),
    /// Others appended to the target while it was being lengthened; nothing was changed.
    AppendedTo,
    /// The journal is damaged; nothing was touched.
    Corrupt(String),
    /// The file is not what the broken commit left; nothing was touched.
    ChangedSinceCrash(String),
    /// The journal does not belong to the file; nothing was touched.
    WrongFile(Mismatch, String),
    /// The journal has another version; nothing was touched.
    Version(u32),
    /// The target is marked, but has no journal; nothing was touched.
    JournalMissing,
    /// The disk does not hold what was written and synced, or what is cached of the journal.
    DiskDiffers {
        /// The target or its journal.
        object: Object,
        /// Where, in bytes.
        range: std::ops::Range<u64>,
    },
    /// The caller asked to stop.
    Cancelled(Stage),
    /// The file system does not do to this file what the strategy needs; nothing was changed.
    Unsupported(IoFailure),
    /// The commit cannot be taken back any more; nothing was touched.
    PastCommitPoint,
    /// A failure after which the commit could not remove or take back what it had made.
    LeftBehind {
        /// Why the commit stopped.
        failure: Box<Self>,
        /// Why something of it is left.
        cleaning: Box<Self>,
        /// How far the commit was.
        stage: Stage,
    },
}

/// A system call that failed, and what it left.
#[derive(Debug)]
pub(crate) struct IoFailure {
    /// What the call was made on.
    pub object: Object,
    /// What was tried, as in "cannot …".
    pub operation: &'static str,
    /// Where, in bytes.
    pub offset: u64,
    /// How much, in bytes.
    pub len: u64,
    /// The system's answer.
    pub source: io::Error,
    /// How far the commit was.
    pub stage: Stage,
}

/// What a failed call was made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    /// The file that is committed.
    Target,
    /// Its journal.
    Journal,
    /// The new file that is to take the target's name.
    Replacement,
    /// The directory of the journal or the replacement.
    Directory,
    /// Where new bytes come from.
    Literals,
}

/// How far a commit was when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The old contents are in place and no journal is left.
    Unchanged,
    /// The next open decides by the journal: old or new.
    Recoverable,
    /// The new contents are in place.
    Committed,
    /// Bytes were written without a journal.
    Damaged,
    /// The name leads to the old file or to the new one, and the system does not tell to which.
    OldOrNew,
}

/// Attaches what was tried to a failed call.
pub(crate) trait Attempt<T> {
    /// For a call on `object` that would `operation` the bytes `offset..offset + len`.
    fn attempt(
        self,
        object: Object,
        operation: &'static str,
        offset: u64,
        len: u64,
    ) -> Result<T, Failure>;
}

impl<T> Attempt<T> for io::Result<T> {
    fn attempt(
        self,
        object: Object,
        operation: &'static str,
        offset: u64,
        len: u64,
    ) -> Result<T, Failure> {
        self.map_err(|source| {
            Failure::Io(IoFailure {
                object,
                operation,
                offset,
                len,
                source,
                stage: Stage::Recoverable,
            })
        })
    }
}

impl Failure {
    /// The same failure, known to have left the commit at `stage`.
    pub fn at(mut self, stage: Stage) -> Self {
        match &mut self {
            Self::Io(failure) => failure.stage = stage,
            Self::Cancelled(reached) => *reached = stage,
            Self::LeftBehind { stage: reached, .. } => *reached = stage,
            _ => {}
        }
        self
    }

    /// The same failure, after which `cleaning` kept the commit from removing the new file that it had made.
    pub fn leaving_replacement(self, cleaning: Self) -> Self {
        let (failure, cleaning) = (Box::new(self), Box::new(cleaning));
        Self::LeftBehind { failure, cleaning, stage: Stage::Unchanged }
    }

    /// The same failure, after which `cleaning` kept the commit from taking back its journal and its mark: recovery does
    /// that.
    pub fn leaving_journal(self, cleaning: Self) -> Self {
        match self {
            // The state that these carry says all.
            Self::Io(_) | Self::Cancelled(_) => self.at(Stage::Recoverable),
            // All others say that nothing was changed.
            failure => {
                let (failure, cleaning) = (Box::new(failure), Box::new(cleaning));
                Self::LeftBehind { failure, cleaning, stage: Stage::Recoverable }
            }
        }
    }
}
