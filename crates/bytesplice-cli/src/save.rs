//! `--save`: removed bytes in a file of their own, on disk before the commit.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::edit::Edit;
use crate::failure::Failure;

/// Bytes that were written to a new file and are durable.
pub struct SavedBytes {
    path: PathBuf,
}

impl SavedBytes {
    /// Refuses a path that exists, and says so in its own words if it is the file to be changed.
    ///
    /// # Errors
    /// There is something at `path`.
    pub fn check(path: &Path, target: &Path) -> Result<(), Failure> {
        let Ok(found) = fs::symlink_metadata(path) else {
            return Ok(());
        };
        // Through links as well.
        let found = fs::metadata(path).unwrap_or(found);
        let is_target = fs::metadata(target)
            .is_ok_and(|target| (target.dev(), target.ino()) == (found.dev(), found.ino()));
        Err(if is_target {
            Failure::SaveIsTarget { path: path.into() }
        } else {
            Failure::Save { path: path.into(), source: io::ErrorKind::AlreadyExists.into() }
        })
    }

    /// Writes the bytes of `range` to a new file and waits for the disk, for the directory too.
    ///
    /// # Errors
    /// There is something at `path`, reading or writing failed, or a signal came; then there is no new file.
    pub fn write(path: &Path, edit: &Edit<'_>, range: Range<u64>) -> Result<Self, Failure> {
        let failed = |source| Failure::Save { path: path.into(), source };
        let mut copy = File::create_new(path).map_err(failed)?;
        let saved = Self { path: path.into() };
        if let Err(failure) = Self::fill(&mut copy, path, edit, range) {
            saved.withdraw();
            return Err(failure);
        }
        Ok(saved)
    }

    fn fill(
        copy: &mut File,
        path: &Path,
        edit: &Edit<'_>,
        range: Range<u64>,
    ) -> Result<(), Failure> {
        let failed = |source| Failure::Save { path: path.into(), source };
        for chunk in edit.file.chunks(range)? {
            edit.check_signals()?;
            copy.write_all(&chunk?).map_err(failed)?;
        }
        copy.sync_all().map_err(failed)?;
        let directory = match path.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        };
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
    }

    /// Deletes the file again, as the bytes were not removed.
    pub fn withdraw(self) {
        // What failed before is what the user must hear of.
        let _ = fs::remove_file(self.path);
    }
}
