use std::ops::{Deref, DerefMut};

use bytesplice::{Contents, SpliceFile};

use crate::ObjectFile;

/// A file or an object, for those who take either and tell them by [`ObjectName::is_address`](crate::ObjectName::is_address).
/// Edits and reads are those of its [`Contents`], to which it dereferences; only commits differ.
///
/// ```
/// use bytesplice_s3::Opened;
/// use bytesplice::SpliceFile;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// # std::fs::write(&path, "old")?;
/// let mut opened = Opened::from(SpliceFile::open(&path)?);
/// opened.append(" and new")?;
/// if let Opened::File(file) = &mut opened {
///     file.commit()?;
/// }
/// assert_eq!(opened.len(), 11);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum Opened {
    /// A file of this machine.
    File(Box<SpliceFile>),
    /// An object in a store.
    Object(Box<ObjectFile>),
}

impl Deref for Opened {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        match self {
            Self::File(file) => file,
            Self::Object(object) => object,
        }
    }
}

impl DerefMut for Opened {
    fn deref_mut(&mut self) -> &mut Contents {
        match self {
            Self::File(file) => file,
            Self::Object(object) => object,
        }
    }
}

impl From<SpliceFile> for Opened {
    fn from(file: SpliceFile) -> Self {
        Self::File(Box::new(file))
    }
}

impl From<ObjectFile> for Opened {
    fn from(object: ObjectFile) -> Self {
        Self::Object(Box::new(object))
    }
}
