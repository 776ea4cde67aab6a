//! What the commands print: lines for people, JSON objects for programs.

use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytesplice::{CommitPlan, StrategyCost};
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// A JSON object under construction.
pub type Object = Map<String, Value>;

/// Text without control characters, so that a file name cannot drive a terminal.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if drives_terminals(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// A path for a message; an empty one is shown as an empty pair of quotes.
pub fn shown(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        return "\"\"".into();
    }
    printable(&path.to_string_lossy())
}

/// An object that begins with the command and its file.
pub fn object(command: &str, path: &Path) -> Object {
    let mut object = Object::new();
    object.insert("command".into(), command.into());
    insert_path(&mut object, "path", path);
    object
}

/// Adds a path; one that is not UTF-8 becomes lossy, with its bytes in `NAME_hex`.
pub fn insert_path(object: &mut Object, name: &str, path: &Path) {
    object.insert(name.into(), path.to_string_lossy().into());
    if path.to_str().is_none() {
        let bytes = path.as_os_str().as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        object.insert(format!("{name}_hex"), hex.into());
    }
}

/// A plan in numbers.
pub fn plan_value(plan: &CommitPlan) -> Value {
    json!({
        "strategy": plan.strategy.to_string(),
        "reason": plan.reason,
        "costs": plan.costs.iter().map(cost_value).collect::<Vec<_>>(),
        "bytes_staying": plan.bytes_staying,
        "bytes_moved": plan.bytes_moved,
        "bytes_new": plan.bytes_new,
        "bytes_to_read": plan.bytes_to_read,
        "bytes_to_write": plan.bytes_to_write,
        "bytes_to_journal": plan.bytes_to_journal,
        "fsyncs": plan.fsyncs,
        "extra_disk": plan.extra_disk,
        "keeps_inode": plan.keeps_inode,
        "breaks_hard_links": plan.breaks_hard_links,
        "copies_up": plan.copies_up,
        "steps": plan.steps,
    })
}

/// What one strategy would cost, or why it cannot be had.
fn cost_value(cost: &StrategyCost) -> Value {
    let strategy = cost.strategy.to_string();
    if let Some(reason) = &cost.unavailable {
        return json!({ "strategy": strategy, "unavailable": reason });
    }
    json!({
        "strategy": strategy,
        "bytes_to_read": cost.bytes_to_read,
        "bytes_to_write": cost.bytes_to_write,
        "bytes_to_journal": cost.bytes_to_journal,
        "fsyncs": cost.fsyncs,
        "extra_disk": cost.extra_disk,
        "keeps_inode": cost.keeps_inode,
        "steps": cost.steps,
        "estimated_seconds": cost.estimate.as_secs_f64(),
    })
}

/// Prints an object on standard output.
///
/// # Errors
/// Standard output cannot be written.
pub fn print_object(object: Object) -> Result<(), Failure> {
    print(&format!("{}\n", printable_json(&Value::Object(object))))
}

/// JSON in one line of printable characters: what JSON lets through, control characters above ASCII, is escaped as well.
pub fn printable_json(value: &Value) -> String {
    let mut out = String::new();
    for character in value.to_string().chars() {
        if drives_terminals(character) {
            // None of them is beyond 16 bits.
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

/// Control characters, and those that reorder or hide what is beside them on a line.
fn drives_terminals(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

/// Prints on standard output.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// The same with colours, unless standard output is no terminal or NO_COLOR is set.
///
/// # Errors
/// Standard output cannot be written.
pub fn print_styled(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// One line for the person at the terminal, if there is one. The work is done, so a failure here changes nothing.
pub fn tell(line: &str) {
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// A warning: one line on standard error, terminal or not.
pub fn warn(message: &str) {
    let _ = writeln!(io::stderr(), "bytesplice: warning: {}", printable(message));
}

/// One line on standard error while something is under way, terminal or not.
pub fn notice(message: &str) {
    let _ = writeln!(io::stderr(), "bytesplice: {}", printable(message));
}

/// An error: one line on standard error, with `--json` also an object on standard output.
///
/// Neither failing changes the exit code, which says the same.
pub fn print_error(message: &str, exit_code: u8, json: bool) {
    let _ = writeln!(io::stderr(), "bytesplice: {}", printable(message));
    if json {
        let object = json!({ "error": message, "exit_code": exit_code });
        let _ = writeln!(io::stdout(), "{}", printable_json(&object));
    }
}

/// "1 byte", "2 bytes", with `_` between thousands, as NUMBER may be written.
pub fn bytes(count: u64) -> String {
    format!("{} byte{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// "1 match", "2 matches".
pub fn matches(count: u64) -> String {
    format!("{} match{}", grouped(count), if count == 1 { "" } else { "es" })
}

/// Digits in groups of three, as NUMBER may be written.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1_000"),
            (123_456, "123_456"),
            (1_234_567, "1_234_567"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(bytes(1), "1 byte");
    }

    #[test]
    fn paths_cannot_drive_a_terminal_and_keep_their_bytes() {
        assert_eq!(shown(Path::new("a\x1b[31m\nb")), "a\\u{1b}[31m\\nb");
        assert_eq!(shown(Path::new("a\u{202e}b\u{9b}")), "a\\u{202e}b\\u{9b}");
        let json = printable_json(&"a\u{9b}b\u{202e}\x1b\u{e9}".into());
        assert_eq!(json, "\"a\\u009bb\\u202e\\u001b\u{e9}\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "a\u{9b}b\u{202e}\x1b\u{e9}");
        let object = object("remove", Path::new(OsStr::from_bytes(b"a\xffb")));
        assert_eq!(object["path"], "a\u{fffd}b");
        assert_eq!(object["path_hex"], "61ff62");
    }
}
