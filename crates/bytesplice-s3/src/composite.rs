use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::client::checksum;
use crate::{Head, UploadedPart};

/// What a store says of an object that was made of certain parts, and of no other.
///
/// The ETag is the MD5 of the parts' MD5s, then a hyphen and their number; the CRC-32C is made in the same way ("Checking object
/// integrity in Amazon S3", section on multipart uploads). Not so where the parts' ETags are no MD5s (keys of KMS or of the customer):
/// there the checksum has to do, which Amazon S3 and SeaweedFS keep.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Composite {
    len: u64,
    etag: Option<String>,
    checksum: Option<String>,
}

impl Composite {
    /// Of all parts, in order, which have `len` bytes.
    pub fn of(parts: &[UploadedPart], len: u64) -> Self {
        let together = |parts: Option<Vec<Vec<u8>>>| parts.map(|parts| parts.concat());
        let etags = together(parts.iter().map(|part| md5_in(&part.etag)).collect());
        let etag = etags.map(|md5s| {
            let md5 = u128::from_be_bytes(Md5::digest(md5s).into());
            format!("{md5:032x}-{}", parts.len())
        });
        let crc = |part: &UploadedPart| STANDARD.decode(part.checksum.as_ref()?).ok();
        let checksums = together(parts.iter().map(crc).collect());
        let checksum = checksums.map(|crcs| format!("{}-{}", checksum(&crcs), parts.len()));
        Self { len, etag, checksum }
    }

    /// Whether this object was made of the parts. If not, nobody may know.
    pub fn is(&self, head: &Head) -> bool {
        let has_etag = self.etag.as_deref() == Some(bare(&head.etag));
        let has_checksum = self.checksum.is_some() && self.checksum == head.checksum;
        head.len == self.len && (has_etag || has_checksum)
    }
}

/// The MD5 that a part's ETag is. SeaweedFS appends the number of pieces that it copied, and leaves that out of the object's.
fn md5_in(etag: &str) -> Option<Vec<u8>> {
    let digits = bare(etag).split('-').next().unwrap_or("");
    let is_md5 = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let md5 = is_md5.then(|| u128::from_str_radix(digits, 16).ok())?;
    md5.map(|md5| md5.to_be_bytes().to_vec())
}

/// An ETag without its quotes.
pub(crate) fn bare(etag: &str) -> &str {
    etag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u16, etag: &str, checksum: Option<&str>) -> UploadedPart {
        let checksum = checksum.map(str::to_owned);
        UploadedPart { number, etag: etag.to_owned(), len: None, checksum }
    }

    fn head(len: u64, etag: &str, checksum: Option<&str>) -> Head {
        let checksum = checksum.map(str::to_owned);
        Head { len, etag: etag.to_owned(), checksum, attributes: Vec::new(), tags: None }
    }

    /// By s3s-fs 0.14 and SeaweedFS 4.48, with the ETags of "a" and "b" by `md5sum`.
    #[test]
    fn objects_of_parts_are_known_by_their_etags() {
        let (a, b) = ("\"0cc175b9c0f1b6a831c399e269772661\"", "92eb5ffee6ae2fec3ad71c777531578f");
        let composite = Composite::of(&[part(1, a, None), part(2, b, None)], 2);
        let made = "\"96e024ba2074fe77e8e965ba43a704be-2\"";
        assert!(composite.is(&head(2, made, None)));
        assert!(!composite.is(&head(3, made, None)), "another length");
        assert!(!composite.is(&head(2, a, None)));
        let swapped = Composite::of(&[part(1, b, None), part(2, a, None)], 2);
        assert!(!swapped.is(&head(2, made, None)), "another order");
        let copied = format!("{b}-3");
        assert_eq!(Composite::of(&[part(1, a, None), part(2, &copied, None)], 2), composite);
    }

    /// Checksums as SeaweedFS 4.48 gave them.
    #[test]
    fn objects_of_parts_are_known_by_their_checksums() {
        let parts = [part(1, "\"?\"", Some("u7+zUw==")), part(2, "\"?\"", Some("LdOhNQ=="))];
        let composite = Composite::of(&parts, 9);
        assert!(composite.is(&head(9, "\"other\"", Some("8bpqFw==-2"))));
        assert!(!composite.is(&head(9, "\"other\"", Some("8bpqFw=="))));
        assert!(!composite.is(&head(9, "\"other\"", None)));
        let unknown = Composite::of(&[part(1, "\"?\"", None)], 9);
        assert!(!unknown.is(&head(9, "\"?\"", None)), "nothing to tell it by");
    }
}
