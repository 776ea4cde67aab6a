//! A plan does not promise what the system refuses to its commit: both fail with the same error.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytesplice::{
    ChosenStrategy, CommitOptions, Durability, Error, FileState, LockMode, OpenOptions, SpliceFile,
    Strategy,
};
use mounted::run;
use rustix::process::{Resource, Rlimit, geteuid, setrlimit};

#[allow(dead_code, reason = "other tests use the rest")]
mod mounted;

fn options<'a>(strategy: Strategy, durability: Durability) -> CommitOptions<'a> {
    CommitOptions::new().strategy(strategy).durability(durability)
}

/// A file system in memory, of so many kilobytes; unmounted on drop.
struct Small(tempfile::TempDir);

impl Small {
    fn new(kilobytes: u32) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={kilobytes}k");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(directory.path()))?;
        Ok(Self(directory))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("--lazy").arg(self.0.path()));
    }
}

fn numbers(len: usize) -> Vec<u8> {
    (0..len as u64 / 8).flat_map(|number| (number * 0x9E37_79B9).to_le_bytes()).collect()
}

#[test]
fn a_full_disk_is_freed_without_a_journal_or_by_the_bytes_that_are_missing() {
    let small = match Small::new(4 << 10) {
        Ok(small) => small,
        Err(reason) => return println!("SKIPPED: needs root, to mount a file system: {reason}"),
    };
    let (log, ballast) = (small.at("log"), small.at("ballast"));
    let old = numbers(2 << 20);
    fs::write(&log, &old).unwrap();
    let mut full = File::create(&ballast).unwrap();
    while full.write_all(&[1; 4096]).is_ok() {}

    let mut file = SpliceFile::open(&log).unwrap();
    file.remove(..1 << 20).unwrap();
    let told = |error: &Error| match error {
        Error::NoSpaceForJournal { needed, missing, .. } => (*needed, *missing),
        other => panic!("{other:?}"),
    };
    let planned = file.plan().unwrap_err();
    let refused = file.commit().unwrap_err();
    assert_eq!(told(&planned), told(&refused));
    assert_eq!(refused.file_state(), FileState::Unchanged);
    let text = refused.to_string();
    assert!(text.contains("Strategy::Direct") && text.contains("neither the old nor the new"));
    assert!(fs::read(&log).unwrap() == old);
    let (needed, missing) = told(&refused);
    assert!(0 < missing && missing <= needed, "{missing} of {needed}");
    assert!(text.contains(&missing.to_string()), "{text}");

    // What does work is offered, and says what does not.
    let direct = file.plan_with(&options(Strategy::Direct, Durability::Synced)).unwrap();
    assert_eq!(direct.strategy, ChosenStrategy::Direct);
    let journaled = direct.costs.iter().find(|cost| cost.strategy == Strategy::Journaled).unwrap();
    let reason = journaled.unavailable.as_deref().unwrap();
    assert!(reason.contains("are missing"), "{reason}");

    // A little less is too little, and as much is enough.
    let missing = missing.next_multiple_of(4096);
    let len = full.metadata().unwrap().len();
    full.set_len(len - missing + 4096).unwrap();
    assert_eq!(told(&file.plan().unwrap_err()), (needed, 4096));
    full.set_len(len - missing).unwrap();
    file.plan().unwrap();
    file.commit().unwrap();
    assert!(fs::read(&log).unwrap() == old[1 << 20..]);
    drop(file);

    while full.write_all(&[1; 4096]).is_ok() {}
    let mut file = SpliceFile::open(&log).unwrap();
    file.remove(..1 << 19).unwrap();
    assert!(matches!(file.commit(), Err(Error::NoSpaceForJournal { .. })));
    file.commit_with(options(Strategy::Direct, Durability::Synced)).unwrap();
    assert!(fs::read(&log).unwrap() == old[3 << 19..]);

    // No room for more bytes of the file either.
    while full.write_all(&[1; 4096]).is_ok() {}
    file.append(vec![b'x'; 1 << 20]).unwrap();
    let direct = options(Strategy::Direct, Durability::Synced);
    assert!(matches!(file.plan_with(&direct), Err(Error::NoSpace { .. })));
    assert!(matches!(file.commit_with(direct), Err(Error::NoSpace { .. })));
}

#[test]
fn a_file_system_that_is_read_only_has_no_plan_with_a_journal() {
    let small = match Small::new(256) {
        Ok(small) => small,
        Err(reason) => return println!("SKIPPED: needs root, to mount a file system: {reason}"),
    };
    fs::write(small.at("data"), numbers(4096)).unwrap();
    run(Command::new("mount").args(["-o", "remount,ro"]).arg(small.0.path())).unwrap();
    let mut file = SpliceFile::open(small.at("data")).unwrap();
    assert!(file.is_read_only());
    file.remove(..10).unwrap();
    for strategy in [Strategy::Auto, Strategy::Journaled] {
        let outcome = file.plan_with(&options(strategy, Durability::Synced));
        assert!(matches!(outcome, Err(Error::JournalUnwritable { .. })), "{outcome:?}");
    }
    let outcome = file.plan_with(&options(Strategy::Replace, Durability::Synced));
    assert!(matches!(outcome, Err(Error::StrategyUnsupported { .. })), "{outcome:?}");
}

