//! Journals of broken commits, damaged at random: recovery never panics, hangs or takes memory without bounds; an error
//! leaves the file as it was; and where the damage is of a kind that the format withstands, the file becomes wholly old
//! or wholly new, or stays untouched with an error.
//!
//! `BYTESPLICE_FUZZ_SECONDS` (10) and `BYTESPLICE_SEED` say how long and from where on. The cases run in a child with
//! little memory, which tells its parent the number of the case in a file: so a case that aborts or hangs is known too.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bytesplice::{
    CommitOptions, Error, OpenOptions, Recovery, SpliceFile, Strategy, recover, status,
};
use rustix::fs::XattrFlags;

const MARK: &str = "user.bytesplice";
const PAGE: usize = 4096;
/// Pages of headers and records; after them every byte is under a checksum of its own.
const HEADS: usize = 4;
/// What the fuzzed recoveries may take, in bytes.
const MEMORY: u64 = 256 << 20;
const LONGEST_CASE: Duration = Duration::from_secs(30);

fn environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// A seeded source of chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.bits() % end.max(1) as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.bits() as u8).collect()
    }
}

/// Offset, number of bytes removed, bytes inserted.
type Edit = (usize, usize, Vec<u8>);

/// The commit of a seed: old contents, and edits from the front to the back in offsets of the old file.
fn commit_of(seed: u64) -> (Vec<u8>, Vec<Edit>) {
    let mut chance = Chance(seed);
    let old_len = 30_000 + chance.below(200_000);
    let old = chance.bytes(old_len);
    let mut edits = Vec::new();
    let mut offset = 0;
    while edits.len() < 6 {
        offset += chance.below(old_len / 4);
        let removed = [0, 3, chance.below(9000)][chance.below(3)];
        if offset + removed > old_len {
            break;
        }
        let inserted = [0, 5, chance.below(9000)][chance.below(3)];
        edits.push((offset, removed, chance.bytes(inserted)));
        offset += removed;
    }
    edits.push((old_len, 0, b"end".to_vec()));
    (old, edits)
}

fn new_of(seed: u64) -> Vec<u8> {
    let (mut contents, edits) = commit_of(seed);
    for (offset, removed, inserted) in edits.into_iter().rev() {
        contents.splice(offset..offset + removed, inserted);
    }
    contents
}

/// What the child that breaks a commit does: it kills itself at a report of progress.
#[test]
fn broken_commit() {
    let Some(path) = std::env::var_os("FUZZ_BROKEN_PATH") else { return };
    let seed = environment("FUZZ_BROKEN_SEED", 0);
    let mut left = environment("FUZZ_BROKEN_LAST", 0);
    let mut file = SpliceFile::open(PathBuf::from(path)).unwrap();
    for (offset, removed, inserted) in commit_of(seed).1.into_iter().rev() {
        let offset = offset as u64;
        file.replace(offset..offset + removed as u64, inserted).unwrap();
    }
    let mut progress = |_: bytesplice::Progress| {
        if left == 0 {
            let (itself, kill) = (rustix::process::getpid(), rustix::process::Signal::KILL);
            let _ = rustix::process::kill_process(itself, kill);
        }
        left -= 1;
    };
    file.commit_with(CommitOptions::new().strategy(Strategy::Journaled).progress(&mut progress))
        .unwrap();
}

