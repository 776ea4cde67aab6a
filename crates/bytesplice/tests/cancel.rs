//! Commits that are asked to stop, at every moment at which they look.

use std::fs;
use std::path::Path;

use bytesplice::{
    Cancel, CommitOptions, Error, FileState, Recovery, SpliceFile, Strategy, abort, recover,
};
use oracle::{names, numbers};

#[allow(dead_code, reason = "the other tests use the rest")]
mod oracle;

const LEN: usize = 40 << 20;

fn edited(path: &Path) -> (SpliceFile, Vec<u8>) {
    fs::write(path, numbers(LEN)).unwrap();
    let mut file = SpliceFile::open(path).unwrap();
    file.insert(10, "four").unwrap();
    file.append(numbers(3 << 20)).unwrap();
    let mut new = numbers(LEN);
    new.splice(10..10, *b"four");
    new.extend(numbers(3 << 20));
    (file, new)
}

/// Commits and asks to stop when the callback comes for the time `at`; the outcome, and whether it came so often.
fn stop_at(
    file: &mut SpliceFile,
    strategy: Strategy,
    at: u64,
    ask: fn(&Cancel),
) -> (Result<(), Error>, bool) {
    let cancel = Cancel::new();
    let asked = cancel.clone();
    let (mut calls, mut too_late) = (0, false);
    let mut progress = |_: bytesplice::Progress| {
        calls += 1;
        if calls == at {
            ask(&asked);
            too_late = asked.is_past_commit_point();
        }
    };
    let options = CommitOptions::new().strategy(strategy).progress(&mut progress).cancel(&cancel);
    let outcome = file.commit_with(options);
    if calls >= at {
        let stopped = matches!(outcome, Err(Error::Cancelled { state: FileState::Unchanged, .. }));
        assert_eq!(stopped, !too_late, "what was said when it was asked to stop");
    }
    (outcome, calls >= at)
}

#[test]
fn a_request_stops_a_commit_before_its_commit_point_and_no_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    for strategy in [Strategy::Journaled, Strategy::Auto, Strategy::Direct] {
        stops_before_its_commit_point_and_no_later(directory.path(), &path, strategy);
    }
}

fn stops_before_its_commit_point_and_no_later(directory: &Path, path: &Path, strategy: Strategy) {
    let (mut stopped, mut finished) = (0, 0);
    for at in (1..).step_by(3) {
        let (mut file, new) = edited(path);
        let (outcome, came) = stop_at(&mut file, strategy, at, Cancel::request);
        assert_eq!(names(directory), ["data"]);
        if !came {
            break;
        }
        match outcome {
            Ok(()) => {
                finished += 1;
                assert!(fs::read(path).unwrap() == new);
            }
            Err(Error::Cancelled { state: FileState::Unchanged, .. }) => {
                stopped += 1;
                assert_eq!(finished, 0, "stopped after it once went on");
                assert!(fs::read(path).unwrap() == numbers(LEN));
                // The edits are still there, and can be committed.
                file.commit().unwrap();
                assert!(fs::read(path).unwrap() == new);
            }
            Err(error) => panic!("{error}"),
        }
    }
    println!("{stopped} {strategy} commits stopped, {finished} past their commit point finished");
    // The first write of `direct` is its commit point.
    assert!(finished > 0 && (stopped > 0) == (strategy != Strategy::Direct), "{strategy}");
}

#[test]
fn an_urgent_request_leaves_the_rest_to_recovery() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let mut left = 0;
    for (at, strategy) in
        (1..).step_by(7).flat_map(|at| [(at, Strategy::Journaled), (at, Strategy::Auto)])
    {
        let (mut file, new) = edited(&path);
        let (outcome, came) = stop_at(&mut file, strategy, at, Cancel::request_at_once);
        if !came {
            break;
        }
        match outcome {
            Err(Error::Cancelled { state: FileState::Unchanged, .. }) => {
                assert!(fs::read(&path).unwrap() == numbers(LEN));
            }
            Err(Error::Cancelled { state: FileState::Recoverable { .. }, .. }) => {
                left += 1;
                assert!(matches!(file.commit(), Err(Error::Poisoned { .. })));
                drop(file);
                match abort(&path) {
                    // Where blocks can be shared `auto` may go back.
                    Ok(Recovery::RolledBack) if strategy == Strategy::Auto => {
                        assert!(fs::read(&path).unwrap() == numbers(LEN));
                    }
                    Err(Error::PastCommitPoint { .. }) => {
                        assert_eq!(recover(&path).unwrap(), Recovery::Completed);
                        assert!(fs::read(&path).unwrap() == new);
                    }
                    outcome => panic!("{strategy}: {outcome:?}"),
                }
            }
            outcome => panic!("{outcome:?}"),
        }
        assert_eq!(names(directory.path()), ["data"]);
    }
    println!("{left} commits left to recovery");
    assert!(left > 0);
}

#[test]
fn an_urgent_request_leaves_a_direct_commit_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let (mut file, new) = edited(&path);
    let (outcome, came) = stop_at(&mut file, Strategy::Direct, 5, Cancel::request_at_once);
    assert!(came && matches!(outcome, Err(Error::Cancelled { state: FileState::Damaged, .. })));
    assert!(matches!(file.commit(), Err(Error::Poisoned { .. })));
    drop(file);
    assert_eq!(recover(&path).unwrap(), Recovery::Clean);
    let contents = fs::read(&path).unwrap();
    assert!(contents != new && contents != numbers(LEN));
}

#[test]
fn a_request_that_came_before_the_commit_stops_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    for strategy in [Strategy::Auto, Strategy::Journaled, Strategy::Direct] {
        let (mut file, new) = edited(&path);
        let cancel = Cancel::new();
        cancel.request();
        let outcome = file.commit_with(CommitOptions::new().strategy(strategy).cancel(&cancel));
        assert!(matches!(outcome, Err(Error::Cancelled { state: FileState::Unchanged, .. })));
        assert!(fs::read(&path).unwrap() == numbers(LEN));
        file.commit().unwrap();
        assert!(fs::read(&path).unwrap() == new);
    }
}
