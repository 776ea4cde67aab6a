//! Locks of open file descriptions by fcntl(2), for file systems that know no flock.
//!
//! Unlike the older record locks of processes they belong to the open file description: another descriptor of the file that
//! this process closes does not release them, and the end of the process does.

use std::fs::File;
use std::io;

/// What is asked of a lock of the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Shared with others that read.
    Shared,
    /// Held alone.
    Exclusive,
    /// Given back.
    Unlock,
}

/// Carries the request out, and waits for others if `wait` says so.
///
/// # Errors
/// `WouldBlock` if others hold the file and there is no waiting; `Unsupported` where there are no such locks.
#[cfg(target_os = "linux")]
pub(crate) fn lock(file: &File, request: Request, wait: bool) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let kind = match request {
        Request::Shared => libc::F_RDLCK,
        Request::Exclusive => libc::F_WRLCK,
        Request::Unlock => libc::F_UNLCK,
    };
    // Offset and length 0: the whole file, however long it gets. The process ID must be 0.
    let whole = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    // SAFETY: the descriptor is open as long as `file` is borrowed, and `whole` is a flock that the kernel reads within the
    // call.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const whole) };
    if answer != -1 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => io::ErrorKind::WouldBlock.into(),
        Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::EINVAL | libc::ENOLCK) => {
            io::ErrorKind::Unsupported.into()
        }
        _ => error,
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn lock(_file: &File, _request: Request, _wait: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_writer_excludes_everybody_until_it_unlocks_or_is_closed() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let [one, other] = [(); 2].map(|()| target.reopen().unwrap());
        let refused = |request| {
            let error = lock(&other, request, false).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        };
        lock(&one, Request::Exclusive, false).unwrap();
        refused(Request::Shared);
        refused(Request::Exclusive);
        // Another descriptor that is closed releases nothing.
        drop(target.reopen().unwrap());
        refused(Request::Shared);
        lock(&one, Request::Unlock, false).unwrap();
        lock(&other, Request::Shared, false).unwrap();
        lock(&one, Request::Shared, true).unwrap();
        let error = lock(&one, Request::Exclusive, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(other);
        lock(&one, Request::Exclusive, true).unwrap();
    }
}
