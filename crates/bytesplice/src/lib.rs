//! A memory-mapped file that you can splice: insert, remove and replace bytes in the middle.
//!
//! A [`SpliceFile`] shows the bytes of a file and takes edits of any length anywhere. Nothing reaches the file before
//! a commit; dropping the handle discards the edits.
#![warn(missing_docs)]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "bytesplice supports Linux (and macOS by construction): its crash safety needs flock, pread/pwrite, \
     fsync of directories and descriptors that can be reopened"
);

mod commit;
mod content;
mod error;
mod file;
mod identity;
mod lock;
mod open;
mod options;
mod pieces;
mod range;
mod read;
mod reader;
mod recovery;
mod regular;
#[cfg(feature = "simulation")]
pub mod simulation;
mod source;
mod status;
mod storage;

pub use commit::{ChosenStrategy, CommitPlan, Recovery};
pub use content::Content;
pub use error::{Error, FileState, Result};
pub use file::SpliceFile;
pub use options::{
    CommitOptions, Durability, LockMode, OpenOptions, Progress, Strategy, UnknownStrategy,
};
pub use reader::{Chunks, Reader};
pub use recovery::{RecoverOptions, recover, recover_with};
pub use status::{JournalStatus, Status, status};
