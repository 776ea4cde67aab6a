//! Other processes append to a file while it is committed: every line of them is kept, or the commit is refused.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytesplice::{CommitOptions, Error, FileState, Progress, SpliceFile, Strategy};

const LEN: usize = 6 << 20;

fn lines(len: usize) -> Vec<u8> {
    let lines = (0_u32..).flat_map(|number| format!("line {number:08} of a log\n").into_bytes());
    lines.take(len / 25 * 25).collect()
}

/// Appends a line like `echo LINE >> log`: opens, writes, closes.
fn echo(path: &Path, number: u32) -> Vec<u8> {
    let line = format!("appended {number}\n").into_bytes();
    File::options().append(true).open(path).unwrap().write_all(&line).unwrap();
    line
}

/// Another process that keeps the file open for appending, and appends a line for each line that it is given.
struct Holder {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Holder {
    fn of(path: &Path) -> Self {
        let script =
            "exec 3>>\"$0\"; echo open; while read line; do echo \"$line\" >&3; echo done; done";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut holder = Self { child, answers };
        holder.wait_for_answer();
        holder
    }

    fn append(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.wait_for_answer();
    }

    fn wait_for_answer(&mut self) {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Removes a range by a strategy, and does something at every report of progress.
fn remove(
    path: &Path,
    range: std::ops::Range<u64>,
    strategy: Strategy,
    mut each: impl FnMut(Progress),
) -> Result<(), Error> {
    let mut file = SpliceFile::open(path)?;
    file.remove(range)?;
    file.commit_with(CommitOptions::new().strategy(strategy).progress(&mut each))
}

#[test]
fn a_line_appended_while_a_removal_commits_is_kept() {
    for strategy in [Strategy::Journaled, Strategy::Direct, Strategy::Auto] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let old = lines(LEN);
        // Bytes that move by less than what is appended, and by more.
        for removed in [5, 2 << 20] {
            fs::write(&path, &old).unwrap();
            let mut appended = Vec::new();
            let mut begun = false;
            let outcome = remove(&path, 0..removed, strategy, |now| {
                // Past the commit point, where appending does not end the commit.
                if now.bytes_done > now.bytes_total / 2 {
                    begun = true;
                    appended.extend(echo(&path, appended.len() as u32));
                }
            });
            outcome.unwrap_or_else(|error| panic!("{strategy} {removed}: {error}"));
            assert!(begun && !appended.is_empty());
            let expected = [&old[removed as usize..], &appended].concat();
            assert!(fs::read(&path).unwrap() == expected, "{strategy} {removed}: lines are lost");
        }
    }
}

#[test]
fn a_file_that_others_hold_open_is_not_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let old = lines(LEN);
    fs::write(&path, &old).unwrap();
    let mut holder = Holder::of(&path);
    for strategy in [Strategy::Journaled, Strategy::Direct, Strategy::Replace] {
        let error = remove(&path, 0..5, strategy, |_| {}).unwrap_err();
        assert!(
            matches!(&error, Error::OpenForWriting { writers, .. } if writers.contains("sh (process")),
            "{error}"
        );
        assert_eq!(error.file_state(), FileState::Unchanged);
        assert!(fs::read(&path).unwrap() == old);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
    // Insertions end without a cut.
    let mut file = SpliceFile::open(&path).unwrap();
    file.insert(0, "first\n").unwrap();
    let mut appended = Vec::new();
    let mut each = |now: Progress| {
        if now.bytes_done > now.bytes_total / 2 {
            holder.append("held");
            appended.extend_from_slice(b"held\n");
        }
    };
    file.commit_with(CommitOptions::new().strategy(Strategy::Journaled).progress(&mut each))
        .unwrap();
    assert!(!appended.is_empty());
    drop(file);
    assert!(fs::read(&path).unwrap() == [b"first\n", &old[..], &appended].concat());
    // Who takes the risk gets the removal.
    let mut file = SpliceFile::open(&path).unwrap();
    file.remove(0..6).unwrap();
    let options = CommitOptions::new().strategy(Strategy::Journaled).allow_writers(true);
    file.commit_with(options).unwrap();
    assert!(fs::read(&path).unwrap() == [&old[..], &appended].concat());
}

#[test]
fn a_hop_removes_bytes_of_a_file_that_others_hold_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    fs::write(&path, "x").unwrap();
    if bytesplice::support(&path).unwrap().shifts_extents != Some(true) {
        return println!("SKIPPED a hop beside a writer: extents cannot be shifted here");
    }
    for removed in [5, 3 << 20] {
        let old = lines(LEN);
        fs::write(&path, &old).unwrap();
        let mut holder = Holder::of(&path);
        let mut appended = Vec::new();
        let outcome = remove(&path, 100..100 + removed, Strategy::Auto, |now| {
            if now.bytes_done > now.bytes_total / 2 {
                holder.append("held");
                appended.extend_from_slice(b"held\n");
            }
        });
        outcome.unwrap_or_else(|error| panic!("{removed}: {error}"));
        assert!(!appended.is_empty());
        let mut expected = old;
        expected.drain(100..100 + removed as usize);
        expected.extend(appended);
        assert!(fs::read(&path).unwrap() == expected, "{removed}: lines are lost");
    }
}
