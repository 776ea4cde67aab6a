use std::fmt;
use std::time::Duration;

use super::order;
use crate::Strategy;
use crate::pieces::{Piece, Source};

/// What a commit would do, and cost. All sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitPlan {
    /// The way that the commit takes.
    pub strategy: ChosenStrategy,
    /// Why this one.
    pub reason: String,
    /// Length of the file now.
    pub old_len: u64,
    /// Length of the new contents.
    pub new_len: u64,
    /// Bytes of the file that stay where they are.
    pub bytes_staying: u64,
    /// Bytes of the file that change their offset.
    pub bytes_moved: u64,
    /// Bytes that the file did not have, or has and will have twice.
    pub bytes_new: u64,
    /// Bytes read from the file and from the sources of new bytes.
    pub bytes_to_read: u64,
    /// Bytes written to the file.
    pub bytes_to_write: u64,
    /// Bytes written to the journal.
    pub bytes_to_journal: u64,
    /// How often the commit waits for the disk.
    pub fsyncs: u64,
    /// Disk space that the commit takes until it is done, beside the new contents.
    pub extra_disk: u64,
    /// Whether the file keeps its inode, and with it its hard links.
    pub keeps_inode: bool,
    /// Whether the file has other hard links, which will keep the old contents.
    pub breaks_hard_links: bool,
    /// Whether the file lies on overlayfs: see [`Support::copies_up`](crate::Support::copies_up).
    pub copies_up: bool,
    /// How many steps can be redone one by one after a crash.
    pub steps: u64,
    /// What every strategy would cost, or why it cannot be had.
    pub costs: Vec<StrategyCost>,
}

/// The way that a commit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChosenStrategy {
    /// There is nothing to commit.
    Nothing,
    /// Blocks are written in place, step by step, with a journal.
    Journaled,
    /// Blocks are written in place, with a journal that shares the old ones.
    Snapshot,
    /// Extents are shifted, with a journal; what is left is written in place.
    Extents,
    /// A new file takes the name of the old one.
    Replace,
    /// Blocks are written in place without a journal.
    Direct,
}

impl fmt::Display for ChosenStrategy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Nothing => "nothing",
            Self::Journaled => "journaled",
            Self::Snapshot => "snapshot",
            Self::Extents => "extents",
            Self::Replace => "replace",
            Self::Direct => "direct",
        })
    }
}

/// What a strategy would cost for one commit. All sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StrategyCost {
    /// The strategy; never [`Strategy::Auto`].
    pub strategy: Strategy,
    /// Why it cannot be had here; all costs are then zero.
    pub unavailable: Option<String>,
    /// Bytes read from the file and from the sources of new bytes.
    pub bytes_to_read: u64,
    /// Bytes written to the file.
    pub bytes_to_write: u64,
    /// Bytes written to the journal.
    pub bytes_to_journal: u64,
    /// How often the commit waits for the disk.
    pub fsyncs: u64,
    /// Disk space that the commit takes until it is done, beside the new contents.
    pub extra_disk: u64,
    /// The length of the longest file that it needs, for a while.
    pub longest_file: u64,
    /// How many steps can be redone one by one after a crash.
    pub steps: u64,
    /// Whether the file keeps its inode, and with it its hard links.
    pub keeps_inode: bool,
    /// A rough guess, to be compared with those of the others. It knows nothing of this very disk.
    pub estimate: Duration,
}

impl StrategyCost {
    /// No cost at all.
    pub(super) fn nothing(strategy: Strategy) -> Self {
        Self {
            strategy,
            unavailable: None,
            bytes_to_read: 0,
            bytes_to_write: 0,
            bytes_to_journal: 0,
            fsyncs: 0,
            extra_disk: 0,
            longest_file: 0,
            steps: 0,
            keeps_inode: true,
            estimate: Duration::ZERO,
        }
    }

    /// A strategy that cannot be had.
    pub(super) fn unavailable(strategy: Strategy, reason: String) -> Self {
        Self { unavailable: Some(reason), ..Self::nothing(strategy) }
    }
}

impl CommitPlan {
    /// The plan that takes the way that `cost` is about; nothing if there is nothing to do.
    pub(super) fn new(
        pieces: impl Iterator<Item = Piece> + Clone,
        old_len: u64,
        cost: Option<&StrategyCost>,
        reason: String,
        costs: Vec<StrategyCost>,
    ) -> Self {
        let nothing = StrategyCost::nothing(Strategy::Auto);
        let cost = cost.unwrap_or(&nothing);
        let (staying, moved, new) = shares(pieces);
        Self {
            strategy: match cost.strategy {
                Strategy::Auto => ChosenStrategy::Nothing,
                Strategy::Journaled => ChosenStrategy::Journaled,
                Strategy::Snapshot => ChosenStrategy::Snapshot,
                Strategy::Extents => ChosenStrategy::Extents,
                Strategy::Replace => ChosenStrategy::Replace,
                Strategy::Direct => ChosenStrategy::Direct,
            },
            reason,
            old_len,
            new_len: staying + moved + new,
            bytes_staying: staying,
            bytes_moved: moved,
            bytes_new: new,
            bytes_to_read: cost.bytes_to_read,
            bytes_to_write: cost.bytes_to_write,
            bytes_to_journal: cost.bytes_to_journal,
            fsyncs: cost.fsyncs,
            extra_disk: cost.extra_disk,
            keeps_inode: cost.keeps_inode,
            breaks_hard_links: false,
            copies_up: false,
            steps: cost.steps,
            costs,
        }
    }
}

/// How many bytes stay, move and are new.
pub(super) fn shares(pieces: impl Iterator<Item = Piece> + Clone) -> (u64, u64, u64) {
    let (mut staying, mut moved, mut new, mut destination) = (0, 0, 0, 0);
    for (piece, kept) in pieces.clone().zip(order::kept_in_order(pieces)) {
        let share = match piece.source {
            Source::Original if kept && piece.offset == destination => &mut staying,
            Source::Original if kept => &mut moved,
            _ => &mut new,
        };
        *share += piece.len;
        destination += piece.len;
    }
    (staying, moved, new)
}
