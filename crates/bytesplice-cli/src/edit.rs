//! What all commands that change a file have in common: open, check, plan, commit, report.

use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytesplice::{
    Checks, Error, OpenOptions, Pattern, Replacement, ScriptWriter, SearchOptions, SpliceFile,
};
use bytesplice_s3::Opened;
use serde_json::Value;

use crate::backup::{NewBackup, path_of_backup};
use crate::cli::{EditOptions, StrategyArgument};
use crate::edit_plan::EditPlan;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::layout::Layout;
use crate::new_file::NewFile;
use crate::object_commit::{check_store, commit_object};
use crate::opened;
use crate::output::{
    bytes, insert_path, matches, object, print_object, print_styled, shown, tell, warn,
};
use crate::progress::WorkProgress;
use crate::range_argument::{Bound, OutsideFile};

const UNDO_SCRIPT: &str = "--undo-script";

/// A file or an object opened to be changed by one command.
pub struct Edit<'a> {
    /// It, with the edits made so far.
    pub file: Opened,
    command: &'static str,
    path: &'a Path,
    options: &'a EditOptions,
    old_len: u64,
    interrupt: Option<Interrupt>,
    /// How many of what were dealt with, where that is known: `replaced` matches, `edits` of a script.
    counted: Option<(&'static str, u64)>,
}

impl<'a> Edit<'a> {
    /// Opens the file, for reading only if this is a dry run, as recovering it would write.
    ///
    /// # Errors
    /// The file cannot be opened, is locked, or may not be written.
    pub fn open(
        command: &'static str,
        path: &'a OsStr,
        options: &'a EditOptions,
    ) -> Result<Self, Failure> {
        let how = OpenOptions::new().read_only(options.dry_run).history_limit(0);
        let mut file = opened::open(path, &how, &options.store)?;
        let path = Path::new(path);
        if let (Opened::Object(object), false) = (&mut file, options.dry_run) {
            check_store(object, path, options)?;
        }
        if let Opened::File(file) = &file {
            // A dry run opens for reading what the commit would open for writing.
            let read_only = match options.dry_run {
                true => bytesplice::status(path)?.read_only,
                false => file.is_read_only(),
            };
            if read_only {
                // Said before standard input is read, not after.
                return Err(Error::PermissionDenied { path: path.into() }.into());
            }
        }
        Ok(Self {
            old_len: file.len(),
            file,
            command,
            path,
            options,
            interrupt: None,
            counted: None,
        })
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        self.path
    }

    /// Whether nothing may be written.
    pub fn is_dry_run(&self) -> bool {
        self.options.dry_run
    }

    /// Has an object say how many of what were dealt with.
    pub fn count(&mut self, what: &'static str, count: u64) {
        self.counted = Some((what, count));
    }

    /// From now on Ctrl-C is a request to stop, which leaves nothing behind.
    ///
    /// # Errors
    /// The system refuses.
    pub fn watch_signals(&mut self) -> Result<(), Failure> {
        if self.interrupt.is_none() {
            self.interrupt = Some(Interrupt::watch()?);
        }
        Ok(())
    }

    /// Fails if a signal asked to stop, while nothing is changed yet.
    ///
    /// # Errors
    /// It did.
    pub fn check_signals(&self) -> Result<(), Failure> {
        self.interrupt.as_ref().map_or(Ok(()), |interrupt| interrupt.check(self.path))
    }

    /// Replaces all matches, with a progress bar, unless a signal stops that. Tells how many there were.
    ///
    /// # Errors
    /// The search failed or was stopped.
    pub fn replace_all(
        &mut self,
        pattern: &Pattern,
        replacement: &Replacement,
        options: SearchOptions<'_>,
    ) -> Result<u64, Failure> {
        self.watch_signals()?;
        let cancel = self.interrupt.as_ref().map(|interrupt| interrupt.cancel().clone());
        let cancel = cancel.unwrap_or_default();
        let mut progress = WorkProgress::new(self.path, self.options.progress, self.options.quiet);
        let mut advance = |now| progress.advance(now);
        let options = SearchOptions::new()
            .range(options.range)
            .max(options.max)
            .progress(&mut advance)
            .cancel(&cancel);
        let outcome = self.file.replace_all_with(pattern, replacement, options);
        progress.finish();
        self.check_signals()?;
        let count = outcome?;
        self.count("replaced", count);
        Ok(count)
    }

