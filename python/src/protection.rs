//! What `flags`, `prot` and `access` of the constructor allow.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rustix::io::Errno;

use crate::errors::os_error;
use crate::map::Stores;

// The numbers are the system's and the standard library's; they are the same on Linux and macOS.
pub(crate) const ACCESS_DEFAULT: i32 = 0;
const ACCESS_READ: i32 = 1;
const ACCESS_WRITE: i32 = 2;
const ACCESS_COPY: i32 = 3;
const PROT_READ: i32 = 1;
const PROT_WRITE: i32 = 2;
const MAP_PRIVATE: i32 = 2;
pub(crate) const MAP_ANONYMOUS: i32 = if cfg!(target_os = "linux") { 0x20 } else { 0x1000 };

/// The default of `flags`.
pub(crate) const MAP_SHARED: i32 = 1;
/// The default of `prot`.
pub(crate) const PROT_READ_WRITE: i32 = PROT_READ | PROT_WRITE;

/// What may be done with a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Stores are refused.
    Read,
    /// Stores stay in memory and never reach the file.
    Private,
    /// Stores are written by a commit. The flag says whether `ACCESS_WRITE` was asked for, as `repr` shows it.
    Shared {
        /// `ACCESS_WRITE` instead of `ACCESS_DEFAULT`.
        explicit: bool,
    },
    /// Like [`Self::Private`], by `MAP_PRIVATE` instead of `ACCESS_COPY`.
    PrivateByFlag,
}

impl Protection {
    /// Combines the arguments like `mmap`.
    ///
    /// # Errors
    /// `ValueError` for both kinds of arguments at once or an unknown access, `OSError` for other flags.
    pub(crate) fn new(flags: i32, prot: i32, access: i32) -> PyResult<Self> {
        if access != ACCESS_DEFAULT && (flags != MAP_SHARED || prot != PROT_READ_WRITE) {
            return Err(PyValueError::new_err("mmap can't specify both access and flags, prot."));
        }
        match access {
            ACCESS_READ => return Ok(Self::Read),
            ACCESS_WRITE => return Ok(Self::Shared { explicit: true }),
            ACCESS_COPY => return Ok(Self::Private),
            ACCESS_DEFAULT => {}
            _ => return Err(PyValueError::new_err("mmap invalid access parameter.")),
        }
        if flags & (MAP_SHARED | MAP_PRIVATE) == 0 {
            return Err(os_error(
                Errno::INVAL,
                "Invalid argument: neither MAP_SHARED nor MAP_PRIVATE",
            ));
        }
        let private = flags & MAP_SHARED == 0;
        Ok(match (prot & PROT_READ != 0, prot & PROT_WRITE != 0) {
            (_, false) => Self::Read,
            (_, true) if private => Self::PrivateByFlag,
            (readable, true) => Self::Shared { explicit: !readable },
        })
    }

    /// Whether stores are allowed.
    pub(crate) fn allows_stores(self) -> bool {
        self != Self::Read
    }

    /// Whether a commit writes the stores to the file.
    pub(crate) fn commits(self) -> bool {
        matches!(self, Self::Shared { .. })
    }

    /// Whether `resize` may change the length: of the file, at once, or of private memory that no file has.
    pub(crate) fn allows_resize(self, anonymous: bool) -> bool {
        self.commits() || (anonymous && self == Self::PrivateByFlag)
    }

    /// What stores to the map do; with `deferred` those to the file wait for a commit.
    pub(crate) fn stores(self, deferred: bool) -> Stores {
        match self {
            Self::Read => Stores::Refused,
            Self::Private | Self::PrivateByFlag => Stores::Private,
            Self::Shared { .. } if deferred => Stores::Refused,
            Self::Shared { .. } => Stores::Shared,
        }
    }

    /// The name of the access, for `repr`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "ACCESS_READ",
            Self::Private => "ACCESS_COPY",
            Self::Shared { explicit: true } => "ACCESS_WRITE",
            Self::Shared { explicit: false } | Self::PrivateByFlag => "ACCESS_DEFAULT",
        }
    }
}
