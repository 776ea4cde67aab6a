use std::collections::BTreeMap;

use crate::pieces::PieceTree;
use crate::view::View;
use crate::{Contents, Error, Result};

/// Contents kept by name.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    by_name: BTreeMap<String, Snapshot>,
}

/// Contents at one time.
#[derive(Debug, Clone)]
pub(crate) enum Snapshot {
    /// They can be read.
    Whole(PieceTree),
    /// A commit could not keep them: why.
    Stale(String),
}

impl Snapshots {
    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Snapshot)> {
        self.by_name.iter()
    }

    /// Replaces all of them.
    pub fn set(&mut self, by_name: BTreeMap<String, Snapshot>) {
        self.by_name = by_name;
    }

    /// Drops all of them.
    pub fn clear(&mut self) {
        self.by_name.clear();
    }
}

/// Snapshots.
impl Contents {
    /// Keeps the contents as they are now under `name`, to be read ([`view`](Self::view)) and restored later; an earlier
    /// snapshot of that name is dropped. O(1) in the length and the number of edits.
    ///
    /// A snapshot outlives commits: what it needs and the file has no more is saved by the commit, up to
    /// [`OpenOptions::history_limit`](crate::OpenOptions::history_limit). It does not outlive
    /// [`discard`](Self::discard) and the handle.
    ///
    /// # Errors
    /// [`Error::Poisoned`].
    pub fn snapshot(&mut self, name: impl Into<String>) -> Result<()> {
        self.check_usable()?;
        self.overwrites.share(self.added.len());
        self.snapshots.by_name.insert(name.into(), Snapshot::Whole(self.tree.clone()));
        Ok(())
    }

    /// The contents that [`snapshot`](Self::snapshot) kept under `name`, to be read. O(log n) in the number of snapshots.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`]; [`Error::SnapshotStale`] if the limit did not allow a commit to save what it takes;
    /// [`Error::Poisoned`].
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// use std::io::Read;
    ///
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.snapshot("ten digits")?;
    /// file.remove(2..9)?;
    /// file.commit()?;
    /// let mut text = String::new();
    /// file.view("ten digits")?.reader().read_to_string(&mut text)?;
    /// assert_eq!(text, "0123456789");
    /// # Ok(())
    /// # }
    /// ```
    pub fn view(&self, name: &str) -> Result<View<'_>> {
        self.check_usable()?;
        Ok(View::new(self, self.snapshot_tree(name)?))
    }

    /// Makes the contents those of a snapshot: an edit like others, which can be undone. O(log n).
    ///
    /// # Errors
    /// As for [`view`](Self::view).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.snapshot("before")?;
    /// file.truncate(0)?;
    /// file.restore("before")?;
    /// assert!(!file.is_modified());
    /// file.undo()?;
    /// assert!(file.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn restore(&mut self, name: &str) -> Result<()> {
        self.check_usable()?;
        let tree = self.snapshot_tree(name)?.clone();
        self.put_tree(0..self.len(), tree);
        Ok(())
    }

    /// The names of all snapshots, in their order.
    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        self.snapshots.by_name.keys().map(String::as_str)
    }

    /// Drops the snapshot of that name; whether there was one.
    pub fn remove_snapshot(&mut self, name: &str) -> bool {
        self.snapshots.by_name.remove(name).is_some()
    }

    fn snapshot_tree(&self, name: &str) -> Result<&PieceTree> {
        let (path, shown) = (|| self.path.clone(), || name.to_owned());
        match self.snapshots.by_name.get(name) {
            Some(Snapshot::Whole(tree)) => Ok(tree),
            Some(Snapshot::Stale(why)) => {
                Err(Error::SnapshotStale { path: path(), name: shown(), why: why.clone() })
            }
            None => Err(Error::NoSnapshot { path: path(), name: shown() }),
        }
    }
}
