use std::fmt::Write;
use std::path::Path;

use bytesplice::{ForgetOptions, Forgotten, Status, forget_with};
use bytesplice_s3::ObjectName;
use serde_json::{Map, Value};

use crate::cli::ForgetArguments;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::journal_report;
use crate::output::{bytes, insert_path, object, print, print_object, shown};
use crate::typed_path::TypedPath;

/// `forget FILE`
pub fn run(arguments: &ForgetArguments) -> Result<ExitCode, Failure> {
    let path = Path::new(&arguments.file);
    if ObjectName::is_address(path) {
        return Err(Failure::NothingToAbort { address: path.into() });
    }
    let typed = TypedPath::new(&arguments.file);
    if arguments.yes {
        let forgotten = forget_with(path, ForgetOptions::default())?;
        let reported = if arguments.json {
            print_object(outcome(path, &forgotten, &typed, false))
        } else if arguments.quiet {
            Ok(())
        } else {
            print(&done(path, &forgotten, &typed))
        };
        if !forgotten.is_clean() {
            reported.map_err(|failure| failure.after(path, "was taken as it is"))?;
            return Ok(ExitCode::Done);
        }
        return reported.map(|()| ExitCode::Done);
    }
    let status = bytesplice::status(path)?;
    let planned = forget_with(path, ForgetOptions { dry_run: true })?;
    if arguments.json {
        let mut object = outcome(path, &planned, &typed, true);
        object.insert("length".into(), status.len.into());
        let journal = status.journal.path().map(|journal| typed.as_typed(journal));
        let journal = journal_report::object(&status, journal.as_deref());
        object.insert("journal".into(), Value::Object(journal));
        object.insert("being_written".into(), status.is_being_written().into());
        object.insert("needs_recovery".into(), status.needs_recovery().into());
        print_object(object)?;
    } else if !arguments.quiet {
        print(&known(path, &status, &planned, &typed))?;
    }
    let needed = status.needs_recovery() || !status.is_being_written() && !planned.is_clean();
    Ok(if needed { ExitCode::NeedsRecovery } else { ExitCode::Done })
}

fn outcome(
    path: &Path,
    forgotten: &Forgotten,
    typed: &TypedPath,
    dry_run: bool,
) -> Map<String, Value> {
    let mut object = object("forget", path);
    object.insert("dry_run".into(), dry_run.into());
    object.insert("mark_removed".into(), forgotten.mark_removed.into());
    let set_aside = forgotten.set_aside.iter().map(|set_aside| {
        let mut paths = Map::new();
        insert_path(&mut paths, "journal", &typed.as_typed(&set_aside.journal));
        insert_path(&mut paths, "now", &typed.as_typed(&set_aside.now));
        Value::Object(paths)
    });
    object.insert("set_aside".into(), set_aside.collect());
    object
}

/// What was done.
fn done(path: &Path, forgotten: &Forgotten, typed: &TypedPath) -> String {
    let path = shown(path);
    if forgotten.is_clean() {
        return format!("{path}: clean: no commit was cut short\n");
    }
    let mut text = format!("{path}: the commit is forgotten, the file is taken as it is\n");
    if forgotten.mark_removed {
        text += "  its mark was taken off\n";
    }
    for set_aside in &forgotten.set_aside {
        let now = shown(&typed.as_typed(&set_aside.now));
        let _ = writeln!(text, "  the journal is now {now}");
    }
    text
}

/// What is known, and what would be done.
fn known(path: &Path, status: &Status, planned: &Forgotten, typed: &TypedPath) -> String {
    let path = shown(path);
    if planned.is_clean() {
        return format!("{path}: clean: no commit was cut short\n");
    }
    let journal = status.journal.path().map(|journal| typed.as_typed(journal));
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<13}{value}");
    };
    row("path", &path);
    row("length", &bytes(status.len));
    row("journal", &journal_report::sentence(status, journal.as_deref()));
    if let Some(lengths) = journal_report::lengths(status) {
        row("", &lengths);
    }
    let mut name = "--yes would";
    if planned.mark_removed {
        row(name, "take the mark of the commit off the file");
        name = "";
    }
    for set_aside in &planned.set_aside {
        let [journal, now] =
            [&set_aside.journal, &set_aside.now].map(|it| shown(&typed.as_typed(it)));
        row(name, &format!("give {journal} the name {now}"));
        name = "";
    }
    text += "Nothing was changed. --yes is for a file that is whole, such as a restored backup: no byte of it changes.\n";
    text
}
