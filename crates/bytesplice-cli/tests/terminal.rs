//! A terminal session in tmux: progress is drawn, resized and cleared, and Ctrl-C at any moment leaves old or new contents.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const ROUNDS: u32 = 36;

/// A shell in a terminal of 80 columns, whose prompt is `<NUMBER CODE> `: that of the next command, and what the last one
/// ended with.
struct Session {
    directory: TempDir,
}

impl Session {
    /// None, said loudly, where there is no tmux.
    fn start() -> Option<Self> {
        let session = Self { directory: tempfile::tempdir().unwrap() };
        let shell = "env PS1='<\\# $?> ' TERM=screen bash --norc --noprofile";
        let place = session.place().to_str().unwrap().to_owned();
        let arguments = ["new-session", "-d", "-x", "80", "-y", "24", "-c", &place, shell];
        let mut tmux = Command::new("tmux");
        let tmux = tmux.arg("-S").arg(session.socket()).arg("-f/dev/null");
        if let Err(reason) = started_by(tmux, &arguments) {
            eprintln!("SKIPPED: no terminal session: {reason}; install tmux to have this tested");
            return None;
        }
        session.until("the shell", |pane| pane.contains("<1 0>"));
        Some(session)
    }

    fn place(&self) -> &Path {
        self.directory.path()
    }

    fn socket(&self) -> std::path::PathBuf {
        self.place().join("socket")
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("tmux").arg("-S").arg(self.socket()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn pane(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Types a line.
    fn enter(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    #[track_caller]
    fn until(&self, what: &str, seen: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let pane = self.pane();
            if seen(&pane) {
                return pane;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "no {what} in 60 s:\n{pane}");
            sleep(Duration::from_millis(5));
        }
    }

    /// The number of the next command and the exit code of the last one, once the shell waits. A Ctrl-C that came too late
    /// makes a further prompt, which does not count.
    fn prompt(&self, least: u32) -> (u32, i32) {
        let read = |pane: &str| {
            pane.lines().find_map(|line| {
                // The terminal shows the keys, too.
                let line = line.trim_start_matches("^C");
                let (prompt, _) = line.strip_prefix('<')?.split_once('>')?;
                let (number, code) = prompt.split_once(' ')?;
                Some((number.parse().ok()?, code.parse().ok()?))
                    .filter(|(number, _)| *number >= least)
            })
        };
        read(&self.until("prompt", |pane| read(pane).is_some())).unwrap()
    }
}

fn started_by(command: &mut Command, arguments: &[&str]) -> Result<(), String> {
    let output = command.args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(format!("{output:?}")) }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(self.socket()).arg("kill-server").output();
    }
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_bytesplice")
}

#[test]
fn progress_is_drawn_follows_the_width_and_goes_away() {
    let Some(session) = Session::start() else { return };
    let data = session.place().join("data");
    fs::write(&data, vec![b'x'; 400 << 20]).unwrap();
    session.enter(&format!("PATH={}:$PATH", Path::new(program()).parent().unwrap().display()));
    let (next, _) = session.prompt(2);
    session.tmux(&["resize-window", "-x", "120", "-y", "24"]);
    session.enter("bytesplice insert data 5 --text hey --strategy journaled --progress always");
    let drawn =
        |pane: &str| pane.lines().find(|line| line.starts_with("data [=")).map(str::to_owned);
    let pane = session.until("bar", |pane| drawn(pane).is_some());
    let line = drawn(&pane).unwrap();
    println!("{line}");
    assert!(line.contains("MiB/s") && line.contains('/') && line.chars().count() <= 80, "{line}");
    session.tmux(&["resize-window", "-x", "80", "-y", "24"]);
    let (_, code) = session.prompt(next + 1);
    assert_eq!(code, 0);
    let pane = session.pane();
    println!("{}", pane.trim_end());
    // Cleared, and in its place what was done.
    assert!(!pane.contains("MiB/s"), "{pane}");
    assert!(pane.contains("data: inserted 3 bytes at 5"), "{pane}");
    assert_eq!(fs::metadata(&data).unwrap().len(), (400 << 20) + 3);
}

#[test]
fn ctrl_c_at_any_moment_leaves_old_or_new() {
    let Some(session) = Session::start() else { return };
    let data = session.place().join("data");
    let old: Vec<u8> = (0..6_u64 << 20).flat_map(|n| (n * n).to_le_bytes()).collect();
    let mut new = old.clone();
    new.splice(5..5, *b"hey");
    session
        .enter(&format!("PATH={}:$PATH; clear", Path::new(program()).parent().unwrap().display()));
    let (mut next, _) = session.prompt(2);
    let mut longest = Duration::ZERO;
    let (mut was_old, mut was_new, mut was_cut_short) = (0, 0, 0);
    for round in 0..ROUNDS {
        fs::write(&data, &old).unwrap();
        let begin = Instant::now();
        session.enter(
            "clear; bytesplice insert data 5 --text hey --strategy journaled --progress always",
        );
        if round > 0 {
            // As irregular as it is the same in every run. Every third round has a second one.
            sleep(longest * (round.wrapping_mul(2_654_435_761) >> 16) / 65_536);
            session.tmux(&["send-keys", "C-c"]);
            if round % 3 == 0 {
                session.tmux(&["send-keys", "C-c"]);
            }
        }
        let (number, code) = session.prompt(next + 1);
        next = number;
        if round == 0 {
            longest = begin.elapsed();
        }
        let pane = session.pane();
        let journal = session.place().join(".data.bytesplice");
        assert_eq!(journal.exists(), code == 8, "round {round}, {code}:\n{pane}");
        if code == 8 {
            was_cut_short += 1;
            let recovered = Command::new(program()).arg("recover").arg(&data).output().unwrap();
            assert!(recovered.status.success(), "{recovered:?}");
        }
        let found = fs::read(&data).unwrap();
        if found == old {
            was_old += 1;
            assert_ne!(code, 0, "round {round}:\n{pane}");
        } else {
            assert!(found == new, "round {round}: neither old nor new");
            was_new += 1;
            assert!(matches!(code, 0 | 8), "round {round}, {code}:\n{pane}");
        }
        if round % 9 == 1 {
            println!("{}\n", pane.trim_end());
        }
    }
    println!(
        "Ctrl-C {ROUNDS} times: {was_old} old, {was_new} new, {was_cut_short} of them by recovery"
    );
    assert!(was_old > 0 && was_new > 0);
}
