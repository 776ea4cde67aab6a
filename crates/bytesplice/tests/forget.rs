//! The way out when recovery refuses a file that is whole: no byte of the file changes, no journal is lost, and none of another file
//! is touched elsewhere than beside the file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytesplice::{
    Error, ForgetOptions, JournalStatus, OpenOptions, Recovery, SpliceFile, forget, forget_with,
    recover, status,
};
use interrupted::{Interrupted, LENGTH, MARK, copy_with_attributes, numbers};
use rustix::fs::XattrFlags;

mod interrupted;

#[test]
fn child() {
    interrupted::child();
}

/// The file opens for reading and for writing with these contents, and takes a commit.
#[track_caller]
fn assert_usable(path: &Path, contents: &[u8]) {
    assert!(fs::read(path).unwrap() == contents, "the file was changed");
    assert_eq!(status(path).unwrap().journal, JournalStatus::None);
    assert!(rustix::fs::getxattr(path, MARK, &mut [0; 8192]).is_err(), "the mark is there");
    assert!(forget(path).unwrap().is_clean());
    assert_eq!(recover(path).unwrap(), Recovery::Clean);
    let file = OpenOptions::new().read_only(true).open(path).unwrap();
    assert_eq!(file.len(), contents.len() as u64);
    drop(file);
    let mut file = SpliceFile::open(path).unwrap();
    file.insert(0, "edited").unwrap();
    file.commit().unwrap();
    assert!(fs::read(path).unwrap() == [b"edited", contents].concat());
}

#[track_caller]
fn assert_refused(path: &Path) -> Error {
    let outcome = OpenOptions::new().read_only(true).open(path);
    assert!(matches!(outcome, Err(Error::NeedsRecovery { .. })), "{outcome:?}");
    recover(path).unwrap_err()
}

#[test]
fn a_backup_without_the_journal_is_whole_again() {
    let Some(interrupted) = Interrupted::new() else { return };
    let path = &interrupted.path;
    fs::remove_file(&interrupted.journal).unwrap();
    fs::write(path, numbers(LENGTH)).unwrap();
    assert!(matches!(assert_refused(path), Error::JournalMissing { .. }));
    let forgotten = forget(path).unwrap();
    assert!(forgotten.mark_removed && forgotten.set_aside.is_empty(), "{forgotten:?}");
    assert_usable(path, &numbers(LENGTH));
}

#[test]
fn a_backup_that_was_moved_into_place_is_whole_again_and_the_journal_is_kept() {
    let Some(interrupted) = Interrupted::new() else { return };
    let path = &interrupted.path;
    let backup = interrupted.beside("backup");
    fs::write(&backup, "a backup").unwrap();
    fs::rename(&backup, path).unwrap();
    assert!(matches!(assert_refused(path), Error::WrongFile { .. }));
    // These names are taken.
    for name in ["", "-2"] {
        fs::write(interrupted.beside(&format!(".victim.bytesplice-forgotten{name}")), name)
            .unwrap();
    }
    let planned = forget_with(path, ForgetOptions { dry_run: true }).unwrap();
    assert_refused(path);
    assert!(fs::read(&interrupted.journal).unwrap() == interrupted.journal_bytes);
    let forgotten = forget(path).unwrap();
    assert_eq!(forgotten, planned);
    assert!(!forgotten.mark_removed);
    let [set_aside] = &forgotten.set_aside[..] else { panic!("{forgotten:?}") };
    assert!(set_aside.journal.ends_with(".victim.bytesplice"), "{set_aside:?}");
    assert!(set_aside.now.ends_with(".victim.bytesplice-forgotten-3"), "{set_aside:?}");
    assert!(!interrupted.journal.exists());
    assert!(fs::read(&set_aside.now).unwrap() == interrupted.journal_bytes);
    assert_eq!(fs::read(interrupted.beside(".victim.bytesplice-forgotten-2")).unwrap(), b"-2");
    assert_usable(path, b"a backup");
}

#[test]
fn a_backup_that_was_copied_into_the_inode_is_whole_again() {
    let Some(interrupted) = Interrupted::new() else { return };
    let path = &interrupted.path;
    fs::write(path, numbers(LENGTH)).unwrap();
    assert!(matches!(assert_refused(path), Error::ChangedSinceCrash { .. }));
    let inode = fs::metadata(path).unwrap().ino();
    let forgotten = forget(path).unwrap();
    assert!(forgotten.mark_removed);
    assert!(fs::read(&forgotten.set_aside[0].now).unwrap() == interrupted.journal_bytes);
    assert_eq!(fs::metadata(path).unwrap().ino(), inode);
    assert_usable(path, &numbers(LENGTH));
}