/// A file with a commit that was cut short, and all it takes to make it anew.
struct Wreck {
    path: PathBuf,
    journal: PathBuf,
    /// A second name of the journal, so that its inode outlives a recovery.
    kept: PathBuf,
    contents: Vec<u8>,
    journal_bytes: Vec<u8>,
    mark: Option<Vec<u8>>,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Wreck {
    /// None if the commit was done before it could be killed.
    fn new(directory: &Path, seed: u64, last: u64) -> Option<Self> {
        let directory = directory.join(format!("{seed}-{last}"));
        fs::create_dir(&directory).unwrap();
        let (path, journal) = (directory.join("data"), directory.join(".data.bytesplice"));
        let old = commit_of(seed).0;
        fs::write(&path, &old).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "broken_commit", "--test-threads=1"])
            .env("FUZZ_BROKEN_PATH", &path)
            .env("FUZZ_BROKEN_SEED", seed.to_string())
            .env("FUZZ_BROKEN_LAST", last.to_string())
            .output()
            .unwrap();
        if output.status.success() {
            return None;
        }
        let kept = directory.join("kept");
        fs::hard_link(&journal, &kept).unwrap();
        let mut buffer = [0; 8192];
        let mark = rustix::fs::getxattr(&path, MARK, &mut buffer).ok();
        Some(Self {
            contents: fs::read(&path).unwrap(),
            journal_bytes: fs::read(&journal).unwrap(),
            mark: mark.map(|len| buffer[..len].to_vec()),
            new: new_of(seed),
            path,
            journal,
            kept,
            old,
        })
    }

    /// As the crash left it, but for the journal.
    fn restore(&self, journal: &[u8]) {
        File::options().write(true).open(&self.path).unwrap().set_len(0).unwrap();
        fs::write(&self.path, &self.contents).unwrap();
        File::options().write(true).open(&self.kept).unwrap().set_len(0).unwrap();
        fs::write(&self.kept, journal).unwrap();
        if !self.journal.exists() {
            fs::hard_link(&self.kept, &self.journal).unwrap();
        }
        if let Some(mark) = &self.mark {
            rustix::fs::setxattr(&self.path, MARK, mark, XattrFlags::empty()).unwrap();
        }
    }
}

/// Damages a journal; whether the format withstands this damage. What it does not: the newest record lost with both its
/// copies after its step has begun, and headers forged with the right checksum.
fn damage(wreck: &Wreck, others: &[Wreck], chance: &mut Chance) -> (Vec<u8>, bool) {
    let mut journal = wreck.journal_bytes.clone();
    let pages = journal.len() / PAGE;
    let page = |chance: &mut Chance, first: usize| first + chance.below(pages - first);
    match chance.below(10) {
        // One place, smaller than half a page, so that it meets one copy of a record at most.
        0..3 => {
            let half = chance.below(journal.len() / (PAGE / 2)) * PAGE / 2;
            let start = half + chance.below(PAGE / 2);
            // What is used of the half pages of headers and records is their beginning.
            let start = if half < HEADS * PAGE { half + (start - half) % 128 } else { start };
            let end = start + 1 + chance.below(half + PAGE / 2 - start);
            match chance.below(3) {
                0 => journal[start] ^= 1 << chance.below(8),
                1 => journal[start..end].fill([0, 0xff][chance.below(2)]),
                _ => {
                    let bytes = chance.bytes(end - start);
                    journal[start..end].copy_from_slice(&bytes);
                }
            }
            (journal, true)
        }
        3 => {
            journal.truncate(chance.below(journal.len()));
            // Without a mark an empty journal is one that was never written: nothing tells it from that.
            (journal, wreck.mark.is_some())
        }
        4 => {
            let len = chance.below(100_000);
            journal.extend(chance.bytes(len));
            (journal, true)
        }
        5 => {
            let (one, other) = (page(chance, HEADS), page(chance, HEADS));
            for byte in 0..PAGE {
                journal.swap(one * PAGE + byte, other * PAGE + byte);
            }
            (journal, true)
        }
        // The rest is from another journal.
        6 => {
            let other = &others[chance.below(others.len())].journal_bytes;
            let start = chance.below(pages) * PAGE;
            journal.truncate(start);
            journal.extend(other.get(start..).unwrap_or_default());
            (journal, start >= HEADS * PAGE)
        }
        7 => {
            // Fields of the header, with the right checksum.
            for _ in 0..1 + chance.below(3) {
                let field = 8 + chance.below(14) * 8;
                let number = match chance.below(5) {
                    0 => chance.bits(),
                    1 => 1 << chance.below(64),
                    2 => u64::MAX - chance.bits() % 9000,
                    3 => chance.bits() % 9000,
                    _ => {
                        let old = journal[field..field + 8].try_into().unwrap();
                        u64::from_le_bytes(old).wrapping_add(chance.bits() % 5).wrapping_sub(2)
                    }
                };
                let end = (field + 8).min(124);
                journal[field..end].copy_from_slice(&number.to_le_bytes()[..end - field]);
            }
            let crc = crc32fast::hash(&journal[..124]).to_le_bytes();
            journal[124..128].copy_from_slice(&crc);
            journal.copy_within(0..128, 3 * PAGE);
            (journal, false)
        }
        8 => {
            for _ in 0..2 + chance.below(30) {
                let at = if chance.below(2) == 0 {
                    chance.below(HEADS * 2) * PAGE / 2 + chance.below(128)
                } else {
                    chance.below(journal.len())
                };
                journal[at] ^= 1 << chance.below(8);
            }
            (journal, false)
        }
        _ => {
            for _ in 0..1 + chance.below(4) {
                let (from, to) = (page(chance, 0), page(chance, 0));
                journal.copy_within(from * PAGE..(from + 1) * PAGE, to * PAGE);
            }
            (journal, false)
        }
    }
}

