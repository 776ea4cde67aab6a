//! What must be there after a commit or a recovery.

use std::fs;
use std::path::Path;

use super::call::{Call, CallKind, Object};
use super::scenario::{Beside, REMOVED};
use super::statement::Statement;
use super::tracer::{Ending, Trace};
use super::trial::{PANICKED, Run, Trial, Verdict};
use crate::workload::{self, difference};

/// The mark of a replacement.
const MARK_OF_REPLACEMENT: &[u8] = b"user.bytesplice-new";

/// What may be left beside the target and on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// What the command was asked to leave.
    pub asked: bool,
    /// A replacement. What cannot be removed is left under its own name, and the next open for
    /// writing removes it (`commit/replace.rs` and `remove_stale_replacement` in the library).
    pub replacement: bool,
    /// The mark of a replacement. Where it cannot be taken off after the rename, the library leaves
    /// it: under the name of the target it means nothing (`storage/metadata.rs`), and the next open
    /// for writing takes it off.
    pub mark_of_replacement: bool,
}

impl Leftovers {
    /// What the command was asked to leave.
    pub const ASKED: Self = Self { asked: true, replacement: false, mark_of_replacement: false };

    /// What a commit may leave in spite of an exit code 0, or of the word that nothing was changed,
    /// after the calls that failed.
    pub fn of_commit(trace: &Trace) -> Self {
        let failed = |kind| trace.failed.iter().any(|call| call.kind == kind);
        Self {
            asked: true,
            replacement: failed(CallKind::Remove),
            // The library asks first whether there is one.
            mark_of_replacement: failed(CallKind::RemoveAttribute) || failed(CallKind::Look),
        }
    }

    /// What a recovery may leave in spite of an exit code 0, if calls failed: whatever keeps it
    /// from removing a replacement is no reason not to give the file back, which is whole.
    pub fn of_recovery(trace: &Trace) -> Self {
        let failed = !trace.failed.is_empty();
        Self { asked: true, replacement: failed, mark_of_replacement: failed }
    }
}

