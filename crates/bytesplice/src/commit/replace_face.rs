use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::failure::{Failure, IoFailure, Object};
use super::plan::Geometry;
use super::replace::{COPY_METADATA, CREATE, Replace, Work};
use super::report::{self, ChosenStrategy, CommitPlan};
use crate::pieces::Piece;
use crate::storage::os;
use crate::storage::replacement::OsReplacement;
use crate::{CommitOptions, Durability, Error, FileState, Progress, Result, SpliceFile, Strategy};

/// Planning and committing by a new file.
impl SpliceFile {
    /// What a commit by replacing would do.
    pub(super) fn plan_to_replace(&self, synced: bool) -> Result<CommitPlan> {
        let pieces: Vec<Piece> = self.tree.iter().collect();
        let replacement = self.replacement(synced);
        let (staying, moved, new) = report::shares(&pieces);
        let cloned = staying > 0 && replacement.can_clone();
        let work = Work::new(&replacement, &pieces, cloned)
            .map_err(|failure| failure.into_error(&self.path, replacement.beside()))?;
        Ok(CommitPlan {
            strategy: ChosenStrategy::Replace,
            old_len: self.original.len(),
            new_len: work.len,
            bytes_staying: staying,
            bytes_moved: moved,
            bytes_new: new,
            bytes_to_read: work.bytes_to_read(),
            bytes_to_write: work.bytes_to_write(),
            bytes_to_journal: 0,
            // The target, the new file, the directory.
            fsyncs: if synced { 3 } else { 0 },
            extra_disk: work.bytes_to_write(),
            keeps_inode: false,
            breaks_hard_links: self.has_other_links()?,
            steps: 0,
        })
    }

    /// Commits by replacing. The caller holds the file exclusively and has made sure that it is unchanged.
    pub(super) fn commit_by_replacing(&mut self, options: CommitOptions<'_>) -> Result<()> {
        if self.unlinked {
            return Err(self.not_replaceable("the file has no name".into()));
        }
        let replacement = self.replacement(options.durability == Durability::Synced);
        let met = replacement.meets_journal();
        if let Some(journal) = met.map_err(|error| self.io_error("look for a journal", error))? {
            return Err(Error::NeedsRecovery { path: self.path.clone(), journal });
        }
        self.check_length_limit(replacement.beside())?;

        let pieces: Vec<Piece> = self.tree.iter().collect();
        let mut report = options.progress;
        let bytes_total = Work::new(&replacement, &pieces, replacement.can_clone())
            .map_or(self.len(), |work| work.bytes_of_progress());
        let mut bytes_done = 0;
        let mut progress = |bytes: u64| {
            bytes_done += bytes;
            if let Some(report) = &mut report {
                report(Progress { bytes_done: bytes_done.min(bytes_total), bytes_total });
            }
        };
        let mut replace = Replace {
            replacement: &replacement,
            buffer: Geometry::REAL.buffer,
            progress: &mut progress,
            proceed: &mut || Ok(()),
        };
        let outcome = replace.commit(&pieces, &*self, &mut || self.check_unchanged());
        let file = outcome.map_err(|failure| {
            let error = self.replacement_error(failure, replacement.beside());
            if error.file_state() != FileState::Unchanged {
                self.poisoned = Some(error.file_state());
            }
            error
        })?;
        let lock = replacement.into_lock();
        if self.lock.is_some() {
            // Only now is the old inode released, which others may wait for.
            self.lock = lock;
        }
        self.start_over_from(Arc::clone(file.file()))
    }

    fn replacement(&self, synced: bool) -> OsReplacement {
        OsReplacement::new(Arc::clone(self.original.file()), &self.path, synced)
    }

    fn has_other_links(&self) -> Result<bool> {
        let metadata = self.original.file().metadata();
        let metadata =
            metadata.map_err(|error| self.io_error("read the state of the file", error))?;
        Ok(metadata.nlink() > 1)
    }

    fn check_length_limit(&self, replacement: &Path) -> Result<()> {
        match os::file_size_limit() {
            Some(limit) if self.len() > limit => Err(Error::SizeLimit {
                path: replacement.into(),
                len: self.len(),
                limit,
                state: FileState::Unchanged,
            }),
            _ => Ok(()),
        }
    }

    fn not_replaceable(&self, reason: String) -> Error {
        Error::StrategyUnsupported { path: self.path.clone(), strategy: Strategy::Replace, reason }
    }

    /// The error for the user. What the directory or the metadata of the file do not allow says which other way is left.
    fn replacement_error(&self, failure: Failure, replacement: &Path) -> Error {
        let Failure::Io(IoFailure { object: Object::Replacement, operation, source, .. }) =
            &failure
        else {
            return failure.into_error(&self.path, replacement);
        };
        let full = matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        match *operation {
            CREATE if !full => {
                let shown = replacement.file_name().unwrap_or_default().to_string_lossy();
                self.not_replaceable(format!(
                    "no new file {shown:?} can be made beside it: {source}"
                ))
            }
            COPY_METADATA if !full => self.not_replaceable(source.to_string()),
            _ => failure.into_error(&self.path, replacement),
        }
    }
}