/// Recovers from a damaged journal and checks the file; whether it was refused.
fn check(wreck: &Wreck, withstands: bool) -> bool {
    let _ = status(&wreck.path);
    assert!(OpenOptions::new().read_only(true).open(&wreck.path).is_err(), "shown read-only");
    let outcome = recover(&wreck.path);
    let len = fs::metadata(&wreck.path).unwrap().len();
    let is = |contents: &[u8]| {
        // A forged length may be any.
        len == contents.len() as u64 && fs::read(&wreck.path).unwrap() == contents
    };
    match outcome {
        Ok(Recovery::Clean) => panic!("the journal was overlooked"),
        Ok(Recovery::RolledBack) if withstands => assert!(is(&wreck.old), "not the old contents"),
        Ok(Recovery::Completed) if withstands => assert!(is(&wreck.new), "not the new contents"),
        Ok(_) => {}
        // A forged journal that is carried out may fail in the middle, for want of space or sense.
        Err(Error::Io { .. } | Error::NoSpace { .. } | Error::SizeLimit { .. }) if !withstands => {}
        Err(error) => {
            assert!(is(&wreck.contents), "touched in spite of {error}");
            assert!(wreck.journal.exists(), "the journal is gone in spite of {error}");
            return true;
        }
    }
    false
}

/// What the child that is fuzzed does.
#[test]
fn fuzzed_process() {
    let Some(directory) = std::env::var_os("FUZZ_DIRECTORY").map(PathBuf::from) else { return };
    let seed = environment("BYTESPLICE_SEED", 1);
    let mut wrecks = Vec::new();
    for number in 0..8 {
        let all = (0..).map_while(|last| Wreck::new(&directory, seed * 8 + number, last));
        wrecks.extend(all);
    }
    assert!(wrecks.len() > 20, "{} broken commits", wrecks.len());
    let limit = rustix::process::Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    rustix::process::setrlimit(rustix::process::Resource::Data, limit).unwrap();

    let progress = File::create(directory.join("case")).unwrap();
    let until = Instant::now() + Duration::from_secs(environment("BYTESPLICE_FUZZ_SECONDS", 10));
    let (mut cases, mut withstood, mut refused) = (0, 0, 0);
    while Instant::now() < until {
        progress.write_all_at(format!("{cases:>20}").as_bytes(), 0).unwrap();
        let mut chance = Chance(seed.wrapping_mul(1 << 40).wrapping_add(cases));
        let wreck = &wrecks[chance.below(wrecks.len())];
        let (journal, withstands) = damage(wreck, &wrecks, &mut chance);
        wreck.restore(&journal);
        refused += u64::from(check(wreck, withstands));
        withstood += u64::from(withstands);
        cases += 1;
    }
    println!(
        "fuzzed journals: seed {seed}, {cases} of {} broken commits, {refused} refused, {} carried out; \
         {withstood} of a kind that must leave old or new",
        wrecks.len(),
        cases - refused
    );
    assert!(cases > 100 && refused > 0 && refused < cases);
}

#[test]
fn damaged_journals_do_no_harm() {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let directory = tempfile::tempdir_in(parent).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fuzzed_process", "--nocapture", "--test-threads=1"])
        .env("FUZZ_DIRECTORY", directory.path())
        .spawn()
        .unwrap();
    let case = || fs::read_to_string(directory.path().join("case")).unwrap_or_default();
    let (mut last, mut since) = (case(), Instant::now());
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        let now = case();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if !last.is_empty() && since.elapsed() > LONGEST_CASE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("seed {}, case {}: hangs", environment("BYTESPLICE_SEED", 1), last.trim());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let seed = environment("BYTESPLICE_SEED", 1);
    assert!(ended.success(), "seed {seed}, case {}: {ended}", case().trim());
}
