//! Calls that fail, once or for good, in commits and in recoveries.

use std::ops::Range;

use super::{Case, Expected, Report, check, recover, settle};
use crate::commit::failure::{Failure, Stage};
use crate::commit::plan::Geometry;
use crate::commit::recover::Goal;
use crate::storage::simulated::{Chance, Fault, SimulatedStorage, Wreck};

/// What a recovery in which nothing fails makes of a wreck.
pub(super) struct Undisturbed<'a> {
    pub wreck: &'a Wreck,
    /// What it was asked for. What had to be recovered after all, an abort being refused, counts as its outcome.
    pub goal: Goal,
    /// How many calls could have failed.
    pub calls: usize,
    /// The contents that it brings.
    pub outcome: &'a [&'a [u8]],
}

impl Case {
    /// One commit in which calls fail, and then a recovery without a reboot; with a crash anywhere in them.
    pub(super) fn run_with_fault(&mut self, report: &mut Report) -> Result<(), String> {
        let edits = &self.edits[0];
        let wreck = Wreck::fresh(self.sparse(self.old.clone()), self.markable);
        let rehearsal = SimulatedStorage::boot(&wreck, None, Fault::None);
        let geometry = Geometry { sabotage: None, ..self.geometry };
        edits
            .commit(&rehearsal, geometry, self.way, 1000)
            .map_err(|failure| format!("rehearsal: {failure:?}"))?;
        if rehearsal.attempts() == 0 {
            return Ok(());
        }
        let fault = Fault::random(rehearsal.attempts(), &mut self.chance);
        let storage = SimulatedStorage::boot(&wreck, self.sabotage, fault);
        report.faults += 1;
        let both = vec![&self.old[..], &edits.new];
        let outcome = edits.commit(&storage, self.geometry, self.way, 1000);
        let mut expected = vec![Expected { before: storage.operations(), contents: both.clone() }];
        storage.set_fault(Fault::None);
        match outcome {
            Ok(()) => expected.push(Expected { before: usize::MAX, contents: vec![&edits.new] }),
            Err(Failure::Io(failure)) => {
                let seen = storage.seen();
                let claimed: Option<&[u8]> = match failure.stage {
                    Stage::Unchanged => Some(&self.old),
                    Stage::Committed => Some(&edits.new),
                    Stage::Recoverable => None,
                    stage @ (Stage::Damaged | Stage::OldOrNew) => {
                        return Err(format!("a journaled commit says {stage:?}"));
                    }
                };
                if claimed.is_some_and(|claimed| claimed != seen.contents()) {
                    return Err(format!(
                        "{:?} claimed, but the file holds something else",
                        failure.stage
                    ));
                }
                recover(&storage, self.geometry)
                    .map_err(|failure| format!("recovery: {failure:?}"))?;
                let after = storage.seen();
                let recovered = both.iter().find(|contents| **contents == after.contents());
                let recovered = recovered.ok_or("recovery without a reboot made a mixture")?;
                if claimed.is_some_and(|claimed| claimed != *recovered) {
                    return Err(format!(
                        "{:?} claimed, but recovery did something else",
                        failure.stage
                    ));
                }
                expected.push(Expected {
                    before: storage.operations(),
                    contents: claimed.map_or(both.clone(), |c| vec![c]),
                });
                expected.push(Expected { before: usize::MAX, contents: vec![recovered] });
            }
            Err(failure) => return Err(format!("commit: {failure:?}")),
        }
        let history = storage.history();
        self.written_by_others = None;
        self.crash_everywhere(&history, &expected, report)
    }

    /// A recovery in which calls fail, and one without a reboot in which none does; with a crash in them. The outcome must
    /// be that of an undisturbed recovery, but that a broken abort may end as one of the `allowed` contents.
    pub(super) fn fail_in_recovery(
        &self,
        undisturbed: Undisturbed<'_>,
        allowed: &[&[u8]],
        loose: Option<&Range<usize>>,
        chance: &mut Chance,
        report: &mut Report,
    ) -> Result<(), String> {
        let Undisturbed { wreck, goal, calls, outcome } = undisturbed;
        let fault = Fault::random(calls, chance);
        let storage = SimulatedStorage::boot(wreck, self.sabotage, fault);
        report.recovery_faults += 1;
        let broken = match settle(&storage, self.geometry, goal) {
            Ok(()) => false,
            Err(Failure::Io(_)) => true,
            Err(Failure::PastCommitPoint) if goal == Goal::Abort => false,
            Err(failure) => return Err(format!("{fault:?}: {failure:?}")),
        };
        storage.set_fault(Fault::None);
        // Who gives up the abort gets what can be had.
        let given_up = goal == Goal::Abort && broken && chance.below(2) == 0;
        if goal == Goal::Abort && broken && !given_up {
            match settle(&storage, self.geometry, Goal::Abort) {
                Ok(()) | Err(Failure::PastCommitPoint) => {}
                Err(failure) => return Err(format!("{fault:?}, again: {failure:?}")),
            }
        }
        recover(&storage, self.geometry)
            .map_err(|failure| format!("{fault:?}, again: {failure:?}"))?;
        let recovered = storage.seen();
        check(&recovered, if given_up { allowed } else { outcome }, loose)
            .map_err(|wrong| format!("{fault:?}, again: {wrong}"))?;
        let outcome = [recovered.contents()];
        self.crash_in_recovery(&storage.history(), &outcome, allowed, loose, chance, report)
            .map_err(|wrong| format!("{fault:?}, a crash, again: {wrong}"))
    }
}
