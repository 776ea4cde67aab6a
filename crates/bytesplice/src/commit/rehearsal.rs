//! What the system will refuse to a commit, found out without one: a plan must not promise what the commit cannot keep.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::candidate::{Candidate, Method};
use super::locate::storage_of;
use super::report::StrategyCost;
use crate::source::Original;
use crate::storage::capabilities::{room, try_new_file};
use crate::storage::mount::{self, MOUNTED_ALONE};
use crate::{Error, FileState, Result, SpliceFile, Strategy};

impl SpliceFile {
    /// Fails with the error that a commit by this candidate would begin with.
    pub(super) fn rehearse(&self, candidate: &Candidate, synced: bool) -> Result<()> {
        self.check_size_limit(candidate)?;
        match candidate.method {
            Method::Program(_) => self.rehearse_journal(candidate.disk_space(), synced),
            Method::Direct(_) => self.rehearse_growth(candidate.growth()),
        }
    }

    /// Marks the strategies as unavailable whose journal cannot be made.
    pub(super) fn rehearse_costs(&self, costs: &mut [StrategyCost], synced: bool) {
        for cost in costs {
            let journals = matches!(
                cost.strategy,
                Strategy::Journaled | Strategy::Snapshot | Strategy::Extents
            );
            if !journals || cost.unavailable.is_some() {
                continue;
            }
            let reason = match self.rehearse_journal(cost.extra_disk, synced) {
                Ok(()) => continue,
                Err(Error::JournalUnwritable { source, .. }) => {
                    format!("no journal can be made beside the file: {source}")
                }
                Err(Error::NoSpaceForJournal { needed, missing, .. }) => {
                    format!("it takes {needed} bytes of disk space, {missing} are missing")
                }
                Err(Error::NeedsRecovery { .. }) => "an earlier commit was cut short".into(),
                Err(error) => error.to_string(),
            };
            *cost = StrategyCost::unavailable(cost.strategy, reason);
        }
    }

    /// Fails if the file is mounted without its directory, unless the strategy needs nothing beside the file.
    pub(super) fn check_mount(&self, strategy: Strategy) -> Result<()> {
        if strategy == Strategy::Direct || !self.is_mounted_alone() {
            return Ok(());
        }
        let (path, reason) = (self.path.clone(), MOUNTED_ALONE.into());
        Err(Error::StrategyUnsupported { path, strategy, reason })
    }

    /// Marks the strategies as unavailable that [`check_mount`](Self::check_mount) refuses.
    pub(super) fn refuse_by_mount(&self, costs: &mut [StrategyCost]) {
        if !self.is_mounted_alone() {
            return;
        }
        for cost in costs.iter_mut().filter(|cost| cost.strategy != Strategy::Direct) {
            *cost = StrategyCost::unavailable(cost.strategy, MOUNTED_ALONE.into());
        }
    }

    /// A file without a name is committed directly anyway.
    fn is_mounted_alone(&self) -> bool {
        !self.unlinked && mount::is_mounted_alone(self.original.file())
    }

    /// Fails if no journal can be made beside the file, or none for which the disk has `needed` bytes.
    fn rehearse_journal(&self, needed: u64, synced: bool) -> Result<()> {
        let storage = storage_of(Arc::clone(self.original.file()), self.path(), synced)
            .map_err(|source| self.io_error("read the mark of the file", source))?;
        let journal = storage.journal_path();
        let found = storage.has_traces();
        if found.map_err(|source| self.io_error("look for a journal", source))? {
            return Err(Error::NeedsRecovery { path: self.path.clone(), journal });
        }
        let directory = journal.parent().unwrap_or(Path::new("/"));
        let readable = if synced { File::open(directory).map(drop) } else { Ok(()) };
        readable.and_then(|()| try_new_file(directory, needed)).map(drop).map_err(|source| {
            if is_full(&source) {
                return self.no_space_for_journal(&journal, needed, needed, source);
            }
            Error::JournalUnwritable { path: self.path.clone(), journal: journal.clone(), source }
        })
    }

    /// Fails if the disk has no room for `growth` more bytes of the file.
    fn rehearse_growth(&self, growth: u64) -> Result<()> {
        let free = room(self.original.file());
        if growth == 0 || free.is_ok_and(|free| free >= growth) {
            return Ok(());
        }
        // Once it was full, btrfs counts nothing as free, and has room all the same.
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        match try_new_file(directory, growth) {
            Err(error) if is_full(&error) => {}
            _ => return Ok(()),
        }
        let (path, state) = (self.path.clone(), FileState::Unchanged);
        let (offset, source) = (self.original.len(), ErrorKind::StorageFull.into());
        let operation = "reserve space in";
        Err(Error::NoSpace { path, operation, offset, len: growth, source, state })
    }

    /// The error of a commit that takes `needed` bytes and found at most `unwritten` of them missing.
    pub(super) fn no_space_for_journal(
        &self,
        journal: &Path,
        needed: u64,
        unwritten: u64,
        source: io::Error,
    ) -> Error {
        let free = room(self.original.file()).unwrap_or(0);
        let missing = match needed.saturating_sub(free) {
            // A quota, or space that is free and cannot be had for this.
            0 => unwritten.max(1),
            missing => missing,
        };
        let (path, journal) = (self.path.clone(), journal.into());
        Error::NoSpaceForJournal { path, journal, needed, missing, source }
    }
}

/// Whether the system has no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
