//! The commits that faults are injected into: a file, edits of it, and the command that makes them.

use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use crate::chance::Chance;
use crate::file_system::FileSystem;
use crate::workload::{self, BLOCK, Edit, Edits};

use FileSystem::{Btrfs, Ext4, Xfs};

/// The bytes that a command saves while it removes them.
pub const REMOVED: Range<usize> = 20_000..50_001;

const ALL: &[FileSystem] = &[Ext4, Xfs, Btrfs];
const SHIFTING: &[FileSystem] = &[Ext4, Xfs];
const SHARING: &[FileSystem] = &[Xfs, Btrfs];

/// A kind of commit.
pub struct Scenario {
    /// The name in cases.
    pub name: &'static str,
    /// The strategy, as on the command line.
    pub strategy: &'static str,
    /// The file systems that have the strategy.
    pub places: &'static [FileSystem],
    /// How often the scenario is chosen, compared with others. Large files are chosen less often.
    pub weight: u64,
    /// Calls that an undisturbed commit makes. Without them the scenario tests something else than
    /// it says.
    pub makes: &'static [&'static str],
    work: fn(&mut Chance) -> Work,
}

/// A commit with its bytes.
pub struct Work {
    /// The contents before.
    pub old: Vec<u8>,
    /// The contents after, by the plain model.
    pub new: Vec<u8>,
    /// What is done to them, for the plain model.
    edits: Edits,
    /// The words of the command line that do the same. `FILE` is the file, `BESIDE` the file that
    /// the command leaves beside it, `INPUT` the new bytes or the script.
    pub words: Vec<String>,
    /// The new bytes or the script.
    pub input: Vec<u8>,
    /// The name of the file.
    pub name: String,
    /// What the command leaves beside the file.
    pub beside: Option<Beside>,
}

/// What a command leaves beside the file that it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// The script that takes the change back, under the name `undo`.
    UndoScript,
    /// The old file, under its name and `~`.
    Backup,
    /// The bytes that were removed, under the name `saved`.
    Saved,
}

impl Beside {
    /// The name that it has beside a file.
    pub fn name(self, file: &str) -> String {
        match self {
            Self::UndoScript => "undo".to_owned(),
            Self::Backup => format!("{file}~"),
            Self::Saved => "saved".to_owned(),
        }
    }
}

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
        found.ok_or_else(|| format!("there is no scenario `{name}`"))
    }

    /// The bytes of the commit that a seed makes.
    pub fn work(&self, seed: u64) -> Work {
        let own =
            self.name.bytes().fold(0, |own: u64, byte| own.wrapping_mul(31) + u64::from(byte));
        let mut work = (self.work)(&mut Chance::new(seed ^ own));
        work.new = work.old.clone();
        work.edits.apply(&mut work.new);
        work
    }

    /// Whether the commit keeps the old contents until it has the new ones.
    pub fn is_crash_safe(&self) -> bool {
        self.strategy != "direct"
    }
}

impl Work {
    fn new(old: Vec<u8>, edits: Vec<Edit>, words: &str, input: Vec<u8>) -> Self {
        Self {
            old,
            new: Vec::new(),
            edits: Edits::several(edits),
            words: words.split(' ').map(str::to_owned).collect(),
            input,
            name: "data".to_owned(),
            beside: None,
        }
    }

    /// Edits by a script.
    fn script(old: Vec<u8>, edits: Edits) -> Self {
        let input = script(&edits).into_bytes();
        Self { edits, ..Self::new(old, Vec::new(), "apply FILE INPUT", input) }
    }

    /// Bytes inserted at an offset.
    fn insertion(chance: &mut Chance, len: usize, at: usize, inserted: usize) -> Self {
        let (old, bytes) = (chance.bytes(len), chance.bytes(inserted));
        let words = format!("insert FILE {at} --from INPUT");
        Self::new(old, vec![Edit::Replace(at..at, bytes.clone())], &words, bytes)
    }

    fn with_words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// The words of the command line.
    pub fn command(&self, file: &Path, input: &Path) -> Vec<String> {
        let word = |word: &String| match (word.as_str(), self.beside) {
            ("FILE", _) => file.to_string_lossy().into_owned(),
            ("INPUT", _) => input.to_string_lossy().into_owned(),
            ("BESIDE", Some(beside)) => {
                let path = file.with_file_name(beside.name(&self.name));
                path.to_string_lossy().into_owned()
            }
            _ => word.clone(),
        };
        self.words.iter().map(word).collect()
    }
}

/// An edit script with offsets in the contents that the edits before left.
fn script(edits: &Edits) -> String {
    let mut script = "{\"bytesplice\":1,\"offsets\":\"sequence\"}\n".to_owned();
    for edit in edits.iter() {
        match edit {
            Edit::Replace(range, bytes) if bytes.is_empty() => {
                let _ = writeln!(script, "{{\"remove\":[{},{}]}}", range.start, range.end);
            }
            Edit::Replace(range, bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let _ = writeln!(
                    script,
                    "{{\"replace\":[{},{}],\"hex\":\"{hex}\"}}",
                    range.start, range.end
                );
            }
            Edit::Copy(range, to) => {
                let _ = writeln!(
                    script,
                    "{{\"insert\":{to},\"copy\":[{},{}]}}",
                    range.start, range.end
                );
            }
        }
    }
    script
}

