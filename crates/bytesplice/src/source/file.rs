use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::{Range, RangeBounds};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::identity::Identity;
use crate::{Error, Result, range, regular};

/// Another regular file that an edit takes bytes from. They are read when they are needed, never copied to memory.
#[derive(Debug)]
pub(crate) struct FileSource {
    file: File,
    /// As the caller gave it.
    path: PathBuf,
    /// The same, whatever becomes of the working directory.
    absolute: PathBuf,
    identity: Identity,
}

impl FileSource {
    /// Opens `path` and notes its identity.
    ///
    /// # Errors
    /// [`Error::Open`] and [`Error::NotRegular`].
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Open { path: path.into(), source };
        let opened = regular::open(path, path, false)?;
        Ok(Self {
            identity: Identity::from(&opened.metadata),
            file: opened.file,
            path: path.into(),
            absolute: std::path::absolute(path).map_err(failed)?,
        })
    }

    /// Opens `path` for a range of its bytes.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and those of a range that lies outside.
    pub fn open_range(path: &Path, range: impl RangeBounds<u64>) -> Result<(Self, Range<u64>)> {
        let source = Self::open(path)?;
        let range = range::resolve(range, source.identity.len, &source.path)?;
        Ok((source, range))
    }

    /// The path as the caller gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's state at the time of the edit.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Fails if the bytes of the file changed, the file was removed, or another file has its path. A renamed file is the same
    /// file: its bytes are read through the open descriptor.
    ///
    /// # Errors
    /// [`Error::SourceChanged`].
    pub fn check_unchanged(&self) -> Result<()> {
        let what = self.change().unwrap_or_else(|error| Some(error.to_string()));
        what.map_or(Ok(()), |what| Err(Error::SourceChanged { path: self.path.clone(), what }))
    }

    /// What others did to the file, in words.
    fn change(&self) -> io::Result<Option<String>> {
        let metadata = self.file.metadata()?;
        let now = Identity::from(&metadata);
        match Identity::at(&self.absolute) {
            Ok(there) if there.key() == now.key() => {}
            Ok(_) => return Ok(Some("another file is at this path".to_owned())),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                if metadata.nlink() == 0 {
                    return Ok(Some("it was removed".to_owned()));
                }
            }
            Err(error) => return Err(error),
        }
        Ok(self.identity.difference(&now))
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn change(source: &FileSource) -> String {
        match source.check_unchanged() {
            Err(Error::SourceChanged { what, .. }) => what,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn changes_of_the_source_are_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("source");
        fs::write(&path, "0123456789").unwrap();
        let source = FileSource::open(&path).unwrap();
        source.check_unchanged().unwrap();
        fs::write(&path, "012345678901").unwrap();
        assert_eq!(change(&source), "its length went from 10 to 12 bytes");
        fs::remove_file(&path).unwrap();
        assert_eq!(change(&source), "it was removed");
        let mut bytes = [0; 4];
        source.read_exact_at(&mut bytes, 2).unwrap();
        assert_eq!(&bytes, b"2345");
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(change(&source), "another file is at this path");
    }
}
