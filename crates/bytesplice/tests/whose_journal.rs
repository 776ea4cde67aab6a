//! A journal is obeyed, and removed, for its own file only, whatever becomes of names and directories.

use std::fs;
use std::path::Path;

use bytesplice::{CommitOptions, Recovery, SpliceFile, Strategy, recover};

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
