use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use bytesplice::{Contents, SearchOptions};
use serde_json::{Value, json};

use crate::cli::FindArguments;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::hexdump::Hexdump;
use crate::opened::open_to_read;
use crate::output::{object, printable_json};

/// `find FILE PATTERN`
pub fn run(arguments: &FindArguments) -> Result<ExitCode, Failure> {
    let pattern = arguments.kind.pattern(&arguments.pattern)?;
    let path = Path::new(&arguments.file);
    let file = open_to_read(&arguments.file, &arguments.store)?;
    let range = arguments.within.resolve(&file, path)?;
    let max = if arguments.quiet { 1 } else { arguments.max.unwrap_or(u64::MAX) };
    let stdout = io::stdout();
    let coloured = AutoStream::choice(&stdout) != ColorChoice::Never;
    let mut out = BufWriter::with_capacity(64 << 10, stdout.lock());
    if arguments.json {
        let beginning = printable_json(&Value::Object(object("find", path)));
        let beginning = beginning.trim_end_matches('}');
        write!(out, "{beginning}").map_err(Failure::Output)?;
        if !arguments.count {
            write!(out, ",\"matches\":[").map_err(Failure::Output)?;
        }
    }
    let mut count = 0_u64;
    for found in file.find_iter_with(&pattern, SearchOptions::new().range(range).max(max))? {
        let found = found?.range;
        if !arguments.count && !arguments.quiet {
            let written = if arguments.json {
                let comma = if count > 0 { "," } else { "" };
                let len = found.end - found.start;
                write!(out, "{comma}{}", json!({ "offset": found.start, "length": len }))
            } else {
                writeln!(out, "{}", found.start)
            };
            written.map_err(Failure::Output)?;
            if let Some(context) = arguments.context {
                out = show(&file, found, context, out, coloured)?;
            }
        }
        count += 1;
    }
    let written = match (arguments.json, arguments.count) {
        (true, true) => writeln!(out, ",\"count\":{count}}}"),
        (true, false) => writeln!(out, "],\"count\":{count}}}"),
        (false, true) => writeln!(out, "{count}"),
        (false, false) => Ok(()),
    };
    written.and_then(|()| out.flush()).map_err(Failure::Output)?;
    Ok(if count == 0 { ExitCode::NothingFound } else { ExitCode::Done })
}

/// The bytes around a match, and an empty line.
fn show<W: Write>(
    file: &Contents,
    found: Range<u64>,
    context: u64,
    out: W,
    coloured: bool,
) -> Result<W, Failure> {
    let start = found.start.saturating_sub(context);
    let end = found.end.saturating_add(context).min(file.len());
    let mut hexdump = Hexdump::new(out, start..end, coloured);
    for chunk in file.chunks(start..end)? {
        hexdump.feed(&chunk?).map_err(Failure::Output)?;
    }
    let mut out = hexdump.finish().map_err(Failure::Output)?;
    writeln!(out).map_err(Failure::Output)?;
    Ok(out)
}
