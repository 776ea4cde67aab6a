//! T9: faults of system calls, in the released command line, on real file systems.
//!
//! The program commits under `ptrace`, and its calls that change, sync or read a file of the case
//! are counted over all its threads, in the order of arrival. At one of them the process is killed
//! (before the call or after it), or the call fails once, or it and all later ones of its number
//! fail, or all later ones that need room (a full disk) or change anything (a disk that went away),
//! or it is carried out and reported as failed, or it transfers a part of its bytes. What the
//! program then says must be true: a success holds the new contents, "unchanged" the old ones and
//! nothing is left beside them, and everything else is repaired by `recover`, which in a share of
//! the cases meets a fault itself. At the end the file is wholly old or wholly new, as computed on
//! plain vectors, without journal, mark or any other leftover. `direct` may leave a mixture, but
//! must not call it anything else.
//!
//! What is assumed of the disk: nothing, it loses no write. A call that fails does nothing, so an
//! `fsync` that fails loses nothing; the simulator has the disks that forget. A seed repeats
//! contents, edits and injections. Two threads may come in another order: the index then hits
//! another call, or the next one that the fault fits.

#[cfg(target_arch = "x86_64")]
mod call;
#[cfg(target_arch = "x86_64")]
mod case;
#[cfg(target_arch = "x86_64")]
mod check;
#[cfg(target_arch = "x86_64")]
mod choice;
#[cfg(target_arch = "x86_64")]
mod fault;
#[cfg(target_arch = "x86_64")]
mod round;
#[cfg(target_arch = "x86_64")]
mod scenario;
#[cfg(target_arch = "x86_64")]
mod statement;
#[cfg(target_arch = "x86_64")]
mod tally;
#[cfg(target_arch = "x86_64")]
mod tracer;
#[cfg(target_arch = "x86_64")]
mod trial;

use std::time::Instant;

#[cfg(target_arch = "x86_64")]
pub use tracer::{TRACED_PROGRAM, become_traced};

use crate::report::Report;

/// How many injections are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// As many as `./test` tries, by chance; a case that is named is tried once.
    Usual,
    /// So many, by chance; a case that is named is tried so often.
    Count(u64),
    /// Every fault at every call, and then faults in recoveries.
    Every,
}

/// What is asked for on the command line.
pub struct Options {
    /// How many injections are tried.
    pub amount: Amount,
    /// The scenarios to try, by name; empty for all.
    pub scenarios: Vec<String>,
    /// One case to try alone.
    pub case: Option<String>,
}

/// One round.
#[cfg(target_arch = "x86_64")]
pub fn run(seed: u64, options: &Options, deadline: Option<Instant>) -> Report {
    let mut report = Report::default();
    if !rustix::process::geteuid().is_root() {
        report.skip("faults of system calls: they need root, to mount file systems");
        return report;
    }
    let begin = Instant::now();
    if let Err(reason) = round::Round::run(seed, options, deadline, &mut report) {
        report.wrong(format!("faults: {reason}"));
    }
    println!(
        "faults of system calls: seed {seed}, {} injections in {:.0} s",
        report.number(tally::ALL),
        begin.elapsed().as_secs_f64()
    );
    report
}

/// One round.
#[cfg(not(target_arch = "x86_64"))]
pub fn run(_seed: u64, _options: &Options, _deadline: Option<Instant>) -> Report {
    let mut report = Report::default();
    report.skip("faults of system calls: the injector knows the registers of x86-64 only");
    report
}
