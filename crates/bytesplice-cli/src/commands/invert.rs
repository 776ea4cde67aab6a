use std::ffi::OsStr;
use std::io::{self, BufRead};
use std::path::Path;

use bytesplice::{Checks, Script, invert};

use crate::cli::InvertArguments;
use crate::failure::Failure;
use crate::opened::open_to_read;
use crate::written::write_script;

/// `invert SCRIPT`
pub fn run(arguments: &InvertArguments) -> Result<(), Failure> {
    if arguments.script == OsStr::new("-") {
        run_with(arguments, Script::new("standard input", io::stdin().lock())?)
    } else {
        run_with(arguments, Script::open(&arguments.script)?)
    }
}

fn run_with(arguments: &InvertArguments, script: Script<impl BufRead>) -> Result<(), Failure> {
    let (path, options) = (Path::new(&arguments.script), &arguments.options);
    let Some(old) = &arguments.old else {
        return write_script("invert", path, options, |inverse| Ok(invert(script, inverse)?));
    };
    let mut file = open_to_read(old, &arguments.store)?;
    file.apply(script)?;
    write_script("invert", path, options, |inverse| {
        Ok(file.write_undo_script(Checks::Checksum, inverse)?)
    })
}
