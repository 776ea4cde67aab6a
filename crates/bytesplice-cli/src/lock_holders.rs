//! Who holds the lock of a file, as far as the system tells.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::output::printable;

/// A process that holds a lock on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Its number.
    pub process: u32,
    /// The name of its program, if that can be seen.
    pub program: Option<String>,
    /// Whether it holds the file for writing, so that nobody else may read.
    pub writes: bool,
}

/// The processes that hold the lock of the file at `path`, from `/proc/locks`: none where the system does not tell, as of
/// processes outside of the container.
pub fn lock_holders(path: &Path) -> Vec<LockHolder> {
    let (Ok(locks), Ok(file)) = (fs::read_to_string("/proc/locks"), fs::metadata(path)) else {
        return Vec::new();
    };
    let mut holders: Vec<LockHolder> = Vec::new();
    for (process, writes, place) in locks.lines().filter_map(flock) {
        // On some file systems (btrfs) locks have another device number than files: then the open files of the process decide.
        let is_here = place == device_and_inode(file.dev(), file.ino())
            || (place.ends_with(&format!(":{}", file.ino()))
                && has_open(process, file.dev(), file.ino()));
        if is_here
            && process != std::process::id()
            && !holders.iter().any(|it| it.process == process)
        {
            let program = fs::read_to_string(format!("/proc/{process}/comm")).ok();
            let program = program.map(|name| printable(name.trim_end()));
            holders.push(LockHolder { process, program, writes });
        }
    }
    holders
}

/// A line of `/proc/locks` about a held flock: the process, whether it writes, and `MAJOR:MINOR:INODE`. See proc_locks(5).
fn flock(line: &str) -> Option<(u32, bool, &str)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    // Who waits has an arrow here.
    if words.next()? != "FLOCK" {
        return None;
    }
    let mode = words.nth(1)?;
    Some((words.next()?.parse().ok()?, mode == "WRITE", words.next()?))
}

fn device_and_inode(device: u64, inode: u64) -> String {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    format!("{major:02x}:{minor:02x}:{inode}")
}

fn has_open(process: u32, device: u64, inode: u64) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.flatten().any(|entry| {
        fs::metadata(entry.path()).is_ok_and(|file| (file.dev(), file.ino()) == (device, inode))
    })
}

impl fmt::Display for LockHolder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "process {}", self.process)?;
        match &self.program {
            Some(program) => write!(out, ", {program}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_locks() {
        for (line, found) in [
            ("1: FLOCK  ADVISORY  WRITE 4242 08:01:131 0 EOF", Some((4242, true, "08:01:131"))),
            ("2: FLOCK  ADVISORY  READ 7 fe:00:9 0 EOF", Some((7, false, "fe:00:9"))),
            ("2: -> FLOCK  ADVISORY  WRITE 8 fe:00:9 0 EOF", None),
            ("3: POSIX  ADVISORY  WRITE 9 fe:00:9 0 EOF", None),
            ("3: OFDLCK ADVISORY  WRITE -1 fe:00:9 0 EOF", None),
            ("", None),
        ] {
            assert_eq!(flock(line), found, "{line}");
        }
        assert_eq!(device_and_inode(0x801, 131), "08:01:131");
    }

    #[test]
    fn our_own_locks_are_not_told_and_missing_files_have_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().lock().unwrap();
        assert_eq!(lock_holders(file.path()), []);
        assert_eq!(lock_holders(Path::new("/no/such/file")), []);
    }
}
