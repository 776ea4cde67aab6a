//! T3: a process is killed in the middle of a commit, and of the recovery after it
//! (`crates/bytesplice/tests/kills.rs`), by every strategy, in memory and on every file system.
//!
//! The system goes on, so nothing that was written is lost: it shows what a commit leaves in the middle, and that
//! another process repairs it, not that it was synced. A seed shifts the moments of the kills.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use crate::cargo_tests;
use crate::chance::Chance;
use crate::file_system::{FileSystem, Mount};
use crate::report::Report;

/// Kills of commits by a strategy in one place.
const KILLS: &str = "40";

/// Where commits are killed, and by which strategies; the first place is memory, without a mount.
const PLACES: [(Option<FileSystem>, &[&str]); 4] = [
    (None, &["journaled", "replace"]),
    (Some(FileSystem::Ext4), &["journaled", "extents", "replace", "auto"]),
    (Some(FileSystem::Xfs), &["snapshot", "extents", "auto"]),
    (Some(FileSystem::Btrfs), &["journaled", "snapshot", "replace"]),
];

/// One round.
pub fn run(seed: u64, deadline: Option<Instant>) -> Report {
    let mut report = Report::default();
    for (index, (kind, strategies)) in PLACES.into_iter().enumerate() {
        if index > 0 && deadline.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        let outcome = match kind {
            None => {
                kill(&mut report, seed, memory(), strategies);
                Ok(())
            }
            Some(_) if !rustix::process::geteuid().is_root() => {
                report.skip("kills on file systems: they need root, to mount them");
                Ok(())
            }
            Some(kind) => on(kind, seed, strategies, &mut report),
        };
        if let Err(reason) = outcome {
            report.skip(format!("kills: {reason}"));
        }
    }
    report
}

fn on(kind: FileSystem, seed: u64, strategies: &[&str], report: &mut Report) -> Result<(), String> {
    let directory = tempfile::tempdir_in(memory()).map_err(|error| error.to_string())?;
    let (image, place) = (directory.path().join("image"), directory.path().join("mount"));
    std::fs::create_dir(&place).map_err(|error| error.to_string())?;
    File::create(&image)
        .and_then(|file| file.set_len(1 << 30))
        .map_err(|error| error.to_string())?;
    let options = kind.make_for_shifts(&image, &mut Chance::new(seed))?;
    let mount = Mount::new(&image, &place, kind, &options, false)?;
    println!("on {kind}");
    kill(report, seed, mount.path(), strategies);
    mount.unmount()
}

/// A directory whose files are in memory, where there is one.
pub fn memory() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new("/tmp") }
}

fn kill(report: &mut Report, seed: u64, directory: &Path, strategies: &[&str]) {
    let (seed, directory) = (seed.to_string(), directory.to_string_lossy());
    for &strategy in strategies {
        let environment = [
            ("BYTESPLICE_KILLS", KILLS),
            ("BYTESPLICE_KILLS_STRATEGY", strategy),
            ("BYTESPLICE_KILLS_DIRECTORY", &directory),
            ("BYTESPLICE_SEED", &seed),
        ];
        let said =
            cargo_tests::test(report, &["-p", "bytesplice", "--test", "kills"], &environment);
        for (number, what) in said.iter().flat_map(|said| said.lines()).filter_map(figure) {
            report.add(format!("{strategy}: {what}"), number);
        }
    }
}

/// A line with a number and what was counted.
fn figure(line: &str) -> Option<(u64, &str)> {
    let (number, what) = line.trim_start().split_once("  ")?;
    Some((number.parse().ok()?, what))
}
