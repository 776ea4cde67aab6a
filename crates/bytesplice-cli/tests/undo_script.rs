//! `--undo-script`: on disk before the commit begins, and gone if there was none. Real processes, real kills.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LEN: usize = 24 << 20;
const ROUNDS: u32 = 40;

fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bytesplice"));
    command.current_dir(directory).args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    program(directory, arguments).output().unwrap()
}

fn old() -> Vec<u8> {
    (0..LEN as u64 / 8).flat_map(|n| (n * n).to_le_bytes()).collect()
}

#[test]
fn whoever_is_killed_has_the_old_file_or_the_way_back() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (data, undo) = (directory.join("data"), directory.join("undo"));
    let old = old();
    let mut new = old.clone();
    new.splice(5..LEN / 2, *b"something else");
    // Half of the file, so that the script takes its time as the commit does.
    let (end, text) = (format!("5..{}", LEN / 2), "something else");
    let arguments = [
        "replace",
        "data",
        &end,
        "--text",
        text,
        "--undo-script",
        "undo",
        "--strategy",
        "journaled",
    ];
    let (mut was_old, mut was_new, mut was_cut_short) = (0, 0, 0);
    let mut longest = Duration::ZERO;
    for round in 0..ROUNDS {
        fs::write(&data, &old).unwrap();
        let _ = fs::remove_file(&undo);
        let begin = Instant::now();
        let mut child = program(directory, &arguments).spawn().unwrap();
        if round == 0 {
            // How long it takes if nobody kills it.
            assert!(child.wait().unwrap().success());
            longest = begin.elapsed();
        } else {
            // At moments as irregular as they are the same in every run.
            sleep(longest * (round.wrapping_mul(2_654_435_761) >> 16) / 65_536);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let journal = directory.join(".data.bytesplice");
        let had_journal = journal.exists();
        if had_journal {
            // A commit begins with its journal, and the script was complete before.
            assert!(undo.exists(), "round {round}");
        }
        let recovered = run(directory, &["recover", "data"]);
        assert!(recovered.status.success(), "round {round}: {recovered:?}");
        let found = fs::read(&data).unwrap();
        if found == old {
            was_old += 1;
        } else {
            assert!(found == new, "round {round}: neither old nor new");
            was_new += 1;
            was_cut_short += u32::from(had_journal);
            let undone = run(directory, &["apply", "data", "undo"]);
            assert!(undone.status.success(), "round {round}: {undone:?}");
            assert!(fs::read(&data).unwrap() == old, "round {round}");
        }
        if had_journal && found == old {
            // Complete as well: it turns what the commit would have made into the old file.
            fs::write(&data, &new).unwrap();
            let undone = run(directory, &["apply", "data", "undo"]);
            assert!(undone.status.success(), "round {round}: {undone:?}");
            assert!(fs::read(&data).unwrap() == old, "round {round}");
        }
    }
    println!("killed {ROUNDS} times: {was_old} old, {was_new} new, {was_cut_short} by recovery");
    assert!(was_old > 0 && was_new > 0);
}

#[test]
fn a_commit_that_fails_takes_its_undo_script_along() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    // A file size limit stops the commit after the script was written: 64 KiB are enough for that, not for the file.
    fs::write(directory.join("data"), vec![7; 300 << 10]).unwrap();
    let shell = "ulimit -f 64; exec \"$0\" \"$@\"";
    let outcome = Command::new("bash")
        .current_dir(directory)
        .args(["-c", shell, env!("CARGO_BIN_EXE_bytesplice"), "insert", "data", "1"])
        .args(["--text", "x", "--undo-script", "undo"])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.status.code(), Some(7), "{message}");
    assert!(message.contains("limit"), "{message}");
    assert!(!directory.join("undo").exists(), "{message}");
    assert!(fs::read(directory.join("data")).unwrap() == vec![7; 300 << 10]);
}
