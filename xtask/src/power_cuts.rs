//! T4: power cuts under a real file system.
//!
//! A file system on a [`FuseDisk`] is put to work: files are spliced, one commit after the other. The disk records
//! every write and every flush. Then the power is cut at moments of that record: what was written before the last
//! flush is on the disk, and of what was written after it any part. The file system is mounted again, which replays
//! its own journal, bytesplice recovers, and the file must be wholly old or wholly new; new if the commit had returned
//! before the cut. Of every four states one is cut again while the file system and bytesplice repair it.
//!
//! What is assumed of the disk: a flush makes durable what was written before it; without one, writes become durable
//! in any order and combination, torn between sectors of 512 bytes (4096 on btrfs, which demands that of a disk).
//! What comes from the system: the order of the writes. A seed repeats all choices made here, but not that order, so
//! the disk of a state that went wrong is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytesplice::{Durability, Error, FileState, Recovery, recover};

use crate::chance::Chance;
use crate::file_system::{FileSystem, Mount};
use crate::fuse_disk::{Event, FuseDisk};
use crate::lost_writes::{last_flush, lose_some};
use crate::report::Report;
use crate::workload::{self, Edits, STRATEGIES, phase};

/// How many states to look at on each file system.
pub const STATES: [(FileSystem, u64); 3] =
    [(FileSystem::Ext4, 200), (FileSystem::Xfs, 40), (FileSystem::Btrfs, 100)];

/// States from the record of one history.
const STATES_EACH: u64 = 10;
/// Histories on a file system before a new one is made.
const HISTORIES_EACH: u64 = 5;

/// Cuts the power until all states are seen or the time is over.
pub fn run(seed: u64, states: &[(FileSystem, u64)], deadline: Option<Instant>) -> Report {
    let mut report = Report::default();
    if !rustix::process::geteuid().is_root() {
        report.skip("power cuts: they need root, to mount file systems");
        return report;
    }
    check_that_it_catches(seed, &mut report);
    for &(kind, wanted) in states {
        let begin = Instant::now();
        let states = format!("{kind} states");
        let mut seeds = Chance::new(seed ^ kind.smallest_disk());
        while report.number(&states) < wanted && deadline.is_none_or(|end| Instant::now() < end) {
            let chance = seeds.fork();
            let left = wanted - report.number(&states);
            let outcome = Bench::new(kind, chance, Durability::Synced)
                .and_then(|mut bench| bench.work(left, &mut report));
            if let Err(reason) = outcome {
                report.skip(format!("power cuts on {kind}: {reason}"));
                break;
            }
        }
        println!(
            "power cuts, {kind}: seed {seed}, {} states in {:.0} s",
            report.number(&states),
            begin.elapsed().as_secs_f64()
        );
    }
    report
}

/// Commits that sync nothing must be caught, or these power cuts would show nothing.
fn check_that_it_catches(seed: u64, report: &mut Report) {
    let mut seeds = Chance::new(seed);
    for _ in 0..10 {
        let mut caught = Report::default();
        let outcome = Bench::new(FileSystem::Ext4, seeds.fork(), Durability::Unsynced)
            .and_then(|mut bench| bench.work(10, &mut caught));
        if outcome.is_err() {
            // That nothing can be tried here is said for each file system.
            return;
        }
        report.add(CAUGHT, caught.number(CAUGHT));
        if caught.number(CAUGHT) > 0 {
            return;
        }
    }
    report.wrong("commits that sync nothing pass as well");
}

const CAUGHT: &str = "sabotage: states caught of commits that sync nothing";

/// What the workload says of itself in the record.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// Commit number n comes next.
    Begin(usize),
    /// It has returned.
    Returned,
    /// A recovery has returned.
    Recovered,
}

/// What the file holds before and after a commit.
struct Change {
    /// Before others overwrote some bytes and did not sync them.
    earlier: Vec<u8>,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Change {
    fn is_old(&self, contents: &[u8]) -> bool {
        let mut bytes = contents.iter().zip(self.old.iter().zip(&self.earlier));
        contents.len() == self.old.len()
            && (contents == self.old
                || bytes.all(|(is, (old, earlier))| is == old || is == earlier))
    }
}

/// Commits that were recorded.
struct History {
    /// The moment of the disk at which the record begins.
    start: usize,
    changes: Vec<Change>,
    events: Vec<Event<Mark>>,
}

/// A file system on a recording disk.
struct Bench {
    kind: FileSystem,
    options: String,
    chance: Chance,
    durability: Durability,
    place: tempfile::TempDir,
    // Last, so that it goes after what is mounted on it.
    disk: FuseDisk<Mark>,
}

impl Bench {
    fn new(kind: FileSystem, mut chance: Chance, durability: Durability) -> Result<Self, String> {
        let disk = FuseDisk::new(kind.smallest_disk())?;
        let options = kind.make(&disk.path(), &mut chance)?;
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        Ok(Self { kind, options, chance, durability, place, disk })
    }

    fn mount(&self) -> Result<Mount, String> {
        Mount::new(&self.disk.path(), self.place.path(), self.kind, &self.options, true)
    }

