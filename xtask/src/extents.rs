//! Files of more than ten thousand extents, with and without holes, and edits for which that many are shifted.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Instant;

use bytesplice::JournalStatus;
use rustix::fs::FallocateFlags;

use crate::chance::Chance;
use crate::file_system::FileSystem;
use crate::program::run;
use crate::workload::{BLOCK, Edit, Edits};

/// What lies beside a fragmented file, and keeps its extents apart.
pub const BALLAST: &str = "ballast";

/// Fewer are not worth the trial.
pub const EXTENTS: u64 = 10_000;

/// Blocks of a file. A hop shifts those behind the edit and its gap, which may be of 8192 blocks.
const BLOCKS: u64 = 19_500;

/// In the first of them lies the edit.
const FRONT: u64 = 500;

/// Edits begin in blocks whose number is a multiple of this. They and the next are no holes.
const SPACING: u64 = 8;

/// Contents of a file; with `holes`, many short runs of blocks are zeros.
pub fn contents(chance: &mut Chance, holes: bool) -> Vec<u8> {
    // Shorter than a block as well, so that the end is not aligned.
    let end = chance.below(BLOCK as u64) as usize;
    let mut contents = chance.bytes(BLOCKS as usize * BLOCK + end);
    if holes {
        for _ in 0..300 {
            let first = chance.below(BLOCKS / SPACING) * SPACING + 2 + chance.below(4);
            let count = 1 + chance.below(3);
            contents[first as usize * BLOCK..(first + count) as usize * BLOCK].fill(0);
        }
    }
    contents
}

/// Where there are such files: on which file systems, and whether with holes.
pub const PLACES: [(FileSystem, bool); 4] = [
    (FileSystem::Ext4, false),
    (FileSystem::Ext4, true),
    (FileSystem::Xfs, false),
    (FileSystem::Xfs, true),
];

/// Such a place, for reports.
pub fn place(kind: FileSystem, holes: bool) -> String {
    format!("{kind} {} holes", if holes { "with" } else { "without" })
}

/// Writes a file of which every block is an extent of its own: space for it is taken by turns with another file. Blocks
/// of zeros become holes. Gives the number of extents.
pub fn write_file(path: &Path, contents: &[u8]) -> Result<u64, String> {
    write_fragmented(path, contents)
        .map_err(|error| format!("cannot make a fragmented file: {error}"))?;
    let told = run("filefrag", &[&path.to_string_lossy()])?;
    let extents = told.split(' ').rev().nth(2).and_then(|number| number.parse().ok());
    extents.ok_or_else(|| format!("filefrag says: {told}"))
}

fn write_fragmented(path: &Path, contents: &[u8]) -> io::Result<()> {
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

/// For what extents are shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Whole blocks are inserted: an opening INSERT_RANGE.
    Insertion,
    /// Whole blocks are removed: an opening COLLAPSE_RANGE.
    Removal,
    /// Bytes are inserted: everything behind them hops over a gap, and a COLLAPSE_RANGE closes it.
    Hop,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Insertion, Self::Removal, Self::Hop];

    /// A name for a child process and for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insertion => "insertion",
            Self::Removal => "removal",
            Self::Hop => "hop",
        }
    }

    /// The shape of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// An edit near the front of a file: range and number of new bytes.
    fn edit(self, chance: &mut Chance) -> (std::ops::Range<usize>, usize) {
        let at = (chance.below(FRONT / SPACING) * SPACING) as usize * BLOCK;
        let blocks = (1 + chance.below(64)) as usize * BLOCK;
        match self {
            Self::Insertion => (at..at, blocks),
            Self::Removal => (at..at + blocks, 0),
            Self::Hop => {
                let within = chance.below(BLOCK as u64 / 2) as usize;
                (at + within..at + within, 1 + chance.below(BLOCK as u64 / 2) as usize)
            }
        }
    }

    /// The edit of a seed.
    pub fn edits(self, seed: u64) -> Edits {
        let mut chance = Chance::new(seed);
        let (range, count) = self.edit(&mut chance);
        Edits::one(Edit::Replace(range, chance.bytes(count)))
    }

    /// Waits until the shift of a commit that is under way is the next thing to do, or until `end`; whether it is.
    pub fn comes(self, path: &Path, end: Instant) -> bool {
        while !self.is_under_way(path) {
            if Instant::now() >= end {
                return false;
            }
        }
        true
    }

    /// Waits until the shift of a commit that is under way begins, or until `end`; whether it did. When it comes next,
    /// `slow_down` is called: it may be over in a tenth of a millisecond.
    pub fn begins(self, path: &Path, end: Instant, slow_down: impl FnOnce()) -> bool {
        if !self.comes(path, end) {
            return false;
        }
        // The step is seen before its record is durable, and only then it begins: with a longer file, or with a hole.
        let room = || path.metadata().map(|file| (file.len(), file.blocks())).ok();
        let before = room();
        slow_down();
        while (0..1000).all(|_| room() == before) && self.is_under_way(path) {}
        true
    }

    /// Whether the commit is at the step that shifts: the first one, or the last one of a hop.
    pub fn is_under_way(self, path: &Path) -> bool {
        match bytesplice::status(path).map(|status| status.journal) {
            Ok(JournalStatus::Committing { step, steps, .. }) => {
                step == if self == Self::Hop { steps - 1 } else { 0 }
            }
            _ => false,
        }
    }

    /// Whether a file that a commit past its commit point left is in the middle of the shift: some extents have moved,
    /// or a hole has been punched for them, but not all are in their places. `seed` is that of the edit.
    pub fn is_cut_short(self, seed: u64, old: &[u8], new: &[u8], now: &[u8]) -> bool {
        let (range, count) = self.edit(&mut Chance::new(seed));
        let same = |one: &[u8], other: &[u8], at: usize| {
            one.get(at..at + BLOCK).is_some_and(|block| other.get(at..at + BLOCK) == Some(block))
        };
        match self {
            // The first block behind the edit is the last one to move.
            Self::Insertion => now.len() > old.len() && same(now, old, range.start),
            // The length is set last.
            Self::Removal => now.len() == old.len() && now != old,
            // The gap holds old bytes until it is punched out; the length is set last.
            Self::Hop => {
                let first = (range.start + count).next_multiple_of(BLOCK);
                now.len() > new.len() && !same(now, old, first)
            }
        }
    }
}
