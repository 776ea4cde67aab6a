use std::io;

use crate::Error;

/// What is wrong with a VCDIFF delta.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VcdiffProblem {
    /// It does not begin as a delta does.
    #[error("this is no VCDIFF delta: it does not begin with d6 c3 c4")]
    NotVcdiff,
    /// The delta has another format version.
    #[error("the delta has format version {found:#04x}, this program knows version 0")]
    Version {
        /// The version found.
        found: u8,
    },
    /// An indicator has bits that RFC 3284 and xdelta3 do not have.
    #[error("{what} has unknown bits: {found:#04x}")]
    UnknownBits {
        /// Which indicator.
        what: &'static str,
        /// Its value.
        found: u8,
    },
    /// The delta has a code table of its own.
    #[error(
        "the delta has a code table of its own, which is not supported: only the default one is"
    )]
    CodeTable,
    /// The sections are compressed once more.
    #[error(
        "the window has secondary compression ({compressor}), which is not supported: make the delta without it, \
         as by `xdelta3 -S none`"
    )]
    SecondaryCompression {
        /// The method, as its number in xdelta3 says.
        compressor: &'static str,
    },
    /// The delta ends where it should go on.
    #[error("the delta ends in the middle of {what}")]
    Truncated {
        /// What is cut short.
        what: &'static str,
    },
    /// An integer has more than 63 bits.
    #[error("an integer has more than 63 bits")]
    IntegerTooLarge,
    /// A window is too large to be held in memory.
    #[error("{what} has {len} bytes, more than {limit} are not held in memory")]
    WindowTooLarge {
        /// Which part of it.
        what: &'static str,
        /// Its declared length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The lengths in the head of a window do not add up.
    #[error("the window says that it has {declared} bytes, and its parts come to {found}")]
    Lengths {
        /// The length as a whole.
        declared: u64,
        /// The sum of the parts.
        found: u64,
    },
    /// The source segment lies outside of what it is a range of.
    #[error("the window copies from bytes {start}..{end} of {what}, which is {len} bytes long")]
    OutOfRange {
        /// What it is a range of.
        what: &'static str,
        /// First byte of the range.
        start: u64,
        /// The byte after its last one.
        end: u64,
        /// Length in bytes.
        len: u64,
    },
    /// A section ends before the instructions are done with it.
    #[error("the instructions need more {what} than the window has")]
    SectionEnds {
        /// What there is too little of.
        what: &'static str,
    },
    /// A section has more than the instructions use.
    #[error("the instructions leave {len} bytes of {what} over")]
    LeftOver {
        /// What there is too much of.
        what: &'static str,
        /// How many bytes.
        len: u64,
    },
    /// A copy is from what is not there yet.
    #[error("a copy is from an address that is not below {here}, where it goes")]
    Address {
        /// The address of the next byte that is made.
        here: u64,
    },
    /// The instructions make another length than the window declares.
    #[error("the window declares {expected} bytes, and its instructions make {found}")]
    TargetLength {
        /// What the window declares.
        expected: u64,
        /// What they come to; more where they were stopped.
        found: u64,
    },
    /// The bytes made are not those that the delta was made from.
    #[error(
        "the checksum of bytes {start}..{end} of the new contents differs: the delta is for another file, or damaged"
    )]
    Checksum {
        /// First byte of the window in the new contents.
        start: u64,
        /// The byte after its last one.
        end: u64,
    },
    /// The contents would pass 2^63 - 1 bytes.
    #[error("the contents would pass the largest file size, 2^63 - 1 bytes")]
    TooLarge,
    /// Copies would take too much memory.
    #[error("the copies of this delta would be of more than {limit} pieces")]
    TooManyPieces {
        /// The limit.
        limit: u64,
    },
    /// Bytes cannot be had or held.
    #[error("{0}")]
    Content(Box<Error>),
    /// The delta cannot be read.
    #[error("cannot read the delta: {0}")]
    Read(io::Error),
    /// The delta cannot be written.
    #[error("cannot write the delta: {0}")]
    Write(io::Error),
}
