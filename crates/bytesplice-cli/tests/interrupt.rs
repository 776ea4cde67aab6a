//! Ctrl-C while a commit runs: real processes, real signals.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const LEN: usize = 96 << 20;

/// How a commit ended that was sent signals.
struct Ended {
    code: Option<i32>,
    message: String,
}

/// The command line as a terminal starts it. A shell that starts the tests in the background has
/// SIGINT ignored, and `nohup` SIGHUP, which children inherit.
fn program(directory: &Path) -> Command {
    let mut command = Command::new("env");
    command
        .current_dir(directory)
        .args(["--default-signal=INT,HUP", env!("CARGO_BIN_EXE_bytesplice")]);
    command
}

fn old() -> Vec<u8> {
    (0..LEN as u64 / 8).flat_map(u64::to_le_bytes).collect()
}

/// Starts to insert the contents of `more` at 1, and waits until `ready`.
fn start(directory: &Path, more: &str, ready: impl Fn() -> bool) -> Child {
    let mut child = program(directory)
        .args(["insert", "data", "1", "--from", more, "--strategy", "journaled"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !ready() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_micros(200));
    }
    child
}

fn send(child: &Child, signal: Signal) {
    let id = Pid::from_child(child);
    // It may be over already, but is not reaped.
    let _ = kill_process(id, signal);
}

fn end(mut child: Child) -> Ended {
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    Ended { code: child.wait().unwrap().code(), message }
}

/// The state that `status --json` tells.
fn state(directory: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bytesplice"));
    let output =
        command.current_dir(directory).args(["status", "data", "--json"]).output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    object["journal"]["state"].as_str().unwrap_or_default().into()
}

/// Tries until a signal arrived in time.
fn until(what: &str, mut attempt: impl FnMut(&Path) -> bool) {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("data"), old()).unwrap();
        fs::write(directory.path().join("little"), "new").unwrap();
        fs::write(directory.path().join("much"), old()).unwrap();
        if attempt(directory.path()) {
            return;
        }
    }
    panic!("in 20 tries no signal came {what}");
}

fn spliced(more: &[u8]) -> Vec<u8> {
    let mut new = old();
    new.splice(1..1, more.iter().copied());
    new
}

#[test]
fn before_the_commit_point_the_file_stays_as_it_was() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        until("before the commit point", |directory| {
            let journal = directory.join(".data.bytesplice");
            let child = start(directory, "much", || journal.exists());
            send(&child, signal);
            let ended = end(child);
            let data = fs::read(directory.join("data")).unwrap();
            if ended.code == Some(0) {
                assert!(data == spliced(&old()));
                return false;
            }
            assert_eq!(ended.code, Some(code), "{}", ended.message);
            assert!(ended.message.starts_with("bytesplice: interrupted: "), "{}", ended.message);
            assert!(data == old());
            assert!(!journal.exists());
            true
        });
    }
}

#[test]
fn after_the_commit_point_the_commit_is_finished() {
    until("after the commit point", |directory| {
        let child = start(directory, "little", || state(directory) == "committing");
        send(&child, Signal::INT);
        let ended = end(child);
        assert_eq!(ended.code, Some(0), "{}", ended.message);
        assert!(fs::read(directory.join("data")).unwrap() == spliced(b"new"));
        ended.message.contains("past the point of no return: finishing")
    });
}

#[test]
fn the_second_signal_leaves_the_rest_to_recovery() {
    until("twice after the commit point", |directory| {
        let child = start(directory, "little", || state(directory) == "committing");
        send(&child, Signal::INT);
        sleep(Duration::from_millis(2));
        send(&child, Signal::INT);
        let ended = end(child);
        if ended.code == Some(0) {
            return false;
        }
        assert_eq!(ended.code, Some(8), "{}", ended.message);
        assert!(ended.message.contains("the next open finishes it"), "{}", ended.message);
        assert_eq!(state(directory), "committing");
        let mut abort = Command::new(env!("CARGO_BIN_EXE_bytesplice"));
        let aborted = abort.current_dir(directory).args(["abort", "data"]).output().unwrap();
        assert_eq!(aborted.status.code(), Some(8), "{aborted:?}");
        let mut recover = Command::new(env!("CARGO_BIN_EXE_bytesplice"));
        assert!(
            recover.current_dir(directory).args(["recover", "data"]).status().unwrap().success()
        );
        assert!(fs::read(directory.join("data")).unwrap() == spliced(b"new"));
        true
    });
}

