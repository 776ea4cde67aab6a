//! T3 at length: a process is killed in the middle of a commit, and of the recovery after it
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
use crate::workload::STRATEGIES;

/// Kills of commits by a strategy in one place.
const KILLS: &str = "100";

/// One round.
pub fn run(seed: u64, deadline: Option<Instant>) -> Report {
    let mut report = Report::default();
    for (index, kind) in
        [None, Some(FileSystem::Ext4), Some(FileSystem::Xfs), Some(FileSystem::Btrfs)]
            .into_iter()
            .enumerate()
    {
        if index > 0 && deadline.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        let outcome = match kind {
            None => {
                kill(&mut report, seed, Path::new("/dev/shm"));
                Ok(())
            }
            Some(_) if !rustix::process::geteuid().is_root() => {
                report.skip("kills on file systems: they need root, to mount them");
                Ok(())
            }
            Some(kind) => on(kind, seed, &mut report),
        };
        if let Err(reason) = outcome {
            report.skip(format!("kills: {reason}"));
        }
    }
    report
}

fn on(kind: FileSystem, seed: u64, report: &mut Report) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (image, place) = (directory.path().join("image"), directory.path().join("mount"));
    std::fs::create_dir(&place).map_err(|error| error.to_string())?;
    File::create(&image)
        .and_then(|file| file.set_len(1 << 30))
        .map_err(|error| error.to_string())?;
    let options = kind.make(&image, &mut Chance::new(seed))?;
    let mount = Mount::new(&image, &place, kind, &options, false)?;
    println!("on {kind}");
    kill(report, seed, mount.path());
    mount.unmount()
}

fn kill(report: &mut Report, seed: u64, directory: &Path) {
    let (seed, directory) = (seed.to_string(), directory.to_string_lossy());
    for strategy in STRATEGIES {
        let environment = [
            ("BYTESPLICE_KILLS", KILLS),
            ("BYTESPLICE_KILLS_STRATEGY", strategy),
            ("BYTESPLICE_KILLS_DIRECTORY", &directory),
            ("BYTESPLICE_SEED", &seed),
        ];
        cargo_tests::test(report, &["-p", "bytesplice", "--test", "kills"], &environment);
    }
}
