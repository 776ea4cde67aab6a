use std::path::Path;

use bytesplice::{Checks, OpenOptions, diff};

use crate::cli::DiffArguments;
use crate::failure::Failure;
use crate::new_file::write_script;

/// `diff OLD NEW`
pub fn run(arguments: &DiffArguments) -> Result<(), Failure> {
    let old = OpenOptions::new().read_only(true).open(&arguments.old)?;
    let new = OpenOptions::new().read_only(true).open(&arguments.new)?;
    let checks = if arguments.reversible { Checks::Whole } else { Checks::Checksum };
    let output = arguments.output.as_deref().map(Path::new);
    write_script(output, |script| diff(&old, &new, checks, script))
}
