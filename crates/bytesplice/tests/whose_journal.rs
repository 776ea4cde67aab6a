//! A journal is obeyed, and removed, for its own file only, whatever becomes of names and directories.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytesplice::{
    CommitOptions, Error, JournalStatus, Mismatch, RecoverOptions, Recovery, SpliceFile, Strategy,
    recover, recover_with, status,
};

fn numbers(len: usize) -> Vec<u8> {
    (0..len as u32 / 4)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect()
}

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

const MARK: &str = "user.bytesplice";
const LENGTH: usize = 80 << 20;

/// What the child does: it removes bytes at the beginning of a file, and kills itself in mid-commit.
#[test]
fn child() {
    let Some(path) = std::env::var_os("WHOSE_JOURNAL_PATH") else { return };
    let mut progress = |now: bytesplice::Progress| {
        if now.bytes_done >= now.bytes_total / 4 * 3 {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
    };
    let mut file = SpliceFile::open(path).unwrap();
    file.remove(10..15).unwrap();
    let options = CommitOptions::new().strategy(Strategy::Journaled).progress(&mut progress);
    file.commit_with(options).unwrap();
}

/// A file in the middle of a commit that was killed.
struct Interrupted {
    directory: tempfile::TempDir,
    path: PathBuf,
    journal: PathBuf,
    journal_bytes: Vec<u8>,
    contents: Vec<u8>,
}

impl Interrupted {
    /// None, after a word on it, where files cannot carry a mark.
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("victim");
        let journal = directory.path().join(".victim.bytesplice");
        fs::write(&path, numbers(LENGTH)).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--test-threads=1"])
            .env("WHOSE_JOURNAL_PATH", &path)
            .output()
            .unwrap();
        assert_eq!(child.status.signal(), Some(9), "{child:?}");
        if rustix::fs::getxattr(&path, MARK, &mut [0; 8192]).is_err() {
            println!("SKIPPED: files in {} cannot carry a mark", directory.path().display());
            return None;
        }
        let JournalStatus::Committing { step, .. } = status(&path).unwrap().journal else {
            panic!("{:?}", status(&path).unwrap().journal);
        };
        assert!(step > 0, "the commit was killed too early");
        let [contents, journal_bytes] = [&path, &journal].map(|it| fs::read(it).unwrap());
        assert!(contents != numbers(LENGTH) && contents != Self::new_contents());
        Some(Self { directory, path, journal, journal_bytes, contents })
    }

    fn new_contents() -> Vec<u8> {
        let mut contents = numbers(LENGTH);
        contents.drain(10..15);
        contents
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Every way to obey the journal is refused with such an error, and changes neither the file nor the journal.
    fn assert_refused(&self, path: &Path, expected: impl Fn(&Error) -> bool, told: &[&str]) {
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
        assert!(fs::read(&self.journal).unwrap() == self.journal_bytes, "the journal was touched");
    }
}

fn copy_with_attributes(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn a_copy_made_in_mid_commit_leaves_the_journal_to_the_original() {
    let Some(interrupted) = Interrupted::new() else { return };
    let copy = interrupted.beside("copy");
    copy_with_attributes(&interrupted.path, &copy);
    let elsewhere = tempfile::tempdir().unwrap();
    let copy_elsewhere = elsewhere.path().join("victim");
    copy_with_attributes(&interrupted.path, &copy_elsewhere);
    interrupted.assert_refused(
        &copy,
        |error| matches!(error, Error::WrongFile { mismatch: Mismatch::CopiedFile, .. }),
        &["copy", "in the middle of its commit", "recover the original"],
    );
    interrupted.assert_refused(
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
    interrupted.assert_refused(
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
        interrupted.assert_refused(
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
    interrupted.assert_refused(
        &interrupted.path,
        |error| matches!(error, Error::WrongFile { mismatch: Mismatch::Unmarked, .. }),
        &["`forget`"],
    );
}
