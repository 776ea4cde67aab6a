use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, access};

use crate::commit::plan::Geometry;
use crate::storage::capabilities::{self, Capabilities};
use crate::storage::mark::{self, FileMark};
use crate::storage::mount::{self, MOUNTED_ALONE};
use crate::storage::replacement::holes;
use crate::{Error, FileState, Result, Strategy, regular};

/// What a file takes on the disk, what its file system does, and which strategies can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Support {
    /// Bytes that the file takes on the disk, as the file system counts them: less than its length where it has holes or is
    /// compressed.
    pub allocated: u64,
    /// Whether the file has a hole, which takes no room and reads as zeros.
    pub has_holes: bool,
    /// Bytes that are free for this user on the file system.
    pub free_space: u64,
    /// Whether files can share blocks there (`FICLONE`); none if that could not be tried.
    pub shares_blocks: Option<bool>,
    /// Whether extents can be shifted there (`INSERT_RANGE`, `COLLAPSE_RANGE`); none if that could not be tried.
    pub shifts_extents: Option<bool>,
    /// Whether files can carry the mark by which a journal is found after a rename (`user.` attributes).
    pub marks_files: bool,
    /// Whether the file lies on overlayfs, as in a container. If it is still in a lower layer, the first opening for writing copies
    /// the whole file to the upper layer: that takes as much time and disk space as the file is long, the file gets a new inode,
    /// and its other hard links keep the old contents.
    pub copies_up: bool,
    /// All strategies but [`Strategy::Auto`], each with the reason why it cannot be had, if it cannot. What depends on the
    /// edit, such as room on the disk, only [`plan`](crate::SpliceFile::plan) knows.
    pub strategies: Vec<(Strategy, Option<String>)>,
}

/// Looks at what can be done with a file, without opening it for edits: it may be locked or need recovery. O(1). What the file
/// system does is tried on an anonymous temporary file in the same directory.
///
/// # Errors
/// [`Error::Open`], [`Error::NotRegular`], [`Error::Io`].
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// use bytesplice::Strategy;
///
/// std::fs::write(&path, "whole")?;
/// let support = bytesplice::support(&path)?;
/// assert!(!support.has_holes);
/// assert!(support.strategies.contains(&(Strategy::Journaled, None)));
/// # Ok(())
/// # }
/// ```
pub fn support(path: impl AsRef<Path>) -> Result<Support> {
    let given = path.as_ref();
    let path = std::fs::canonicalize(given)
        .map_err(|source| Error::Open { path: given.into(), source })?;
    let opened = regular::look(&path, given)?;
    let failed = |operation| {
        let path = path.clone();
        move |source| {
            let (offset, len, state) = (0, 0, FileState::Unchanged);
            Error::Io { path, operation, offset, len, source, state }
        }
    };
    let directory = path.parent().unwrap_or(Path::new("/"));
    let capabilities = Capabilities::of(directory, Geometry::REAL.block);
    let len = opened.metadata.len();
    let data = holes::data_after(&opened.file, 0).map_err(failed("look for holes in the file"))?;
    let has_holes = data.map_or(len > 0, |data| data.start > 0 || data.end < len);
    let free_space = capabilities::free_space(&opened.file)
        .map_err(failed("ask for the free space of the file system"))?;
    let file = Arc::new(opened.file);
    let mark = mark::read(&file).map_err(failed("read the mark of the file"))?;
    // A directory that cannot be read cannot be synced.
    let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    let writable_directory = access(directory, wanted).is_ok();
    let mounted_alone = mount::is_mounted_alone(&file);
    let refusal = |strategy| {
        if opened.read_only {
            return Some("the file cannot be written".into());
        }
        if strategy != Strategy::Direct && !writable_directory {
            return Some("nothing can be written beside the file".into());
        }
        if strategy != Strategy::Direct && mounted_alone {
            return Some(MOUNTED_ALONE.into());
        }
        match &capabilities {
            Ok(capabilities) => capabilities.refusal(strategy).map(Into::into),
            Err(error) if matches!(strategy, Strategy::Snapshot | Strategy::Extents) => {
                Some(error.clone())
            }
            Err(_) => None,
        }
    };
    Ok(Support {
        allocated: opened.metadata.blocks() * 512,
        has_holes,
        free_space,
        shares_blocks: capabilities.as_ref().ok().map(|it| it.shares),
        shifts_extents: capabilities.as_ref().ok().map(|it| it.shifts),
        marks_files: mark != FileMark::Unsupported,
        copies_up: mount::copies_up(&file),
        strategies: [
            Strategy::Journaled,
            Strategy::Snapshot,
            Strategy::Extents,
            Strategy::Replace,
            Strategy::Direct,
        ]
        .map(|strategy| (strategy, refusal(strategy)))
        .into(),
    })
}