    /// The offset that a bound means in this file.
    ///
    /// # Errors
    /// The offset lies outside.
    pub fn offset(&self, bound: Bound) -> Result<u64, Failure> {
        match bound.resolve(self.old_len) {
            Ok(offset) if offset <= self.old_len => Ok(offset),
            Ok(offset) => Err(self.outside(OutsideFile::PastEnd { start: offset, end: offset })),
            Err(place) => Err(self.outside(place)),
        }
    }

    fn outside(&self, place: OutsideFile) -> Failure {
        Failure::outside(self.path, place, self.old_len)
    }

    /// Holds the bytes that go away against `--expect-hex`.
    ///
    /// # Errors
    /// They differ.
    pub fn expect(&mut self, range: Range<u64>) -> Result<(), Failure> {
        let found = format!("{} would be removed", bytes(range.end - range.start));
        self.expect_found(range, found)
    }

    /// Holds the bytes at `offset` against `--expect-hex`, where none go away.
    ///
    /// # Errors
    /// They differ, or there are not so many.
    pub fn expect_at(&mut self, offset: u64) -> Result<(), Failure> {
        let found =
            format!("the file has {} from offset {offset} on", bytes(self.old_len - offset));
        let end = offset.saturating_add(self.expected_len()).min(self.old_len);
        self.expect_found(offset..end, found)
    }

    /// Holds the last bytes against `--expect-hex`.
    ///
    /// # Errors
    /// They differ, or there are not so many.
    pub fn expect_last(&mut self) -> Result<(), Failure> {
        let found = format!("the file has {} in all", bytes(self.old_len));
        self.expect_found(self.old_len.saturating_sub(self.expected_len())..self.old_len, found)
    }

    fn expected_len(&self) -> u64 {
        self.options.expect_hex.as_ref().map_or(0, |expected| expected.0.len() as u64)
    }

    /// `found` says how many bytes there are, should it be another number.
    fn expect_found(&mut self, range: Range<u64>, found: String) -> Result<(), Failure> {
        let Some(expected) = &self.options.expect_hex else {
            return Ok(());
        };
        let len = expected.0.len() as u64;
        if range.end - range.start != len {
            let path = self.path.into();
            return Err(Failure::ExpectedOtherLength { path, found, expected: len });
        }
        Ok(self.file.expect(range, &expected.0)?)
    }

    /// Commits, or shows the plan of the commit, and reports. `done` says in words what was done.
    ///
    /// # Errors
    /// The plan or the commit failed.
    pub fn finish(mut self, done: &str) -> Result<(), Failure> {
        let replaces = matches!(self.options.strategy, StrategyArgument::Replace);
        let plan = if self.options.dry_run || self.options.json || replaces {
            Some(EditPlan::of(&mut self.file, &self.options.commit_options())?)
        } else {
            None
        };
        if plan.as_ref().is_some_and(EditPlan::breaks_hard_links) && !self.options.quiet {
            let keep = if self.options.dry_run { "would keep" } else { "keep" };
            warn(&format!("{}: its other hard links {keep} the old contents", shown(self.path)));
        }
        if let Some(path) = self.options.undo_script.as_deref().map(Path::new) {
            NewFile::check(path, UNDO_SCRIPT, self.path)?;
        }
        let tells_layout = self.options.dry_run || self.options.json;
        let layout = tells_layout.then(|| Layout::of(&self.file));
        let backup = path_of_backup(self.path, self.options)?;
        if let (true, Some(plan), Some(layout)) = (self.options.dry_run, &plan, &layout) {
            self.warn_of_the_store();
            return self.show_plan(plan, layout);
        }
        let interrupt = match self.interrupt.take() {
            Some(interrupt) => interrupt,
            None => Interrupt::watch()?,
        };
        let undo = match self.options.undo_script.as_deref().map(Path::new) {
            Some(path) => Some(self.write_undo_script(path)?),
            None => None,
        };
        let backup = match self.back_up(backup, &interrupt) {
            Ok(backup) => backup,
            Err(failure) => {
                if let Some(undo) = undo {
                    undo.withdraw();
                }
                return Err(failure);
            }
        };
        let changes = match &self.file {
            Opened::File(file) => file.is_modified(),
            // An object that is not there yet is made in any case.
            Opened::Object(object) => object.is_modified() || object.head().is_none(),
        };
        let committed = match &mut self.file {
            Opened::File(file) => commit_file(file, self.path, self.options, &interrupt),
            Opened::Object(object) => commit_object(object, self.path, self.options, &interrupt),
        };
        if let Err(failure) = committed {
            // What was not changed needs no undoing, and the next try may use the name again.
            if failure.left_unchanged() {
                if let Some(undo) = undo {
                    undo.withdraw();
                }
                if let Some(backup) = &backup {
                    backup.withdraw();
                }
            }
            return Err(failure);
        }
        let reported = match (plan, layout) {
            (Some(plan), Some(layout)) => self.print_plan(&plan, &layout, backup.as_ref()),
            _ => self.report(done, backup.as_ref()),
        };
        match reported {
            Err(failure) if changes => Err(failure.after(self.path, "was changed")),
            reported => reported,
        }
    }

