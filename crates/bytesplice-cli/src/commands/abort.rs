use std::path::Path;

use bytesplice::Recovery;
use bytesplice_s3::ObjectName;

use crate::cli::AbortArguments;
use crate::commands::recover::{ReportFormat, report_recovery};
use crate::failure::Failure;

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
    let format = ReportFormat { json: arguments.json, quiet: arguments.quiet };
    report_recovery("abort", path, recovery, (word, sentence), format)
}
