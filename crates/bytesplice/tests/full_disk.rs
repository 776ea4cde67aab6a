//! A full disk, met by every strategy on freshly made file systems: full before the commit begins, and filled up by others
//! at every stage of it. Needs root and the mkfs programs.

use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use bytesplice::{
    ChosenStrategy, CommitOptions, Error, FileState, JournalStatus, Recovery, SpliceFile, Strategy,
    abort, recover, status,
};
use mounted::{Mounted, run};
use oracle::{names, numbers};
use rustix::fs::FallocateFlags;

mod mounted;
#[allow(dead_code, reason = "other tests use the rest")]
mod oracle;

const MEBIBYTE: usize = 1 << 20;
const LEN: usize = 16 * MEBIBYTE;

/// One edit, and the way it is committed.
#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    strategy: Strategy,
    removed: Range<usize>,
    inserted: usize,
    /// Least and most bytes that it plans to write to the file: tells one way by extents from the other.
    written: Range<u64>,
}

impl Case {
    /// Those that this kind of file system offers.
    fn of(kind: &str) -> Vec<Self> {
        let all = 0..u64::MAX;
        let long = |name, strategy| Self {
            name,
            strategy,
            removed: 1000..1000,
            inserted: 6 * MEBIBYTE,
            written: all.clone(),
        };
        let mut cases = vec![
            long("auto", Strategy::Auto),
            long("journaled", Strategy::Journaled),
            long("replace", Strategy::Replace),
        ];
        if kind != "ext4" {
            cases.push(long("snapshot", Strategy::Snapshot));
        }
        if kind != "btrfs" {
            let extents = |name, removed, inserted, written| Self {
                name,
                strategy: Strategy::Extents,
                removed,
                inserted,
                written,
            };
            let (start, few) = (MEBIBYTE..MEBIBYTE, 0..7 << 20);
            cases.extend([
                extents("extents, opening insertion", start.clone(), 6 * MEBIBYTE, few.clone()),
                extents("extents, opening removal", start.start..5 * MEBIBYTE, 0, few),
                extents("extents, hop", 1000..1000, 5, 15 << 20..u64::MAX),
            ]);
        }
        cases
    }

    fn new_contents(&self) -> Vec<u8> {
        let mut new = numbers(LEN);
        new.splice(self.removed.clone(), numbers(self.inserted));
        new
    }

    /// The edited file, to be committed.
    fn open(&self, path: &Path) -> SpliceFile {
        let mut file = SpliceFile::open(path).unwrap();
        let removed = self.removed.start as u64..self.removed.end as u64;
        file.replace(removed, numbers(self.inserted)).unwrap();
        file
    }

    /// Whether it is done in the way that it stands for.
    fn check_way(&self, file: &SpliceFile) {
        let plan = file.plan_with(&CommitOptions::new().strategy(self.strategy)).unwrap();
        assert!(self.written.contains(&plan.bytes_to_write), "{self:?}: {plan:?}");
        if self.strategy == Strategy::Extents {
            assert_eq!(plan.strategy, ChosenStrategy::Extents);
            assert!(plan.bytes_to_journal < 12 << 20, "{self:?}: {plan:?}");
        }
    }
}

/// When the disk is full.
#[derive(Debug, Clone, Copy)]
enum Full {
    /// Before the commit, but for so many bytes; with `u64::MAX` it is not.
    But(u64),
    /// From this report of progress on, because of others.
    At(usize),
}

/// How commits ended.
#[derive(Debug, Default)]
struct Tally {
    refused: u32,
    done: u32,
    /// Left to recovery.
    left: u32,
    /// Of these, such as could only be recovered when there was room again.
    waited: u32,
    /// Taken back while the disk was full.
    aborted: u32,
}

/// A file that takes the room of others.
struct Ballast(File);

impl Ballast {
    fn beside(path: &Path) -> Self {
        Self(File::create(path.with_file_name("ballast")).unwrap())
    }

    /// Takes all that is free, what is set aside for root as well, down to the last block; gives some of it back.
    fn grow_but(&self, free: u64) {
        let len = || self.0.metadata().unwrap().len();
        let mut step = 256 << 20;
        while step >= 4096 {
            let taken = rustix::fs::fallocate(&self.0, FallocateFlags::empty(), len(), step);
            if taken.is_err() {
                step /= 2;
            }
        }
        if free > 0 {
            self.0.set_len(len().saturating_sub(free)).unwrap();
            self.0.sync_all().unwrap();
        }
    }

    fn shrink(&self) {
        self.0.set_len(0).unwrap();
        self.0.sync_all().unwrap();
    }
}

/// Whether the file has the mark of an unfinished replacement.
fn is_marked(path: &Path) -> bool {
    rustix::fs::getxattr(path, "user.bytesplice-new", &mut [0; 32]).is_ok()
}

