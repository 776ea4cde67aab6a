use std::ffi::OsStr;
use std::io;

use bytesplice::Script;

use crate::cli::ApplyArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::output::grouped;

/// `apply FILE [SCRIPT|-]`
pub fn run(arguments: &ApplyArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("apply", &arguments.file, &arguments.options)?;
    let count = if arguments.edits.is_empty() {
        match arguments.script.as_deref().filter(|&script| script != OsStr::new("-")) {
            Some(path) => edit.file.apply(Script::open(path)?)?,
            None => edit.file.apply(Script::new("standard input", io::stdin().lock())?)?,
        }
    } else {
        let lines = arguments.edits.join("\n");
        edit.file.apply(Script::without_header("--edit", lines.as_bytes()))?
    };
    edit.finish(&format!("made {} edit{}", grouped(count), if count == 1 { "" } else { "s" }))
}
