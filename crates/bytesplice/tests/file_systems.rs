//! Commits on freshly made file systems, loop-mounted: every one by the same cases. Needs root and the mkfs programs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytesplice::{
    Cancel, CommitOptions, Content, Error, FileState, Recovery, SpliceFile, Strategy, abort,
    recover,
};
use oracle::{names, numbers};

#[allow(dead_code, reason = "other tests use the rest")]
mod oracle;

/// A file system in an image file, unmounted on drop.
struct Mounted {
    directory: tempfile::TempDir,
}

impl Mounted {
    fn new(kind: &str, options: &[&str], megabytes: u64) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = directory.path().join("image");
        let mount = directory.path().join("mount");
        fs::create_dir(&mount).map_err(|error| error.to_string())?;
        let file = fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(megabytes << 20).map_err(|error| error.to_string())?;
        run(Command::new(format!("mkfs.{kind}")).arg("-q").args(options).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount))?;
        Ok(Self { directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("mount")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg(self.path()));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Every strategy; those that `expected` does not name must be refused.
fn every_strategy(place: &Path, expected: &[Strategy]) {
    for strategy in [
        Strategy::Auto,
        Strategy::Journaled,
        Strategy::Snapshot,
        Strategy::Extents,
        Strategy::Replace,
        Strategy::Direct,
    ] {
        let outcomes = [oracle::commits(place, strategy), oracle::keeps_holes(place, strategy)];
        for outcome in outcomes {
            match outcome {
                Ok(()) => assert!(expected.contains(&strategy), "{strategy}"),
                Err(Error::StrategyUnsupported { .. }) => {
                    assert!(!expected.contains(&strategy), "{strategy} was refused");
                }
                Err(error) => panic!("{strategy}: {error}"),
            }
        }
    }
    println!(
        "  strategies: {}",
        expected.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    );
}

fn every_kind_of_commit(place: &Path) {
    let path = place.join("data");
    let mut model = numbers(40 << 20);
    fs::write(&path, &model).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let mut file = SpliceFile::open(&path).unwrap();
    let edits: [(std::ops::Range<usize>, Vec<u8>); 7] = [
        (10..10, b"four".to_vec()),
        (5_000_000..5_004_096, Vec::new()),
        (100..105, b"equal".to_vec()),
        (30_000_000..30_000_000, numbers(20 << 20)),
        (0..30_000_000, Vec::new()),
        (1000..1000, vec![b'-'; 4096]),
        (7..9, b"x".to_vec()),
    ];
    for (range, bytes) in edits {
        file.replace(range.start as u64..range.end as u64, &bytes).unwrap();
        file.commit().unwrap();
        model.splice(range, bytes);
        assert!(fs::read(&path).unwrap() == model);
    }
    file.splice(5..5, Content::copy(..)).unwrap();
    file.commit().unwrap();
    let copied = model.clone();
    model.splice(5..5, copied);
    assert!(fs::read(&path).unwrap() == model);
    file.truncate(0).unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    assert_eq!(names(place), ["data"]);
    fs::remove_file(&path).unwrap();
}

/// What is preallocated and cached counts as data now and as a hole after a crash: no map of it may be relied upon.
fn preallocated_blocks_are_not_shifted_by_their_holes(place: &Path) {
    let path = place.join("data");
    let len = 40 << 20;
    let by_extents = || CommitOptions::new().strategy(Strategy::Extents);
    let mut model = numbers(len);
    fs::write(&path, &model).unwrap();
    fs::File::open(&path).unwrap().sync_all().unwrap();
    for preallocated in [false, true] {
        if preallocated {
            fs::remove_file(&path).unwrap();
            run(Command::new("fallocate").args(["-l", &len.to_string()]).arg(&path)).unwrap();
            let mut handle = fs::OpenOptions::new().write(true).open(&path).unwrap();
            handle.write_all(&numbers(20 << 20)).unwrap();
            handle.sync_all().unwrap();
            model = fs::read(&path).unwrap();
        }
        let mut file = SpliceFile::open(&path).unwrap();
        let bytes = vec![b'-'; 1 << 20];
        file.insert(1 << 20, &bytes).unwrap();
        let written = file.plan_with(&by_extents()).unwrap().bytes_to_write;
        assert_eq!(written >= 18 << 20, preallocated, "{written}");
        file.commit_with(by_extents()).unwrap();
        model.splice(1 << 20..1 << 20, bytes);
        assert!(fs::read(&path).unwrap() == model);
    }
    fs::remove_file(&path).unwrap();
}

/// A commit by snapshot that was stopped in the middle goes back to the old contents, or on to the new.
fn back_and_forth(place: &Path) {
    let path = place.join("data");
    let old = numbers(24 << 20);
    let mut new = old.clone();
    new.splice(10..10, *b"four");
    for taken_back in [true, false] {
        fs::write(&path, &old).unwrap();
        let cancel = Cancel::new();
        let asked = cancel.clone();
        let mut progress = move |progress: bytesplice::Progress| {
            if progress.bytes_done > progress.bytes_total / 2 {
                asked.request_at_once();
            }
        };
        let mut file = SpliceFile::open(&path).unwrap();
        file.insert(10, "four").unwrap();
        let options = CommitOptions::new().strategy(Strategy::Snapshot).cancel(&cancel);
        let stopped = file.commit_with(options.progress(&mut progress)).unwrap_err();
        assert!(matches!(stopped.file_state(), FileState::Recoverable { .. }), "{stopped}");
        drop(file);
        let middle = fs::read(&path).unwrap();
        assert!(middle != old && middle != new);
        if taken_back {
            assert_eq!(abort(&path).unwrap(), Recovery::RolledBack);
            assert!(fs::read(&path).unwrap() == old);
        } else {
            assert_eq!(recover(&path).unwrap(), Recovery::Completed);
            assert!(fs::read(&path).unwrap() == new);
        }
        assert_eq!(names(place), ["data"]);
    }
    fs::remove_file(&path).unwrap();
}

/// The disk fills up at every stage, a little more room each time.
fn a_full_disk(place: &Path) {
    let (path, ballast) = (place.join("data"), place.join("ballast"));
    let old = numbers(24 << 20);
    fs::write(&path, &old).unwrap();
    let mut new = old.clone();
    new.splice(1000..1000, numbers(12 << 20));
    let (mut refused, mut done) = (0, 0);
    for free in [1_u64, 8, 16, 30, 40, 44, 50, 56, 60, 70, 90] {
        let _ = fs::remove_file(&ballast);
        let _ = run(Command::new("sync").arg("-f").arg(place));
        let statistics = rustix::fs::statvfs(place).unwrap();
        let available = statistics.f_bavail * statistics.f_frsize;
        let fill = available.saturating_sub(free << 20);
        let _ = run(Command::new("fallocate").arg("-l").arg(fill.max(1).to_string()).arg(&ballast));
        let mut file = SpliceFile::open(&path).unwrap();
        file.insert(1000, numbers(12 << 20)).unwrap();
        match file.commit() {
            Ok(()) => {
                done += 1;
                assert!(fs::read(&path).unwrap() == new);
                file.remove(1000..1000 + (12 << 20)).unwrap();
                drop(file);
                let _ = fs::remove_file(&ballast);
                fs::write(&path, &old).unwrap();
            }
            Err(error) => {
                refused += 1;
                assert!(matches!(error, Error::NoSpace { .. }), "{error}");
                drop(file);
                if error.file_state() == FileState::Unchanged {
                    assert_eq!(recover(&path).unwrap(), Recovery::Clean);
                    assert!(fs::read(&path).unwrap() == old, "{free} MiB free");
                } else {
                    fs::remove_file(&ballast).unwrap();
                    recover(&path).unwrap();
                    let contents = fs::read(&path).unwrap();
                    assert!(contents == old || contents == new, "{free} MiB free");
                    fs::write(&path, &old).unwrap();
                }
            }
        }
    }
    println!("  full disk: {refused} commits refused, {done} done, all old or new");
    assert!(refused > 0 && done > 0);
}

/// A new file takes the name; where blocks can be shared, only what changes is written.
fn replacing(place: &Path, shares: bool) {
    let by_replacing = || CommitOptions::new().strategy(Strategy::Replace);
    let path = place.join("data");
    let mut model = numbers(40 << 20);
    fs::write(&path, &model).unwrap();
    let mut file = SpliceFile::open(&path).unwrap();
    let edits: [(std::ops::Range<usize>, Vec<u8>); 6] = [
        (39 << 20..39 << 20, b"late".to_vec()),
        (100..105, b"equal".to_vec()),
        // Whole blocks move by whole blocks.
        (8192..8192, numbers(4096)),
        (5_000_000..5_000_003, Vec::new()),
        (20 << 20..30 << 20, vec![0; 5 << 20]),
        (1 << 20..model.len() - (6 << 20), Vec::new()),
    ];
    let mut written = Vec::new();
    for (range, bytes) in edits {
        let inode = fs::metadata(&path).unwrap().ino();
        file.replace(range.start as u64..range.end as u64, &bytes).unwrap();
        let plan = file.plan_with(&by_replacing()).unwrap();
        written.push(plan.bytes_to_write);
        file.commit_with(by_replacing()).unwrap();
        model.splice(range, bytes);
        assert!(fs::read(&path).unwrap() == model);
        assert_ne!(fs::metadata(&path).unwrap().ino(), inode);
        assert_eq!(names(place), ["data"]);
    }
    println!("  replacing: wrote {written:?} bytes");
    if shares {
        assert!(written[0] <= 2 << 20 && written[1] == 5 && written[2] < 20_000, "{written:?}");
    } else {
        assert!(written[..4].iter().all(|&written| written > 39 << 20), "{written:?}");
    }

    // Holes, also inside what is shared.
    let len = 1 << 30;
    let sparse = fs::File::create(&path).unwrap();
    sparse.set_len(len).unwrap();
    drop((sparse, file));
    let mut file = SpliceFile::open(&path).unwrap();
    file.insert(len / 2, "island").unwrap();
    file.insert(0, numbers(4096)).unwrap();
    file.commit_with(by_replacing()).unwrap();
    file.splice(100..4096, Content::fill(0, 3996)).unwrap();
    file.splice(len / 2 + 4096..len / 2 + 4102, Content::fill(0, 6)).unwrap();
    file.append("end").unwrap();
    file.commit_with(by_replacing()).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.len(), len + 4096 + 6 + 3);
    assert!(metadata.blocks() * 512 < 1 << 20, "{} bytes on the disk", metadata.blocks() * 512);
    let mut start = vec![0; 8192];
    file.read_exact_at(&mut start, 0).unwrap();
    assert!(start[..100] == numbers(100) && start[100..].iter().all(|&byte| byte == 0));
    let mut island = [1; 100];
    file.read_exact_at(&mut island, len / 2 + 4090).unwrap();
    assert_eq!(island, [0; 100]);
    drop(file);
    fs::remove_file(&path).unwrap();
}

