//! What the system forbids, by every strategy: a full disk, a limit of file sizes, a directory that cannot be written;
//! and what others do to the file between its opening and its commit.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use bytesplice::{CommitOptions, Error, FileState, SpliceFile, Strategy, recover};
use rustix::fs::XattrFlags;

const STRATEGIES: [&str; 5] = ["journaled", "snapshot", "extents", "replace", "auto"];

/// Those strategies that this library has.
fn strategies() -> Vec<Strategy> {
    let (known, unknown): (Vec<_>, Vec<_>) =
        STRATEGIES.into_iter().partition(|name| name.parse::<Strategy>().is_ok());
    if !unknown.is_empty() {
        println!("SKIPPED limits by strategies that are not there: {unknown:?}");
    }
    known.into_iter().map(|name: &str| name.parse().unwrap()).collect()
}

fn is_refused(error: &Error) -> bool {
    // By its name: it depends on the file system.
    format!("{error:?}").starts_with("StrategyUnsupported")
}

fn commit(path: &Path, strategy: Strategy) -> bytesplice::Result<()> {
    let mut file = SpliceFile::open(path)?;
    file.insert(5, vec![b'+'; 9000])?;
    file.commit_with(CommitOptions::new().strategy(strategy))
}

fn old() -> Vec<u8> {
    (0..20_000_u32).flat_map(|number| (number * 7919).to_le_bytes()).collect()
}

fn new() -> Vec<u8> {
    let mut contents = old();
    contents.splice(5..5, vec![b'+'; 9000]);
    contents
}

/// What the child with a limit does.
#[test]
fn limited_process() {
    let Some(path) = std::env::var_os("LIMITED_PATH") else { return };
    let strategy = std::env::var("LIMITED_STRATEGY").unwrap().parse().unwrap();
    if let Ok(limit) = std::env::var("LIMITED_SIZE") {
        let limit = rustix::process::Rlimit { current: limit.parse().ok(), maximum: None };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    }
    match commit(Path::new(&path), strategy) {
        Ok(()) => {}
        Err(error) => {
            assert_eq!(error.file_state(), FileState::Unchanged, "{error}");
            let expected = matches!(
                error,
                Error::SizeLimit { .. } | Error::JournalUnwritable { .. } | Error::Io { .. }
            );
            assert!(expected || is_refused(&error), "{error:?}");
        }
    }
}

fn limited(path: &Path, strategy: Strategy) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "limited_process", "--test-threads=1"]);
    command.env("LIMITED_PATH", path).env("LIMITED_STRATEGY", strategy.to_string());
    command
}

/// Old or new, and nothing beside it.
fn is_whole(path: &Path, what: &str) -> bool {
    let _ = recover(path).unwrap();
    let contents = fs::read(path).unwrap();
    assert!(contents == old() || contents == new(), "{what}: neither old nor new");
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "{what}: something is left"
    );
    contents == new()
}

#[test]
fn a_limit_of_file_sizes() {
    for strategy in strategies() {
        let mut outcomes = [0; 2];
        for limit in [0, 1, 4096, 8192, 20_000, 80_000, 85_000, 89_000, 100_000, 200_000] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("data");
            fs::write(&path, old()).unwrap();
            let output =
                limited(&path, strategy).env("LIMITED_SIZE", limit.to_string()).output().unwrap();
            assert!(output.status.success(), "{strategy}, {limit}: {output:?}");
            outcomes[usize::from(is_whole(&path, &format!("{strategy}, limit {limit}")))] += 1;
        }
        println!("limit of file sizes, {strategy}: {outcomes:?} old and new");
    }
}

