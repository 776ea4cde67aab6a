//! Cases with commits by replacing: the name leads to the old file or to the new one, wherever the crash comes.

use super::{Case, Edits, Expected, Memory, Report, recover as recover_all};
use crate::commit::failure::{Attempt, Failure, Object, Stage};
use crate::commit::replace::Replace;
use crate::commit::watch::Watch;
use crate::pieces::Piece;
use crate::storage::replacement::Replacement;
use crate::storage::simulated::{Fault, SimulatedReplacement, SimulatedStorage, Wreck};
use crate::storage::{Storage, StorageFile};

/// What every recovery does beside obeying the journal.
pub(super) fn recover(storage: &SimulatedStorage) -> Result<(), Failure> {
    let stale = SimulatedReplacement { storage, clones: false }.remove_stale();
    stale.attempt(Object::Replacement, "remove", 0, 0).map(drop)
}

impl Case {
    pub(super) fn run_replacing(&mut self, report: &mut Report) -> Result<(), String> {
        if self.fault { self.replace_with_fault(report) } else { self.replace_in_turn(report) }
    }

    /// One or two commits, at least one of them by replacing, with a crash anywhere in them.
    fn replace_in_turn(&mut self, report: &mut Report) -> Result<(), String> {
        let mut on_disk = self.old.clone();
        if let Some(range) = &self.written_by_others {
            on_disk[range.clone()].fill(b'?');
        }
        let mut contents = self.sparse(on_disk);
        if let Some(range) = &self.written_by_others {
            contents.fill_in(range.start, range.end);
        }
        let wreck = Wreck::fresh(contents, self.markable);
        let mut storage = SimulatedStorage::boot(&wreck, self.sabotage, Fault::None);
        if let Some(range) = &self.written_by_others {
            let written =
                storage.target().write_all_at(&self.old[range.clone()], range.start as u64);
            written.map_err(|error| error.to_string())?;
        }
        let mut expected = Vec::new();
        let mut old: &[u8] = &self.old;
        let journaled = self.chance.below(4);
        for (number, edits) in self.edits.iter().enumerate() {
            let outcome = if self.edits.len() == 2 && journaled == number as u64 {
                edits.commit(&storage, self.geometry, self.way, 1000 + number as u64)
            } else {
                edits.replace(&storage, self.geometry.buffer, self.chance.below(2) == 0)
            };
            outcome.map_err(|failure| format!("commit: {failure:?}"))?;
            storage = storage.reopened();
            if storage.seen().contents() != edits.new {
                return Err("the commit wrote wrong bytes, without any crash".into());
            }
            expected
                .push(Expected { before: storage.operations(), contents: vec![old, &edits.new] });
            old = &edits.new;
        }
        expected.push(Expected { before: usize::MAX, contents: vec![old] });
        self.crash_everywhere(&storage.history(), &expected, report)
    }

    /// One commit by replacing in which calls fail, and then a recovery without a reboot; with a crash anywhere.
    fn replace_with_fault(&mut self, report: &mut Report) -> Result<(), String> {
        let edits = &self.edits[0];
        let clones = self.chance.below(2) == 0;
        let wreck = Wreck::fresh(self.sparse(self.old.clone()), self.markable);
        let rehearsal = SimulatedStorage::boot(&wreck, None, Fault::None);
        let rehearsed = edits.replace(&rehearsal, self.geometry.buffer, clones);
        rehearsed.map_err(|failure| format!("rehearsal: {failure:?}"))?;
        let fault = Fault::random(rehearsal.attempts(), &mut self.chance);
        let storage = SimulatedStorage::boot(&wreck, self.sabotage, fault);
        report.faults += 1;
        let outcome = edits.replace(&storage, self.geometry.buffer, clones);
        // The next open removes the new file that could not be removed.
        let outcome = outcome.map_err(|failure| match failure {
            Failure::LeftBehind { failure, .. } => *failure,
            failure => failure,
        });
        storage.set_fault(Fault::None);
        let storage = storage.reopened();
        let both = vec![&self.old[..], &edits.new];
        let (now, later) = match outcome {
            Ok(()) => (&edits.new, vec![&edits.new[..]]),
            Err(Failure::Io(failure)) => match failure.stage {
                Stage::Unchanged => (&self.old, vec![&self.old[..]]),
                // The new name is there, but perhaps not on the disk.
                Stage::Committed => (&edits.new, both.clone()),
                stage => return Err(format!("a commit by replacing says {stage:?}")),
            },
            Err(failure) => return Err(format!("commit: {failure:?}")),
        };
        if storage.seen().contents() != now {
            return Err("the file does not hold what the outcome claims".into());
        }
        let mut expected = vec![Expected { before: storage.operations(), contents: both }];
        recover_all(&storage, self.geometry).map_err(|failure| format!("recovery: {failure:?}"))?;
        if storage.seen().contents() != now || !storage.seen().is_clean() {
            return Err("recovery without a reboot changed the file, or left something".into());
        }
        expected.push(Expected { before: usize::MAX, contents: later });
        self.written_by_others = None;
        self.crash_everywhere(&storage.history(), &expected, report)
    }
}

impl Edits {
    fn replace(
        &self,
        storage: &SimulatedStorage,
        buffer: u64,
        clones: bool,
    ) -> Result<(), Failure> {
        let pieces: Vec<Piece> = self.tree.iter().collect();
        let seen = storage.seen();
        let sources = Memory { original: seen.contents().to_vec(), added: &self.added };
        let replacement = SimulatedReplacement { storage, clones };
        let mut unwatched = |_| {};
        let watch = Watch::new(&mut unwatched);
        let mut replace = Replace { replacement: &replacement, buffer, watch };
        replace.commit(&pieces, &sources, &mut || Ok(())).map(drop)
    }
}
