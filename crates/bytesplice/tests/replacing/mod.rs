//! What the tests of commits by replacing have in common.

use std::fs;
use std::path::{Path, PathBuf};

use bytesplice::{CommitOptions, Result, SpliceFile, Strategy};
use rustix::fs::XattrFlags;

pub fn by_replacing<'a>() -> CommitOptions<'a> {
    CommitOptions::new().strategy(Strategy::Replace)
}

pub fn commit(file: &mut SpliceFile) -> Result<()> {
    file.commit_with(by_replacing())
}

pub struct Place {
    pub directory: tempfile::TempDir,
    pub path: PathBuf,
}

impl Place {
    pub fn new(contents: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        fs::write(&path, contents).unwrap();
        Self { directory, path }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn beside(&self) -> PathBuf {
        self.at(".data.bytesplice-new")
    }

    pub fn contents(&self) -> String {
        String::from_utf8(fs::read(&self.path).unwrap()).unwrap()
    }
}

pub fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn numbers(len: u32) -> Vec<u8> {
    (0..len / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, XattrFlags::empty()).unwrap();
}
