use std::path::Path;

use bytesplice::{Script, compose};

use crate::cli::ComposeArguments;
use crate::failure::Failure;
use crate::new_file::write_script;

/// `compose FIRST SECOND`
pub fn run(arguments: &ComposeArguments) -> Result<(), Failure> {
    let (first, second) = (Script::open(&arguments.first)?, Script::open(&arguments.second)?);
    let output = arguments.output.as_deref().map(Path::new);
    write_script(output, |both| compose(first, second, both))
}
