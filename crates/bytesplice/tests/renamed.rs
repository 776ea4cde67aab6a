//! What others do to the inode and the name of a file between its opening and its commit. A change that touches no byte does
//! not refuse the commit, and the commit follows the file to its new name.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytesplice::{CommitOptions, Content, Error, FileState, SpliceFile, Strategy};
use rustix::fs::XattrFlags;

const OLD: &[u8] = b"0123456789";
const NEW: &[u8] = b"01234new56789";
const STRATEGIES: [Strategy; 4] =
    [Strategy::Auto, Strategy::Journaled, Strategy::Replace, Strategy::Direct];

/// A directory with a directory `here`, in which is the file `data`.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("here")).unwrap();
        fs::write(root.path().join("here/data"), OLD).unwrap();
        Self { root }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    /// The file, open and edited.
    fn edited(&self) -> SpliceFile {
        let mut file = SpliceFile::open(self.at("here/data")).unwrap();
        file.insert(5, "new").unwrap();
        file
    }

    /// Names of all files in a directory.
    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(directory)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn commit(file: &mut SpliceFile, strategy: Strategy) -> bytesplice::Result<()> {
    file.commit_with(CommitOptions::new().strategy(strategy))
}

fn change_in(outcome: bytesplice::Result<()>) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.file_state(), FileState::Unchanged);
    match error {
        Error::Changed { what, .. } | Error::SourceChanged { what, .. } => what,
        error => panic!("{error:?}"),
    }
}

#[test]
fn changes_of_the_inode_alone_are_no_changes_by_others() {
    let acts: [fn(&Path); 4] = [
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap(),
        |path| fs::hard_link(path, path.with_file_name("link")).unwrap(),
        |path| {
            let set = rustix::fs::setxattr(path, "user.theirs", b"value", XattrFlags::empty());
            if set.is_err() {
                println!("SKIPPED attributes: this file system has none");
            }
        },
        |path| {
            fs::rename(path, path.with_file_name("away")).unwrap();
            fs::rename(path.with_file_name("away"), path).unwrap();
        },
    ];
    for strategy in STRATEGIES {
        for act in acts {
            let place = Place::new();
            let path = place.at("here/data");
            let mut file = place.edited();
            act(&path);
            commit(&mut file, strategy).unwrap();
            assert_eq!(fs::read(&path).unwrap(), NEW, "{strategy}");
        }
    }
}

#[test]
fn a_write_with_its_time_put_back_goes_unnoticed() {
    // The price of the above, which docs/guarantees.md tells.
    let place = Place::new();
    let path = place.at("here/data");
    let mut file = place.edited();
    let others = File::options().write(true).open(&path).unwrap();
    let modified = others.metadata().unwrap().modified().unwrap();
    others.write_all_at(b"X", 8).unwrap();
    others.set_times(fs::FileTimes::new().set_modified(modified)).unwrap();
    commit(&mut file, Strategy::Journaled).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"01234new567X9");
}

#[test]
fn a_changed_time_or_length_is_a_change_by_others() {
    for strategy in STRATEGIES {
        let place = Place::new();
        let path = place.at("here/data");
        let mut file = place.edited();
        let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
        assert_eq!(change_in(commit(&mut file, strategy)), "its modification time changed");
        assert_eq!(fs::read(&path).unwrap(), OLD);
    }
}

#[test]
fn a_renamed_file_is_followed() {
    let new_names = ["here/other", "there/data", "there/deep/other (deleted)"];
    for strategy in STRATEGIES {
        for name in new_names {
            let place = Place::new();
            fs::create_dir_all(place.at("there/deep")).unwrap();
            let mut file = place.edited();
            let inode = fs::metadata(place.at("here/data")).unwrap().ino();
            fs::rename(place.at("here/data"), place.at(name)).unwrap();
            commit(&mut file, strategy).unwrap();
            assert_eq!(file.path(), place.at(name));
            assert_eq!(fs::read(place.at(name)).unwrap(), NEW, "{strategy}");
            assert!(!place.at("here/data").exists());
            if strategy != Strategy::Replace {
                assert_eq!(fs::metadata(place.at(name)).unwrap().ino(), inode);
            }
            // The handle goes on at the new name.
            file.remove(5..8).unwrap();
            commit(&mut file, strategy).unwrap();
            assert_eq!(fs::read(place.at(name)).unwrap(), OLD);
            drop(file);
            let parent = Path::new(name).parent().unwrap().to_str().unwrap();
            assert!(place.names(parent).iter().all(|name| !name.starts_with('.')));
        }
    }
}

#[test]
fn a_file_whose_directory_was_renamed_is_followed() {
    for strategy in STRATEGIES {
        let place = Place::new();
        let mut file = place.edited();
        fs::rename(place.at("here"), place.at("there")).unwrap();
        // Somebody else's file in the place of the directory.
        fs::write(place.at("here"), "").unwrap();
        commit(&mut file, strategy).unwrap();
        assert_eq!(file.path(), place.at("there/data"));
        assert_eq!(fs::read(place.at("there/data")).unwrap(), NEW, "{strategy}");
        assert_eq!(place.names("there"), ["data"]);
    }
}

