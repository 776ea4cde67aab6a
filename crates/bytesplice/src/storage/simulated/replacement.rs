use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::{Call, Operation, SimulatedFile, SimulatedStorage, lock};
use crate::commit::sabotage::Sabotage;
use crate::storage::replacement::Replacement;
use crate::storage::{Storage, StorageFile};

/// A target, and the file that is to take its name, on one simulated disk.
pub(crate) struct SimulatedReplacement<'a> {
    /// The disk with the target.
    pub storage: &'a SimulatedStorage,
    /// Whether its files can share blocks.
    pub clones: bool,
}

impl SimulatedReplacement<'_> {
    /// Performs an operation on the directory, unless it is made to fail.
    fn perform(&self, operation: Operation, call: Call) -> io::Result<()> {
        let mut disk = lock(&self.storage.disk);
        disk.attempt(call)?;
        disk.perform(operation);
        Ok(())
    }
}

impl Replacement for SimulatedReplacement<'_> {
    type File = SimulatedFile;

    fn target(&self) -> &SimulatedFile {
        self.storage.target()
    }

    fn create(&self) -> io::Result<SimulatedFile> {
        self.remove_stale()?;
        let file = {
            let mut disk = lock(&self.storage.disk);
            let file = disk.next_file;
            disk.next_file += 1;
            disk.seen.file(file);
            file
        };
        self.perform(Operation::CreateReplacement(file), Call::TakesRoom)?;
        Ok(SimulatedFile { disk: Arc::clone(&self.storage.disk), file })
    }

    fn clone_contents(&self, file: &SimulatedFile) -> io::Result<bool> {
        if !self.clones {
            return Ok(false);
        }
        let mut contents = vec![0; self.target().len()? as usize];
        self.target().read_exact_at(&mut contents, 0)?;
        file.write_all_at(&contents, 0).map(|()| true)
    }

    fn share(&self, _file: &SimulatedFile, _from: u64, _to: u64, _len: u64) -> u64 {
        0
    }

    fn data_after(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        Ok(self.target().data_ranges(offset)?.into_iter().next())
    }

    fn clear(&self, file: &SimulatedFile, range: Range<u64>) -> io::Result<()> {
        file.write_all_at(&vec![0; (range.end - range.start) as usize], range.start)
    }

    fn copy_metadata(&self, _file: &SimulatedFile) -> io::Result<()> {
        lock(&self.storage.disk).attempt(Call::TakesRoom)
    }

    fn rename(&self, file: &SimulatedFile) -> io::Result<()> {
        self.perform(Operation::Rename(file.file), Call::TakesRoom)?;
        let mut disk = lock(&self.storage.disk);
        if disk.sabotage == Some(Sabotage::RenameBeforeSync) {
            disk.log.push(Operation::Sync { file: file.file, all: true });
        }
        Ok(())
    }

    fn has_name(&self, file: &SimulatedFile) -> io::Result<bool> {
        Ok(lock(&self.storage.disk).seen.target == file.file)
    }

    fn remove(&self) -> io::Result<()> {
        self.perform(Operation::RemoveReplacement, Call::TakesNone)
    }

    fn remove_stale(&self) -> io::Result<bool> {
        if lock(&self.storage.disk).seen.replacement.is_none() {
            return Ok(false);
        }
        self.remove().map(|()| true)
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = lock(&self.storage.disk);
        if disk.sabotage == Some(Sabotage::NoDirectorySyncAfterRename) {
            return Ok(());
        }
        disk.attempt(Call::TakesNone)?;
        disk.log.push(Operation::SyncDirectory);
        Ok(())
    }
}
