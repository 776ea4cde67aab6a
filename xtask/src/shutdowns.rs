//! T5: forced shutdowns of ext4 and XFS, in the middle of commits and of recoveries.
//!
//! A child process commits to a file of thousands of extents, with and without holes: random edits by every strategy, or
//! edits for which more than ten thousand extents are shifted. At a random moment, of a shift mostly while it is under
//! way, the file system is shut down by its own ioctl: from then on nothing reaches the disk any more, and what was not
//! written is lost, the journal of the file system included if so chosen. It is unmounted, mounted again through another
//! loop device (so that no device number stays), and recovered; some recoveries are shut down as well. The file must then
//! be wholly old or wholly new; new if the commit had returned.
//!
//! What is assumed of the disk: nothing, it loses no write. What is lost is what the system had in memory. A seed
//! repeats file, edits and the share of the commit after which it strikes, but not what the processes did till then.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytesplice::{Recovery, recover};

use crate::chance::Chance;
use crate::extents::{self, Shape};
use crate::file_system::{FileSystem, Mount};
use crate::job::Job;
use crate::program::run as run_program;
use crate::report::Report;
use crate::workload::{self, BLOCK, COMMITTING, Edits, NO_JOURNAL, STRATEGIES, phase};

/// How many shutdowns of commits of each kind of work are tried in bounded form.
pub const ROUNDS: u64 = 60;

/// Rounds with the same file system and file.
const ROUNDS_EACH: u64 = 15;

/// A second shutdown of the same recovery is the last.
const RECOVERIES: u64 = 2;

/// Shuts file systems down until all rounds are done or the time is over.
pub fn run(seed: u64, rounds: u64, deadline: Option<Instant>) -> Report {
    let mut report = Report::default();
    if !rustix::process::geteuid().is_root() {
        report.skip("forced shutdowns: they need root, to mount file systems");
        return report;
    }
    let begin = Instant::now();
    let mut seeds = Chance::new(seed);
    for work in [Work::Random, Work::Shifts] {
        let mut left = rounds;
        'all: while left > 0 {
            for (kind, holes) in extents::PLACES {
                if left == 0 || deadline.is_some_and(|end| Instant::now() >= end) {
                    break 'all;
                }
                let count = left.min(ROUNDS_EACH);
                left -= count;
                let prepared = Prepared::new(kind, work, holes, seeds.fork(), &mut report);
                let outcome = prepared.and_then(|mut prepared| {
                    (0..count).try_for_each(|number| prepared.round(number, &mut report))
                });
                if let Err(reason) = outcome {
                    // Also what should work here and did not must not pass for tested.
                    report.wrong(format!("shutdowns of {kind}: {reason}"));
                }
            }
        }
    }
    println!(
        "forced shutdowns: seed {seed}, {} rounds in {:.0} s",
        report.number("rounds"),
        begin.elapsed().as_secs_f64()
    );
    report
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Edits of all kinds by every strategy.
    Random,
    /// Shifts of ten thousand extents.
    Shifts,
}

/// A file system with a fragmented file, to be put to work on copies.
struct Prepared {
    kind: FileSystem,
    options: String,
    chance: Chance,
    directory: tempfile::TempDir,
    work: Work,
    holes: bool,
    old: Vec<u8>,
    paces: Vec<Pace>,
}

/// How long an undisturbed commit takes.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// The strategy or the shape.
    name: &'static str,
    whole: Duration,
    /// Of this the shift of extents, if it is one of many.
    shift: Duration,
}

/// What happens until a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// Others sync the whole file system again and again, as `sync` and many programs do. Where a shift is quicker than
    /// the next transaction of the file system, this alone makes its middle durable.
    OthersSync,
}

impl Meanwhile {
    fn pass(self, directory: &File) {
        match self {
            Self::Nothing => std::hint::spin_loop(),
            // It fails only if the file system is shut down.
            Self::OthersSync => drop(rustix::fs::syncfs(directory)),
        }
    }
}

