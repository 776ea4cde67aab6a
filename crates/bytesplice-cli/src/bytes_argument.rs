//! Bytes written in an argument: `--hex` and `--escaped`.

/// Reads pairs of hexadecimal digits; white space may stand between pairs.
pub fn parse_hex(text: &[u8]) -> Result<Vec<u8>, String> {
    if text.starts_with(b"0x") || text.starts_with(b"0X") {
        return Err("hex bytes are pairs of digits without 0x, such as `00ff`".into());
    }
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (position, &byte) in text.iter().enumerate() {
        let digit = char::from(byte).to_digit(16).map(|digit| digit as u8);
        match (digit, high) {
            (Some(digit), None) => high = Some(digit),
            (Some(digit), Some(first)) => {
                bytes.push(first << 4 | digit);
                high = None;
            }
            (None, None) if byte.is_ascii_whitespace() => {}
            (None, Some(_)) if byte.is_ascii_whitespace() => {
                return Err(format!(
                    "the space at character {position} splits a pair of hex digits"
                ));
            }
            (None, _) => {
                let shown = byte.escape_ascii();
                return Err(format!("`{shown}` at character {position} is not a hex digit"));
            }
        }
    }
    match high {
        None => Ok(bytes),
        Some(_) => Err("an odd number of hex digits: every byte takes two, such as `0a`".into()),
    }
}

/// Replaces `\n \r \t \0 \\ \xHH`; every other byte stands for itself.
pub fn parse_escaped(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (byte, length) = match rest {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (parse_hex(&[*high, *low])?[0], 3)
            }
            [b'x', ..] => return Err("two hex digits must follow `\\x`, such as `\\x0a`".into()),
            [] => return Err("a lone `\\` at the end: write `\\\\` for a backslash".into()),
            [other, ..] => {
                let shown = other.escape_ascii();
                return Err(format!(
                    "unknown escape `\\{shown}`: known are \\n \\r \\t \\0 \\\\ \\xHH"
                ));
            }
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("00ff", &[0, 255]),
            ("00 Ff\n0a", &[0, 255, 10]),
            (" 41 ", b"A"),
            ("41424344", b"ABCD"),
        ] {
            assert_eq!(parse_hex(text.as_bytes()).unwrap(), bytes, "{text}");
        }
        for (text, reason) in [
            ("0", "odd number"),
            ("001", "odd number"),
            ("0 0", "splits a pair"),
            ("0x00", "without 0x"),
            ("0g", "`g` at character 1"),
            ("00-", "`-` at character 2"),
        ] {
            let error = parse_hex(text.as_bytes()).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(parse_hex(b"\xff").unwrap_err().contains("\\xff"));
    }

    #[test]
    fn escaped() {
        for (text, bytes) in [
            (&b""[..], &b""[..]),
            (b"plain \xff", b"plain \xff"),
            (br"a\n\r\t\0\\b", b"a\n\r\t\0\\b"),
            (br"\x41\xfFx", b"A\xffx"),
            (br"\\n", br"\n"),
            (br"\012", b"\x0012"),
        ] {
            assert_eq!(parse_escaped(text).unwrap(), bytes, "{}", text.escape_ascii());
        }
        for (text, reason) in [
            (r"\", "lone"),
            (r"a\\\", "lone"),
            (r"\q", "unknown escape `\\q`"),
            (r"\x4", "two hex digits"),
            (r"\xg0", "two hex digits"),
            (r"\X41", "unknown escape"),
        ] {
            let error = parse_escaped(text.as_bytes()).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
