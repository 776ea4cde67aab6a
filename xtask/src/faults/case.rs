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
