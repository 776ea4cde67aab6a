use std::fmt;
use std::str::FromStr;

use super::fault::Injection;
use super::scenario::Scenario;
use crate::file_system::FileSystem;

/// One trial: `insert/ext4/kill-before@17+fail-EIO@3`. The second injection hits the recovery.
#[derive(Clone, Copy)]
pub struct Case {
    pub scenario: &'static Scenario,
    pub place: FileSystem,
    /// None for an undisturbed commit.
    pub commit: Option<Injection>,
    /// None for an undisturbed recovery.
    pub recovery: Option<Injection>,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.scenario.name, self.place)?;
        if let Some(commit) = self.commit {
            write!(out, "/{commit}")?;
        }
        if let Some(recovery) = self.recovery {
            write!(out, "+{recovery}")?;
        }
        Ok(())
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
        let (commit, recovery) = match injections.split_once('+') {
            Some((commit, recovery)) => (commit, Some(recovery.parse()?)),
            None => (injections, None),
        };
        Ok(Self { scenario, place, commit: Some(commit.parse()?), recovery })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_as_they_are_printed() {
        for text in [
            "insert/ext4/kill-before@17",
            "hop/xfs/fail-EIO@0+kill-after@3",
            "snapshot/btrfs/fail-for-good-ENOSPC@120+short-then-full@1",
            "replace/ext4/report-EIO@92+full-disk@4",
            "direct-insert/xfs/broken-disk@9+short@2",
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
