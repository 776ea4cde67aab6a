use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// How addresses of objects begin.
const SCHEME: &str = "s3://";

/// The name of an object: a bucket and a key.
///
/// ```
/// use bytesplice_s3::ObjectName;
/// let name: ObjectName = "s3://bucket/folder/key".parse()?;
/// assert_eq!((name.bucket(), name.key()), ("bucket", "folder/key"));
/// assert_eq!(name.to_string(), "s3://bucket/folder/key");
/// assert!(ObjectName::is_address("s3://bucket/folder/key"));
/// assert_eq!(ObjectName::of_address("s3://bucket/folder/key")?, Some(name));
/// assert_eq!(ObjectName::of_address("folder/file")?, None);
/// # Ok::<(), bytesplice_s3::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectName {
    bucket: String,
    key: String,
}

impl ObjectName {
    /// # Errors
    /// [`Error::Name`] for an empty bucket or key, and for keys with `.` or `..` between slashes: a URL cannot hold them.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Result<Self> {
        let name = Self { bucket: bucket.into(), key: key.into() };
        let why = if name.bucket.is_empty() || name.bucket.contains('/') {
            "a name is s3://BUCKET/KEY"
        } else if name.key.is_empty() {
            "the key is missing: a name is s3://BUCKET/KEY"
        } else if name.key.split('/').any(|part| part == "." || part == "..") {
            "a URL cannot hold a key with `.` or `..` between slashes"
        } else {
            return Ok(name);
        };
        Err(Error::Name { name: name.to_string(), why })
    }

    /// Whether `name`, where a file could be named as well, is the address of an object: whether it begins with `s3://`. A file
    /// of such a name is reached by `./s3://…`.
    #[must_use]
    pub fn is_address(name: impl AsRef<OsStr>) -> bool {
        name.as_ref().as_encoded_bytes().starts_with(SCHEME.as_bytes())
    }

    /// The object that `name` is the [address](Self::is_address) of; none for any other name, which is that of a file.
    ///
    /// # Errors
    /// [`Error::Name`], as for [`new`](Self::new), and for an address that is not UTF-8.
    pub fn of_address(name: impl AsRef<OsStr>) -> Result<Option<Self>> {
        let name = name.as_ref();
        if !Self::is_address(name) {
            return Ok(None);
        }
        let text = name.to_str().ok_or_else(|| Error::Name {
            name: name.to_string_lossy().into_owned(),
            why: "names of objects are UTF-8",
        })?;
        text.parse().map(Some)
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key within the bucket.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for ObjectName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| Error::Name {
            name: text.escape_debug().to_string(),
            why: "a name is s3://BUCKET/KEY",
        })?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        Self::new(bucket, key)
    }
}

impl fmt::Display for ObjectName {
    /// With control characters escaped, so that a key cannot drive a terminal.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{SCHEME}{}/", self.bucket.escape_debug())?;
        for character in self.key.chars() {
            if character.is_control() {
                write!(out, "{}", character.escape_default())?;
            } else {
                write!(out, "{character}")?;
            }
        }
        Ok(())
    }
}