/// How the file system forgets.
const WAYS: [(u32, &str); 3] =
    [(0, "after a sync"), (1, "with its journal written"), (2, "with its journal lost")];

impl Prepared {
    fn new(
        kind: FileSystem,
        work: Work,
        holes: bool,
        mut chance: Chance,
        report: &mut Report,
    ) -> Result<Self, String> {
        let directory = memory_directory().map_err(|error| error.to_string())?;
        let base = directory.path().join("base");
        let len = match work {
            Work::Random => kind.smallest_disk() * 2,
            Work::Shifts => kind.disk_for_extents(),
        };
        File::create(&base)
            .and_then(|file| file.set_len(len))
            .map_err(|error| error.to_string())?;
        let options = match work {
            Work::Random => kind.make(&base, &mut chance)?,
            Work::Shifts => kind.make_for_shifts(&base, &mut chance)?,
        };
        let old = match work {
            Work::Random => contents(&mut chance, holes),
            Work::Shifts => extents::contents(&mut chance, holes),
        };
        fs::create_dir(directory.path().join("mount")).map_err(|error| error.to_string())?;
        let paces = Vec::new();
        let mut prepared = Self { kind, options, chance, directory, work, holes, old, paces };
        let mount = prepared.mount(&base)?;
        let count = extents::write_file(&mount.path().join("data"), &prepared.old)?;
        let wanted = if work == Work::Shifts { extents::EXTENTS } else { 1000 };
        if count < wanted {
            return Err(format!("the file has {count} extents, more were wanted"));
        }
        if work == Work::Shifts {
            println!("{}: {count} extents", prepared.of_file());
            report.count(format!(
                "{}: files of more than {} extents",
                prepared.of_file(),
                extents::EXTENTS
            ));
        }
        mount.unmount()?;
        let names = match work {
            Work::Random => vec!["journaled"],
            Work::Shifts => Shape::ALL.iter().map(|shape| shape.name()).collect(),
        };
        for name in names {
            let pace = prepared.measure(name, &base)?;
            if pace.shift > Duration::ZERO {
                println!(
                    "{}: {name} takes {:?}, its shift {:?}",
                    prepared.of_file(),
                    pace.whole,
                    pace.shift
                );
            }
            prepared.paces.push(pace);
        }
        Ok(prepared)
    }

    /// For the report.
    fn of_file(&self) -> String {
        extents::place(self.kind, self.holes)
    }

    fn mount(&self, image: &Path) -> Result<Mount, String> {
        Mount::new(image, &self.directory.path().join("mount"), self.kind, &self.options, false)
    }

    /// How long an undisturbed commit takes.
    fn measure(&mut self, name: &'static str, base: &Path) -> Result<Pace, String> {
        let image = self.copy(base)?;
        let mount = self.mount(&image)?;
        let path = mount.path().join("data");
        let mut child = Running::start(&Job::commit(name, self.chance.bits()), &path)?;
        let begin = Instant::now();
        let mut shift = Duration::ZERO;
        if let Some(shape) = Shape::named(name)
            && shape.begins(&path, begin + Duration::from_secs(10), || mount.forget_cached())
        {
            let begin = Instant::now();
            let directory = mount.open()?;
            while shape.is_under_way(&path) {
                Meanwhile::OthersSync.pass(&directory);
            }
            shift = begin.elapsed();
        }
        let ended = child.end()?;
        let whole = begin.elapsed();
        if shift > Duration::ZERO {
            // Its beginning may have been missed.
            shift = shift.max(whole / 16);
        }
        mount.unmount()?;
        if ended {
            Ok(Pace { name, whole, shift })
        } else {
            Err(format!("an undisturbed commit ({name}) failed"))
        }
    }

    /// How long this commit takes, or one like it.
    fn pace(&self, name: &str) -> Option<Pace> {
        self.paces.iter().find(|pace| pace.name == name).or(self.paces.first()).copied()
    }

    fn copy(&self, base: &Path) -> Result<std::path::PathBuf, String> {
        let image = self.directory.path().join("image");
        let (from, to) = (base.to_string_lossy(), image.to_string_lossy());
        run_program("cp", &["--sparse=always", &from, &to])?;
        Ok(image)
    }

