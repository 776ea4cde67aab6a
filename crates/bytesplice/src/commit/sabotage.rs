/// A mistake put into the protocol on purpose, to show that the crash tests would catch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sabotage {
    /// The target is not synced before the commit starts, though others may have written to it.
    NoInitialSync,
    /// The journal is not synced before it is relied on.
    NoPreparedSync,
    /// The directory is not synced after the journal was created.
    NoDirectorySyncAfterCreate,
    /// The directory is not synced after the journal was removed, so that an old one may come back.
    NoDirectorySyncAfterRemove,
    /// A record is not synced before its step overwrites blocks.
    NoRecordSync,
    /// A step is not synced before the next record says it is done.
    NoStepSync,
    /// The target is not synced before the journal is removed.
    NoFinalSync,
    /// The file is cut before the END record is durable.
    TruncateBeforeEnd,
    /// Both records, and their saved blocks, share one slot.
    OneSlot,
    /// Records of another journal are believed.
    NoNonce,
    /// Less than whole blocks are written.
    PartialBlocks,
    /// The blocks that a step both reads and writes are not saved.
    NoSavedBlocks,
    /// Recovery writes the record it stands on again, from the half-written file.
    RewriteRecord,
    /// The journal is removed when the commit fails in the middle.
    RemoveJournalOnError,
    /// A failed sync is tried again and believed.
    RetryFailedSync,
    /// All blocks are written ascending.
    AscendingOnly,
    /// All blocks are written descending.
    DescendingOnly,
    /// New bytes are written before the moves.
    LiteralsFirst,
    /// The file is lengthened only after the commit point and never by recovery.
    GrowLate,
    /// A file that a crash left between its old and its longer length is taken for changed by others, and left so.
    GrowthBelievedWhole,
    /// The inode is marked before the journal is durable.
    MarkBeforeJournal,
    /// The journal is removed before the mark is.
    JournalRemovedBeforeMark,
    /// A shift of extents is not synced before the next record says it is done.
    NoShiftSync,
    /// Recovery performs a shift again, however far it got.
    ShiftRepeated,
    /// Recovery reads the half-written file instead of the snapshot.
    SnapshotIgnored,
    /// An abort leaves the records in the journal that it removes, so that one that comes back obeys them.
    AbortKeepsRecords,
    /// An abort erases the records before the old contents are durable in the file.
    NoSyncBeforeRecordsGo,
    /// The gap of a hop is one block, and nothing is saved.
    GapTooSmall,
    /// A step is written before the one in front of it is durable, whatever they read.
    RunsAhead,
    /// A replacement takes the name before it is synced.
    RenameBeforeSync,
    /// The directory is not synced after a replacement took the name.
    NoDirectorySyncAfterRename,
    /// The map of a shift is not synced before its record, which may then be on the disk without the map.
    MapNotSynced,
    /// Recovery does not ask whether the file still is what the broken commit left.
    SamplesIgnored,
    /// What others appended is not carried to the new end before the file is cut.
    AppendedBytesCut,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 34] = [
        Self::NoInitialSync,
        Self::NoPreparedSync,
        Self::NoDirectorySyncAfterCreate,
        Self::NoDirectorySyncAfterRemove,
        Self::NoRecordSync,
        Self::NoStepSync,
        Self::NoFinalSync,
        Self::TruncateBeforeEnd,
        Self::OneSlot,
        Self::NoNonce,
        Self::PartialBlocks,
        Self::NoSavedBlocks,
        Self::RewriteRecord,
        Self::RemoveJournalOnError,
        Self::RetryFailedSync,
        Self::AscendingOnly,
        Self::DescendingOnly,
        Self::LiteralsFirst,
        Self::GrowLate,
        Self::GrowthBelievedWhole,
        Self::MarkBeforeJournal,
        Self::JournalRemovedBeforeMark,
        Self::NoShiftSync,
        Self::ShiftRepeated,
        Self::SnapshotIgnored,
        Self::AbortKeepsRecords,
        Self::NoSyncBeforeRecordsGo,
        Self::GapTooSmall,
        Self::RunsAhead,
        Self::RenameBeforeSync,
        Self::NoDirectorySyncAfterRename,
        Self::MapNotSynced,
        Self::SamplesIgnored,
        Self::AppendedBytesCut,
    ];
}
