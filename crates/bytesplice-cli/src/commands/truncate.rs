use bytesplice::Error;

use crate::cli::TruncateArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::output::bytes;

/// `truncate FILE LENGTH`
pub fn run(arguments: &TruncateArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("truncate", &arguments.file, &arguments.options)?;
    let length = edit.offset(arguments.length).map_err(only_shortens)?;
    let old_len = edit.file.len();
    edit.expect(length..old_len)?;
    edit.file.truncate(length)?;
    edit.finish(&format!("removed {} at the end", bytes(old_len - length)))
}

/// A length past the end is meant to lengthen.
fn only_shortens(failure: Failure) -> Failure {
    match failure {
        Failure::Library(Error::OutOfRange { path, start, len, .. }) => {
            Failure::Lengthens { path, wanted: start, len }
        }
        other => other,
    }
}
