//! Commits of real files, against a `Vec<u8>`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use bytesplice::{
    ChosenStrategy, CommitOptions, Content, Durability, LockMode, OpenOptions, SpliceFile,
    Strategy as CommitStrategy,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Fsyncs of a disk would take the time of these tests; what they are for, the simulator tests.
fn memory_directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_job() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    fs::write(&path, "0000111122223333444455556666777788889999").unwrap();

    let mut file = SpliceFile::open(&path).unwrap();
    file.remove(4..8).unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"000022223333444455556666777788889999");
    file.insert(4, "AAAA").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"0000AAAA22223333444455556666777788889999");
    file.replace(10..20, "any length").unwrap();
    file.replace(10..20, "").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"0000AAAA2255556666777788889999");
    drop(file);
    assert_eq!(names(directory.path()), ["data"]);
}

#[test]
fn inode_mode_and_hard_links_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("data"), directory.path().join("link"));
    fs::write(&path, vec![b'x'; 100_000]).unwrap();
    fs::hard_link(&path, &link).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&path).unwrap();
    for strategy in [CommitStrategy::Journaled, CommitStrategy::Direct] {
        let mut file = SpliceFile::open(&path).unwrap();
        file.insert(10, "1234").unwrap();
        file.commit_with(CommitOptions::new().strategy(strategy)).unwrap();
    }
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (before.ino(), before.mode(), before.nlink()),
        (after.ino(), after.mode(), after.nlink())
    );
    assert_eq!(fs::read(&link).unwrap(), fs::read(&path).unwrap());
    assert_eq!(after.len(), 100_008);
    assert_eq!(names(directory.path()), ["data", "link"]);
}

#[test]
fn a_file_inserted_into_itself() {
    let directory = memory_directory();
    let contents: Vec<u8> = (0..50_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    for strategy in [CommitStrategy::Journaled, CommitStrategy::Direct] {
        for (name, how) in [("itself", 0), ("hard link", 1), ("symlink", 2)] {
            let path = directory.path().join(name);
            fs::write(&path, &contents).unwrap();
            let from = directory.path().join("from");
            let _ = fs::remove_file(&from);
            match how {
                0 => {}
                1 => fs::hard_link(&path, &from).unwrap(),
                _ => std::os::unix::fs::symlink(&path, &from).unwrap(),
            }
            let mut file = SpliceFile::open(&path).unwrap();
            let content = Content::file(if how == 0 { &path } else { &from }).unwrap();
            file.splice(100..100, content).unwrap();
            file.splice(7..7, Content::copy(90..1000)).unwrap();
            file.commit_with(CommitOptions::new().strategy(strategy)).unwrap();
            let mut expected = contents.clone();
            expected.splice(100..100, contents.iter().copied());
            let copied = expected[90..1000].to_vec();
            expected.splice(7..7, copied);
            assert!(fs::read(&path).unwrap() == expected, "{name} with {strategy}");
            fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn long_moves_that_are_read_ahead() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    // Every four bytes are there once.
    let mut old: Vec<u8> = (0..6_u32 << 20).flat_map(u32::to_le_bytes).collect();
    old.extend_from_slice(b"the end");
    for (at, removed, inserted) in [(10, 0, 4), (10, 4, 0), (10, 0, 5000), (4096, 300_000, 1)] {
        fs::write(&path, &old).unwrap();
        let mut file = SpliceFile::open(&path).unwrap();
        // Moves to both sides, with new bytes amid one of them.
        file.replace(at..at + removed, vec![b'n'; inserted as usize]).unwrap();
        file.insert(9 << 20, "amid").unwrap();
        let end = file.len() - 100;
        file.remove(end..end + 50).unwrap();
        let options =
            CommitOptions::new().strategy(CommitStrategy::Direct).durability(Durability::Unsynced);
        file.commit_with(options).unwrap();

        let mut new = old.clone();
        new.splice(at as usize..(at + removed) as usize, vec![b'n'; inserted as usize]);
        new.splice(9 << 20..9 << 20, *b"amid");
        new.drain(end as usize..end as usize + 50);
        assert!(fs::read(&path).unwrap() == new, "{removed} replaced by {inserted} at {at}");
    }
}

#[test]
fn from_and_to_nothing() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    let mut file = OpenOptions::new().create(true).open(&path).unwrap();
    assert!(file.is_empty());
    file.commit().unwrap();
    file.append("grown").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"grown");
    file.replace(4..5, "N").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"growN");
    file.truncate(0).unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(names(directory.path()), ["data"]);
}

#[test]
fn files_without_a_name_go_direct() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    fs::write(&path, "0123456789").unwrap();
    let original = fs::OpenOptions::new().read(true).append(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let mut file = SpliceFile::from_file(original.try_clone().unwrap()).unwrap();
    file.remove(2..5).unwrap();
    assert_eq!(file.plan().unwrap().strategy, ChosenStrategy::Direct);
    file.commit().unwrap();
    let mut contents = [0; 7];
    std::os::unix::fs::FileExt::read_exact_at(&original, &mut contents, 0).unwrap();
    assert_eq!(&contents, b"0156789");
}

