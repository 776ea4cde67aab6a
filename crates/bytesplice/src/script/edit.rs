use std::ops::Range;
use std::path::PathBuf;

/// The first line of a script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScriptHeader {
    /// What the offsets of the edits count in.
    pub offsets: Offsets,
    /// Length of the file that the script is for, in bytes. Applying to another length is refused.
    pub old_len: Option<u64>,
    /// Length of the file that the script makes, in bytes. A script that makes another one is refused.
    pub new_len: Option<u64>,
}

/// What the offsets of a script count in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Offsets {
    /// In the file before the script. Edits come in ascending order and do not overlap.
    #[default]
    Old,
    /// In the contents that the edits before left.
    Sequence,
}

/// One line of a script: the bytes of `range` give way to `content`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptEdit {
    /// Which bytes go, half-open; empty to insert.
    pub range: Range<u64>,
    /// What comes in their place.
    pub content: ScriptContent,
    /// What they must be.
    pub old: Option<OldBytes>,
}

/// New bytes of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptContent {
    /// These.
    Bytes(Vec<u8>),
    /// One byte, this many times.
    Fill(u8, u64),
    /// Bytes of another file, all without a range. A relative path counts from the working directory.
    File(PathBuf, Option<Range<u64>>),
    /// Bytes of the file itself, at offsets as those of the edits.
    Copy(Range<u64>),
}

/// What is known of the bytes that an edit removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldBytes {
    /// All of them.
    Bytes(Vec<u8>),
    /// Their CRC-32, that of zip and PNG.
    Checksum(u32),
}

/// What a script that is written says of the bytes that it removes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checks {
    /// Nothing.
    None,
    /// Their checksums, so that it is refused where they differ.
    #[default]
    Checksum,
    /// All of them, so that it can be [inverted](crate::invert) without the old file as well.
    Whole,
}
