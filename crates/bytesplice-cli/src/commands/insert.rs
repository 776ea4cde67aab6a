use crate::cli::InsertArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::output::bytes;

/// `insert FILE OFFSET DATA`
pub fn run(arguments: &InsertArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("insert", &arguments.file, &arguments.options)?;
    let offset = edit.offset(arguments.offset)?;
    edit.expect_at(offset)?;
    let old_len = edit.file.len();
    edit.file.splice(offset..offset, arguments.data.content()?)?;
    let inserted = edit.file.len() - old_len;
    edit.finish(&format!("inserted {} at {offset}", bytes(inserted)))
}
