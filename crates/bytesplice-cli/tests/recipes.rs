//! `docs/recipes.md`, run as it stands: each `console` block's commands print what the page says.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A command after `$ `, and the lines that should follow.
fn sessions(page: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            inside = kind == "console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            commands.push((command, String::new()));
        } else if let Some((_, output)) = commands.last_mut().filter(|_| inside) {
            *output += line;
            output.push('\n');
        }
    }
    commands
}

#[test]
fn every_recipe_works_as_written() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recipes.md");
    let page = fs::read_to_string(page).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_bytesplice")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let directory = tempfile::tempdir().unwrap();
    let commands = sessions(&page);
    assert!(commands.len() > 30, "{}", commands.len());
    for (command, expected) in commands {
        let output = Command::new("bash")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(directory.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "$ {command}");
    }
}