#[test]
fn plans_say_what_commits_cost() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    fs::write(&path, vec![7; 40 << 20]).unwrap();
    let mut file = SpliceFile::open(&path).unwrap();
    assert_eq!(file.plan().unwrap().strategy, ChosenStrategy::Nothing);
    file.replace(5..9, "same").unwrap();
    let plan = file.plan().unwrap();
    assert_eq!((plan.strategy, plan.bytes_to_write), (ChosenStrategy::Journaled, 4096));
    file.insert(10, "four").unwrap();
    let plan = file.plan().unwrap();
    assert_eq!(plan.strategy, ChosenStrategy::Journaled);
    assert_eq!((plan.bytes_staying, plan.bytes_new), (6, 8));
    assert_eq!(plan.bytes_moved, (40 << 20) - 10);
    // Everything is written twice, and two chunks of 16 MiB in advance.
    let written = plan.bytes_to_write + plan.bytes_to_journal;
    assert!(written.abs_diff(2 * plan.bytes_moved + (32 << 20)) < 1 << 20);
    let direct = file.plan_with(&CommitOptions::new().strategy(CommitStrategy::Direct)).unwrap();
    assert_eq!(
        (direct.strategy, direct.bytes_to_journal, direct.extra_disk),
        (ChosenStrategy::Direct, 0, 0)
    );
    // A shift that is longer than a step needs nothing saved.
    file.discard();
    file.splice(0..0, Content::fill(b'-', 20 << 20)).unwrap();
    assert!(file.plan().unwrap().bytes_to_journal < 1 << 20);
    file.commit().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 60 << 20);
}

#[test]
fn a_commit_that_runs_is_not_one_that_was_cut_short() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    fs::write(&path, vec![b'x'; 100_000]).unwrap();
    let mut file = OpenOptions::new().lock(LockMode::None).open(&path).unwrap();
    file.insert(10, "new").unwrap();
    let before = bytesplice::status(&path).unwrap();
    assert!(!before.locked && !before.is_being_written() && !before.needs_recovery());
    let mut seen = 0;
    let mut progress = |_| {
        let now = bytesplice::status(&path).unwrap();
        assert!(now.locked && !now.needs_recovery());
        seen += u32::from(now.is_being_written());
    };
    file.commit_with(CommitOptions::new().progress(&mut progress)).unwrap();
    assert!(seen > 0);
    let after = bytesplice::status(&path).unwrap();
    assert!(!after.locked && !after.is_being_written() && !after.needs_recovery());
}

#[test]
fn progress_reaches_its_total() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    fs::write(&path, vec![7; 20 << 20]).unwrap();
    for strategy in [CommitStrategy::Journaled, CommitStrategy::Direct] {
        let mut file = SpliceFile::open(&path).unwrap();
        file.remove(100..1000).unwrap();
        file.append("tail").unwrap();
        let mut last = (0, 0);
        let mut progress = |progress: bytesplice::Progress| {
            assert!(progress.bytes_done >= last.0);
            last = (progress.bytes_done, progress.bytes_total);
        };
        file.commit_with(CommitOptions::new().strategy(strategy).progress(&mut progress)).unwrap();
        assert_eq!(last.0, last.1, "{strategy}");
        assert!(last.1 >= 19 << 20);
    }
}

/// One operation on a file of whatever length it then has.
#[derive(Debug, Clone)]
enum Op {
    Replace(prop::sample::Index, usize, Vec<u8>),
    Fill(prop::sample::Index, usize, u8, usize),
    Copy(prop::sample::Index, usize, prop::sample::Index, usize),
    OtherFile(prop::sample::Index, usize, prop::sample::Index, usize),
    Truncate(prop::sample::Index),
    Append(Vec<u8>),
    Commit(bool),
    Discard,
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<prop::sample::Index>;
    let len = || prop_oneof![4 => 0..40_usize, 2 => 0..9000_usize, 1 => Just(4096_usize)];
    let bytes = || {
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..40),
            1 => (any::<u8>(), 0..9000_usize).prop_map(|(byte, count)| vec![byte; count]),
        ]
    };
    prop_oneof![
        8 => (at(), len(), bytes()).prop_map(|(at, len, bytes)| Op::Replace(at, len, bytes)),
        2 => (at(), len(), any::<u8>(), len()).prop_map(|(at, len, byte, count)| Op::Fill(at, len, byte, count)),
        2 => (at(), len(), at(), len()).prop_map(|(at, len, from, count)| Op::Copy(at, len, from, count)),
        1 => (at(), len(), at(), len()).prop_map(|(at, len, from, count)| Op::OtherFile(at, len, from, count)),
        1 => at().prop_map(Op::Truncate),
        2 => bytes().prop_map(Op::Append),
        3 => any::<bool>().prop_map(Op::Commit),
        1 => Just(Op::Discard),
    ]
}

