//! VCDIFF against a plain vector of bytes, and against xdelta3.

use std::cell::RefCell;
use std::fs;
use std::io::{Write, stderr};
use std::path::Path;
use std::process::Command;

use bytesplice::{
    Content, Difference, Error, OpenOptions, SpliceFile, Vcdiff, VcdiffProblem, VcdiffWriter,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn contents(file: &SpliceFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// A file that holds `bytes` until it is dropped.
fn opened(bytes: &[u8]) -> (tempfile::NamedTempFile, SpliceFile) {
    let target = tempfile::NamedTempFile::new().unwrap();
    fs::write(target.path(), bytes).unwrap();
    let file = OpenOptions::new().read_only(true).open(target.path()).unwrap();
    (target, file)
}

fn written(write: impl FnOnce(&mut VcdiffWriter<Vec<u8>>) -> bytesplice::Result<()>) -> Vec<u8> {
    let mut out = VcdiffWriter::new("written", Vec::new());
    write(&mut out).unwrap();
    out.finish().unwrap()
}

fn read(delta: &[u8]) -> Vcdiff<&[u8]> {
    Vcdiff::new("delta", delta).unwrap()
}

fn noise(len: u32) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(n).wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}

/// What an edit is made of; positions are parts of 2^16 of what they point into.
type Seed = (u16, u16, u8, Vec<u8>, u16);

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let bytes = vec(any::<u8>(), 0..40);
    vec((any::<u16>(), any::<u16>(), any::<u8>(), bytes, any::<u16>()), 0..9)
}

fn at(len: usize, part: u16) -> usize {
    len * usize::from(part) / 65_535
}

