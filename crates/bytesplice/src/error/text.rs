//! The parts of the messages of errors.

use std::fmt;
use std::path::Path;

use super::FileState;
use crate::Strategy;
use crate::storage::mount::MOUNTED_ALONE;

/// A range or, if it is empty, an offset outside of contents `len` bytes long.
pub(super) struct Outside {
    pub start: u64,
    pub end: u64,
    pub len: u64,
}

impl fmt::Display for Outside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end, len } = self;
        if start == end {
            write!(out, "offset {start} is past the end of the contents")?;
        } else {
            write!(out, "bytes {start}..{end} are outside the contents")?;
        }
        write!(out, ", which are {len} bytes long")
    }
}

/// The bytes that a call is about, for a message; nothing for a call on a file as a whole.
pub(super) struct Bytes {
    pub offset: u64,
    pub len: u64,
}

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.len, self.offset) {
            (0, 0) => Ok(()),
            (0, offset) => write!(out, " (at offset {offset})"),
            (1, offset) => write!(out, " (1 byte at offset {offset})"),
            (len, offset) => write!(out, " ({len} bytes at offset {offset})"),
        }
    }
}

/// The place in a script, for a message.
pub(super) struct InLine(pub u64);

impl fmt::Display for InLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(out, "line {}: ", self.0) }
    }
}

/// What to do when a strategy cannot be used for a reason.
pub(super) struct Instead<'a> {
    pub strategy: Strategy,
    pub reason: &'a str,
}

impl Instead<'_> {
    /// The strategy to be taken in its place, if there is one.
    pub fn recommended(&self) -> Option<Strategy> {
        match self {
            Self { reason: MOUNTED_ALONE, .. } => Some(Strategy::Direct),
            Self { strategy: Strategy::Auto, .. } => None,
            _ => Some(Strategy::Auto),
        }
    }
}

impl fmt::Display for Instead<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.recommended() {
            Some(Strategy::Auto) => out.write_str(": use Strategy::Auto"),
            // A reason that leaves no other one names its ways out itself.
            _ => Ok(()),
        }
    }
}

/// What the file holds after a call failed.
pub(super) struct AfterCall<'a> {
    pub operation: &'a str,
    pub state: &'a FileState,
}

impl fmt::Display for AfterCall<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.operation, self.state) {
            // Linux takes what a disk refused for written, and believes that as long as the file system is mounted.
            ("write" | "sync", FileState::Recoverable { journal }) => write!(
                out,
                "the commit was cut short and its journal kept: mount the file system anew once the disk is in order, \
                 then run `bytesplice recover` on the file (journal: {})",
                Shown(journal)
            ),
            (_, state) => state.fmt(out),
        }
    }
}

/// What the file holds after a commit was cancelled.
pub(super) struct WhenCancelled<'a>(pub &'a FileState);

impl fmt::Display for WhenCancelled<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FileState::Recoverable { journal } => write!(
                out,
                "it was past its commit point: the next open finishes it, or `bytesplice recover` (journal: {})",
                Shown(journal)
            ),
            state => state.fmt(out),
        }
    }
}

/// What is to be done about a file that a commit has left.
pub(super) struct WhenLeft<'a>(pub &'a FileState);

impl fmt::Display for WhenLeft<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FileState::Recoverable { .. } => {
                out.write_str("the next open takes the commit back, or `bytesplice recover`")
            }
            _ => out.write_str("remove it before you try again"),
        }
    }
}

/// A path for a message: lossy, and with control characters escaped so that a file name cannot drive a terminal. An empty
/// one is shown as an empty pair of quotes.
pub(crate) struct Shown<'a>(pub &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_os_str().is_empty() {
            return out.write_str("\"\"");
        }
        for character in self.0.to_string_lossy().chars() {
            if character.is_control() {
                write!(out, "{}", character.escape_default())?;
            } else {
                write!(out, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::Error;

    #[test]
    fn after_a_failed_write_the_file_system_is_mounted_anew_before_recovery() {
        let said = |operation, state| {
            let (path, source) = (PathBuf::from("file"), io::Error::other("no"));
            let error = Error::Io { path, operation, offset: 0, len: 0, source, state };
            error.to_string().contains("mount the file system anew")
        };
        let recoverable = || FileState::Recoverable { journal: PathBuf::from("journal") };
        assert!(said("write", recoverable()) && said("sync", recoverable()));
        assert!(!said("read", recoverable()) && !said("sync", FileState::Unchanged));
    }

    #[test]
    fn messages_name_bytes_and_paths_only_where_there_are_any() {
        for (offset, len, shown) in [
            (0, 0, "\"\": cannot sync: "),
            (7, 0, "\"\": cannot sync (at offset 7): "),
            (0, 1, "\"\": cannot sync (1 byte at offset 0): "),
            (5, 9, "\"\": cannot sync (9 bytes at offset 5): "),
        ] {
            let source = || io::Error::other("no");
            let (path, operation, state) = (PathBuf::new, "sync", FileState::Unchanged);
            let io = Error::Io { path: path(), operation, offset, len, source: source(), state };
            assert_eq!(io.to_string(), format!("{shown}no; the file is unchanged"));
            let state = FileState::Unchanged;
            let full =
                Error::NoSpace { path: path(), operation, offset, len, source: source(), state };
            let shown = shown.replace("cannot sync", "no space left to sync");
            assert_eq!(full.to_string(), format!("{shown}no; the file is unchanged"));
        }
    }
}
