//! Files in the middle of a commit that was killed. The commit is made by a child: the test binary again, which kills itself. So
//! every binary that uses this needs a test `child` that calls [`child`].

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytesplice::{CommitOptions, JournalStatus, SpliceFile, Strategy, status};

pub fn numbers(len: usize) -> Vec<u8> {
    (0..len as u32 / 4)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect()
}

pub const MARK: &str = "user.bytesplice";
pub const LENGTH: usize = 80 << 20;

/// What the test `child` of every binary does: it removes bytes at the beginning of a file, and kills itself in mid-commit.
pub fn child() {
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
pub struct Interrupted {
    pub directory: tempfile::TempDir,
    pub path: PathBuf,
    pub journal: PathBuf,
    pub journal_bytes: Vec<u8>,
    pub contents: Vec<u8>,
}

impl Interrupted {
    /// None, after a word on it, where files cannot carry a mark.
    pub fn new() -> Option<Self> {
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

    pub fn new_contents() -> Vec<u8> {
        let mut contents = numbers(LENGTH);
        contents.drain(10..15);
        contents
    }

    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

pub fn copy_with_attributes(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}