/// No room for a second file: the old one stays, and nothing beside it.
fn replacing_on_a_full_disk(place: &Path) {
    let (path, ballast) = (place.join("data"), place.join("ballast"));
    let old = numbers(24 << 20);
    fs::write(&path, &old).unwrap();
    let _ = run(Command::new("sync").arg("-f").arg(place));
    let mut full = fs::File::create(&ballast).unwrap();
    while full.write_all(&[1; 1 << 16]).is_ok() {}
    full.set_len(full.metadata().unwrap().len().saturating_sub(5 << 20)).unwrap();
    let _ = full.sync_all();
    drop(full);
    let mut file = SpliceFile::open(&path).unwrap();
    file.insert(10, "x").unwrap();
    let error = file.commit_with(CommitOptions::new().strategy(Strategy::Replace)).unwrap_err();
    assert!(matches!(error, Error::NoSpace { .. }), "{error}");
    assert_eq!(error.file_state(), FileState::Unchanged);
    assert!(fs::read(&path).unwrap() == old);
    assert_eq!(names(place), ["ballast", "data"]);
    fs::remove_file(&ballast).unwrap();
    file.commit_with(CommitOptions::new().strategy(Strategy::Replace)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), old.len() as u64 + 1);
    drop(file);
    fs::remove_file(&path).unwrap();
}

