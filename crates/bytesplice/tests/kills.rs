//! SIGKILLs of a real process in the middle of a commit, and in the middle of the recovery after it. Longer, elsewhere or
//! by another strategy: `BYTESPLICE_KILLS`, `BYTESPLICE_KILLS_DIRECTORY`, `BYTESPLICE_KILLS_STRATEGY`; `BYTESPLICE_SEED`
//! shifts the moments.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytesplice::{CommitOptions, JournalStatus, Recovery, SpliceFile, Strategy, recover, status};

const JOB: &str = "BYTESPLICE_KILLED_JOB";
const LEN: usize = 64 << 20;

fn environment(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// The strategy asked for; none if this library has none of its name.
fn strategy() -> Option<Strategy> {
    match std::env::var("BYTESPLICE_KILLS_STRATEGY") {
        Ok(name) => name.parse().ok(),
        Err(_) => Some(Strategy::Auto),
    }
}

fn edit(file: &mut SpliceFile) {
    file.insert(10, "four").unwrap();
    file.remove(40 << 20..(40 << 20) + 9000).unwrap();
    file.append(vec![b'#'; 100_000]).unwrap();
}

fn edited(old: &[u8]) -> Vec<u8> {
    let mut new = old.to_vec();
    new.splice(10..10, *b"four");
    new.drain(40 << 20..(40 << 20) + 9000);
    new.extend(vec![b'#'; 100_000]);
    new
}

/// What the killed process does: it says when it starts, and goes on until it is killed or done.
#[test]
fn killed_process() {
    let Ok(job) = std::env::var(JOB) else { return };
    let path = Path::new(&job[1..]);
    let mut commit = None;
    if job.starts_with('c') {
        let mut file = SpliceFile::open(path).unwrap();
        edit(&mut file);
        commit = Some(file);
    }
    println!("starting");
    match commit {
        Some(mut file) => {
            file.commit_with(CommitOptions::new().strategy(strategy().unwrap())).unwrap();
        }
        None => assert_ne!(recover(path).unwrap(), Recovery::Clean),
    }
}

fn start(kind: char, path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_process", "--nocapture"])
        .env(JOB, format!("{kind}{}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let output = child.stdout.as_mut().unwrap();
    while !said.ends_with(b"starting\n") {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    child
}

/// Kills the process after `delay`; whether it was still at work.
fn kill_after(child: &mut Child, delay: Duration) -> bool {
    let until = Instant::now() + delay;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    let killed = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    killed
}

fn phase(path: &Path) -> &'static str {
    match status(path).unwrap().journal {
        JournalStatus::None => "no journal: before or after",
        JournalStatus::Prepared { .. } => "before the commit point",
        JournalStatus::Committing { step, steps, .. } if step + 1 < steps => {
            "after it, before the last step"
        }
        JournalStatus::Committing { .. } => "in the last step",
        JournalStatus::Finishing { .. } => "after the last step",
        JournalStatus::Unusable { detail, .. } => panic!("{detail}"),
    }
}

/// Delays that are spread evenly, and differently in every try.
fn delay(attempt: u32, longest: Duration) -> Duration {
    let seed = f64::from(environment("BYTESPLICE_SEED", 0)) * 0.414_214;
    longest.mul_f64((f64::from(attempt) * 0.618_034 + seed) % 1.0)
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

#[test]
fn every_killed_commit_is_old_or_new() {
    let asked = std::env::var_os("BYTESPLICE_KILLS_DIRECTORY");
    let parent = asked.as_deref().map_or(Path::new("/dev/shm"), Path::new);
    let directory = if parent.is_dir() {
        tempfile::tempdir_in(parent).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    let place = Place { directory };
    let path = place.path();
    let old: Vec<u8> = (0..LEN as u32 / 4)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let new = edited(&old);

    fs::write(&path, &old).unwrap();
    let Some(strategy) = strategy() else {
        return println!(
            "SKIPPED kills: no strategy {:?}",
            std::env::var("BYTESPLICE_KILLS_STRATEGY")
        );
    };
    let mut tried = SpliceFile::open(&path).unwrap();
    edit(&mut tried);
    if let Err(error) = tried.commit_with(CommitOptions::new().strategy(strategy)) {
        // By its name: it is not the same on every system whether there is a strategy.
        assert!(format!("{error:?}").starts_with("StrategyUnsupported"), "{error}");
        return println!("SKIPPED kills: {error}");
    }
    drop(tried);
    fs::write(&path, &old).unwrap();
    let mut child = start('c', &path);
    let begin = Instant::now();
    assert!(child.wait().unwrap().success());
    let whole_commit = begin.elapsed();
    assert!(fs::read(&path).unwrap() == new);

    let mut histogram: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut kills, mut armed, mut in_recovery, mut became_old, mut became_new) = (0, 0, 0, 0, 0);
    let mut attempt = 0;
    let wanted = environment("BYTESPLICE_KILLS", 200);
    // Only of this strategy it is known how many kills come when.
    let journaled =
        strategy == Strategy::Journaled || (strategy == Strategy::Auto && asked.is_none());
    let enough = |armed, in_recovery| armed >= wanted / 2 && in_recovery >= wanted / 7;
    while kills < wanted || (journaled && !enough(armed, in_recovery)) {
        attempt += 1;
        assert!(
            attempt < 2000 + 10 * wanted,
            "too few kills hit: {histogram:?}, {in_recovery} in recovery"
        );
        fs::write(&path, &old).unwrap();
        if !kill_after(&mut start('c', &path), delay(attempt, whole_commit)) {
            continue;
        }
        kills += 1;
        let phase_then = phase(&path);
        *histogram.entry(phase_then).or_default() += 1;
        let after_commit_point = phase_then.starts_with("after") || phase_then.starts_with("in");
        armed += u32::from(phase_then == "after it, before the last step");
        // A snapshot has one step only.
        let in_a_step =
            ["after it, before the last step", "in the last step"].contains(&phase_then);
        if in_a_step && in_recovery < wanted.min(60) {
            // Twice, so that a second recovery is cut as well.
            for again in 0..2 {
                if status(&path).unwrap().journal == JournalStatus::None {
                    break;
                }
                let killed = kill_after(
                    &mut start('r', &path),
                    delay(attempt + 7 * again, whole_commit / 2),
                );
                in_recovery +=
                    u32::from(killed && status(&path).unwrap().journal != JournalStatus::None);
            }
        }
        let outcome = recover(&path).unwrap();
        let contents = fs::read(&path).unwrap();
        let is_new = contents == new;
        assert!(is_new || contents == old, "neither old nor new after a kill {phase_then}");
        assert!(is_new || !after_commit_point, "old after the commit point");
        assert!(outcome != Recovery::RolledBack || !is_new, "{outcome:?}");
        became_new += u32::from(is_new);
        became_old += u32::from(!is_new);
        let left: Vec<_> = fs::read_dir(place.directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "something is left beside the file");
    }
    println!("{strategy} in {}:", place.directory.path().display());
    println!("{kills:>5}  commits killed");
    for (phase, count) in histogram {
        println!("{count:>5}  killed {phase}");
    }
    println!("{in_recovery:>5}  killed again inside the recovery");
    println!("{became_old:>5}  old after recovery");
    println!("{became_new:>5}  new after recovery");
    println!("{:>5}  anything else", kills - became_old - became_new);
}