/// Commits on a disk that is full, or becomes so; whether it came to that.
fn commit(path: &Path, case: &Case, full: Full, tally: &mut Tally) -> bool {
    let what = format!("{}, {full:?}", case.name);
    let (old, new) = (numbers(LEN), case.new_contents());
    fs::write(path, &old).unwrap();
    File::open(path).unwrap().sync_all().unwrap();
    let ballast = Ballast::beside(path);
    run(Command::new("sync").arg("-f").arg(path)).unwrap();
    if let Full::But(free) = full
        && free < u64::MAX
    {
        ballast.grow_but(free);
    }
    let mut calls = 0;
    let mut progress = |_: bytesplice::Progress| {
        calls += 1;
        if matches!(full, Full::At(call) if call == calls) {
            ballast.grow_but(0);
        }
    };
    let mut file = case.open(path);
    let outcome =
        file.commit_with(CommitOptions::new().strategy(case.strategy).progress(&mut progress));
    let came = match full {
        Full::But(_) => true,
        Full::At(call) => calls >= call,
    };
    let error = match outcome {
        Ok(()) => {
            tally.done += 1;
            drop(file);
            assert!(fs::read(path).unwrap() == new, "{what}: not new");
            assert!(!is_marked(path), "{what}: the mark is left, and nothing was said");
            assert_eq!(names(path.parent().unwrap()), ["ballast", "data"], "{what}");
            ballast.shrink();
            return came;
        }
        Err(error) => error,
    };
    assert!(
        matches!(
            error,
            Error::NoSpace { .. }
                | Error::NoSpaceForJournal { .. }
                | Error::StrategyUnsupported { .. }
        ),
        "{what}: {error:?}"
    );
    drop(file);
    if error.file_state() == FileState::Committed {
        // A mark that the full disk keeps on the new file goes with the next open.
        tally.done += 1;
        assert!(fs::read(path).unwrap() == new, "{what}: not new");
        ballast.shrink();
        drop(SpliceFile::open(path).unwrap());
        assert!(!is_marked(path), "{what}: the mark is left");
    } else if error.file_state() == FileState::Unchanged {
        tally.refused += 1;
        assert_eq!(recover(path).unwrap(), Recovery::Clean, "{what}");
        assert!(fs::read(path).unwrap() == old, "{what}: not old");
        ballast.shrink();
    } else {
        assert!(matches!(error.file_state(), FileState::Recoverable { .. }), "{what}: {error}");
        tally.left += 1;
        let outcome = recover_when_full(path, case, &ballast, &what, tally);
        let contents = fs::read(path).unwrap();
        match outcome {
            Recovery::RolledBack => assert!(contents == old, "{what}: not old"),
            Recovery::Completed => assert!(contents == new, "{what}: not new"),
            Recovery::Clean => panic!("{what}: nothing to recover"),
        }
    }
    assert_eq!(names(path.parent().unwrap()), ["ballast", "data"], "{what}");
    came
}

/// Tries it while the disk is full, some by going back, and then with room.
fn recover_when_full(
    path: &Path,
    case: &Case,
    ballast: &Ballast,
    what: &str,
    tally: &mut Tally,
) -> Recovery {
    let committed = matches!(
        status(path).unwrap().journal,
        JournalStatus::Committing { .. } | JournalStatus::Finishing { .. }
    );
    if case.strategy == Strategy::Snapshot && tally.left.is_multiple_of(2) {
        match abort(path) {
            Ok(Recovery::RolledBack) => {
                tally.aborted += 1;
                ballast.shrink();
                return Recovery::RolledBack;
            }
            Err(Error::NoSpace { .. }) => {}
            outcome => panic!("{what}: aborted: {outcome:?}"),
        }
    }
    let outcome = match recover(path) {
        Ok(outcome) => outcome,
        Err(Error::NoSpace { .. }) => {
            tally.waited += 1;
            ballast.shrink();
            recover(path).unwrap()
        }
        Err(error) => panic!("{what}: recovery: {error:?}"),
    };
    ballast.shrink();
    assert_eq!(outcome == Recovery::Completed, committed, "{what}: {outcome:?}");
    outcome
}

fn every_strategy(kind: &str, place: &Path) {
    let path = place.join("data");
    for case in Case::of(kind) {
        fs::write(&path, numbers(LEN)).unwrap();
        case.check_way(&case.open(&path));
        let mut tally = Tally::default();
        // Once full, btrfs counts nothing as free any more.
        commit(&path, &case, Full::But(u64::MAX), &mut tally);
        for free in [0, 1, 3, 6, 7, 9, 12, 16, 20, 22, 24, 26, 29, 33, 40, 46, 52, 60, 75, 100] {
            commit(&path, &case, Full::But(free << 20), &mut tally);
        }
        let mut at_reports = Tally::default();
        // Some have few reports, some many.
        let mut reports = 1;
        while commit(&path, &case, Full::At(reports), &mut at_reports) {
            reports += 1 + reports / 6;
        }
        println!(
            "  full disk, {}: {} refused, {} done, {} left to recovery; filled up by others: {} refused, {} done, {} left to \
             recovery, {} of them until there was room, {} taken back",
            case.name,
            tally.refused,
            tally.done,
            tally.left,
            at_reports.refused,
            at_reports.done,
            at_reports.left,
            at_reports.waited + tally.waited,
            at_reports.aborted + tally.aborted
        );
        assert!(tally.refused > 0 && tally.done > 0, "{case:?}");
        fs::remove_file(&path).unwrap();
        fs::remove_file(place.join("ballast")).unwrap();
    }
}

