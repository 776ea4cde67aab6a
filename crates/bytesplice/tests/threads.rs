//! Commits and recoveries where the system permits no thread: `RLIMIT_NPROC` is 0, which the kernel holds against every
//! user but root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use bytesplice::{
    Cancel, CommitOptions, Durability, Error, FileState, Recovery, SpliceFile, Strategy, recover,
};
use rustix::process::{Resource, Rlimit, geteuid, setrlimit};

/// Several steps of a journaled commit, and more than a reading thread waits for.
const LEN: usize = 40 << 20;
const PATH: &str = "BYTESPLICE_THREADLESS_PATH";
const JOB: &str = "BYTESPLICE_THREADLESS_JOB";

fn old() -> Vec<u8> {
    (0..LEN as u64 / 8).flat_map(|number| (number * 0x9E37_79B9).to_le_bytes()).collect()
}

fn new() -> Vec<u8> {
    let mut contents = old();
    contents.splice(10..10, *b"inserted");
    contents
}

fn edited(path: &Path) -> SpliceFile {
    let mut file = SpliceFile::open(path).unwrap();
    file.insert(10, "inserted").unwrap();
    file
}

fn forbid_threads() {
    setrlimit(Resource::Nproc, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    assert!(thread::Builder::new().spawn(|| ()).is_err(), "the limit forbids no thread");
}

/// What the process without threads does.
#[test]
fn process_without_threads() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let path = Path::new(&path);
    let job = std::env::var(JOB).unwrap();
    if job == "recover" {
        forbid_threads();
        assert_eq!(recover(path).unwrap(), Recovery::Completed);
        return;
    }
    let (name, durability) = match job.split_once(' ') {
        Some((name, _)) => (name, Durability::Unsynced),
        None => (&*job, Durability::Synced),
    };
    let mut file = edited(path);
    forbid_threads();
    let options = CommitOptions::new().strategy(name.parse().unwrap()).durability(durability);
    match file.commit_with(options) {
        Err(Error::StrategyUnsupported { .. }) => println!("not offered here"),
        outcome => outcome.unwrap(),
    }
}

/// Runs the job as a user that the limit is held against; returns what it printed.
fn without_threads(directory: &Path, path: &Path, job: &str) -> String {
    // A copy of the program, where the other user can run it. It is made by another process: a descriptor open for
    // writing, inherited by a child of another test, would make starting the copy fail with "text file busy".
    let program = directory.join("program");
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let mut command = Command::new(&program);
    command.args(["--exact", "process_without_threads", "--test-threads=1", "--nocapture"]);
    command.env(PATH, path).env(JOB, job);
    if geteuid().is_root() {
        for path in [directory, path.parent().unwrap()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
            std::os::unix::fs::chown(entry.unwrap().path(), Some(65534), Some(65534)).unwrap();
        }
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{job}: {output:?}");
    fs::remove_file(&program).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn commits_without_threads() {
    for job in ["journaled", "snapshot", "extents", "replace", "auto", "direct", "direct unsynced"]
    {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        let path = inner.join("data");
        fs::create_dir(&inner).unwrap();
        fs::write(&path, old()).unwrap();
        let said = without_threads(directory.path(), &path, job);
        let expected = if said.contains("not offered here") { old() } else { new() };
        assert!(fs::read(&path).unwrap() == expected, "{job}");
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "{job}: something is left");
    }
}

#[test]
fn a_recovery_without_threads() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    let path = inner.join("data");
    fs::create_dir(&inner).unwrap();
    fs::write(&path, old()).unwrap();
    let mut file = edited(&path);
    let cancel = Cancel::new();
    let at_once = cancel.clone();
    // The commit stops past its commit point, with most of its steps still to do.
    let mut progress = |_| {
        if at_once.is_past_commit_point() {
            at_once.request_at_once();
        }
    };
    let options = CommitOptions::new().strategy(Strategy::Journaled);
    let error = file.commit_with(options.progress(&mut progress).cancel(&cancel)).unwrap_err();
    assert!(matches!(error.file_state(), FileState::Recoverable { .. }), "{error}");
    drop(file);
    without_threads(directory.path(), &path, "recover");
    assert!(fs::read(&path).unwrap() == new());
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "something is left");
}
