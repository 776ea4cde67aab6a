use std::path::Path;

use bytesplice::{JournalStatus, Status};
use serde_json::{Map, Value};

use crate::cli::StatusArguments;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{bytes, insert_path, object, print, print_object, printable, shown};

/// `status FILE`
pub fn run(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    let path = Path::new(&arguments.file);
    let status = bytesplice::status(path)?;
    if arguments.json {
        print_status_object(path, &status)?;
    } else if !arguments.quiet {
        print_status(path, &status)?;
    }
    Ok(exit_code(&status))
}

/// The journal of a commit that is still running is as it should be.
fn exit_code(status: &Status) -> ExitCode {
    match &status.journal {
        JournalStatus::None => ExitCode::Done,
        JournalStatus::Unusable { .. } => ExitCode::NeedsRecovery,
        _ if status.locked => ExitCode::Done,
        _ => ExitCode::NeedsRecovery,
    }
}

fn print_status(path: &Path, status: &Status) -> Result<(), Failure> {
    let journal = match &status.journal {
        JournalStatus::None => "none".into(),
        JournalStatus::Prepared { .. } => {
            "a commit was prepared and not begun: recovery brings back the old contents".into()
        }
        JournalStatus::Committing { step, steps, journal } => format!(
            "a commit is at step {step} of {steps}: recovery brings the new contents ({})",
            shown(journal)
        ),
        JournalStatus::Finishing { journal } => {
            format!(
                "a commit is written and not tidied up: recovery finishes it ({})",
                shown(journal)
            )
        }
        JournalStatus::Unusable { journal, detail } => {
            format!("unusable: {} ({})", printable(detail), shown(journal))
        }
    };
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
        "path       {}\nlength     {}\njournal    {journal}\n{replacement}locked     {}\nread-only  {}\n",
        shown(path),
        bytes(status.len),
        yes_no(status.locked),
        yes_no(status.read_only)
    ))
}

fn print_status_object(path: &Path, status: &Status) -> Result<(), Failure> {
    let mut journal = Map::new();
    let state = match &status.journal {
        JournalStatus::None => "none",
        JournalStatus::Prepared { .. } => "prepared",
        JournalStatus::Committing { step, steps, journal: path } => {
            journal.insert("step".into(), (*step).into());
            journal.insert("steps".into(), (*steps).into());
            insert_path(&mut journal, "path", path);
            "committing"
        }
        JournalStatus::Finishing { journal: path } => {
            insert_path(&mut journal, "path", path);
            "finishing"
        }
        JournalStatus::Unusable { journal: path, detail } => {
            insert_path(&mut journal, "path", path);
            journal.insert("detail".into(), detail.as_str().into());
            "unusable"
        }
    };
    journal.insert("state".into(), state.into());
    let mut object = object("status", path);
    object.insert("length".into(), status.len.into());
    object.insert("journal".into(), Value::Object(journal));
    if let Some(beside) = &status.replacement {
        insert_path(&mut object, "replacement", beside);
    }
    object.insert("locked".into(), status.locked.into());
    object.insert("read_only".into(), status.read_only.into());
    object.insert("needs_recovery".into(), (exit_code(status) == ExitCode::NeedsRecovery).into());
    print_object(object)
}
