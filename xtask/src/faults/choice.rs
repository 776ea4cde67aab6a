//! Which cases are tried.

use super::case::{Case, Then};
use super::fault::{Fault, Injection};
use super::trial::Stage;
use crate::chance::Chance;
use nix::errno::Errno;

/// Calls of a recovery into which faults are injected. Those of small files make fewer.
const CALLS_OF_RECOVERY: u64 = 72;

/// Calls of most recoveries.
const USUAL_CALLS_OF_RECOVERY: u64 = 45;

/// Faults that some call of a recovery can meet.
const IN_RECOVERY: [Fault; 13] = [
    Fault::KillBefore,
    Fault::KillAfter,
    Fault::KillInside,
    Fault::FailOnce(Errno::EIO),
    Fault::FailOnce(Errno::ENOSPC),
    Fault::FailOnce(Errno::EINTR),
    Fault::FailForGood(Errno::EIO),
    Fault::FailForGood(Errno::ENOSPC),
    Fault::FullDisk,
    Fault::BrokenDisk,
    Fault::ReportFailed(Errno::EIO),
    Fault::Short,
    Fault::ShortThenFull,
];

/// Cases by chance, with the index of their stage. A recovery that follows meets a fault in every
/// third of them.
pub fn by_chance(stages: &[Stage], count: u64, chance: &mut Chance) -> Vec<(usize, Case)> {
    let weights: u64 = stages.iter().map(|stage| stage.scenario.weight).sum();
    (0..count)
        .filter_map(|_| {
            let mut left = chance.below(weights);
            let index = stages.iter().position(|stage| {
                let found = left < stage.scenario.weight;
                left = left.saturating_sub(stage.scenario.weight);
                found
            })?;
            let stage = &stages[index];
            let at = call_of(stage, chance)?;
            let mut faults = Fault::all_of(stage.calls.get(at)?);
            // Kills are the faults that leave most to recovery.
            if chance.one_in(3) {
                faults.retain(|fault| fault.kills());
            }
            let commit = Injection { fault: *chance.of(&faults), at };
            let then = match chance.below(12) {
                0..4 => Then::Recover(in_recovery(chance)),
                4 => Then::Abort,
                _ => Then::Nothing,
            };
            Some((index, stage.case(commit, then)))
        })
        .collect()
}

/// Most commits look long before they change something: three of four calls are chosen among those
/// that change.
fn call_of(stage: &Stage, chance: &mut Chance) -> Option<usize> {
    let changes = |at: &usize| stage.calls[*at].kind.changes();
    let changing: Vec<usize> = (0..stage.calls.len()).filter(changes).collect();
    if changing.is_empty() || chance.one_in(4) {
        let at = chance.below(stage.calls.len() as u64) as usize;
        return (at < stage.calls.len()).then_some(at);
    }
    Some(*chance.of(&changing))
}

/// Every fault at every call of every commit.
pub fn every_call(stages: &[Stage], chance: &mut Chance) -> Vec<(usize, Case)> {
    let mut cases = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        for (at, call) in stage.calls.iter().enumerate() {
            for fault in Fault::all_of(call) {
                cases.push((index, stage.case(Injection { fault, at }, Then::Nothing)));
            }
        }
    }
    shuffle(&mut cases, chance);
    cases
}

/// Commits that are killed at some call, and whose recovery meets a fault: `count` of all pairs of
/// calls.
pub fn nested(stages: &[Stage], count: u64, chance: &mut Chance) -> Vec<(usize, Case)> {
    let mut cases = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        // Large files take long.
        let every = if stage.scenario.weight == 1 { 12 } else { 1 };
        for at in (0..stage.calls.len()).filter(|at| at % every == 0) {
            let first = Injection { fault: Fault::KillBefore, at };
            cases.push((index, stage.case(first, Then::Abort)));
            for second in 0..CALLS_OF_RECOVERY {
                let fault = *chance.of(&IN_RECOVERY);
                let second = Injection { fault, at: second as usize };
                cases.push((index, stage.case(first, Then::Recover(second))));
            }
        }
    }
    shuffle(&mut cases, chance);
    cases.truncate(count as usize);
    cases
}

/// Every kill of every `direct` commit.
pub fn kills_of_direct(stages: &[Stage]) -> Vec<(usize, Case)> {
    let mut cases = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        if !stage.scenario.is_crash_safe() {
            for at in 0..stage.calls.len() {
                let kill = Injection { fault: Fault::KillBefore, at };
                cases.push((index, stage.case(kill, Then::Nothing)));
            }
        }
    }
    cases
}

fn in_recovery(chance: &mut Chance) -> Injection {
    let at = chance.below(USUAL_CALLS_OF_RECOVERY) as usize;
    Injection { fault: *chance.of(&IN_RECOVERY), at }
}

fn shuffle<T>(all: &mut [T], chance: &mut Chance) {
    for last in (1..all.len()).rev() {
        all.swap(last, chance.below(last as u64 + 1) as usize);
    }
}
