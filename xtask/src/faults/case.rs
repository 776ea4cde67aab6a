use std::fmt;
use std::str::FromStr;

use super::fault::Injection;
use super::scenario::Scenario;
use crate::file_system::FileSystem;

/// One trial: `insert/ext4/kill-before@17`, and behind a `+` what is done before the recovery, such
/// as `+fail-EIO@3` or `+abort`.
#[derive(Clone, Copy)]
pub struct Case {
    pub scenario: &'static Scenario,
    pub place: FileSystem,
    /// None for an undisturbed commit.
    pub commit: Option<Injection>,
    pub then: Then,
}

/// What is done to a file that a commit left in its middle, before an undisturbed recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Nothing,
    /// A recovery with a fault.
    Recover(Injection),
    /// The commit is taken back, where that is possible.
    Abort,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.scenario.name, self.place)?;
        if let Some(commit) = self.commit {
            write!(out, "/{commit}")?;
        }
        match self.then {
            Then::Nothing => Ok(()),
            Then::Recover(injection) => write!(out, "+{injection}"),
            Then::Abort => out.write_str("+abort"),
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, '/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let wanted = || format!("`{text}` is no SCENARIO/FILE-SYSTEM/FAULT@INDEX");
        let scenario = Scenario::named(next().ok_or_else(wanted)?)?;
        let place = FileSystem::named(next().ok_or_else(wanted)?)?;
        if !scenario.places.contains(&place) {
            return Err(format!("`{}` is not tried on {place}", scenario.name));
        }
        let injections = next().ok_or_else(wanted)?;
        let (commit, then) = match injections.split_once('+') {
            Some((commit, "abort")) => (commit, Then::Abort),
            Some((commit, recovery)) => (commit, Then::Recover(recovery.parse()?)),
            None => (injections, Then::Nothing),
        };
        Ok(Self { scenario, place, commit: Some(commit.parse()?), then })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_as_they_are_printed() {
        for text in [
            "insert/ext4/kill-before@17",
            "insert/ext4/kill-inside@90",
            "hop/xfs/fail-EIO@0+kill-after@3",
            "snapshot/btrfs/fail-for-good-ENOSPC@120+short-then-full@1",
            "replace/ext4/report-EIO@92+full-disk@4",
            "direct-insert/xfs/broken-disk@9+short@2",
            "snapshot/xfs/kill-after@100+abort",
        ] {
            assert_eq!(text.parse::<Case>().map(|case| case.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for text in [
            "",
            "insert",
            "insert/ext4",
            "insert/ext4/",
            "insert/ext4/kill-before",
            "insert/ext4/kill-before@",
            "insert/ext4/fail-EWHAT@1",
            "insert/ntfs/kill-before@1",
            "no-such-scenario/ext4/kill-before@1",
            // ext4 shares no blocks.
            "snapshot/ext4/kill-before@1",
        ] {
            assert!(text.parse::<Case>().is_err(), "{text}");
        }
    }
}
