//! Cases in which another process appends to the target while a commit or a recovery runs: not one byte of it may be lost,
//! but what was not synced when a crash came.

use super::{Case, Report, recover};
use crate::commit::failure::{Failure, Stage};
use crate::storage::simulated::{
    Appended, Appender, Chance, CrashPoint, Fault, SimulatedStorage, Wreck,
};

/// The refusal of a file whose extents a crash left half shifted and to which others appended before it was recovered: where
/// the hole wanders is not found then. Nothing is touched.
const BROKEN_SHIFT: &str = "no state that a broken shift";

/// Most times that others append in one commit.
const MOST: u64 = 4;

impl Case {
    /// One commit while others append, with a crash anywhere in it.
    pub(super) fn run_appended_to(&mut self, report: &mut Report) -> Result<(), String> {
        let edits = &self.edits[0];
        let wreck = Wreck::fresh(self.sparse(self.old.clone()), self.markable).without_garbage();
        let holds = self.chance.below(4) == 0;
        let appender = Appender::new(&mut self.chance, MOST, 0, holds);
        let storage =
            SimulatedStorage::boot(&wreck, self.sabotage, Fault::None).appended_to_by(appender);
        report.appended_to += 1;
        let outcome = edits.commit(&storage, self.geometry, self.way, 1000);
        let appended = storage.end_appender();
        let history = storage.history();
        let whole = match &outcome {
            Ok(()) => Some(&edits.new),
            Err(failure) if is_unchanged(failure) => Some(&self.old),
            // Others keep the file open, or appended behind the room for the new contents: recovery decides.
            Err(Failure::Io(failure)) if failure.stage == Stage::Recoverable => None,
            Err(Failure::LeftBehind { .. }) => None,
            Err(failure) => return Err(format!("commit: {failure:?}")),
        };
        if whole.is_none() {
            recover(&storage, self.geometry)
                .map_err(|failure| format!("after {outcome:?}: recovery: {failure:?}"))?;
        }
        let bases = whole.map_or(vec![&self.old[..], &edits.new], |whole| vec![&whole[..]]);
        let expected =
            Expected { bases: &bases, holds, appended: &[(&appended.bytes, usize::MAX)] };
        expected.check(&storage.seen()).map_err(|wrong| format!("{outcome:?}: {wrong}"))?;

        let bases = [&self.old[..], &edits.new];
        let mut chance = self.chance.clone();
        let mut point = history.start();
        loop {
            for _ in 0..3 {
                report.states += 1;
                let broken = Broken { point: &point, appended: &appended, holds };
                self.crash_appended_to(broken, bases, &mut chance, report).map_err(|wrong| {
                    format!("after operation {} of {}: {wrong}", point.position(), history.len())
                })?;
            }
            if !point.advance() {
                return Ok(());
            }
        }
    }

    /// One state after a crash, its recovery while others append, and a crash in that.
    fn crash_appended_to(
        &self,
        broken: Broken<'_>,
        bases: [&[u8]; 2],
        chance: &mut Chance,
        report: &mut Report,
    ) -> Result<(), String> {
        let Broken { point, appended, holds } = broken;
        let (before, synced) = appended.before(point.position());
        // What others append before recovery has looked is not promised to be told apart.
        let appender = Appender::new(chance, MOST, 1, false);
        let wreck = point.crash(chance);
        let storage =
            SimulatedStorage::boot(&wreck, self.sabotage, Fault::None).appended_to_by(appender);
        match recover(&storage, self.geometry) {
            // What an unsynced append left looks like room for the new contents, and no mark says that it is not.
            Err(Failure::Corrupt(_)) if !self.markable => return Ok(()),
            Err(Failure::ChangedSinceCrash(why)) if why.contains(BROKEN_SHIFT) => return Ok(()),
            outcome => outcome.map_err(|failure| format!("recovery: {failure:?}"))?,
        }
        let meanwhile = storage.end_appender();
        let history = storage.history();
        let expected = Expected {
            bases: &bases,
            holds,
            appended: &[(before, synced), (&meanwhile.bytes, usize::MAX)],
        };
        expected.check(&storage.seen()).map_err(|wrong| format!("recovery: {wrong}"))?;

        report.nested += 1;
        let stop = chance.below(history.len() as u64 + 1) as usize;
        let mut point = history.start();
        while point.position() < stop && point.advance() {}
        let again = SimulatedStorage::boot(&point.crash(chance), self.sabotage, Fault::None);
        match recover(&again, self.geometry) {
            Err(Failure::Corrupt(_)) if !self.markable => return Ok(()),
            Err(Failure::ChangedSinceCrash(why)) if why.contains(BROKEN_SHIFT) => return Ok(()),
            outcome => outcome.map_err(|failure| format!("again: {failure:?}"))?,
        }
        let (then, synced_then) = meanwhile.before(point.position());
        let expected =
            Expected { bases: &bases, holds, appended: &[(before, synced), (then, synced_then)] };
        expected.check(&again.seen()).map_err(|wrong| format!("second recovery: {wrong}"))
    }
}

/// A commit that a crash is to break.
struct Broken<'a> {
    point: &'a CrashPoint<'a>,
    appended: &'a Appended,
    /// Whether the other process kept the file open.
    holds: bool,
}

fn is_unchanged(failure: &Failure) -> bool {
    match failure {
        Failure::Io(failure) => failure.stage == Stage::Unchanged,
        Failure::AppendedTo => true,
        _ => false,
    }
}

/// What the file may hold: one of some contents, and what was appended to it.
struct Expected<'a> {
    bases: &'a [&'a [u8]],
    /// Whether the other process keeps the file open. There is no lease then: what it appends between the last look and the
    /// lengthening is kept, but zeros may follow it.
    holds: bool,
    /// One after the other: what was appended, and how much of it at the beginning must be there. The rest may be lost, or
    /// hold anything.
    appended: &'a [(&'a [u8], usize)],
}

impl Expected<'_> {
    fn check(&self, recovered: &Wreck) -> Result<(), String> {
        if !recovered.is_clean() {
            return Err("a journal or a mark is left".into());
        }
        let contents = recovered.contents();
        let fits = |base: &&[u8]| {
            contents.strip_prefix(*base).is_some_and(|tail| {
                let mut tail = tail.to_vec();
                if self.holds {
                    tail.retain(|&byte| byte != 0);
                }
                is_appended(&tail, self.appended)
            })
        };
        if self.bases.iter().any(fits) {
            return Ok(());
        }
        Err(format!(
            "the file holds {:?}, expected one of {:?} and {:?}",
            super::text(contents),
            self.bases.iter().map(|base| super::text(base)).collect::<Vec<_>>(),
            self.appended
                .iter()
                .map(|(bytes, synced)| (super::text(bytes), synced))
                .collect::<Vec<_>>()
        ))
    }
}

/// Whether a tail may be what is left of these bytes, appended one after the other.
fn is_appended(tail: &[u8], appended: &[(&[u8], usize)]) -> bool {
    let [(bytes, synced), rest @ ..] = appended else { return tail.is_empty() };
    let synced = (*synced).min(bytes.len());
    tail.starts_with(&bytes[..synced])
        && (synced..=bytes.len().min(tail.len())).any(|len| is_appended(&tail[len..], rest))
}
