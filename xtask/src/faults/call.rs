use std::fmt;

use nix::libc;

/// A system call that an injection may hit: one that changes, syncs or reads a file of the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The number of the system call.
    pub number: i64,
    /// The name for people, with the operation where a call has several: `fallocate INSERT_RANGE`.
    pub name: &'static str,
    /// What the call does, which decides how it can fail.
    pub kind: CallKind,
    /// The file that the call is made on.
    pub object: Object,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    Write,
    Read,
    Resize,
    Allocate,
    Sync,
    Open,
    Create,
    Remove,
    Rename,
    SetAttribute,
    RemoveAttribute,
    Share,
    CopyRange,
    /// Owner and permissions.
    Access,
    /// Metadata, attributes, holes and extents, read only.
    Look,
    Map,
    /// Hints, whose failure must change nothing.
    Advise,
    Lock,
    StartThread,
}

impl CallKind {
    /// Whether the call changes something that outlives the process.
    pub fn changes(self) -> bool {
        !matches!(
            self,
            Self::Read
                | Self::Open
                | Self::Look
                | Self::Map
                | Self::Advise
                | Self::Lock
                | Self::StartThread
        )
    }
}

/// The file that a call is made on, by its part in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    Target,
    Journal,
    Replacement,
    Directory,
    /// A file with new bytes, or a script.
    Input,
    /// A file without a name.
    Temporary,
    /// The undo script, the backup, and other files beside the target.
    Beside,
    /// The process itself.
    Process,
}

impl Object {
    fn name(self) -> &'static str {
        match self {
            Self::Target => "the target",
            Self::Journal => "the journal",
            Self::Replacement => "the replacement",
            Self::Directory => "the directory",
            Self::Input => "an input",
            Self::Temporary => "a file without a name",
            Self::Beside => "a file beside the target",
            Self::Process => "the process",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {}", self.name, self.object.name())
    }
}

/// Where a call has the file that it is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// The argument of this number is an open file.
    Descriptor(usize),
    /// The argument of this number is an open directory, the next one a path, which may be absolute
    /// or empty.
    At(usize),
    /// The argument of this number is a path.
    Path(usize),
    /// There is no file.
    None,
}

/// A system call that stops the traced process, before it is known what the call is made on.
pub struct Traced {
    pub number: i64,
    pub name: &'static str,
    pub kind: CallKind,
    pub operand: Operand,
    /// The argument with the number of bytes, where a part of them can be transferred.
    pub length: Option<usize>,
}

const fn traced(
    number: i64,
    name: &'static str,
    kind: CallKind,
    operand: Operand,
    length: Option<usize>,
) -> Traced {
    Traced { number, name, kind, operand, length }
}

/// All calls that stop the traced process.
pub const TRACED: &[Traced] = {
    use CallKind::*;
    use Operand::{At, Descriptor, Path};
    &[
        traced(libc::SYS_write, "write", Write, Descriptor(0), Some(2)),
        traced(libc::SYS_pwrite64, "pwrite", Write, Descriptor(0), Some(2)),
        traced(libc::SYS_writev, "writev", Write, Descriptor(0), None),
        traced(libc::SYS_pwritev, "pwritev", Write, Descriptor(0), None),
        traced(libc::SYS_pwritev2, "pwritev2", Write, Descriptor(0), None),
        traced(libc::SYS_read, "read", Read, Descriptor(0), Some(2)),
        traced(libc::SYS_pread64, "pread", Read, Descriptor(0), Some(2)),
        traced(libc::SYS_readv, "readv", Read, Descriptor(0), None),
        traced(libc::SYS_preadv, "preadv", Read, Descriptor(0), None),
        traced(libc::SYS_preadv2, "preadv2", Read, Descriptor(0), None),
        traced(libc::SYS_ftruncate, "ftruncate", Resize, Descriptor(0), None),
        traced(libc::SYS_fallocate, "fallocate", Allocate, Descriptor(0), None),
        traced(libc::SYS_fsync, "fsync", Sync, Descriptor(0), None),
        traced(libc::SYS_fdatasync, "fdatasync", Sync, Descriptor(0), None),
        traced(libc::SYS_syncfs, "syncfs", Sync, Descriptor(0), None),
        traced(libc::SYS_sync_file_range, "sync_file_range", Advise, Descriptor(0), None),
        traced(libc::SYS_fadvise64, "fadvise", Advise, Descriptor(0), None),
        traced(libc::SYS_openat, "openat", Open, At(0), None),
        traced(libc::SYS_unlink, "unlink", Remove, Path(0), None),
        traced(libc::SYS_unlinkat, "unlinkat", Remove, At(0), None),
        traced(libc::SYS_rename, "rename", Rename, Path(0), None),
        traced(libc::SYS_renameat, "renameat", Rename, At(0), None),
        traced(libc::SYS_renameat2, "renameat2", Rename, At(0), None),
        traced(libc::SYS_link, "link", Create, Path(1), None),
        traced(libc::SYS_linkat, "linkat", Create, At(2), None),
        traced(libc::SYS_fsetxattr, "fsetxattr", SetAttribute, Descriptor(0), None),
        traced(libc::SYS_fremovexattr, "fremovexattr", RemoveAttribute, Descriptor(0), None),
        traced(libc::SYS_fgetxattr, "fgetxattr", Look, Descriptor(0), None),
        traced(libc::SYS_flistxattr, "flistxattr", Look, Descriptor(0), None),
        traced(libc::SYS_getxattr, "getxattr", Look, Path(0), None),
        traced(libc::SYS_fchown, "fchown", Access, Descriptor(0), None),
        traced(libc::SYS_fchmod, "fchmod", Access, Descriptor(0), None),
        traced(libc::SYS_ioctl, "ioctl", Share, Descriptor(0), None),
        traced(libc::SYS_copy_file_range, "copy_file_range", CopyRange, Descriptor(2), Some(4)),
        traced(libc::SYS_statx, "statx", Look, At(0), None),
        traced(libc::SYS_fstat, "fstat", Look, Descriptor(0), None),
        traced(libc::SYS_newfstatat, "newfstatat", Look, At(0), None),
        traced(libc::SYS_statfs, "statfs", Look, Path(0), None),
        traced(libc::SYS_fstatfs, "fstatfs", Look, Descriptor(0), None),
        traced(libc::SYS_readlink, "readlink", Look, Path(0), None),
        traced(libc::SYS_readlinkat, "readlinkat", Look, At(0), None),
        traced(libc::SYS_lseek, "lseek", Look, Descriptor(0), None),
        traced(libc::SYS_mmap, "mmap", Map, Descriptor(4), None),
        traced(libc::SYS_flock, "flock", Lock, Descriptor(0), None),
        traced(libc::SYS_fcntl, "fcntl", Lock, Descriptor(0), None),
        traced(libc::SYS_clone3, "clone3", StartThread, Operand::None, None),
        traced(libc::SYS_clone, "clone", StartThread, Operand::None, None),
    ]
};

