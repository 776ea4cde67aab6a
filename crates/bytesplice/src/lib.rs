//! A memory-mapped file that you can splice.
#![warn(missing_docs)]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "bytesplice supports Linux (and macOS by construction): its crash safety needs flock, pread/pwrite, \
     fsync of directories and descriptors that can be reopened"
);

mod commit;
mod error;
mod pieces;
mod range;
#[cfg(feature = "simulation")]
pub mod simulation;
mod storage;

pub use error::{Error, FileState, Result};
