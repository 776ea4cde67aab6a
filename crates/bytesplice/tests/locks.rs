//! File systems without flock: processes exclude each other by locks of open file descriptions, and without those nobody
//! commits. A child, this test binary again, lets the system refuse the calls to itself.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytesplice::{Error, LockKind, OpenOptions, SpliceFile, recover, status};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// Lets flock, and if `all` locks of open file descriptions too, fail as on file systems that have none.
fn refuse_locks(all: bool) {
    let command = |number: i32| {
        let equal = SeccompCmpOp::Eq;
        let condition =
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, equal, number as u64).unwrap();
        SeccompRule::new(vec![condition]).unwrap()
    };
    let mut rules = std::collections::BTreeMap::from([(libc::SYS_flock, vec![])]);
    if all {
        let of_descriptions = vec![command(libc::F_OFD_SETLK), command(libc::F_OFD_SETLKW)];
        rules.insert(libc::SYS_fcntl, of_descriptions);
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EOPNOTSUPP as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    apply_filter(&BpfProgram::try_from(filter.unwrap()).unwrap()).unwrap();
}

/// What the children do.
#[test]
fn child() {
    let Some(role) = std::env::var_os("LOCKS_ROLE") else { return };
    let path = std::env::var_os("LOCKS_PATH").unwrap();
    refuse_locks(role == "none");
    let kind = status(&path).unwrap().lock_kind;
    match role.to_str().unwrap() {
        "hold" => {
            let file = SpliceFile::open(&path).unwrap();
            println!("held {kind}");
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            drop(file);
        }
        "try" => match recover(&path) {
            Ok(_) => println!("free {kind}"),
            Err(Error::Locked { .. }) => println!("locked {kind}"),
            Err(error) => println!("{error}"),
        },
        "none" => {
            let refused = |outcome: Result<(), Error>| {
                assert!(matches!(outcome, Err(Error::NoLocks { .. })), "{outcome:?}");
            };
            assert_eq!(kind, LockKind::None);
            refused(recover(&path).map(drop));
            refused(SpliceFile::open(&path).map(drop));
            // Who only reads can do no harm.
            let file = OpenOptions::new().read_only(true).open(&path).unwrap();
            assert_eq!(file.len(), 8);
            println!("refused {kind}");
        }
        other => panic!("{other}"),
    }
}

fn start(role: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads=1", "--nocapture"])
        .env("LOCKS_ROLE", role)
        .env("LOCKS_PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child says of the lock, among the words of the test harness.
fn answer(child: &mut Child) -> String {
    let words = ["held ", "free ", "locked ", "refused "];
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    for line in lines {
        if let Some(at) = words.iter().find_map(|word| line.find(word)) {
            return line[at..].to_owned();
        }
    }
    panic!("the child said nothing of the lock");
}

fn tried(role: &str, path: &Path) -> String {
    let mut child = start(role, path);
    let answer = answer(&mut child);
    drop(child.stdin.take());
    child.wait().unwrap();
    answer
}

#[test]
fn without_flock_open_file_descriptions_are_locked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    std::fs::write(&path, "contents").unwrap();
    assert_eq!(status(&path).unwrap().lock_kind, LockKind::Flock);
    let mut holder = start("hold", &path);
    assert_eq!(answer(&mut holder), "held open-file-description");
    assert_eq!(tried("try", &path), "locked open-file-description");
    // A kill leaves nothing behind.
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(tried("try", &path), "free open-file-description");
}

#[test]
fn without_any_lock_nothing_is_committed_or_recovered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    std::fs::write(&path, "contents").unwrap();
    assert_eq!(tried("none", &path), "refused none");
}