#[test]
fn bytes_half_saved_are_deleted() {
    until("while bytes were saved", |directory| {
        let saved = directory.join("saved");
        let mut child = program(directory)
            .args(["remove", "data", "1..", "--save", "saved"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while !saved.exists() && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_micros(200));
        }
        send(&child, Signal::INT);
        let ended = end(child);
        if ended.code == Some(0) {
            return false;
        }
        assert_eq!(ended.code, Some(130), "{}", ended.message);
        assert!(!saved.exists());
        assert!(fs::read(directory.join("data")).unwrap() == old());
        true
    });
}

/// Starts `arguments`, sends a signal once `file` is there, and tells how that ended.
fn interrupted_at(directory: &Path, file: &str, wait: Duration, arguments: &[&str]) -> Ended {
    let file = directory.join(file);
    let mut child = program(directory).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
    while !file.exists() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_micros(200));
    }
    sleep(wait);
    send(&child, Signal::INT);
    end(child)
}

#[test]
fn an_undo_script_half_written_leaves_neither_script_nor_change() {
    until("while the undo script was written", |directory| {
        let arguments = ["remove", "data", "1..", "--undo-script", "undo"];
        let ended = interrupted_at(directory, "undo", Duration::ZERO, &arguments);
        if ended.code == Some(0) {
            return false;
        }
        assert_eq!(ended.code, Some(130), "{}", ended.message);
        assert!(!directory.join("undo").exists());
        assert!(!directory.join(".data.bytesplice").exists());
        assert!(fs::read(directory.join("data")).unwrap() == old());
        true
    });
}

#[test]
fn a_comparison_that_was_stopped_leaves_no_output() {
    until("while files were compared", |directory| {
        let mut other = old();
        other.iter_mut().step_by(512).for_each(|byte| *byte ^= 85);
        fs::write(directory.join("other"), other).unwrap();
        let ways: [&[&str]; 2] = [&[], &["--format", "vcdiff"]];
        ways.iter().all(|&way| {
            let arguments = [&["diff", "data", "other", "--output", "found"], way].concat();
            let wait = Duration::from_millis(30);
            let ended = interrupted_at(directory, "found", wait, &arguments);
            if ended.code == Some(0) {
                return false;
            }
            assert_eq!(ended.code, Some(130), "{}", ended.message);
            assert!(
                ended.message.contains("bytesplice: interrupted: stopping\n"),
                "{}",
                ended.message
            );
            assert!(!directory.join("found").exists());
            true
        })
    });
}

#[test]
fn while_no_commit_runs_a_signal_ends_the_process_as_usual() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("data"), "old").unwrap();
    let mut child = program(directory.path())
        .args(["append", "data", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    while !bytesplice::status(directory.path().join("data")).unwrap().locked {
        assert!(child.try_wait().unwrap().is_none());
    }
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    assert_eq!(fs::read(directory.path().join("data")).unwrap(), b"old");
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    for (name, signal) in [("INT", Signal::INT), ("HUP", Signal::HUP)] {
        ignored(name, signal);
    }
}

fn ignored(name: &str, signal: Signal) {
    until("while it was ignored", |directory| {
        let journal = directory.join(".data.bytesplice");
        let script = r#"trap "" $1; exec "$0" insert data 1 --from much --strategy journaled"#;
        let mut child = Command::new("sh")
            .current_dir(directory)
            .args(["-c", script, env!("CARGO_BIN_EXE_bytesplice"), name])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while !journal.exists() && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_micros(200));
        }
        send(&child, signal);
        let in_time = journal.exists();
        let ended = end(child);
        assert_eq!((ended.code, ended.message.as_str()), (Some(0), ""));
        assert!(fs::read(directory.join("data")).unwrap() == spliced(&old()));
        in_time
    });
}

#[test]
fn abort_takes_back_what_had_not_begun() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("data"), "0123").unwrap();
    fs::write(directory.path().join(".data.bytesplice"), [0; 4096]).unwrap();
    for (printed, json) in
        [("data: aborted: the file holds the old contents\n", false), ("clean", true)]
    {
        let mut abort = Command::new(env!("CARGO_BIN_EXE_bytesplice"));
        abort.current_dir(directory.path()).args(["abort", "data"]).args(json.then_some("--json"));
        let output = abort.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        if json {
            let object: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (&object["command"], &object["recovery"]),
                (&"abort".into(), &printed.into())
            );
        } else {
            assert_eq!(text, printed);
        }
    }
    assert_eq!(fs::read(directory.path().join("data")).unwrap(), b"0123");
}