impl Trial<'_> {
    pub fn contents(&self) -> Result<Vec<u8>, String> {
        fs::read(&self.target).map_err(|error| format!("{}: {error}", self.case))
    }

    pub fn must_be_new(&self, why: &str, verdict: &mut Verdict) {
        match self.contents() {
            Ok(contents) if contents == self.stage.work.new => {}
            Ok(contents) => {
                let detail = format!("{why}: {}", difference(&contents, &self.stage.work.new));
                verdict.wrong.push(("not the new contents", detail));
            }
            Err(error) => verdict.wrong.push(("no file", error)),
        }
    }

    pub fn must_be_old(&self, why: &str, run: &Run, verdict: &mut Verdict) {
        let said = run.errors.trim_end();
        match self.contents() {
            Ok(contents) if contents == self.stage.work.old => {}
            Ok(contents) if contents == self.stage.work.new => {
                verdict.wrong.push(("called unchanged, and holds the new contents", said.into()));
            }
            Ok(contents) => {
                let detail =
                    format!("{why}: {}; {said}", difference(&contents, &self.stage.work.old));
                verdict.wrong.push(("called unchanged, and is a mixture", detail));
            }
            Err(error) => verdict.wrong.push(("no file", error)),
        }
    }

    /// No journal and no mark are left, and no other file than is allowed.
    pub fn must_be_tidy(
        &self,
        why: &str,
        left: Leftovers,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let asked = self.stage.work.beside.filter(|_| left.asked);
        let asked = asked.map(|beside| beside.name(&self.stage.work.name));
        let mut names = self.names()?;
        names.retain(|name| {
            name != &self.stage.work.name
                && name != "inputs"
                && Some(name) != asked.as_ref()
                && !(left.replacement && name.ends_with(".bytesplice-new"))
        });
        names.sort();
        if !names.is_empty() {
            verdict.wrong.push(("a file is left beside the target", format!("{why}: {names:?}")));
        }
        let mut list = vec![0; 1 << 16];
        let len = rustix::fs::listxattr(&self.target, &mut list[..])
            .map_err(|error| format!("{}: no attributes: {error}", self.case))?;
        let marks = &list[..len];
        let of_ours = |name: &&[u8]| {
            let allowed = left.mark_of_replacement && *name == MARK_OF_REPLACEMENT;
            name.starts_with(b"user.bytesplice") && !allowed
        };
        if let Some(mark) = marks.split(|&byte| byte == 0).find(of_ours) {
            let detail = format!("{why}: {}", String::from_utf8_lossy(mark));
            verdict.wrong.push(("a mark is left on the target", detail));
        }
        Ok(())
    }

    /// The names of all files beside the target and of itself.
    fn names(&self) -> Result<Vec<String>, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.case);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.directory.path()).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// A file that is called damaged is no longer the old one. If a write was tried, the program
    /// cannot know that it wrote nothing, and if the contents are new, that the disk has them: a
    /// sync failed.
    pub fn must_be_damaged(
        &self,
        run: &Run,
        trace: &Trace,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let is_write = |call: &Call| call.kind == CallKind::Write && call.object == Object::Target;
        if !trace.calls.iter().any(is_write) && self.contents()? == self.stage.work.old {
            let said = run.errors.trim_end().to_owned();
            verdict.wrong.push(("called damaged, and holds the old contents", said));
        }
        Ok(())
    }

    /// A journal that is said to be kept is there. It may be gone if its removal was carried out
    /// and reported as failed, or if the directory could not be synced after it: a power cut brings
    /// it back then.
    pub fn must_have_journal(
        &self,
        run: &Run,
        trace: &Trace,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let is_removal =
            |call: &Call| call.kind == CallKind::Remove && call.object == Object::Journal;
        let removed = trace.hit.as_ref().is_some_and(is_removal)
            || trace.has_failed(CallKind::Sync, Object::Directory)
            || trace.has_failed(CallKind::Open, Object::Directory);
        let is_there = self.names()?.iter().any(|name| name.ends_with(".bytesplice"));
        if run.errors.contains("its journal kept") && !is_there && !removed {
            let said = run.errors.trim_end().to_owned();
            verdict.wrong.push(("the journal that is said to be kept is missing", said));
        }
        Ok(())
    }

    /// What the command was asked to leave beside the new contents is there, and right.
    pub fn check_beside(&self, why: &str, verdict: &mut Verdict) -> Result<(), String> {
        let Some(beside) = self.stage.work.beside else { return Ok(()) };
        let path = self.directory.path().join(beside.name(&self.stage.work.name));
        let kept = match beside {
            Beside::Backup | Beside::Saved => fs::read(&path).map_err(|error| error.to_string()),
            Beside::UndoScript => self.undone(&path),
        };
        let old = &self.stage.work.old;
        let wanted = if beside == Beside::Saved { &old[REMOVED] } else { old };
        match kept {
            Ok(kept) if kept == wanted => {}
            Ok(kept) => {
                let detail = format!("{why}: {}", difference(&kept, wanted));
                verdict.wrong.push(("the way back leads elsewhere", detail));
            }
            Err(error) => verdict.wrong.push(("there is no way back", format!("{why}: {error}"))),
        }
        Ok(())
    }

    /// The new contents after an undo script.
    fn undone(&self, script: &Path) -> Result<Vec<u8>, String> {
        let copy = self.inputs.join("copy");
        fs::write(&copy, &self.stage.work.new).map_err(|error| error.to_string())?;
        let run = self.run(&["apply", &script.to_string_lossy(), "--quiet"], &copy)?;
        if run.ending != Ending::Exited(0) {
            return Err(run.errors);
        }
        fs::read(&copy).map_err(|error| error.to_string())
    }
}

/// How far the commit was when it was killed, for figures.
pub fn phase_name(phase: Result<&'static str, String>) -> &'static str {
    match phase {
        Ok(workload::NO_JOURNAL) => "killed without a journal",
        Ok(workload::PREPARED) => "killed before the commit point",
        Ok(workload::COMMITTING) => "killed after the commit point",
        Ok(_) => "killed after the last step",
        // The status is asked for figures only; the recovery is what must succeed.
        Err(_) => "killed, and the status is not known",
    }
}

/// No panic, no signal, no exit code that does not exist, no end without an end.
pub fn check_ending(what: &str, run: &Run, verdict: &mut Verdict) {
    let detail = || format!("{what}: {:?}: {}", run.ending, run.errors.trim_end());
    match run.ending {
        Ending::Exited(PANICKED) => verdict.wrong.push(("a panic", detail())),
        _ if run.errors.contains("panicked at") => verdict.wrong.push(("a panic", detail())),
        Ending::Exited(0 | 2..=9) | Ending::Killed => {}
        // The file was changed, and only tidying up or the report failed: whether it holds the new contents is looked at with
        // the statement.
        Ending::Exited(10) if Statement::of(&run.errors) == Statement::Committed => {}
        Ending::Exited(_) => verdict.wrong.push(("an exit code that does not exist", detail())),
        Ending::Signal(nix::sys::signal::Signal::SIGALRM) => {
            verdict.wrong.push(("no end", detail()));
        }
        Ending::Signal(_) => verdict.wrong.push(("ended by a signal", detail())),
    }
}
