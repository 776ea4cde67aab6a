use std::io::{self, Write};
use std::path::Path;

use crate::cli::ReadArguments;
use crate::failure::Failure;
use crate::opened::open_to_read;

/// `read FILE RANGE`
pub fn run(arguments: &ReadArguments) -> Result<(), Failure> {
    let path = Path::new(&arguments.file);
    let file = open_to_read(&arguments.file, &arguments.store)?;
    let range = arguments.place.resolve(&file, path)?;
    let mut out = io::stdout().lock();
    for chunk in file.chunks(range)? {
        out.write_all(&chunk?).map_err(Failure::Output)?;
    }
    out.flush().map_err(Failure::Output)
}
