//! Scripts and deltas that commands write, and what they tell of them.

use std::path::Path;

use bytesplice::{Result, ScriptWriter};
use serde_json::Value;

use crate::cli::OutputOptions;
use crate::failure::Failure;
use crate::new_file::{Output, write_output};
use crate::output::{insert_path, object, print_object};

/// What was written.
pub struct Written {
    /// Whether this is a script or a delta.
    pub format: &'static str,
    /// Edits of a script, or windows of a delta.
    pub count: u64,
    /// Length in bytes.
    pub length: u64,
    /// Length of the file that it is for, if that is known.
    pub old_len: Option<u64>,
    /// Length of the file that it makes, if that is known.
    pub new_len: Option<u64>,
}

/// Has a script written to where `options` say, and tells of it.
///
/// # Errors
/// Writing failed, or what `write` says.
pub fn write_script(
    command: &str,
    file: &Path,
    options: &OutputOptions,
    write: impl FnOnce(&mut ScriptWriter<&mut Output>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    write_told(command, file, options, |name, out| script(name, out, write))
}

/// Writes a script to `out`.
///
/// # Errors
/// Writing failed, or what `write` says.
pub fn script(
    name: &Path,
    out: &mut Output,
    write: impl FnOnce(&mut ScriptWriter<&mut Output>) -> Result<(), Failure>,
) -> Result<Written, Failure> {
    let mut script = ScriptWriter::new(name, out);
    write(&mut script)?;
    let header = script.written_header();
    Ok(Written {
        format: "script",
        count: script.edits(),
        length: script.bytes(),
        old_len: header.old_len,
        new_len: header.new_len,
    })
}

/// Has something written to where `options` say, and tells of it.
///
/// # Errors
/// Writing failed, or what `write` says.
pub fn write_told(
    command: &str,
    file: &Path,
    options: &OutputOptions,
    write: impl FnOnce(&Path, &mut Output) -> Result<Written, Failure>,
) -> Result<(), Failure> {
    let output = options.output.as_deref().map(Path::new);
    let written = write_output(output, write)?;
    let Some(output) = output.filter(|_| options.json) else { return Ok(()) };
    let mut object = object(command, file);
    insert_path(&mut object, "output", output);
    object.insert("format".into(), written.format.into());
    let count = if written.format == "script" { "edits" } else { "windows" };
    object.insert(count.into(), written.count.into());
    object.insert("length".into(), written.length.into());
    for (name, len) in [("old_length", written.old_len), ("new_length", written.new_len)] {
        object.insert(name.into(), len.map_or(Value::Null, Value::from));
    }
    print_object(object).map_err(|failure| failure.after(output, "was written"))
}
