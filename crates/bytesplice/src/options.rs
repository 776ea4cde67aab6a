use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::Cancel;

/// Bytes added by edits that stay in memory unless [`OpenOptions::memory_limit`] says otherwise.
const MEMORY_LIMIT: u64 = 16 << 20;
/// Memory that undo steps may take unless [`OpenOptions::history_limit`] says otherwise.
const HISTORY_LIMIT: u64 = 64 << 20;

/// How to open a file: a builder for [`SpliceFile`](crate::SpliceFile).
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("new");
/// use bytesplice::{LockMode, OpenOptions};
///
/// let file = OpenOptions::new().create(true).lock(LockMode::Wait).memory_limit(1 << 20).open(&path)?;
/// assert!(file.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until `open` or `from_file`"]
pub struct OpenOptions {
    pub(crate) read_only: bool,
    pub(crate) create: bool,
    pub(crate) lock: LockMode,
    pub(crate) memory_limit: u64,
    pub(crate) history_limit: u64,
    pub(crate) temporary_directory: Option<PathBuf>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            read_only: false,
            create: false,
            lock: LockMode::default(),
            memory_limit: MEMORY_LIMIT,
            history_limit: HISTORY_LIMIT,
            temporary_directory: None,
        }
    }
}

impl OpenOptions {
    /// Open for reading and, where permitted, writing; create nothing; take the lock at once or fail; keep up to
    /// 16 MiB of added bytes in memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Open for reading only, with a lock that other readers can share. Edits can be made and read, not committed.
    pub fn read_only(self, read_only: bool) -> Self {
        Self { read_only, ..self }
    }

    /// Create an empty file where there is none. The file is there at once, before any commit. Together with
    /// [`read_only`](Self::read_only) nothing is created.
    pub fn create(self, create: bool) -> Self {
        Self { create, ..self }
    }

    /// What to do when another bytesplice, here or in another process, holds the file.
    pub fn lock(self, lock: LockMode) -> Self {
        Self { lock, ..self }
    }

    /// How many bytes added by edits may stay in memory. Those beyond it go to a temporary file without a name
    /// (and through a buffer of 16 KiB; small overwrites of them wait in up to a quarter of the limit). 16 MiB unless set.
    pub fn memory_limit(self, bytes: u64) -> Self {
        Self { memory_limit: bytes, ..self }
    }

    /// Where that temporary file goes, instead of the system's directory (`TMPDIR`, `/tmp`).
    pub fn temporary_directory(self, directory: impl Into<PathBuf>) -> Self {
        Self { temporary_directory: Some(directory.into()), ..self }
    }

    /// How many bytes of memory undo steps may take (an insertion about 50, an overwrite as many and the old bytes); the
    /// oldest beyond that are forgotten. Also how many bytes a commit may save, in memory or in that temporary file, for
    /// steps and snapshots that need what the file has no more. 64 MiB unless set; with 0 no edit can be undone.
    pub fn history_limit(self, bytes: u64) -> Self {
        Self { history_limit: bytes, ..self }
    }
}

/// When a file is locked against other bytesplices. Programs that take no lock are not kept out.
///
/// Writers exclude everybody, readers share. The lock is `flock` on an open file description of our own, and a
/// register of this process beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LockMode {
    /// From opening to dropping; fail with [`Error::Locked`](crate::Error::Locked) when others hold it.
    #[default]
    Try,
    /// From opening to dropping; wait for others to release it.
    Wait,
    /// Only while a commit runs. Several handles of one file can be open; a commit over contents that another
    /// changed meanwhile fails and changes nothing.
    None,
}

