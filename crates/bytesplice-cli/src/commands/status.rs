use std::path::{Path, PathBuf};

use bytesplice::{JournalStatus, Status};
use serde_json::{Map, Value};

use crate::cli::StatusArguments;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{bytes, insert_path, object, print, print_object, printable, shown};
use crate::typed_path::TypedPath;

/// `status FILE`
pub fn run(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    let path = Path::new(&arguments.file);
    let status = bytesplice::status(path)?;
    let typed = TypedPath::new(&arguments.file);
    let journal = status.journal.path().map(|journal| typed.as_typed(journal));
    if arguments.json {
        print_status_object(path, &status, journal)?;
    } else if !arguments.quiet {
        print_status(path, &status, journal)?;
    }
    Ok(if status.needs_recovery() { ExitCode::NeedsRecovery } else { ExitCode::Done })
}

fn print_status(path: &Path, status: &Status, journal: Option<PathBuf>) -> Result<(), Failure> {
    let sentence = if status.is_being_written() { of_running } else { of_broken }(&status.journal);
    let journal = journal.map_or(String::new(), |journal| format!(" ({})", shown(&journal)));
    let replacement = match &status.replacement {
        None => String::new(),
        Some(beside) if status.locked => {
            format!("new file   a commit is writing it ({})\n", shown(beside))
        }
        Some(beside) => {
            format!(
                "new file   left by a commit that was cut short: recovery removes it ({})\n",
                shown(beside)
            )
        }
    };
    let yes_no = |yes| if yes { "yes" } else { "no" };
    print(&format!(
        "path       {}\nlength     {}\njournal    {sentence}{journal}\n{replacement}locked     {}\nread-only  {}\n",
        shown(path),
        bytes(status.len),
        yes_no(status.locked),
        yes_no(status.read_only)
    ))
}

/// While another bytesplice holds the lock and works by this journal.
fn of_running(journal: &JournalStatus) -> String {
    match journal {
        JournalStatus::None | JournalStatus::Unusable { .. } => of_broken(journal),
        JournalStatus::Prepared { .. } => "another bytesplice is preparing a commit".into(),
        JournalStatus::Committing { step, steps, .. } => {
            format!("another bytesplice is committing, at step {step} of {steps}")
        }
        JournalStatus::Finishing { .. } => "another bytesplice is finishing its commit".into(),
    }
}

fn of_broken(journal: &JournalStatus) -> String {
    match journal {
        JournalStatus::None => "none".into(),
        JournalStatus::Prepared { .. } => {
            "a commit was prepared and not begun: recovery brings back the old contents".into()
        }
        JournalStatus::Committing { step, steps, .. } => {
            format!(
                "a commit was cut short at step {step} of {steps}: recovery brings the new contents"
            )
        }
        JournalStatus::Finishing { .. } => {
            "a commit is written and not tidied up: recovery finishes it".into()
        }
        JournalStatus::Unusable { detail, .. } => format!("unusable: {}", printable(detail)),
    }
}

fn print_status_object(
    path: &Path,
    status: &Status,
    journal_path: Option<PathBuf>,
) -> Result<(), Failure> {
    let mut journal = Map::new();
    let state = match &status.journal {
        JournalStatus::None => "none",
        JournalStatus::Prepared { .. } => "prepared",
        JournalStatus::Committing { step, steps, .. } => {
            journal.insert("step".into(), (*step).into());
            journal.insert("steps".into(), (*steps).into());
            "committing"
        }
        JournalStatus::Finishing { .. } => "finishing",
        JournalStatus::Unusable { detail, .. } => {
            journal.insert("detail".into(), detail.as_str().into());
            "unusable"
        }
    };
    journal.insert("state".into(), state.into());
    if let Some(path) = journal_path {
        insert_path(&mut journal, "path", &path);
    }
    let mut object = object("status", path);
    object.insert("length".into(), status.len.into());
    object.insert("journal".into(), Value::Object(journal));
    if let Some(beside) = &status.replacement {
        insert_path(&mut object, "replacement", beside);
    }
    object.insert("locked".into(), status.locked.into());
    object.insert("read_only".into(), status.read_only.into());
    object.insert("being_written".into(), status.is_being_written().into());
    object.insert("needs_recovery".into(), status.needs_recovery().into());
    print_object(object)
}
