//! Who else has a file open for writing, as far as `/proc` shows it to this process: see proc(5).

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use super::lease::{self, Answer};

/// A process that has the file open for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer {
    /// Its process ID.
    pub pid: u32,
    /// Its name, as the kernel knows it (at most 15 bytes).
    pub name: String,
    /// Whether all its descriptors of the file append (O_APPEND).
    pub appends: bool,
}

impl fmt::Display for Writer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (process {})", self.name.escape_debug(), self.pid)
    }
}

/// Names of processes for a message.
pub(crate) fn listed(writers: &[Writer]) -> String {
    let names: Vec<String> = writers.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The other processes that have the file open for writing for more than an instant: `echo LINE >> FILE` is waited for, and so is
/// a child that this process has just forked, which has all its descriptors until it runs its program. None while nobody but
/// this process has the file open.
pub(crate) fn that_stay(file: &File) -> io::Result<Vec<Writer>> {
    const TRIES: u32 = 50;
    const BETWEEN_TRIES: Duration = Duration::from_millis(2);
    let mut found = Vec::new();
    for _ in 0..TRIES {
        if let Answer::Alone(()) = lease::while_alone(file, || ()) {
            return Ok(Vec::new());
        }
        found = of(file)?;
        if found.is_empty() {
            break;
        }
        thread::sleep(BETWEEN_TRIES);
    }
    Ok(found)
}

/// The other processes that have the file open for writing. Processes of other users are seen by privileged processes
/// only. O(descriptors of all processes that can be seen).
pub(crate) fn of(file: &File) -> io::Result<Vec<Writer>> {
    let metadata = file.metadata()?;
    let key = (metadata.dev(), metadata.ino());
    let Ok(processes) = fs::read_dir("/proc") else { return Ok(Vec::new()) };
    let ourselves = std::process::id();
    let mut writers = Vec::new();
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid != ourselves
            && let Some(appends) = writes(pid, key)
        {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            writers.push(Writer { pid, name: name.trim_end().into(), appends });
        }
    }
    writers.sort_by_key(|writer| writer.pid);
    Ok(writers)
}

/// Whether a process can write to the file: then, whether all it can do is to append. What cannot be seen is skipped: the
/// process may have ended, or belong to another user.
fn writes(pid: u32, key: (u64, u64)) -> Option<bool> {
    let mut found = None;
    for descriptor in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
        let Ok(metadata) = fs::metadata(descriptor.path()) else { continue };
        if (metadata.dev(), metadata.ino()) != key {
            continue;
        }
        let number = descriptor.file_name();
        let number = number.to_string_lossy();
        let Ok(info) = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")) else { continue };
        let Some(flags) = flags_of(&info) else { continue };
        if flags & 0o3 != 0 {
            let appends = rustix::fs::OFlags::APPEND.bits();
            found = Some(found.unwrap_or(true) && flags & appends != 0);
        }
    }
    found
}

/// The flags of an open file description, as `/proc/PID/fdinfo/N` gives them in octal.
fn flags_of(info: &str) -> Option<u32> {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(flags.trim(), 8).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_appends_is_seen_and_a_reader_is_not() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let file = target.reopen().unwrap();
        assert_eq!(of(&file).unwrap(), []);
        let holding = |mode: &str| {
            Command::new("sh")
                .args(["-c", &format!("exec 3{mode}\"$0\"; echo open; read line")])
                .arg(target.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let opened = |child: &mut std::process::Child| {
            let mut line = [0; 5];
            io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        };
        for (mode, expected) in [("<", None), (">>", Some(true)), ("<>", Some(false))] {
            let mut child = holding(mode);
            opened(&mut child);
            let found = of(&file).unwrap();
            let found = found.iter().find(|writer| writer.pid == child.id());
            assert_eq!(found.map(|writer| writer.appends), expected, "{mode}");
            assert!(
                found.is_none_or(|writer| writer.to_string().contains(&child.id().to_string()))
            );
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }

    #[test]
    fn flags_are_octal() {
        assert_eq!(flags_of("pos:\t0\nflags:\t0102001\nmnt_id:\t29\n"), Some(0o102_001));
        assert_eq!(flags_of("pos:\t0\n"), None);
    }
}
