use crate::cli::AppendArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::output::bytes;

/// `append FILE DATA`
pub fn run(arguments: &AppendArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("append", &arguments.file, &arguments.options)?;
    edit.expect_last()?;
    let old_len = edit.file.len();
    edit.file.splice(old_len..old_len, arguments.data.content()?)?;
    let added = edit.file.len() - old_len;
    edit.finish(&format!("appended {}", bytes(added)))
}
