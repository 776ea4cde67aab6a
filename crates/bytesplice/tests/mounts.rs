//! Files that are mounted by themselves, and files on overlayfs, with real mounts: needs root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytesplice::{CommitOptions, Error, JournalStatus, SpliceFile, Strategy, status, support};
use mounted::run;

#[allow(dead_code, reason = "other tests use the rest")]
mod mounted;

/// Unmounted on drop.
struct Mount(PathBuf);

impl Mount {
    /// None, after a word on it, if nothing can be mounted.
    fn new(command: &mut Command, place: &Path) -> Option<Self> {
        match run(command.arg(place)) {
            Ok(()) => Some(Self(place.into())),
            Err(why) => {
                println!("SKIPPED: {why}");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg(&self.0));
    }
}

const STRATEGIES: [Strategy; 5] =
    [Strategy::Auto, Strategy::Journaled, Strategy::Snapshot, Strategy::Extents, Strategy::Replace];

#[test]
fn a_file_that_is_mounted_alone_is_committed_directly_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let [outside, inside] = ["outside", "inside"].map(|name| directory.path().join(name));
    for folder in [&outside, &inside] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("data"), "0123456789").unwrap();
    }
    let path = inside.join("data");
    let mut bind = Command::new("mount");
    bind.arg("--bind").arg(outside.join("data"));
    let Some(mount) = Mount::new(&mut bind, &path) else { return };
    assert_eq!(status(&path).unwrap().journal, JournalStatus::None);
    let strategies = support(&path).unwrap().strategies;
    let refused: Vec<bool> = strategies.iter().map(|(_, refusal)| refusal.is_some()).collect();
    assert_eq!(refused, [true, true, true, true, false], "{strategies:?}");
    for strategy in STRATEGIES {
        let options = || CommitOptions::new().strategy(strategy);
        let mut file = SpliceFile::open(&path).unwrap();
        assert_eq!(file.plan_with(&options()).unwrap().bytes_new, 0);
        file.replace(2..4, "four").unwrap();
        for outcome in [file.plan_with(&options()).map(drop), file.commit_with(options())] {
            let error = outcome.unwrap_err();
            assert!(
                matches!(&error, Error::StrategyUnsupported { strategy: named, .. } if *named == strategy),
                "{error:?}"
            );
            let text = error.to_string();
            assert!(text.contains("mount the directory"), "{text}");
            assert!(text.contains("Strategy::Direct"), "{text}");
            assert!(!text.contains("Strategy::Auto"), "{text}");
            assert_eq!(error.recommended_strategy(), Some(Strategy::Direct));
        }
        assert_eq!(fs::read(&path).unwrap(), b"0123456789");
    }
    let direct = || CommitOptions::new().strategy(Strategy::Direct);
    let mut file = SpliceFile::open(&path).unwrap();
    file.replace(2..4, "four").unwrap();
    let plan = file.plan_with(&direct()).unwrap();
    for cost in &plan.costs {
        assert_eq!(cost.unavailable.is_some(), cost.strategy != Strategy::Direct, "{cost:?}");
    }
    file.commit_with(direct()).unwrap();
    drop((file, mount));
    assert_eq!(fs::read(outside.join("data")).unwrap(), b"01four456789");
    assert_eq!(fs::read(&path).unwrap(), b"0123456789");
    assert_eq!(fs::read_dir(&inside).unwrap().count(), 1, "something was left beside the mount");
}

#[test]
fn a_file_whose_directory_is_mounted_takes_every_strategy() {
    let directory = tempfile::tempdir().unwrap();
    let [outside, inside] = ["outside", "inside"].map(|name| directory.path().join(name));
    for folder in [&outside, &inside] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(outside.join("data"), "0123456789").unwrap();
    let mut bind = Command::new("mount");
    let Some(_mount) = Mount::new(bind.arg("--bind").arg(&outside), &inside) else { return };
    for strategy in [Strategy::Auto, Strategy::Journaled, Strategy::Replace] {
        let mut file = SpliceFile::open(inside.join("data")).unwrap();
        file.insert(0, "+").unwrap();
        file.commit_with(CommitOptions::new().strategy(strategy)).unwrap();
    }
    assert_eq!(fs::read(outside.join("data")).unwrap(), b"+++0123456789");
}

#[test]
fn looking_and_planning_copy_nothing_up_and_a_commit_is_told_to() {
    // One overlayfs cannot be the upper layer of another.
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let directory = directory.unwrap();
    let [lower, upper, work, merged] =
        ["lower", "upper", "work", "merged"].map(|name| directory.path().join(name));
    for folder in [&lower, &upper, &work, &merged] {
        fs::create_dir(folder).unwrap();
    }
    let old = vec![b'.'; 100_000];
    fs::write(lower.join("data"), &old).unwrap();
    assert!(!support(lower.join("data")).unwrap().copies_up);
    fs::hard_link(lower.join("data"), lower.join("link")).unwrap();
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    let mut overlay = Command::new("mount");
    overlay.args(["-t", "overlay", "overlay", "-o", &layers]);
    let Some(_mount) = Mount::new(&mut overlay, &merged) else { return };
    let path = merged.join("data");
    let inode = fs::metadata(&path).unwrap().ino();

    let seen = support(&path).unwrap();
    assert!(seen.copies_up);
    assert!(seen.strategies.contains(&(Strategy::Journaled, None)), "{:?}", seen.strategies);
    assert!(!status(&path).unwrap().read_only);
    let mut file = bytesplice::OpenOptions::new().read_only(true).open(&path).unwrap();
    file.insert(50_000, "new").unwrap();
    for strategy in [Strategy::Auto, Strategy::Replace] {
        assert!(file.plan_with(&CommitOptions::new().strategy(strategy)).unwrap().copies_up);
    }
    drop(file);
    assert!(!upper.join("data").exists(), "the file was copied up without a commit");

    let mut file = SpliceFile::open(&path).unwrap();
    file.insert(50_000, "new").unwrap();
    file.commit().unwrap();
    let mut new = old.clone();
    new.splice(50_000..50_000, *b"new");
    assert!(fs::read(&path).unwrap() == new);
    assert!(fs::read(upper.join("data")).unwrap() == new);
    // What the documentation says of overlayfs.
    assert!(fs::read(merged.join("link")).unwrap() == old, "the other hard link was changed");
    assert!(fs::read(lower.join("data")).unwrap() == old);
    println!("inode {inode}, after the commit {}", fs::metadata(&path).unwrap().ino());
}
