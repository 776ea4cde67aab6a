//! A copy of a file: shared blocks where the file system can, else its data without its holes.

use std::fs::{File, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::metadata;
use super::os_file::file_size_limit;
use super::replacement::{holes, sharing};

/// Bytes that are copied before something is told of them.
const STEP: u64 = 16 << 20;

/// Creates the file that the copy goes to: empty, and closed to everybody else until it is protected as the first is.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Gives the new file `to` the contents, the owner, the permissions, the attributes and the times of `from`, and waits for
/// the disk. Whether both share their blocks. `advance` is told how many bytes were passed, and stops all by an error.
pub(crate) fn copy(
    from: &File,
    to: &File,
    advance: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<bool> {
    let before = from.metadata()?;
    let len = before.len();
    if file_size_limit().is_some_and(|limit| len > limit) {
        // The signal that comes with it would kill the process.
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    metadata::copy_flags(from, to);
    metadata::copy_owner(from, to)?;
    let shared = sharing::clone_contents(from, to)?;
    if !shared {
        to.set_len(len)?;
        copy_data(from, to, len, advance)?;
    }
    metadata::copy_access(from, to)?;
    to.set_times(
        FileTimes::new().set_accessed(before.accessed()?).set_modified(before.modified()?),
    )?;
    to.sync_all()?;
    Ok(shared)
}

fn copy_data(
    from: &File,
    to: &File,
    len: u64,
    advance: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut at = 0;
    while let Some(data) = holes::data_after(from, at)? {
        let (start, end) = (data.start.max(at), data.end.min(len));
        if start >= end {
            break;
        }
        advance(start - at)?;
        at = start;
        while at < end {
            let count = (end - at).min(STEP);
            let done = sharing::share(from, to, at, at, count);
            if done < count {
                buffer.resize((count - done) as usize, 0);
                from.read_exact_at(&mut buffer, at + done)?;
                to.write_all_at(&buffer, at + done)?;
            }
            at += count;
            advance(count)?;
        }
    }
    advance(len.saturating_sub(at))
}