    fn work(&mut self, wanted: u64, report: &mut Report) -> Result<(), String> {
        let made = self.disk.moment();
        let mut left = wanted;
        for _ in 0..HISTORIES_EACH {
            if left == 0 {
                break;
            }
            let name = *self.chance.of(&STRATEGIES);
            let strategy = match workload::strategy(name) {
                Ok(strategy) => strategy,
                Err(reason) => {
                    report.skip(format!("power cuts during {name} commits: {reason}"));
                    workload::strategy("journaled")?
                }
            };
            let History { start, changes, events } = self.history(name, strategy, report)?;
            self.disk.go_back(start);
            if !changes.is_empty() {
                let count = left.min(STATES_EACH);
                self.cut(&changes, &events, count, &format!("{} {strategy}", self.kind), report);
                left -= count;
            }
            self.disk.go_back(made);
        }
        Ok(())
    }

    /// A file and some commits.
    fn history(
        &mut self,
        name: &str,
        strategy: bytesplice::Strategy,
        report: &mut Report,
    ) -> Result<History, String> {
        let mount = self.mount()?;
        let path = mount.path().join("data");
        let len = match self.chance.below(20) {
            0 if self.kind == FileSystem::Ext4 => 17 << 20,
            0..5 => 1 << 20,
            _ => 200_000,
        };
        let len = (len / 2 + self.chance.below(len)) as usize;
        let holes = self.chance.one_in(4);
        let mut contents = workload::contents(&mut self.chance, len, holes);
        workload::write_file(&path, &contents).map_err(|error| error.to_string())?;
        crate::program::run("sync", &["--file-system", &path.to_string_lossy()])?;

        let start = self.disk.moment();
        self.disk.record();
        let mut changes = Vec::new();
        for number in 0..1 + self.chance.below(4) as usize {
            let earlier = contents.clone();
            self.disk.mark(Mark::Begin(number));
            if self.chance.one_in(2) && !contents.is_empty() {
                overwrite(&path, &mut contents, &mut self.chance)
                    .map_err(|error| error.to_string())?;
            }
            let old = contents.clone();
            let edits = Edits::random(&mut self.chance, contents.len());
            edits.apply(&mut contents);
            changes.push(Change { earlier, old, new: contents.clone() });
            let outcome = edits
                .open(&path)
                .and_then(|mut file| workload::commit(&mut file, strategy, self.durability));
            match outcome {
                Ok(()) => self.disk.mark(Mark::Returned),
                Err(error) if workload::is_refused(&error) => {
                    // The path is another one every time.
                    let reason = error.to_string().replace(&*path.to_string_lossy(), "data");
                    report.skip(format!(
                        "power cuts during {name} commits on {}: {reason}",
                        self.kind
                    ));
                    changes.clear();
                    break;
                }
                Err(Error::NoSpace { state: FileState::Unchanged, .. }) => {
                    report.count("commits for which the disk was too small");
                    changes.pop();
                    break;
                }
                Err(error) => {
                    report.wrong(format!("{} {name}: a commit failed: {error}", self.kind));
                    changes.clear();
                    break;
                }
            }
            report.count(format!("{} {strategy} commits recorded", self.kind));
        }
        mount.unmount()?;
        let events = self.disk.stop();
        let flushes = events.iter().filter(|event| matches!(event, Event::Flush)).count();
        if flushes == 0 {
            return Err("no flush reaches the disk".into());
        }
        report.add("flushes recorded", flushes as u64);
        let writes = events.iter().filter(|event| matches!(event, Event::Write { .. })).count();
        report.add("writes recorded", writes as u64);
        Ok(History { start, changes, events })
    }

    /// Looks at states of the disk after power cuts, from the earliest to the latest.
    fn cut(
        &mut self,
        changes: &[Change],
        events: &[Event<Mark>],
        count: u64,
        what: &str,
        report: &mut Report,
    ) {
        let mut cuts: Vec<usize> =
            (0..count).map(|_| self.chance.below(events.len() as u64 + 1) as usize).collect();
        cuts.sort_unstable();
        let mut durable = 0;
        for cut in cuts {
            // What is before the last flush is there for good.
            let flushed = last_flush(events, cut);
            for event in &events[durable..flushed.max(durable)] {
                if let Event::Write { offset, bytes } = event {
                    self.disk.write(*offset, bytes);
                }
            }
            durable = flushed.max(durable);
            let before = self.disk.moment();
            lose_some(&self.disk, &events[durable..cut], self.kind, &mut self.chance);
            self.look(changes, At::of(events, cut), what, report);
            self.disk.go_back(before);
        }
    }

