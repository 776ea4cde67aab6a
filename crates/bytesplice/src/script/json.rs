//! Lines of a script to edits and back.

use std::fmt::Write;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Offsets, OldBytes, ScriptContent, ScriptEdit, ScriptHeader, ScriptProblem};

const NO_HEADER: &str =
    "this is no header: the first line of a script is such as {\"bytesplice\":1}";

/// A header as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    bytesplice: u64,
    #[serde(default)]
    offsets: Option<String>,
    #[serde(default)]
    old_length: Option<u64>,
    #[serde(default)]
    new_length: Option<u64>,
}

/// An edit as it is written: one verb, one kind of bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an edit such as {\"remove\":[4,8]}")]
struct EditLine {
    insert: Option<u64>,
    remove: Option<RangeLine>,
    replace: Option<RangeLine>,
    text: Option<String>,
    hex: Option<String>,
    base64: Option<String>,
    fill: Option<(u8, u64)>,
    from: Option<String>,
    range: Option<RangeLine>,
    copy: Option<RangeLine>,
    old: Option<OldLine>,
}

/// A range as it is written.
#[derive(Deserialize)]
#[serde(expecting = "a range such as [4,8]")]
struct RangeLine(u64, u64);

/// Old bytes as they are written: one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OldLine {
    text: Option<String>,
    hex: Option<String>,
    base64: Option<String>,
    crc32: Option<String>,
}

type Outcome<T> = Result<T, ScriptProblem>;

fn syntax<T>(detail: impl Into<String>) -> Outcome<T> {
    Err(ScriptProblem::Syntax { detail: detail.into() })
}

fn from_json<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Outcome<T> {
    serde_json::from_slice(line).or_else(|error| {
        // The line of the message is that of the one object, always 1.
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        syntax(format!("{text} (character {})", error.column()))
    })
}

/// Reads the first line.
pub(super) fn parse_header(line: &[u8]) -> Outcome<ScriptHeader> {
    /// Of whatever version, with whatever else.
    #[derive(Deserialize)]
    struct AnyVersion {
        bytesplice: Option<u64>,
    }
    let header = match from_json::<AnyVersion>(line) {
        // What is wrong with it as JSON does not matter in a file that is no script.
        Err(_) if !line.trim_ascii_start().starts_with(b"{") => return syntax(NO_HEADER),
        header => header?,
    };
    match header.bytesplice {
        None => return syntax(NO_HEADER),
        Some(1) => {}
        Some(found) => return Err(ScriptProblem::Version { found }),
    }
    let header: HeaderLine = from_json(line)?;
    debug_assert_eq!(header.bytesplice, 1);
    let offsets = match header.offsets.as_deref() {
        None | Some("old") => Offsets::Old,
        Some("sequence") => Offsets::Sequence,
        Some(other) => {
            return syntax(format!(
                "unknown offsets {other:?}: known are \"old\" and \"sequence\""
            ));
        }
    };
    Ok(ScriptHeader { offsets, old_len: header.old_length, new_len: header.new_length })
}

/// Reads an edit.
pub(super) fn parse_edit(line: &[u8]) -> Outcome<ScriptEdit> {
    let edit: EditLine = from_json(line)?;
    let (range, removes_only) = match (edit.insert, edit.remove, edit.replace) {
        (Some(at), None, None) => (at..at, false),
        (None, Some(range), None) => (half_open(range)?, true),
        (None, None, Some(range)) => (half_open(range)?, false),
        _ => return syntax("an edit has exactly one of \"insert\", \"remove\" and \"replace\""),
    };
    if edit.range.is_some() && edit.from.is_none() {
        return syntax("\"range\" goes with \"from\"");
    }
    let mut contents = Vec::new();
    contents.extend(edit.text.map(|text| ScriptContent::Bytes(text.into_bytes())));
    contents.extend(edit.hex.map(|hex| from_hex(&hex)).transpose()?.map(ScriptContent::Bytes));
    contents.extend(edit.base64.map(|it| from_base64(&it)).transpose()?.map(ScriptContent::Bytes));
    contents.extend(edit.fill.map(|(byte, count)| ScriptContent::Fill(byte, count)));
    contents.extend(edit.copy.map(half_open).transpose()?.map(ScriptContent::Copy));
    if let Some(path) = edit.from {
        contents.push(ScriptContent::File(path.into(), edit.range.map(half_open).transpose()?));
    }
    let content = match (contents.pop(), removes_only) {
        (None, true) => ScriptContent::Bytes(Vec::new()),
        (Some(content), false) if contents.is_empty() => content,
        (_, true) => return syntax("\"remove\" takes no new bytes: write \"replace\""),
        (_, false) => {
            return syntax(
                "the new bytes are exactly one of \"text\", \"hex\", \"base64\", \"fill\", \"copy\" and \"from\"",
            );
        }
    };
    let old = edit.old.map(|old| parse_old(old, &range)).transpose()?;
    Ok(ScriptEdit { range, content, old })
}

