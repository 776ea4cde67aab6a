//! The name of an open file: which path leads to it now.
//!
//! Others may rename the file, or a directory above it, while it is open. The edits belong to the inode, so the handle
//! follows it: the journal of a commit lies beside the name that the file has when the commit begins.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{io, ptr};

use crate::error::Shown;
use crate::identity::Identity;
use crate::open::{descriptor, leads_to};
use crate::source::OriginalFile;
use crate::{Error, Result, SpliceFile};

/// What the path of an open file leads to.
enum Found {
    /// The file itself.
    File,
    /// Another file.
    Another,
    /// No file.
    Nothing,
}

impl SpliceFile {
    /// Finds the path of the file again: others may have renamed the file, or a directory above it, since it was opened.
    /// [`path`](crate::Contents::path) is the path found from then on. Every commit calls this first; a plan does not, because
    /// it cannot change the handle. A file whose last name was removed keeps the path it had, and has no place for a journal
    /// any more. Costs a few system calls.
    ///
    /// # Errors
    /// [`Error::Changed`], if another file has taken the path, or if the file has other names (hard links) only, which the
    /// system does not tell; [`Error::Io`], if the system does not tell what is at the path; [`Error::Poisoned`].
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let directory = directory.path().canonicalize()?;
    /// use bytesplice::SpliceFile;
    ///
    /// std::fs::write(directory.join("draft"), "one")?;
    /// let mut file = SpliceFile::open(directory.join("draft"))?;
    /// std::fs::rename(directory.join("draft"), directory.join("final"))?;
    /// assert_eq!(file.locate()?, directory.join("final"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn locate(&mut self) -> Result<&Path> {
        self.check_usable()?;
        self.check_own_contents()?;
        if !self.unlinked {
            let found = self.look_at_path()?;
            if !matches!(found, Found::File) {
                match self.new_path(&found)? {
                    Some(path) => self.contents.path = path,
                    None => self.unlinked = true,
                }
            }
        }
        Ok(&self.path)
    }

    /// Fails unless the path still leads to the file.
    pub(crate) fn check_name(&self) -> Result<()> {
        if self.unlinked {
            return Ok(());
        }
        match self.look_at_path()? {
            Found::File => Ok(()),
            Found::Another => Err(self.changed_name("another file is at this path".into())),
            Found::Nothing => Err(self.changed_name("nothing is at this path any more".into())),
        }
    }

    /// Fails if these contents are edits of another file.
    pub(crate) fn check_own_contents(&self) -> Result<()> {
        let ours: *const OriginalFile = Arc::as_ptr(&self.original);
        if ptr::addr_eq(ours, Arc::as_ptr(&self.contents.original)) {
            return Ok(());
        }
        Err(self.changed_name("its contents were swapped with those of another file".into()))
    }

    fn look_at_path(&self) -> Result<Found> {
        match Identity::at(&self.path) {
            Ok(there) if there.key() == self.original.identity().key() => Ok(Found::File),
            Ok(_) => Ok(Found::Another),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(Found::Nothing)
            }
            Err(source) => Err(self.io_error("read the state of the file", source)),
        }
    }

    /// Where the file is now whose path leads to what was `found`. `None` if no name is left.
    fn new_path(&self, found: &Found) -> Result<Option<PathBuf>> {
        let failed = |source: io::Error| self.io_error("find the new path of the file", source);
        let file = self.original.file();
        let links = file.metadata().map_err(failed)?.nlink();
        let (_, path) = descriptor::paths(file).map_err(failed)?;
        let key = self.original.identity().key();
        let leads = links > 0 && path.is_absolute() && leads_to(&path, key).map_err(failed)?;
        match (found, leads) {
            // Edits for what users know by this path must not silently go to a file that was put aside or removed.
            (Found::Another, true) => Err(self.changed_name(format!(
                "another file is at this path, the opened one is now {}",
                Shown(&path)
            ))),
            (Found::Another, false) => {
                Err(self.changed_name("another file is at this path".into()))
            }
            (_, true) => Ok(Some(path)),
            (_, false) if links == 0 => Ok(None),
            (_, false) => Err(self.changed_name(format!(
                "nothing is at this path any more; the file has {links} other {}, which the system does not tell",
                if links == 1 { "name" } else { "names" }
            ))),
        }
    }

    fn changed_name(&self, what: String) -> Error {
        Error::Changed { path: self.path.clone(), what }
    }
}