#[test]
fn commits_on_every_file_system() {
    use Strategy::{Auto, Direct, Extents, Journaled, Replace, Snapshot};

    for (kind, options, strategies) in [
        ("ext4", &["-b", "4096"][..], &[Auto, Journaled, Extents, Replace, Direct][..]),
        // Extents on borders that the map of a shift does not know.
        ("ext4", &["-b", "1024"], &[Auto, Journaled, Replace, Direct]),
        ("xfs", &[], &[Auto, Journaled, Snapshot, Extents, Replace, Direct]),
        ("btrfs", &[], &[Auto, Journaled, Snapshot, Replace, Direct]),
    ] {
        match Mounted::new(kind, options, 512) {
            Ok(mounted) => {
                println!("{kind} {}", options.join(" "));
                every_kind_of_commit(&mounted.path());
                if strategies.contains(&Extents) {
                    preallocated_blocks_are_not_shifted_by_their_holes(&mounted.path());
                }
                every_strategy(&mounted.path(), strategies);
                replacing(&mounted.path(), kind != "ext4");
                replacing_on_a_full_disk(&mounted.path());
                if strategies.contains(&Snapshot) {
                    back_and_forth(&mounted.path());
                }
                a_full_disk(&mounted.path());
            }
            Err(reason) => println!("SKIPPED {kind}: it cannot be made or mounted here: {reason}"),
        }
    }
}
