//! How a file is mounted, where that decides what can be done with it.

use std::fs::File;

/// Why a file that is mounted without its directory cannot be committed with a journal, or replaced; and the ways out.
pub(crate) const MOUNTED_ALONE: &str = "the file is mounted without the directory that it lies in, so that its journal would lie in the \
directory of the mount point and be lost with it, and no new file can take its name: mount the directory of the file, or use \
Strategy::Direct, which takes no journal: if it is cut short, the file holds neither the old nor the new contents";

/// Whether the file itself is the root of a mount, as with `mount --bind FILE FILE` and `docker run -v FILE:FILE`. False where the
/// system does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn is_mounted_alone(file: &File) -> bool {
    use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};
    statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE).is_ok_and(|found| {
        let attribute = StatxAttributes::MOUNT_ROOT;
        found.stx_attributes_mask.contains(attribute) && found.stx_attributes.contains(attribute)
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_mounted_alone(_file: &File) -> bool {
    false
}

/// Whether the file lies on overlayfs, where the first opening for writing copies a file of a lower layer to the upper layer.
#[cfg(target_os = "linux")]
pub(crate) fn copies_up(file: &File) -> bool {
    // OVERLAYFS_SUPER_MAGIC of linux/magic.h.
    const OVERLAYFS: u64 = 0x794c_7630;
    #[allow(
        clippy::unnecessary_cast,
        reason = "the type of the number differs between architectures"
    )]
    rustix::fs::fstatfs(file).is_ok_and(|found| found.f_type as u64 == OVERLAYFS)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn copies_up(_file: &File) -> bool {
    false
}
