//! Lines against a plain vector of bytes.

use std::fs;

use bytesplice::{Content, Error, SpliceFile};
use proptest::prelude::*;

/// Where each line starts, and the end.
fn starts(bytes: &[u8]) -> Vec<u64> {
    let mut starts = vec![0];
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        starts.push(starts[starts.len() - 1] + line.len() as u64);
    }
    starts
}

#[track_caller]
fn check(file: &SpliceFile, bytes: &[u8], samples: &[(u64, u64)]) {
    let starts = starts(bytes);
    let lines = starts.len() as u64 - 1;
    assert_eq!(file.line_count().unwrap(), lines);
    for &(first, count) in samples {
        let (first, count) = (first % (lines + 3), count % (lines + 3));
        let behind = first + count;
        match file.lines(first..behind) {
            Ok(range) => {
                assert_eq!(range, starts[first as usize]..starts[behind as usize]);
                assert_eq!(file.lines(first..).unwrap(), range.start..bytes.len() as u64);
                if count > 0 {
                    assert_eq!(file.lines(first..=behind - 1).unwrap(), range);
                }
            }
            Err(Error::LinesOutOfRange { start, end, lines: found, .. }) => {
                assert!(behind > lines);
                assert_eq!((start, end, found), (first, behind, lines));
            }
            Err(other) => panic!("{other}"),
        }
        let at = first % (bytes.len() as u64 + 1);
        let before = bytes[..at as usize].iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(file.line_at(at).unwrap(), before as u64);
    }
    assert!(matches!(file.line_at(bytes.len() as u64 + 1), Err(Error::OutOfRange { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn lines_are_where_a_vector_has_them(
        text in "[a\n]{0,40}",
        edits in prop::collection::vec((any::<u16>(), "[b\n]{0,6}"), 0..4),
        samples in prop::collection::vec((0..60_u64, 0..60_u64), 1..8),
    ) {
        let target = tempfile::NamedTempFile::new().unwrap();
        fs::write(target.path(), &text).unwrap();
        let mut file = SpliceFile::open(target.path()).unwrap();
        let mut model = text.into_bytes();
        for (at, bytes) in edits {
            let at = model.len() * usize::from(at) / 65536;
            file.insert(at as u64, &bytes).unwrap();
            model.splice(at..at, bytes.bytes());
        }
        check(&file, &model, &samples);
    }
}

#[test]
fn lines_longer_than_any_buffer_and_many_short_ones() {
    let target = tempfile::NamedTempFile::new().unwrap();
    let mut model = Vec::new();
    for number in 0..50_000_u32 {
        model.extend(format!("{number}\n").bytes());
    }
    model.extend(vec![b'x'; 900_000]);
    model.push(b'\n');
    model.extend(vec![b'\n'; 600_000]);
    model.extend(b"no newline");
    fs::write(target.path(), &model).unwrap();
    let file = SpliceFile::open(target.path()).unwrap();
    let samples: Vec<_> = (0..300).map(|n| (n * 2_789, n * n * 31)).collect();
    check(&file, &model, &samples);
    check(&file, &model, &[(50_000, 1), (50_001, 0), (650_001, 1), (650_002, 0), (650_003, 0)]);
}

#[test]
fn the_ends() {
    let target = tempfile::NamedTempFile::new().unwrap();
    let mut file = SpliceFile::open(target.path()).unwrap();
    assert_eq!(file.lines(..).unwrap(), 0..0);
    assert_eq!(file.lines(0..0).unwrap(), 0..0);
    assert!(matches!(file.lines(0..1), Err(Error::LinesOutOfRange { lines: 0, .. })));
    assert!(matches!(file.lines(1..), Err(Error::LinesOutOfRange { start: 1, end: 1, .. })));
    file.append("a\nb").unwrap();
    assert_eq!(file.lines(1..2).unwrap(), 2..3);
    assert_eq!(file.lines(2..2).unwrap(), 3..3);
    file.append("\n").unwrap();
    assert_eq!(file.lines(1..2).unwrap(), 2..4);
    assert_eq!(file.lines(2..).unwrap(), 4..4);
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = file.lines(2..1);
    assert!(matches!(reversed, Err(Error::ReversedRange { start: 2, end: 1, .. })));
    assert!(matches!(file.lines(0..=u64::MAX), Err(Error::TooLarge { .. })));
    file.splice(.., Content::fill(b'\n', 1_000_000)).unwrap();
    assert_eq!(file.lines(999_999..).unwrap(), 999_999..1_000_000);
}
