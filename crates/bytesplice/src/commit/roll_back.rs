//! Taking back what was prepared, before the commit point.
//!
//! A commit makes room behind the old contents: zeros, up to one of a few lengths. They are cut off again. If others have
//! appended behind the room meanwhile, their bytes are carried to the end of the old contents first, as after END
//! (`commit/closing.rs`), with records of their own.

use super::engine::{Armed, Engine};
use super::failure::{Attempt, Failure, Object};
use super::journal::record::{ROLL_BACK, Record};
#[cfg(any(test, feature = "simulation"))]
use super::sabotage::Sabotage;
use crate::storage::{Storage, StorageFile};

/// What is behind the old contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// Nothing of ours.
    Nothing,
    /// Zeros from `to` to `from`, and what others appended behind `from`.
    Room { from: u64, to: u64 },
}

/// Whether others appended before the file got its room, as the commit itself has noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slipped {
    /// As far as is known, nobody did: the room begins at the end of the old contents.
    No,
    /// They may have: the room begins behind what they appended.
    Perhaps,
}

impl<S: Storage> Engine<'_, S> {
    /// Takes back what was prepared. The mark must be durably gone before the journal is.
    pub(super) fn roll_back(
        &mut self,
        armed: &Armed<S::File>,
        slipped: Slipped,
    ) -> Result<(), Failure> {
        let target = self.storage.target();
        loop {
            let len = target.len().attempt(Object::Target, "measure", 0, 0)?;
            let Behind::Room { from, to } = self.behind_old_contents(armed, slipped, len)? else {
                break;
            };
            // What the commit knows now of what slipped in, recovery would not.
            if from < len || to > armed.header.old_len {
                // A record must not speak of bytes that a crash takes back.
                target.sync_data().attempt(Object::Target, "sync", to, len - to)?;
                let record = Record { from, to, ..Record::of_step(ROLL_BACK, armed.marked) };
                let record = self.before_cut(armed, record)?;
                self.saver().put_record(armed, record)?;
                return self.close(armed, record);
            }
            let cut = self.storage.cut(from, to);
            if cut.attempt(Object::Target, "shorten", to, from - to)? {
                break;
            }
        }
        self.storage.clear_mark().attempt(Object::Target, "unmark the inode of", 0, 0)?;
        target.sync_all().attempt(Object::Target, "sync", 0, armed.header.old_len)?;
        self.drop_journal()
    }

    /// Whether the commit has made the room that it needs behind the old contents.
    pub(super) fn has_grown(&self, armed: &Armed<S::File>) -> Result<bool, Failure> {
        let header = &armed.header;
        let len = self.storage.target().len().attempt(Object::Target, "measure", 0, 0)?;
        Ok(match self.behind_old_contents(armed, Slipped::No, len)? {
            Behind::Room { from, .. } => header.old_len < from && from == header.working_len,
            Behind::Nothing => false,
        })
    }

    fn behind_old_contents(
        &self,
        armed: &Armed<S::File>,
        slipped: Slipped,
        len: u64,
    ) -> Result<Behind, Failure> {
        let header = &armed.header;
        let old_len = header.old_len;
        let mut known = header.lengths_before_commit_point();
        #[cfg(any(test, feature = "simulation"))]
        if self.geometry.sabotage == Some(Sabotage::GrowthBelievedWhole) {
            known.retain(|&len| header.working_len <= len);
        }
        if len <= old_len {
            // At the old length what was reserved behind it is given back.
            let reserved = len == old_len && !known.is_empty();
            return Ok(if reserved {
                Behind::Room { from: len, to: len }
            } else {
                Behind::Nothing
            });
        }
        let target = self.storage.target();
        let read = |outcome: std::io::Result<Option<u64>>| {
            outcome.attempt(Object::Target, "read", old_len, len - old_len)
        };
        if slipped == Slipped::Perhaps && known.contains(&header.working_len) {
            let from = header.working_len.min(len);
            let to = read(target.end_of_data(old_len..from))?.unwrap_or(old_len);
            let room = Behind::Room { from, to };
            return Ok(if to < from { room } else { Behind::Nothing });
        }
        let zeros_end = read(target.start_of_data(old_len..len))?.unwrap_or(len);
        known.retain(|&len| len <= zeros_end);
        Ok(match known.into_iter().max() {
            Some(from) => Behind::Room { from, to: old_len },
            None => Behind::Nothing,
        })
    }
}