/// How to commit. The default: strategy by cost, wholly synced, no progress.
///
/// # Examples
/// ```
/// use bytesplice::{CommitOptions, Durability, Strategy};
/// let mut done = 0;
/// let mut count = |progress: bytesplice::Progress| done = progress.bytes_done;
/// let options = CommitOptions::new().strategy(Strategy::Journaled).progress(&mut count);
/// assert_eq!(options.durability, Durability::Synced);
/// ```
#[derive(Default)]
pub struct CommitOptions<'a> {
    /// How the new contents get into the file.
    pub strategy: Strategy,
    /// Whether the commit survives a power cut.
    pub durability: Durability,
    /// Called from time to time with what has been done.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
    /// Looked at from time to time: whether to stop.
    pub cancel: Option<&'a Cancel>,
    /// Whether the file may be shortened although other processes have it open for writing. A byte that one of them appends
    /// between the last look at the length and the shortening is lost then.
    pub allow_writers: bool,
}

impl<'a> CommitOptions<'a> {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how the new contents get into the file.
    #[must_use]
    pub fn strategy(self, strategy: Strategy) -> Self {
        Self { strategy, ..self }
    }

    /// Sets whether the commit survives a power cut.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Sets what is told of the progress.
    #[must_use]
    pub fn progress(self, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Sets what can stop the commit.
    #[must_use]
    pub fn cancel(self, cancel: &'a Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }

    /// Sets whether the file may be shortened although other processes have it open for writing, and may append to it at that
    /// very instant.
    #[must_use]
    pub fn allow_writers(self, allow_writers: bool) -> Self {
        Self { allow_writers, ..self }
    }
}

impl fmt::Debug for CommitOptions<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CommitOptions")
            .field("strategy", &self.strategy)
            .field("durability", &self.durability)
            .field("progress", &self.progress.is_some())
            .field("cancel", &self.cancel)
            .field("allow_writers", &self.allow_writers)
            .finish()
    }
}

/// How a commit gets the new contents into the file.
///
/// # Examples
/// ```
/// use bytesplice::Strategy;
/// assert_eq!("direct".parse(), Ok(Strategy::Direct));
/// assert_eq!(Strategy::Journaled.to_string(), "journaled");
/// assert!("fast".parse::<Strategy>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// The cheapest crash-safe one.
    #[default]
    Auto,
    /// In place, with a journal beside the file: crash-safe on every file system.
    Journaled,
    /// In place, with a journal that shares the blocks of the old contents (XFS, btrfs): every byte is written once at
    /// most.
    Snapshot,
    /// In place, shifting extents (ext4, XFS): whole blocks do not move at all, other bytes are written once.
    Extents,
    /// A new file beside the old one, which takes its name when it is complete: nobody ever sees the middle, not even
    /// others who read the file meanwhile. It has another inode, so that other hard links and open descriptors keep the
    /// old contents; mode, owner, access control lists and extended attributes are kept, or nothing is changed.
    Replace,
    /// In place, without a journal, and one fsync at the end. A crash leaves neither old nor new contents.
    Direct,
}

impl fmt::Display for Strategy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Auto => "auto",
            Self::Journaled => "journaled",
            Self::Snapshot => "snapshot",
            Self::Extents => "extents",
            Self::Replace => "replace",
            Self::Direct => "direct",
        })
    }
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        match name {
            "auto" => Ok(Self::Auto),
            "journaled" => Ok(Self::Journaled),
            "snapshot" => Ok(Self::Snapshot),
            "extents" => Ok(Self::Extents),
            "replace" => Ok(Self::Replace),
            "direct" => Ok(Self::Direct),
            _ => Err(UnknownStrategy { name: name.to_owned() }),
        }
    }
}

/// No [`Strategy`] has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no strategy {name:?}: use auto, journaled, snapshot, extents, replace or direct")]
pub struct UnknownStrategy {
    /// The name asked for.
    pub name: String,
}

/// Whether a commit survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Durability {
    /// When the commit returns, the new contents are on the disk.
    #[default]
    Synced,
    /// No fsync: a power cut may leave neither old nor new contents.
    Unsynced,
}

/// How far a commit or a search got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Progress {
    /// Bytes written or searched so far.
    pub bytes_done: u64,
    /// Bytes to write or search in all.
    pub bytes_total: u64,
}
