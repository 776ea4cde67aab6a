//! NUMBER: decimal with `_` between digits and an optional unit, or 0x hex.

/// Units and their sizes in bytes, as they are written.
const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads a NUMBER, or says in words for people why the text is none.
pub fn parse(text: &str) -> Result<u64, String> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return parse_hexadecimal(text, digits);
    }
    if text.contains(char::is_whitespace) {
        let tight: String = text.split_whitespace().collect();
        return Err(format!("`{text}`: numbers have no spaces: write {tight}"));
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    if unit.starts_with(['.', ',']) && !digits.is_empty() {
        return Err(fraction(text, digits, &unit[1..]));
    }
    if digits.is_empty() {
        return Err(if text.is_empty() {
            "a number is missing".into()
        } else {
            format!(
                "`{text}` is not a number: digits, such as 4096, 1_000, 64KiB or 0x1F, are wanted"
            )
        });
    }
    // Digits and `_` only are left, so that an empty part is a `_` without a digit on one side.
    if digits.split('_').any(str::is_empty) {
        return Err(format!("`{text}`: `_` may stand between digits only"));
    }
    let factor = parse_unit(text, digits, unit)?;
    digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .and_then(|value| value.checked_mul(factor))
        .ok_or_else(|| too_large(text))
}

fn parse_hexadecimal(text: &str, digits: &str) -> Result<u64, String> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!(
            "`{text}` is not a hexadecimal number: only 0-9 and a-f may follow 0x, and no unit"
        ));
    }
    u64::from_str_radix(digits, 16).map_err(|_| too_large(text))
}

fn parse_unit(text: &str, digits: &str, unit: &str) -> Result<u64, String> {
    if unit.is_empty() {
        return Ok(1);
    }
    if let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return Ok(*factor);
    }
    let names = |letter: char| {
        let decimal = if letter == 'K' { 'k' } else { letter };
        format!("{digits}{letter}iB (1024) or {digits}{decimal}B (1000)")
    };
    let letter = unit.chars().next().unwrap_or_default().to_ascii_uppercase();
    let bare = unit.len() == 1 && "KMGT".contains(letter);
    let near = ["B", "IB", "I"]
        .contains(&unit[letter.len_utf8().min(unit.len())..].to_uppercase().as_str())
        && "KMGT".contains(letter);
    Err(if bare {
        format!("`{text}` is ambiguous: write {}", names(letter))
    } else if near {
        format!("`{text}` has an unknown unit: write {}", names(letter))
    } else {
        format!(
            "`{text}` has an unknown unit `{unit}`: units are KiB MiB GiB TiB (1024) and kB MB GB TB (1000)"
        )
    })
}

/// What to write instead of `1.5MiB`: the same number of bytes, if that is whole.
fn fraction(text: &str, digits: &str, rest: &str) -> String {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (decimals, unit) = rest.split_at(end);
    let in_units_of = |factor: u64| {
        let scale = 10u128.checked_pow(decimals.len().try_into().ok()?)?;
        let scaled: u128 = format!("{}{decimals}", digits.replace('_', "")).parse().ok()?;
        let bytes = scaled.checked_mul(factor.into())?;
        (bytes % scale == 0).then_some(bytes / scale)
    };
    let factor =
        |name: &str| UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, factor)| *factor);
    let letter = unit.to_ascii_uppercase();
    let hint = match factor(unit) {
        Some(factor) => in_units_of(factor).map(|bytes| format!("write {bytes}")),
        None if unit.is_empty() => in_units_of(1).map(|bytes| format!("write {bytes}")),
        None => {
            let binary = factor(&format!("{letter}iB")).and_then(in_units_of);
            let decimal = factor(&format!("{letter}B").replace("KB", "kB")).and_then(in_units_of);
            binary.zip(decimal).map(|(binary, decimal)| {
                format!("write {binary} ({letter}iB) or {decimal} ({letter}B)").replace("KB", "kB")
            })
        }
    };
    let hint = hint.map_or(String::new(), |hint| format!(", {hint}"));
    format!("`{text}` has a fraction: numbers are whole{hint}")
}

fn too_large(text: &str) -> String {
    format!("`{text}` is too large: numbers go up to 2^64 - 1")
}

