//! Opening: links, files without a name, permissions, locks.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use bytesplice::{Content, Error, LockMode, OpenOptions, SpliceFile};

fn target() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("target");
    fs::write(&path, "0123456789").unwrap();
    (directory, path)
}

fn contents(file: &SpliceFile) -> String {
    let mut text = String::new();
    file.reader().read_to_string(&mut text).unwrap();
    text
}

fn locked(outcome: bytesplice::Result<SpliceFile>) -> bool {
    matches!(outcome, Err(Error::Locked { .. }))
}

#[test]
fn symlinks_are_resolved() {
    let (directory, path) = target();
    let link = directory.path().join("link");
    symlink("target", &link).unwrap();
    let file = SpliceFile::open(&link).unwrap();
    assert_eq!((file.path(), file.is_read_only()), (&*path, false));
}

#[test]
fn create_makes_an_empty_file_and_keeps_an_old_one() {
    let (directory, path) = target();
    let create = OpenOptions::new().create(true);
    assert_eq!(contents(&create.open(&path).unwrap()), "0123456789");
    let new = directory.path().join("new");
    let dangling = directory.path().join("dangling");
    symlink("new", &dangling).unwrap();
    let mut file = create.open(&dangling).unwrap();
    assert!(new.exists() && file.is_empty() && !file.is_modified());
    file.append("text").unwrap();
    assert_eq!(contents(&file), "text");
    let none = directory.path().join("none");
    assert!(create.read_only(true).open(&none).is_err() && !none.exists());
}

#[test]
fn a_read_only_handle_takes_edits() {
    let (_directory, path) = target();
    let options = OpenOptions::new().read_only(true);
    let mut file = options.open(&path).unwrap();
    assert!(file.is_read_only());
    file.insert(3, "abc").unwrap();
    assert_eq!(contents(&file), "012abc3456789");
    let _other_reader = options.open(&path).unwrap();
    assert!(locked(SpliceFile::open(&path)));
}

#[test]
fn a_running_program_opens_read_only() {
    let file = SpliceFile::open(std::env::current_exe().unwrap()).unwrap();
    if !file.is_read_only() {
        println!("skipped: this kernel allows writing to running programs");
    }
    assert!(file.len() > 4);
}

#[test]
fn an_open_file_is_opened_anew() {
    let (_directory, path) = target();
    let mut given = fs::OpenOptions::new().read(true).append(true).open(&path).unwrap();
    given.seek(SeekFrom::Start(4)).unwrap();
    given.try_lock_shared().unwrap();
    // The caller's own lock is on another description: ours is refused, theirs stays.
    assert!(locked(SpliceFile::from_file(given.try_clone().unwrap())));
    let other = fs::File::open(&path).unwrap();
    assert!(other.try_lock().is_err());
    given.unlock().unwrap();
    let file = SpliceFile::from_file(given.try_clone().unwrap()).unwrap();
    assert_eq!((file.path(), file.is_read_only()), (&*path, false));
    assert_eq!(contents(&file), "0123456789");
    assert_eq!(given.stream_position().unwrap(), 4);
    drop(file);
    given.try_lock().unwrap();
}

#[test]
fn files_without_a_name() {
    let (_directory, path) = target();
    let given = fs::File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let door = format!("/dev/fd/{}", given.as_raw_fd());
    assert_eq!(contents(&SpliceFile::open(door).unwrap()), "0123456789");
    let mut file = SpliceFile::from_file(given).unwrap();
    assert_eq!(file.path(), path);
    file.splice(5..5, Content::copy(..)).unwrap();
    assert_eq!(contents(&file), "01234012345678956789");

    let memory = rustix::fs::memfd_create("memory", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut memory = fs::File::from(memory);
    memory.write_all(b"in memory").unwrap();
    let file = SpliceFile::from_file(memory).unwrap();
    assert_eq!((contents(&file).as_str(), file.is_read_only()), ("in memory", false));
}

#[test]
fn locks_last_as_long_as_the_handle() {
    let (_directory, path) = target();
    let file = SpliceFile::open(&path).unwrap();
    assert!(locked(SpliceFile::open(&path)));
    assert!(locked(OpenOptions::new().read_only(true).open(&path)));
    let free = OpenOptions::new().lock(LockMode::None);
    let _two_more = (free.open(&path).unwrap(), free.open(&path).unwrap());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| OpenOptions::new().lock(LockMode::Wait).open(&path).map(drop));
        drop(file);
        waiting.join().unwrap().unwrap();
    });
    SpliceFile::open(&path).unwrap();
}

#[test]
fn who_waited_gets_the_file_that_is_there_then() {
    let (directory, path) = target();
    let file = SpliceFile::open(&path).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| OpenOptions::new().lock(LockMode::Wait).open(&path));
        std::thread::sleep(std::time::Duration::from_millis(50));
        let new = directory.path().join("new");
        fs::write(&new, "replaced").unwrap();
        fs::rename(&new, &path).unwrap();
        drop(file);
        assert_eq!(contents(&waiting.join().unwrap().unwrap()), "replaced");
    });
}

const HIDDEN: &str = "BYTESPLICE_HIDDEN_PATH";

/// What the process does that may not search the directory of a file which it has open.
#[test]
fn process_with_a_hidden_file() {
    let Some(path) = std::env::var_os(HIDDEN).map(PathBuf::from) else { return };
    let open = || fs::File::options().read(true).write(true).open(&path).unwrap();
    let files = [open(), open()];
    let directory = path.parent().unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o000)).unwrap();
    let [file, removed] = files;
    let outcome = SpliceFile::from_file(file);
    assert!(matches!(outcome, Err(Error::Open { .. })), "{outcome:?}");
    // A file that has no name is known by its link count, wherever its name was.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(&path).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o000)).unwrap();
    let mut nameless = SpliceFile::from_file(removed).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    nameless.append("x").unwrap();
    nameless.commit().unwrap();
}

#[test]
fn a_file_whose_name_cannot_be_looked_at_is_not_one_without_a_name() {
    let (directory, path) = target();
    let program = directory.path().join("program");
    // The copy is made by another process: a descriptor open for writing, inherited by a child of another test, would
    // make starting it fail with "text file busy".
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let hidden = directory.path().join("hidden");
    fs::create_dir(&hidden).unwrap();
    fs::rename(&path, hidden.join("target")).unwrap();
    let mut command = Command::new(&program);
    command.args(["--exact", "process_with_a_hidden_file", "--test-threads=1"]);
    command.env(HIDDEN, hidden.join("target"));
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for path in [hidden.clone(), hidden.join("target")] {
            std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
        }
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