#[test]
fn the_journal_that_is_set_aside_still_recovers_its_file() {
    let Some(interrupted) = Interrupted::new() else { return };
    let path = &interrupted.path;
    let mut mark = vec![0; 8192];
    let len = rustix::fs::getxattr(path, MARK, &mut mark[..]).unwrap();
    let forgotten = forget(path).unwrap();
    fs::rename(&forgotten.set_aside[0].now, &forgotten.set_aside[0].journal).unwrap();
    rustix::fs::setxattr(path, MARK, &mark[..len], XattrFlags::empty()).unwrap();
    assert_eq!(recover(path).unwrap(), Recovery::Completed);
    assert!(fs::read(path).unwrap() == Interrupted::new_contents());
}

#[test]
fn forgetting_a_copy_leaves_the_journal_of_the_original() {
    let Some(interrupted) = Interrupted::new() else { return };
    let copy = interrupted.beside("copy");
    copy_with_attributes(&interrupted.path, &copy);
    let forgotten = forget(&copy).unwrap();
    assert!(forgotten.mark_removed && forgotten.set_aside.is_empty(), "{forgotten:?}");
    assert!(fs::read(&interrupted.journal).unwrap() == interrupted.journal_bytes);
    assert_eq!(recover(&interrupted.path).unwrap(), Recovery::Completed);
    assert!(fs::read(&interrupted.path).unwrap() == Interrupted::new_contents());
    assert_usable(&copy, &interrupted.contents);
}

#[test]
fn a_journal_elsewhere_is_set_aside_where_it_is() {
    let Some(interrupted) = Interrupted::new() else { return };
    let folder = interrupted.beside("folder");
    fs::create_dir(&folder).unwrap();
    let moved = folder.join("moved");
    fs::rename(&interrupted.path, &moved).unwrap();
    let forgotten = forget(&moved).unwrap();
    assert!(forgotten.mark_removed);
    assert!(!interrupted.journal.exists());
    let now = interrupted.beside(".moved.bytesplice-forgotten");
    assert!(fs::read(now).unwrap() == interrupted.journal_bytes);
    assert_usable(&moved, &interrupted.contents);
}

#[test]
fn whatever_has_the_name_of_the_journal_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let journal = directory.path().join(".data.bytesplice");
    fs::write(&path, "contents").unwrap();
    fs::write(&journal, "notes of somebody else").unwrap();
    assert!(SpliceFile::open(&path).is_err());
    let forgotten = forget(&path).unwrap();
    assert_eq!(fs::read(&forgotten.set_aside[0].now).unwrap(), b"notes of somebody else");
    fs::create_dir(&journal).unwrap();
    assert!(SpliceFile::open(&path).is_err());
    assert!(status(&path).unwrap().needs_recovery());
    assert!(forget(&path).unwrap().set_aside[0].now.is_dir());
    std::os::unix::fs::symlink("nowhere", &journal).unwrap();
    assert!(SpliceFile::open(&path).is_err());
    assert!(status(&path).unwrap().needs_recovery());
    assert!(forget(&path).unwrap().set_aside[0].now.is_symlink());
    assert_usable(&path, b"contents");
}

#[test]
fn a_damaged_mark_is_taken_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    fs::write(&path, "contents").unwrap();
    if rustix::fs::setxattr(&path, MARK, b"no mark", XattrFlags::empty()).is_err() {
        println!("SKIPPED: files in {} cannot carry a mark", directory.path().display());
        return;
    }
    assert!(SpliceFile::open(&path).is_err());
    assert!(status(&path).unwrap().needs_recovery());
    assert!(forget_with(&path, ForgetOptions { dry_run: true }).unwrap().mark_removed);
    assert!(status(&path).unwrap().needs_recovery());
    assert!(forget(&path).unwrap().mark_removed);
    assert_usable(&path, b"contents");
}

#[test]
fn a_file_in_use_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    fs::write(&path, "contents").unwrap();
    let held = SpliceFile::open(&path).unwrap();
    let journal = directory.path().join(".data.bytesplice");
    fs::write(&journal, "a journal").unwrap();
    assert!(matches!(forget(&path), Err(Error::Locked { .. })));
    assert_eq!(fs::read(&journal).unwrap(), b"a journal");
    drop(held);
    forget(&path).unwrap();
    assert_usable(&path, b"contents");
}

#[test]
fn a_whole_file_has_nothing_to_forget() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    fs::write(&path, "contents").unwrap();
    assert!(forget(&path).unwrap().is_clean());
    assert_usable(&path, b"contents");
    assert!(matches!(forget(path.with_file_name("missing")), Err(Error::Open { .. })));
    assert!(matches!(forget(directory.path()), Err(Error::NotRegular { .. })));
}
