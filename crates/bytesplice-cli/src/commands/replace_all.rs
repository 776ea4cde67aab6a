use bytesplice::SearchOptions;

use crate::cli::ReplaceAllArguments;
use crate::edit::Edit;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::matches;

/// `replace-all FILE PATTERN REPLACEMENT`
pub fn run(arguments: &ReplaceAllArguments) -> Result<ExitCode, Failure> {
    if arguments.options.expect_hex.is_some() {
        return Err(Failure::ExpectsNothing);
    }
    let pattern = arguments.kind.pattern(&arguments.pattern)?;
    let replacement = arguments.kind.replacement(&arguments.replacement, &pattern)?;
    let mut edit = Edit::open("replace-all", &arguments.file, &arguments.options)?;
    let range = arguments.within.resolve(&edit.file, edit.path())?;
    let options = SearchOptions::new().range(range).max(arguments.max.unwrap_or(u64::MAX));
    let count = edit.replace_all(&pattern, &replacement, options)?;
    edit.finish(&format!("replaced {}", matches(count)))?;
    Ok(if count == 0 { ExitCode::NothingFound } else { ExitCode::Done })
}