    /// Says why the store would refuse the commit that is only shown.
    fn warn_of_the_store(&self) {
        let Opened::Object(object) = &self.file else { return };
        let checked = object.conditions().check(object.store().name());
        if let (Err(error), false, false) =
            (checked, self.options.quiet, self.options.upload.unconditional)
        {
            warn(&Failure::from(error).to_string());
        }
    }

    /// Where nothing is to change, nothing needs to be kept.
    fn back_up(
        &self,
        path: Option<PathBuf>,
        interrupt: &Interrupt,
    ) -> Result<Option<NewBackup>, Failure> {
        match (path, &self.file) {
            (Some(path), Opened::File(file)) if file.is_modified() => {
                NewBackup::write(file, self.path, path, self.options, interrupt).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn write_undo_script(&self, path: &Path) -> Result<NewFile, Failure> {
        let (undo, ()) = NewFile::write(path, UNDO_SCRIPT, |out| {
            let mut script = ScriptWriter::new(path, out);
            self.file.write_undo_script(Checks::Checksum, &mut script)?;
            Ok(())
        })?;
        Ok(undo)
    }

    fn show_plan(&self, plan: &EditPlan, layout: &Layout) -> Result<(), Failure> {
        if self.options.json {
            return self.print_plan(plan, layout, None);
        }
        if self.options.quiet {
            return Ok(());
        }
        print_styled(&format!(
            "{}: {}this is the plan, nothing was written\n{}",
            shown(self.path),
            match self.counted {
                Some(("replaced", count)) => format!("{}; ", matches(count)),
                _ => String::new(),
            },
            plan.table(layout)
        ))
    }

    fn report(&self, done: &str, backup: Option<&NewBackup>) -> Result<(), Failure> {
        if !self.options.quiet {
            let len = bytes(self.file.len());
            let kept = backup.map_or(String::new(), |backup| format!("; {backup}"));
            tell(&format!("{}: {done}, now {len} long{kept}", shown(self.path)));
        }
        Ok(())
    }

    fn print_plan(
        &self,
        plan: &EditPlan,
        layout: &Layout,
        backup: Option<&NewBackup>,
    ) -> Result<(), Failure> {
        let mut object = object(self.command, self.path);
        object.insert("dry_run".into(), Value::Bool(self.options.dry_run));
        if let Some((what, count)) = self.counted {
            object.insert(what.into(), count.into());
        }
        object.insert("old_length".into(), layout.old_len.into());
        object.insert("new_length".into(), layout.new_len.into());
        object.insert("plan".into(), plan.value());
        object.insert("layout".into(), layout.value());
        if let (Opened::Object(it), false) = (&self.file, self.options.dry_run) {
            object
                .insert("etag".into(), it.head().map_or(Value::Null, |head| head.etag[..].into()));
        }
        if let Some(backup) = backup {
            object.insert("backup".into(), backup.value());
        }
        let undo = self.options.undo_script.as_deref().filter(|_| !self.options.dry_run);
        if let Some(path) = undo {
            insert_path(&mut object, "undo_script", Path::new(path));
        }
        print_object(object)
    }
}

/// Commits, with a bar, unless a signal stops that.
fn commit_file(
    file: &mut SpliceFile,
    path: &Path,
    options: &EditOptions,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut progress = WorkProgress::new(path, options.progress, options.quiet);
    interrupt.commit_begins(progress.bar());
    let mut advance = |now| progress.advance(now);
    let how = options.commit_options().progress(&mut advance).cancel(interrupt.cancel());
    let committed = file.commit_with(how);
    interrupt.commit_ends();
    progress.finish();
    committed.map_err(|error| interrupt.told(error))
}
