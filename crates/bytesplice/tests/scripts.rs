//! Edit scripts against a plain vector of bytes.

use std::cell::RefCell;
use std::fs;
use std::ops::Range;

use bytesplice::{
    Checks, Content, Error, Offsets, OldBytes, OpenOptions, Script, ScriptContent, ScriptEdit,
    ScriptHeader, ScriptProblem, ScriptWriter, SpliceFile, compose, invert,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const OLD: &[u8] = b"The first line\nand the second, with \"quotes\" and \\\nthen some \x00\xff\x80 bytes, \xc3\xa4\n";

/// What an edit is made of; positions are parts of 2^16 of what they point into.
type Seed = (u16, u16, u8, Vec<u8>, u16, u16);

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let bytes = prop_oneof![vec(any::<u8>(), 0..6), "[a\n\"]{0,9}".prop_map(String::into_bytes)];
    vec((any::<u16>(), any::<u16>(), any::<u8>(), bytes, any::<u16>(), any::<u16>()), 0..7)
}

fn part(len: usize, start: u16, size: u16) -> Range<usize> {
    let start = len * usize::from(start) / usize::from(u16::MAX);
    let most = if size.is_multiple_of(5) { len - start } else { (len - start).min(9) };
    start..start + most * usize::from(size) / usize::from(u16::MAX)
}

fn wide(range: &Range<usize>) -> Range<u64> {
    range.start as u64..range.end as u64
}

/// A valid script for `old`, what it makes, and its text. Every removal tells the old bytes in the way of `checks`.
fn script(old: &[u8], seeds: &[Seed], offsets: Offsets, checks: Checks) -> (Vec<u8>, String) {
    let mut new = old.to_vec();
    let mut reached = 0;
    let mut shift = 0_isize;
    let mut out = ScriptWriter::new("made", Vec::new());
    let mut edits = Vec::new();
    for (start, size, kind, bytes, from, count) in seeds {
        let base = if offsets == Offsets::Old { old } else { &new };
        let range = match offsets {
            Offsets::Sequence => part(new.len(), *start, *size),
            Offsets::Old => {
                let inside = part(old.len() - reached, *start / 4, *size);
                inside.start + reached..inside.end + reached
            }
        };
        let copied = part(base.len(), *from, *count);
        let (content, put) = match kind % 4 {
            0 => (
                ScriptContent::Fill(*kind, u64::from(count % 40)),
                vec![*kind; usize::from(count % 40)],
            ),
            1 => (ScriptContent::Copy(wide(&copied)), base[copied].to_vec()),
            _ => (ScriptContent::Bytes(bytes.clone()), bytes.clone()),
        };
        let gone = base[range.clone()].to_vec();
        let old_bytes = match checks {
            _ if range.is_empty() => None,
            Checks::None => None,
            Checks::Checksum => Some(OldBytes::Checksum(crc32(&gone))),
            Checks::Whole => Some(OldBytes::Bytes(gone)),
        };
        let now = match offsets {
            Offsets::Sequence => range.clone(),
            Offsets::Old => {
                range.start.wrapping_add_signed(shift)..range.end.wrapping_add_signed(shift)
            }
        };
        shift += put.len() as isize - range.len() as isize;
        reached = range.end;
        new.splice(now, put);
        edits.push(ScriptEdit { range: wide(&range), content, old: old_bytes });
    }
    let (old_len, new_len) = (Some(old.len() as u64), Some(new.len() as u64));
    out.header(&ScriptHeader { offsets, old_len, new_len }).unwrap();
    edits.iter().for_each(|edit| out.edit(edit).unwrap());
    let text = String::from_utf8(out.finish().unwrap()).unwrap();
    (new, text)
}

/// Bit by bit, as the standard has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

fn read(text: &str) -> Script<&[u8]> {
    Script::new("script", text.as_bytes()).unwrap()
}