impl Traced {
    /// The entry of a system call.
    pub fn of(number: i64) -> Option<&'static Self> {
        TRACED.iter().find(|traced| traced.number == number)
    }

    /// The name and the kind that the call has with these arguments; none if no injection is to hit
    /// it.
    pub fn refined(&self, arguments: [u64; 6]) -> Option<(&'static str, CallKind)> {
        use CallKind::*;
        let flag = |argument: usize, flag: i32| arguments[argument] & flag as u64 != 0;
        Some(match self.number {
            libc::SYS_openat if flag(2, libc::O_CREAT) => ("openat CREAT", Create),
            libc::SYS_openat if arguments[2] as i32 & libc::O_TMPFILE == libc::O_TMPFILE => {
                ("openat TMPFILE", Create)
            }
            libc::SYS_fallocate if flag(1, libc::FALLOC_FL_INSERT_RANGE) => {
                ("fallocate INSERT_RANGE", Allocate)
            }
            libc::SYS_fallocate if flag(1, libc::FALLOC_FL_COLLAPSE_RANGE) => {
                ("fallocate COLLAPSE_RANGE", Allocate)
            }
            libc::SYS_fallocate if flag(1, libc::FALLOC_FL_PUNCH_HOLE) => {
                ("fallocate PUNCH_HOLE", Allocate)
            }
            libc::SYS_ioctl => match arguments[1] as u32 {
                FICLONE => ("ioctl FICLONE", Share),
                FICLONERANGE => ("ioctl FICLONERANGE", Share),
                FIEMAP => ("ioctl FIEMAP", Look),
                GETFLAGS => ("ioctl GETFLAGS", Look),
                SETFLAGS => ("ioctl SETFLAGS", Advise),
                _ => return None,
            },
            libc::SYS_lseek => match arguments[2] as i32 {
                libc::SEEK_DATA => ("lseek DATA", Look),
                libc::SEEK_HOLE => ("lseek HOLE", Look),
                _ => return None,
            },
            libc::SYS_fcntl => match arguments[1] as i32 {
                libc::F_SETLEASE => ("fcntl SETLEASE", Lock),
                libc::F_SETLK | libc::F_OFD_SETLK => ("fcntl SETLK", Lock),
                libc::F_SETLKW | libc::F_OFD_SETLKW => ("fcntl SETLKW", Lock),
                _ => return None,
            },
            // Samples of what is cached are read without waiting, and their failure is an answer.
            libc::SYS_preadv2 if flag(5, libc::RWF_NOWAIT) => return None,
            libc::SYS_flock if flag(1, libc::LOCK_UN) => ("flock UN", Lock),
            _ => (self.name, self.kind),
        })
    }
}

// `_IOW(0x94, 9, int)`, `_IOW(0x94, 13, struct file_clone_range)`, `_IOWR('f', 11, struct fiemap)`,
// `_IOR('f', 1, long)` and `_IOW('f', 2, long)` of <linux/fs.h>.
const FICLONE: u32 = 0x4004_9409;
const FICLONERANGE: u32 = 0x4020_940d;
const FIEMAP: u32 = 0xc020_660b;
const GETFLAGS: u32 = 0x8008_6601;
const SETFLAGS: u32 = 0x4008_6602;