    /// Mounts, recovers and compares; sometimes the power is cut again meanwhile.
    fn look(&mut self, changes: &[Change], at: At, what: &str, report: &mut Report) {
        let torn = self.disk.moment();
        report.count(format!("{} states", self.kind));
        self.disk.record();
        let outcome = self.repair(changes, at, report);
        let events = self.disk.stop();
        let found = match outcome {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(reason) => return self.keep(torn, what, &reason, report),
        };
        report.count(format!("{what}: {}", if found.new { "new" } else { "old" }));
        if !self.chance.one_in(4) {
            return;
        }
        self.disk.go_back(torn);
        let cut = self.chance.below(events.len() as u64 + 1) as usize;
        let flushed = last_flush(&events, cut);
        for event in &events[..flushed] {
            if let Event::Write { offset, bytes } = event {
                self.disk.write(*offset, bytes);
            }
        }
        lose_some(&self.disk, &events[flushed..cut], self.kind, &mut self.chance);
        report.count(format!("{} states after a cut in the repair", self.kind));
        let recovered = events[..cut].iter().any(|event| matches!(event, Event::Mark(_)));
        let must = if recovered { Some(found.new) } else { at.must };
        let torn = self.disk.moment();
        if let Err(reason) = self.repair(changes, At { must, ..at }, report) {
            self.keep(torn, what, &format!("cut again in the repair: {reason}"), report);
        }
    }

    /// What the file is after the file system and bytesplice have repaired it; none if it cannot be mounted.
    fn repair(
        &self,
        changes: &[Change],
        at: At,
        report: &mut Report,
    ) -> Result<Option<Found>, String> {
        let mount = match self.mount() {
            Ok(mount) => mount,
            Err(reason) => {
                // Its superblock was torn: nothing that bytesplice could do anything about.
                report.count(format!(
                    "{} states that the file system itself did not survive",
                    self.kind
                ));
                println!("not mounted: {reason}");
                return Ok(None);
            }
        };
        let path = mount.path().join("data");
        let (kind, change) = (self.kind, &changes[at.number]);
        let phase = phase(&path)?;
        report.count(format!("found on {kind}: {phase}"));
        let recovery = recover(&path).map_err(|error| format!("{phase}: {error}"))?;
        self.disk.mark(Mark::Recovered);
        let contents = fs::read(&path).map_err(|error| error.to_string())?;
        let is_new = contents == change.new;
        // Some edits change nothing.
        let is_old = change.is_old(&contents);
        let told = format!("commit {}, {phase}, {recovery:?}", at.number);
        if !is_new && !is_old {
            return Err(format!(
                "{told}: neither old ({}) nor new ({})",
                workload::difference(&contents, &change.old),
                workload::difference(&contents, &change.new)
            ));
        }
        if at.must == Some(true) && !is_new {
            return Err(format!(
                "{told}: old, though the commit or a recovery to new had returned"
            ));
        }
        if at.must == Some(false) && !is_old {
            return Err(format!("{told}: new, though a recovery to old had returned"));
        }
        if (recovery == Recovery::RolledBack && !is_old)
            || (recovery == Recovery::Completed && !is_new)
        {
            return Err(format!("{told}: the other contents"));
        }
        let left = names(mount.path()).map_err(|error| error.to_string())?;
        if left != [Path::new("data")] {
            return Err(format!("{told}: left beside the file: {left:?}"));
        }
        mount.unmount()?;
        Ok(Some(Found { new: is_new && !is_old || at.must == Some(true) }))
    }

    /// Keeps the disk as it was after the power cut.
    fn keep(&self, torn: usize, what: &str, reason: &str, report: &mut Report) {
        if self.durability == Durability::Unsynced {
            return report.count(CAUGHT);
        }
        self.disk.go_back(torn);
        let number = report.wrong.len();
        let path =
            std::env::temp_dir().join(format!("bytesplice-power-cut-{number}.{}", self.kind));
        let kept = self.disk.save(&path);
        let kept = kept.map_or_else(|error| error.to_string(), |()| path.display().to_string());
        report.wrong(format!("{what}: {reason}; the disk after the cut: {kept}"));
    }
}

/// Where a power cut falls.
#[derive(Debug, Clone, Copy)]
struct At {
    /// The commit that is under way or was the last.
    number: usize,
    /// Whether the contents must be new; none if both are right.
    must: Option<bool>,
}

impl At {
    fn of(events: &[Event<Mark>], cut: usize) -> Self {
        let mut at = Self { number: 0, must: None };
        for event in &events[..cut] {
            match event {
                Event::Mark(Mark::Begin(number)) => at = Self { number: *number, must: None },
                Event::Mark(Mark::Returned) => at.must = Some(true),
                _ => {}
            }
        }
        at
    }
}

/// What was found after a repair.
struct Found {
    new: bool,
}

/// As somebody does who takes no lock and syncs nothing.
fn overwrite(path: &Path, contents: &mut [u8], chance: &mut Chance) -> std::io::Result<()> {
    let start = chance.below(contents.len() as u64) as usize;
    let end = (start + chance.below(30_000) as usize).min(contents.len());
    let bytes = chance.bytes(end - start);
    contents[start..end].copy_from_slice(&bytes);
    let file = fs::File::options().write(true).open(path)?;
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, start as u64)
}

fn names(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = PathBuf::from(entry?.file_name());
        if name != Path::new("lost+found") {
            names.push(name);
        }
    }
    Ok(names)
}
