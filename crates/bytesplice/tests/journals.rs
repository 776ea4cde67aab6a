//! Journals that are damaged, cut, copied, swapped or not journals at all: the file must become wholly old or wholly
//! new, or be left untouched with an error. Never a mixture.
//!
//! Commits are broken by a child: this test binary again, which kills itself at a given report of progress.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use bytesplice::{
    CommitOptions, Error, FileState, JournalStatus, OpenOptions, RecoverOptions, Recovery,
    SpliceFile, Strategy, recover, recover_with, status,
};
use rustix::fs::XattrFlags;
use rustix::io::Errno;

const MARK: &str = "user.bytesplice";
const PAGE: u64 = 4096;

fn memory_directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// The edits of all tests: bytes that move left, bytes that move right in two places, and new bytes. So the commit has
/// three steps, and the one of the right-movers writes two ranges.
const EDITS: [(usize, usize, &[u8]); 7] = [
    (4_000, 0, b"new"),
    (4_100, 3, b""),
    (20_000, 100, b""),
    (60_000, 0, &[b'+'; 100]),
    (80_000, 0, &[b'-'; 50]),
    (100_000, 50, b""),
    (120_000, 0, &[b'#'; 77]),
];

fn old() -> Vec<u8> {
    (0..36_000_u32).flat_map(|number| (number * 7919).to_le_bytes()).collect()
}

fn new() -> Vec<u8> {
    let mut contents = old();
    for (offset, removed, inserted) in EDITS {
        contents.splice(offset..offset + removed, inserted.iter().copied());
    }
    contents
}

fn edit(path: &Path) -> SpliceFile {
    let mut file = SpliceFile::open(path).unwrap();
    for (offset, removed, inserted) in EDITS {
        let offset = offset as u64;
        file.replace(offset..offset + removed as u64, inserted).unwrap();
    }
    file
}

