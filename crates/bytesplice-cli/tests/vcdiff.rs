//! Deltas in VCDIFF on the command line: told by their first bytes, wherever they come from.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const OLD: &[u8] = b"0000111122223333444455556666777788889999";
const NEW: &[u8] = b"0000AAAA22223333444455556666777788889999 and more";

fn run(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bytesplice"))
        .current_dir(directory)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A pipe gives what it has, be it one byte.
    for byte in input {
        stdin.write_all(&[*byte]).unwrap();
    }
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn a_delta_is_told_from_a_script_on_standard_input_too() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("old"), OLD).unwrap();
    fs::write(directory.join("new"), NEW).unwrap();
    for format in ["script", "vcdiff"] {
        let made = run(directory, &["diff", "old", "new", "--format", format], b"");
        assert!(made.status.success(), "{made:?}");
        assert_eq!(made.stdout.starts_with(&[0xd6, 0xc3, 0xc4]), format == "vcdiff");
        fs::write(directory.join("edits"), &made.stdout).unwrap();
        for (way, input) in [
            (&["edits"][..], &b""[..]),
            (&["-"], &made.stdout),
            (&[], &made.stdout),
            (&["/dev/stdin"], &made.stdout),
        ] {
            let data = directory.join("data");
            fs::write(&data, OLD).unwrap();
            let arguments = [&["apply", "data"], way].concat();
            let planned = run(directory, &[&arguments[..], &["--dry-run"]].concat(), input);
            assert!(planned.status.success(), "{planned:?}");
            assert_eq!(fs::read(&data).unwrap(), OLD);
            let arguments = [&arguments[..], &["--undo-script", "undo"]].concat();
            let applied = run(directory, &arguments, input);
            assert!(applied.status.success(), "{applied:?}");
            assert_eq!(fs::read(&data).unwrap(), NEW);
            let undone = run(directory, &["apply", "data", "undo"], b"");
            assert!(undone.status.success(), "{undone:?}");
            assert_eq!(fs::read(&data).unwrap(), OLD);
            fs::remove_file(directory.join("undo")).unwrap();
        }
    }
}

#[test]
fn a_delta_for_another_file_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::write(directory.join("old"), OLD).unwrap();
    fs::write(directory.join("new"), NEW).unwrap();
    let made = run(directory, &["diff", "old", "new", "--format", "vcdiff"], b"");
    let mut other = OLD.to_vec();
    other[20] ^= 1;
    for (other, words) in [(&other[..], "the checksum of bytes 0..49"), (&OLD[..30], "bytes 8..40")]
    {
        fs::write(directory.join("data"), other).unwrap();
        let refused = run(directory, &["apply", "data", "--undo-script", "undo"], &made.stdout);
        let message = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(6), "{message}");
        assert!(message.starts_with("bytesplice: standard input: at byte 5: "), "{message}");
        assert!(
            message.contains(words) && message.ends_with("; nothing was changed\n"),
            "{message}"
        );
        assert_eq!(fs::read(directory.join("data")).unwrap(), other);
        assert!(!directory.join("undo").exists());
    }
}
