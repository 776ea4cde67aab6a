//! VCDIFF, the delta format of RFC 3284, as a second form of edit scripts.
//!
//! ```text
//! delta ──► decode ──► piece tree ──► encode ──► delta
//! ```
//! A delta is a header and then *windows*, each of which makes the next stretch of the new file. A window names a range of the
//! old file (its *source segment*), and has instructions: ADD these bytes, RUN of one byte, COPY from an address. Addresses
//! count through the segment and on through what the window has made so far. So source copies are pieces of the
//! original, and everything else is added bytes or fills; a delta and a script are two ways to write down the same pieces.
//!
//! Instructions, bytes and addresses lie in three sections of a window, so that one window is in memory at a time, and
//! no more. What a delta declares is held against limits before anything is allocated for it.
//!
//! From xdelta3 comes the Adler-32 of the bytes that a window makes. Written always, verified where it is there.
mod code_table;
mod decode;
mod encode;
mod integer;
mod problem;
mod read;
mod sections;
mod write;

pub use problem::VcdiffProblem;
pub use read::Vcdiff;
pub use write::VcdiffWriter;

pub(crate) use encode::encode;

/// The first bytes of every delta: "VCD" with the high bits set.
const MAGIC: [u8; 3] = [0xd6, 0xc3, 0xc4];

/// Bits of the indicator in the header of a delta.
const SECONDARY: u8 = 1;
const CODE_TABLE: u8 = 2;
const APPLICATION_HEADER: u8 = 4;

/// Bits of the indicator of a window.
const FROM_SOURCE: u8 = 1;
const FROM_TARGET: u8 = 2;
const CHECKSUM: u8 = 4;
