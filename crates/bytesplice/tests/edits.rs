//! Edits of every kind against a plain vector of bytes.

use std::borrow::Cow;
use std::fs;
use std::io::{BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytesplice::{Content, Error, OpenOptions, SpliceFile};
use proptest::prelude::*;

/// One step of a test. Positions are parts of 2^16 of what they point into, so that every step is valid.
#[derive(Debug, Clone)]
enum Op {
    Bytes(u16, u16, Vec<u8>),
    Reader(u16, u16, Vec<u8>),
    File(u16, u16, u16, u16),
    Itself(u16, u16, u16, u16),
    Copy(u16, u16, u16, u16),
    Fill(u16, u16, u8, u16),
    Overwrite(u16, Vec<u8>),
    CopyRange(u16, u16, u16),
    MoveRange(u16, u16, u16),
    Append(Vec<u8>),
    Truncate(u16),
    Discard,
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = || prop_oneof![prop::collection::vec(any::<u8>(), 0..40), Just(vec![7; 9_000])];
    prop_oneof![
        4 => (any::<u16>(), any::<u16>(), bytes()).prop_map(|(a, b, c)| Op::Bytes(a, b, c)),
        2 => (any::<u16>(), any::<u16>(), bytes()).prop_map(|(a, b, c)| Op::Reader(a, b, c)),
        2 => any::<(u16, u16, u16, u16)>().prop_map(|(a, b, c, d)| Op::File(a, b, c, d)),
        2 => any::<(u16, u16, u16, u16)>().prop_map(|(a, b, c, d)| Op::Itself(a, b, c, d)),
        2 => any::<(u16, u16, u16, u16)>().prop_map(|(a, b, c, d)| Op::Copy(a, b, c, d)),
        2 => (any::<u16>(), any::<u16>(), any::<u8>(), 0..500_u16)
            .prop_map(|(a, b, c, d)| Op::Fill(a, b, c, d)),
        4 => (any::<u16>(), bytes()).prop_map(|(a, b)| Op::Overwrite(a, b)),
        2 => any::<(u16, u16, u16)>().prop_map(|(a, b, c)| Op::CopyRange(a, b, c)),
        2 => any::<(u16, u16, u16)>().prop_map(|(a, b, c)| Op::MoveRange(a, b, c)),
        2 => bytes().prop_map(Op::Append),
        1 => any::<u16>().prop_map(Op::Truncate),
        1 => Just(Op::Discard),
    ]
}

/// Half-open range of a vector of `len` bytes from two parts of 2^16; mostly short.
fn range(len: usize, start: u16, size: u16) -> std::ops::Range<usize> {
    let start = len * usize::from(start) / usize::from(u16::MAX);
    let most = if size.is_multiple_of(4) { len - start } else { (len - start).min(20) };
    start..start + most * usize::from(size) / usize::from(u16::MAX)
}

fn wide(range: &std::ops::Range<usize>) -> std::ops::Range<u64> {
    range.start as u64..range.end as u64
}

fn by_chunks(file: &SpliceFile, range: std::ops::Range<u64>) -> Vec<u8> {
    let chunks = file.chunks(range).unwrap().map(Result::unwrap);
    chunks.inspect(|chunk| assert!(!chunk.is_empty() && chunk.len() <= 1 << 20)).fold(
        Vec::new(),
        |mut all, chunk| {
            all.extend_from_slice(&chunk);
            all
        },
    )
}

fn by_read_at(file: &SpliceFile) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = [0; 777];
    loop {
        match file.read_at(&mut part, all.len() as u64).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&part[..count]),
        }
    }
}

struct Bench {
    _directory: tempfile::TempDir,
    path: PathBuf,
    link: PathBuf,
    other: PathBuf,
}

impl Bench {
    fn new(old: &[u8], other: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("target");
        let bench = Self {
            link: directory.path().join("link"),
            other: directory.path().join("other"),
            path,
            _directory: directory,
        };
        fs::write(&bench.path, old).unwrap();
        fs::hard_link(&bench.path, &bench.link).unwrap();
        fs::write(&bench.other, other).unwrap();
        bench
    }
}

