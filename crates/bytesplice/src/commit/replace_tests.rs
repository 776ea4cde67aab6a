//! Commits by replacing whose last calls fail, on real files: what they say is what is there.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::failure::{Failure, Stage};
use super::literals::Sources;
use super::replace::Replace;
use super::watch::Watch;
use crate::pieces::{Piece, Source};
use crate::storage::os_file::OsFile;
use crate::storage::replacement::{OsReplacement, Replacement, replacement_beside};
use crate::{Error, FileState};

/// What the system does to the calls at the end of a commit.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    prepare: bool,
    /// The rename is done, but reported as failed.
    rename_reported: bool,
    /// The rename fails, and is not done.
    rename: bool,
    /// Where the name leads to cannot be found out.
    has_name: bool,
    remove_mark: bool,
    remove: bool,
}

struct Faulty {
    inner: OsReplacement,
    faults: Faults,
}

fn refused() -> io::Error {
    io::Error::other("injected failure")
}

impl Replacement for Faulty {
    type File = OsFile;

    fn target(&self) -> &OsFile {
        self.inner.target()
    }

    fn create(&self) -> io::Result<OsFile> {
        self.inner.create()
    }

    fn prepare(&self, file: &OsFile) -> io::Result<()> {
        self.inner.prepare(file)?;
        if self.faults.prepare { Err(refused()) } else { Ok(()) }
    }

    fn clone_contents(&self, file: &OsFile) -> io::Result<bool> {
        self.inner.clone_contents(file)
    }

    fn share(&self, file: &OsFile, from: u64, to: u64, len: u64) -> u64 {
        self.inner.share(file, from, to, len)
    }

    fn data_after(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        self.inner.data_after(offset)
    }

    fn clear(&self, file: &OsFile, range: Range<u64>) -> io::Result<()> {
        self.inner.clear(file, range)
    }

    fn copy_metadata(&self, file: &OsFile) -> io::Result<()> {
        self.inner.copy_metadata(file)
    }

    fn rename(&self, file: &OsFile) -> io::Result<()> {
        if self.faults.rename {
            return Err(refused());
        }
        self.inner.rename(file)?;
        if self.faults.rename_reported { Err(refused()) } else { Ok(()) }
    }

    fn has_name(&self, file: &OsFile) -> io::Result<bool> {
        if self.faults.has_name { Err(refused()) } else { self.inner.has_name(file) }
    }

    fn remove_mark(&self, file: &OsFile) -> io::Result<()> {
        if self.faults.remove_mark { Err(refused()) } else { self.inner.remove_mark(file) }
    }

    fn remove(&self) -> io::Result<()> {
        if self.faults.remove { Err(refused()) } else { self.inner.remove() }
    }

    fn remove_stale(&self) -> io::Result<bool> {
        self.inner.remove_stale()
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.inner.sync_directory()
    }
}

/// The old file, and no other source.
struct Old(File);

impl Sources for Old {
    fn read_exact_at(&self, source: Source, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        assert_eq!(source, Source::Original);
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }
}

struct Outcome {
    _directory: tempfile::TempDir,
    path: PathBuf,
    result: Result<(), Failure>,
}

impl Outcome {
    fn contents(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn is_left(&self) -> bool {
        replacement_beside(&self.path).exists()
    }

    fn is_marked(&self) -> bool {
        rustix::fs::getxattr(&self.path, "user.bytesplice-new", &mut [0; 32]).is_ok()
    }

    fn error(self) -> Error {
        let beside = replacement_beside(&self.path);
        self.result.unwrap_err().into_error(&self.path, &beside)
    }
}

/// Removes the first four of ten bytes; others change the file meanwhile if `changed`.
fn commit(faults: Faults, changed: bool) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("data");
    fs::write(&path, "0123456789").unwrap();
    let target = Arc::new(File::options().read(true).write(true).open(&path).unwrap());
    let inner = OsReplacement::new(Arc::clone(&target), &path, true);
    let replacement = Faulty { inner, faults };
    let mut unwatched = |_| {};
    let watch = Watch::new(&mut unwatched);
    let mut replace = Replace { replacement: &replacement, buffer: 4096, watch };
    let mut checks = 0;
    let mut check = || {
        checks += 1;
        if changed && checks == 2 {
            return Err(Error::Changed { path: path.clone(), what: "its length".into() });
        }
        Ok(())
    };
    let sources = Old(File::open(&path).unwrap());
    let result = replace.commit(&[Piece::new(Source::Original, 4, 6)], &sources, &mut check);
    Outcome { result: result.map(drop), path, _directory: directory }
}

#[test]
fn a_rename_that_was_done_is_done_whatever_was_reported() {
    let outcome = commit(Faults { rename_reported: true, ..Faults::default() }, false);
    assert_eq!(outcome.contents(), "456789");
    assert!(!outcome.is_left() && !outcome.is_marked());
    outcome.result.unwrap();
}

#[test]
fn a_rename_that_was_not_done_leaves_the_old_file_and_nothing_else() {
    let outcome = commit(Faults { rename: true, ..Faults::default() }, false);
    assert_eq!(outcome.contents(), "0123456789");
    assert!(!outcome.is_left());
    assert_eq!(outcome.error().file_state(), FileState::Unchanged);
}

#[test]
fn a_name_that_cannot_be_looked_at_leads_to_the_old_or_the_new_file() {
    for (rename, contents) in [(true, "0123456789"), (false, "456789")] {
        let faults = Faults { rename, rename_reported: true, has_name: true, ..Faults::default() };
        let outcome = commit(faults, false);
        assert_eq!(outcome.contents(), contents);
        let error = outcome.error();
        assert_eq!(error.file_state(), FileState::OldOrNew);
        assert!(error.to_string().contains("open it again and look"), "{error}");
    }
}

#[test]
fn a_new_file_that_cannot_be_removed_is_named() {
    let left = Faults { remove: true, ..Faults::default() };
    for (faults, changed, says) in [
        (left, true, "was changed by others"),
        (Faults { prepare: true, ..left }, false, "cannot create"),
        (Faults { rename: true, ..left }, false, "cannot rename"),
    ] {
        let outcome = commit(faults, changed);
        assert_eq!(outcome.contents(), "0123456789");
        assert!(outcome.is_left());
        let beside = replacement_beside(&outcome.path);
        let error = outcome.error();
        assert_eq!(error.file_state(), FileState::Unchanged);
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("injected failure"), "{text}");
        let left = format!("{} is left", beside.display());
        assert!(text.contains(&left), "{text}");
        let Error::LeftBehind { error, left, .. } = error.with_paths(|_| "shown".into()) else {
            panic!("{text}");
        };
        assert_eq!(left, PathBuf::from("shown"));
        assert!(error.to_string().starts_with("shown: "), "{error}");
    }
}

#[test]
fn a_mark_that_stays_is_an_error_of_a_commit_that_is_done() {
    let outcome = commit(Faults { remove_mark: true, ..Faults::default() }, false);
    assert_eq!(outcome.contents(), "456789");
    assert!(matches!(
        &outcome.result,
        Err(Failure::Io(failure)) if failure.stage == Stage::Committed
    ));
    assert!(outcome.error().to_string().ends_with("the file holds the new contents"));
}
