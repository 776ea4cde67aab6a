//! A journal is obeyed, and removed, for its own file only, whatever becomes of names and directories.

use std::fs;
use std::path::Path;

use bytesplice::{
    CommitOptions, Error, Mismatch, RecoverOptions, Recovery, SpliceFile, Strategy, recover,
    recover_with,
};
use interrupted::{Interrupted, LENGTH, MARK, copy_with_attributes, numbers};

mod interrupted;

/// Commits by a strategy, and does something at the first report of progress after so many bytes.
fn commit_while(path: &Path, strategy: Strategy, after: u64, act: impl FnOnce()) {
    let mut file = SpliceFile::open(path).unwrap();
    file.replace(10..12, "four").unwrap();
    let mut act = Some(act);
    let mut progress = |now: bytesplice::Progress| {
        if now.bytes_done >= after
            && let Some(act) = act.take()
        {
            act();
        }
    };
    file.commit_with(CommitOptions::new().strategy(strategy).progress(&mut progress)).unwrap();
    assert!(act.is_none(), "the commit never got so far");
}

#[test]
fn a_directory_that_is_renamed_in_a_commit_keeps_its_journal_and_loses_it_at_the_end() {
    let parent = tempfile::tempdir().unwrap();
    let [folder, moved] = ["folder", "moved"].map(|name| parent.path().join(name));
    fs::create_dir(&folder).unwrap();
    let old = numbers(40 << 20);
    fs::write(folder.join("data"), &old).unwrap();
    // Past the commit point the names are not looked at any more.
    commit_while(&folder.join("data"), Strategy::Journaled, 30 << 20, || {
        fs::rename(&folder, &moved).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("data"), "of somebody else").unwrap();
        fs::write(folder.join(".data.bytesplice"), "a journal of somebody else").unwrap();
    });
    assert_eq!(
        fs::read(folder.join(".data.bytesplice")).unwrap(),
        b"a journal of somebody else",
        "the journal of another file was removed"
    );
    assert!(!moved.join(".data.bytesplice").exists(), "the own journal was left");
    let mut new = old;
    new.splice(10..12, *b"four");
    assert!(fs::read(moved.join("data")).unwrap() == new);
    assert_eq!(recover(moved.join("data")).unwrap(), Recovery::Clean);
}

#[test]
fn child() {
    interrupted::child();
}

/// Every way to obey the journal is refused with such an error, and changes neither the file nor the journal.
fn assert_refused(
    interrupted: &Interrupted,
    path: &Path,
    expected: impl Fn(&Error) -> bool,
    told: &[&str],
) {
    let before = fs::read(path).unwrap();
    let outcomes = [
        recover(path).map(drop),
        recover_with(path, RecoverOptions { force: true }).map(drop),
        SpliceFile::open(path).map(drop),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(expected(&error), "{error}");
        let text = error.to_string();
        for words in told {
            assert!(text.contains(words), "{words:?} is missing: {text}");
        }
        assert!(!text.contains("force"), "{text}");
    }
    bytesplice::abort(path).unwrap_err();
    assert!(fs::read(path).unwrap() == before, "the file was touched");
    assert!(
        fs::read(&interrupted.journal).unwrap() == interrupted.journal_bytes,
        "the journal was touched"
    );
}
#[test]
fn a_copy_made_in_mid_commit_leaves_the_journal_to_the_original() {
    let Some(interrupted) = Interrupted::new() else { return };
    let copy = interrupted.beside("copy");
    copy_with_attributes(&interrupted.path, &copy);
    let elsewhere = tempfile::tempdir().unwrap();
    let copy_elsewhere = elsewhere.path().join("victim");
    copy_with_attributes(&interrupted.path, &copy_elsewhere);
    assert_refused(
        &interrupted,
        &copy,
        |error| matches!(error, Error::WrongFile { mismatch: Mismatch::CopiedFile, .. }),
        &["copy", "in the middle of its commit", "recover the original"],
    );
    assert_refused(
        &interrupted,
        &copy_elsewhere,
        |error| matches!(error, Error::JournalMissing { .. }),
        &["copy", "recover the original", "put the journal back", "`forget`"],
    );
    assert_eq!(recover(&interrupted.path).unwrap(), Recovery::Completed);
    assert!(fs::read(&interrupted.path).unwrap() == Interrupted::new_contents());
    for copy in [copy, copy_elsewhere] {
        let outcome = recover_with(&copy, RecoverOptions { force: true });
        assert!(matches!(outcome, Err(Error::JournalMissing { .. })), "{outcome:?}");
        assert!(fs::read(&copy).unwrap() == interrupted.contents);
    }
}

