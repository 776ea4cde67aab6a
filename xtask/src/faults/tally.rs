use std::collections::BTreeMap;

use super::case::{Case, Then};
use super::trial::Verdict;
use crate::report::Report;

/// The count of all injections that hit a call.
pub const ALL: &str = "injections";

/// So many cases of one kind of wrong result are shown.
const SHOWN: usize = 1;

/// So many characters of a wrong result are shown.
const LONGEST: usize = 400;

/// Counts verdicts. Wrong results of one kind are shown a few times, and then counted only.
pub struct Tally {
    seed: u64,
    report: Report,
    tried: u64,
    /// How often each kind of wrong result was seen.
    wrong: BTreeMap<String, usize>,
}

impl Tally {
    /// For cases of this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, report: Report::default(), tried: 0, wrong: BTreeMap::new() }
    }

    /// How many verdicts were counted.
    pub fn tried(&self) -> u64 {
        self.tried
    }

    /// Counts a verdict.
    pub fn add(&mut self, case: &Case, verdict: &Verdict) {
        self.tried += 1;
        let report = &mut self.report;
        let (Some(injection), Some(call)) = (case.commit, &verdict.hit) else {
            report.count("not tried: the commit made fewer calls this time");
            return;
        };
        report.count(ALL);
        report.count(format!("{}: {}", case.place, injection.fault.group()));
        report.count(format!("scenario {}", case.scenario.name));
        if let (Then::Recover(injection), Some(_)) = (case.then, &verdict.hit_in_recovery) {
            report.count(ALL);
            report.count(format!("{} in recovery: {}", case.place, injection.fault.group()));
        }
        if let (Then::Recover(_), None, true) =
            (case.then, &verdict.hit_in_recovery, verdict.recovered)
        {
            report.count("not hit: the recovery made fewer calls");
        }
        for seen in &verdict.seen {
            report.count(*seen);
        }
        for (kind, detail) in &verdict.wrong {
            let in_recovery = match &verdict.hit_in_recovery {
                Some(call) => format!(", then {call}"),
                None => String::new(),
            };
            let key = format!("{kind} ({}: {call})", injection.fault.group());
            let count = self.wrong.entry(key).or_default();
            *count += 1;
            if *count <= SHOWN {
                // All of it is in the log.
                let detail: String = detail.replace('\n', "; ").chars().take(LONGEST).collect();
                report.wrong(format!(
                    "{kind}: cargo xtask faults --seed {} --case {case} ({}: {call}{in_recovery}): {detail}",
                    self.seed,
                    injection.fault.group(),
                ));
            }
        }
    }

    /// The counts. Also tells of the wrong results that were not shown.
    pub fn finish(self) -> Report {
        let mut report = self.report;
        for (key, count) in self.wrong {
            if count > SHOWN {
                report.wrong(format!("and {} more cases: {key}", count - SHOWN));
            }
        }
        report
    }
}