fn contents(file: &SpliceFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn written(write: impl FnOnce(&mut ScriptWriter<Vec<u8>>) -> bytesplice::Result<()>) -> String {
    let mut out = ScriptWriter::new("written", Vec::new());
    write(&mut out).unwrap();
    String::from_utf8(out.finish().unwrap()).unwrap()
}

/// A file that holds `bytes` until it is dropped.
fn opened(bytes: &[u8]) -> (tempfile::NamedTempFile, SpliceFile) {
    let target = tempfile::NamedTempFile::new().unwrap();
    fs::write(target.path(), bytes).unwrap();
    let file = OpenOptions::new().read_only(true).open(target.path()).unwrap();
    (target, file)
}

/// Makes the pending contents `bytes`, whatever the file on the disk holds.
fn holds(file: &mut SpliceFile, bytes: &[u8]) {
    file.discard();
    file.replace(.., bytes).unwrap();
}

#[test]
fn scripts_applied_inverted_and_composed_are_as_a_vector_has_it() {
    let (_target, file) = opened(OLD);
    let (_other, scratch) = opened(b"");
    let (file, scratch) = (RefCell::new(file), RefCell::new(scratch));
    let cases = (seeds(), seeds(), any::<(bool, bool)>(), 0..3_u8);
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(20_000) });
    let outcome = runner.run(&cases, |(one, two, (in_sequence, also), checks)| {
        let offsets = |sequence| if sequence { Offsets::Sequence } else { Offsets::Old };
        let checks = [Checks::None, Checks::Checksum, Checks::Whole][usize::from(checks)];
        let (middle, first) = script(OLD, &one, offsets(in_sequence), checks);
        let (last, second) = script(&middle, &two, offsets(also), Checks::Whole);
        let mut file = file.borrow_mut();
        let mut scratch = scratch.borrow_mut();

        file.discard();
        prop_assert_eq!(file.apply(read(&first)).unwrap(), one.len() as u64);
        prop_assert_eq!(contents(&file), &middle[..]);
        let forward = written(|out| file.write_script(checks, out));
        let undo = written(|out| file.write_undo_script(checks, out));
        file.discard();
        file.apply(read(&forward)).unwrap();
        prop_assert_eq!(contents(&file), &middle[..]);
        file.apply(read(&second)).unwrap();
        prop_assert_eq!(contents(&file), &last[..]);

        let both = written(|out| compose(read(&first), read(&second), out));
        file.discard();
        file.apply(read(&both)).unwrap();
        prop_assert_eq!(contents(&file), &last[..]);

        holds(&mut scratch, &middle);
        scratch.apply(read(&undo)).unwrap();
        prop_assert_eq!(contents(&scratch), OLD);

        holds(&mut scratch, &last);
        let inverse = written(|out| invert(read(&second), out));
        scratch.apply(read(&inverse)).unwrap();
        prop_assert_eq!(contents(&scratch), &middle[..]);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn scripts_without_lengths_compose_and_invert_too() {
    let (_target, file) = opened(OLD);
    let (_other, scratch) = opened(b"");
    let (file, scratch) = (RefCell::new(file), RefCell::new(scratch));
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(2_000) });
    let outcome = runner.run(&(seeds(), seeds(), 0..3_u8), |(one, two, known)| {
        let (middle, first) = script(OLD, &one, Offsets::Old, Checks::Whole);
        let (last, second) = script(&middle, &two, Offsets::Old, Checks::Whole);
        let bare = |text: &str| {
            let rest = text.split_once('\n').unwrap().1;
            format!("{{\"bytesplice\":1}}\n{rest}")
        };
        let (mut file, mut scratch) = (file.borrow_mut(), scratch.borrow_mut());
        let first = if known == 1 { first } else { bare(&first) };
        let second = if known == 2 { second } else { bare(&second) };
        let both = written(|out| compose(read(&first), read(&second), out));
        prop_assert_eq!(both.contains("length"), known > 0);
        file.discard();
        file.apply(read(&both)).unwrap();
        prop_assert_eq!(contents(&file), &last[..]);
        holds(&mut scratch, &last);
        scratch.apply(read(&written(|out| invert(read(&second), out)))).unwrap();
        prop_assert_eq!(contents(&scratch), middle);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn mutated_scripts_are_errors_or_edits_and_never_half_applied() {
    let (_target, file) = opened(OLD);
    let file = RefCell::new(file);
    let noise = prop_oneof![
        vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            ",",
            "-",
            "9",
            "\n",
            "\"",
            ":",
            "null",
            "true",
            "18446744073709551615",
            "1e9",
            "\"copy\"",
            "\"old\""
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let mutations = vec((any::<u16>(), 0..6_usize, noise), 0..4);
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(20_000) });
    let (errors, fine) = (RefCell::new(0), RefCell::new(0));
    let outcome =
        runner.run(&(seeds(), any::<bool>(), mutations), |(seeds, sequence, mutations)| {
            let offsets = if sequence { Offsets::Sequence } else { Offsets::Old };
            let mut text = script(OLD, &seeds, offsets, Checks::Whole).1.into_bytes();
            for (at, removed, bytes) in mutations {
                let at = text.len() * usize::from(at) / 65536;
                let end = (at + removed).min(text.len());
                text.splice(at..end, bytes);
            }
            let mut file = file.borrow_mut();
            file.discard();
            file.insert(3, "pending").unwrap();
            file.remove(..7).unwrap();
            let before = contents(&file);
            let script = || Script::new("script", &text[..]);
            match script().and_then(|script| file.apply(script)) {
                Ok(_) => *fine.borrow_mut() += 1,
                Err(error) => {
                    *errors.borrow_mut() += 1;
                    prop_assert!(matches!(error, Error::Script { line: 1.., .. }), "{error}");
                    prop_assert_eq!(contents(&file), before);
                }
            }
            let out = || ScriptWriter::new("out", Vec::new());
            let _ = script().and_then(|script| invert(script, &mut out()));
            let _ = script().and_then(|one| compose(one, script()?, &mut out()));
            Ok(())
        });
    outcome.unwrap();
    assert!(*errors.borrow() > 5_000, "{errors:?}");
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let (_target, mut file) = opened(b"0123456789");
    for (lines, line, words) in [
        ("", 1, "the script is empty"),
        ("\n\n", 1, "the script is empty"),
        ("x", 1, "this is no header: the first line"),
        ("{\"bytesplice\":1,}", 1, "trailing comma"),
        ("H{\"remove\":7}", 2, "expected a range such as [4,8]"),
        ("{\"insert\":0,\"text\":\"x\"}", 1, "this is no header"),
        ("{\"bytesplice\":2,\"new\":1}", 1, "format version 2, this program knows version 1"),
        ("{\"bytesplice\":1,\"new\":1}", 1, "unknown field `new`"),
        ("{\"bytesplice\":1,\"offsets\":\"new\"}", 1, "unknown offsets \"new\""),
        ("{\"bytesplice\":1,\"old_length\":9}", 1, "for a file of 9 bytes, this one has 10"),
        ("{\"bytesplice\":1,\"new_length\":9}", 1, "makes 10 bytes, and its header says 9"),
        ("H{}", 2, "exactly one of \"insert\""),
        ("H{\"insert\":1}", 2, "the new bytes are exactly one of"),
        ("H{\"insert\":1,\"text\":\"a\",\"hex\":\"00\"}", 2, "the new bytes are exactly one of"),
        ("H{\"insert\":-1,\"text\":\"a\"}", 2, "invalid value"),
        ("H{\"insert\":1,\"insert\":1,\"text\":\"a\"}", 2, "duplicate field"),
        ("H{\"remove\":[1,2],\"text\":\"a\"}", 2, "takes no new bytes"),
        ("H{\"remove\":[2,1]}", 2, "the range [2,1] is reversed"),
        ("H{\"remove\":[1]}", 2, "expected a range such as [4,8]"),
        ("H{\"remove\":[1,2]} {}", 2, "trailing characters"),
        ("H{\"insert\":1,\"hex\":\"0\"}", 2, "pairs of hex digits"),
        ("H{\"insert\":1,\"base64\":\"a\"}", 2, "\"base64\": "),
        ("H{\"insert\":1,\"fill\":[256,1]}", 2, "invalid value"),
        ("H{\"insert\":1,\"text\":\"a\",\"range\":[1,2]}", 2, "\"range\" goes with \"from\""),
        ("H{\"remove\":[1,3],\"old\":{\"text\":\"1\"}}", 2, "\"old\" has 1 bytes, and 1..3 are 2"),
        ("H{\"remove\":[1,3],\"old\":{}}", 2, "\"old\" has exactly one of"),
        ("H{\"remove\":[1,3],\"old\":{\"crc32\":\"1\"}}", 2, "eight hex digits"),
        ("H{\"remove\":[1,3],\"old\":{\"text\":\"xy\"}}", 2, "bytes at 1..3 are not as the script"),
        ("H{\"remove\":[1,3],\"old\":{\"crc32\":\"00000000\"}}", 2, "bytes at 1..3 are not"),
        ("H\n{\"remove\":[4,8]}\n\n{\"insert\":7,\"text\":\"\"}", 5, "begins before 8, where"),
        ("H{\"remove\":[4,11]}", 2, "bytes 4..11 are outside the contents, which are 10"),
        ("H{\"insert\":0,\"copy\":[4,11]}", 2, "bytes 4..11 are outside"),
        ("H{\"insert\":0,\"fill\":[0,9223372036854775807]}", 2, "largest file size"),
        ("H{\"insert\":0,\"fill\":[0,18446744073709551615]}", 2, "largest file size"),
        ("H{\"insert\":0,\"from\":\"/no/such\"}", 2, "/no/such: cannot open"),
        ("H{\"insert\":0,\"text\":\"\u{fffd}", 2, "EOF while parsing"),
    ] {
        let text = lines.replacen('H', "{\"bytesplice\":1}\n", 1);
        let error = Script::new("name", text.as_bytes()).and_then(|script| file.apply(script));
        let message = error.expect_err(lines).to_string();
        assert!(message.starts_with(&format!("name: line {line}: ")), "{lines}: {message}");
        assert!(message.contains(words), "{lines}: {message}");
        assert!(!file.is_modified(), "{lines}");
    }
    let missing = "{\"bytesplice\":1}\n{\"remove\":[4,8],\"old\":{\"crc32\":\"00000000\"}}";
    let error = invert(read(missing), &mut ScriptWriter::new("out", Vec::new())).unwrap_err();
    assert!(matches!(
        error,
        Error::Script { line: 2, problem: ScriptProblem::OldBytesMissing { start: 4, end: 8 }, .. }
    ));
}

#[test]
fn copies_of_copies_are_no_way_to_fill_the_memory() {
    let (_target, mut file) = opened(b"0123456789");
    let line = |n: u32| format!("{{\"insert\":1,\"copy\":[0,{}]}}\n", 10_u64 << n);
    let lines: String = (0..50).map(line).collect();
    let text = format!("{{\"bytesplice\":1,\"offsets\":\"sequence\"}}\n{lines}");
    let error = file.apply(read(&text)).unwrap_err();
    assert!(matches!(error, Error::Script { problem: ScriptProblem::TooManyPieces { .. }, .. }));
    assert_eq!(contents(&file), b"0123456789");
}

#[test]
fn long_bytes_become_edits_of_short_lines() {
    let old: Vec<u8> =
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (_target, mut file) = opened(&old);
    let added: Vec<u8> = old.iter().rev().copied().collect();
    file.replace(10..2_000_000, &added).unwrap();
    file.splice(5..5, Content::fill(7, 1 << 40)).unwrap();
    file.splice(0..7, Content::copy(1 << 40..)).unwrap();
    file.remove(4_000_000..).unwrap();
    for checks in [Checks::None, Checks::Checksum, Checks::Whole] {
        let undo = written(|out| file.write_undo_script(checks, out));
        assert!(undo.lines().all(|line| line.len() < 3 << 20), "{checks:?}");
        let forward = written(|out| file.write_script(checks, out));
        let new = contents(&file);
        let (_other, mut other) = opened(&new);
        other.apply(read(&undo)).unwrap();
        assert!(contents(&other) == old);
        let (_other, mut other) = opened(&old);
        other.apply(read(&forward)).unwrap();
        assert!(contents(&other) == new);
        if checks == Checks::Whole {
            let again = written(|out| invert(read(&forward), out));
            let (_other, mut other) = opened(&new);
            other.apply(read(&again)).unwrap();
            assert!(contents(&other) == old);
        }
    }
}

#[test]
fn other_files_are_named_and_not_copied() {
    let (target, mut file) = opened(b"0123456789");
    let (other, _) = opened(b"abcdefgh");
    let name = other.path().to_str().unwrap();
    let text = format!(
        "{{\"bytesplice\":1}}\n{{\"insert\":3,\"from\":{name:?},\"range\":[2,5]}}\n{{\"replace\":[8,10],\"from\":{name:?}}}\n"
    );
    file.apply(read(&text)).unwrap();
    assert_eq!(contents(&file), b"012cde34567abcdefgh");
    let forward = written(|out| file.write_script(Checks::None, out));
    assert_eq!(forward.matches("from").count(), 2);
    let shift = "{\"bytesplice\":1}\n{\"insert\":4,\"hex\":\"2d\"}\n";
    let both = written(|out| compose(read(&text), read(shift), out));
    assert_eq!(both.matches("from").count(), 3);
    file.discard();
    file.apply(read(&both)).unwrap();
    assert_eq!(contents(&file), b"012c-de34567abcdefgh");
    // The edited file itself, by whatever name, is what it is on the disk.
    file.discard();
    let name = target.path().to_str().unwrap();
    file.remove(..9).unwrap();
    let itself = format!("{{\"bytesplice\":1}}\n{{\"insert\":0,\"from\":{name:?}}}\n");
    file.apply(read(&itself)).unwrap();
    assert_eq!(contents(&file), b"01234567899");
}

#[test]
fn a_path_that_is_not_utf8_is_refused_and_not_changed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::Path::new(OsStr::from_bytes(b"a\xffb"));
    let mut out = ScriptWriter::new("out", Vec::new());
    out.header(&ScriptHeader::default()).unwrap();
    let content = ScriptContent::File(path.into(), None);
    let error = out.edit(&ScriptEdit { range: 0..0, content, old: None }).unwrap_err();
    let Error::Script { problem: ScriptProblem::PathNotUtf8 { path: named }, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(named, path);
    assert_eq!(out.edits(), 0);
    assert_eq!(out.finish().unwrap(), b"{\"bytesplice\":1}\n");

    // Whoever has such a path in pending edits gets the bytes.
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join(path);
    fs::write(&other, "bytes").unwrap();
    let (_target, mut file) = opened(b"0123");
    file.splice(2..2, Content::file(&other).unwrap()).unwrap();
    let text = written(|out| file.write_script(Checks::None, out));
    assert!(text.ends_with("{\"insert\":2,\"text\":\"bytes\"}\n"), "{text}");
}

/// A log whose lines are alike.
fn log(lines: u32) -> Vec<u8> {
    let line = |n: u32| {
        format!(
            "2026-11-25T10:{:02}:{:02} INFO worker {}: request served in 12 ms\n",
            n / 60 % 60,
            n % 60,
            n % 7
        )
    };
    (0..lines).map(line).collect::<String>().into_bytes()
}

fn noise(len: u32) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(n).wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}

#[track_caller]
fn difference(old: &[u8], new: &[u8], checks: Checks) -> String {
    let (_one, mut file) = opened(old);
    let (_other, other) = opened(new);
    let text = written(|out| bytesplice::diff(&file, &other, checks, out));
    file.apply(read(&text)).unwrap();
    assert!(contents(&file) == new, "{text}");
    text
}

#[test]
fn diff_and_apply_make_the_new_file() {
    let (_target, old_file) = opened(b"");
    let (_other, new_file) = opened(b"");
    let (old_file, new_file) = (RefCell::new(old_file), RefCell::new(new_file));
    let bases =
        [log(40), noise(5_000), vec![0; 3_000], b"abababab".repeat(300), OLD.to_vec(), log(300)];
    let cases = (0..bases.len(), seeds(), any::<bool>());
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(10_000) });
    let outcome = runner.run(&cases, |(base, seeds, whole)| {
        let old = &bases[base];
        let (new, _) = script(old, &seeds, Offsets::Sequence, Checks::None);
        let (mut one, mut other) = (old_file.borrow_mut(), new_file.borrow_mut());
        holds(&mut one, old);
        holds(&mut other, &new);
        let checks = if whole { Checks::Whole } else { Checks::Checksum };
        let text = written(|out| bytesplice::diff(&one, &other, checks, out));
        one.apply(read(&text)).unwrap();
        prop_assert!(contents(&one) == new);
        if whole {
            one.apply(read(&written(|out| invert(read(&text), out)))).unwrap();
            prop_assert!(&contents(&one) == old);
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn a_diff_is_about_as_long_as_the_edits() {
    for old in [noise(4 << 20), log(60_000)] {
        let mut new = old.clone();
        for n in 0..100 {
            let at = new.len() / 101 * n + n * 37 % 1000;
            match n % 4 {
                0 => drop(new.splice(at..at, *b"inserted")),
                1 => drop(new.splice(at..at + 5, [])),
                2 => drop(new.splice(at..at + 7, *b"changed")),
                _ => {
                    let lines = b"2026-11-25T10:00:00 INFO worker 3: new\n".repeat(n);
                    drop(new.splice(at..at, lines));
                }
            }
        }
        let text = difference(&old, &new, Checks::None);
        assert!(text.lines().count() < 130, "{}", text.lines().count());
        assert!(text.len() < 60_000, "{}", text.len());
    }
}

#[test]
fn edits_that_are_close_are_one_line() {
    let old = noise(20_000);
    for (checks, distance, is_one) in [
        // A line with a checksum costs more than 60 bytes of text would.
        (Checks::Checksum, 60, true),
        (Checks::Checksum, 100, false),
        (Checks::None, 60, false),
        (Checks::Whole, 60, false),
    ] {
        let mut new = old.clone();
        new.iter_mut().skip(100).step_by(distance).for_each(|byte| *byte ^= 85);
        let edits = if is_one { 1 } else { (old.len() - 100).div_ceil(distance) };
        let text = difference(&old, &new, checks);
        assert_eq!(text.lines().count(), edits + 1, "{checks:?} {distance}");
    }
    // Insertions have nothing to check, and stay lines of their own.
    let new: Vec<u8> = old.chunks(60).flat_map(|chunk| [chunk, b"+"].concat()).collect();
    assert!(difference(&old, &new, Checks::Checksum).lines().count() > old.len() / 70);
}

#[test]
fn what_moved_is_copied() {
    let old = noise(2 << 20);
    let mut new = old.clone();
    new.rotate_left(300_000);
    let text = difference(&old, &new, Checks::Checksum);
    assert!(text.contains("copy") && text.len() < 500, "{}", text.len());
    let text = difference(&old, &[&old[1_000_000..], &old[..]].concat(), Checks::None);
    assert!(text.len() < 500, "{text}");
    assert_eq!(difference(&old, &old, Checks::None).lines().count(), 1);
    difference(&old, b"", Checks::None);
    difference(b"", &old, Checks::None);
    difference(&log(2_000), &noise(300_000), Checks::Checksum);
    difference(&vec![0; 500_000], &vec![0; 700_001], Checks::Checksum);
}
