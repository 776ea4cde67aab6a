//! Journals that earlier versions of this library left: they are still recovered. Each folder of `golden/` holds the file and
//! the journal of a commit that was killed; its name says which commit and where, and whether the inode was marked. What
//! identifies them, inodes and births, is put in anew here.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytesplice::{Recovery, recover};
use rustix::fs::XattrFlags;
use rustix::io::Errno;

const PAGE: u64 = 4096;
const HEADER_LEN: usize = 192;
// Offsets of fields in the header of version 1.
const NONCE: usize = 16;
const INODE: usize = 24;
const BIRTH: usize = 32;
const JOURNAL: usize = 40;

fn old() -> Vec<u8> {
    (0..6_000_u32).flat_map(|number| (number * 7919).to_le_bytes()).collect()
}

/// The new contents of the commit of this name.
fn new(name: &str) -> Vec<u8> {
    let mut contents = old();
    // Offsets in the old file, so from the back.
    match name {
        "journaled" | "snapshot" => {
            contents.splice(14_000..14_000, [b'+'; 300]);
            contents.drain(5_000..5_100);
            contents.splice(10..14, *b"wxyz");
        }
        "shrunk" => {
            contents.drain(5_000..9_100);
            contents.splice(10..14, *b"wxyz");
        }
        "shift" => drop(contents.splice(8_192..8_192, [b'#'; 8_192])),
        other => panic!("no edits are known of {other}"),
    }
    contents
}

fn inode_and_birth(path: &Path) -> (u64, u64) {
    let metadata = fs::metadata(path).unwrap();
    let birth = metadata.created().ok().and_then(|birth| birth.duration_since(UNIX_EPOCH).ok());
    (metadata.ino(), birth.map_or(0, |birth| birth.as_nanos() as u64))
}

/// Puts a file and its journal into a directory, as if the commit had been killed there. Gives the path of the file, or why
/// it cannot be had.
fn lay_out(golden: &Path, directory: &Path, marked: bool) -> Result<PathBuf, String> {
    let [path, journal] = ["data", ".data.bytesplice"].map(|name| directory.join(name));
    fs::copy(golden.join("data"), &path).unwrap();
    fs::copy(golden.join("journal"), &journal).unwrap();
    let file = File::options().read(true).write(true).open(&journal).unwrap();
    let mut header = [0; HEADER_LEN];
    file.read_exact_at(&mut header, 0).unwrap();
    let (inode, birth) = inode_and_birth(&path);
    let (journal_inode, journal_birth) = inode_and_birth(&journal);
    for (at, number) in
        [(INODE, inode), (BIRTH, birth), (JOURNAL, journal_inode ^ journal_birth.rotate_left(32))]
    {
        header[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    let crc = crc32fast::hash(&header[..HEADER_LEN - 4]);
    header[HEADER_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    file.write_all_at(&header, 0).unwrap();
    file.write_all_at(&header, 3 * PAGE).unwrap();
    if marked {
        let mark = [&header[NONCE..NONCE + 8], journal.as_os_str().as_bytes()].concat();
        match rustix::fs::setxattr(&path, "user.bytesplice", &mark, XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOTSUP) => return Err("files carry no attributes here".into()),
            Err(error) => panic!("{error}"),
        }
    }
    Ok(path)
}

#[test]
fn journals_of_version_1_are_recovered() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1");
    let mut recovered = 0;
    for golden in fs::read_dir(goldens).unwrap() {
        let golden = golden.unwrap().path();
        let name = golden.file_name().unwrap().to_str().unwrap().to_owned();
        let directory = tempfile::tempdir().unwrap();
        let path = match lay_out(&golden, directory.path(), name.ends_with("-marked")) {
            Ok(path) => path,
            Err(reason) => {
                println!("SKIPPED {name}: {reason}");
                continue;
            }
        };
        let shifts = bytesplice::support(&path).unwrap().shifts_extents;
        if name.starts_with("shift-begun-2") && shifts != Some(true) {
            println!("SKIPPED {name}: extents cannot be shifted here");
            continue;
        }
        let outcome = recover(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let prepared =
            name.starts_with("journaled-prepared") || name.starts_with("shift-begun-marked");
        let (expected, contents) = if prepared {
            (Recovery::RolledBack, old())
        } else {
            (Recovery::Completed, new(name.split('-').next().unwrap()))
        };
        assert_eq!(outcome, expected, "{name}");
        assert!(fs::read(&path).unwrap() == contents, "{name}: a mixture");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "{name}: something is left");
        recovered += 1;
    }
    println!("{recovered} journals of version 1 recovered");
    assert!(recovered > 0);
}