/// A size for the eye, in the largest unit of 1024 that it has one of: `95.4 MiB`. Less than 10 KiB are told exactly.
pub fn approximate(bytes: u64) -> String {
    if bytes < 10 << 10 {
        return format!("{bytes} B");
    }
    let binary = UNITS.iter().rev().filter(|(unit, _)| unit.ends_with("iB"));
    let fitting = binary.max_by_key(|(_, factor)| if *factor <= bytes { *factor } else { 0 });
    fitting.map_or_else(String::new, |(unit, factor)| {
        format!("{:.1} {unit}", bytes as f64 / *factor as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::{UNITS, approximate, parse};

    #[test]
    fn approximate_sizes() {
        for (bytes, text) in [
            (0, "0 B"),
            (10_239, "10239 B"),
            (10_240, "10.0 KiB"),
            (100_000_003, "95.4 MiB"),
            (3 << 30, "3.0 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(approximate(bytes), text);
        }
    }

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0", 0),
            ("007", 7),
            ("1_000", 1000),
            ("1_000_000", 1_000_000),
            ("0x0", 0),
            ("0xff", 255),
            ("0X1F", 31),
            ("0x1B", 27),
            ("0KiB", 0),
            ("1KiB", 1024),
            ("1_0MiB", 10 << 20),
            ("3GiB", 3 << 30),
            ("2TiB", 2 << 40),
            ("1kB", 1000),
            ("1MB", 1_000_000),
            ("5GB", 5_000_000_000),
            ("7TB", 7_000_000_000_000),
            ("18446744073709551615", u64::MAX),
            ("0xFFFFFFFFFFFFFFFF", u64::MAX),
            ("16777215TiB", 16_777_215 << 40),
        ] {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn errors_say_why() {
        for (text, reason) in [
            ("", "a number is missing"),
            ("x", "is not a number"),
            ("+5", "is not a number"),
            ("-5", "is not a number"),
            (" 5", "numbers have no spaces: write 5"),
            (".5", "is not a number"),
            ("٣", "is not a number"),
            ("_", "between digits"),
            ("_1", "between digits"),
            ("1_", "between digits"),
            ("1__0", "between digits"),
            ("1_KiB", "between digits"),
            ("1.5", "has a fraction: numbers are whole"),
            ("1.50", "has a fraction: numbers are whole"),
            ("2.0", "write 2"),
            ("1.5KiB", "write 1536"),
            ("1.5MiB", "write 1572864"),
            ("0.1GB", "write 100000000"),
            ("1_0,5kB", "write 10500"),
            ("1.5M", "write 1572864 (MiB) or 1500000 (MB)"),
            ("1.5k", "write 1536 (KiB) or 1500 (kB)"),
            ("1.5PiB", "numbers are whole"),
            ("1.0000000000000000000000000000000000000000001KiB", "numbers are whole"),
            ("1,5", "has a fraction"),
            ("1.5.2", "has a fraction"),
            ("5K", "write 5KiB (1024) or 5kB (1000)"),
            ("5k", "write 5KiB (1024) or 5kB (1000)"),
            ("5M", "write 5MiB (1024) or 5MB (1000)"),
            ("5G", "write 5GiB (1024) or 5GB (1000)"),
            ("5T", "write 5TiB (1024) or 5TB (1000)"),
            ("5KB", "write 5KiB (1024) or 5kB (1000)"),
            ("5mib", "write 5MiB (1024) or 5MB (1000)"),
            ("5Mi", "write 5MiB (1024) or 5MB (1000)"),
            ("5B", "unknown unit `B`"),
            ("5 KiB", "numbers have no spaces: write 5KiB"),
            ("5KiBs", "unknown unit `KiBs`"),
            ("5PiB", "unknown unit `PiB`"),
            ("5µ", "unknown unit `µ`"),
            ("5e3", "unknown unit `e3`"),
            ("0x", "is not a hexadecimal number"),
            ("0xg", "is not a hexadecimal number"),
            ("0x10KiB", "no unit"),
            ("0x+1", "is not a hexadecimal number"),
            ("18446744073709551616", "is too large"),
            ("0x10000000000000000", "is too large"),
            ("16777216TiB", "is too large"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn fuzzed_text_is_a_number_or_an_error(text in "[0-9_xXa-fkKMGTiB.,+ µ-]{0,24}|\\PC{0,12}") {
            if let Err(reason) = parse(&text) {
                proptest::prop_assert!(!reason.is_empty());
            }
        }

        #[test]
        fn fuzzed_numbers_are_what_they_say(number: u64, unit in 0..UNITS.len()) {
            proptest::prop_assert_eq!(parse(&number.to_string()), Ok(number));
            proptest::prop_assert_eq!(parse(&format!("{number:#x}")), Ok(number));
            let (name, factor) = UNITS[unit];
            proptest::prop_assert_eq!(parse(&format!("{number}{name}")).ok(), number.checked_mul(factor));
        }
    }
}