    fn round(&mut self, number: u64, report: &mut Report) -> Result<(), String> {
        let shape =
            (self.work == Work::Shifts).then(|| Shape::ALL[number as usize % Shape::ALL.len()]);
        let mut name = shape.map_or_else(|| *self.chance.of(&STRATEGIES), Shape::name);
        if shape.is_none()
            && let Err(reason) = workload::strategy(name)
        {
            report.skip(format!("shutdowns during {name} commits: {reason}"));
            name = "journaled";
        }
        let seed = self.chance.bits();
        let mut new = self.old.clone();
        let edits = match shape {
            Some(shape) => shape.edits(seed),
            None => Edits::random(&mut Chance::new(seed), new.len()),
        };
        edits.apply(&mut new);
        let pace = self.pace(name).ok_or("nothing was measured")?;
        let what = match shape {
            Some(_) => format!("{}: {name}", self.of_file()),
            None => format!("{} {name}", self.kind),
        };

        let image = self.copy(&self.directory.path().join("base"))?;
        let mount = self.mount(&image)?;
        let path = mount.path().join("data");
        let directory = mount.open()?;
        let mut child = Running::start(&Job::commit(name, seed), &path)?;
        let mut way = *self.chance.of(&WAYS);
        let (mut within, mut meanwhile) = (pace.whole, Meanwhile::Nothing);
        if let Some(shape) = shape
            && !self.chance.one_in(4)
            && shape.begins(&path, Instant::now() + pace.whole * 2, || mount.forget_cached())
        {
            // The first way would wait for the end of the shift.
            way = *self.chance.of(&WAYS[1..]);
            // At its end it is synced, sometimes for longer than it took.
            let share = *self.chance.of(&[0.25, 1.0]);
            (within, meanwhile) = (pace.shift.mul_f64(share), Meanwhile::OthersSync);
        }
        self.strike(&directory, within, meanwhile, way, report)?;
        drop(directory);
        let returned = child.end()?;
        // Who finds the file system shut down finds that it cannot shift extents.
        if child.refused && shape.is_none() {
            report.skip(format!("shutdowns during {name} commits on {}: refused", self.kind));
            return mount.unmount();
        }
        mount.unmount()?;
        report.count("rounds");
        report.count(format!("{what}, {}", if returned { "had returned" } else { "cut short" }));

        for number in 0..RECOVERIES {
            let mount = self.mount(&image)?;
            let path = mount.path().join("data");
            let phase = phase(&path)?;
            if number == 0 {
                report.count(format!("left by the commit: {phase}"));
            }
            if let Some(shape) = shape
                && phase == COMMITTING
            {
                let now = fs::read(&path).map_err(|error| error.to_string())?;
                if shape.is_cut_short(seed, &self.old, &new, &now) {
                    let by = if number == 0 { "commit" } else { "recovery" };
                    report.count(format!("{what}, left in the middle of the shift by a {by}"));
                    report.count(format!("shifts of many extents left in the middle by a {by}"));
                }
            }
            let broken = phase != NO_JOURNAL;
            if broken && self.chance.one_in(2) {
                let mut child = Running::start(&Job::recover(), &path)?;
                let way = *self.chance.of(&WAYS);
                self.strike(&mount.open()?, pace.whole, Meanwhile::Nothing, way, report)?;
                if !child.end()? {
                    report.count("recoveries cut short");
                }
            }
            mount.unmount()?;
        }

        let mount = self.mount(&image)?;
        if let Err(reason) = self.check(mount.path(), &new, returned, report) {
            report.wrong(format!("{what}, shut down {}: {reason}", way.1));
        }
        mount.unmount()
    }

