//! What the system has in store: locks, limits, permissions, pipes that close, files larger than memory.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::assert::OutputAssertExt;
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_bytesplice");

fn bytesplice(directory: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(directory).stdin(Stdio::null());
    command
}

/// A directory with the file `data`.
fn directory(contents: impl AsRef<[u8]>) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("data"), contents).unwrap();
    directory
}

#[test]
fn a_file_that_a_daemon_appends_to_is_not_cut() {
    let directory = directory("0123456789");
    // It has opened the file once it says so.
    let mut daemon = Command::new("sh")
        .current_dir(directory.path())
        .args(["-c", "exec 3>>data; echo open; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    daemon.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let remove = ["remove", "data", "0..3", "--strategy", "journaled"];
    let output = bytesplice(directory.path()).args(remove).assert().code(5);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    let by = format!("sh (process {})", daemon.id());
    assert!(message.contains(&by) && message.ends_with("(here: --allow-writers)\n"), "{message}");
    bytesplice(directory.path()).args(remove).arg("--dry-run").assert().code(5);
    assert_eq!(fs::read(directory.path().join("data")).unwrap(), b"0123456789");
    bytesplice(directory.path()).args(remove).arg("--allow-writers").assert().success();
    assert_eq!(fs::read(directory.path().join("data")).unwrap(), b"3456789");
    drop(daemon.stdin.take());
    daemon.wait().unwrap();
    bytesplice(directory.path()).args(remove).assert().success();
    assert_eq!(fs::read(directory.path().join("data")).unwrap(), b"6789");
}

#[test]
fn a_file_in_use_is_locked() {
    let directory = directory(vec![b'x'; 4 << 20]);
    // It has opened the file once its first byte is out, and then waits for the pipe.
    let mut reader = bytesplice(directory.path())
        .args(["read", "data", ".."])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = reader.stdout.take().unwrap();
    pipe.read_exact(&mut [0]).unwrap();
    let output =
        bytesplice(directory.path()).args(["append", "data", "--text", "y"]).assert().code(5);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    let locked = format!(
        "bytesplice: data: is locked by another bytesplice (process {}, bytesplice): try again when it has ended",
        reader.id()
    );
    assert_eq!(message, format!("{locked}; nothing was changed\n"));
    let output = bytesplice(directory.path()).args(["status", "data"]).assert().success();
    let status = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let holder = format!("locked       for reading by process {}, bytesplice\n", reader.id());
    assert!(status.contains(&holder), "{status}");
    bytesplice(directory.path()).args(["read", "data", "0..1"]).assert().success().stdout("x");
    let status = bytesplice(directory.path()).args(["status", "data"]).output().unwrap().stdout;
    let holder = format!("locked       for reading by process {}, bytesplice\n", reader.id());
    assert!(String::from_utf8_lossy(&status).contains(&holder), "{holder}");
    bytesplice(directory.path())
        .args(["recover", "data"])
        .assert()
        .code(5)
        .stderr(format!("{locked}; nothing was changed\n"));
    drop(pipe);
    assert_eq!(reader.wait().unwrap().code(), Some(0), "a closed pipe is a quiet end");
    bytesplice(directory.path()).args(["append", "data", "--text", "y"]).assert().success();
}

#[test]
fn a_commit_that_runs_is_told_from_one_that_was_cut_short() {
    let directory = directory(vec![b'x'; 1 << 20]);
    let path = directory.path();
    let look = || {
        let text = bytesplice(path).args(["status", "data"]).output().unwrap();
        let object = bytesplice(path).args(["status", "data", "--json"]).output().unwrap();
        let read = bytesplice(path).args(["read", "data", "0..1"]).output().unwrap();
        assert_eq!(text.status.code(), object.status.code());
        let object: Value = serde_json::from_slice(&object.stdout).unwrap();
        (text.status.code(), String::from_utf8(text.stdout).unwrap(), object, read)
    };
    let mut seen = 0;
    let mut progress = |_| {
        let (code, text, object, read) = look();
        if object["journal"]["state"] == "committing" {
            seen += 1;
            assert!(text.contains("another bytesplice is committing, at step"), "{text}");
            assert!(text.contains("(.data.bytesplice)"), "{text}");
            assert_eq!(object["journal"]["path"], ".data.bytesplice");
            assert_eq!((&object["being_written"], &object["locked"]), (&true.into(), &true.into()));
            assert_eq!(object["needs_recovery"], false);
        }
        assert!(!text.contains("recovery"), "{text}");
        assert_eq!((code, read.status.code()), (Some(0), Some(5)));
        let message = String::from_utf8_lossy(&read.stderr);
        let holder = format!("is locked by another bytesplice (process {}, ", std::process::id());
        assert!(message.contains(&holder), "{message}");
    };
    let mut file = bytesplice::SpliceFile::open(path.join("data")).unwrap();
    file.insert(10, "new").unwrap();
    let options = bytesplice::CommitOptions::new().strategy(bytesplice::Strategy::Journaled);
    file.commit_with(options.progress(&mut progress)).unwrap();
    drop(file);
    assert!(seen > 0);
}

#[test]
fn a_journal_that_was_left_is_named_as_the_file_was_typed() {
    let directory = directory("0123");
    let path = directory.path();
    // Never written, as far as anybody can see: recovery removes it.
    fs::write(path.join(".data.bytesplice"), [0; 4096]).unwrap();
    let output = bytesplice(path).args(["status", "data"]).assert().code(8);
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(text.contains("recovery brings back the old contents (.data.bytesplice)\n"), "{text}");
    let output = bytesplice(path).args(["status", "data", "--json"]).assert().code(8);
    let object: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(object["journal"], json!({ "state": "prepared", "path": ".data.bytesplice" }));
    assert_eq!(
        (&object["being_written"], &object["needs_recovery"]),
        (&false.into(), &true.into())
    );
    for arguments in [&["read", "./data", ".."][..], &["show", "./data"]] {
        bytesplice(path).args(arguments).assert().code(8).stderr(
            "bytesplice: ./data: an earlier commit was cut short; run `bytesplice recover` on it, with permission to \
             write (journal: ./.data.bytesplice)\n",
        );
    }
    bytesplice(path).args(["recover", "data"]).assert().success();
    bytesplice(path).args(["read", "data", ".."]).assert().success().stdout("0123");
}

#[test]
fn replacing_warns_of_hard_links() {
    let directory = directory("0123456789");
    let link = directory.path().join("link");
    fs::hard_link(directory.path().join("data"), &link).unwrap();
    let remove = |more: &[&str]| {
        let mut command = bytesplice(directory.path());
        command
            .args(["remove", "data", "0..5", "--strategy", "replace"])
            .args(more)
            .assert()
            .success()
    };
    let dry = remove(&["--dry-run"]);
    let output = dry.get_output();
    let plan = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(plan.contains("is a new one: other hard links keep the old contents"), "{plan}");
    dry.stderr("bytesplice: warning: data: its other hard links would keep the old contents\n");
    let done = remove(&["--json"]);
    let object: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    assert_eq!(object["plan"]["strategy"], "replace");
    assert_eq!(object["plan"]["breaks_hard_links"], true);
    done.stderr("bytesplice: warning: data: its other hard links keep the old contents\n");
    assert_eq!(fs::read(&link).unwrap(), b"0123456789");
    assert_eq!(fs::read(directory.path().join("data")).unwrap(), b"56789");
    remove(&["--quiet"]).stderr("");
}

#[test]
fn what_a_broken_replacement_left_is_told_and_removed() {
    let directory = directory("0123456789");
    let left = directory.path().join(".data.bytesplice-new");
    fs::write(&left, "").unwrap();
    let status = bytesplice(directory.path()).args(["status", "data"]).assert().success();
    let said = String::from_utf8(status.get_output().stdout.clone()).unwrap();
    assert!(said.contains("new file     left by a commit that was cut short"), "{said}");
    let recover =
        bytesplice(directory.path()).args(["recover", "data", "--json"]).assert().success();
    let object: Value = serde_json::from_slice(&recover.get_output().stdout).unwrap();
    assert_eq!(object["recovery"], "rolled-back");
    assert!(!left.exists());
}

#[test]
fn a_closed_pipe_ends_show_quietly() {
    let directory = directory("");
    File::options()
        .write(true)
        .open(directory.path().join("data"))
        .unwrap()
        .set_len(100 << 30)
        .unwrap();
    let mut bytes = vec![0; 1 << 20];
    bytes.iter_mut().enumerate().for_each(|(index, byte)| *byte = (index / 16) as u8);
    std::os::unix::fs::FileExt::write_all_at(
        &File::options().write(true).open(directory.path().join("data")).unwrap(),
        &bytes,
        0,
    )
    .unwrap();
    let mut show = bytesplice(directory.path())
        .args(["show", "data"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    show.stdout.take().unwrap().read_exact(&mut [0; 80]).unwrap();
    let output = show.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_hundred_gigabytes_are_looked_at_in_no_time() {
    let directory = directory("");
    File::options()
        .write(true)
        .open(directory.path().join("data"))
        .unwrap()
        .set_len(100_000_000_000)
        .unwrap();
    let limited = |arguments: &str| {
        let mut shell = Command::new("bash");
        shell.current_dir(directory.path());
        shell.args(["-c", &format!("ulimit -d 65536; exec '{BINARY}' {arguments}")]);
        shell
    };
    let output = limited("status data --json").assert().success();
    let status: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(status["length"], 100_000_000_000u64);
    assert_eq!((&status["journal"]["state"], &status["locked"]), (&"none".into(), &false.into()));
    limited("show data 99GB+48").assert().success().stdout(
        "170cdc1e00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  │⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄│\n*\n170cdc1e30\n",
    );
    limited("read data -2..").assert().success().stdout("\0\0");
}

#[test]
fn the_file_size_limit_is_an_error_and_no_kill() {
    let directory = directory("0123");
    let output = Command::new("bash")
        .current_dir(directory.path())
        .args(["-c", &format!("ulimit -f 100; exec '{BINARY}' append data --fill 1:1MiB")])
        .assert()
        .code(7);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(message.starts_with("bytesplice: ") && message.lines().count() == 1, "{message}");
    assert!(fs::read(directory.path().join("data")).unwrap() == b"0123");
    // Unlike journal and file, saved bytes are written by the command line itself.
    fs::write(directory.path().join("data"), vec![b'x'; 1 << 20]).unwrap();
    Command::new("bash")
        .current_dir(directory.path())
        .args(["-c", &format!("ulimit -f 100; exec '{BINARY}' remove data .. --save saved")])
        .assert()
        .code(7);
    assert!(fs::read(directory.path().join("data")).unwrap() == vec![b'x'; 1 << 20]);
    assert!(!directory.path().join("saved").exists());
}

#[test]
fn a_full_output_is_an_error() {
    let directory = directory("0123");
    for arguments in [
        &["read", "data", ".."][..],
        &["show", "data"],
        &["status", "data"],
        &["--help"],
        &["-h"],
        &["insert", "--help"],
        &["help", "show"],
        &["--version"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        bytesplice(directory.path()).args(arguments).stdout(full).assert().code(7);
    }
}

#[test]
fn a_report_that_fails_does_not_deny_what_was_done() {
    let directory = directory("0123");
    let path = directory.path();
    let run = |arguments: &[&str], code: i32| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let assert = bytesplice(path).args(arguments).stdout(full).assert().code(code);
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    let message = run(&["append", "data", "--text", "45", "--json", "--backup"], 10);
    assert_eq!(
        message,
        "bytesplice: data: the file was changed, only the report failed: cannot write to standard output: No space left \
         on device (os error 28)\n"
    );
    assert_eq!(fs::read(path.join("data")).unwrap(), b"012345");
    assert_eq!(fs::read(path.join("data~")).unwrap(), b"0123");
    let save = ["remove", "data", "0..1", "--save", "saved", "--undo-script", "undo", "--json"];
    run(&save, 10);
    assert_eq!(fs::read(path.join("data")).unwrap(), b"12345");
    assert_eq!(fs::read(path.join("saved")).unwrap(), b"0");
    assert!(path.join("undo").exists());
    let message = run(&["diff", "data", "data~", "--output", "delta", "--json"], 10);
    assert!(message.contains("delta: the file was written, only the report failed"), "{message}");
    assert!(path.join("delta").exists());
    // Where nothing was changed nothing is said to have been.
    run(&["append", "data", "--text", "", "--json"], 7);
    run(&["append", "data", "--text", "6", "--json", "--dry-run"], 7);
    run(&["recover", "data"], 7);
    assert_eq!(fs::read(path.join("data")).unwrap(), b"12345");
    for command in ["recover", "abort"] {
        fs::write(path.join(".data.bytesplice"), [0; 4096]).unwrap();
        let message = run(&[command, "data"], 10);
        assert!(message.contains("data: the file was recovered, only the"), "{message}");
        assert!(!path.join(".data.bytesplice").exists());
    }
}

#[test]
fn a_file_without_permission_to_write_is_read_only() {
    let directory = directory("0123");
    let binary = directory.path().join("program");
    // By another process: a child that another test forks meanwhile would keep the copy open for writing, and what is
    // open for writing cannot be run.
    assert!(Command::new("cp").args([BINARY.as_ref(), &*binary]).status().unwrap().success());
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(directory.path().join("data"), fs::Permissions::from_mode(0o444)).unwrap();
    fs::write(directory.path().join("secret"), "0123").unwrap();
    fs::set_permissions(directory.path().join("secret"), fs::Permissions::from_mode(0o000))
        .unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command.current_dir(directory.path()).args(arguments);
        // Root may write everything.
        if rustix::process::geteuid().is_root() {
            command.uid(65534);
        }
        command
    };
    let output = command(&["append", "data", "--text", "x"]).assert().code(4);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(message.contains("data: permission denied"), "{message}");
    command(&["read", "data", ".."]).assert().success().stdout("0123");
    let dry = command(&["append", "data", "--text", "x", "--dry-run"]).assert().code(4);
    assert_eq!(dry.get_output().stderr, message.as_bytes(), "a dry run says what the commit says");
    command(&["read", "secret", ".."]).assert().code(4);
    let output = command(&["status", "data", "--json"]).assert().success();
    let status: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(status["read_only"], true);
    assert_eq!(fs::read(directory.path().join("data")).unwrap(), b"0123");
}

#[test]
fn a_dry_run_is_refused_what_the_commit_is_refused() {
    let directory = directory("0123");
    let (binary, inner) = (directory.path().join("program"), directory.path().join("inner"));
    // By another process, for the same reason as above.
    assert!(Command::new("cp").args([BINARY.as_ref(), &*binary]).status().unwrap().success());
    fs::create_dir(&inner).unwrap();
    fs::rename(directory.path().join("data"), inner.join("data")).unwrap();
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for path in [&inner, &inner.join("data")] {
            std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
        }
    }
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o555)).unwrap();
    let run = |more: &[&str], code: i32| {
        let mut command = Command::new(&binary);
        command.current_dir(&inner).args(["append", "data", "--text", "x"]).args(more);
        if rustix::process::geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
        let assert = command.assert().code(code);
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    let message = run(&[], 4);
    assert!(message.contains("cannot create the journal .data.bytesplice: "), "{message}");
    assert!(message.ends_with("(here: --strategy direct)\n"), "{message}");
    assert_eq!(run(&["--dry-run"], 4), message);
    run(&["--dry-run", "--strategy", "direct"], 0);
    run(&["--strategy", "direct"], 0);
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read(inner.join("data")).unwrap(), b"0123x");
}

#[test]
fn a_full_disk_says_what_frees_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(directory.path());
    if !mount.output().is_ok_and(|output| output.status.success()) {
        return println!("SKIPPED: needs root, to mount a small file system");
    }
    fs::write(directory.path().join("data"), vec![b'x'; 512 << 10]).unwrap();
    let mut full = File::create(directory.path().join("ballast")).unwrap();
    while full.write_all(&[1; 4096]).is_ok() {}
    let remove = |more: &[&str]| {
        let mut command = bytesplice(directory.path());
        command.args(["remove", "data", "..256KiB"]).args(more);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, message) = remove(&[]);
    assert_eq!(code, Some(7), "{message}");
    assert!(message.contains("bytes more until it is done, about"), "{message}");
    assert!(message.ends_with("(here: --strategy direct)\n"), "{message}");
    assert_eq!(remove(&["--dry-run"]), (Some(7), message));
    assert_eq!(remove(&["--dry-run", "--strategy", "direct"]).0, Some(0));
    assert_eq!(remove(&["--strategy", "direct"]).0, Some(0));
    assert_eq!(fs::metadata(directory.path().join("data")).unwrap().len(), 256 << 10);
    drop(full);
    assert!(Command::new("umount").arg(directory.path()).status().unwrap().success());
}

#[test]
fn an_edit_needs_no_threads() {
    let directory = directory("0123");
    let binary = directory.path().join("program");
    // By another process, for the same reason as above.
    assert!(Command::new("cp").args([BINARY.as_ref(), &*binary]).status().unwrap().success());
    let mut command = Command::new("bash");
    command.current_dir(directory.path());
    command.args(["-c", "ulimit -u 0; exec ./program insert data 1 --text abc"]);
    // The limit is not held against root.
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::chown(directory.path().join("data"), Some(65534), Some(65534)).unwrap();
        command.uid(65534).gid(65534);
    }
    let output = command.assert().success();
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(message.contains("permits no thread that waits for signals"), "{message}");
    assert_eq!(fs::read(directory.path().join("data")).unwrap(), b"0abc123");
}