/// No room for a second file: the old one stays, and nothing beside it.
fn replacing_on_a_full_disk(place: &Path) {
    let (path, ballast) = (place.join("data"), place.join("ballast"));
    let old = numbers(24 << 20);
    fs::write(&path, &old).unwrap();
    let _ = run(Command::new("sync").arg("-f").arg(place));
    let mut full = File::create(&ballast).unwrap();
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

/// What a failed commit by *direct* says of the file is what the file holds. Returns whether it failed with nothing changed.
fn commit_directly(path: &Path, old: &[u8], edited: &mut SpliceFile, new: &[u8]) -> bool {
    let outcome = edited.commit_with(CommitOptions::new().strategy(Strategy::Direct));
    let contents = fs::read(path).unwrap();
    match outcome {
        Ok(()) => {
            assert!(contents == new);
            false
        }
        Err(error) => {
            assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
            println!("  direct: {error}");
            let expected = if contents == old { FileState::Unchanged } else { FileState::Damaged };
            assert_eq!(error.file_state(), expected, "{error}");
            expected == FileState::Unchanged
        }
    }
}

/// A removal by *direct* on a disk without a free block; returns whether it failed with nothing changed.
fn removing_directly_on_a_full_disk(place: &Path) -> bool {
    let path = place.join("data");
    let old = numbers(LEN);
    fs::write(&path, &old).unwrap();
    File::open(&path).unwrap().sync_all().unwrap();
    let ballast = Ballast::beside(&path);
    ballast.grow_but(0);
    let mut file = SpliceFile::open(&path).unwrap();
    file.remove(..4 << 20).unwrap();
    let unchanged = commit_directly(&path, &old, &mut file, &old[4 << 20..]);
    ballast.shrink();
    drop(file);
    fs::remove_file(&path).unwrap();
    fs::remove_file(place.join("ballast")).unwrap();
    unchanged
}

/// In memory a full file system refuses what goes into holes, and appended bytes.
#[test]
fn a_first_write_that_fails_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mounting = run(Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(directory.path()));
    if let Err(reason) = mounting {
        return println!("SKIPPED: needs root, to mount a small file system: {reason}");
    }
    let path = directory.path().join("data");
    File::create(&path).unwrap().set_len(64 << 10).unwrap();
    let mut full = File::create(directory.path().join("ballast")).unwrap();
    while full.write_all(&[1; 4096]).is_ok() {}
    let old = vec![0; 64 << 10];

    let mut file = SpliceFile::open(&path).unwrap();
    let mut new = old.clone();
    new[8192..16384].fill(7);
    file.replace(8192..16384, vec![7; 8192]).unwrap();
    assert!(commit_directly(&path, &old, &mut file, &new));
    drop(file);
    let mut file = SpliceFile::open(&path).unwrap();
    file.replace(8192..16384, vec![7; 8192]).unwrap();
    file.append("appended").unwrap();
    assert!(commit_directly(&path, &old, &mut file, &new));
    drop(file);

    // One block that the first write may still take.
    full.set_len(full.metadata().unwrap().len() - 4096).unwrap();
    let mut file = SpliceFile::open(&path).unwrap();
    file.replace(8192..16384, vec![7; 8192]).unwrap();
    assert!(!commit_directly(&path, &old, &mut file, &new));
    assert!(matches!(file.commit(), Err(Error::Poisoned { state: FileState::Damaged, .. })));
    drop((file, full));
    run(Command::new("umount").arg(directory.path())).unwrap();
}

#[test]
fn full_disks() {
    for (kind, options) in [("ext4", &["-b", "4096"][..]), ("xfs", &[]), ("btrfs", &[])] {
        match Mounted::new(kind, options, 512) {
            Ok(mounted) => {
                println!("{kind}");
                replacing_on_a_full_disk(&mounted.path());
                let unchanged = removing_directly_on_a_full_disk(&mounted.path());
                // Only btrfs needs new blocks for bytes that are overwritten.
                assert_eq!(unchanged, kind == "btrfs");
                every_strategy(kind, &mounted.path());
            }
            Err(reason) => println!("SKIPPED {kind}: it cannot be made or mounted here: {reason}"),
        }
    }
}
