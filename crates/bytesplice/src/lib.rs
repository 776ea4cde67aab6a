//! A memory-mapped file that you can splice.
#![warn(missing_docs)]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "bytesplice supports Linux (and macOS by construction): its crash safety needs flock, pread/pwrite, \
     fsync of directories and descriptors that can be reopened"
);

mod error;
mod pieces;
mod range;

pub use error::{Error, FileState, Result};
