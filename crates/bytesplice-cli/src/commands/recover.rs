use std::path::Path;

use bytesplice::{RecoverOptions, Recovery, recover_with};

use crate::cli::RecoverArguments;
use crate::failure::Failure;
use crate::output::{object, print, print_object, shown};

/// `recover FILE`
pub fn run(arguments: &RecoverArguments) -> Result<(), Failure> {
    let path = Path::new(&arguments.file);
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
    if arguments.json {
        let mut object = object("recover", path);
        object.insert("recovery".into(), word.into());
        return print_object(object);
    }
    if arguments.quiet {
        return Ok(());
    }
    print(&format!("{}: {sentence}\n", shown(path)))
}
