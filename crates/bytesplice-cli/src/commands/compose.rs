use std::path::Path;

use bytesplice::{Script, compose};

use crate::cli::ComposeArguments;
use crate::failure::Failure;
use crate::written::write_script;

/// `compose FIRST SECOND`
pub fn run(arguments: &ComposeArguments) -> Result<(), Failure> {
    let (first, second) = (Script::open(&arguments.first)?, Script::open(&arguments.second)?);
    write_script("compose", Path::new(&arguments.first), &arguments.options, |both| {
        Ok(compose(first, second, both)?)
    })
}
