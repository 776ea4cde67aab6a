//! Owner, permissions and attributes, from one file to another: all of them, or an error.
//!
//! Programs that replace files differ: `cp -p` and `sed -i` go on without a word when the owner or the group cannot be
//! kept, and clear the set-user-id bits then. We refuse, the group included: with another group the same permission bits
//! let other people in, and whoever asked can have the file changed in place instead, where all of this stays.
//!
//! Not copied: the modification time, which is new, as after any write; `security.ima` and `security.evm`, which are
//! about the old contents. Other attributes of `security.` and `trusted.` are copied where the system permits it.

use std::ffi::{CStr, CString};
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::fs::{
    Gid, Uid, XattrFlags, fchown, fgetxattr, fgetxattr_query, flistxattr, flistxattr_query,
    fremovexattr, fsetxattr,
};
use rustix::io::Errno;

#[cfg(target_os = "macos")]
const MARK: &str = "bytesplice-new";
#[cfg(not(target_os = "macos"))]
const MARK: &str = "user.bytesplice-new";
#[cfg(target_os = "macos")]
const MISSING: Errno = Errno::NOATTR;
#[cfg(not(target_os = "macos"))]
const MISSING: Errno = Errno::NODATA;

/// Set-user-id, set-group-id, sticky and the permissions.
const MODE: u32 = 0o7777;

/// Whether a file carries the mark of a replacement that has not taken its name.
pub(super) enum Mark {
    Present,
    Absent,
    /// Files here cannot carry marks.
    Unsupported,
}

/// Reads the mark.
pub(super) fn mark(file: &File) -> io::Result<Mark> {
    match fgetxattr_query(file, MARK) {
        Ok(_) => Ok(Mark::Present),
        Err(MISSING) => Ok(Mark::Absent),
        Err(Errno::NOTSUP | Errno::NOSYS) => Ok(Mark::Unsupported),
        Err(error) => Err(error.into()),
    }
}

/// Sets the mark, where files can carry one.
pub(super) fn set_mark(file: &File) -> io::Result<()> {
    match fsetxattr(file, MARK, b"unfinished", XattrFlags::empty()) {
        Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Takes the mark off, where there is one.
pub(super) fn remove_mark(file: &File) -> io::Result<()> {
    // Asked first, so that a file without one is not touched.
    match mark(file)? {
        Mark::Present => match fremovexattr(file, MARK) {
            Ok(()) | Err(MISSING) => Ok(()),
            Err(error) => Err(error.into()),
        },
        Mark::Absent | Mark::Unsupported => Ok(()),
    }
}

/// Gives `to` the owner and the group of `from`. To be done first: it clears set-user-id bits and capabilities.
pub(super) fn copy_owner(from: &File, to: &File) -> io::Result<()> {
    let (wanted, found) = (from.metadata()?, to.metadata()?);
    let owner = (found.uid() != wanted.uid()).then(|| Uid::from_raw(wanted.uid()));
    let group = (found.gid() != wanted.gid()).then(|| Gid::from_raw(wanted.gid()));
    if owner.is_none() && group.is_none() {
        return Ok(());
    }
    fchown(to, owner, group).map_err(|error| {
        let (what, id) = match owner {
            Some(_) => ("owner, user", wanted.uid()),
            None => ("group", wanted.gid()),
        };
        refused(format!("its {what} {id}, cannot be kept"), error.into())
    })
}

/// Gives `to` the permissions and extended attributes of `from`, access control lists among them. To be done last:
/// writing clears capabilities, and the permissions may forbid it.
pub(super) fn copy_access(from: &File, to: &File) -> io::Result<()> {
    let wanted = attributes(from)?;
    // A new file may have got some from its directory.
    for name in attributes(to)? {
        if !wanted.contains(&name) && !is_of_the_system(&name) {
            fremovexattr(to, &*name).map_err(|error| not_kept(&name, error))?;
        }
    }
    for name in &wanted {
        copy_attribute(from, to, name).or_else(|error| {
            if is_of_the_system(name) { Ok(()) } else { Err(not_kept(name, error)) }
        })?;
    }
    let mode = from.metadata()?.mode() & MODE;
    // Always, as it is never the one the file was created with, and the list of a directory may have changed it.
    to.set_permissions(Permissions::from_mode(mode))?;
    let found = to.metadata()?.mode() & MODE;
    if found != mode {
        let what = format!("its mode {mode:o} cannot be kept, only {found:o}");
        return Err(refused(what, Errno::PERM.into()));
    }
    Ok(())
}

fn copy_attribute(from: &File, to: &File, name: &CStr) -> rustix::io::Result<()> {
    let value = grown(|| fgetxattr_query(from, name), |buffer| fgetxattr(from, name, buffer))?;
    // Set already, as labels are by the system's own rules, which may not let us set them.
    let mut found = vec![0; value.len() + 1];
    if fgetxattr(to, name, &mut found[..]).is_ok_and(|len| found[..len] == value[..]) {
        return Ok(());
    }
    fsetxattr(to, name, &value, XattrFlags::empty())
}

/// The names of the attributes that are to be kept.
fn attributes(file: &File) -> io::Result<Vec<CString>> {
    let list = match grown(|| flistxattr_query(file), |buffer| flistxattr(file, buffer)) {
        Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
        list => list?,
    };
    let names = list.split_inclusive(|&byte| byte == 0);
    let names = names.filter_map(|name| CStr::from_bytes_with_nul(name).ok());
    let left = [MARK, OTHER_MARK, "security.ima", "security.evm"];
    Ok(names
        .filter(|name| left.iter().all(|left| name.to_bytes() != left.as_bytes()))
        .map(CStr::to_owned)
        .collect())
}

/// The mark of a commit in place, which is about its inode.
#[cfg(target_os = "macos")]
const OTHER_MARK: &str = "bytesplice";
#[cfg(not(target_os = "macos"))]
const OTHER_MARK: &str = "user.bytesplice";

/// Reads what may become longer between asking for its length and reading it.
fn grown(
    ask: impl Fn() -> rustix::io::Result<usize>,
    read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<Vec<u8>> {
    loop {
        let mut buffer = vec![0; ask()? + 1];
        match read(&mut buffer) {
            Err(Errno::RANGE) => {}
            len => {
                buffer.truncate(len?);
                return Ok(buffer);
            }
        }
    }
}

/// Whether the system and not the user decides on the attribute.
fn is_of_the_system(name: &CStr) -> bool {
    [&b"security."[..], b"trusted."].iter().any(|prefix| name.to_bytes().starts_with(prefix))
}

fn not_kept(name: &CStr, error: Errno) -> io::Error {
    refused(format!("its attribute {} cannot be kept", name.to_string_lossy()), error.into())
}

/// The error with what it means put before it.
fn refused(what: String, error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => error,
        kind => io::Error::new(kind, format!("{what} ({error})")),
    }
}

/// Gives `to`, which is empty, the inode flags of `from` that decide how its contents are stored. Where one cannot be
/// had, the contents are the same all the same.
#[cfg(target_os = "linux")]
pub(super) fn copy_flags(from: &File, to: &File) {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    let kept = IFlags::COMPRESSED | IFlags::NOCOW | IFlags::NODUMP | IFlags::NOATIME | IFlags::SYNC;
    if let (Ok(wanted), Ok(found)) = (ioctl_getflags(from), ioctl_getflags(to)) {
        let flags = (found - kept) | (wanted & kept);
        if flags != found {
            let _ = ioctl_setflags(to, flags);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn copy_flags(_from: &File, _to: &File) {}
