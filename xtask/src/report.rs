use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::AddAssign;

/// What a tier did, and what it found.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// How often each thing happened.
    pub counts: BTreeMap<String, u64>,
    /// What could not be tried here, and why.
    pub skipped: BTreeSet<String>,
    /// What must not be, each with what it takes to see it again.
    pub wrong: Vec<String>,
}

impl Report {
    /// Counts one more of a thing.
    pub fn count(&mut self, what: impl Into<String>) {
        self.add(what, 1);
    }

    /// Counts several more of a thing.
    pub fn add(&mut self, what: impl Into<String>, number: u64) {
        *self.counts.entry(what.into()).or_default() += number;
    }

    /// How often a thing happened.
    pub fn number(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Says loudly, and once, what is not tried.
    pub fn skip(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.skipped.insert(reason.clone()) {
            println!("SKIPPED {reason}");
        }
    }

    /// Says at once what is wrong: the rest of the run may never end.
    pub fn wrong(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("WRONG {what}");
        self.wrong.push(what);
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        for (what, number) in other.counts {
            self.add(what, number);
        }
        self.skipped.extend(other.skipped);
        self.wrong.extend(other.wrong);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, number) in &self.counts {
            writeln!(out, "{number:>9}  {what}")?;
        }
        write!(out, "{:>9}  wrong", self.wrong.len())
    }
}
