//! The crash tests that need a real file system, and all crash tests at length. `cargo xtask help` says how.

mod chance;
mod file_system;
mod fuse_disk;
mod job;
mod power_cuts;
mod program;
mod report;
mod shutdowns;
mod workload;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments[1] == "job" {
        if let Err(e) = job::Job::run(&arguments[2..]) { eprintln!("{e}"); std::process::exit(1); }
        return;
    }
    let seed = std::env::args().nth(2).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    if arguments[1] == "p" {
        let report = power_cuts::run(seed, &power_cuts::STATES, None);
        println!("{report}");
    } else {
        let report = shutdowns::run(seed, shutdowns::ROUNDS, None);
        println!("{report}");
    }
}
