//! Files that others rename, or change the mode of, while a command reads the new bytes.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// More than a pipe holds. Who could write all of this knows that the command reads, and it reads after it opened the file.
static NEW: [u8; 1 << 18] = [b'n'; 1 << 18];

/// Inserts `NEW` into `data` at 2, while `act` is done.
fn insert_meanwhile(directory: &Path, arguments: &[&str], act: impl FnOnce()) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bytesplice"))
        .args(["insert", "data", "2", "-"])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&NEW).unwrap();
    act();
    drop(input);
    child.wait_with_output().unwrap()
}

#[test]
fn a_renamed_file_is_followed() {
    for strategy in ["auto", "journaled", "replace", "direct"] {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("data"), directory.path().join("there/other"));
        fs::write(&old, "0123").unwrap();
        fs::create_dir(directory.path().join("there")).unwrap();
        let output = insert_meanwhile(directory.path(), &["--strategy", strategy], || {
            fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
            fs::rename(&old, &new).unwrap();
        });
        assert!(output.status.success(), "{strategy}: {output:?}");
        assert!(fs::read(&new).unwrap() == [b"01", &NEW[..], b"23"].concat());
        assert!(!old.exists());
        assert_eq!(fs::read_dir(new.parent().unwrap()).unwrap().count(), 1);
    }
}

#[test]
fn another_file_at_the_path_is_refused_with_the_new_path() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("data"), directory.path().join("data.1"));
    fs::write(&old, "0123").unwrap();
    let output = insert_meanwhile(directory.path(), &[], || {
        fs::rename(&old, &new).unwrap();
        fs::write(&old, "theirs").unwrap();
    });
    assert_eq!(output.status.code(), Some(6));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("another file is at this path, the opened one is now"), "{message}");
    assert!(message.contains("data.1"), "{message}");
    assert_eq!(fs::read(&old).unwrap(), b"theirs");
    assert_eq!(fs::read(&new).unwrap(), b"0123");
}