#[test]
fn the_journal_lies_beside_the_new_name() {
    let place = Place::new();
    fs::create_dir(place.at("there")).unwrap();
    let mut file = place.edited();
    fs::rename(place.at("here/data"), place.at("there/other")).unwrap();
    let mut seen = Vec::new();
    let mut progress = |_| seen.push((place.names("here"), place.names("there")));
    file.commit_with(CommitOptions::new().strategy(Strategy::Journaled).progress(&mut progress))
        .unwrap();
    let during = [".other.bytesplice", "other"].map(String::from).to_vec();
    assert!(seen.contains(&(Vec::new(), during)), "{seen:?}");
}

#[test]
fn another_file_at_the_path_is_refused_with_the_new_path() {
    for strategy in STRATEGIES {
        let place = Place::new();
        let mut file = place.edited();
        fs::rename(place.at("here/data"), place.at("here/data.1")).unwrap();
        fs::write(place.at("here/data"), "theirs").unwrap();
        let what = change_in(commit(&mut file, strategy));
        let new = place.at("here/data.1");
        assert_eq!(
            what,
            format!("another file is at this path, the opened one is now {}", new.display())
        );
        assert_eq!(fs::read(new).unwrap(), OLD);
        // As editors do when they save: the opened file has no name any more.
        let mut file = place.edited();
        fs::write(place.at("here/new"), "theirs").unwrap();
        fs::rename(place.at("here/new"), place.at("here/data")).unwrap();
        assert_eq!(change_in(commit(&mut file, strategy)), "another file is at this path");
        assert_eq!(fs::read(place.at("here/data")).unwrap(), b"theirs");
    }
}

#[test]
fn a_removed_file_is_committed_as_one_without_a_name() {
    for strategy in STRATEGIES {
        let place = Place::new();
        let mut reader = File::open(place.at("here/data")).unwrap();
        let mut file = place.edited();
        fs::remove_file(place.at("here/data")).unwrap();
        let outcome = commit(&mut file, strategy);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        match strategy {
            Strategy::Auto | Strategy::Direct => {
                outcome.unwrap();
                assert_eq!(bytes, NEW);
            }
            Strategy::Replace => {
                assert!(matches!(outcome, Err(Error::StrategyUnsupported { .. })), "{outcome:?}");
                assert_eq!(bytes, OLD);
            }
            _ => {
                assert!(matches!(outcome, Err(Error::JournalUnwritable { .. })), "{outcome:?}");
                assert_eq!(bytes, OLD);
            }
        }
        assert_eq!(place.names("here"), [""; 0]);
    }
}

#[test]
fn a_file_whose_other_names_are_not_known_is_refused() {
    for strategy in STRATEGIES {
        let place = Place::new();
        let mut file = place.edited();
        fs::hard_link(place.at("here/data"), place.at("here/link")).unwrap();
        fs::remove_file(place.at("here/data")).unwrap();
        assert_eq!(
            change_in(commit(&mut file, strategy)),
            "nothing is at this path any more; the file has 1 other name, which the system does not tell"
        );
        assert_eq!(fs::read(place.at("here/link")).unwrap(), OLD);
    }
}

#[test]
fn a_rename_during_the_commit_is_refused() {
    let place = Place::new();
    let mut file = place.edited();
    let mut renamed = false;
    let mut progress = |_| {
        if !std::mem::replace(&mut renamed, true) {
            fs::rename(place.at("here/data"), place.at("here/other")).unwrap();
        }
    };
    let options = CommitOptions::new().strategy(Strategy::Journaled).progress(&mut progress);
    assert_eq!(change_in(file.commit_with(options)), "nothing is at this path any more");
    // The next commit follows.
    commit(&mut file, Strategy::Journaled).unwrap();
    assert_eq!(fs::read(place.at("here/other")).unwrap(), NEW);
    assert_eq!(place.names("here"), ["other"]);
}

#[test]
fn sources_are_followed_too() {
    type Act = fn(&Path);
    let acts: [(Act, Option<&str>); 6] = [
        (|path| fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap(), None),
        (|path| fs::hard_link(path, path.with_file_name("link")).unwrap(), None),
        (|path| fs::rename(path, path.with_file_name("away")).unwrap(), None),
        (
            |path| {
                fs::rename(path.parent().unwrap(), path.ancestors().nth(2).unwrap().join("away"))
                    .unwrap();
            },
            None,
        ),
        (|path| fs::remove_file(path).unwrap(), Some("it was removed")),
        (|path| fs::write(path, "changed").unwrap(), Some("its length went from 3 to 7 bytes")),
    ];
    for (act, change) in acts {
        let place = Place::new();
        fs::create_dir(place.at("sources")).unwrap();
        let source = place.at("sources/source");
        fs::write(&source, "new").unwrap();
        let mut file = SpliceFile::open(place.at("here/data")).unwrap();
        file.splice(5..5, Content::file(&source).unwrap()).unwrap();
        act(&source);
        let outcome = file.commit();
        match change {
            None => {
                outcome.unwrap();
                assert_eq!(fs::read(place.at("here/data")).unwrap(), NEW);
            }
            Some(change) => assert_eq!(change_in(outcome), change),
        }
    }
}
