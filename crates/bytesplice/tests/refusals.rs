//! Input that must be refused, with the right error and without a change.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use bytesplice::{Content, Error, FileState, OpenOptions, SpliceFile};

struct Bench {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("target");
        fs::write(&path, "0123456789").unwrap();
        Self { path, directory }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn make_fifo(&self) -> PathBuf {
        let path = self.at("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        path
    }
}

fn contents(file: &SpliceFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.reader().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn edits_outside_the_contents() {
    let on = Bench::new();
    let mut file = SpliceFile::open(&on.path).unwrap();
    file.insert(3, "abc").unwrap();
    let before = contents(&file);
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = 5..2;
    type Edit = Box<dyn Fn(&mut SpliceFile) -> bytesplice::Result<()>>;
    let table: Vec<(&str, Edit)> = vec![
        ("OutOfRange", Box::new(|file| file.replace(10..14, "x"))),
        ("OutOfRange", Box::new(|file| file.insert(14, "x"))),
        ("OutOfRange", Box::new(|file| file.remove(14..))),
        ("OutOfRange", Box::new(|file| file.truncate(14))),
        ("OutOfRange", Box::new(|file| file.insert(u64::MAX, "x"))),
        ("OutOfRange", Box::new(|file| file.splice(0..0, Content::copy(0..14)))),
        ("OutOfRange", Box::new(|file| file.expect(10..14, "x"))),
        ("OutOfRange", Box::new(|file| file.read_exact_at(&mut [0; 2], 12))),
        ("OutOfRange", Box::new(|file| file.read_at(&mut [0; 2], 14).map(drop))),
        ("OutOfRange", Box::new(|file| file.read_at(&mut [], 14).map(drop))),
        ("OutOfRange", Box::new(|file| file.chunks(..14).map(drop))),
        (
            "ReversedRange",
            Box::new({
                let range = reversed.clone();
                move |file| file.remove(range.clone())
            }),
        ),
        (
            "ReversedRange",
            Box::new({
                let range = reversed;
                move |file| file.splice(0..0, Content::copy(range.clone()))
            }),
        ),
        ("TooLarge", Box::new(|file| file.remove(0..=u64::MAX))),
        ("TooLarge", Box::new(|file| file.read_exact_at(&mut [0; 2], u64::MAX))),
        ("TooLarge", Box::new(|file| file.splice(0..0, Content::fill(0, u64::MAX)))),
        ("TooLarge", Box::new(|file| file.splice(0..0, Content::fill(0, i64::MAX as u64 - 12)))),
    ];
    for (number, (name, edit)) in table.iter().enumerate() {
        let error = edit(&mut file).unwrap_err();
        assert!(format!("{error:?}").starts_with(name), "row {number}: {error:?}");
        assert_eq!(error.file_state(), FileState::Unchanged);
        assert_eq!(contents(&file), before, "row {number}");
    }
}

#[test]
fn contents_never_pass_the_largest_file() {
    let on = Bench::new();
    let mut file = SpliceFile::open(&on.path).unwrap();
    file.splice(0..0, Content::fill(0, i64::MAX as u64 - 10)).unwrap();
    let too_large = |outcome| matches!(outcome, Err(Error::TooLarge { .. }));
    assert!(too_large(file.append("x")));
    assert!(too_large(file.splice(0..0, Content::copy(0..1))));
    assert!(too_large(file.splice(0..0, Content::reader(io::repeat(1)))));
    assert!(too_large(file.splice(0..0, Content::file(&on.path).unwrap())));
    file.splice(0..1, Content::reader(&b"x"[..])).unwrap();
    assert_eq!(file.len(), i64::MAX as u64);
}

#[test]
fn what_is_not_a_regular_file() {
    let on = Bench::new();
    let socket = on.at("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let table = [
        (on.directory.path().to_owned(), "directory"),
        (on.make_fifo(), "FIFO"),
        (PathBuf::from("/dev/null"), "character device"),
        (socket, "socket"),
    ];
    for (path, expected) in &table {
        let refusals = [
            SpliceFile::open(path).map(drop),
            OpenOptions::new().read_only(true).create(true).open(path).map(drop),
            Content::file(path).map(drop),
        ];
        for refusal in refusals {
            match refusal {
                Err(Error::NotRegular { path: shown, kind }) => {
                    assert_eq!((&shown, kind), (path, *expected));
                }
                other => panic!("{path:?}: {other:?}"),
            }
        }
    }
    let (pipe, _writer) = io::pipe().unwrap();
    let pipe = fs::File::from(std::os::fd::OwnedFd::from(pipe));
    assert!(matches!(SpliceFile::from_file(pipe), Err(Error::NotRegular { kind: "FIFO", .. })));
}

#[test]
fn what_is_not_there() {
    let on = Bench::new();
    let loops = on.at("loop");
    std::os::unix::fs::symlink(&loops, &loops).unwrap();
    let not_found = Some(io::ErrorKind::NotFound);
    let table = [
        (PathBuf::new(), not_found),
        (on.at("missing"), not_found),
        (on.at("target/below"), Some(io::ErrorKind::NotADirectory)),
        (loops, None),
        (PathBuf::from("a\0b"), Some(io::ErrorKind::InvalidInput)),
    ];
    for (path, expected) in &table {
        for refusal in [SpliceFile::open(path).map(drop), Content::file(path).map(drop)] {
            match refusal {
                Err(Error::Open { path: shown, source }) => {
                    assert_eq!(&shown, path);
                    assert!(expected.is_none_or(|kind| kind == source.kind()), "{source:?}");
                }
                other => panic!("{path:?}: {other:?}"),
            }
        }
    }
    let create = OpenOptions::new().create(true);
    assert!(matches!(create.open(""), Err(Error::Open { .. })));
    assert!(matches!(create.open(on.at("no/such/place")), Err(Error::Open { .. })));
}

#[test]
fn ranges_of_other_files_are_checked_against_them() {
    let on = Bench::new();
    let other = on.at("other");
    fs::write(&other, "abc").unwrap();
    match Content::file_range(&other, 2..4) {
        Err(Error::OutOfRange { path, start: 2, end: 4, len: 3 }) => assert_eq!(path, other),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_cut_by_others_is_an_error_and_no_crash() {
    let on = Bench::new();
    fs::write(&on.path, vec![1; 100_000]).unwrap();
    let mut file = SpliceFile::open(&on.path).unwrap();
    file.insert(0, "new").unwrap();
    fs::OpenOptions::new().write(true).open(&on.path).unwrap().set_len(10).unwrap();
    match file.read_exact_at(&mut [0; 100], 50_000) {
        Err(Error::Changed { what, .. }) => {
            assert_eq!(what, "its length went from 100000 to 10 bytes");
        }
        other => panic!("{other:?}"),
    }
    let mut chunks = file.chunks(..).unwrap();
    assert!(chunks.any(|chunk| matches!(chunk, Err(Error::Changed { .. }))));
    assert!(chunks.next().is_none());
    let error = file.reader().read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.get_ref().unwrap().is::<Error>());
    assert!(matches!(
        file.splice(0..0, Content::file(&on.path).unwrap()),
        Err(Error::Changed { .. })
    ));
    file.read_exact_at(&mut [0; 13], 0).unwrap();
}

#[test]
fn a_source_cut_by_others_is_an_error_and_no_crash() {
    let on = Bench::new();
    let other = on.at("other");
    fs::write(&other, vec![1; 100_000]).unwrap();
    let mut file = SpliceFile::open(&on.path).unwrap();
    file.splice(5..5, Content::file(&other).unwrap()).unwrap();
    fs::write(&other, "short").unwrap();
    match file.read_exact_at(&mut [0; 100], 50_000) {
        Err(Error::SourceChanged { path, .. }) => assert_eq!(path, other),
        outcome => panic!("{outcome:?}"),
    }
    fs::remove_file(&other).unwrap();
    match file.read_exact_at(&mut [0; 100], 50_000) {
        Err(Error::SourceChanged { what, .. }) => assert_eq!(what, "it was removed"),
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn a_reader_that_fails_changes_nothing() {
    let on = Bench::new();
    for memory_limit in [0, 100, 1 << 20] {
        let mut file = OpenOptions::new().memory_limit(memory_limit).open(&on.path).unwrap();
        file.insert(5, "abc").unwrap();
        let broken = io::repeat(7).take(300_000).chain(Broken);
        match file.splice(2..4, Content::reader(broken)) {
            Err(Error::Content { source, .. }) => assert_eq!(source.to_string(), "broken"),
            other => panic!("{other:?}"),
        }
        file.insert(8, "def").unwrap();
        assert_eq!(contents(&file), b"01234abcdef56789");
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("broken"))
    }
}

#[test]
fn no_room_for_added_bytes_changes_nothing() {
    let on = Bench::new();
    let options = OpenOptions::new().memory_limit(4).temporary_directory(on.at("missing"));
    let mut file = options.open(&on.path).unwrap();
    file.append("abcd").unwrap();
    match file.append("e") {
        Err(Error::Io { path, .. }) => assert_eq!(path, on.at("missing")),
        other => panic!("{other:?}"),
    }
    assert_eq!(contents(&file), b"0123456789abcd");
}