/// A place in `0..=len`, and the end of `count` bytes from there, at most `len`.
fn clip(at: prop::sample::Index, count: usize, len: usize) -> std::ops::Range<usize> {
    let start = at.index(len + 1);
    start..(start + count).min(len)
}

fn as_u64(range: &std::ops::Range<usize>) -> std::ops::Range<u64> {
    range.start as u64..range.end as u64
}

thread_local! {
    static PLACE: tempfile::TempDir = memory_directory();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        // Shrunken failures are kept beside this file, to be committed.
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_operations_with_commits_and_reopens(
        start in prop_oneof![Just(0_usize), 0..60_usize, 0..30_000_usize],
        ops in prop::collection::vec(op(), 1..8),
        more in prop::collection::vec(op(), 0..5),
    ) {
        let place = PLACE.with(|place| place.path().to_path_buf());
        let (path, other) = (place.join("data"), place.join("other"));
        let mut model: Vec<u8> = (0..start).map(|number| (number * 31 % 251) as u8).collect();
        let elsewhere: Vec<u8> = (0..5000_usize).map(|number| (number % 13) as u8 + b'a').collect();
        fs::write(&path, &model).unwrap();
        if !other.exists() {
            fs::write(&other, &elsewhere).unwrap();
        }
        let mut saved = model.clone();
        let mut file = SpliceFile::open(&path).unwrap();
        // At least one commit and reopen in the middle.
        for op in ops.into_iter().chain([Op::Commit(true)]).chain(more).chain([Op::Commit(false)]) {
            match op {
                Op::Replace(at, len, bytes) => {
                    let range = clip(at, len, model.len());
                    file.replace(as_u64(&range), &bytes).unwrap();
                    model.splice(range, bytes);
                }
                Op::Fill(at, len, byte, count) => {
                    let range = clip(at, len, model.len());
                    file.splice(as_u64(&range), Content::fill(byte, count as u64)).unwrap();
                    model.splice(range, std::iter::repeat_n(byte, count));
                }
                Op::Copy(at, len, from, count) => {
                    let (range, from) = (clip(at, len, model.len()), clip(from, count, model.len()));
                    file.splice(as_u64(&range), Content::copy(as_u64(&from))).unwrap();
                    let bytes = model[from].to_vec();
                    model.splice(range, bytes);
                }
                Op::OtherFile(at, len, from, count) => {
                    let range = clip(at, len, model.len());
                    let from = clip(from, count, elsewhere.len());
                    file.splice(as_u64(&range), Content::file_range(&other, as_u64(&from)).unwrap()).unwrap();
                    model.splice(range, elsewhere[from].iter().copied());
                }
                Op::Truncate(at) => {
                    let len = at.index(model.len() + 1);
                    file.truncate(len as u64).unwrap();
                    model.truncate(len);
                }
                Op::Append(bytes) => {
                    file.append(&bytes).unwrap();
                    model.extend(bytes);
                }
                Op::Commit(reopen) => {
                    let strategy = if reopen { CommitStrategy::Journaled } else { CommitStrategy::Auto };
                    file.commit_with(CommitOptions::new().strategy(strategy)).unwrap();
                    prop_assert!(fs::read(&path).unwrap() == model, "the file differs from the model");
                    saved.clone_from(&model);
                    if reopen {
                        drop(file);
                        file = SpliceFile::open(&path).unwrap();
                    }
                }
                Op::Discard => {
                    file.discard();
                    model.clone_from(&saved);
                }
            }
            prop_assert_eq!(file.len(), model.len() as u64);
        }
        let mut contents = vec![0; model.len()];
        file.read_exact_at(&mut contents, 0).unwrap();
        prop_assert!(contents == model);
        prop_assert_eq!(names(&place), ["data", "other"]);
    }

    #[test]
    fn direct_commits_too(
        start in 0..30_000_usize,
        splices in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..9000_usize, 0..9000_usize, any::<bool>(), any::<prop::sample::Index>()),
            1..6,
        ),
    ) {
        let place = PLACE.with(|place| place.path().to_path_buf());
        let path = place.join("direct");
        let mut model: Vec<u8> = (0..start).map(|number| (number * 31 % 251) as u8).collect();
        fs::write(&path, &model).unwrap();
        let mut file = SpliceFile::open(&path).unwrap();
        for (at, len, count, copy, from) in splices {
            let range = clip(at, len, model.len());
            if copy {
                let from = clip(from, count, model.len());
                file.splice(as_u64(&range), Content::copy(as_u64(&from))).unwrap();
                let bytes = model[from].to_vec();
                model.splice(range, bytes);
            } else {
                file.splice(as_u64(&range), Content::fill(b'!', count as u64)).unwrap();
                model.splice(range, std::iter::repeat_n(b'!', count));
            }
        }
        let options = CommitOptions::new().strategy(CommitStrategy::Direct).durability(Durability::Unsynced);
        file.commit_with(options).unwrap();
        let contents = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        prop_assert!(contents == model);
    }
}
