//! T5: forced shutdowns of ext4 and XFS, in the middle of commits and of recoveries.
//!
//! A child process commits to a file of thousands of extents, with and without holes. At a random moment the file
//! system is shut down by its own ioctl: from then on nothing reaches the disk any more, and what was not written is
//! lost, the journal of the file system included if so chosen. It is unmounted, mounted again through another loop
//! device (so that no device number stays), and recovered; some recoveries are shut down as well. The file must then be
//! wholly old or wholly new; new if the commit had returned.
//!
//! What is assumed of the disk: nothing, it loses no write. What is lost is what the system had in memory. A seed
//! repeats file, edits and the share of the commit after which it strikes, but not what the processes did till then.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytesplice::{Recovery, recover};
use rustix::fs::FallocateFlags;

use crate::chance::Chance;
use crate::file_system::{FileSystem, Mount};
use crate::job::Job;
use crate::program::run as run_program;
use crate::report::Report;
use crate::workload::{self, BLOCK, Edits, NO_JOURNAL, STRATEGIES, phase};

/// How many shutdowns of commits are tried in bounded form.
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
    let mut left = rounds;
    'all: while left > 0 {
        for (kind, holes) in [FileSystem::Ext4, FileSystem::Xfs]
            .into_iter()
            .flat_map(|kind| [(kind, false), (kind, true)])
        {
            if left == 0 || deadline.is_some_and(|end| Instant::now() >= end) {
                break 'all;
            }
            let count = left.min(ROUNDS_EACH);
            left -= count;
            let prepared = Prepared::new(kind, holes, seeds.fork());
            let outcome = prepared
                .and_then(|mut prepared| (0..count).try_for_each(|_| prepared.round(&mut report)));
            if let Err(reason) = outcome {
                // Also what should work here and did not must not pass for tested.
                report.wrong(format!("shutdowns of {kind}: {reason}"));
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

/// A file system with a fragmented file, to be put to work on copies.
struct Prepared {
    kind: FileSystem,
    options: String,
    chance: Chance,
    directory: tempfile::TempDir,
    old: Vec<u8>,
    whole_commit: Duration,
}

const BALLAST: &str = "ballast";

/// How the file system forgets.
const WAYS: [(u32, &str); 3] =
    [(0, "after a sync"), (1, "with its journal written"), (2, "with its journal lost")];

impl Prepared {
    fn new(kind: FileSystem, holes: bool, mut chance: Chance) -> Result<Self, String> {
        let directory = memory_directory().map_err(|error| error.to_string())?;
        let base = directory.path().join("base");
        File::create(&base)
            .and_then(|file| file.set_len(kind.smallest_disk() * 2))
            .map_err(|error| error.to_string())?;
        let options = kind.make(&base, &mut chance)?;
        // Shorter than a block as well, so that the end is not aligned.
        let len =
            (2000 + chance.below(2000) as usize) * BLOCK + chance.below(BLOCK as u64) as usize;
        let mut old = chance.bytes(len);
        if holes {
            for _ in 0..200 {
                let start = chance.below((len / BLOCK) as u64) as usize * BLOCK;
                old[start..(start + BLOCK * (1 + chance.below(3) as usize)).min(len)].fill(0);
            }
        }
        fs::create_dir(directory.path().join("mount")).map_err(|error| error.to_string())?;
        let whole_commit = Duration::from_millis(100);
        let mut prepared = Self { kind, options, chance, directory, old, whole_commit };
        let mount = prepared.mount(&base)?;
        let path = mount.path().join("data");
        write_fragmented(&path, &prepared.old)
            .map_err(|error| format!("cannot make a fragmented file: {error}"))?;
        let extents = run_program("filefrag", &[&path.to_string_lossy()])?;
        let extents = extents.split(' ').rev().nth(2).and_then(|number| number.parse().ok());
        if extents.is_none_or(|extents: u64| extents < 1000) {
            return Err(format!("the file has {extents:?} extents, more were wanted"));
        }
        mount.unmount()?;
        prepared.measure(&base)?;
        Ok(prepared)
    }

    fn mount(&self, image: &Path) -> Result<Mount, String> {
        Mount::new(image, &self.directory.path().join("mount"), self.kind, &self.options, false)
    }

    /// How long an undisturbed commit takes.
    fn measure(&mut self, base: &Path) -> Result<(), String> {
        let image = self.copy(base)?;
        let mount = self.mount(&image)?;
        let job = Job::commit("journaled", self.chance.bits());
        let mut child = Running::start(&job, &mount.path().join("data"))?;
        let begin = Instant::now();
        let ended = child.end()?;
        self.whole_commit = begin.elapsed();
        mount.unmount()?;
        if ended { Ok(()) } else { Err("an undisturbed commit failed".to_owned()) }
    }

    fn copy(&self, base: &Path) -> Result<std::path::PathBuf, String> {
        let image = self.directory.path().join("image");
        let (from, to) = (base.to_string_lossy(), image.to_string_lossy());
        run_program("cp", &["--sparse=always", &from, &to])?;
        Ok(image)
    }

    fn round(&mut self, report: &mut Report) -> Result<(), String> {
        let mut name = *self.chance.of(&STRATEGIES);
        if let Err(reason) = workload::strategy(name) {
            report.skip(format!("shutdowns during {name} commits: {reason}"));
            name = "journaled";
        }
        let seed = self.chance.bits();
        let mut new = self.old.clone();
        Edits::random(&mut Chance::new(seed), new.len()).apply(&mut new);
        let what = format!("{} {name}", self.kind);

        let image = self.copy(&self.directory.path().join("base"))?;
        let mount = self.mount(&image)?;
        let path = mount.path().join("data");
        let mut child = Running::start(&Job::commit(name, seed), &path)?;
        let way = *self.chance.of(&WAYS);
        self.strike(mount.path(), way, report)?;
        let returned = child.end()?;
        if child.refused {
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
            let broken = phase != NO_JOURNAL;
            if broken && self.chance.one_in(2) {
                let mut child = Running::start(&Job::recover(), &path)?;
                let way = *self.chance.of(&WAYS);
                self.strike(mount.path(), way, report)?;
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

    /// Shuts the file system down at a random moment of the commit.
    fn strike(
        &mut self,
        directory: &Path,
        (way, name): (u32, &str),
        report: &mut Report,
    ) -> Result<(), String> {
        let until = Instant::now() + self.whole_commit.mul_f64(self.chance.fraction() * 1.1);
        let directory = File::open(directory).map_err(|error| error.to_string())?;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        shut_down(&directory, way).map_err(|error| format!("cannot be shut down: {error}"))?;
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
            .filter(|name| !["data", BALLAST, "lost+found"].iter().any(|known| name == known))
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

/// Makes a file of which every block is an extent of its own: space for it is taken by turns with another file.
fn write_fragmented(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let file = File::create(path)?;
    let other = File::create(path.with_file_name(BALLAST))?;
    file.set_len(contents.len() as u64)?;
    let is_hole = |block: &[u8]| block.iter().all(|&byte| byte == 0);
    for (number, block) in contents.chunks(BLOCK).enumerate() {
        let offset = (number * BLOCK) as u64;
        if !is_hole(block) {
            let keep = FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&file, keep, offset, block.len() as u64)?;
        }
        rustix::fs::fallocate(&other, FallocateFlags::empty(), offset, BLOCK as u64)?;
    }
    for (number, block) in contents.chunks(BLOCK).enumerate() {
        if !is_hole(block) {
            file.write_all_at(block, (number * BLOCK) as u64)?;
        }
    }
    file.sync_all()?;
    other.sync_all()?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
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
