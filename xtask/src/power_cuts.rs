//! T4: power cuts under a real file system.
//!
//! A file system on a [`FuseDisk`] is put to work: files are spliced, one commit after the other. The disk records
//! every write and every flush. Then the power is cut at moments of that record: what was written before the last
//! flush is on the disk, and of what was written after it any part. The file system is mounted again, which replays
//! its own journal, bytesplice recovers, and the file must be wholly old or wholly new; new if the commit had returned
//! before the cut. Of every four states one is cut again while the file system and bytesplice repair it. Others are of
//! files for which more than ten thousand extents are shifted, cut mostly while that is under way.
//!
//! What is assumed of the disk: a flush makes durable what was written before it; without one, writes become durable
//! in any order and combination, torn between sectors of 512 bytes (4096 on btrfs, which demands that of a disk, and on
//! XFS where many extents are shifted).
//! What comes from the system: the order of the writes. A seed repeats all choices made here, but not that order, so
//! the disk of a state that went wrong is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytesplice::{Durability, Error, FileState, Recovery, recover};

use crate::chance::Chance;
use crate::extents::{self, Shape};
use crate::file_system::{FileSystem, Mount};
use crate::fuse_disk::{Event, FuseDisk};
use crate::lost_writes::{last_flush, lose_some};
use crate::recorded::{self, At, Change, History, Mark};
use crate::report::Report;
use crate::workload::{self, BLOCK, Edits, STRATEGIES, phase};

/// How many states to look at on each file system.
pub const STATES: [(FileSystem, u64); 3] =
    [(FileSystem::Ext4, 200), (FileSystem::Xfs, 40), (FileSystem::Btrfs, 100)];

/// States from the record of one history.
const STATES_EACH: u64 = 10;
/// Histories on a file system before a new one is made.
const HISTORIES_EACH: u64 = 5;

/// No commit takes so long.
const LONGEST_COMMIT: Duration = Duration::from_secs(60);

/// States of a file of many extents for each shape of commits: each takes a second.
const STATES_OF_SHIFTS: u64 = 2;
/// The same where time is given.
const MORE_STATES_OF_SHIFTS: u64 = 6;