/// What the child does.
#[test]
fn child() {
    if let Some(path) = std::env::var_os("JOURNALS_LIMITED") {
        let limit = rustix::process::Rlimit { current: Some(PAGE), maximum: None };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
        let outcome = recover(path);
        assert!(matches!(outcome, Err(Error::SizeLimit { limit: PAGE, .. })), "{outcome:?}");
        return;
    }
    let (Some(path), Some(last)) =
        (std::env::var_os("JOURNALS_PATH"), std::env::var_os("JOURNALS_LAST"))
    else {
        return;
    };
    let mut left: u32 = last.to_str().unwrap().parse().unwrap();
    let mut progress = |_: bytesplice::Progress| {
        if left == 0 {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
        left -= 1;
    };
    let mut file = edit(Path::new(&path));
    file.commit_with(CommitOptions::new().strategy(Strategy::Journaled).progress(&mut progress))
        .unwrap();
}

/// A file with a commit that was cut short, and all it takes to make it anew.
struct Wreck {
    _directory: tempfile::TempDir,
    path: PathBuf,
    journal: PathBuf,
    /// A second name of the journal, so that its inode outlives a recovery.
    kept: PathBuf,
    contents: Vec<u8>,
    journal_bytes: Vec<u8>,
    mark: Option<Vec<u8>>,
}

impl Wreck {
    /// A commit that was killed after `reports` reports of progress; none if it was done before.
    fn after(reports: u32) -> Option<Self> {
        let directory = memory_directory();
        let path = directory.path().join("data");
        fs::write(&path, old()).unwrap();
        let killed = !Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--test-threads=1"])
            .env("JOURNALS_PATH", &path)
            .env("JOURNALS_LAST", reports.to_string())
            .output()
            .unwrap()
            .status
            .success();
        let journal = directory.path().join(".data.bytesplice");
        assert_eq!(killed, journal.exists());
        if !killed {
            assert_eq!(fs::read(&path).unwrap(), new());
            return None;
        }
        let kept = directory.path().join("kept");
        fs::hard_link(&journal, &kept).unwrap();
        let mut buffer = [0; 8192];
        let mark = match rustix::fs::getxattr(&path, MARK, &mut buffer) {
            Ok(len) => Some(buffer[..len].to_vec()),
            Err(Errno::NODATA | Errno::NOTSUP) => None,
            Err(error) => panic!("{error}"),
        };
        let contents = fs::read(&path).unwrap();
        let journal_bytes = fs::read(&journal).unwrap();
        Some(Self { _directory: directory, path, journal, kept, contents, journal_bytes, mark })
    }

    /// In the middle of the step of the right-movers: some of its blocks are written, others are not.
    fn torn() -> Self {
        all_wrecks()
            .into_iter()
            .find(|wreck| {
                let step = |steps: JournalStatus| matches!(steps, JournalStatus::Committing { step, .. } if step == 1);
                step(status(&wreck.path).unwrap().journal)
                    && wreck.contents[120_000..] != old()[120_000..]
            })
            .unwrap()
    }

    /// As the crash left it.
    fn restore(&self) {
        fs::write(&self.path, &self.contents).unwrap();
        fs::write(&self.kept, &self.journal_bytes).unwrap();
        if !self.journal.exists() {
            fs::hard_link(&self.kept, &self.journal).unwrap();
        }
        if let Some(mark) = &self.mark {
            rustix::fs::setxattr(&self.path, MARK, mark, XattrFlags::empty()).unwrap();
        }
    }

    fn unmark(&self) {
        if self.mark.is_some() {
            rustix::fs::removexattr(&self.path, MARK).unwrap();
        }
    }

    /// Recovers and checks: old, new, or an error and nothing touched.
    fn recover(&self, what: &str) -> Result<Recovery, Error> {
        let before = fs::read(&self.path).unwrap();
        let outcome = recover(&self.path);
        let after = fs::read(&self.path).unwrap();
        match &outcome {
            Ok(Recovery::RolledBack) => assert!(after == old(), "{what}: not the old contents"),
            Ok(_) => assert!(after == new(), "{what}: not the new contents"),
            Err(error) => {
                assert!(after == before, "{what}: touched in spite of {error}");
                assert!(self.journal.exists(), "{what}: the journal is gone in spite of {error}");
                assert_eq!(
                    error.file_state() != FileState::Unchanged,
                    !matches!(error, Error::WrongFile { .. })
                );
            }
        }
        outcome
    }

    fn flip(&self, offset: u64, bits: u8) {
        let journal = File::options().read(true).write(true).open(&self.kept).unwrap();
        let mut byte = [0];
        journal.read_exact_at(&mut byte, offset).unwrap();
        journal.write_all_at(&[byte[0] ^ bits], offset).unwrap();
    }

    fn cut(&self, len: u64) {
        File::options().write(true).open(&self.kept).unwrap().set_len(len).unwrap();
    }
}

fn all_wrecks() -> Vec<Wreck> {
    let wrecks: Vec<Wreck> = (0..).map_while(Wreck::after).collect();
    assert!(wrecks.len() > 5);
    wrecks
}

#[test]
fn every_kill_is_recovered() {
    let mut seen = [0; 2];
    for wreck in all_wrecks() {
        match wreck.recover("untouched").unwrap() {
            Recovery::RolledBack => seen[0] += 1,
            Recovery::Completed => seen[1] += 1,
            Recovery::Clean => panic!("nothing to recover"),
        }
        assert!(!wreck.journal.exists());
        assert_eq!(recover(&wreck.path).unwrap(), Recovery::Clean);
    }
    assert!(seen[0] > 0 && seen[1] > 2, "{seen:?}");
}

#[test]
fn a_damaged_byte_gives_old_or_new_or_an_error() {
    let (mut tried, mut refused) = (0, 0);
    for wreck in all_wrecks() {
        let len = wreck.journal_bytes.len() as u64;
        let heads = (0..4).flat_map(|page| [0, PAGE / 2].map(|half| page * PAGE + half));
        let heads = heads.flat_map(|start| (start..start + 192).step_by(3));
        let rest = (4 * PAGE..4 * PAGE + 600).step_by(29).chain((5 * PAGE..len).step_by(2999));
        for offset in heads.chain(rest).filter(|&offset| offset < len) {
            wreck.restore();
            wreck.flip(offset, 0x10);
            tried += 1;
            refused += u32::from(wreck.recover(&format!("byte {offset} of {len}")).is_err());
        }
    }
    println!("{tried} damaged bytes, {refused} refused");
    assert!(refused > 0 && refused < tried);
}

#[test]
fn a_cut_journal_gives_old_or_new_or_an_error() {
    for wreck in all_wrecks() {
        let len = wreck.journal_bytes.len() as u64;
        let borders = (0..=len / PAGE).flat_map(|page| {
            let page = page * PAGE;
            [page.saturating_sub(1), page, page + 1, page + 40, page + 192, page + 2049]
        });
        for cut in borders.filter(|&cut| cut < len) {
            wreck.restore();
            // Without a mark an empty journal is one that was never written: nothing tells it from that.
            if wreck.mark.is_some() {
                wreck.cut(cut);
                let _ = wreck.recover(&format!("cut to {cut} of {len}"));
            }
        }
    }
}

#[test]
fn damaged_saved_blocks_of_the_torn_step_are_not_read_from_the_file() {
    let wreck = Wreck::torn();
    let page = wreck.journal_bytes.len() as u64 - PAGE;
    wreck.flip(page, 1);
    assert!(matches!(wreck.recover("saved blocks"), Err(Error::JournalCorrupt { .. })));
}

#[test]
fn a_copy_of_file_and_journal_is_not_obeyed_and_not_removed() {
    let wreck = Wreck::torn();
    let directory = memory_directory();
    let path = directory.path().join("data");
    let journal = directory.path().join(".data.bytesplice");
    // As `cp -r` does it: other inodes, no extended attributes.
    fs::write(&path, &wreck.contents).unwrap();
    fs::write(&journal, &wreck.journal_bytes).unwrap();
    for outcome in [recover(&path).map(drop), SpliceFile::open(&path).map(drop)] {
        assert!(matches!(outcome, Err(Error::WrongFile { .. })), "{outcome:?}");
        assert!(journal.exists());
        assert_eq!(fs::read(&path).unwrap(), wreck.contents);
    }
    assert!(matches!(status(&path).unwrap().journal, JournalStatus::Unusable { .. }));
    let options = RecoverOptions { force: true };
    assert_eq!(recover_with(&path, options).unwrap(), Recovery::Completed);
    assert_eq!(fs::read(&path).unwrap(), new());
}

#[test]
fn a_copied_journal_beside_its_own_file() {
    let wreck = Wreck::torn();
    fs::remove_file(&wreck.journal).unwrap();
    fs::copy(&wreck.kept, &wreck.journal).unwrap();
    if wreck.mark.is_some() {
        assert!(matches!(wreck.recover("copy"), Err(Error::WrongFile { .. })));
        assert!(matches!(status(&wreck.path).unwrap().journal, JournalStatus::Unusable { .. }));
    }
    let options = RecoverOptions { force: true };
    assert_eq!(recover_with(&wreck.path, options).unwrap(), Recovery::Completed);
    assert_eq!(fs::read(&wreck.path).unwrap(), new());
}

#[test]
fn the_journal_of_another_file_is_not_obeyed() {
    let wreck = Wreck::torn();
    let other = wreck.path.with_file_name("other");
    fs::write(&other, &wreck.contents).unwrap();
    fs::rename(&wreck.journal, wreck.path.with_file_name(".other.bytesplice")).unwrap();
    assert!(matches!(recover(&other), Err(Error::WrongFile { .. })));
    assert_eq!(fs::read(&other).unwrap(), wreck.contents);
    if wreck.mark.is_some() {
        assert!(matches!(recover(&wreck.path), Err(Error::JournalMissing { .. })));
        assert!(matches!(SpliceFile::open(&wreck.path), Err(Error::JournalMissing { .. })));
        assert_eq!(fs::read(&wreck.path).unwrap(), wreck.contents);
    }
}

#[test]
fn a_file_that_is_no_journal_is_not_removed() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    let journal = directory.path().join(".data.bytesplice");
    fs::write(&path, "contents").unwrap();
    for strange in [&b"notes"[..], &[b'n'; 5000], &[b'n'; 50_000]] {
        fs::write(&journal, strange).unwrap();
        for outcome in [recover(&path).map(drop), SpliceFile::open(&path).map(drop)] {
            assert!(matches!(outcome, Err(Error::JournalCorrupt { .. })), "{outcome:?}");
        }
        assert_eq!(fs::read(&journal).unwrap(), strange);
    }
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    assert!(SpliceFile::open(&path).is_err());
    fs::remove_dir(&journal).unwrap();
    for strange in ["/dev/null", "data", "nowhere"] {
        std::os::unix::fs::symlink(strange, &journal).unwrap();
        assert!(SpliceFile::open(&path).is_err(), "{strange}");
        assert!(journal.symlink_metadata().is_ok());
        fs::remove_file(&journal).unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), b"contents");
}

