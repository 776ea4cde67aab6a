use std::fmt;
use std::str::FromStr;

use nix::errno::Errno;

use super::call::{Call, CallKind, Traced};

/// What an injection does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed, and the call is not carried out.
    KillBefore,
    /// The process is killed after the call.
    KillAfter,
    /// A part of the bytes is transferred, and the process is killed.
    KillInside,
    /// This call fails, and is not carried out.
    FailOnce(Errno),
    /// This call and all later ones of its number fail.
    FailForGood(Errno),
    /// This call and all later ones that take up room fail, as on a disk that is full.
    FullDisk,
    /// This call and all later ones that change or sync something fail, as on a disk that went
    /// away.
    BrokenDisk,
    /// The call is carried out and reported as failed.
    ReportFailed(Errno),
    /// A part of the bytes is transferred.
    Short,
    /// A part of the bytes is transferred, and all later calls of its number fail, as on a disk
    /// that is full.
    ShortThenFull,
}

/// Groups of faults, for figures.
pub const GROUPS: [&str; 5] =
    ["killed", "failed once", "failed for good", "carried out and reported failed", "short"];

impl Fault {
    /// The group that the fault is counted in.
    pub fn group(self) -> &'static str {
        GROUPS[match self {
            Self::KillBefore | Self::KillAfter | Self::KillInside => 0,
            Self::FailOnce(_) => 1,
            Self::FailForGood(_) | Self::FullDisk | Self::BrokenDisk => 2,
            Self::ReportFailed(_) => 3,
            Self::Short | Self::ShortThenFull => 4,
        }]
    }

    /// Whether the fault ends the process.
    pub fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter | Self::KillInside)
    }

    /// All faults that a call can meet.
    pub fn all_of(call: &Call) -> Vec<Self> {
        let mut faults = vec![Self::KillBefore];
        if call.kind.changes() {
            faults.push(Self::KillAfter);
        }
        for &errno in errnos(call.kind) {
            faults.push(Self::FailOnce(errno));
            // A call that is always interrupted is tried again for ever, by design.
            if errno != Errno::EINTR {
                faults.push(Self::FailForGood(errno));
            }
        }
        if takes_room(call.kind) {
            faults.push(Self::FullDisk);
        }
        if call.kind.changes() {
            faults.push(Self::BrokenDisk);
        }
        if is_reported_failed(call.kind) {
            faults.push(Self::ReportFailed(Errno::EIO));
        }
        if Traced::of(call.number).is_some_and(|traced| traced.length.is_some()) {
            faults.push(Self::Short);
            if call.kind.changes() {
                faults.push(Self::KillInside);
            }
            if matches!(call.kind, CallKind::Write) {
                faults.push(Self::ShortThenFull);
            }
        }
        faults
    }

    /// The error of a call that comes after one that this fault hit; none if the call is carried
    /// out.
    pub fn error_after(self, hit: &Call, later: &Call) -> Option<Errno> {
        let same = hit.number == later.number;
        match self {
            Self::FailForGood(errno) => same.then_some(errno),
            Self::ShortThenFull => same.then_some(Errno::ENOSPC),
            Self::FullDisk => takes_room(later.kind).then_some(Errno::ENOSPC),
            Self::BrokenDisk => later.kind.changes().then_some(Errno::EIO),
            _ => None,
        }
    }

    /// Whether the fault lets a part of the bytes through.
    pub fn shortens(self) -> bool {
        matches!(self, Self::KillInside | Self::Short | Self::ShortThenFull)
    }

    /// Whether a call can meet this fault.
    pub fn fits(self, call: &Call) -> bool {
        Self::all_of(call).contains(&self)
    }
}

/// Errors that the kernel may give for a call of this kind.
fn errnos(kind: CallKind) -> &'static [Errno] {
    use CallKind::*;
    use Errno::*;
    match kind {
        Write | Resize | Allocate | Sync | Create | CopyRange => &[EIO, ENOSPC, EINTR],
        Remove | Rename | SetAttribute | RemoveAttribute | Share => &[EIO, ENOSPC],
        Read | Open => &[EIO, EINTR],
        Look | Access | Advise => &[EIO],
        Map => &[ENOMEM],
        Lock => &[ENOLCK, EINTR],
        StartThread => &[EAGAIN],
    }
}

/// Whether a call of this kind may need blocks that are free.
fn takes_room(kind: CallKind) -> bool {
    use CallKind::*;
    matches!(kind, Write | Resize | Allocate | Create | SetAttribute | Share | CopyRange)
}

/// Whether a call of this kind may be carried out and fail, as after a lost answer of a server. A
/// file that was created so is left out: nobody can know that it is there.
fn is_reported_failed(kind: CallKind) -> bool {
    kind.changes() && !matches!(kind, CallKind::Create)
}

const ERRNOS: [(Errno, &str); 6] = [
    (Errno::EIO, "EIO"),
    (Errno::ENOSPC, "ENOSPC"),
    (Errno::EINTR, "EINTR"),
    (Errno::EAGAIN, "EAGAIN"),
    (Errno::ENOMEM, "ENOMEM"),
    (Errno::ENOLCK, "ENOLCK"),
];

fn name_of(errno: Errno) -> &'static str {
    ERRNOS.iter().find(|(found, _)| *found == errno).map_or("?", |(_, name)| name)
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillBefore => out.write_str("kill-before"),
            Self::KillAfter => out.write_str("kill-after"),
            Self::KillInside => out.write_str("kill-inside"),
            Self::FailOnce(errno) => write!(out, "fail-{}", name_of(*errno)),
            Self::FailForGood(errno) => write!(out, "fail-for-good-{}", name_of(*errno)),
            Self::ReportFailed(errno) => write!(out, "report-{}", name_of(*errno)),
            Self::FullDisk => out.write_str("full-disk"),
            Self::BrokenDisk => out.write_str("broken-disk"),
            Self::Short => out.write_str("short"),
            Self::ShortThenFull => out.write_str("short-then-full"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let errno = |name: &str| {
            let found = ERRNOS.iter().find(|(_, known)| *known == name);
            found.map(|(errno, _)| *errno).ok_or_else(|| format!("there is no error `{name}`"))
        };
        Ok(match text {
            "kill-before" => Self::KillBefore,
            "kill-after" => Self::KillAfter,
            "full-disk" => Self::FullDisk,
            "broken-disk" => Self::BrokenDisk,
            "kill-inside" => Self::KillInside,
            "short" => Self::Short,
            "short-then-full" => Self::ShortThenFull,
            _ => {
                if let Some(name) = text.strip_prefix("fail-for-good-") {
                    Self::FailForGood(errno(name)?)
                } else if let Some(name) = text.strip_prefix("fail-") {
                    Self::FailOnce(errno(name)?)
                } else if let Some(name) = text.strip_prefix("report-") {
                    Self::ReportFailed(errno(name)?)
                } else {
                    return Err(format!("there is no fault `{text}`"));
                }
            }
        })
    }
}

/// A fault, and the call that it hits: `fail-EIO@17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injection {
    pub fault: Fault,
    /// The index of the call, counted from 0 over all threads in the order of arrival. If the fault
    /// does not fit that call, because threads came in another order this time, the next call that
    /// it fits is hit.
    pub at: usize,
}

impl fmt::Display for Injection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}", self.fault, self.at)
    }
}

impl FromStr for Injection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is no FAULT@INDEX");
        let (fault, at) = text.split_once('@').ok_or_else(wanted)?;
        Ok(Self { fault: fault.parse()?, at: at.parse().map_err(|_| wanted())? })
    }
}
