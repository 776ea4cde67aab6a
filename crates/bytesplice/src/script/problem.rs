use std::io;
use std::path::PathBuf;

use crate::Error;

/// What is wrong with an edit script.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptProblem {
    /// The line is not JSON of the format.
    #[error("{detail}")]
    Syntax {
        /// What was found and what is wanted.
        detail: String,
    },
    /// The script has another format version.
    #[error("the script has format version {found}, this program knows version 1")]
    Version {
        /// The version found.
        found: u64,
    },
    /// There is no first line.
    #[error("the script is empty: the first line is a header, such as {{\"bytesplice\":1}}")]
    NoHeader,
    /// The line is too long to be held in memory.
    #[error("the line has more than {limit} bytes: cut it into several edits")]
    LineTooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// Offsets count in the old file, and this edit begins before the end of the one before.
    #[error(
        "the edit at {start}..{end} begins before {reached}, where the one before ended: edits are in ascending order \
         and do not overlap, unless the header says \"offsets\":\"sequence\""
    )]
    NotAscending {
        /// First byte of the edit.
        start: u64,
        /// The byte after its last one.
        end: u64,
        /// The end of the edit before.
        reached: u64,
    },
    /// A range lies outside the contents.
    #[error("bytes {start}..{end} are outside the contents, which are {len} bytes long")]
    OutOfRange {
        /// First byte of the range.
        start: u64,
        /// The byte after its last one.
        end: u64,
        /// Length of the contents in bytes.
        len: u64,
    },
    /// The script is for a file of another length.
    #[error("the script is for a file of {expected} bytes, this one has {found}")]
    OldLength {
        /// What the header says.
        expected: u64,
        /// What the file has.
        found: u64,
    },
    /// The script does not make the length that its header says.
    #[error("the script makes {found} bytes, and its header says {expected}")]
    NewLength {
        /// What the header says.
        expected: u64,
        /// What it came to.
        found: u64,
    },
    /// The bytes to be removed are not those of the script.
    #[error("the bytes at {start}..{end} are not as the script expects them")]
    OldBytes {
        /// First byte of the range.
        start: u64,
        /// The byte after its last one.
        end: u64,
    },
    /// The script does not hold the bytes that it removes, and only the old file does.
    #[error(
        "the script does not hold the bytes at {start}..{end} that it removes: the old file is needed to invert it"
    )]
    OldBytesMissing {
        /// First byte of the range.
        start: u64,
        /// The byte after its last one.
        end: u64,
    },
    /// The contents would pass 2^63 - 1 bytes.
    #[error("the contents would pass the largest file size, 2^63 - 1 bytes")]
    TooLarge,
    /// Copies of copies would take too much memory.
    #[error("the copies of this script would be of more than {limit} pieces")]
    TooManyPieces {
        /// The limit.
        limit: u64,
    },
    /// A script is UTF-8, and so are the paths in it.
    #[error("a script cannot name {path:?}, a path that is not UTF-8")]
    PathNotUtf8 {
        /// The file that an edit takes its bytes from.
        path: PathBuf,
    },
    /// The bytes of an edit cannot be had or held.
    #[error("{0}")]
    Content(Box<Error>),
    /// The script cannot be read.
    #[error("cannot read the script: {0}")]
    Read(io::Error),
    /// The script cannot be written.
    #[error("cannot write the script: {0}")]
    Write(io::Error),
}
