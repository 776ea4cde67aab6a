use std::path::Path;
use std::time::Duration;

use bytesplice::{RecoverOptions, Recovery, recover_with};
use bytesplice_s3::{Client, LeftoverUpload, Store, recover};

use crate::cli::RecoverArguments;
use crate::failure::Failure;
use crate::object_status::{begun, uploads_value};
use crate::opened::ObjectPlace;
use crate::output::{object, print, print_object, shown};

/// No commit takes so long.
const USUAL_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// `recover FILE`
pub fn run(arguments: &RecoverArguments) -> Result<(), Failure> {
    let path = Path::new(&arguments.file);
    if let Some(place) = ObjectPlace::of(&arguments.file, &arguments.store)? {
        return recover_object(place, path, arguments);
    }
    let recovery = recover_with(path, RecoverOptions { force: arguments.force })?;
    let (word, sentence) = match recovery {
        Recovery::Clean => ("clean", "clean: no commit was cut short"),
        Recovery::RolledBack => (
            "rolled-back",
            "rolled back: the commit had not begun, the file holds the old contents",
        ),
        Recovery::Completed => {
            ("completed", "completed: the commit was finished, the file holds the new contents")
        }
    };
    let format = ReportFormat { json: arguments.json, quiet: arguments.quiet };
    report_recovery("recover", path, recovery, (word, sentence), format)
}

/// Aborts the uploads that are old enough, and tells of those that are not.
fn recover_object(
    place: ObjectPlace,
    path: &Path,
    arguments: &RecoverArguments,
) -> Result<(), Failure> {
    let client = Client::new(place.name, &place.settings)?;
    let aborted = recover(&client, arguments.older_than.unwrap_or(USUAL_AGE))?;
    let left = client.list_uploads()?;
    if arguments.json {
        let mut object = object("recover", path);
        object
            .insert("recovery".into(), if aborted.is_empty() { "clean" } else { "aborted" }.into());
        object.insert("aborted".into(), uploads_value(&aborted));
        object.insert("left".into(), uploads_value(&left));
        return print_object(object);
    }
    if arguments.quiet {
        return Ok(());
    }
    let mut text = format!("{}: {}\n", shown(path), sentence(&aborted, &left));
    for (word, uploads) in [("aborted", &aborted), ("left", &left)] {
        for upload in uploads {
            text += &format!("  {word}, {}\n", begun(upload));
        }
    }
    if !left.is_empty() {
        text +=
            "  --older-than 0s aborts all, those of commits that are running just now as well\n";
    }
    print(&text)
}

fn sentence(aborted: &[LeftoverUpload], left: &[LeftoverUpload]) -> String {
    match (aborted.len(), left.len()) {
        (0, 0) => "clean: no upload is under way".into(),
        (0, left) => format!("{left} under way, too young to be aborted"),
        (aborted, 0) => format!("{aborted} aborted, none is left"),
        (aborted, left) => format!("{aborted} aborted, {left} too young for that"),
    }
}

/// How a report is printed.
pub(super) struct ReportFormat {
    pub json: bool,
    pub quiet: bool,
}

/// Says what a command that recovers did to a file, as a word for programs and as a sentence.
pub(super) fn report_recovery(
    command: &str,
    path: &Path,
    recovery: Recovery,
    (word, sentence): (&str, &str),
    format: ReportFormat,
) -> Result<(), Failure> {
    let reported = if format.json {
        let mut object = object(command, path);
        object.insert("recovery".into(), word.into());
        print_object(object)
    } else if format.quiet {
        Ok(())
    } else {
        print(&format!("{}: {sentence}\n", shown(path)))
    };
    match recovery {
        Recovery::Clean => reported,
        _ => reported.map_err(|failure| failure.after(path, "was recovered")),
    }
}