#[test]
fn a_fifo_is_no_file_and_has_no_ranges() {
    let directory = directory("0123");
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for arguments in [
        &["append", "fifo", "--text", "x"][..],
        &["show", "fifo"],
        &["status", "fifo"],
        &["recover", "fifo"],
        &["append", "data", "--from", "fifo", "--from-range", "0..1"],
    ] {
        let output = bytesplice(directory.path()).args(arguments).assert().code(4);
        let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(message.contains("fifo: is a FIFO, not a regular file"), "{message}");
    }
}

#[test]
fn colours_are_for_terminals_and_those_who_force_them() {
    let directory = directory("0\0");
    let show = |variable: &str| {
        let output = bytesplice(directory.path())
            .args(["show", "data"])
            .env(variable, "1")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!show("NO_COLOR").contains('\u{1b}'));
    assert!(show("CLICOLOR_FORCE").contains("\u{1b}[36m30"));
    assert!(!show("UNRELATED").contains('\u{1b}'));
}

#[test]
fn a_restored_backup_is_usable_again_once_its_commit_is_forgotten() {
    let directory = directory("from a backup");
    let place = directory.path();
    let journal = place.join(".data.bytesplice");
    fs::write(&journal, "damaged").unwrap();
    let output = bytesplice(place).args(["read", "data", ".."]).assert().code(8);
    assert!(output.get_output().stdout.is_empty());
    let output = bytesplice(place).args(["recover", "data"]).assert().code(8);
    let message = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(message.contains("`forget`"), "{message}");
    assert!(message.ends_with("(here: bytesplice forget FILE)\n"), "{message}");

    let output = bytesplice(place).args(["forget", "data"]).assert().code(8);
    let known = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    for line in [
        "length       13 bytes\n",
        "--yes would  give .data.bytesplice the name .data.bytesplice-forgotten\n",
        "Nothing was changed. --yes is for a file that is whole",
    ] {
        assert!(known.contains(line), "{line:?} is missing: {known}");
    }
    bytesplice(place).args(["forget", "data", "--quiet"]).assert().code(8).stdout("");
    assert_eq!(fs::read(&journal).unwrap(), b"damaged");

    bytesplice(place).args(["forget", "data", "--yes"]).assert().success().stdout(
        "data: the commit is forgotten, the file is taken as it is\n  the journal is now .data.bytesplice-forgotten\n",
    );
    assert!(!journal.exists());
    assert_eq!(fs::read(place.join(".data.bytesplice-forgotten")).unwrap(), b"damaged");
    bytesplice(place).args(["read", "data", ".."]).assert().success().stdout("from a backup");
    for arguments in [&["forget", "data"][..], &["forget", "data", "--yes"]] {
        let clean = "data: clean: no commit was cut short\n";
        bytesplice(place).args(arguments).assert().success().stdout(clean);
    }
    bytesplice(place).args(["forget", "s3://bucket/key", "--yes"]).assert().code(2);
}