/// Makes the same edits in a file and in a vector.
fn edit(file: &mut SpliceFile, model: &mut Vec<u8>, seeds: &[Seed]) {
    for (start, size, kind, bytes, from) in seeds {
        let start = at(model.len(), *start);
        let end = (start + usize::from(*size % 300)).min(model.len());
        let range = start as u64..end as u64;
        let source = at(model.len(), *from);
        let source = source..(source + usize::from(*kind) * 3).min(model.len());
        match kind % 4 {
            0 => {
                let count = u64::from(*size % 500);
                file.splice(range, Content::fill(*kind, count)).unwrap();
                model.splice(start..end, vec![*kind; count as usize]);
            }
            1 => {
                let copied = model[source.clone()].to_vec();
                let wide = source.start as u64..source.end as u64;
                file.splice(range, Content::copy(wide)).unwrap();
                model.splice(start..end, copied);
            }
            _ => {
                file.replace(range, bytes).unwrap();
                model.splice(start..end, bytes.iter().copied());
            }
        }
    }
}

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    let outcome = TestRunner::new(config).run(strategy, |value| {
        test(value);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn what_was_encoded_is_decoded() {
    let old = noise(4_000);
    let (_one, file) = opened(&old);
    let (_other, other) = opened(&old);
    let (file, other) = (RefCell::new(file), RefCell::new(other));
    run(10_000, &(seeds(), seeds()), |(seeds, more)| {
        let (mut file, mut other) = (file.borrow_mut(), other.borrow_mut());
        let mut new = old.clone();
        file.discard();
        edit(&mut file, &mut new, &seeds);
        let delta = written(|out| file.write_vcdiff(out));
        other.discard();
        other.apply_vcdiff(read(&delta)).unwrap();
        assert!(contents(&other) == new);
        // Deltas of edited contents are about these, and one step of the history.
        let (_scratch, mut scratch) = opened(&new);
        let mut newer = new.clone();
        edit(&mut scratch, &mut newer, &more);
        other.apply_vcdiff(read(&written(|out| scratch.write_vcdiff(out)))).unwrap();
        assert!(contents(&other) == newer);
        if newer.len() + new.len() > 0 {
            other.undo().unwrap();
        }
        assert!(contents(&other) == new);
    });
}

/// An instruction of a delta that the test writes itself.
#[derive(Debug, Clone)]
enum Op {
    Add(Vec<u8>),
    Run(u8, u16),
    Copy { from: u16, len: u16, back: bool },
}

#[derive(Debug, Clone)]
struct Window {
    source: Option<(u16, u16, bool)>,
    ops: Vec<Op>,
    checksum: bool,
}

fn windows() -> impl Strategy<Value = Vec<Window>> {
    let op = prop_oneof![
        vec(any::<u8>(), 0..20).prop_map(Op::Add),
        (any::<u8>(), 0..200_u16).prop_map(|(byte, count)| Op::Run(byte, count)),
        (any::<u16>(), 0..400_u16, any::<bool>()).prop_map(|(from, len, back)| Op::Copy {
            from,
            len,
            back
        }),
        // Long enough to be repeated as pieces.
        (60_000..u16::MAX, 60_000..u16::MAX).prop_map(|(from, len)| Op::Copy {
            from,
            len,
            back: true
        }),
    ];
    let source = prop::option::of((any::<u16>(), any::<u16>(), any::<bool>()));
    let window = (source, vec(op, 0..8), any::<bool>())
        .prop_map(|(source, ops, checksum)| Window { source, ops, checksum });
    vec(window, 0..4)
}

fn integer(mut value: usize, out: &mut Vec<u8>) {
    let mut digits = vec![(value & 127) as u8];
    while value > 127 {
        value >>= 7;
        digits.push((value & 127) as u8 | 128);
    }
    out.extend(digits.iter().rev());
}

/// As in RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    let sums = bytes.iter().fold((1, 0), |(a, b): (u32, u32), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    sums.1 << 16 | sums.0
}

/// The delta of these windows, and what it makes of `old`, byte by byte as the standard says.
fn delta(old: &[u8], windows: &[Window]) -> (Vec<u8>, Vec<u8>) {
    let mut out = vec![0xd6, 0xc3, 0xc4, 0, 4, 3, b'a', b'p', b'p'];
    let mut new = Vec::new();
    for window in windows {
        let (mut data, mut codes, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        let mut head = vec![if window.checksum { 4 } else { 0 }];
        let mut all = Vec::new();
        if let Some((start, len, in_target)) = window.source {
            let from: &[u8] = if in_target { &new } else { old };
            let start = at(from.len(), start);
            let len = at(from.len() - start, len);
            head[0] |= if in_target { 2 } else { 1 };
            integer(len, &mut head);
            integer(start, &mut head);
            all.extend_from_slice(&from[start..start + len]);
        }
        let segment = all.len();
        for op in &window.ops {
            match op {
                Op::Add(bytes) => {
                    codes.push(1);
                    integer(bytes.len(), &mut codes);
                    data.extend_from_slice(bytes);
                    all.extend_from_slice(bytes);
                }
                Op::Run(byte, count) => {
                    codes.push(0);
                    integer(usize::from(*count), &mut codes);
                    data.push(*byte);
                    all.extend(std::iter::repeat_n(*byte, usize::from(*count)));
                }
                Op::Copy { .. } if all.is_empty() => {}
                Op::Copy { from, len, back } => {
                    let from = at(all.len() - 1, *from);
                    codes.push(if *back { 35 } else { 19 });
                    integer(usize::from(*len), &mut codes);
                    integer(if *back { all.len() - from } else { from }, &mut addresses);
                    (0..usize::from(*len)).for_each(|n| all.push(all[from + n]));
                }
            }
        }
        let made = &all[segment..];
        let mut lengths = Vec::new();
        integer(made.len(), &mut lengths);
        lengths.push(0);
        [&data, &codes, &addresses].iter().for_each(|it| integer(it.len(), &mut lengths));
        if window.checksum {
            lengths.extend(adler32(made).to_be_bytes());
        }
        integer(lengths.len() + data.len() + codes.len() + addresses.len(), &mut head);
        [head, lengths, data, codes, addresses].iter().for_each(|part| out.extend(part));
        new.extend_from_slice(made);
    }
    (out, new)
}

#[test]
fn deltas_of_others_are_applied_as_the_standard_says() {
    let old = noise(3_000);
    let (_one, file) = opened(&old);
    let file = RefCell::new(file);
    run(10_000, &windows(), |windows| {
        let (delta, new) = delta(&old, &windows);
        let mut file = file.borrow_mut();
        file.discard();
        let count = file.apply_vcdiff(read(&delta)).unwrap();
        assert_eq!(count, windows.len() as u64);
        assert!(contents(&file) == new, "{windows:?}");
    });
}

#[test]
fn mutated_deltas_are_errors_or_edits_and_never_half_applied() {
    let old = noise(3_000);
    let (_one, file) = opened(&old);
    let file = RefCell::new(file);
    let noise = prop_oneof![
        vec(any::<u8>(), 0..4),
        prop::sample::select(vec![0xff, 0x80, 0, 1, 2, 4, 19, 35, 115, 163])
            .prop_map(|byte| vec![byte]),
        Just(vec![0xff; 8]),
    ];
    let mutations = vec((any::<u16>(), 0..3_usize, noise), 0..5);
    let (errors, fine) = (RefCell::new(0), RefCell::new(0));
    run(20_000, &(windows(), mutations), |(windows, mutations)| {
        let mut delta = delta(&old, &windows).0;
        for (part, removed, bytes) in mutations {
            let start = at(delta.len(), part);
            let end = (start + removed).min(delta.len());
            delta.splice(start..end, bytes);
        }
        let mut file = file.borrow_mut();
        file.discard();
        file.insert(3, "pending").unwrap();
        file.remove(..7).unwrap();
        let before = contents(&file);
        match Vcdiff::new("delta", &delta[..]).and_then(|delta| file.apply_vcdiff(delta)) {
            Ok(_) => *fine.borrow_mut() += 1,
            Err(error) => {
                *errors.borrow_mut() += 1;
                let Error::Vcdiff { offset, .. } = error else { panic!("{error}") };
                assert!(offset <= delta.len() as u64, "{error}");
                assert!(contents(&file) == before);
            }
        }
    });
    assert!(*errors.borrow() > 5_000 && *fine.borrow() > 1_000, "{errors:?} {fine:?}");
}

#[test]
fn what_is_wrong_is_said_with_its_offset() {
    let (_target, mut file) = opened(b"0123456789");
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for (bytes, offset, words) in [
        (&b""[..], 0, "this is no VCDIFF delta"),
        (b"{\"bytesplice\":1}", 0, "this is no VCDIFF delta"),
        (b"\xd6\xc3\xc4", 3, "ends in the middle of the header"),
        (b"\xd6\xc3\xc4S\0", 3, "format version 0x53"),
        (b"\xd6\xc3\xc4\0\x08", 4, "the header has unknown bits: 0x08"),
        (b"\xd6\xc3\xc4\0\x02", 4, "code table of its own"),
        (b"\xd6\xc3\xc4\0\x04\x05abc", 9, "ends in the middle of the application header"),
        (b"H\x03", 5, "the indicator of a window has unknown bits: 0x03"),
        (b"H\x10", 5, "the indicator of a window has unknown bits"),
        (b"H\x01\x05", 7, "ends in the middle of the head of a window"),
        (
            b"H\x01\x05\x06\x05\x00\x00\x00\x00\x00",
            5,
            "bytes 6..11 of the old contents, which is 10",
        ),
        (b"H\x02\x01\x00\x05\x00\x00\x00\x00\x00", 5, "bytes 0..1 of the new contents so far"),
        (b"H\x00\x05\x00\x08\x00\x00\x00", 8, "indicator of the sections has unknown bits"),
        (b"H\x00\x05\x00\x00\x01\x00\x00", 5, "has 5 bytes, and its parts come to 6"),
        (b"H\x00\x06\x01\x00\x01\x00\x00a", 13, "declares 1 bytes, and its instructions make 0"),
        (b"H\x00\x07\x01\x00\x01\x01\x00a\x01", 14, "more instructions than"),
        (
            b"H\x00\x07\x01\x00\x01\x01\x00a\x03",
            13,
            "declares 1 bytes, and its instructions make 2",
        ),
        (
            b"H\x00\x07\x02\x00\x01\x01\x00a\x02",
            14,
            "declares 2 bytes, and its instructions make 1",
        ),
        (b"H\x00\x06\x01\x00\x00\x01\x00\x02", 12, "more data than the window has"),
        (b"H\x00\x08\x01\x00\x02\x01\x00ab\x02", 13, "leave 1 bytes of data over"),
        (b"H\x00\x07\x04\x00\x00\x01\x01\x14\x00", 13, "not below 0"),
        (b"H\x01\x05\x00\x07\x04\x00\x00\x01\x01\x14\x05", 15, "not below 5"),
        (
            b"H\x04\x0b\x01\x00\x01\x01\x00\x00\x00\x00\x00a\x02",
            5,
            "checksum of bytes 0..1 of the new",
        ),
    ] {
        let mut delta = bytes.to_vec();
        if bytes.first() == Some(&b'H') {
            delta.splice(..1, *b"\xd6\xc3\xc4\0\0");
        }
        let outcome = Vcdiff::new("name", &delta[..]).and_then(|delta| file.apply_vcdiff(delta));
        let message = outcome.unwrap_err().to_string();
        assert!(message.starts_with(&format!("name: at byte {offset}: ")), "{bytes:x?}: {message}");
        assert!(message.contains(words), "{bytes:x?}: {message}");
        assert!(!file.is_modified());
    }
    // No length is believed.
    for before in 0..7 {
        for source in [0, 1] {
            let mut delta = b"\xd6\xc3\xc4\0\0".to_vec();
            delta.push(source);
            delta.extend(vec![0; before]);
            delta.extend(huge);
            delta.extend([0; 20]);
            let outcome =
                Vcdiff::new("name", &delta[..]).and_then(|delta| file.apply_vcdiff(delta));
            assert!(matches!(outcome, Err(Error::Vcdiff { .. })), "{before} {outcome:?}");
        }
    }
}

#[test]
fn a_few_bytes_cannot_ask_for_much_memory() {
    let (_target, mut file) = opened(b"0123456789");
    let mut delta = b"\xd6\xc3\xc4\0\0".to_vec();
    // 64 MiB, by a copy of seven bytes that goes on into itself, two hundred times over.
    let len = 64 << 20;
    for _ in 0..200 {
        let (mut codes, mut lengths) = (vec![8, 19], Vec::new());
        integer(len - 7, &mut codes);
        integer(len, &mut lengths);
        lengths.extend([0, 7]);
        integer(codes.len(), &mut lengths);
        lengths.push(1);
        delta.push(0);
        integer(lengths.len() + 7 + codes.len() + 1, &mut delta);
        delta.extend(lengths);
        delta.extend(b"periods");
        delta.extend(codes);
        delta.push(0);
    }
    file.apply_vcdiff(read(&delta[..5 + (delta.len() - 5) / 50])).unwrap();
    assert_eq!(file.len(), 4 * len as u64);
    assert!(file.piece_count() < 6_000, "{}", file.piece_count());
    let mut bytes = [0; 14];
    file.read_exact_at(&mut bytes, 2 * len as u64 - 7 * 2 - len as u64 % 7).unwrap();
    assert_eq!(&bytes, b"periodsperiods");
}

/// Whether xdelta3 can be run. That it cannot is said where the test harness cannot swallow it.
fn has_xdelta3(test: &str) -> bool {
    let found = Command::new("xdelta3").arg("-V").output().is_ok();
    if !found {
        let _ = writeln!(
            stderr(),
            "SKIPPED: {test}: xdelta3 is not installed (apt-get install xdelta3)"
        );
    }
    found
}

fn xdelta3(arguments: &[&str], directory: &Path) -> bool {
    let run = Command::new("xdelta3").args(arguments).current_dir(directory).output().unwrap();
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    true
}

/// Real files: the sources of this crate, and the program that runs.
fn real_files() -> Vec<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut text = Vec::new();
    let mut names: Vec<_> = fs::read_dir(source).unwrap().map(|it| it.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.is_file()) {
        text.extend(fs::read(path).unwrap());
    }
    let mut program = fs::read(std::env::current_exe().unwrap()).unwrap();
    program.truncate(9 << 20);
    assert!(text.len() > 100_000 && program.len() > 1_000_000);
    vec![text, program, Vec::new(), b"short".to_vec()]
}

/// Edits at random places, deterministic by `round`.
fn edited(old: &[u8], round: u64) -> Vec<u8> {
    let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % (below as u64 + 1)) as usize
    };
    let mut new = old.to_vec();
    for _ in 0..random(60) {
        let start = random(new.len());
        let most = [3, 50, 5_000, 200_000][random(3)].min(new.len() - start);
        let len = random(most);
        let target = random(new.len() - len);
        match random(4) {
            0 => drop(new.drain(start..start + len)),
            1 => new.extend_from_within(start..start + len),
            2 => drop(new.splice(target..target, vec![round as u8; len])),
            3 => {
                let moved: Vec<u8> = new.drain(start..start + len).collect();
                new.splice(target..target, moved);
            }
            _ => {
                let bytes: Vec<u8> = (0..len).map(|_| random(255) as u8).collect();
                new.splice(start..start + len.min(20), bytes);
            }
        }
    }
    new
}