    /// Shuts the file system down at a random moment within so long.
    fn strike(
        &mut self,
        directory: &File,
        within: Duration,
        meanwhile: Meanwhile,
        (way, name): (u32, &str),
        report: &mut Report,
    ) -> Result<(), String> {
        let until = Instant::now() + within.mul_f64(self.chance.fraction() * 1.1);
        while Instant::now() < until {
            meanwhile.pass(directory);
        }
        shut_down(directory, way).map_err(|error| format!("cannot be shut down: {error}"))?;
        report.count(format!("shut down {name}"));
        Ok(())
    }

    /// What the file is after it was recovered undisturbed.
    fn check(
        &self,
        directory: &Path,
        new: &[u8],
        returned: bool,
        report: &mut Report,
    ) -> Result<(), String> {
        let path = directory.join("data");
        let phase = phase(&path)?;
        let recovery = recover(&path).map_err(|error| format!("{phase}: {error}"))?;
        let contents = fs::read(&path).map_err(|error| error.to_string())?;
        let (is_new, is_old) = (contents == new, contents == self.old);
        if !is_new && !is_old {
            return Err(format!(
                "{phase}, {recovery:?}: neither old ({}) nor new ({})",
                workload::difference(&contents, &self.old),
                workload::difference(&contents, new)
            ));
        }
        if returned && !is_new {
            return Err(format!("{phase}, {recovery:?}: old, though the commit had returned"));
        }
        let other = match recovery {
            Recovery::RolledBack => !is_old,
            Recovery::Completed => !is_new,
            Recovery::Clean => false,
        };
        if other {
            return Err(format!("{phase}, {recovery:?}: the other contents"));
        }
        let left = fs::read_dir(directory).map_err(|error| error.to_string())?;
        let left = left.filter_map(|entry| entry.ok()).map(|entry| entry.file_name());
        let strange: Vec<_> = left
            .filter(|name| {
                !["data", extents::BALLAST, "lost+found"].iter().any(|known| name == known)
            })
            .collect();
        if !strange.is_empty() {
            return Err(format!("{phase}, {recovery:?}: left beside the file: {strange:?}"));
        }
        report.count(if is_new { "after recovery new" } else { "after recovery old" });
        Ok(())
    }
}

/// A child at work.
struct Running {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// Whether it said that its strategy cannot be had.
    refused: bool,
}

impl Running {
    /// Comes back when the child is about to begin.
    fn start(job: &Job, path: &Path) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(job.arguments(path))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = child.stdout.take().ok_or("the child has no output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(Self { child, output, refused: false })
    }

    /// Waits for the end; whether what it did succeeded.
    fn end(&mut self) -> Result<bool, String> {
        let mut said = String::new();
        self.output.read_to_string(&mut said).map_err(|error| error.to_string())?;
        self.refused = said.contains("refused");
        self.child.wait().map(|status| status.success()).map_err(|error| error.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file systems are small, and what they sync needs no real disk.
fn memory_directory() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

/// Contents of thousands of blocks.
fn contents(chance: &mut Chance, holes: bool) -> Vec<u8> {
    // Shorter than a block as well, so that the end is not aligned.
    let len = (2000 + chance.below(2000) as usize) * BLOCK + chance.below(BLOCK as u64) as usize;
    let mut contents = chance.bytes(len);
    if holes {
        for _ in 0..200 {
            let start = chance.below((len / BLOCK) as u64) as usize * BLOCK;
            contents[start..(start + BLOCK * (1 + chance.below(3) as usize)).min(len)].fill(0);
        }
    }
    contents
}

/// The ioctl by which ext4 and XFS are shut down. `way`: 0 syncs first, 1 writes the journal, 2 writes nothing.
fn shut_down(directory: &File, way: u32) -> rustix::io::Result<()> {
    const SHUTDOWN: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u32>(b'X', 125);
    // SAFETY: `_IOR('X', 125, u32)` (XFS_IOC_GOINGDOWN, EXT4_IOC_SHUTDOWN) takes a pointer to 32 bits, which it reads,
    // and the setter keeps them alive during the call.
    unsafe {
        let shutdown = rustix::ioctl::Setter::<SHUTDOWN, u32>::new(way);
        rustix::ioctl::ioctl(directory, shutdown)
    }
}