/// Twelve small edits, far from each other.
fn scattered(chance: &mut Chance, len: usize) -> Edits {
    const COUNT: usize = 12;
    let mut edits = Vec::new();
    // From the end on, so that no edit moves the place of another.
    for number in (0..COUNT).rev() {
        let at = number * (len / COUNT) + chance.below(3000) as usize;
        let end = at + chance.below(900) as usize;
        let inserted = 1 + chance.below(900) as usize;
        edits.push(match chance.below(3) {
            0 => Edit::Replace(at..at, chance.bytes(inserted)),
            1 => Edit::Replace(at..end, Vec::new()),
            _ => Edit::Replace(at..end, chance.bytes(inserted)),
        });
    }
    Edits::several(edits)
}

/// The halves of a file change places, and a part of it stays where it was.
fn swapped(len: usize) -> Vec<Edit> {
    let half = len / 2;
    vec![Edit::Copy(0..half, len), Edit::Replace(0..half, Vec::new())]
}

const fn scenario(
    name: &'static str,
    strategy: &'static str,
    places: &'static [FileSystem],
    makes: &'static [&'static str],
    work: fn(&mut Chance) -> Work,
) -> Scenario {
    Scenario { name, strategy, places, weight: 12, makes, work }
}

/// All of them.
pub static SCENARIOS: &[Scenario] = &[
    scenario("insert", "journaled", ALL, &[], |chance| Work::insertion(chance, 300_000, 10, 1000)),
    scenario("remove", "journaled", ALL, &["ftruncate"], |chance| {
        let gone = 5000..17_345;
        let words = "remove FILE 5000..17345";
        let edits = vec![Edit::Replace(gone, Vec::new())];
        Work::new(chance.bytes(300_000), edits, words, Vec::new())
    }),
    scenario("scattered", "journaled", ALL, &[], |chance| {
        let old = chance.bytes(400_000);
        Work::script(old, scattered(chance, 400_000))
    }),
    scenario("overwrite", "journaled", ALL, &[], |chance| {
        let (old, bytes) = (chance.bytes(200_000), chance.bytes(30_000));
        let edits = vec![Edit::Replace(70_001..100_001, bytes.clone())];
        Work::new(old, edits, "replace FILE 70001..100001 --from INPUT", bytes)
    }),
    scenario("append", "journaled", ALL, &[], |chance| {
        let (old, bytes) = (chance.bytes(150_001), chance.bytes(50_000));
        let edits = vec![Edit::Replace(150_001..150_001, bytes.clone())];
        Work::new(old, edits, "append FILE --from INPUT", bytes)
    }),
    scenario("truncate", "journaled", ALL, &["ftruncate"], |chance| {
        let edits = vec![Edit::Replace(100_001..250_000, Vec::new())];
        Work::new(chance.bytes(250_000), edits, "truncate FILE 100001", Vec::new())
    }),
    Scenario {
        weight: 1,
        // Steps of 16 MiB: two of them run ahead of the disk.
        ..scenario("steps", "journaled", ALL, &["clone3"], |chance| {
            Work::insertion(chance, 40 << 20, 10, 1000)
        })
    },
    scenario("move", "journaled", ALL, &[], |chance| {
        let old = chance.bytes(200_000);
        let edits =
            vec![Edit::Copy(20_000..90_000, 150_000), Edit::Replace(20_000..90_000, Vec::new())];
        Work::new(old, edits, "move FILE 20000..90000 150000", Vec::new())
    }),
    scenario("copy", "journaled", ALL, &[], |chance| {
        let edits = vec![Edit::Copy(20_000..90_000, 7000)];
        Work::new(chance.bytes(200_000), edits, "copy FILE 20000..90000 7000", Vec::new())
    }),
    scenario("swap", "journaled", ALL, &[], |chance| {
        Work::script(chance.bytes(200_000), Edits::several(swapped(200_000)))
    }),
    scenario("sparse", "journaled", ALL, &["lseek DATA"], |chance| {
        let mut work = Work::insertion(chance, 400_000, 10 * BLOCK, 3 * BLOCK);
        work.old = workload::contents(chance, 400_000, true);
        work
    }),
    scenario("long-name", "journaled", ALL, &[], |chance| {
        let name = "n".repeat(255);
        Work { name, ..Work::insertion(chance, 100_000, 10, 1000) }
    }),
    scenario("no-sync", "journaled", ALL, &[], |chance| {
        Work::insertion(chance, 300_000, 10, 1000).with_words(&["--no-sync"])
    }),
    scenario("undo-script", "journaled", ALL, &[], |chance| {
        let mut work = Work::insertion(chance, 100_000, 10, 1000);
        work.beside = Some(Beside::UndoScript);
        work.with_words(&["--undo-script", "BESIDE"])
    }),
    scenario("backup", "auto", ALL, &[], |chance| {
        let mut work = Work::insertion(chance, 100_000, 10, 1000);
        work.beside = Some(Beside::Backup);
        work.with_words(&["--backup"])
    }),
    scenario("save", "auto", ALL, &[], |chance| {
        let edits = vec![Edit::Replace(REMOVED, Vec::new())];
        let words = format!("remove FILE {}..{}", REMOVED.start, REMOVED.end);
        let mut work = Work::new(chance.bytes(100_000), edits, &words, Vec::new());
        work.beside = Some(Beside::Saved);
        work.with_words(&["--save", "BESIDE"])
    }),
    scenario("snapshot", "snapshot", SHARING, &["ioctl FICLONERANGE"], |chance| {
        Work::insertion(chance, 1_000_000, 10, 1000)
    }),
    scenario("snapshot-scattered", "snapshot", SHARING, &["ioctl FICLONERANGE"], |chance| {
        let old = chance.bytes(400_000);
        Work::script(old, scattered(chance, 400_000))
    }),
    scenario("shift-insert", "extents", SHIFTING, &["fallocate INSERT_RANGE"], |chance| {
        Work::insertion(chance, 700_123, 25 * BLOCK, 10 * BLOCK)
    }),
    scenario("shift-remove", "extents", SHIFTING, &["fallocate COLLAPSE_RANGE"], |chance| {
        let (from, to) = (25 * BLOCK, 60 * BLOCK);
        let edits = vec![Edit::Replace(from..to, Vec::new())];
        let words = format!("remove FILE {from}..{to}");
        Work::new(chance.bytes(700_123), edits, &words, Vec::new())
    }),
    scenario("shift-sparse", "extents", SHIFTING, &["fallocate INSERT_RANGE"], |chance| {
        let mut work = Work::insertion(chance, 700_123, 25 * BLOCK, 10 * BLOCK);
        work.old = workload::contents(chance, 700_123, true);
        // The map of data and holes is looked at between two blocks of data.
        work.old[24 * BLOCK..26 * BLOCK].copy_from_slice(&chance.bytes(2 * BLOCK));
        work
    }),
    scenario("hop", "extents", SHIFTING, &["fallocate COLLAPSE_RANGE"], |chance| {
        Work::insertion(chance, 500_000, 10, 1000)
    }),
    Scenario {
        weight: 1,
        // Its steps run ahead of the disk as well.
        ..scenario("hop-steps", "extents", SHIFTING, &["fallocate COLLAPSE_RANGE"], |chance| {
            Work::insertion(chance, 40 << 20, 10, 1000)
        })
    },
    scenario("replace", "replace", ALL, &["renameat"], |chance| {
        Work::insertion(chance, 300_000, 10, 1000)
    }),
    scenario("replace-sparse", "replace", ALL, &["renameat"], |chance| {
        let mut work = Work::insertion(chance, 400_000, 10 * BLOCK, 3 * BLOCK);
        work.old = workload::contents(chance, 400_000, true);
        work
    }),
    scenario("replace-long-name", "replace", ALL, &["renameat"], |chance| {
        let name = "n".repeat(255);
        Work { name, ..Work::insertion(chance, 100_000, 10, 1000) }
    }),
    scenario("direct-insert", "direct", ALL, &[], |chance| {
        Work::insertion(chance, 300_000, 10, 1000)
    }),
    scenario("direct-remove", "direct", ALL, &["ftruncate"], |chance| {
        let edits = vec![Edit::Replace(5000..17_345, Vec::new())];
        Work::new(chance.bytes(300_000), edits, "remove FILE 5000..17345", Vec::new())
    }),
    scenario("direct-swap", "direct", ALL, &[], |chance| {
        Work::script(chance.bytes(200_000), Edits::several(swapped(200_000)))
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain model is compared with numbers that are written down, so that a wrong model does
    /// not agree with a wrong program.
    #[test]
    fn the_model_does_what_the_commands_say() {
        for (name, len) in [
            ("insert", 301_000),
            ("remove", 287_655),
            ("overwrite", 200_000),
            ("append", 200_001),
            ("truncate", 100_001),
            ("move", 200_000),
            ("copy", 270_000),
            ("swap", 200_000),
        ] {
            let work = Scenario::named(name).unwrap().work(1);
            assert_eq!(work.new.len(), len, "{name}");
            assert_ne!(work.new, work.old, "{name}");
        }
        let work = Scenario::named("swap").unwrap().work(1);
        let (first, second) = work.old.split_at(100_000);
        assert_eq!(work.new, [second, first].concat());
    }

    #[test]
    fn a_seed_repeats_the_bytes() {
        for scenario in SCENARIOS {
            let (one, same, other) = (scenario.work(1), scenario.work(1), scenario.work(2));
            assert_eq!((&one.old, &one.new), (&same.old, &same.new));
            assert_ne!(one.old, other.old, "{}", scenario.name);
        }
    }
}
