use std::fmt::Write;
use std::path::{Path, PathBuf};

use bytesplice::{LockKind, Status, Support};
use serde_json::{Map, Value, json};

use crate::cli::StatusArguments;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::journal_report;
use crate::lock_holders::{LockHolder, lock_holders};
use crate::object_status::ObjectStatus;
use crate::opened::ObjectPlace;
use crate::output::{bytes, insert_path, object, print, print_object, printable, shown};
use crate::plan_table::COPIES_UP;
use crate::size::approximate;
use crate::typed_path::TypedPath;

/// `status FILE`
pub fn run(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    let path = Path::new(&arguments.file);
    if let Some(place) = ObjectPlace::of(&arguments.file, &arguments.store)? {
        let status = ObjectStatus::of(place)?;
        let told = if arguments.json {
            print_object(status.object(path))
        } else if arguments.quiet {
            Ok(())
        } else {
            print(&status.table(path))
        };
        return told.map(|()| ExitCode::Done);
    }
    let status = bytesplice::status(path)?;
    let exit_code = if status.needs_recovery() { ExitCode::NeedsRecovery } else { ExitCode::Done };
    if arguments.quiet && !arguments.json {
        return Ok(exit_code);
    }
    let typed = TypedPath::new(&arguments.file);
    let found = Found {
        path,
        journal: status.journal.path().map(|journal| typed.as_typed(journal)),
        holders: lock_holders(path),
        support: bytesplice::support(path)?,
        status,
    };
    let printed = if arguments.json { print_object(found.object()) } else { print(&found.table()) };
    printed.map(|()| exit_code)
}

/// All that is known of a file.
struct Found<'a> {
    path: &'a Path,
    status: Status,
    /// Where the journal is, as typed.
    journal: Option<PathBuf>,
    holders: Vec<LockHolder>,
    support: Support,
}

impl Found<'_> {
    fn table(&self) -> String {
        let (status, support) = (&self.status, &self.support);
        let mut table = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(table, "{name:<13}{value}");
        };
        let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        row("path", shown(self.path));
        row("length", bytes(status.len));
        let holes = if support.has_holes { ", with holes" } else { "" };
        row("on disk", format!("{}{holes}", bytes(support.allocated)));
        row("journal", journal_report::sentence(status, self.journal.as_deref()));
        if let Some(lengths) = journal_report::lengths(status) {
            row("", lengths);
        }
        if let Some(beside) = &status.replacement {
            let what = if status.locked {
                "a commit is writing it"
            } else {
                "left by a commit that was cut short: recovery removes it"
            };
            row("new file", format!("{what} ({})", shown(beside)));
        }
        row("locked", self.locked());
        row("read-only", yes_no(status.read_only));
        row("free space", approximate(support.free_space));
        let tried = |able: Option<bool>| able.map_or("could not be tried".into(), yes_no);
        row("file system", format!("shares blocks: {}", tried(support.shares_blocks)));
        row("", format!("shifts extents: {}", tried(support.shifts_extents)));
        row("", format!("marks files: {}", yes_no(support.marks_files)));
        if support.copies_up {
            row("overlayfs", COPIES_UP[0].into());
            row("", COPIES_UP[1].into());
        }
        let mut name = "strategies";
        for (strategy, refusal) in &support.strategies {
            let strategy = strategy.to_string();
            row(
                name,
                match refusal {
                    None => strategy,
                    Some(reason) => format!("{strategy:<10} not here: {}", printable(reason)),
                },
            );
            name = "";
        }
        table
    }

    /// Whether and by whom the file is locked. A lock of others than bytesplice counts as well.
    fn locked(&self) -> String {
        let all: Vec<String> = self.holders.iter().map(ToString::to_string).collect();
        let by = if all.is_empty() { String::new() } else { format!(" by {}", all.join("; ")) };
        match (self.status.locked, all.is_empty()) {
            _ if self.status.lock_kind == LockKind::None => {
                "the file system has no locks: commits are refused".into()
            }
            (true, _) => format!("for writing{by}"),
            (false, false) => format!("for reading{by}"),
            (false, true) => "no".into(),
        }
    }

    fn object(&self) -> Map<String, Value> {
        let (status, support) = (&self.status, &self.support);
        let mut object = object("status", self.path);
        object.insert("length".into(), status.len.into());
        let journal = journal_report::object(status, self.journal.as_deref());
        object.insert("journal".into(), Value::Object(journal));
        if let Some(beside) = &status.replacement {
            insert_path(&mut object, "replacement", beside);
        }
        object.insert("locked".into(), status.locked.into());
        object.insert("lock_kind".into(), status.lock_kind.to_string().into());
        let holders: Vec<Value> = self.holders.iter().map(holder_value).collect();
        object.insert("lock_holders".into(), holders.into());
        object.insert("read_only".into(), status.read_only.into());
        object.insert("being_written".into(), status.is_being_written().into());
        object.insert("needs_recovery".into(), status.needs_recovery().into());
        object.insert("allocated".into(), support.allocated.into());
        object.insert("has_holes".into(), support.has_holes.into());
        object.insert("free_space".into(), support.free_space.into());
        object.insert("shares_blocks".into(), support.shares_blocks.into());
        object.insert("shifts_extents".into(), support.shifts_extents.into());
        object.insert("marks_files".into(), support.marks_files.into());
        object.insert("copies_up".into(), support.copies_up.into());
        let strategies = support.strategies.iter().map(|(strategy, refusal)| {
            json!({ "strategy": strategy.to_string(), "unavailable": refusal })
        });
        object.insert("strategies".into(), strategies.collect());
        object
    }
}

fn holder_value(holder: &LockHolder) -> Value {
    json!({ "process": holder.process, "program": holder.program, "writes": holder.writes })
}
