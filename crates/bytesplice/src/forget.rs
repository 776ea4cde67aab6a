use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commit::locate;
use crate::lock::{Access, FileLock};
use crate::open::{Opened, open_locked};
use crate::storage::directory::Key;
use crate::storage::mark::{self, FileMark};
use crate::storage::os::{self, JournalPlace};
use crate::{Error, FileState, Result};

/// How to forget a commit that was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForgetOptions {
    /// Change nothing: only say what [`forget`] would do. The file is not locked for that.
    pub dry_run: bool,
}

/// What [`forget`] did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// The file, without symlinks.
    pub path: PathBuf,
    /// Whether the file carried the mark of a commit, which is taken off.
    pub mark_removed: bool,
    /// The journals that are set aside. Usually there is one.
    pub set_aside: Vec<SetAside>,
}

/// A journal that got another name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetAside {
    /// The name that the journal had.
    pub journal: PathBuf,
    /// The name that the journal has now, in the same directory.
    pub now: PathBuf,
}

impl Forgotten {
    /// Whether there was no commit to forget.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.mark_removed && self.set_aside.is_empty()
    }
}

/// Takes a file as it is and forgets the commit that was cut short: see [`forget_with`].
///
/// # Errors
/// As for [`forget_with`].
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// std::fs::write(&path, "from a backup")?;
/// let journal = path.with_file_name(".data.bytesplice");
/// std::fs::write(&journal, "damaged")?;
/// assert!(bytesplice::recover(&path).is_err());
///
/// let forgotten = bytesplice::forget(&path)?;
/// assert!(forgotten.set_aside[0].now.ends_with(".data.bytesplice-forgotten"));
/// assert_eq!(std::fs::read(&path)?, b"from a backup");
/// assert!(bytesplice::forget(&path)?.is_clean());
/// # Ok(())
/// # }
/// ```
pub fn forget(path: impl AsRef<Path>) -> Result<Forgotten> {
    forget_with(path, ForgetOptions::default())
}

/// Takes a file as it is and forgets the commit that was cut short. For files that are whole, such as a restored backup, and
/// that [`recover`](crate::recover()) refuses. Whether the file is whole the caller has to know: a file in the middle of a commit
/// stays a mixture of its old and its new contents.
///
/// No byte of the file is changed and no journal is removed: a journal gets the name `.NAME.bytesplice-forgotten` in its
/// directory, or that name with `-2`, `-3` and so on if it is taken. That is done to whatever has the name of a journal beside the
/// file, also if it names another file, because it keeps this one from being edited; and to the journal that the mark of the file
/// names elsewhere, if that journal names this very file. Then the mark is taken off the file. O(1); waits for the disk.
///
/// # Errors
/// Nothing is changed by [`Error::Open`], [`Error::NotRegular`], [`Error::Locked`] and [`Error::PermissionDenied`]. After
/// [`Error::Io`] or [`Error::NoSpace`] a journal may have its new name; it can be tried again.
pub fn forget_with(path: impl AsRef<Path>, options: ForgetOptions) -> Result<Forgotten> {
    let given = path.as_ref();
    let writable = !options.dry_run;
    let lock = |file: &Arc<File>, path: &Path, read_only: bool| {
        let exclusive = writable && !read_only;
        exclusive.then(|| FileLock::try_acquire(file, path, Access::Exclusive)).transpose()
    };
    let (opened, _lock) = open_locked(given, |path| path.canonicalize(), writable, lock)?;
    let Opened { file, path, read_only } = opened;
    let found = Found::of(&file, &path).map_err(failed(&path, "look for a journal of"))?;
    let mut forgotten =
        Forgotten { path: path.clone(), mark_removed: found.marked, set_aside: Vec::new() };
    if !options.dry_run && read_only && (found.marked || !found.journals.is_empty()) {
        return Err(Error::PermissionDenied { path });
    }
    let mut moved = Vec::new();
    for journal in found.journals {
        let journal_path = journal.place.path();
        let now = if options.dry_run { journal.free_name(&path) } else { journal.set_aside(&path) };
        let now = now.map_err(failed(&journal_path, "set aside"))?;
        let now_path = journal_path.with_file_name(&now);
        forgotten.set_aside.push(SetAside { journal: journal_path, now: now_path });
        moved.push((journal, now));
    }
    if options.dry_run {
        return Ok(forgotten);
    }
    // Without the journal the file is refused until its mark is gone, and never taken for what it is not.
    for (journal, _) in &moved {
        let directory = &journal.place.directory;
        directory.sync().map_err(failed(directory.path(), "sync"))?;
    }
    if found.marked {
        if let Err(source) = mark::remove(&file) {
            for (journal, now) in &moved {
                // Whether this succeeds or not, the error says why the mark is still there.
                let _ = journal.place.directory.rename(now, journal.key, &journal.place.name);
            }
            return Err(failed(&path, "take the mark off")(source));
        }
        file.sync_all().map_err(failed(&path, "sync"))?;
    }
    Ok(forgotten)
}

/// What has to go for a commit to be forgotten.
struct Found {
    marked: bool,
    journals: Vec<FoundJournal>,
}

/// Something with the name of a journal.
struct FoundJournal {
    place: JournalPlace,
    key: Key,
}

impl Found {
    fn of(file: &Arc<File>, path: &Path) -> io::Result<Self> {
        let (marked, named) = match mark::read(file) {
            Ok(FileMark::Present { nonce, journal }) => (true, Some((nonce, journal))),
            Ok(FileMark::Absent | FileMark::Unsupported) => (false, None),
            // A damaged mark names nothing.
            Err(error) if error.kind() == ErrorKind::InvalidData => (true, None),
            Err(error) => return Err(error),
        };
        let mut journals: Vec<FoundJournal> = Vec::new();
        let mut add = |place: JournalPlace| -> io::Result<()> {
            if let Some(key) = place.directory.key(&place.name)?
                && journals.iter().all(|known| known.key != key)
            {
                journals.push(FoundJournal { place, key });
            }
            Ok(())
        };
        add(JournalPlace::beside(path))?;
        if let Some((nonce, named)) = named {
            for place in locate::places_of_named(file, path, nonce, &named)? {
                add(place)?;
            }
        }
        Ok(Self { marked, journals })
    }
}

impl FoundJournal {
    /// Gives the journal a name that is free, and returns it.
    fn set_aside(&self, path: &Path) -> io::Result<OsString> {
        loop {
            let name = self.free_name(path)?;
            match self.place.directory.rename(&self.place.name, self.key, &name) {
                Ok(()) => return Ok(name),
                // Others took the name at this very moment.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn free_name(&self, path: &Path) -> io::Result<OsString> {
        let mut number = 1_u64;
        loop {
            let suffix = match number {
                1 => ".bytesplice-forgotten".to_owned(),
                number => format!(".bytesplice-forgotten-{number}"),
            };
            let beside = os::beside(path, &suffix);
            let name = beside.file_name().unwrap_or_default();
            if self.place.directory.key(name)?.is_none() {
                return Ok(name.into());
            }
            number += 1;
        }
    }
}

fn failed(path: &Path, operation: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::not_done(path.into(), operation, source, FileState::Unchanged)
}
