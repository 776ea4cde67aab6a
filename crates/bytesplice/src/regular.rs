//! Opening regular files, and nothing else: a FIFO must not hang us, a device must not be spliced.

use std::fs::{self, File, FileType, Metadata};
use std::io::{BufReader, ErrorKind};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD};

use crate::storage::mount;
use crate::{Error, Result};

/// An open regular file.
pub(crate) struct Regular {
    /// Our own open file description.
    pub file: File,
    /// Its metadata just after opening.
    pub metadata: Metadata,
    /// Whether it could be opened for reading only.
    pub read_only: bool,
}

/// Opens `path`, which errors call `shown`: for reading, and with `writable` for writing too where that is allowed.
///
/// # Errors
/// [`Error::Open`], and [`Error::NotRegular`] for everything but a regular file.
pub(crate) fn open(path: &Path, shown: &Path, writable: bool) -> Result<Regular> {
    let failed = |source| Error::Open { path: shown.into(), source };
    // Look before opening: opening a device can have effects of its own.
    check_kind(fs::metadata(path).map_err(failed)?.file_type(), shown)?;
    let (file, read_only) = match open_with(path, writable) {
        Ok(file) => (file, !writable),
        Err(refused) if writable && forbids_writing(refused.kind()) => {
            (open_with(path, false).map_err(failed)?, true)
        }
        Err(source) => return Err(failed(source)),
    };
    let metadata = file.metadata().map_err(failed)?;
    check_kind(metadata.file_type(), shown)?;
    Ok(Regular { file, metadata, read_only })
}

/// Opens `path`, which errors call `shown`, for reading only, and finds out whether it could be opened for writing. That changes
/// nothing of the file: on overlayfs it is not opened for writing, which would copy it to the upper layer.
///
/// # Errors
/// The same as those of [`open`].
pub(crate) fn look(path: &Path, shown: &Path) -> Result<Regular> {
    let looked = open(path, shown, false)?;
    let read_only = if mount::copies_up(&looked.file) {
        rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_err()
    } else {
        open(path, shown, true)?.read_only
    };
    Ok(Regular { read_only, ..looked })
}

/// Opens something to be read from its beginning to its end: anything but a directory.
///
/// # Errors
/// [`Error::Open`], and [`Error::NotRegular`] for a directory.
pub(crate) fn open_stream(path: &Path) -> Result<BufReader<File>> {
    let failed = |source| Error::Open { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Error::NotRegular { path: path.into(), kind: "directory" });
    }
    Ok(BufReader::with_capacity(256 << 10, file))
}

/// Flags that keep an open from waiting, for the case that a FIFO takes the path after we looked.
pub(crate) fn never_wait() -> i32 {
    use rustix::fs::OFlags;
    (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
}

fn open_with(path: &Path, writable: bool) -> std::io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(writable).custom_flags(never_wait());
    past_leases(|| options.open(path))
}

/// Opens a file once nobody holds a lease on it any more, as another commit does while it shortens the file: an open that must
/// not wait is refused until then. The kernel takes a lease away after 45 seconds.
pub(crate) fn past_leases(open: impl Fn() -> std::io::Result<File>) -> std::io::Result<File> {
    const TRIES: u32 = 60_000;
    const BETWEEN_TRIES: Duration = Duration::from_millis(1);
    for _ in 0..TRIES {
        match open() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(BETWEEN_TRIES),
            outcome => return outcome,
        }
    }
    open()
}

fn forbids_writing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::ExecutableFileBusy
    )
}

fn check_kind(kind: FileType, shown: &Path) -> Result<()> {
    let kind = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "directory"
    } else if kind.is_fifo() {
        "FIFO"
    } else if kind.is_char_device() {
        "character device"
    } else if kind.is_block_device() {
        "block device"
    } else if kind.is_socket() {
        "socket"
    } else {
        "special file"
    };
    Err(Error::NotRegular { path: shown.into(), kind })
}