fn apply(
    op: &Op,
    file: &mut SpliceFile,
    model: &mut Vec<u8>,
    old: &[u8],
    other: &[u8],
    on: &Bench,
) {
    let spliced = |model: &mut Vec<u8>, at, new: &[u8]| drop(model.splice(at, new.iter().copied()));
    let from_file =
        |path: &Path, from: &std::ops::Range<usize>| Content::file_range(path, wide(from)).unwrap();
    match op {
        Op::Bytes(start, size, new) => {
            let at = range(model.len(), *start, *size);
            file.replace(wide(&at), new).unwrap();
            spliced(model, at, new);
        }
        Op::Reader(start, size, new) => {
            let at = range(model.len(), *start, *size);
            file.splice(wide(&at), Content::reader(&new[..])).unwrap();
            spliced(model, at, new);
        }
        Op::File(start, size, from, count) => {
            let (at, from) = (range(model.len(), *start, *size), range(other.len(), *from, *count));
            file.splice(wide(&at), from_file(&on.other, &from)).unwrap();
            spliced(model, at, &other[from]);
        }
        Op::Itself(start, size, from, count) => {
            let (at, from) = (range(model.len(), *start, *size), range(old.len(), *from, *count));
            file.splice(wide(&at), from_file(&on.link, &from)).unwrap();
            spliced(model, at, &old[from]);
        }
        Op::Copy(start, size, from, count) => {
            let (at, from) = (range(model.len(), *start, *size), range(model.len(), *from, *count));
            file.splice(wide(&at), Content::copy(wide(&from))).unwrap();
            let new = model[from].to_vec();
            spliced(model, at, &new);
        }
        Op::Fill(start, size, byte, count) => {
            let at = range(model.len(), *start, *size);
            file.splice(wide(&at), Content::fill(*byte, u64::from(*count))).unwrap();
            spliced(model, at, &vec![*byte; usize::from(*count)]);
        }
        Op::Overwrite(start, new) => {
            let at = range(model.len(), *start, 1);
            let new = &new[..new.len().min(model.len() - at.start)];
            let at = at.start..at.start + new.len();
            file.replace(wide(&at), new).unwrap();
            spliced(model, at, new);
        }
        Op::CopyRange(from, count, to) => {
            let (from, to) = (range(model.len(), *from, *count), range(model.len(), *to, 0).start);
            file.copy_range(wide(&from), to as u64).unwrap();
            let new = model[from].to_vec();
            spliced(model, to..to, &new);
        }
        Op::MoveRange(from, count, to) => {
            let (from, to) = (range(model.len(), *from, *count), range(model.len(), *to, 0).start);
            let outcome = file.move_range(wide(&from), to as u64);
            if from.start < to && to < from.end {
                assert!(matches!(outcome, Err(Error::MoveIntoItself { .. })), "{outcome:?}");
                return;
            }
            outcome.unwrap();
            let moved: Vec<u8> = model.drain(from.clone()).collect();
            let to = if to >= from.end { to - moved.len() } else { to };
            spliced(model, to..to, &moved);
        }
        Op::Append(new) => {
            file.append(new).unwrap();
            model.extend_from_slice(new);
        }
        Op::Truncate(part) => {
            let len = range(model.len(), *part, 0).start;
            file.truncate(len as u64).unwrap();
            model.truncate(len);
        }
        Op::Discard => {
            file.discard();
            assert!(!file.is_modified());
            old.clone_into(model);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn contents_are_those_of_a_vector(
        old in prop::collection::vec(any::<u8>(), 0..3_000),
        other in prop::collection::vec(any::<u8>(), 0..300),
        memory_limit in prop_oneof![Just(0), Just(100), Just(20_000), Just(1 << 24)],
        ops in prop::collection::vec(op(), 1..25),
        seeks in prop::collection::vec((any::<u16>(), 0..90_000_usize, 0..3), 0..12),
    ) {
        let on = Bench::new(&old, &other);
        let mut file = OpenOptions::new().memory_limit(memory_limit).open(&on.path).unwrap();
        let mut model = old.clone();
        for op in &ops {
            // Copies double: keep the vectors small.
            if model.len() > 200_000 {
                file.truncate(1_000).unwrap();
                model.truncate(1_000);
            }
            apply(op, &mut file, &mut model, &old, &other, &on);
            prop_assert_eq!(file.len(), model.len() as u64);
        }
        prop_assert!(by_read_at(&file) == model);
        prop_assert!(by_chunks(&file, 0..file.len()) == model);
        file.expect(.., &model).unwrap();

        let mut reader = file.reader();
        let mut position = 0;
        for (to, count, how) in seeks {
            let target = range(model.len(), to, 0).start;
            let to = match how {
                0 => SeekFrom::Start(target as u64),
                1 => SeekFrom::Current(target as i64 - position as i64),
                _ => SeekFrom::End(target as i64 - model.len() as i64),
            };
            prop_assert_eq!(reader.seek(to).unwrap(), target as u64);
            let count = if how == 0 { count } else { count % 50 };
            let mut part = vec![0; count.min(model.len() - target)];
            reader.read_exact(&mut part).unwrap();
            position = target + part.len();
            prop_assert!(part == model[target..position]);
            prop_assert_eq!(reader.stream_position().unwrap(), position as u64);
            let end = model.len().min(target + 200);
            prop_assert!(by_chunks(&file, target as u64..end as u64) == model[target..end]);
        }
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        prop_assert!(rest == model[position..]);
        prop_assert!(fs::read(&on.path).unwrap() == old);
    }
}

#[test]
fn typing_and_cancelling() {
    let on = Bench::new(b"0123456789", b"");
    let mut file = SpliceFile::open(&on.path).unwrap();
    assert!(!file.is_modified());
    for (at, letter) in b"typed".iter().enumerate() {
        file.insert(5 + at as u64, [*letter]).unwrap();
    }
    // One run of added bytes, or there would be nothing to borrow.
    assert!(matches!(file.chunks(5..10).unwrap().next(), Some(Ok(Cow::Borrowed(b"typed")))));
    assert!(file.is_modified());
    file.remove(5..10).unwrap();
    assert!(!file.is_modified());
}

#[test]
fn a_range_can_be_put_into_itself() {
    let on = Bench::new(b"abcdef", b"");
    let mut file = SpliceFile::open(&on.path).unwrap();
    file.splice(3..3, Content::copy(..)).unwrap();
    assert_eq!(by_read_at(&file), b"abcabcdefdef");
    file.splice(2..6, Content::copy(4..8)).unwrap();
    assert_eq!(by_read_at(&file), b"abbcdedefdef");
}

#[test]
fn a_million_small_additions_are_cheap_beyond_the_memory_limit_too() {
    let on = Bench::new(b"", b"");
    for memory_limit in [100, 1 << 30] {
        let mut file = OpenOptions::new().memory_limit(memory_limit).open(&on.path).unwrap();
        for number in 0..1_000_000_u64 {
            file.append(number.to_le_bytes()).unwrap();
        }
        let mut buffer = [0; 8];
        for number in (0..1_000_000_u64).step_by(997) {
            file.read_exact_at(&mut buffer, number * 8).unwrap();
            assert_eq!(u64::from_le_bytes(buffer), number);
        }
        assert_eq!(file.reader().bytes().count(), 8_000_000);
    }
}

#[test]
fn a_fill_is_free_whatever_its_length() {
    let on = Bench::new(b"ends", b"");
    let mut file = SpliceFile::open(&on.path).unwrap();
    file.splice(2..2, Content::fill(b'x', i64::MAX as u64 - 4)).unwrap();
    assert_eq!(file.len(), i64::MAX as u64);
    let mut buffer = [0; 4];
    file.read_exact_at(&mut buffer, file.len() - 4).unwrap();
    assert_eq!(&buffer, b"xxds");
    assert_eq!(file.read_at(&mut buffer, file.len()).unwrap(), 0);
}

#[test]
fn added_bytes_in_memory_are_borrowed() {
    let on = Bench::new(&[1; 3_000_000], b"");
    let mut file = SpliceFile::open(&on.path).unwrap();
    file.insert(1_500_000, vec![2; 100_000]).unwrap();
    file.insert(10, b"few").unwrap();
    let chunks: Vec<_> = file.chunks(..).unwrap().map(Result::unwrap).collect();
    let borrowed: Vec<_> =
        chunks.iter().filter(|chunk| matches!(chunk, Cow::Borrowed(_))).collect();
    assert_eq!(borrowed.len(), 1);
    assert!(borrowed[0].len() == 100_000 && chunks.len() < 8);
    assert!(matches!(file.chunks(10..13).unwrap().next(), Some(Ok(Cow::Borrowed(b"few")))));
}

#[test]
fn lines_across_edits() {
    let on = Bench::new(b"first\nsecond\n", b"");
    let mut file = SpliceFile::open(&on.path).unwrap();
    file.replace(5..6, b"-").unwrap();
    let lines: Vec<String> = file.reader().lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["first-second"]);
    let mut reader = file.reader();
    assert_eq!(reader.seek(SeekFrom::End(100)).unwrap(), file.len() + 100);
    assert_eq!(reader.read(&mut [0; 9]).unwrap(), 0);
    assert_eq!(reader.read(&mut vec![0; 100_000]).unwrap(), 0);
    assert!(reader.seek(SeekFrom::Current(-1_000)).is_err());
}

#[test]
fn handles_go_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<SpliceFile>();
    check::<bytesplice::Chunks<'_>>();
    check::<bytesplice::Reader<'_>>();
    check::<Error>();
}