#[test]
fn a_journal_that_is_there_already() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    fs::write(&path, numbers(4096)).unwrap();
    let open = || {
        let mut file = OpenOptions::new().lock(LockMode::None).open(&path).unwrap();
        file.remove(..10).unwrap();
        file
    };
    let strategies = [Strategy::Auto, Strategy::Journaled, Strategy::Replace];
    let handles = strategies.map(|strategy| (strategy, open()));
    let file = open();
    fs::write(directory.path().join(".data.bytesplice"), "somebody's").unwrap();
    for (strategy, mut file) in handles {
        let how = || options(strategy, Durability::Synced);
        let planned = file.plan_with(&how());
        assert!(matches!(planned, Err(Error::NeedsRecovery { .. })), "{planned:?}");
        let committed = file.commit_with(how());
        assert!(matches!(committed, Err(Error::NeedsRecovery { .. })), "{committed:?}");
    }
    let plan = file.plan_with(&options(Strategy::Direct, Durability::Synced)).unwrap();
    let reasons = plan.costs.iter().filter_map(|cost| cost.unavailable.as_deref());
    assert!(reasons.filter(|reason| reason.contains("cut short")).count() > 0, "{:?}", plan.costs);
}

const PATH: &str = "BYTESPLICE_REHEARSAL_PATH";
const LIMIT: &str = "BYTESPLICE_REHEARSAL_LIMIT";

/// The kind of an error, without what it is about.
fn kind(outcome: bytesplice::Result<()>) -> String {
    outcome.map_or_else(
        |error| format!("{error:?}").split([' ', '{']).next().unwrap_or_default().into(),
        |()| "none".into(),
    )
}

/// What the process does that the system refuses something to: prints what becomes of plans and of commits.
#[test]
fn restricted_process() {
    let Some(path) = std::env::var_os(PATH) else { return };
    if let Ok(limit) = std::env::var(LIMIT) {
        let current = Some(limit.parse().unwrap());
        setrlimit(Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
    }
    println!();
    for durability in [Durability::Synced, Durability::Unsynced] {
        for strategy in [Strategy::Auto, Strategy::Journaled, Strategy::Replace, Strategy::Direct] {
            let mut file = SpliceFile::open(&path).unwrap();
            file.insert(5, "x").unwrap();
            let planned = kind(file.plan_with(&options(strategy, durability)).map(drop));
            let committed = kind(file.commit_with(options(strategy, durability)));
            println!("{durability:?} {strategy}: {planned}, {committed}");
        }
    }
}

/// Runs that process in a directory with this mode, or with a limit of file sizes; returns its lines.
fn restricted(mode: u32, limit: Option<u64>) -> Vec<String> {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("inner");
    let path = inner.join("data");
    fs::create_dir(&inner).unwrap();
    fs::write(&path, numbers(4096)).unwrap();
    let program = outer.path().join("program");
    // The copy is made by another process: a descriptor open for writing, inherited by a child of another test, would
    // make starting it fail with "text file busy".
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let mut command = Command::new(&program);
    command.args(["--exact", "restricted_process", "--test-threads=1", "--nocapture"]);
    command.env(PATH, &path);
    if let Some(limit) = limit {
        command.env(LIMIT, limit.to_string());
    }
    if geteuid().is_root() {
        fs::set_permissions(outer.path(), Permissions::from_mode(0o755)).unwrap();
        let chown = |path: &Path| std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
        chown(&inner);
        chown(&path);
        command.uid(65534).gid(65534);
    }
    fs::set_permissions(&inner, Permissions::from_mode(mode)).unwrap();
    let output = command.output().unwrap();
    fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().filter(|line| line.contains("ynced ")).map(Into::into).collect()
}

#[test]
fn directories_that_cannot_be_written_or_read() {
    let unwritable = "JournalUnwritable, JournalUnwritable";
    let unsupported = "StrategyUnsupported, StrategyUnsupported";
    let done = "none, none";
    let expected = |synced: [&str; 4], unsynced: [&str; 4]| -> Vec<String> {
        let strategies = ["auto", "journaled", "replace", "direct"];
        let lines = |durability, outcomes: [&str; 4]| {
            let lines = strategies.into_iter().zip(outcomes);
            lines
                .map(|(strategy, outcome)| format!("{durability} {strategy}: {outcome}"))
                .collect::<Vec<_>>()
        };
        [lines("Synced", synced), lines("Unsynced", unsynced)].concat()
    };
    let refused = [unwritable, unwritable, unsupported, done];
    assert_eq!(restricted(0o555, None), expected(refused, refused));
    // What cannot be read cannot be synced.
    assert_eq!(restricted(0o333, None), expected(refused, [done; 4]));
    assert_eq!(restricted(0o755, None), expected([done; 4], [done; 4]));
}

#[test]
fn a_limit_of_file_sizes_is_in_the_plan() {
    for limit in [4096 + 8, 1 << 20] {
        let lines = restricted(0o755, Some(limit));
        for line in &lines {
            let (_, outcomes) = line.split_once(": ").unwrap();
            let (planned, committed) = outcomes.split_once(", ").unwrap();
            assert_eq!(planned, committed, "{line}");
        }
        // A journal is longer than this file.
        let refused = lines.iter().filter(|line| line.ends_with("SizeLimit")).count();
        assert_eq!(refused > 0, limit < 1 << 20, "{lines:#?}");
    }
}
