//! What `--json` prints is what `docs/json.schema.json` says.

mod checker;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use checker::Checker;
use serde_json::Value;

/// Runs a command, and has its one object checked.
#[track_caller]
fn run(checker: &Checker, directory: &Path, arguments: &[&OsStr], code: i32) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_bytesplice"))
        .current_dir(directory)
        .args(arguments)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    checker.check(&output, code)
}

#[test]
fn every_command_prints_what_the_schema_says() {
    let checker = Checker::new();
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::write(place.join("data"), "0000111122223333444455556666777788889999").unwrap();
    fs::write(place.join("new"), "0000AAAA22223333444455556666777788889999 and more\n").unwrap();
    fs::write(place.join("big"), vec![7; 20 << 20]).unwrap();
    fs::write(place.join("edits"), "{\"bytesplice\":1}\n{\"insert\":0,\"text\":\"x\"}\n").unwrap();
    let mut count = 0;
    let mut run = |line: &str, code| {
        count += 1;
        let words: Vec<&OsStr> = line.split(' ').map(OsStr::new).collect();
        run(&checker, place, &words, code)
    };
    for (number, line) in [
        "insert data 4 --text AAAA",
        "remove data 4..8",
        "replace data 0..2 --text long",
        "append data --fill 0:20",
        "truncate data -20",
        "copy data 0..4 end",
        "move data 0..4 8",
        "apply data edits",
        "replace-all data 1 2",
    ]
    .iter()
    .enumerate()
    {
        let planned = run(&format!("{line} --dry-run"), 0);
        assert_eq!(planned["dry_run"], true);
        assert!(!planned["layout"]["parts"].as_array().unwrap().is_empty());
        let done = run(&format!("{line} --backup=.{number} --undo-script undo{number}"), 0);
        assert_eq!(done["new_length"], planned["new_length"], "{line}");
        assert!(done["backup"]["path"].is_string() && done["undo_script"].is_string());
    }
    for strategy in ["auto", "journaled", "extents", "replace", "direct"] {
        run(&format!("insert big 5 --text hey --dry-run --strategy {strategy}"), 0);
    }
    for (line, code) in [
        ("find data 1", 1),
        ("find data 2", 0),
        ("find data 2 --count", 0),
        ("show data 0..10", 0),
        ("show data 5..5", 0),
        ("diff data new --output there", 0),
        ("diff data new --output delta --format vcdiff", 0),
        ("apply data delta --dry-run", 0),
        ("invert there --old data --output back", 0),
        ("compose there back --output both", 0),
        ("recover data", 0),
        ("abort data", 0),
        ("forget data", 0),
        ("forget data --yes", 0),
        ("status data", 0),
        ("replace-all data nowhere x", 1),
        ("remove data 8..4", 2),
        ("remove data 0..999", 3),
        ("show missing", 4),
        ("remove data 0..1 --expect-hex 7a", 6),
        ("append data --fill 0:9223372036854775807", 7),
    ] {
        run(line, code);
    }
    fs::write(place.join(".data.bytesplice"), [0; 4096]).unwrap();
    run("status data", 8);
    run("show data", 8);
    let planned = run("forget data", 8);
    let done = run("forget data --yes", 0);
    assert_eq!(planned["set_aside"], done["set_aside"]);
    assert_eq!(done["set_aside"][0]["now"], ".data.bytesplice-forgotten");
    run("show data 0..10", 0);
    println!("{count} objects are as docs/json.schema.json says");
}

#[test]
fn names_that_are_no_text_come_as_hex_and_drive_no_terminal() {
    let checker = Checker::new();
    let directory = tempfile::tempdir().unwrap();
    for name in [&b"a\xff\x1b[31mb"[..], "c1 \u{9b}31m \u{202e}txt".as_bytes()] {
        let name = OsStr::from_bytes(name);
        fs::write(directory.path().join(name), "contents").unwrap();
        let commands: [&[&str]; 4] =
            [&["insert", "0", "--text", "x", "--backup"], &["find", "c"], &["show"], &["status"]];
        for words in commands {
            let mut arguments: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
            arguments.insert(1, name);
            let object = run(&checker, directory.path(), &arguments, 0);
            assert_eq!(object.get("path_hex").is_some(), name.to_str().is_none(), "{object}");
            if name.to_str().is_some() {
                assert_eq!(object["path"], name.to_str().unwrap());
            }
        }
    }
}
