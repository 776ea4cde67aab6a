//! Every command that changes a file, on files made for it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const DIGITS: &str = "0000111122223333444455556666777788889999";

fn bytesplice(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bytesplice"));
    command.current_dir(directory);
    command
}

/// A directory with the file `data`.
fn directory(contents: impl AsRef<[u8]>) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("data"), contents).unwrap();
    directory
}

fn contents(directory: &TempDir) -> Vec<u8> {
    fs::read(directory.path().join("data")).unwrap()
}

fn names(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Runs `arguments` on a file of `before` and looks for `after`.
#[track_caller]
fn changes(arguments: &[&str], before: impl AsRef<[u8]>, after: impl AsRef<[u8]>) {
    let directory = directory(before);
    bytesplice(directory.path()).args(arguments).assert().success().stdout("").stderr("");
    assert_eq!(
        contents(&directory).escape_ascii().to_string(),
        after.as_ref().escape_ascii().to_string()
    );
    assert_eq!(names(&directory), ["data"]);
}

#[test]
fn the_job_keeps_inode_mode_and_links() {
    let directory = directory(DIGITS);
    let data = directory.path().join("data");
    fs::hard_link(&data, directory.path().join("link")).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&data).unwrap();
    let run = |arguments: &[&str], after: &str| {
        bytesplice(directory.path()).args(arguments).assert().success().stdout("").stderr("");
        assert_eq!(contents(&directory), after.as_bytes());
    };
    run(&["remove", "data", "4..8"], "000022223333444455556666777788889999");
    run(&["insert", "data", "4", "--text", "AAAA"], "0000AAAA22223333444455556666777788889999");
    run(
        &["replace", "data", "10..20", "--text", "text of any length"],
        "0000AAAA22text of any length55556666777788889999",
    );
    let after = fs::metadata(&data).unwrap();
    assert_eq!((before.ino(), before.mode(), 2), (after.ino(), after.mode(), after.nlink()));
    assert_eq!(names(&directory), ["data", "link"]);
}

#[test]
fn every_kind_of_range_and_offset() {
    for (range, after) in [
        ("2..4", "014567"),
        ("6..", "012345"),
        ("..2", "234567"),
        ("..", ""),
        ("2+3", "01567"),
        ("-2..", "012345"),
        ("end-4..end-2", "012367"),
        ("0x2..4", "014567"),
        ("3..3", "01234567"),
    ] {
        changes(&["remove", "data", range], "01234567", after);
    }
    changes(&["insert", "data", "end", "--text", "x"], "01", "01x");
    changes(&["insert", "data", "-1", "--text", "x"], "01", "0x1");
    changes(&["insert", "data", "0", "--text", "x"], "", "x");
    changes(&["truncate", "data", "1"], "0123", "0");
    changes(&["truncate", "data", "-1"], "0123", "012");
    changes(&["truncate", "data", "end"], "0123", "0123");
    changes(&["truncate", "data", "0"], "0123", "");
    changes(&["remove", "-q", "--no-sync", "data", "-2.."], "0123", "01");
    changes(&["remove", "data", "-2..", "-q", "--strategy=direct"], "0123", "01");
    changes(&["remove", "data", "--strategy", "journaled", "0..1"], "0123", "123");
}

#[test]
fn every_kind_of_data() {
    for (data, added) in [
        (&["--text", "-x"][..], &b"-x"[..]),
        (&["--text", "--hex"], b"--hex"),
        (&["--text", r"\n"], br"\n"),
        (&["--text", ""], b""),
        (&["--escaped", r"-\n\x00\\"], b"-\n\0\\"),
        (&["--hex", "00 ff0a"], b"\x00\xff\x0a"),
        (&["--fill", "0x41:1KiB"], &[b'A'; 1024]),
        (&["--fill", "0:0"], b""),
        (&["--from", "data"], b"0123"),
        (&["--from", "data", "--from-range", "-3..3"], b"12"),
    ] {
        let after = [b"0123", added].concat();
        changes(&[&["append", "data"], data].concat(), "0123", after);
    }
}

