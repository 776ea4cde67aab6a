//! Files, edits and commits as the crash tests make them, and what must be there afterwards: computed on plain
//! vectors, never by the library.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytesplice::{
    CommitOptions, Content, Durability, Error, JournalStatus, SpliceFile, Strategy, status,
};

use crate::chance::Chance;

/// Size of the blocks of most file systems, in bytes.
pub const BLOCK: usize = 4096;

/// All crash-safe strategies by name, those included that this library may not have.
pub const STRATEGIES: [&str; 5] = ["journaled", "snapshot", "extents", "replace", "auto"];

/// The strategy of this name, or why there is none.
pub fn strategy(name: &str) -> Result<Strategy, String> {
    name.parse().map_err(|error: bytesplice::UnknownStrategy| error.to_string())
}

/// Whether the library says that this strategy cannot be had here.
pub fn is_refused(error: &Error) -> bool {
    // By its name: not every library that these tests can be built with has it.
    format!("{error:?}").starts_with("StrategyUnsupported")
}

/// One edit of a file.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Bytes in the place of a range.
    Replace(Range<usize>, Vec<u8>),
    /// A range, copied before an offset.
    Copy(Range<usize>, usize),
}

/// Edits one after the other, each in the offsets that the one before left.
#[derive(Debug, Clone)]
pub struct Edits(Vec<Edit>);

impl Edits {
    /// Up to six edits for a file of `len` bytes, some of whole blocks.
    pub fn random(chance: &mut Chance, mut len: usize) -> Self {
        let mut edits = Vec::new();
        // A single edit of whole blocks is what extents can be shifted for.
        let count = 1 + chance.below(6);
        let only_blocks = chance.one_in(3);
        for _ in 0..count {
            let whole = only_blocks || chance.one_in(4);
            let unit = if whole { BLOCK } else { 1 };
            let at = chance.below((len / unit) as u64 + 1) as usize * unit;
            let most = if chance.one_in(4) { 40_000 } else { 3 * BLOCK };
            let size = (chance.below(most as u64) as usize).next_multiple_of(unit);
            let end = (at + size).min(if whole { len / BLOCK * BLOCK } else { len }).max(at);
            let edit = match chance.below(10) {
                0..4 => Edit::Replace(at..at, chance.bytes(size)),
                4..7 => Edit::Replace(at..end, Vec::new()),
                7 => Edit::Replace(at..end, chance.bytes(end - at)),
                8 => Edit::Replace(at..end, chance.bytes(size)),
                _ => {
                    let to = chance.below((len / unit) as u64 + 1) as usize * unit;
                    Edit::Copy(at..end, to)
                }
            };
            len = match &edit {
                Edit::Replace(range, bytes) => len - range.len() + bytes.len(),
                Edit::Copy(range, _) => len + range.len(),
            };
            edits.push(edit);
        }
        Self(edits)
    }

    /// A single edit.
    pub fn one(edit: Edit) -> Self {
        Self(vec![edit])
    }

    /// These edits, one after the other.
    pub fn several(edits: Vec<Edit>) -> Self {
        Self(edits)
    }

    /// The edits, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }

    /// Edits a vector.
    pub fn apply(&self, contents: &mut Vec<u8>) {
        for edit in &self.0 {
            match edit {
                Edit::Replace(range, bytes) => {
                    contents.splice(range.clone(), bytes.iter().copied());
                }
                Edit::Copy(range, to) => {
                    let bytes = contents[range.clone()].to_vec();
                    contents.splice(to..to, bytes);
                }
            }
        }
    }

    /// Edits a file, up to its commit.
    pub fn open(&self, path: &Path) -> bytesplice::Result<SpliceFile> {
        let mut file = SpliceFile::open(path)?;
        for edit in &self.0 {
            match edit {
                Edit::Replace(range, bytes) => {
                    file.replace(range.start as u64..range.end as u64, bytes)?;
                }
                Edit::Copy(range, to) => {
                    let range = range.start as u64..range.end as u64;
                    file.splice(*to as u64..*to as u64, Content::copy(range))?;
                }
            }
        }
        Ok(file)
    }
}

/// Commits by a strategy.
pub fn commit(
    file: &mut SpliceFile,
    strategy: Strategy,
    durability: Durability,
) -> bytesplice::Result<()> {
    file.commit_with(CommitOptions::new().strategy(strategy).durability(durability))
}

/// The phase of a commit that is not under way, or is finished.
pub const NO_JOURNAL: &str = "no journal: before or after";

/// The phase of a commit that has a journal and no record.
pub const PREPARED: &str = "before the commit point";

/// The phase of a commit whose steps are being carried out.
pub const COMMITTING: &str = "after the commit point";

/// How far a commit of this file got, by its journal.
pub fn phase(path: &Path) -> Result<&'static str, String> {
    Ok(match status(path).map_err(|error| error.to_string())?.journal {
        JournalStatus::None => NO_JOURNAL,
        JournalStatus::Prepared { .. } => PREPARED,
        JournalStatus::Committing { .. } => COMMITTING,
        JournalStatus::Finishing { .. } => "after the last step",
        JournalStatus::Unusable { detail, .. } => return Err(detail),
    })
}

/// Contents of `len` bytes; with `holes`, some runs of whole blocks are zeros.
pub fn contents(chance: &mut Chance, len: usize, holes: bool) -> Vec<u8> {
    let mut contents = chance.bytes(len);
    if holes {
        for _ in 0..1 + chance.below(5) {
            let start = chance.below((len / BLOCK) as u64) as usize * BLOCK;
            let end = (start + (1 + chance.below(8) as usize) * BLOCK).min(len);
            contents[start..end].fill(0);
        }
    }
    contents
}

/// Writes a file, durably. Blocks of zeros become holes.
pub fn write_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let file = File::create(path)?;
    file.set_len(contents.len() as u64)?;
    for (index, block) in contents.chunks(BLOCK).enumerate() {
        if block.iter().any(|&byte| byte != 0) {
            file.write_all_at(block, (index * BLOCK) as u64)?;
        }
    }
    file.sync_all()?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Says how contents differ from what they should be, without printing them.
pub fn difference(is: &[u8], should: &[u8]) -> String {
    let at = is.iter().zip(should).position(|(is, should)| is != should);
    let differing = is.iter().zip(should).filter(|(is, should)| is != should).count();
    match at {
        Some(at) => format!(
            "{} bytes instead of {}, {differing} differ, first at {at}",
            is.len(),
            should.len()
        ),
        None => format!("{} bytes instead of {}, the others equal", is.len(), should.len()),
    }
}
