//! Commits on freshly made file systems, loop-mounted: every one by the same cases. Needs root and the mkfs programs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use bytesplice::{
    Cancel, CommitOptions, Content, Error, FileState, Recovery, SpliceFile, Strategy, abort,
    recover,
};
use mounted::{Mounted, run};
use oracle::{names, numbers};
use rustix::fs::XattrFlags;

mod mounted;
#[allow(dead_code, reason = "other tests use the rest")]
mod oracle;

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

/// Commits that are asked to stop at a report of progress, by every way that is only for some file systems.
fn stopped_at_every_report(place: &Path, strategies: &[Strategy]) {
    let megabyte = 1 << 20;
    let ways = [
        ("snapshot", Strategy::Snapshot, 10, numbers(5)),
        ("extents, opening insertion", Strategy::Extents, megabyte, numbers(5 << 20)),
        ("extents, hop", Strategy::Extents, 10, numbers(5)),
    ];
    for (name, strategy, at, bytes) in ways {
        if !strategies.contains(&strategy) {
            continue;
        }
        let old = numbers(24 << 20);
        let mut new = old.clone();
        new.splice(at..at, bytes.iter().copied());
        let stop = |ask: fn(&Cancel), report: u32| {
            let path = place.join("data");
            fs::write(&path, &old).unwrap();
            let mut file = SpliceFile::open(&path).unwrap();
            file.insert(at as u64, &bytes).unwrap();
            let (cancel, mut reports) = (Cancel::new(), 0);
            let asked = cancel.clone();
            let mut progress = |_: bytesplice::Progress| {
                reports += 1;
                if reports == report {
                    ask(&asked);
                }
            };
            let options = CommitOptions::new().strategy(strategy).cancel(&cancel);
            let outcome = file.commit_with(options.progress(&mut progress));
            (file, outcome, reports >= report)
        };
        let (mut stopped, mut finished, mut taken_back, mut recovered) = (0, 0, 0, 0);
        for (ask, report) in (1..).step_by(2).flat_map(|number| {
            [(Cancel::request as fn(&Cancel), number), (Cancel::request_at_once, number)]
        }) {
            let (mut file, outcome, came) = stop(ask, report);
            let path = place.join("data");
            if !came {
                break;
            }
            match outcome {
                Ok(()) => finished += 1,
                Err(Error::Cancelled { state: FileState::Unchanged, .. }) => {
                    stopped += 1;
                    assert_eq!(finished, 0, "{name}: stopped after it once went on");
                    assert_eq!(names(place), ["data"]);
                    assert!(fs::read(&path).unwrap() == old, "{name}: not old");
                    file.commit_with(CommitOptions::new().strategy(strategy)).unwrap();
                }
                Err(Error::Cancelled { state: FileState::Recoverable { .. }, .. }) => {
                    assert!(matches!(file.commit(), Err(Error::Poisoned { .. })));
                    drop(file);
                    if strategy == Strategy::Snapshot && taken_back <= recovered {
                        taken_back += 1;
                        assert_eq!(abort(&path).unwrap(), Recovery::RolledBack);
                        assert!(fs::read(&path).unwrap() == old, "{name}: not old");
                        continue;
                    }
                    recovered += 1;
                    if strategy != Strategy::Snapshot {
                        assert!(matches!(abort(&path), Err(Error::PastCommitPoint { .. })));
                    }
                    assert_eq!(recover(&path).unwrap(), Recovery::Completed);
                }
                outcome => panic!("{name}: {outcome:?}"),
            }
            assert!(fs::read(&path).unwrap() == new, "{name}: not new");
            assert_eq!(names(place), ["data"]);
        }
        println!(
            "  asked to stop, {name}: {stopped} stopped, {finished} finished, {recovered} finished by recovery, \
             {taken_back} taken back"
        );
        assert!(stopped > 0 && finished > 0 && recovered > 0);
        fs::remove_file(place.join("data")).unwrap();
    }
}

/// Mode, owner, access control list and attributes stay with the inode, the modification time is new.
fn what_belongs_to_the_inode_stays(place: &Path, strategies: &[Strategy]) {
    const NAMES: [&str; 2] = ["system.posix_acl_access", "user.mine"];
    let path = place.join("data");
    // Version 2; the owner, user 1000, the group, the mask, others: tag, permissions, identifier.
    let entries = [(1, 6, !0), (2, 4, 1000), (4, 4, !0), (16, 4, !0), (32, 0, !0_u32)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, identifier) in entries {
        list.extend(u16::to_le_bytes(tag));
        list.extend(u16::to_le_bytes(permissions));
        list.extend(identifier.to_le_bytes());
    }
    let old_time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for &strategy in strategies {
        fs::write(&path, numbers(24 << 20)).unwrap();
        for (name, value) in NAMES.into_iter().zip([&list[..], b"kept"]) {
            rustix::fs::setxattr(&path, name, value, XattrFlags::empty()).unwrap();
        }
        std::os::unix::fs::chown(&path, Some(1001), Some(1002)).unwrap();
        let handle = fs::File::options().write(true).open(&path).unwrap();
        handle.set_modified(old_time).unwrap();
        let before = fs::metadata(&path).unwrap();
        let mut file = SpliceFile::open(&path).unwrap();
        file.insert(1 << 20, numbers(1 << 20)).unwrap();
        file.insert(10, "x").unwrap();
        let begin = SystemTime::now() - Duration::from_secs(1);
        file.commit_with(CommitOptions::new().strategy(strategy)).unwrap();
        let after = fs::metadata(&path).unwrap();
        let kept = |of: &fs::Metadata| (of.mode(), of.uid(), of.gid());
        assert_eq!(kept(&before), kept(&after), "{strategy}");
        assert!(before.ino() == after.ino() || strategy == Strategy::Replace, "{strategy}");
        for (name, value) in NAMES.into_iter().zip([&list[..], b"kept"]) {
            let mut found = [0; 100];
            let len = rustix::fs::getxattr(&path, name, &mut found).unwrap();
            assert!(found[..len] == *value, "{strategy}: {name}");
        }
        let mark = rustix::fs::getxattr(&path, "user.bytesplice", &mut [0; 100]);
        assert!(mark.is_err(), "{strategy}: marked");
        assert!(after.modified().unwrap() >= begin, "{strategy}: an old time");
        fs::remove_file(&path).unwrap();
    }
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
                what_belongs_to_the_inode_stays(&mounted.path(), strategies);
                stopped_at_every_report(&mounted.path(), strategies);
                replacing(&mounted.path(), kind != "ext4");
            }
            Err(reason) => println!("SKIPPED {kind}: it cannot be made or mounted here: {reason}"),
        }
    }
}