#[test]
fn a_directory_that_cannot_be_written() {
    for strategy in strategies() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let path = inner.join("data");
        fs::write(&path, old()).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o555)).unwrap();
        let program = directory.path().join("program");
        // By a process of its own: a descriptor open for writing, inherited by a child of another test, would make
        // starting the copy fail with "text file busy".
        let copied =
            Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
        assert!(copied.unwrap().success());
        let mut command = Command::new(&program);
        command.args(["--exact", "limited_process", "--test-threads=1"]);
        command.env("LIMITED_PATH", &path).env("LIMITED_STRATEGY", strategy.to_string());
        if rustix::process::geteuid().is_root() {
            command.uid(65534);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{strategy}: {output:?}");
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        is_whole(&path, &format!("{strategy} in a read-only directory"));
    }
}

#[test]
fn what_others_do_before_the_commit() {
    let acts: [fn(&File); 3] = [
        |file| file.set_len(1000).unwrap(),
        |file| file.write_all_at(b"appended", file.metadata().unwrap().len()).unwrap(),
        |file| file.write_all_at(b"overwritten", 50).unwrap(),
    ];
    for strategy in strategies() {
        for act in acts {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("data");
            fs::write(&path, old()).unwrap();
            let mut file = SpliceFile::open(&path).unwrap();
            file.insert(5, "new").unwrap();
            act(&File::options().write(true).open(&path).unwrap());
            let theirs = fs::read(&path).unwrap();
            let outcome = file.commit_with(CommitOptions::new().strategy(strategy));
            match outcome {
                Err(Error::Changed { .. }) => {}
                Err(error) if is_refused(&error) => {}
                outcome => panic!("{strategy}: {outcome:?}"),
            }
            assert!(fs::read(&path).unwrap() == theirs, "{strategy}: their change is gone");
        }
    }
}

#[test]
fn a_journal_that_cannot_be_removed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("data");
    let journal = path.with_file_name(".data.bytesplice");
    fs::write(&path, old()).unwrap();
    let mut file = SpliceFile::open(&path).unwrap();
    file.insert(5, "new").unwrap();
    let mut changed = false;
    // Others change the file while the journal is written, and put a directory in the place of the journal.
    let mut progress = |_| {
        if !std::mem::replace(&mut changed, true) {
            File::options().append(true).open(&path).unwrap().write_all(b"appended").unwrap();
            fs::remove_file(&journal).unwrap();
            fs::create_dir(&journal).unwrap();
        }
    };
    let options = CommitOptions::new().strategy(Strategy::Journaled).progress(&mut progress);
    let error = file.commit_with(options).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("was changed by others"), "{text}");
    assert!(text.contains(&format!("{} is left", journal.display())), "{text}");
    assert_eq!(error.file_state(), FileState::Recoverable { journal: journal.clone() });
    let Error::LeftBehind { error, .. } = error else { panic!("{text}") };
    assert!(matches!(*error, Error::Changed { .. }));
    // Not one byte of the file was written by the commit.
    assert!(fs::read(&path).unwrap() == [&old()[..], b"appended"].concat());
}

#[test]
fn hard_links_and_attributes() {
    for strategy in strategies() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("data"), directory.path().join("link"));
        fs::write(&path, old()).unwrap();
        let set = rustix::fs::setxattr(&path, "user.mine", b"kept", XattrFlags::empty());
        fs::hard_link(&path, &link).unwrap();
        match commit(&path, strategy) {
            Err(error) if is_refused(&error) => {
                assert!(fs::read(&path).unwrap() == old());
            }
            outcome => {
                outcome.unwrap();
                assert!(fs::read(&path).unwrap() == new(), "{strategy}");
            }
        }
        if set.is_ok() {
            let mut value = [0; 16];
            let len = rustix::fs::getxattr(&path, "user.mine", &mut value).unwrap();
            assert_eq!(&value[..len], b"kept", "{strategy}");
            assert!(rustix::fs::getxattr(&path, "user.bytesplice", &mut value).is_err());
        }
        // Who changes the inode leaves the other name to the old one; whoever does not, shows the new contents there.
        let same = fs::metadata(&path).unwrap().ino() == fs::metadata(&link).unwrap().ino();
        let linked = fs::read(&link).unwrap();
        assert!(linked == if same { fs::read(&path).unwrap() } else { old() }, "{strategy}");
    }
}
