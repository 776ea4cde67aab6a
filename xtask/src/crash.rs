use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::report::Report;
use crate::{cargo_tests, failing_disks, faults, kills, power_cuts, shutdowns};

/// A kind of crash test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Simulator,
    Kills,
    Faults,
    PowerCuts,
    Shutdowns,
    FailingDisks,
    Limits,
    Fuzz,
}

impl Tier {
    /// All of them, the quick ones first.
    pub const ALL: [Self; 8] = [
        Self::PowerCuts,
        Self::Shutdowns,
        Self::FailingDisks,
        Self::Kills,
        Self::Limits,
        Self::Fuzz,
        Self::Faults,
        Self::Simulator,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Kills => "kills",
            Self::Faults => "faults",
            Self::PowerCuts => "power-cuts",
            Self::Shutdowns => "shutdowns",
            Self::FailingDisks => "failing-disks",
            Self::Limits => "limits",
            Self::Fuzz => "fuzz",
        }
    }

    /// The tier of this name.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|tier| tier.name() == name);
        found.ok_or_else(|| format!("there is no `{name}`"))
    }

    /// One round.
    fn run(self, seed: u64, arguments: &Arguments) -> Report {
        let deadline = arguments.deadline;
        match self {
            Self::Simulator => cargo_tests::simulator(seed),
            Self::Kills => kills::run(seed, deadline),
            Self::Faults => faults::run(seed, &arguments.faults, deadline),
            Self::PowerCuts => power_cuts::run(seed, &arguments.states, deadline),
            Self::Shutdowns => shutdowns::run(seed, arguments.rounds, deadline),
            Self::FailingDisks => failing_disks::run(seed, deadline),
            Self::Limits => cargo_tests::limits(),
            Self::Fuzz => cargo_tests::fuzz(seed),
        }
    }
}

/// What a tier did in all its rounds.
#[derive(Default)]
struct Total {
    rounds: u64,
    time: Duration,
    report: Report,
}

/// Runs round after round until the time is over, or one; whether nothing was wrong.
pub fn run(arguments: &Arguments) -> bool {
    let mut totals: Vec<Total> = arguments.tiers.iter().map(|_| Total::default()).collect();
    for round in 0.. {
        // A round is repeated alone by its seed.
        let seed = arguments.seed.wrapping_add(round);
        for (tier, total) in arguments.tiers.iter().zip(&mut totals) {
            if round > 0 && arguments.is_over() {
                break;
            }
            println!("\n-- {}, seed {seed}", tier.name());
            let begin = Instant::now();
            let report = tier.run(seed, arguments);
            println!("{report}");
            if !report.wrong.is_empty() {
                println!("again: cargo xtask {} --seed {seed}", tier.name());
            }
            total.rounds += 1;
            total.time += begin.elapsed();
            total.report += report;
        }
        if arguments.deadline.is_none() || arguments.is_over() {
            break;
        }
    }
    print_table(arguments, &totals);
    totals.iter().all(|total| total.report.wrong.is_empty())
}

fn print_table(arguments: &Arguments, totals: &[Total]) {
    println!("\n== crash tests from seed {} on", arguments.seed);
    println!("{:<12} {:>6} {:>8} {:>7} {:>6}", "tier", "rounds", "seconds", "skipped", "wrong");
    for (tier, total) in arguments.tiers.iter().zip(totals) {
        println!(
            "{:<12} {:>6} {:>8} {:>7} {:>6}",
            tier.name(),
            total.rounds,
            total.time.as_secs(),
            total.report.skipped.len(),
            total.report.wrong.len()
        );
    }
    for (tier, total) in arguments.tiers.iter().zip(totals) {
        if total.rounds > 1 {
            println!("\n{} in all", tier.name());
            println!("{}", total.report);
        }
        for reason in &total.report.skipped {
            println!("SKIPPED {reason}");
        }
        for what in &total.report.wrong {
            println!("WRONG {}: {what}", tier.name());
        }
    }
}