#[test]
fn a_journal_that_was_never_written_is_removed() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    let journal = directory.path().join(".data.bytesplice");
    fs::write(&path, "contents").unwrap();
    for zeros in [0, 4096, 4 * 4096 + 17, 100_000] {
        fs::write(&journal, vec![0; zeros]).unwrap();
        assert_eq!(recover(&path).unwrap(), Recovery::RolledBack);
        assert!(!journal.exists());
    }
    assert_eq!(fs::read(&path).unwrap(), b"contents");
}

#[test]
fn the_mark_finds_the_journal_through_other_names() {
    let wreck = Wreck::torn();
    if wreck.mark.is_none() {
        return;
    }
    let directory = memory_directory();
    let strange = std::ffi::OsStr::from_bytes(b"new\nline \xff (deleted)");
    let names = [wreck.path.with_file_name(strange), wreck.path.with_file_name("n".repeat(255))];
    for name in names {
        wreck.restore();
        fs::hard_link(&wreck.path, &name).unwrap();
        assert_eq!(recover(&name).unwrap(), Recovery::Completed);
        assert_eq!(fs::read(&name).unwrap(), new());
    }
    // An open file whose name is gone, though another link is left.
    wreck.restore();
    let open = File::options().read(true).write(true).open(&wreck.path).unwrap();
    fs::rename(&wreck.path, directory.path().join("data")).unwrap();
    fs::hard_link(directory.path().join("data"), directory.path().join("link")).unwrap();
    fs::remove_file(directory.path().join("data")).unwrap();
    let file = SpliceFile::from_file(open).unwrap();
    let mut contents = vec![0; file.len() as usize];
    file.read_exact_at(&mut contents, 0).unwrap();
    assert!(contents == new());
}

