//! The crash simulator in bounded form. At length: `BYTESPLICE_CRASH_STATES=500000000 cargo test --release
//! --features simulation --test crash_simulation -- --nocapture`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytesplice::simulation::{Report, Sabotage, explore};

const SEED: u64 = 20_261_123;

fn environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Works through the cases of all seeds from `seed` on until `enough`, on all cores.
fn explore_from(seed: u64, enough: impl Fn(&Report) -> bool + Sync) -> Report {
    let next = AtomicU64::new(seed);
    let total = Mutex::new(Report::default());
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !enough(&total.lock().unwrap()) {
                    let mut batch = Report::default();
                    for seed in (next.fetch_add(64, Ordering::Relaxed)..).take(64) {
                        batch += explore(seed, None);
                    }
                    *total.lock().unwrap() += batch;
                }
            });
        }
    });
    total.into_inner().unwrap()
}

#[test]
fn no_crash_leaves_a_mixture() {
    let states = environment("BYTESPLICE_CRASH_STATES", 12_000_000);
    let seed = environment("BYTESPLICE_SEED", SEED);
    let report = explore_from(seed, |report| {
        (report.states >= states && report.nested >= states) || report.wrong.len() > 5
    });
    println!(
        "crash simulator: seed {seed}: {} files, {} states after a crash, {} after a crash in recovery, \
         {} commits while others append, {} commits and {} recoveries with failing calls, {} wrong",
        report.cases,
        report.states,
        report.nested,
        report.appended_to,
        report.faults,
        report.recovery_faults,
        report.wrong.len()
    );
    assert!(report.wrong.is_empty(), "{:#?}", report.wrong);
}

#[test]
fn every_sabotage_is_caught() {
    let mut missed = Vec::new();
    for sabotage in Sabotage::ALL {
        let caught = (SEED..SEED + 3000).find(|&seed| {
            // It counts only if the same seed passes without the sabotage.
            !explore(seed, Some(sabotage)).wrong.is_empty() && explore(seed, None).wrong.is_empty()
        });
        match caught {
            Some(seed) => println!("sabotage {sabotage:?}: caught by seed {seed}"),
            None => missed.push(sabotage),
        }
    }
    println!("sabotages: {} of {} caught", Sabotage::ALL.len() - missed.len(), Sabotage::ALL.len());
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
