use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells one state of the bytes of one file from another, as far as the system lets us see it.
///
/// The time of the last change of the inode is no part of it: a new mode, owner, link, name or attribute changes no byte. The
/// price is a write whose modification time was put back, which looks like no change.
///
/// It holds within one process and one mount only: device numbers and times mean nothing later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Number of the device.
    pub device: u64,
    /// Number of the inode.
    pub inode: u64,
    /// Length in bytes.
    pub len: u64,
    /// Time of the last change of the contents: seconds and nanoseconds.
    pub mtime: (i64, i64),
}

impl Identity {
    /// The identity of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from(&file.metadata()?))
    }

    /// The identity of the file that `path` leads to, through symlinks.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&std::fs::metadata(path)?))
    }

    /// Device and inode: the same for all links to one file.
    pub fn key(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// What became different between this state and the later state `now`, in words.
    pub fn difference(&self, now: &Self) -> Option<String> {
        if self.key() != now.key() {
            Some("another file is at this path".to_owned())
        } else if self.len != now.len {
            Some(format!("its length went from {} to {} bytes", self.len, now.len))
        } else if self.mtime != now.mtime {
            Some("its modification time changed".to_owned())
        } else {
            None
        }
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_in_words() {
        let old = Identity { device: 1, inode: 2, len: 10, mtime: (3, 4) };
        let words = |now: Identity| old.difference(&now);
        assert_eq!(words(old), None);
        assert_eq!(
            words(Identity { inode: 9, len: 0, ..old }).unwrap(),
            "another file is at this path"
        );
        assert_eq!(
            words(Identity { len: 12, mtime: (9, 9), ..old }).unwrap(),
            "its length went from 10 to 12 bytes"
        );
        assert_eq!(
            words(Identity { mtime: (3, 5), ..old }).unwrap(),
            "its modification time changed"
        );
    }
}
