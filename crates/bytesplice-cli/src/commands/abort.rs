use std::path::Path;

use bytesplice::Recovery;
use bytesplice_s3::ObjectName;

use crate::cli::AbortArguments;
use crate::failure::Failure;
use crate::output::{object, print, print_object, shown};

/// `abort FILE`
pub fn run(arguments: &AbortArguments) -> Result<(), Failure> {
    let path = Path::new(&arguments.file);
    if ObjectName::is_address(path) {
        return Err(Failure::NothingToAbort { address: path.into() });
    }
    let recovery = bytesplice::abort(path)?;
    let (word, sentence) = match recovery {
        Recovery::Clean => ("clean", "clean: no commit was cut short"),
        Recovery::RolledBack => ("rolled-back", "aborted: the file holds the old contents"),
        Recovery::Completed => {
            ("completed", "completed: the commit was done, the file holds the new contents")
        }
    };
    let reported = if arguments.json {
        let mut object = object("abort", path);
        object.insert("recovery".into(), word.into());
        print_object(object)
    } else if arguments.quiet {
        Ok(())
    } else {
        print(&format!("{}: {sentence}\n", shown(path)))
    };
    match recovery {
        Recovery::Clean => reported,
        _ => reported.map_err(|failure| failure.after(path, "was recovered")),
    }
}
