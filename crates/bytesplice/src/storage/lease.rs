//! The write lease of fcntl(2): while it is held, nobody else has the file open, and whoever opens it waits.
//!
//! It is the only way on Linux to look at the length of a file and to shorten it before anybody can append in between.
//! A lease is given to the owner of the file and to privileged processes, on local file systems, if no other descriptor
//! of the file is open anywhere. The kernel takes a lease away after 45 seconds (`/proc/sys/fs/lease-break-time`).

use std::fs::File;
#[cfg(target_os = "linux")]
use std::io;

/// What the system said when a lease was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// The lease was held, and this was done meanwhile.
    Alone(T),
    /// Others, or this process, have the file open by another descriptor.
    OpenElsewhere,
    /// The file system knows no leases, or this process may not have one on this file.
    Unavailable,
}

/// Does `work` while a write lease is held on the file.
///
/// `work` must not open the file: it would wait for the lease.
#[cfg(target_os = "linux")]
pub(crate) fn while_alone<T>(file: &File, work: impl FnOnce() -> T) -> Answer<T> {
    use std::os::fd::AsRawFd;

    let descriptor = file.as_raw_fd();
    let control = |command: libc::c_int, argument: libc::c_int| {
        // SAFETY: fcntl with these commands takes an integer and touches no memory of ours; the descriptor is open as
        // long as `file` is borrowed.
        let answer = unsafe { libc::fcntl(descriptor, command, argument) };
        if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // Who opens the file meanwhile makes the kernel send the holder a signal, SIGIO by default, which would end the process.
    // SIGURG is ignored by default, and no process is told of it once the descriptor has no owner.
    const F_SETSIG: libc::c_int = 10;
    let taken =
        control(F_SETSIG, libc::SIGURG).and_then(|()| control(libc::F_SETLEASE, libc::F_WRLCK));
    match taken {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Answer::OpenElsewhere,
        // Network file systems have their own words for it.
        Err(_) => return Answer::Unavailable,
    }
    // If it keeps its owner, the signal that nobody minds is sent.
    let _ = control(libc::F_SETOWN, 0);
    let done = work();
    // A lease that cannot be given back is taken away by the kernel, or goes with the file.
    let _ = control(libc::F_SETLEASE, libc::F_UNLCK);
    Answer::Alone(done)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn while_alone<T>(_file: &File, _work: impl FnOnce() -> T) -> Answer<T> {
    Answer::Unavailable
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn an_open_that_must_not_wait_is_tried_again() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let (refused, tell) = mpsc::channel();
        let opener = std::sync::Mutex::new(None);
        let answer = while_alone(&file, || {
            let path = path.to_path_buf();
            let mut options = fs::OpenOptions::new();
            std::os::unix::fs::OpenOptionsExt::custom_flags(
                options.read(true),
                crate::regular::never_wait(),
            );
            *opener.lock().unwrap() = Some(thread::spawn(move || {
                crate::regular::past_leases(|| {
                    let outcome = options.open(&path);
                    if outcome.is_err() {
                        let _ = refused.send(());
                    }
                    outcome
                })
            }));
            tell.recv().unwrap();
        });
        assert_eq!(answer, Answer::Alone(()));
        let opener = opener.lock().unwrap().take().unwrap();
        opener.join().unwrap().unwrap();
    }

    #[test]
    fn an_opener_waits_for_the_lease() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let path = target.path().to_path_buf();
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(while_alone(&file, || ()), Answer::OpenElsewhere);
        let path = target.into_temp_path();
        let (opening, opened) = mpsc::channel();
        let (told, tell) = mpsc::channel();
        let opener = {
            let path = path.to_path_buf();
            thread::spawn(move || {
                tell.recv().unwrap();
                let file = fs::OpenOptions::new().append(true).open(path).unwrap();
                opening.send(()).unwrap();
                file
            })
        };
        let answer = while_alone(&file, || {
            told.send(()).unwrap();
            // The lease is being broken once the kernel shows a lease that is.
            let inode = std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
            let broken = |line: &str| {
                line.contains("LEASE")
                    && line.contains("BREAKING")
                    && line.contains(&format!(":{inode} "))
            };
            while !fs::read_to_string("/proc/locks").unwrap().lines().any(broken) {
                thread::yield_now();
            }
            opened.try_recv().is_err()
        });
        assert_eq!(answer, Answer::Alone(true));
        opened.recv().unwrap();
        drop(opener.join().unwrap());
        assert_eq!(while_alone(&file, || 7), Answer::Alone(7));
    }
}