fn parse_old(old: OldLine, range: &Range<u64>) -> Outcome<OldBytes> {
    let bytes = match (old.text, old.hex, old.base64, old.crc32) {
        (Some(text), None, None, None) => text.into_bytes(),
        (None, Some(hex), None, None) => from_hex(&hex)?,
        (None, None, Some(text), None) => from_base64(&text)?,
        (None, None, None, Some(crc)) => {
            let digits = crc.len() == 8 && crc.bytes().all(|byte| byte.is_ascii_hexdigit());
            return match u32::from_str_radix(&crc, 16) {
                Ok(crc) if digits => Ok(OldBytes::Checksum(crc)),
                _ => syntax("\"crc32\" is a string of eight hex digits"),
            };
        }
        _ => {
            return syntax(
                "\"old\" has exactly one of \"text\", \"hex\", \"base64\" and \"crc32\"",
            );
        }
    };
    if bytes.len() as u64 != range.end - range.start {
        return syntax(format!(
            "\"old\" has {} bytes, and {}..{} are {}",
            bytes.len(),
            range.start,
            range.end,
            range.end - range.start
        ));
    }
    Ok(OldBytes::Bytes(bytes))
}

fn half_open(RangeLine(start, end): RangeLine) -> Outcome<Range<u64>> {
    if start <= end {
        Ok(start..end)
    } else {
        syntax(format!("the range [{start},{end}] is reversed"))
    }
}

fn from_hex(text: &str) -> Outcome<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes.map_or_else(|| syntax("\"hex\" is pairs of hex digits, without spaces"), Ok)
}

fn from_base64(text: &str) -> Outcome<Vec<u8>> {
    STANDARD.decode(text).or_else(|error| syntax(format!("\"base64\": {error}")))
}

/// Appends the header as a line.
pub(super) fn write_header(header: &ScriptHeader, line: &mut String) {
    line.push_str("{\"bytesplice\":1");
    if header.offsets == Offsets::Sequence {
        line.push_str(",\"offsets\":\"sequence\"");
    }
    for (name, len) in [("old_length", header.old_len), ("new_length", header.new_len)] {
        if let Some(len) = len {
            // Writing to a string cannot fail.
            let _ = write!(line, ",\"{name}\":{len}");
        }
    }
    line.push_str("}\n");
}

/// Appends the edit as a line.
pub(super) fn write_edit(edit: &ScriptEdit, line: &mut String) {
    let Range { start, end } = edit.range;
    let removes_only = matches!(&edit.content, ScriptContent::Bytes(bytes) if bytes.is_empty());
    let _ = match (start == end, removes_only) {
        (true, _) => write!(line, "{{\"insert\":{start}"),
        (false, true) => write!(line, "{{\"remove\":[{start},{end}]"),
        (false, false) => write!(line, "{{\"replace\":[{start},{end}]"),
    };
    match &edit.content {
        ScriptContent::Bytes(_) if removes_only && start < end => {}
        ScriptContent::Bytes(bytes) => {
            line.push(',');
            write_bytes(bytes, line);
        }
        ScriptContent::Fill(byte, count) => {
            let _ = write!(line, ",\"fill\":[{byte},{count}]");
        }
        ScriptContent::Copy(range) => {
            let _ = write!(line, ",\"copy\":[{},{}]", range.start, range.end);
        }
        ScriptContent::File(path, range) => {
            line.push_str(",\"from\":");
            // The writer refuses paths that are not UTF-8.
            write_string(&path.to_string_lossy(), line);
            if let Some(range) = range {
                let _ = write!(line, ",\"range\":[{},{}]", range.start, range.end);
            }
        }
    }
    match &edit.old {
        None => {}
        Some(OldBytes::Checksum(crc)) => {
            let _ = write!(line, ",\"old\":{{\"crc32\":\"{crc:08x}\"}}");
        }
        Some(OldBytes::Bytes(bytes)) => {
            line.push_str(",\"old\":{");
            write_bytes(bytes, line);
            line.push('}');
        }
    }
    line.push_str("}\n");
}

/// As text where they are text that people can read, else in base64.
fn write_bytes(bytes: &[u8], line: &mut String) {
    let readable =
        |text: &&str| !text.chars().any(|it| it.is_control() && !matches!(it, '\n' | '\t'));
    match std::str::from_utf8(bytes).ok().filter(readable) {
        Some(text) => {
            line.push_str("\"text\":");
            write_string(text, line);
        }
        None => {
            line.push_str("\"base64\":\"");
            STANDARD.encode_string(bytes, line);
            line.push('"');
        }
    }
}

fn write_string(text: &str, line: &mut String) {
    // A string is always JSON, so that there is nothing to fail.
    line.push_str(&serde_json::to_string(text).unwrap_or_default());
}
