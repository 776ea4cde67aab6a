//! One round: the file systems, the cases, and the workers that try them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::case::Case;
use super::scenario::{SCENARIOS, Scenario};
use super::tally::{self, Tally};
use super::trial::{Bench, Stage};
use super::{Amount, Options, choice, tracer};
use crate::chance::Chance;
use crate::file_system::{FileSystem, Mount};
use crate::kills::memory;
use crate::report::Report;

/// Injections in bounded form.
const INJECTIONS: u64 = 3200;

/// Injections into recoveries in one round at length, after those into every call of every commit.
const NESTED: u64 = 20_000;

/// After so many cases a line tells how far the work is.
const PROGRESS: u64 = 10_000;

/// Disk for the files of all workers; ext4 below 512 MB would have smaller blocks, whose extents
/// are not shifted.
const DISK: u64 = 1 << 30;

/// What all cases of a round have in common.
pub struct Round<'a> {
    seed: u64,
    deadline: Option<Instant>,
    program: PathBuf,
    /// For what the workers need.
    directory: &'a Path,
    log: Mutex<File>,
    stages: Vec<Stage>,
    report: &'a mut Report,
}

impl Round<'_> {
    /// Does everything that the options ask for, up to the deadline.
    pub fn run(
        seed: u64,
        options: &Options,
        deadline: Option<Instant>,
        report: &mut Report,
    ) -> Result<(), String> {
        let case = options.case.as_deref().map(str::parse::<Case>).transpose()?;
        let names = options.scenarios.iter().map(|name| Scenario::named(name));
        let mut scenarios = names.collect::<Result<Vec<_>, _>>()?;
        if scenarios.is_empty() {
            scenarios = SCENARIOS.iter().collect();
        }
        if let Some(case) = &case {
            scenarios = vec![case.scenario];
        }
        let program = build()?;
        if let Err(reason) = tracer::probe() {
            report.skip(format!("faults of system calls: {reason}"));
            return Ok(());
        }
        let log_path = std::env::temp_dir().join(format!("bytesplice-faults-{seed}.log"));
        let log = File::create(&log_path).map_err(|error| error.to_string())?;
        println!("what the program says on standard error: {}", log_path.display());
        let directory = tempfile::tempdir_in(memory()).map_err(|error| error.to_string())?;
        // Dropped in the other order: what is mounted must go before the directory.
        let mut mounts = Vec::new();
        for kind in FileSystem::ALL {
            let wanted = case.is_none_or(|case| case.place == kind);
            if wanted && scenarios.iter().any(|scenario| scenario.places.contains(&kind)) {
                mounts.push((kind, mount(kind, directory.path(), seed)?));
            }
        }
        let mut round = Round {
            seed,
            deadline,
            program,
            directory: directory.path(),
            log: Mutex::new(log),
            stages: Vec::new(),
            report,
        };
        for scenario in scenarios {
            let work = Arc::new(scenario.work(seed));
            for (kind, mount) in &mounts {
                if scenario.places.contains(kind) {
                    let (work, mount) = (Arc::clone(&work), mount.path().into());
                    let stage = Stage { scenario, place: *kind, mount, work, calls: Vec::new() };
                    round.stages.push(stage);
                }
            }
        }
        round.rehearse()?;
        match case {
            Some(case) => round.repeat(case, options.amount)?,
            None => round.all(options.amount)?,
        }
        mounts.into_iter().try_for_each(|(_, mount)| mount.unmount())
    }

    /// Lets every stage run undisturbed, to know its calls.
    fn rehearse(&mut self) -> Result<(), String> {
        let (stages, deadline) = (&self.stages, None);
        let rehearse = |bench: &Bench<'_>, index: usize| bench.rehearse(&stages[index]);
        let all = self.in_parallel(stages.len(), deadline, rehearse)?;
        for (stage, calls) in self.stages.iter_mut().zip(all) {
            stage.calls = calls;
        }
        Ok(())
    }

    /// One case again and again.
    fn repeat(&mut self, case: Case, amount: Amount) -> Result<(), String> {
        let times = if let Amount::Count(times) = amount { times } else { 1 };
        let cases: Vec<(usize, Case)> = (0..times).map(|_| (0, case)).collect();
        self.attempt(&cases)
    }

    fn all(&mut self, amount: Amount) -> Result<(), String> {
        let mut chance = Chance::new(self.seed);
        self.check_itself()?;
        match amount {
            Amount::Usual | Amount::Count(_) => {
                let count = if let Amount::Count(count) = amount { count } else { INJECTIONS };
                let cases = choice::by_chance(&self.stages, count, &mut chance);
                self.attempt(&cases)
            }
            Amount::Every => {
                let cases = choice::every_call(&self.stages, &mut chance);
                self.attempt(&cases)?;
                let cases = choice::nested(&self.stages, NESTED, &mut chance);
                self.attempt(&cases)
            }
        }
    }

    /// Tries cases, and reports what they found.
    fn attempt(&mut self, cases: &[(usize, Case)]) -> Result<(), String> {
        println!("{} cases", cases.len());
        let tally = Mutex::new(Tally::new(self.seed));
        let stages = &self.stages;
        let tried = self.in_parallel(cases.len(), self.deadline, |bench, index| {
            let (stage, case) = &cases[index];
            let verdict = bench.attempt(case, &stages[*stage])?;
            let mut tally = locked(&tally);
            tally.add(case, &verdict);
            if tally.tried().is_multiple_of(PROGRESS) {
                println!("{} cases tried", tally.tried());
            }
            Ok(())
        })?;
        let found = tally.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
        if tried.len() == cases.len() && found.number(tally::ALL) == 0 {
            self.report.wrong("no injection hit a call: nothing was tested");
        }
        *self.report += found;
        Ok(())
    }

    /// Kills `direct` commits at every call. If no file is then a mixture, the injector or the
    /// check is blind.
    fn check_itself(&mut self) -> Result<(), String> {
        for kind in FileSystem::ALL {
            let mut cases = choice::kills_of_direct(&self.stages);
            cases.retain(|(_, case)| case.place == kind);
            if cases.is_empty() {
                continue;
            }
            let stages = &self.stages;
            let verdicts = self.in_parallel(cases.len(), self.deadline, |bench, index| {
                let (stage, case) = &cases[index];
                bench.attempt(case, &stages[*stage])
            })?;
            let kills = verdicts.iter().filter(|verdict| verdict.hit.is_some()).count();
            let mixtures = verdicts.iter().filter(|verdict| verdict.mixture).count();
            println!("{kind}: {mixtures} mixtures seen after {kills} kills of `direct` commits");
            if mixtures == 0 && verdicts.len() == cases.len() {
                self.report.wrong(format!(
                    "{kind}: {kills} kills of `direct` commits and no mixture: the check is blind"
                ));
            }
        }
        Ok(())
    }

    /// Does numbered work on all processors, up to the deadline. The results are in the order of
    /// the numbers.
    fn in_parallel<T: Send>(
        &self,
        count: usize,
        deadline: Option<Instant>,
        work: impl Fn(&Bench<'_>, usize) -> Result<T, String> + Sync,
    ) -> Result<Vec<T>, String> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        let worker = |number: usize| -> Result<(), String> {
            let scratch = self.directory.join(format!("worker-{number}"));
            fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
            let (program, log) = (&self.program, &self.log);
            let bench = Bench { program, log, scratch };
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count || deadline.is_some_and(|end| Instant::now() >= end) {
                    return Ok(());
                }
                let result = work(&bench, index)?;
                locked(&results).push((index, result));
            }
        };
        let worker = &worker;
        let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..workers).map(|number| scope.spawn(move || worker(number))).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err("a worker panicked".to_owned()))
            })
        })?;
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}

/// What a mutex guards, also after a panic of another worker, which is reported when that worker
/// ends.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Builds the program as it is released.
fn build() -> Result<PathBuf, String> {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace).args([
        "build",
        "--locked",
        "--quiet",
        "--release",
        "-p",
        "bytesplice-cli",
    ]);
    // `cargo xtask` sets these for this program. Build scripts that look at them would run again,
    // and once more at the next build without them.
    for (name, _) in std::env::vars_os() {
        let of_ours = |prefix: &str| name.to_string_lossy().starts_with(prefix);
        if of_ours("CARGO_PKG_") || of_ours("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("the program cannot be built".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    Ok(workspace.join(target).join("release/bytesplice"))
}

/// Makes a file system in memory, and mounts it.
fn mount(kind: FileSystem, directory: &Path, seed: u64) -> Result<Mount, String> {
    let (image, place) = (directory.join(format!("{kind}.image")), directory.join(kind.name()));
    fs::create_dir(&place).map_err(|error| error.to_string())?;
    File::create(&image).and_then(|file| file.set_len(DISK)).map_err(|error| error.to_string())?;
    let options = kind.make_for_shifts(&image, &mut Chance::new(seed))?;
    Mount::new(&image, &place, kind, &options, false)
}
