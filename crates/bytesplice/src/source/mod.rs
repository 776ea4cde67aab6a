//! Where bytes come from: the file as it was opened, added bytes, other files.

mod added;
mod file;
mod mapped;
mod original;
mod spill;

pub(crate) use added::{AddedBytes, AppendError};
pub(crate) use file::FileSource;
pub(crate) use mapped::OriginalFile;
pub use original::Original;