#[test]
fn who_may_not_write_sees_no_mixture() {
    let wreck = Wreck::torn();
    let found = status(&wreck.path).unwrap();
    assert!(found.needs_recovery() && !found.is_being_written());
    for lock in [bytesplice::LockMode::Try, bytesplice::LockMode::None] {
        let opened = OpenOptions::new().read_only(true).lock(lock).open(&wreck.path);
        assert!(matches!(opened, Err(Error::NeedsRecovery { .. })));
    }
    assert_eq!(fs::read(&wreck.path).unwrap(), wreck.contents);
    let opened = OpenOptions::new().lock(bytesplice::LockMode::None).open(&wreck.path).unwrap();
    assert_eq!(opened.len(), new().len() as u64);
    assert_eq!(fs::read(&wreck.path).unwrap(), new());
}

#[test]
fn a_file_that_others_cut_after_the_crash_is_not_touched() {
    let wreck = Wreck::torn();
    let file = File::options().write(true).open(&wreck.path).unwrap();
    let working_len = wreck.contents.len();
    file.set_len(working_len as u64 - 1).unwrap();
    let error = wreck.recover("shorter").unwrap_err();
    assert!(matches!(error, Error::ChangedSinceCrash { .. }), "{error}");
    // The old and the new length are no better here, so that the message must not speak of them.
    let expected = format!(
        "is {} bytes long instead of {working_len}, its length in the middle",
        working_len - 1
    );
    assert!(error.to_string().contains(&expected), "{error}");
}

