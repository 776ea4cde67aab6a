//! The crash tests that need a real file system, and all crash tests at length.
//!
//! ```text
//! cargo xtask crash [--minutes N] [--seed S] [--tiers NAME,NAME…]
//!     all tiers, round after round with fresh seeds until the time is over (without it one round); a table at the end
//! cargo xtask power-cuts [--minutes N] [--seed S] [--ext4 STATES] [--xfs STATES] [--btrfs STATES]
//! cargo xtask shutdowns [--minutes N] [--seed S] [--rounds N]
//! cargo xtask faults [--minutes N] [--seed S] [--injections N|every] [--scenarios NAME,NAME…] [--case CASE]
//! cargo xtask simulator | kills | failing-disks | limits | fuzz [--minutes N] [--seed S]
//!     one tier; what it simulates stands on top of its file in xtask/src
//! ```
//! Fails if anything is wrong, and names the seed. Mounting needs root: without it tiers are skipped, loudly.

mod arguments;
mod cargo_tests;
mod chance;
mod crash;
mod extents;
mod failing_disks;
mod faults;
mod file_system;
mod fuse_disk;
mod job;
mod kills;
mod lost_writes;
mod power_cuts;
mod program;
mod recorded;
mod report;
mod shutdowns;
mod workload;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use arguments::Arguments;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_else(|| "help".to_owned());
    let words: Vec<String> = words.collect();
    if command == "job" {
        return end(job::Job::run(&words));
    }
    #[cfg(target_arch = "x86_64")]
    if command == faults::TRACED_PROGRAM {
        return end(faults::become_traced(&words));
    }
    let arguments = match Arguments::parse(&command, &words) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            for line in include_str!("main.rs").lines().map_while(|line| line.strip_prefix("//!")) {
                println!("{}", line.strip_prefix(' ').unwrap_or(line));
            }
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            eprintln!("xtask: {reason}; `cargo xtask help` shows what there is");
            return ExitCode::from(2);
        }
    };
    if rustix::process::geteuid().is_root() && std::env::var_os(UNSHARED).is_none() {
        return end(unshare());
    }
    if crash::run(&arguments) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const UNSHARED: &str = "XTASK_HAS_ITS_OWN_MOUNTS";

/// Starts again where mounts are seen by this process and its children only, and end with them, even if it is killed.
fn unshare() -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let error = Command::new("unshare")
        .args(["--mount", "--"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(UNSHARED, "1")
        .exec();
    Err(format!("cannot start `unshare`: {error}"))
}

fn end(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
