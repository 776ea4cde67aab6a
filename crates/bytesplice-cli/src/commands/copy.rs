use crate::cli::RearrangeArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::output::bytes;

/// `copy FILE RANGE OFFSET`
pub fn run(arguments: &RearrangeArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("copy", &arguments.file, &arguments.options)?;
    let (range, offset) = arguments.place.resolve(&edit)?;
    edit.expect(range.clone())?;
    edit.file.copy_range(range.clone(), offset)?;
    let copied = bytes(range.end - range.start);
    edit.finish(&format!("copied {copied} from {}..{} to {offset}", range.start, range.end))
}