#[test]
fn a_backup_moved_into_place_is_not_changed_by_the_journal_of_the_old_inode() {
    let Some(interrupted) = Interrupted::new() else { return };
    let backup = interrupted.beside("backup");
    fs::write(&backup, numbers(LENGTH)).unwrap();
    fs::rename(&backup, &interrupted.path).unwrap();
    assert_refused(
        &interrupted,
        &interrupted.path,
        |error| matches!(error, Error::WrongFile { mismatch: Mismatch::OtherFile, .. }),
        &["backup", "`forget`"],
    );
}

#[test]
fn a_backup_copied_into_the_same_inode_is_not_changed_by_the_journal() {
    let Some(interrupted) = Interrupted::new() else { return };
    let old = numbers(LENGTH);
    let mut other_version = old.clone();
    other_version[LENGTH / 2..].rotate_left(4096);
    other_version[..4096].fill(b'#');
    let longer = [&old[..], b"and more"].concat();
    for backup in [&old[..], &other_version, &old[..LENGTH / 2], &longer, b""] {
        // Writes into the same inode, whose mark stays.
        fs::write(&interrupted.path, backup).unwrap();
        assert_refused(
            &interrupted,
            &interrupted.path,
            |error| matches!(error, Error::ChangedSinceCrash { .. }),
            &["backup", "`forget`"],
        );
    }
    fs::write(&interrupted.path, &interrupted.contents).unwrap();
    assert_eq!(recover(&interrupted.path).unwrap(), Recovery::Completed);
    assert!(fs::read(&interrupted.path).unwrap() == Interrupted::new_contents());
}

#[test]
fn an_inode_number_that_is_used_again_is_told_by_its_missing_mark() {
    let Some(interrupted) = Interrupted::new() else { return };
    rustix::fs::removexattr(&interrupted.path, MARK).unwrap();
    assert_refused(
        &interrupted,
        &interrupted.path,
        |error| matches!(error, Error::WrongFile { mismatch: Mismatch::Unmarked, .. }),
        &["`forget`"],
    );
}

#[test]
fn a_new_file_takes_the_name_in_the_directory_that_the_commit_began_in() {
    let parent = tempfile::tempdir().unwrap();
    let [folder, moved] = ["folder", "moved"].map(|name| parent.path().join(name));
    fs::create_dir(&folder).unwrap();
    let old = numbers(8 << 20);
    fs::write(folder.join("data"), &old).unwrap();
    let mut file = SpliceFile::open(folder.join("data")).unwrap();
    file.replace(10..12, "four").unwrap();
    let mut moves = Some(|| {
        fs::rename(&folder, &moved).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("data"), "of somebody else").unwrap();
        fs::write(folder.join(".data.bytesplice-new"), "a new file of somebody else").unwrap();
    });
    let mut progress = |_: bytesplice::Progress| {
        if let Some(moves) = moves.take() {
            moves();
        }
    };
    let options = CommitOptions::new().strategy(Strategy::Replace).progress(&mut progress);
    // The path leads to another file by now, which is noticed before the name changes.
    assert!(file.commit_with(options).is_err());
    assert_eq!(fs::read(folder.join("data")).unwrap(), b"of somebody else");
    let theirs = fs::read(folder.join(".data.bytesplice-new")).unwrap();
    assert_eq!(theirs, b"a new file of somebody else", "the new file of somebody else was removed");
    assert!(fs::read(moved.join("data")).unwrap() == old);
    assert!(!moved.join(".data.bytesplice-new").exists(), "the own new file was left");
}