#[test]
fn what_others_append_after_the_crash_is_kept() {
    for wreck in all_wrecks() {
        let mut file = File::options().append(true).open(&wreck.path).unwrap();
        std::io::Write::write_all(&mut file, b"a line of others\n").unwrap();
        drop(file);
        let base = match recover(&wreck.path).unwrap() {
            Recovery::RolledBack => old(),
            Recovery::Completed => new(),
            Recovery::Clean => panic!("nothing to recover"),
        };
        assert!(fs::read(&wreck.path).unwrap() == [&base[..], b"a line of others\n"].concat());
        assert!(!wreck.journal.exists());
    }
}

#[test]
fn a_limit_of_file_sizes_stops_recovery_without_a_signal() {
    let wreck = Wreck::torn();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads=1"])
        .env("JOURNALS_LIMITED", &wreck.path)
        .output()
        .unwrap()
        .status;
    assert!(status.success(), "{status}");
    assert!(fs::read(&wreck.path).unwrap() == wreck.contents);
    assert_eq!(wreck.recover("without the limit").unwrap(), Recovery::Completed);
}

/// Offsets in the header, which the format fixes.
const VERSION: usize = 8;
const BLOCK: usize = 80;
const CHUNK: usize = 88;
const LONGEST_STEP: usize = 96;
const RUN_COUNT: usize = 104;
const LITERAL_LEN: usize = 112;
const SLOT_LEN: usize = 120;
const STEP_COUNT: usize = 128;
const WORKING_LEN: usize = 64;
const FINAL_LEN: usize = 72;
const OPENING_COUNT: usize = 136;
const CLOSING_COUNT: usize = 144;
const SNAPSHOT: usize = 152;

#[test]
fn absurd_numbers_with_right_checksums_are_refused() {
    let wreck = Wreck::torn();
    let fields = [
        BLOCK,
        CHUNK,
        LONGEST_STEP,
        RUN_COUNT,
        LITERAL_LEN,
        SLOT_LEN,
        STEP_COUNT,
        WORKING_LEN,
        FINAL_LEN,
        OPENING_COUNT,
        CLOSING_COUNT,
        SNAPSHOT,
    ];
    for field in fields {
        for number in [0, 1, 3, 1 << 35, 1 << 58, 1 << 62, 1 << 63, u64::MAX] {
            for len in [0, 1 << 45] {
                wreck.restore();
                // A hole costs nothing: the length of a journal says nothing about its claims.
                wreck.cut((wreck.journal_bytes.len() as u64).max(len));
                let mut header = wreck.journal_bytes[..192].to_vec();
                header[field..field + 8].copy_from_slice(&number.to_le_bytes());
                put_header(&wreck, &mut header);
                let _ = wreck.recover(&format!("{number} at {field}"));
            }
        }
    }
}

#[test]
fn another_version_is_left_alone() {
    let wreck = Wreck::torn();
    let mut header = wreck.journal_bytes[..192].to_vec();
    header[VERSION] = 3;
    put_header(&wreck, &mut header);
    wreck.unmark();
    assert!(matches!(wreck.recover("version 3"), Err(Error::JournalVersion { found: 3, .. })));
    assert!(matches!(status(&wreck.path).unwrap().journal, JournalStatus::Unusable { .. }));
}

fn put_header(wreck: &Wreck, header: &mut [u8]) {
    let crc = crc32fast::hash(&header[..188]);
    header[188..].copy_from_slice(&crc.to_le_bytes());
    let journal = File::options().write(true).open(&wreck.kept).unwrap();
    journal.write_all_at(header, 0).unwrap();
    journal.write_all_at(header, 3 * PAGE).unwrap();
}

#[test]
fn a_file_without_a_name_has_no_place_for_a_journal() {
    let directory = memory_directory();
    let path = directory.path().join("data");
    fs::write(&path, "contents").unwrap();
    let open = File::options().read(true).write(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let inode = open.metadata().unwrap().ino();
    let mut file = SpliceFile::from_file(open).unwrap();
    file.insert(0, "new ").unwrap();
    let outcome = file.commit_with(CommitOptions::new().strategy(Strategy::Journaled));
    assert!(matches!(outcome, Err(Error::JournalUnwritable { .. })), "{outcome:?} of {inode}");
    assert_eq!(outcome.unwrap_err().file_state(), FileState::Unchanged);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    file.commit().unwrap();
}
