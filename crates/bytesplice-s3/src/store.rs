use std::borrow::Cow;
use std::ops::Range;
use std::time::SystemTime;

use crate::{ObjectName, Result, Retry};

/// A store as one object sees it: every request that a commit makes, and the seam for tests.
///
/// Each call is tried as often as is safe; what it returns is final. [`Client`](crate::Client) is the one over HTTP.
pub trait Store: Send + Sync {
    /// The object.
    fn name(&self) -> &ObjectName;

    /// How often a request is tried, for those whose lost answers are dealt with by others.
    fn retry(&self) -> Retry {
        Retry::default()
    }

    /// The object's length, ETag and attributes.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) if there is none.
    fn head(&self) -> Result<Head>;

    /// The bytes `range` of the object, which must have this ETag.
    ///
    /// # Errors
    /// [`Error::Changed`](crate::Error::Changed) if it has another one.
    fn get(&self, range: Range<u64>, etag: &str) -> Result<Vec<u8>>;

    /// The tags of the object, as pairs of a key and a value. None of a store that has no tags.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) if the credentials may not read them.
    fn tags(&self) -> Result<Vec<(String, String)>>;

    /// Makes `body` the whole object, with these attributes, and gives its ETag. Sends that one
    /// request, at most once.
    ///
    /// # Errors
    /// [`Error::Changed`](crate::Error::Changed) if the condition does not hold.
    fn put(&self, body: &[u8], attributes: &[Attribute], condition: &Condition) -> Result<String>;

    /// Begins an upload of an object with these attributes.
    ///
    /// # Errors
    /// Whatever the store refuses.
    fn create_upload(&self, attributes: &[Attribute]) -> Result<Upload>;

    /// Sends part `number`, from 1 on.
    ///
    /// # Errors
    /// Whatever the store refuses.
    fn upload_part(&self, upload: &Upload, number: u16, body: &[u8]) -> Result<UploadedPart>;

    /// Copies the bytes `range` of the object, which must have this ETag, into part `number`.
    ///
    /// # Errors
    /// [`Error::Changed`](crate::Error::Changed) if it has another one.
    fn copy_part(
        &self,
        upload: &Upload,
        number: u16,
        range: Range<u64>,
        etag: &str,
    ) -> Result<UploadedPart>;

    /// Makes the parts the object, and gives its ETag. Tried once: whoever calls looks at the object if the answer is lost.
    ///
    /// # Errors
    /// [`Error::Changed`](crate::Error::Changed) if the condition does not hold,
    /// [`Error::UploadGone`](crate::Error::UploadGone), and [`Error::Unreachable`](crate::Error::Unreachable) if the
    /// answer did not arrive.
    fn complete(
        &self,
        upload: &Upload,
        parts: &[UploadedPart],
        condition: &Condition,
    ) -> Result<String>;

    /// Ends an upload and frees its parts.
    ///
    /// # Errors
    /// [`Error::UploadGone`](crate::Error::UploadGone) if it was completed or aborted.
    fn abort(&self, upload: &str) -> Result<()>;

    /// The parts that an upload has, ascending, as the store lists them. A part that was sent twice
    /// may be listed twice.
    ///
    /// # Errors
    /// [`Error::UploadGone`](crate::Error::UploadGone) if it was completed or aborted.
    fn list_parts(&self, upload: &str) -> Result<Vec<UploadedPart>>;

    /// The uploads of this object under way, by whomever.
    ///
    /// # Errors
    /// Whatever the store refuses.
    fn list_uploads(&self) -> Result<Vec<LeftoverUpload>>;

    /// Removes the object; done as well if there is none. Commits never ask for it: a
    /// [`probe`](crate::probe()) does.
    ///
    /// # Errors
    /// Whatever the store refuses.
    fn delete(&self) -> Result<()>;
}

/// What a store says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Length in bytes.
    pub len: u64,
    /// Changes whenever the contents do. With its quotes.
    pub etag: String,
    /// CRC-32C in base64 if the store keeps it: of the bytes, or of the checksums of the parts, then with a hyphen and their number.
    pub checksum: Option<String>,
    /// Headers that make a new object like this one: user metadata, content type, cache control, storage class,
    /// encryption.
    pub attributes: Vec<Attribute>,
    /// Number of tags. `None` if the store does not tell it: the object has no tags, the
    /// credentials may not read them (Amazon S3), or the store never tells (Apache Ozone).
    /// [`Store::tags`] asks.
    pub tags: Option<u64>,
}

/// A header of an object that a new object takes over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    /// Name in lower case.
    pub name: String,
    /// The value as the store sends it: mostly UTF-8, ISO 8859-1 of some clients. May be empty.
    pub value: Vec<u8>,
}

impl Attribute {
    /// An attribute with a text as its value.
    ///
    /// ```
    /// use bytesplice_s3::Attribute;
    /// assert_eq!(Attribute::new("content-type", "text/plain").value, b"text/plain");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        Self { name: name.into(), value: value.as_ref().to_vec() }
    }

    /// The value as text: as UTF-8 if it is that, as ISO 8859-1 otherwise.
    ///
    /// ```
    /// use bytesplice_s3::Attribute;
    /// assert_eq!(Attribute::new("x-amz-meta-name", "\u{e4}").text(), "\u{e4}");
    /// assert_eq!(Attribute::new("x-amz-meta-name", [0xE4]).text(), "\u{e4}");
    /// ```
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match str::from_utf8(&self.value) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => self.value.iter().map(|&byte| char::from(byte)).collect(),
        }
    }
}

/// What must hold for the object to be swapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It has this ETag.
    Matches(String),
    /// There is none.
    Absent,
    /// Nothing: the write is carried out in any case.
    Always,
}

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The store's identifier.
    pub id: String,
    /// Whether the store keeps a CRC-32C of each part.
    pub checksums: bool,
}

/// A part that the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedPart {
    /// From 1 on.
    pub number: u16,
    /// With its quotes; empty in a list that does not tell it (s3s-fs).
    pub etag: String,
    /// Number of bytes, where the store says so.
    pub len: Option<u64>,
    /// CRC-32C in base64, if the store keeps it.
    pub checksum: Option<String>,
}

/// An upload that somebody began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftoverUpload {
    /// The store's identifier.
    pub id: String,
    /// When it was begun.
    pub initiated: SystemTime,
}
