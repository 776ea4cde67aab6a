//! The tiers that are tests of the library, started here with other seeds and for longer:
//!
//! * T1, the simulator: every operation of a commit is a point to crash at, on a storage in memory that loses any part
//!   of what was not synced (`crates/bytesplice/tests/crash_simulation.rs`); T6, the sabotages, go with it.
//! * T7, limits: full disks, limits of file sizes, directories that cannot be written, and others who change the file.
//! * T8, fuzzing: journals damaged at random (`crates/bytesplice/tests/fuzz_journals.rs`), and the parsers of the
//!   command line.
//!
//! They assume what is said on top of each. T1 and T8 repeat exactly by their seed.

use std::path::Path;
use std::process::Command;

use crate::report::Report;

/// States of the simulator in one round, and as many after a crash in recovery.
const SIMULATED: u64 = 40_000_000;
/// Seconds of each kind of fuzzing in one round.
const FUZZING: u64 = 60;

/// One round of T1 and T6.
pub fn simulator(seed: u64) -> Report {
    let mut report = Report::default();
    let arguments = ["--release", "-p", "bytesplice", "--test", "crash_simulation"];
    let states = SIMULATED.to_string();
    let seed = seed.to_string();
    let environment = [("BYTESPLICE_CRASH_STATES", states.as_str()), ("BYTESPLICE_SEED", &seed)];
    if test(&mut report, &arguments, &environment).is_some() {
        report.add("states after a crash, at least", SIMULATED);
        report.add("states after a crash in recovery, at least", SIMULATED);
    }
    report
}

/// One round of T7.
pub fn limits() -> Report {
    let mut report = Report::default();
    for name in ["file_systems", "full_disk", "limits", "refusals", "memory"] {
        test(&mut report, &["-p", "bytesplice", "--test", name], &[]);
    }
    for file in ["system", "sparse"] {
        // The test of sparse files has come later than the others.
        if workspace().join(format!("crates/bytesplice-cli/tests/{file}.rs")).exists() {
            test(&mut report, &["-p", "bytesplice-cli", "--test", file], &[]);
        }
    }
    report
}

/// One round of T8.
pub fn fuzz(seed: u64) -> Report {
    let mut report = Report::default();
    let (seed, seconds) = (seed.to_string(), FUZZING.to_string());
    let environment = [("BYTESPLICE_FUZZ_SECONDS", seconds.as_str()), ("BYTESPLICE_SEED", &seed)];
    let journals = ["--release", "-p", "bytesplice", "--test", "fuzz_journals"];
    test(&mut report, &journals, &environment);
    let parsers = ["--release", "-p", "bytesplice-cli", "--bin", "bytesplice", "fuzz"];
    test(&mut report, &parsers, &[("PROPTEST_CASES", "1000000")]);
    report
}

/// Runs tests of the workspace and prints their figures; what they said if they passed.
pub fn test(
    report: &mut Report,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Option<String> {
    let output = Command::new("cargo")
        .current_dir(workspace())
        .args(["test", "--locked", "--quiet", "--features", "bytesplice/simulation"])
        .args(arguments)
        .args(["--", "--nocapture"])
        .envs(environment.iter().copied())
        .output();
    let what = arguments.join(" ");
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            report.wrong(format!("cargo test {what}: {error}"));
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    for line in said.lines() {
        if let Some(reason) = line.strip_prefix("SKIPPED ") {
            report.skip(reason);
        } else if output.status.success() && !is_frame(line) {
            println!("{line}");
        }
    }
    report.count(format!("runs of cargo test {what}"));
    if !output.status.success() {
        println!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
        let set = environment.iter().map(|(name, value)| format!("{name}={value} "));
        report.wrong(format!("{}cargo test {what}: failed", set.collect::<String>()));
    }
    output.status.success().then(|| said.into_owned())
}

/// Whether a line is of the test runner, and tells nothing.
fn is_frame(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line.starts_with("running ")
        || line.starts_with("test result: ")
        || line.chars().all(|character| character == '.')
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
