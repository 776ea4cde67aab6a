//! `--backup`: the old file beside the new one, on disk before the commit.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bytesplice::{Backup, Error, SpliceFile, WorkOptions};
use serde_json::Value;

use crate::cli::EditOptions;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::new_file::{NewFile, withdraw};
use crate::output::{Object, insert_path, shown};
use crate::progress::WorkProgress;

const BACKUP: &str = "--backup";
/// What is appended to the name without SUFFIX, as GNU cp and sed do.
pub const SUFFIX: &str = "~";

/// A backup that is written and durable.
pub struct NewBackup {
    pub path: PathBuf,
    pub made: Backup,
}

/// A SUFFIX, which must make another name in the same directory.
pub fn suffix(value: &OsStr) -> Result<OsString, String> {
    if value.is_empty() || value.as_bytes().contains(&b'/') {
        let shown = value.to_string_lossy();
        return Err(format!(
            "`{shown}` is not a suffix: it is appended to the name of the file, such as ~ or .old"
        ));
    }
    Ok(value.into())
}

/// Where the backup of `file` goes, if one is wanted.
///
/// # Errors
/// There is something already.
pub fn path_of_backup(file: &Path, options: &EditOptions) -> Result<Option<PathBuf>, Failure> {
    let Some(suffix) = &options.backup else { return Ok(None) };
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    let path = PathBuf::from(path);
    NewFile::check(&path, BACKUP, file)?;
    Ok(Some(path))
}

impl NewBackup {
    /// Copies `file`, which errors call `shown`, to `path`, unless a signal stops that.
    ///
    /// # Errors
    /// It did, or the copy failed; then there is no backup.
    pub fn write(
        file: &SpliceFile,
        shown: &Path,
        path: PathBuf,
        options: &EditOptions,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let mut progress = WorkProgress::new(&path, options.progress, options.quiet);
        interrupt.work_begins(progress.bar());
        let mut advance = |now| progress.advance(now);
        let how = WorkOptions::new().progress(&mut advance).cancel(interrupt.cancel());
        let made = file.back_up(&path, how);
        progress.finish();
        match made {
            Ok(made) => Ok(Self { path, made }),
            Err(Error::Cancelled { .. }) => {
                interrupt.check(shown)?;
                Err(NewFile::failed(&path, BACKUP, std::io::ErrorKind::Interrupted.into()))
            }
            Err(Error::Io { source, .. } | Error::NoSpace { source, .. }) => {
                Err(NewFile::failed(&path, BACKUP, source))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The same for programs.
    pub fn value(&self) -> Value {
        let mut value = Object::new();
        insert_path(&mut value, "path", &self.path);
        value.insert("shares_blocks".into(), self.made.shares_blocks.into());
        Value::Object(value)
    }

    /// Deletes it again, as the file was not changed.
    pub fn withdraw(&self) {
        withdraw(&self.path);
    }
}

impl fmt::Display for NewBackup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.made.shares_blocks { "in shared blocks" } else { "as a copy" };
        write!(out, "the old file is kept {how}: {}", shown(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes() {
        for (text, is_one) in
            [("~", true), (".bak", true), ("", false), ("/x", false), ("a/b", false)]
        {
            assert_eq!(suffix(OsStr::new(text)).is_ok(), is_one, "{text}");
        }
    }
}
