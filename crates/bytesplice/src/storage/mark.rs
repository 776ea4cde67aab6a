//! The mark: an extended attribute of the target that names the commit under way and the place of its journal.
//!
//! Its value is the nonce of the commit (8 bytes, little-endian), the tag of the kind of path (one byte), and the path of
//! the journal. Marks of journals of version 1 have no tag: their path is absolute and begins with `/`.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

#[cfg(target_os = "macos")]
const NAME: &str = "bytesplice";
#[cfg(not(target_os = "macos"))]
const NAME: &str = "user.bytesplice";
#[cfg(target_os = "macos")]
const MISSING: Errno = Errno::NOATTR;
#[cfg(not(target_os = "macos"))]
const MISSING: Errno = Errno::NODATA;

/// The tag of a path that is bytes, as on Unix. Paths of other systems will have other tags.
const UNIX_PATH: u8 = 1;

/// What the inode of a file says of commits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileMark {
    /// The file system cannot mark inodes.
    Unsupported,
    /// No commit is under way.
    Absent,
    /// A commit is under way.
    Present {
        /// The nonce of the commit.
        nonce: u64,
        /// The absolute path that its journal had when the commit began.
        journal: PathBuf,
    },
}

/// Reads the mark of a file.
///
/// # Errors
/// `InvalidData` if the attribute is no mark.
pub(crate) fn read(file: &File) -> io::Result<FileMark> {
    let mut buffer = [0; 9 + 4096];
    match fgetxattr(file, NAME, &mut buffer[..]) {
        Ok(len) => decode(&buffer[..len]).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the mark on the inode is damaged")
        }),
        Err(MISSING) => Ok(FileMark::Absent),
        Err(Errno::NOTSUP | Errno::NOSYS) => Ok(FileMark::Unsupported),
        Err(error) => Err(error.into()),
    }
}

/// Marks a file; false where that is not possible, so that the journal is found by its name only.
pub(crate) fn write(file: &File, nonce: u64, journal: &Path) -> io::Result<bool> {
    let value = [&nonce.to_le_bytes()[..], &[UNIX_PATH], journal.as_os_str().as_bytes()].concat();
    match rustix::io::retry_on_intr(|| fsetxattr(file, NAME, &value, XattrFlags::empty())) {
        Ok(()) => Ok(true),
        // No attributes here, or no room for one.
        Err(
            Errno::NOTSUP
            | Errno::NOSYS
            | Errno::NOSPC
            | Errno::DQUOT
            | Errno::RANGE
            | Errno::TOOBIG,
        ) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes the mark off a file. Where marks cannot be read either, there is none; any other refusal is an error.
pub(crate) fn remove(file: &File) -> io::Result<()> {
    match rustix::io::retry_on_intr(|| fremovexattr(file, NAME)) {
        Ok(()) | Err(MISSING) => Ok(()),
        // A file system that was mounted without attributes may still have the mark on the disk.
        Err(error @ (Errno::NOTSUP | Errno::NOSYS)) => match read(file) {
            Ok(FileMark::Unsupported) => Ok(()),
            _ => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn decode(value: &[u8]) -> Option<FileMark> {
    let (nonce, rest) = value.split_first_chunk::<8>()?;
    let path = match rest {
        [UNIX_PATH, path @ ..] if !path.is_empty() => path,
        // Version 1.
        [b'/', ..] => rest,
        _ => return None,
    };
    let nonce = u64::from_le_bytes(*nonce);
    Some(FileMark::Present { nonce, journal: OsStr::from_bytes(path).into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_both_versions_are_read() {
        let mark = FileMark::Present { nonce: 0x0807_0605_0403_0201, journal: "/a/.b".into() };
        assert_eq!(decode(b"\x01\x02\x03\x04\x05\x06\x07\x08/a/.b").unwrap(), mark);
        assert_eq!(decode(b"\x01\x02\x03\x04\x05\x06\x07\x08\x01/a/.b").unwrap(), mark);
        for damaged in [&b""[..], b"1234567", b"12345678", b"12345678\x01", b"12345678\x02/a"] {
            assert_eq!(decode(damaged), None, "{damaged:?}");
        }
    }
}
