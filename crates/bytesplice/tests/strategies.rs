//! Every strategy on whatever file systems are at hand: that of the temporary directory, and memory.

use std::path::Path;

use bytesplice::{Error, Strategy};

#[allow(dead_code, reason = "other tests use the rest")]
mod oracle;

const ALL: [Strategy; 6] = [
    Strategy::Auto,
    Strategy::Journaled,
    Strategy::Snapshot,
    Strategy::Extents,
    Strategy::Replace,
    Strategy::Direct,
];

/// Where every file system must do, and where each may.
const EVERYWHERE: [Strategy; 4] =
    [Strategy::Auto, Strategy::Journaled, Strategy::Replace, Strategy::Direct];

fn every_strategy(place: &Path) {
    for strategy in ALL {
        for outcome in [oracle::commits(place, strategy), oracle::keeps_holes(place, strategy)] {
            match outcome {
                Ok(()) => println!("{}: {strategy}", place.display()),
                Err(Error::StrategyUnsupported { reason, .. }) => {
                    assert!(!EVERYWHERE.contains(&strategy), "{strategy}: {reason}");
                    println!("{}: {strategy} cannot be had: {reason}", place.display());
                }
                Err(error) => panic!("{strategy}: {error}"),
            }
        }
    }
}

#[test]
fn in_the_temporary_directory() {
    every_strategy(tempfile::tempdir().unwrap().path());
}

#[test]
fn in_memory() {
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        println!("SKIPPED: there is no /dev/shm here");
        return;
    }
    every_strategy(tempfile::tempdir_in(memory).unwrap().path());
}
