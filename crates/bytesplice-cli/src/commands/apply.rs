use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bytesplice::{Error, Script, ScriptProblem, Vcdiff};

use crate::cli::ApplyArguments;
use crate::edit::Edit;
use crate::failure::Failure;
use crate::output::grouped;

/// The first bytes of a delta in VCDIFF; a script is UTF-8, which these are not.
const MAGIC: [u8; 3] = Vcdiff::<io::Empty>::MAGIC;

/// `apply FILE [SCRIPT|-]`
pub fn run(arguments: &ApplyArguments) -> Result<(), Failure> {
    let mut edit = Edit::open("apply", &arguments.file, &arguments.options)?;
    let done = if arguments.edits.is_empty() {
        match arguments.script.as_deref().filter(|&script| script != OsStr::new("-")) {
            Some(path) => apply(&mut edit, Path::new(path), open(Path::new(path))?)?,
            None => apply(&mut edit, Path::new("standard input"), io::stdin().lock())?,
        }
    } else {
        let lines = arguments.edits.join("\n");
        let script = Script::without_header("--edit", lines.as_bytes());
        let count = edit.file.apply(script)?;
        made(&mut edit, count, "edit", "edits")
    };
    edit.finish(&done)
}

fn open(path: &Path) -> Result<impl BufRead, Failure> {
    let failed = |source| Error::Open { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Error::NotRegular { path: path.into(), kind: "directory" }.into());
    }
    Ok(BufReader::with_capacity(256 << 10, file))
}

/// Applies what `reader` has: a delta if it begins as one, else a script. Says in words what was done.
fn apply(edit: &mut Edit<'_>, name: &Path, mut reader: impl BufRead) -> Result<String, Failure> {
    let mut first = Vec::new();
    // A pipe may give less at once.
    let read = reader.by_ref().take(MAGIC.len() as u64).read_to_end(&mut first);
    read.map_err(|source| {
        let (path, problem) = (name.into(), ScriptProblem::Read(source));
        Error::Script { path, line: 1, problem }
    })?;
    let is_delta = first == MAGIC;
    let reader = (&first[..]).chain(reader);
    Ok(if is_delta {
        let count = edit.file.apply_vcdiff(Vcdiff::new(name, reader)?)?;
        made(edit, count, "window", "windows")
    } else {
        let count = edit.file.apply(Script::new(name, reader)?)?;
        made(edit, count, "edit", "edits")
    })
}

/// Says in words and in the object how many there were.
fn made(edit: &mut Edit<'_>, count: u64, what: &str, name: &'static str) -> String {
    edit.count(name, count);
    format!("made {} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}