/// Cuts the power until all states are seen or the time is over.
pub fn run(seed: u64, states: &[(FileSystem, u64)], deadline: Option<Instant>) -> Report {
    let mut report = Report::default();
    if !rustix::process::geteuid().is_root() {
        report.skip("power cuts: they need root, to mount file systems");
        return report;
    }
    check_that_it_catches(seed, &mut report);
    let mut seeds_of_shifts = Chance::new(!seed);
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
    let states_of_shifts =
        if deadline.is_some() { MORE_STATES_OF_SHIFTS } else { STATES_OF_SHIFTS };
    for (kind, holes) in extents::PLACES {
        if deadline.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        let begin = Instant::now();
        let outcome = Bench::with_extents(kind, seeds_of_shifts.fork())
            .and_then(|mut bench| bench.shift(holes, states_of_shifts, &mut report));
        if let Err(reason) = outcome {
            report.wrong(format!("power cuts of shifts on {kind}: {reason}"));
        }
        println!(
            "power cuts of shifts, {}: seed {seed}, {:.0} s",
            extents::place(kind, holes),
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

/// A file system on a recording disk.
struct Bench {
    kind: FileSystem,
    options: String,
    chance: Chance,
    durability: Durability,
    sector: usize,
    place: tempfile::TempDir,
    // Last, so that it goes after what is mounted on it.
    disk: FuseDisk<Mark>,
}

impl Bench {
    fn new(kind: FileSystem, mut chance: Chance, durability: Durability) -> Result<Self, String> {
        let disk = FuseDisk::new(kind.smallest_disk())?;
        let options = kind.make(&disk.path(), &mut chance)?;
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let sector = kind.atomic_write();
        Ok(Self { kind, options, chance, durability, sector, place, disk })
    }

    /// One for files of many extents.
    fn with_extents(kind: FileSystem, mut chance: Chance) -> Result<Self, String> {
        let disk = FuseDisk::new(kind.disk_for_extents())?;
        let options = kind.make_for_shifts(&disk.path(), &mut chance)?;
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        // XFS does not replay its log over a block of its tree of extents of which the beginning is new.
        let sector = if kind == FileSystem::Xfs { BLOCK } else { kind.atomic_write() };
        Ok(Self { kind, options, chance, durability: Durability::Synced, sector, place, disk })
    }

    /// Commits of every shape to a file of many extents, cut mostly while these are shifted.
    fn shift(&mut self, holes: bool, count: u64, report: &mut Report) -> Result<(), String> {
        let what = extents::place(self.kind, holes);
        let old = extents::contents(&mut self.chance, holes);
        let mount = self.mount()?;
        let extents = extents::write_file(&mount.path().join("data"), &old)?;
        if extents < extents::EXTENTS {
            return Err(format!("the file has {extents} extents, more were wanted"));
        }
        println!("{what}: {extents} extents");
        mount.unmount()?;
        let made = self.disk.moment();
        for shape in Shape::ALL {
            let what = format!("{what}: {}", shape.name());
            let History { start, changes, events } = self.shift_history(shape, &old)?;
            report.count(format!("{what}, commits recorded"));
            self.disk.go_back(start);
            self.cut(&changes, &events, count, &what, report);
            self.disk.go_back(made);
        }
        Ok(())
    }

    /// A commit that shifts many extents, while others sync the file system: on ext4 a shift is quicker than its next
    /// transaction, and only so is its middle made durable.
    fn shift_history(&mut self, shape: Shape, old: &[u8]) -> Result<History, String> {
        let seed = self.chance.bits();
        let edits = shape.edits(seed);
        let mut new = old.to_vec();
        edits.apply(&mut new);
        let mount = self.mount()?;
        let path = mount.path().join("data");
        let directory = mount.open()?;
        let mut file = edits.open(&path).map_err(|error| error.to_string())?;
        // What mounting wrote is there at every cut.
        rustix::fs::syncfs(&directory).map_err(|error| error.to_string())?;
        let start = self.disk.moment();
        self.disk.record();
        self.disk.mark(Mark::Begin(0));
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                if shape.comes(&path, Instant::now() + LONGEST_COMMIT) {
                    self.disk.mark(Mark::Shift);
                    // So that the shift takes a little longer.
                    mount.forget_cached();
                    while shape.is_under_way(&path) && rustix::fs::syncfs(&directory).is_ok() {}
                }
            });
            workload::commit(&mut file, bytesplice::Strategy::Extents, Durability::Synced)
        });
        outcome.map_err(|error| format!("a commit failed: {error}"))?;
        self.disk.mark(Mark::Returned);
        drop((file, directory));
        mount.unmount()?;
        let events = self.disk.stop();
        let change =
            Change { earlier: old.to_vec(), old: old.to_vec(), new, shift: Some((shape, seed)) };
        Ok(History { start, changes: vec![change], events })
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
            changes.push(Change { earlier, old, new: contents.clone(), shift: None });
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
                Err(
                    Error::NoSpace { state: FileState::Unchanged, .. }
                    | Error::NoSpaceForJournal { .. },
                ) => {
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
            (0..count).map(|_| recorded::moment(events, &mut self.chance)).collect();
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
            lose_some(&self.disk, &events[durable..cut], self.sector, &mut self.chance);
            self.look(changes, At::of(events, cut), what, report);
            self.disk.go_back(before);
        }
    }

    /// Mounts, recovers and compares; sometimes the power is cut again meanwhile.
    fn look(&mut self, changes: &[Change], at: At, what: &str, report: &mut Report) {
        let torn = self.disk.moment();
        report.count(format!("{} states", self.kind));
        self.disk.record();
        let outcome = self.repair(changes, at, what, report);
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
        lose_some(&self.disk, &events[flushed..cut], self.sector, &mut self.chance);
        report.count(format!("{} states after a cut in the repair", self.kind));
        let recovered = events[..cut].iter().any(|event| matches!(event, Event::Mark(_)));
        let must = if recovered { Some(found.new) } else { at.must };
        let torn = self.disk.moment();
        if let Err(reason) = self.repair(changes, At { must, ..at }, what, report) {
            self.keep(torn, what, &format!("cut again in the repair: {reason}"), report);
        }
    }

    /// What the file is after the file system and bytesplice have repaired it; none if it cannot be mounted.
    fn repair(
        &self,
        changes: &[Change],
        at: At,
        what: &str,
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
        if change.is_cut_short(&path, phase).map_err(|error| error.to_string())? {
            report.count(format!("{what}, cut in the middle of the shift"));
            report.count("shifts of many extents cut in the middle");
        }
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
        if name != Path::new("lost+found") && name != Path::new(extents::BALLAST) {
            names.push(name);
        }
    }
    Ok(names)
}
