use std::io::{self, BufWriter, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use bytesplice::OpenOptions;

use crate::cli::ShowArguments;
use crate::failure::Failure;
use crate::hexdump::Hexdump;

/// `show FILE [RANGE]`
pub fn run(arguments: &ShowArguments) -> Result<(), Failure> {
    let path = Path::new(&arguments.file);
    let file = OpenOptions::new().read_only(true).open(path)?;
    let range = match (&arguments.lines, arguments.range) {
        (Some(lines), _) => lines.resolve(&file, path)?,
        (None, Some(range)) => {
            range.resolve(file.len()).map_err(|place| Failure::outside(path, place, file.len()))?
        }
        (None, None) => 0..file.len(),
    };
    let stdout = io::stdout();
    let coloured = AutoStream::choice(&stdout) != ColorChoice::Never;
    let out = BufWriter::with_capacity(64 << 10, stdout.lock());
    let mut hexdump = Hexdump::new(out, range.clone(), coloured);
    for chunk in file.chunks(range)? {
        hexdump.feed(&chunk?).map_err(Failure::Output)?;
    }
    hexdump.finish().and_then(|mut out| out.flush()).map_err(Failure::Output)
}
