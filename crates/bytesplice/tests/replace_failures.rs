//! Commits by replacing that fail, are refused or are killed: the old file stays, and nothing beside it for long.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use bytesplice::{
    Cancel, CommitOptions, Error, FileState, LockMode, OpenOptions, Recovery, SpliceFile, Strategy,
    recover, status,
};
use replacing::{Place, by_replacing, commit, is_root, names, numbers, set_attribute};

mod replacing;

#[test]
fn what_a_killed_commit_left_is_removed_by_the_next_open() {
    type Opening = fn(&Path);
    let openings: [Opening; 3] = [
        |path| drop(SpliceFile::open(path).unwrap()),
        |path| drop(OpenOptions::new().lock(LockMode::None).open(path).unwrap()),
        |path| assert_eq!(recover(path).unwrap(), Recovery::RolledBack),
    ];
    for open in openings {
        let place = Place::new("0123456789");
        for contents in ["", "half"] {
            fs::write(place.beside(), contents).unwrap();
            if !contents.is_empty() {
                set_attribute(&place.beside(), "user.bytesplice-new", b"unfinished");
            }
            let found = status(&place.path).unwrap();
            assert_eq!(found.replacement.as_deref(), Some(&*place.beside()));
            // Whoever only reads can and need not remove it.
            drop(OpenOptions::new().read_only(true).open(&place.path).unwrap());
            assert!(place.beside().exists());
            open(&place.path);
            assert_eq!(names(place.directory.path()), ["data"]);
            assert_eq!(status(&place.path).unwrap().replacement, None);
            assert_eq!(recover(&place.path).unwrap(), Recovery::Clean);
        }
        assert_eq!(place.contents(), "0123456789");
    }
}

#[test]
fn a_file_of_somebody_else_in_the_place_is_left_alone() {
    let place = Place::new("0123456789");
    let made: [fn(&Place); 4] = [
        |place| fs::write(place.beside(), "precious").unwrap(),
        |place| fs::create_dir(place.beside()).unwrap(),
        |place| std::os::unix::fs::symlink(place.at("elsewhere"), place.beside()).unwrap(),
        |place| {
            fs::write(place.at("linked"), "precious").unwrap();
            set_attribute(&place.at("linked"), "user.bytesplice-new", b"unfinished");
            fs::hard_link(place.at("linked"), place.beside()).unwrap();
        },
    ];
    for make in made {
        make(&place);
        let mut file = SpliceFile::open(&place.path).unwrap();
        file.append("x").unwrap();
        let error = commit(&mut file).unwrap_err();
        assert!(matches!(error, Error::StrategyUnsupported { .. }), "{error}");
        assert!(error.to_string().contains(".data.bytesplice-new"), "{error}");
        assert_eq!(error.file_state(), FileState::Unchanged);
        assert_eq!(place.contents(), "0123456789");
        let there = place.beside().symlink_metadata().unwrap();
        // The handle is as good as before.
        drop(file);
        if there.is_dir() {
            fs::remove_dir(place.beside()).unwrap();
        } else {
            fs::remove_file(place.beside()).unwrap();
        }
    }
}

#[test]
fn files_that_cannot_be_replaced() {
    let place = Place::new("0123456789");
    let file = fs::File::options().read(true).write(true).open(&place.path).unwrap();
    fs::remove_file(&place.path).unwrap();
    let mut nameless = SpliceFile::from_file(file).unwrap();
    nameless.append("x").unwrap();
    let error = commit(&mut nameless).unwrap_err();
    assert!(error.to_string().contains("no name"), "{error}");
    nameless.commit().unwrap();

    let place = Place::new("0123456789");
    let mut file = SpliceFile::open(&place.path).unwrap();
    file.append("x").unwrap();
    fs::write(&place.path, "others").unwrap();
    assert!(matches!(commit(&mut file), Err(Error::Changed { .. })));
    assert_eq!(names(place.directory.path()), ["data"]);
    assert_eq!(place.contents(), "others");
}

#[test]
fn a_cancelled_commit_leaves_the_old_file_and_nothing_else() {
    let old = numbers(8 << 20);
    let place = Place::new(&old);
    let mut file = SpliceFile::open(&place.path).unwrap();
    file.insert(5, "x").unwrap();
    let cancel = Cancel::new();
    let at_half = cancel.clone();
    let mut progress = |now: bytesplice::Progress| {
        if now.bytes_done > now.bytes_total / 2 {
            at_half.request();
        }
    };
    let options = by_replacing().progress(&mut progress).cancel(&cancel);
    let error = file.commit_with(options).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    assert_eq!(error.file_state(), FileState::Unchanged);
    assert!(fs::read(&place.path).unwrap() == old);
    assert_eq!(names(place.directory.path()), ["data"]);
    // The handle still has the edits.
    commit(&mut file).unwrap();
    assert_eq!(fs::metadata(&place.path).unwrap().len(), (8 << 20) + 1);
}

const JOB: &str = "BYTESPLICE_REPLACING_JOB";

/// What other processes do: the first letter says what, the rest is the path.
#[test]
fn other_process() {
    let Ok(job) = std::env::var(JOB) else { return };
    let path = Path::new(&job[1..]);
    let mut file = SpliceFile::open(path).unwrap();
    match &job[..1] {
        "k" => {
            file.insert(10, "four").unwrap();
            file.append(vec![b'#'; 100_000]).unwrap();
            println!("starting");
            commit(&mut file).unwrap();
        }
        "l" => {
            let limit = rustix::process::Rlimit { current: Some(2 << 20), maximum: None };
            rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
            file.append("x").unwrap();
            let error = commit(&mut file).unwrap_err();
            assert!(matches!(error, Error::SizeLimit { limit: 0x20_0000, .. }), "{error}");
            assert_eq!(error.file_state(), FileState::Unchanged);
            file.truncate(1 << 20).unwrap();
            commit(&mut file).unwrap();
        }
        "o" => {
            file.append("x").unwrap();
            let error = commit(&mut file).unwrap_err();
            println!("refused: {error}");
            assert!(matches!(error, Error::StrategyUnsupported { .. }), "{error}");
            assert_eq!(error.file_state(), FileState::Unchanged);
            file.commit_with(CommitOptions::new().strategy(Strategy::Direct)).unwrap();
        }
        other => panic!("{other}"),
    }
}

