use crate::cli::RearrangeArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::output::bytes;

/// `move FILE RANGE OFFSET`
pub fn run(arguments: &RearrangeArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("move", &arguments.file, &arguments.options)?;
    let (range, offset) = arguments.place.resolve(&edit)?;
    edit.expect(range.clone())?;
    edit.file.move_range(range.clone(), offset)?;
    let moved = bytes(range.end - range.start);
    edit.finish(&format!("moved {moved} from {}..{} to {offset}", range.start, range.end))
}
