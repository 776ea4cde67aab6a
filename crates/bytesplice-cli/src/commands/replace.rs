use crate::cli::ReplaceArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::output::bytes;

/// `replace FILE RANGE DATA`
pub fn run(arguments: &ReplaceArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("replace", &arguments.file, &arguments.options)?;
    let range = arguments.place.resolve(&edit.file, edit.path())?;
    edit.expect(range.clone())?;
    let kept = edit.file.len() - (range.end - range.start);
    edit.file.splice(range.clone(), arguments.data.content()?)?;
    let new = edit.file.len() - kept;
    edit.finish(&format!("replaced {}..{} by {}", range.start, range.end, bytes(new)))
}
