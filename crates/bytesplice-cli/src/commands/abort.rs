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
    let (word, sentence) = match bytesplice::abort(path)? {
        Recovery::Clean => ("clean", "clean: no commit was cut short"),
        Recovery::RolledBack => ("rolled-back", "aborted: the file holds the old contents"),
        Recovery::Completed => {
            ("completed", "completed: the commit was done, the file holds the new contents")
        }
    };
    if arguments.json {
        let mut object = object("abort", path);
        object.insert("recovery".into(), word.into());
        return print_object(object);
    }
    if arguments.quiet {
        return Ok(());
    }
    print(&format!("{}: {sentence}\n", shown(path)))
}