/// What the other user does who may write the file, but nothing beside it.
#[test]
fn process_without_a_writable_directory() {
    let Ok(path) = std::env::var("BYTESPLICE_LEFT_BESIDE") else { return };
    // An open goes on: the file is whole.
    drop(SpliceFile::open(&path).unwrap());
    let error = recover(&path).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(error.file_state(), FileState::Unchanged);
    let beside = Path::new(&path).with_file_name(".data.bytesplice-new");
    assert!(error.to_string().starts_with(&beside.display().to_string()), "{error}");
}

#[test]
fn a_recovery_says_what_it_cannot_remove() {
    let place = Place::new("0123456789");
    fs::write(place.beside(), "").unwrap();
    let outer = tempfile::tempdir().unwrap();
    let program = outer.path().join("program");
    // By a process of its own, for the same reason as below.
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let mut other = Command::new(&program);
    other.args(["--exact", "process_without_a_writable_directory", "--nocapture"]);
    other.env("BYTESPLICE_LEFT_BESIDE", place.path.canonicalize().unwrap());
    if is_root() {
        fs::set_permissions(outer.path(), Permissions::from_mode(0o755)).unwrap();
        for path in [&place.path, &place.beside()] {
            std::os::unix::fs::chown(path, Some(54_321), Some(54_321)).unwrap();
        }
        other.uid(54_321).gid(54_321);
    }
    fs::set_permissions(place.directory.path(), Permissions::from_mode(0o555)).unwrap();
    let output = other.output().unwrap();
    fs::set_permissions(place.directory.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(place.beside().exists());
}

fn process(kind: char, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "other_process", "--nocapture"])
        .env(JOB, format!("{kind}{}", path.display()))
        .stdout(Stdio::piped());
    command
}

#[test]
fn the_size_limit_is_an_error_and_not_a_signal() {
    let place = Place::new(vec![b'a'; 3 << 20]);
    let output = process('l', &place.path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::metadata(&place.path).unwrap().len(), 1 << 20);
    assert_eq!(names(place.directory.path()), ["data"]);
}

#[test]
fn an_owner_or_group_that_cannot_be_kept_is_refused() {
    if !is_root() {
        return println!("SKIPPED: needs root, to be two users");
    }
    let place = Place::new("0123456789");
    let everybody = Permissions::from_mode(0o777);
    fs::set_permissions(place.directory.path(), everybody).unwrap();
    fs::set_permissions(&place.path, Permissions::from_mode(0o666)).unwrap();
    for (owner, group, says) in [(0, 0, "owner, user 0"), (54_321, 0, "group 0")] {
        std::os::unix::fs::chown(&place.path, Some(owner), Some(group)).unwrap();
        // A copy of the program, where the other user can run it.
        let program = place.at("program");
        // By a process of its own: a descriptor open for writing, inherited by a child of another test, would make
        // starting the copy fail with "text file busy".
        let copied =
            Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
        assert!(copied.unwrap().success());
        let mut other = Command::new(&program);
        other.args(["--exact", "other_process", "--nocapture"]).uid(54_321).gid(54_321);
        other.env(JOB, format!("o{}", place.path.display()));
        let output = other.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        assert!(said.contains(says), "{said}");
        fs::remove_file(&program).unwrap();
        assert_eq!(names(place.directory.path()), ["data"]);
    }
    assert_eq!(place.contents(), "0123456789xx");
}

fn start(path: &Path) -> Child {
    let mut child = process('k', path).spawn().unwrap();
    let mut said = Vec::new();
    let output = child.stdout.as_mut().unwrap();
    while !said.ends_with(b"starting\n") {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    child
}

#[test]
fn every_killed_commit_is_old_or_new_at_once() {
    let old = numbers(16 << 20);
    let mut new = old.clone();
    new.splice(10..10, *b"four");
    new.extend(vec![b'#'; 100_000]);
    let place = Place::new(&old);
    let begin = Instant::now();
    assert!(start(&place.path).wait().unwrap().success());
    let whole = begin.elapsed();
    let (mut kills, mut stale, mut became_new) = (0, 0, 0);
    for attempt in 0..60 {
        fs::write(&place.path, &old).unwrap();
        let mut child = start(&place.path);
        let share = f64::from(attempt) * 0.618_034 % 1.0;
        let until = Instant::now() + whole.mul_f64(share);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        kills += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        // Before any recovery.
        let seen = fs::read(&place.path).unwrap();
        assert!(seen == old || seen == new, "neither old nor new");
        became_new += u32::from(seen == new);
        let left = status(&place.path).unwrap().replacement.is_some();
        stale += u32::from(left);
        let expected = if left { Recovery::RolledBack } else { Recovery::Clean };
        assert_eq!(recover(&place.path).unwrap(), expected);
        assert_eq!(names(place.directory.path()), ["data"]);
        assert!(fs::read(&place.path).unwrap() == seen);
    }
    println!("{kills} killed; {became_new} new, {stale} left something that recovery removed");
    assert!(kills > 10 && stale > 5);
}
