use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use crate::chance::Chance;
use crate::program::run;

/// A kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileSystem {
    Ext4,
    Xfs,
    Btrfs,
}

impl FileSystem {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// The file system of this name.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("there is no file system `{name}`"))
    }

    /// Name, as in `mkfs.NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// About the smallest disk that it can be made on, in bytes.
    pub fn smallest_disk(self) -> u64 {
        match self {
            Self::Ext4 => 64 << 20,
            Self::Xfs => 300 << 20,
            Self::Btrfs => 128 << 20,
        }
    }

    /// A disk with room for a file of many extents, in bytes.
    pub fn disk_for_extents(self) -> u64 {
        self.smallest_disk().max(320 << 20)
    }

    /// What its designers take for written at once, in bytes. ext4 and XFS checksum what they write to their logs, so
    /// that any sector may be torn from its neighbours; btrfs trusts the disk with the 4096 bytes of its superblock.
    pub fn atomic_write(self) -> usize {
        match self {
            Self::Ext4 | Self::Xfs => 512,
            Self::Btrfs => 4096,
        }
    }

    /// Makes one on a disk or in a file, with chosen parameters; gives options to mount it with.
    pub fn make(self, disk: &Path, chance: &mut Chance) -> Result<String, String> {
        let block = *chance.of(&["1024", "2048", "4096"]);
        self.make_with(block, disk, chance)
    }

    /// The same, but that blocks are so large that extents can be shifted.
    pub fn make_for_shifts(self, disk: &Path, chance: &mut Chance) -> Result<String, String> {
        self.make_with("4096", disk, chance)
    }

    fn make_with(self, block: &str, disk: &Path, chance: &mut Chance) -> Result<String, String> {
        let disk = disk.to_string_lossy();
        match self {
            Self::Ext4 => {
                // All is written at once, not later in the background.
                let extended = "nodiscard,lazy_itable_init=0,lazy_journal_init=0";
                run("mkfs.ext4", &["-F", "-q", "-m", "0", "-b", block, "-E", extended, &disk])?;
                let options =
                    ["defaults", "defaults", "data=journal", "data=writeback", "nodelalloc"];
                Ok((*chance.of(&options)).to_owned())
            }
            Self::Xfs => {
                run("mkfs.xfs", &["-f", "-q", "-K", &disk])?;
                Ok("defaults".to_owned())
            }
            Self::Btrfs => {
                run("mkfs.btrfs", &["-f", "-q", "-K", &disk])?;
                Ok("nodiscard".to_owned())
            }
        }
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A file mounted through a loop device, unmounted on drop. The loop device goes with the mount, and both with this
/// process, whose mounts nobody else sees.
pub struct Mount {
    place: PathBuf,
    device: String,
    mounted: bool,
}

impl Mount {
    /// Mounts the file system in `file` on the directory `place`. With `flushed`, what is written to it goes past the
    /// page cache, and its flushes reach the file.
    pub fn new(
        file: &Path,
        place: &Path,
        kind: FileSystem,
        options: &str,
        flushed: bool,
    ) -> Result<Self, String> {
        let device = LoopDevice::attach(file, flushed)?;
        let arguments = ["-t", kind.name(), "-o", options, &device.path, &place.to_string_lossy()];
        run("mount", &arguments)?;
        // Dropping the device that is in use detaches it when it is no more.
        Ok(Self { place: place.into(), device: device.path.clone(), mounted: true })
    }

    /// Where the files are.
    pub fn path(&self) -> &Path {
        &self.place
    }

    /// The directory where the files are, opened; what is mounted cannot be unmounted meanwhile.
    pub fn open(&self) -> Result<File, String> {
        File::open(&self.place).map_err(|error| error.to_string())
    }

    /// Drops what is cached of the device and can be read again, as the system does when it needs memory: on ext4 the
    /// blocks that list the extents of files.
    pub fn forget_cached(&self) {
        // A hint, and all goes well without it.
        if let Ok(device) = File::open(&self.device) {
            let _ = fadvise(&device, 0, None, Advice::DontNeed);
        }
    }

    /// Unmounts, or says why not.
    pub fn unmount(mut self) -> Result<(), String> {
        self.mounted = false;
        unmount(&self.place)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted
            && let Err(reason) = unmount(&self.place)
        {
            eprintln!("{reason}");
            let _ = run("umount", &["--lazy", &self.place.to_string_lossy()]);
        }
    }
}

fn unmount(place: &Path) -> Result<(), String> {
    let place = place.to_string_lossy();
    // Whoever looks at new mounts may have it open for a moment.
    for _ in 0..20 {
        match run("umount", &[&place]) {
            Err(reason) if reason.contains("busy") => {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            outcome => return outcome.map(drop),
        }
    }
    run("umount", &[&place]).map(drop)
}

/// A loop device; detached on drop, or later by the system if it is in use then.
struct LoopDevice {
    path: String,
}

impl LoopDevice {
    fn attach(file: &Path, flushed: bool) -> Result<Self, String> {
        let direct = if flushed { "--direct-io=on" } else { "--direct-io=off" };
        run("losetup", &["--find", "--show", direct, &file.to_string_lossy()])
            .map(|path| Self { path })
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if let Err(reason) = run("losetup", &["--detach", &self.path]) {
            eprintln!("{reason}");
        }
    }
}
