//! A backup is the old file, wherever it comes from, and never takes the place of anything.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use bytesplice::{Cancel, Error, FileState, SpliceFile, Strategy, WorkOptions, support};

#[test]
fn it_holds_the_old_contents_permissions_and_times() {
    let directory = tempfile::tempdir().unwrap();
    let (path, backup) = (directory.path().join("data"), directory.path().join("data~"));
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let time = UNIX_EPOCH + Duration::new(1_000_000_000, 123_000_000);
    let times = FileTimes::new().set_modified(time).set_accessed(time);
    File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
    let has_attributes =
        rustix::fs::setxattr(&path, "user.colour", b"red", rustix::fs::XattrFlags::empty()).is_ok();

    let mut file = SpliceFile::open(&path).unwrap();
    file.insert(0, "new and ").unwrap();
    file.back_up(&backup, WorkOptions::new()).unwrap();
    file.commit().unwrap();

    assert_eq!(fs::read(&backup).unwrap(), b"old");
    assert_eq!(fs::read(&path).unwrap(), b"new and old");
    let found = fs::metadata(&backup).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o640);
    assert_eq!(found.modified().unwrap(), time);
    let mut value = [0; 8];
    let found = rustix::fs::getxattr(&backup, "user.colour", &mut value);
    assert_eq!(found.is_ok_and(|len| value[..len] == *b"red"), has_attributes);
}

#[test]
fn holes_stay_holes_and_progress_reaches_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let (path, backup) = (directory.path().join("data"), directory.path().join("data~"));
    let file = File::create(&path).unwrap();
    let islands = [(10 << 20, 20_000_000), (1 << 30, 5), ((8 << 30) - 7, 7)];
    for (offset, len) in islands {
        file.write_all_at(&vec![b'x'; len], offset).unwrap();
    }
    file.set_len(9 << 30).unwrap();
    let mut last = None;
    let mut progress = |now: bytesplice::Progress| last = Some(now);
    let options = WorkOptions::new().progress(&mut progress);
    let told = SpliceFile::open(&path).unwrap().back_up(&backup, options).unwrap();

    let (old, new) = (fs::metadata(&path).unwrap(), fs::metadata(&backup).unwrap());
    assert_eq!(old.len(), new.len());
    assert!(new.blocks() <= old.blocks() + 64, "{} and {} blocks", new.blocks(), old.blocks());
    let copy = File::open(&backup).unwrap();
    for (offset, len) in islands {
        let mut bytes = vec![0; len + 1];
        copy.read_exact_at(&mut bytes, offset).unwrap();
        assert!(bytes[..len].iter().all(|&byte| byte == b'x') && bytes[len] == 0);
    }
    assert!(told.shares_blocks || last.unwrap().bytes_done == 9 << 30);
    assert!(support(&backup).unwrap().has_holes);
}

#[test]
fn what_is_there_stays_and_what_failed_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (path, backup) = (directory.path().join("data"), directory.path().join("data~"));
    fs::write(&path, vec![7; 40 << 20]).unwrap();
    let file = SpliceFile::open(&path).unwrap();
    fs::write(&backup, "precious").unwrap();
    let error = file.back_up(&backup, WorkOptions::new()).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == backup), "{error}");
    assert_eq!(error.file_state(), FileState::Unchanged);
    assert_eq!(fs::read(&backup).unwrap(), b"precious");

    fs::remove_file(&backup).unwrap();
    let cancel = Cancel::new();
    cancel.request();
    match file.back_up(&backup, WorkOptions::new().cancel(&cancel)) {
        Err(Error::Cancelled { .. }) => assert!(!backup.exists()),
        // Blocks are shared in no time.
        outcome => assert!(outcome.unwrap().shares_blocks),
    }
}

#[test]
fn support_says_what_a_file_takes_and_why_a_strategy_cannot_be_had() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    fs::write(&path, vec![7; 1 << 20]).unwrap();
    let found = support(&path).unwrap();
    assert!(!found.has_holes && found.free_space > 0);
    let names = [
        Strategy::Journaled,
        Strategy::Snapshot,
        Strategy::Extents,
        Strategy::Replace,
        Strategy::Direct,
    ];
    assert!(found.strategies.iter().map(|(strategy, _)| *strategy).eq(names));
    let refused = |wanted| found.strategies.iter().any(|(it, why)| *it == wanted && why.is_some());
    assert_eq!(refused(Strategy::Snapshot), found.shares_blocks != Some(true));
    assert_eq!(refused(Strategy::Extents), found.shifts_extents != Some(true));
    // The same as a plan says.
    let mut file = SpliceFile::open(&path).unwrap();
    file.insert(0, "x").unwrap();
    for cost in file.plan().unwrap().costs {
        assert_eq!(refused(cost.strategy), cost.unavailable.is_some(), "{cost:?}");
    }
}
