use std::io::Write;
use std::ops::Range;
use std::path::Path;

use crate::cli::RemoveArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::new_file::NewFile;
use crate::output::bytes;

const SAVE: &str = "--save";

/// `remove FILE RANGE`
pub fn run(arguments: &RemoveArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("remove", &arguments.file, &arguments.options)?;
    let range = arguments.place.resolve(&edit.file, edit.path())?;
    edit.expect(range.clone())?;
    let mut saved = None;
    if let Some(path) = arguments.save.as_deref().map(Path::new) {
        NewFile::check(path, SAVE, edit.path())?;
        if !edit.is_dry_run() {
            edit.watch_signals()?;
            saved = Some(save(path, &edit, range.clone())?);
        }
    }
    let removed = bytes(range.end - range.start);
    let result = edit.file.remove(range.clone()).map_err(Failure::from).and_then(|()| {
        edit.finish(&format!("removed {removed} at {}..{}", range.start, range.end))
    });
    // Bytes that are still in the file need no second home, and the next try may use the name again.
    if let (Some(saved), Err(failure)) = (saved, &result)
        && failure.left_unchanged()
    {
        saved.withdraw();
    }
    result
}

/// Writes the bytes of `range` to a new file, unless a signal stops that.
fn save(path: &Path, edit: &Edit<'_>, range: Range<u64>) -> Result<NewFile, Failure> {
    let (saved, ()) = NewFile::write(path, SAVE, |out| {
        for chunk in edit.file.chunks(range)? {
            edit.check_signals()?;
            out.write_all(&chunk?).map_err(|source| NewFile::failed(path, SAVE, source))?;
        }
        Ok(())
    })?;
    Ok(saved)
}
