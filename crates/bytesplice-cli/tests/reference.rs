//! `docs/cli.md` is what `--help` of every command prints; and completions and man pages are good in the eyes of those who
//! read them.
//!
//! `BYTESPLICE_RECORD=1 cargo test -p bytesplice-cli --test reference` writes the page anew.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn bytesplice(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bytesplice")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = bytesplice(&["--help"]);
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let list = list.take_while(|line| !line.is_empty());
    let names: Vec<String> =
        list.filter_map(|line| line.split_whitespace().next()).map(Into::into).collect();
    assert!(names.len() >= 20, "{names:?}");
    names.into_iter().filter(|name| name != "help").collect()
}

#[test]
fn the_reference_is_the_help() {
    let mut page = String::from(
        "# The command line\n\nWhat `--help` prints, written by `BYTESPLICE_RECORD=1 cargo test -p bytesplice-cli --test \
         reference`. [recipes.md](recipes.md)\nhas whole jobs, [json.md](json.md) the objects that `--json` prints.\n",
    );
    let mut section = |name: &str, arguments: &[&str]| {
        let help: String = bytesplice(arguments)
            .trim_end()
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        page += &format!("\n## {name}\n\n```text\n{help}```\n");
    };
    section("bytesplice", &["--help"]);
    for command in commands() {
        section(&command, &[&command, "--help"]);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os("BYTESPLICE_RECORD").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap() == page, "docs/cli.md is not what the help is");
}

#[test]
fn the_help_fits_a_terminal() {
    for command in commands() {
        let short = bytesplice(&[&command, "-h"]);
        let long = bytesplice(&[&command, "--help"]);
        assert!(long.len() >= short.len());
        for line in long.lines().filter(|line| line.starts_with("Usage") || !line.starts_with(' '))
        {
            assert!(line.chars().count() <= 90, "{command}: {line}");
        }
    }
}

/// Runs a checker, or says loudly that it is not there.
fn check(program: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env("MANWIDTH", "80")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!(
                "SKIPPED: {program} {arguments:?}: {error}; install {program} to have this checked"
            );
            None
        }
    }
}

#[test]
fn completions_are_read_by_their_shells() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    for (shell, file) in
        [("bash", "bytesplice"), ("zsh", "_bytesplice"), ("fish", "bytesplice.fish")]
    {
        bytesplice(&["generate", shell, place]);
        let script = directory.path().join(file);
        let text = fs::read_to_string(&script).unwrap();
        assert_eq!(text, bytesplice(&["generate", shell]));
        for part in ["replace-all", "undo-script", "journaled"] {
            assert!(text.contains(part), "{shell}: {part}");
        }
        if let Some(output) = check(shell, &["-n", script.to_str().unwrap()]) {
            assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
        }
    }
    // What a user of bash gets at the tab key.
    let ask = "source \"$0\"; COMP_WORDS=(bytesplice insert data 4 --str) COMP_CWORD=4; \
               _bytesplice bytesplice --str 4; echo \"${COMPREPLY[*]}\"";
    let script = directory.path().join("bytesplice");
    if let Some(output) = check("bash", &["-c", ask, script.to_str().unwrap()]) {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "--strategy\n", "{output:?}");
    }
}

#[test]
fn man_pages_have_no_faults() {
    let directory = tempfile::tempdir().unwrap();
    bytesplice(&["generate", "man", directory.path().to_str().unwrap()]);
    let mut names: Vec<String> =
        commands().into_iter().map(|command| format!("bytesplice-{command}.1")).collect();
    names.push("bytesplice.1".into());
    names.sort();
    let mut found: Vec<String> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, names);
    for name in names {
        let page = directory.path().join(&name);
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.contains("EXAMPLES"), "{name}");
        let Some(output) = check("man", &["--warnings", "-l", page.to_str().unwrap()]) else {
            return;
        };
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.contains("bytesplice"), "{name}");
    }
}