#[test]
fn a_wrong_escape_is_named() {
    let directory = directory("0123");
    for (escaped, reason) in [
        (r"\q", r"unknown escape `\q`: known are \n \r \t \0 \\ \xHH"),
        (r"end\", r"a lone `\` at the end: write `\\` for a backslash"),
        (r"\x4", r"two hex digits must follow `\x`, such as `\x0a`"),
    ] {
        bytesplice(directory.path())
            .args(["append", "data", "--escaped", escaped])
            .assert()
            .code(2)
            .stdout("")
            .stderr(format!("bytesplice: --escaped: {reason} (see `bytesplice append --help`)\n"));
    }
    assert_eq!(contents(&directory), b"0123");
}

#[test]
fn standard_input_and_a_fifo_are_streams() {
    let directory = directory("0123");
    bytesplice(directory.path())
        .args(["insert", "data", "2", "-"])
        .write_stdin(&b"a\0\xff"[..])
        .assert()
        .success();
    assert_eq!(contents(&directory), b"01a\0\xff23");

    let fifo = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let writer = std::thread::spawn(move || fs::write(fifo, vec![b'x'; 300_000]).unwrap());
    bytesplice(directory.path()).args(["append", "data", "--from", "fifo"]).assert().success();
    writer.join().unwrap();
    assert_eq!(contents(&directory).len(), 7 + 300_000);
}

#[test]
fn the_file_itself_is_a_source_under_every_name() {
    for from in ["data", "hard", "soft"] {
        let directory = directory("0123456789");
        fs::hard_link(directory.path().join("data"), directory.path().join("hard")).unwrap();
        symlink("data", directory.path().join("soft")).unwrap();
        bytesplice(directory.path())
            .args(["insert", "data", "0", "--from", from])
            .assert()
            .success();
        assert_eq!(contents(&directory), b"01234567890123456789", "{from}");
        bytesplice(directory.path()).args(["remove", "soft", "1..19"]).assert().success();
        assert_eq!(contents(&directory), b"09", "{from}");
    }
}

#[test]
fn arguments_need_not_be_unicode() {
    let directory = TempDir::new().unwrap();
    let name = OsStr::from_bytes(b"\xff\x1b[31m");
    fs::write(directory.path().join(name), "0123").unwrap();
    let output = bytesplice(directory.path())
        .args([OsStr::new("append"), name, OsStr::new("--json"), OsStr::new("--text")])
        .arg(OsStr::from_bytes(b"\xfe"))
        .assert()
        .success();
    let object: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(object["path"], "\u{fffd}\u{1b}[31m");
    assert_eq!(object["path_hex"], "ff1b5b33316d");
    assert_eq!(fs::read(directory.path().join(name)).unwrap(), b"0123\xfe");

    let output = bytesplice(directory.path()).arg("remove").arg(name).arg("0..9").assert().code(3);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(
        message.starts_with("bytesplice: \u{fffd}\\u{1b}[31m: bytes 0..9 are outside"),
        "{message}"
    );
    bytesplice(directory.path()).arg("remove").arg("x").arg(name).assert().code(2);
}

#[test]
fn old_bytes_are_expected_where_they_are() {
    changes(&["remove", "data", "1..3", "--expect-hex", "3132"], "0123", "03");
    changes(&["replace", "data", "1..3", "--text", "x", "--expect-hex", "31 32"], "0123", "0x3");
    changes(&["insert", "data", "1", "--text", "x", "--expect-hex", "31"], "0123", "0x123");
    changes(&["append", "data", "--text", "x", "--expect-hex", "33"], "0123", "0123x");
    changes(&["truncate", "data", "2", "--expect-hex", "3233"], "0123", "01");
    for arguments in [
        &["remove", "data", "1..3", "--expect-hex", "3133"][..],
        &["remove", "data", "1..3", "--expect-hex", "31"],
        &["insert", "data", "3", "--text", "x", "--expect-hex", "3334"],
        &["append", "data", "--text", "x", "--expect-hex", "3030313233"],
    ] {
        let directory = directory("0123");
        bytesplice(directory.path()).args(arguments).assert().code(6);
        assert_eq!(contents(&directory), b"0123");
    }
}

#[test]
fn removed_bytes_are_saved_and_nothing_is_overwritten() {
    let directory = directory("01234567");
    let run = |arguments: &[&str]| {
        bytesplice(directory.path()).arg("remove").arg("data").args(arguments).assert()
    };
    run(&["2..4", "--save", "saved", "--dry-run"]).success();
    assert_eq!(names(&directory), ["data"]);
    run(&["2..4", "--save", "saved"]).success().stdout("");
    assert_eq!(fs::read(directory.path().join("saved")).unwrap(), b"23");
    run(&["0..1", "--save", "saved"]).code(4);
    run(&["0..1", "--save", "saved", "--dry-run"]).code(4);
    symlink("nowhere", directory.path().join("dangling")).unwrap();
    run(&["0..1", "--save", "dangling"]).code(4);
    fs::hard_link(directory.path().join("data"), directory.path().join("link")).unwrap();
    run(&["0..1", "--save", "link"]).code(2);
    run(&["0..1", "--save", "data"]).code(2);
    run(&["0..1", "--expect-hex", "39", "--save", "new"]).code(6);
    run(&["0..9", "--save", "new"]).code(3);
    assert_eq!(contents(&directory), b"014567");
    assert_eq!(fs::read(directory.path().join("saved")).unwrap(), b"23");
    assert_eq!(names(&directory), ["dangling", "data", "link", "saved"]);
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let directory = directory(vec![7; 100_000]);
    let before = fs::metadata(directory.path().join("data")).unwrap();
    let output = bytesplice(directory.path())
        .args(["insert", "data", "0", "--text", "abc", "--dry-run"])
        .assert()
        .success();
    let table = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    for part in ["nothing was written", "journaled", "100_003 bytes", "up by 3", "fsyncs", "▒"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let output = bytesplice(directory.path())
        .args(["remove", "data", "--dry-run", "--json", "-10.."])
        .assert()
        .success();
    let object: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(object["command"], "remove");
    assert_eq!(object["dry_run"], true);
    assert_eq!((&object["old_length"], &object["new_length"]), (&100_000.into(), &99_990.into()));
    assert_eq!(object["plan"]["keeps_inode"], true);
    bytesplice(directory.path())
        .args(["truncate", "data", "0", "--dry-run", "--quiet"])
        .assert()
        .success()
        .stdout("");
    let after = fs::metadata(directory.path().join("data")).unwrap();
    assert_eq!(
        (before.mtime_nsec(), before.ctime_nsec()),
        (after.mtime_nsec(), after.ctime_nsec())
    );
    assert_eq!(contents(&directory), vec![7; 100_000]);
    assert_eq!(names(&directory), ["data"]);
}

#[test]
fn a_dry_run_tells_what_becomes_of_all_bytes() {
    let directory = directory("0123456789");
    let run = |arguments: &[&str]| {
        let mut command = bytesplice(directory.path());
        command.args(arguments).args(["--dry-run", "--json"]);
        let output = command.assert().success().get_output().stdout.clone();
        let object: Value = serde_json::from_slice(&output).unwrap();
        object["layout"].clone()
    };
    assert_eq!(
        run(&["replace", "data", "2..4", "--text", "abc"]),
        serde_json::json!({
            "bytes_copied": 0, "bytes_removed": 2, "part_count": 3, "removed_count": 1,
            "parts": [
                { "fate": "stays", "range": [0, 2] },
                { "fate": "new", "range": [2, 5] },
                { "fate": "moves", "range": [5, 11], "from": 4 },
            ],
            "removed": [[2, 4]],
        })
    );
    let moved = run(&["move", "data", "0..2", "5"]);
    assert_eq!(
        moved["parts"][1],
        serde_json::json!({ "fate": "copied", "range": [3, 5], "from": 0 })
    );
    // Colours are for terminals only.
    let output = bytesplice(directory.path())
        .args(["remove", "data", "2..4", "--dry-run"])
        .assert()
        .success();
    assert!(!output.get_output().stdout.contains(&0x1b));
}

#[test]
fn a_backup_is_the_old_file_with_all_that_belongs_to_it() {
    let directory = directory("0123456789");
    let path = |name: &str| directory.path().join(name);
    fs::set_permissions(path("data"), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(path("data")).unwrap();
    let run = |arguments: &[&str]| {
        bytesplice(directory.path()).args(["remove", "data", "2..4"]).args(arguments).assert()
    };
    run(&["--backup"]).success().stdout("").stderr("");
    assert_eq!(contents(&directory), b"01456789");
    assert_eq!(fs::read(path("data~")).unwrap(), b"0123456789");
    let backup = fs::metadata(path("data~")).unwrap();
    assert_eq!((backup.mode(), backup.mtime_nsec()), (before.mode(), before.mtime_nsec()));

    // Never over another one, not even in words.
    let refused = run(&["--backup"]).code(4);
    let message = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(message.contains("data~: exists already"), "{message}");
    run(&["--backup", "--dry-run"]).code(4);
    run(&["--backup=/etc"]).code(2);
    run(&["--backup="]).code(2);
    assert_eq!(contents(&directory), b"01456789");

    let output = run(&["--backup=.old", "--json"]).success();
    let object: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(object["backup"]["path"], "data.old");
    assert_eq!(fs::read(path("data.old")).unwrap(), b"01456789");
    // What does not happen leaves none.
    run(&["--backup=.none", "--dry-run"]).success();
    run(&["--backup=.none", "--expect-hex", "00"]).code(6);
    assert_eq!(names(&directory), ["data", "data.old", "data~"]);
}

#[test]
fn progress_is_told_where_it_is_asked_for() {
    let directory = directory(vec![b'x'; 3 << 20]);
    let run = |arguments: &[&str]| {
        let mut command = bytesplice(directory.path());
        command.args(["insert", "data", "5", "--text", "hey", "--no-sync"]).args(arguments);
        String::from_utf8(command.assert().success().get_output().stderr.clone()).unwrap()
    };
    for silent in [&[][..], &["--progress", "auto"], &["--progress", "never"]] {
        assert_eq!(run(silent), "");
    }
    let told = run(&["--progress", "always", "--quiet"]);
    assert!(told.ends_with(" left\n") && told.contains("data: 100% of 6.0 MiB"), "{told}");
}

#[test]
fn a_dry_run_says_why_and_what_every_strategy_would_cost() {
    let directory = directory(vec![b'x'; 20 << 20]);
    let names = ["journaled", "snapshot", "extents", "replace", "direct"];
    let run = |more: &[&str]| {
        let mut command = bytesplice(directory.path());
        command.args(["insert", "data", "5", "--text", "hey", "--dry-run"]).args(more);
        String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
    };
    for strategy in ["auto", "journaled", "replace", "direct"] {
        let object: Value =
            serde_json::from_str(&run(&["--json", "--strategy", strategy])).unwrap();
        let plan = &object["plan"];
        assert_eq!(plan["reason"] == "it was asked for", strategy != "auto", "{object}");
        let costs = plan["costs"].as_array().unwrap();
        assert!(costs.iter().map(|cost| &cost["strategy"]).eq(names.iter()), "{object}");
        for cost in costs {
            let told =
                ["bytes_to_read", "bytes_to_write", "bytes_to_journal", "fsyncs", "extra_disk"]
                    .iter()
                    .all(|name| cost[name].is_u64());
            assert_ne!(told && cost["estimated_seconds"].is_f64(), cost["unavailable"].is_string());
        }

        let table = run(&["--strategy", strategy]);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.contains(&format!("  because    {}\n", plan["reason"].as_str().unwrap())));
        let chosen: Vec<&str> = table.lines().filter(|line| line.starts_with("> ")).collect();
        assert_eq!(chosen.len(), 1, "{table}");
        assert_eq!(chosen[0][2..].split(' ').next(), plan["strategy"].as_str());
        for name in names {
            assert!(
                table.contains(&format!("\n  {name} ")) || table.contains(&format!("\n> {name} "))
            );
        }
    }
    let help = bytesplice(directory.path()).args(["insert", "--help"]).output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    for name in names.iter().chain(&["auto"]) {
        assert!(help.contains(&format!("- {name}:")), "{help}");
    }
}

#[test]
fn json_says_what_was_done() {
    let directory = directory(DIGITS);
    let output =
        bytesplice(directory.path()).args(["remove", "data", "4..8", "--json"]).assert().success();
    let object: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(object["dry_run"], false);
    assert_eq!((&object["old_length"], &object["new_length"]), (&40.into(), &36.into()));
    assert_eq!(object["path"], "data");
    assert_eq!(object.get("path_hex"), None);
}

#[test]
fn a_large_file_equals_what_head_and_tail_make() {
    let bytes: Vec<u8> =
        (0..3_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let directory = directory(&bytes);
    bytesplice(directory.path())
        .args(["insert", "data", "10", "--text", "AAAA"])
        .assert()
        .success();
    let expected = [&bytes[..10], b"AAAA", &bytes[10..]].concat();
    assert!(contents(&directory) == expected);
    let output = bytesplice(directory.path()).args(["read", "data", "5..-5"]).assert().success();
    assert!(output.get_output().stdout == expected[5..expected.len() - 5]);
    bytesplice(directory.path()).args(["remove", "data", "10+4"]).assert().success();
    assert!(contents(&directory) == bytes);
    assert_eq!(
        File::open(directory.path().join("data")).unwrap().metadata().unwrap().len(),
        12_000_000
    );
}

#[test]
fn a_backup_is_the_old_file_and_never_takes_the_place_of_another() {
    let directory = directory(DIGITS);
    let data = directory.path().join("data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&data).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = bytesplice(directory.path());
        command.args(["remove", "data", "0..4"]).args(arguments).assert()
    };
    run(&["--backup"]).success().stdout("").stderr("");
    let backup = fs::metadata(directory.path().join("data~")).unwrap();
    assert_eq!(fs::read(directory.path().join("data~")).unwrap(), DIGITS.as_bytes());
    assert_eq!((backup.mode(), backup.mtime()), (before.mode(), before.mtime()));
    assert_eq!(backup.mtime_nsec(), before.mtime_nsec());

    run(&["--backup"]).code(4).stderr(
        "bytesplice: data~: exists already, --backup does not overwrite it: move it away, or take another suffix such as \
         --backup=.2; nothing was changed\n",
    );
    run(&["--backup=.2", "--dry-run"]).success();
    assert_eq!(names(&directory), ["data", "data~"]);
    run(&["--backup=.2"]).success();
    assert_eq!(fs::read(directory.path().join("data.2")).unwrap(), &DIGITS.as_bytes()[4..]);
    // What fails leaves neither backup nor saved bytes.
    run(&["--backup=.3", "--save", "saved", "--undo-script", "missing/undo"]).code(4);
    run(&["--backup=.3", "--expect-hex", "00000000"]).code(6);
    run(&["--backup="]).code(2);
    run(&["--backup=a/b"]).code(2);
    assert_eq!(names(&directory), ["data", "data.2", "data~"]);
    assert_eq!(contents(&directory), &DIGITS.as_bytes()[8..]);
    // Nothing to change, nothing to keep.
    let arguments = ["replace-all", "data", "nowhere", "x", "--backup=.4"];
    bytesplice(directory.path()).args(arguments).assert().code(1);
    assert_eq!(names(&directory), ["data", "data.2", "data~"]);
}
