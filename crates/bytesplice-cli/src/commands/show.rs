use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use bytesplice::Contents;
use serde_json::{Value, json};

use crate::cli::ShowArguments;
use crate::failure::Failure;
use crate::hexdump::Hexdump;
use crate::opened::open_to_read;
use crate::output::{object, printable_json};

/// `show FILE [RANGE]`
pub fn run(arguments: &ShowArguments) -> Result<(), Failure> {
    let path = Path::new(&arguments.file);
    let file = open_to_read(&arguments.file, &arguments.store)?;
    let range = match (&arguments.lines, arguments.range) {
        (Some(lines), _) => lines.resolve(&file, path)?,
        (None, Some(range)) => {
            range.resolve(file.len()).map_err(|place| Failure::outside(path, place, file.len()))?
        }
        (None, None) => 0..file.len(),
    };
    if arguments.json {
        return print_object(&file, path, range);
    }
    let stdout = io::stdout();
    let coloured = AutoStream::choice(&stdout) != ColorChoice::Never;
    let out = BufWriter::with_capacity(64 << 10, stdout.lock());
    let mut hexdump = Hexdump::new(out, range.clone(), coloured);
    for chunk in file.chunks(range)? {
        hexdump.feed(&chunk?).map_err(Failure::Output)?;
    }
    hexdump.finish().and_then(|mut out| out.flush()).map_err(Failure::Output)
}

/// The same as an object, in a memory that does not grow with the range.
fn print_object(file: &Contents, path: &Path, range: Range<u64>) -> Result<(), Failure> {
    let mut object = object("show", path);
    object.insert("range".into(), json!([range.start, range.end]));
    let beginning = printable_json(&Value::Object(object));
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    write!(out, "{},\"hex\":\"", beginning.trim_end_matches('}')).map_err(Failure::Output)?;
    for chunk in file.chunks(range)? {
        for byte in chunk?.iter() {
            write!(out, "{byte:02x}").map_err(Failure::Output)?;
        }
    }
    writeln!(out, "\"}}").and_then(|()| out.flush()).map_err(Failure::Output)
}
