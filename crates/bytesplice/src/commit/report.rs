use std::fmt;

use super::journal::Layout;
use super::order::{self};
use super::plan::{Geometry, Origin, Plan};
use crate::pieces::{Piece, Source};

/// What a commit would do, and cost. All sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitPlan {
    /// The way that the commit takes.
    pub strategy: ChosenStrategy,
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
    /// How many steps can be redone one by one after a crash.
    pub steps: u64,
}

/// The way that a commit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChosenStrategy {
    /// There is nothing to commit.
    Nothing,
    /// Journaled, with new bytes only: whatever is kept stays where it is.
    NothingMoves,
    /// Blocks are moved in place, step by step, with a journal.
    Journaled,
    /// A new file takes the name of the old one.
    Replace,
    /// Blocks are moved in place without a journal.
    Direct,
}

impl fmt::Display for ChosenStrategy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Nothing => "nothing",
            Self::NothingMoves => "nothing-moves",
            Self::Journaled => "journaled",
            Self::Replace => "replace",
            Self::Direct => "direct",
        })
    }
}

impl CommitPlan {
    /// The costs of carrying out `plan`, made from `pieces`.
    pub(super) fn new(
        plan: &Plan,
        pieces: &[Piece],
        geometry: Geometry,
        direct: bool,
        synced: bool,
    ) -> Self {
        let strategy = match (plan.is_nothing(), direct) {
            (true, _) => ChosenStrategy::Nothing,
            (false, true) => ChosenStrategy::Direct,
            (false, false) if plan.nothing_moves() => ChosenStrategy::NothingMoves,
            (false, false) => ChosenStrategy::Journaled,
        };
        let saved = if direct { Vec::new() } else { plan.saved_per_step(geometry.block) };
        let saved_in_all: u64 = saved.iter().sum();
        let journal = match strategy {
            ChosenStrategy::NothingMoves | ChosenStrategy::Journaled => Layout::new(
                geometry.page,
                plan.runs.len() as u64,
                plan.literal_len,
                plan.slot_len(geometry.block),
            ),
            ChosenStrategy::Nothing | ChosenStrategy::Replace | ChosenStrategy::Direct => None,
        };
        let steps = plan.steps.len() as u64;
        let kept: u64 = plan
            .runs
            .iter()
            .filter(|run| matches!(run.origin, Origin::Kept(_)))
            .map(|run| run.len)
            .sum();
        let shrinking = u64::from(plan.new_len < plan.old_len);
        let (staying, moved, new) = shares(pieces);
        Self {
            strategy,
            old_len: plan.old_len,
            new_len: plan.new_len,
            bytes_staying: staying,
            bytes_moved: moved,
            bytes_new: new,
            bytes_to_read: kept + saved_in_all + plan.literal_len,
            bytes_to_write: plan.bytes_to_write(),
            bytes_to_journal: journal
                .map_or(0, |journal| journal.saved[0] + saved_in_all + (steps + 1) * geometry.page),
            fsyncs: match strategy {
                _ if !synced => 0,
                ChosenStrategy::Nothing | ChosenStrategy::Replace => 0,
                ChosenStrategy::Direct => 1,
                // The journal, its directory, the mark; record and blocks of each step; END, the length, the mark,
                // the directory again.
                ChosenStrategy::NothingMoves | ChosenStrategy::Journaled => {
                    3 + 2 * steps + 3 + shrinking
                }
            },
            extra_disk: journal.map_or(0, |journal| journal.len),
            keeps_inode: true,
            breaks_hard_links: false,
            steps,
        }
    }

    /// Bytes that a commit reports as done by and by.
    pub(super) fn bytes_of_progress(plan: &Plan, geometry: Geometry, direct: bool) -> u64 {
        let written = plan.bytes_to_write();
        if direct {
            return written;
        }
        written + plan.literal_len + plan.saved_per_step(geometry.block).iter().sum::<u64>()
    }
}

/// How many bytes stay, move and are new.
pub(super) fn shares(pieces: &[Piece]) -> (u64, u64, u64) {
    let (mut staying, mut moved, mut new, mut destination) = (0, 0, 0, 0);
    for (piece, kept) in pieces.iter().zip(order::kept_in_order(pieces)) {
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