#[test]
fn xdelta3_and_we_read_each_other() {
    if !has_xdelta3("xdelta3_and_we_read_each_other") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for (number, old) in real_files().into_iter().enumerate() {
        fs::write(directory.join("old"), &old).unwrap();
        for round in 0..25 {
            let new = edited(&old, round + 100 * number as u64);
            fs::write(directory.join("new"), &new).unwrap();
            let mut file = OpenOptions::new().read_only(true).open(directory.join("old")).unwrap();

            let level = ["-1", "-6", "-9"][round as usize % 3];
            // With and without a checksum; with windows of 16 KiB, too.
            let more = if round % 5 == 0 { "-n" } else { "-q" };
            let size = if round % 4 == 0 { "-W16384" } else { "-q" };
            xdelta3(
                &["-ef", "-S", "none", level, more, size, "-s", "old", "new", "theirs"],
                directory,
            );
            file.apply_vcdiff(Vcdiff::open(directory.join("theirs")).unwrap()).unwrap();
            assert!(contents(&file) == new, "{number} {round}");

            // The pending edits are those of their delta; what `diff` finds are others.
            let pending = written(|out| file.write_vcdiff(out));
            let other = OpenOptions::new().read_only(true).open(directory.join("new")).unwrap();
            file.discard();
            let found = written(|out| Difference::find(&file, &other)?.write_vcdiff(out));
            for delta in [pending, found] {
                fs::write(directory.join("ours"), &delta).unwrap();
                xdelta3(&["-df", "-s", "old", "ours", "made"], directory);
                assert!(fs::read(directory.join("made")).unwrap() == new, "{number} {round}");
                file.discard();
                file.apply_vcdiff(read(&delta)).unwrap();
                assert!(contents(&file) == new, "{number} {round}");
            }
        }
    }
}

#[test]
fn secondary_compression_is_refused_by_its_name() {
    if !has_xdelta3("secondary_compression_is_refused_by_its_name") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let old = &real_files()[0];
    let mut new = edited(old, 7);
    new.extend(old.iter().rev());
    fs::write(directory.join("old"), old).unwrap();
    fs::write(directory.join("new"), new).unwrap();
    for (method, name) in [(None, "lzma"), (Some("djw"), "djw"), (Some("fgk"), "fgk")] {
        let method = method.map_or(vec![], |method| vec!["-S", method]);
        let arguments = [vec!["-ef"], method, vec!["-s", "old", "new", "delta"]].concat();
        xdelta3(&arguments, directory);
        let mut file = OpenOptions::new().read_only(true).open(directory.join("old")).unwrap();
        let outcome = file.apply_vcdiff(Vcdiff::open(directory.join("delta")).unwrap());
        let Err(Error::Vcdiff { problem, .. }) = outcome else { panic!("{outcome:?}") };
        assert!(
            matches!(problem, VcdiffProblem::SecondaryCompression { compressor } if compressor == name),
            "{problem}"
        );
        assert!(problem.to_string().contains("xdelta3 -S none"));
        assert!(!file.is_modified());
    }
}
