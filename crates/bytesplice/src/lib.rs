//! A memory-mapped file that you can splice: insert, remove and replace bytes in the middle, at any size.
//!
//! A [`SpliceFile`] shows the bytes of a file and takes edits of any length anywhere. Edits go into a tree of pieces
//! over the mapped original: each costs O(log n), and nothing is moved. [`SpliceFile::commit`] then brings the file
//! itself to the new contents: one pass for all edits, same inode, and crash-safe. Nothing reaches the file before;
//! dropping the handle discards the edits.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("data");
//! use bytesplice::{Content, SpliceFile};
//!
//! std::fs::write(&path, "0000111122223333444455556666777788889999")?;
//! let mut file = SpliceFile::open(&path)?;
//! file.remove(4..8)?;
//! file.insert(4, "AAAA")?;
//! file.replace(10..20, "text of any length")?;
//! file.splice(.., Content::copy(..20))?; // keep the first 20 bytes only
//! file.commit()?;
//! assert_eq!(std::fs::read(&path)?, b"0000AAAA22text of an");
//! # Ok(())
//! # }
//! ```
//!
//! # What is guaranteed
//! With every strategy but [`Strategy::Direct`], and unless [`Durability::Unsynced`] is asked for: after a kill, a power
//! cut, a full disk or a failed write at any moment the file is wholly old or wholly new, as soon as it is opened by
//! this library again ([`recover`] does the same); if the commit had returned, new. Whoever reads the file by other
//! means while a commit runs may see the middle of it.
//!
//! All offsets and lengths are bytes, all ranges half-open. Errors name the file, the offset and the length, and
//! [`Error::file_state`] says what the file holds.
#![warn(missing_docs)]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "bytesplice supports Linux (and macOS by construction): its crash safety needs flock, pread/pwrite, \
     fsync of directories and descriptors that can be reopened"
);

mod backup;
mod buffer;
mod cancel;
mod commit;
mod content;
mod contents;
mod diff;
mod error;
mod file;
mod forget;
mod gather;
mod history;
mod identity;
mod lines;
mod lock;
mod name;
mod open;
mod options;
mod overwrite;
mod owner;
mod parts;
mod pieces;
mod range;
mod read;
mod reader;
mod rearrange;
mod recovery;
mod regular;
mod script;
mod search;
#[cfg(feature = "simulation")]
pub mod simulation;
mod source;
mod status;
mod storage;
mod support;
mod threads;
mod vcdiff;
mod view;
mod work_options;

pub use backup::Backup;
pub use cancel::Cancel;
pub use commit::{ChosenStrategy, CommitPlan, Recovery, StrategyCost};
pub use content::Content;
pub use contents::Contents;
pub use diff::{Difference, diff};
pub use error::{Error, FileState, Mismatch, Result};
pub use file::SpliceFile;
pub use forget::{ForgetOptions, Forgotten, SetAside, forget, forget_with};
pub use history::HistoryUsage;
pub use lock::LockKind;
pub use options::{
    CommitOptions, Durability, LockMode, OpenOptions, Progress, Strategy, UnknownStrategy,
};
pub use owner::Kept;
pub use parts::{Origin, Part};
pub use reader::{Chunks, Reader};
pub use recovery::{RecoverOptions, abort, recover, recover_with};
pub use script::{
    Checks, Offsets, OldBytes, Script, ScriptContent, ScriptEdit, ScriptHeader, ScriptProblem,
    ScriptWriter, compose, invert,
};
pub use search::{
    Match, Matches, Pattern, PatternError, Replacement, ReverseMatches, SearchOptions,
};
pub use source::Original;
pub use status::{CommitLengths, JournalStatus, Status, status};
pub use support::{Support, support};
pub use vcdiff::{Vcdiff, VcdiffProblem, VcdiffWriter};
pub use view::View;
pub use work_options::WorkOptions;
