use ureq::http::HeaderMap;

use crate::Attribute;

/// Headers of a HEAD that a new object takes over as they are.
const KEPT: [&str; 11] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// The headers that make a new object like the one that `headers` describe. The values stay as they
/// are, byte by byte.
pub(super) fn attributes(headers: &HeaderMap) -> Vec<Attribute> {
    let mut kept: Vec<Attribute> = Vec::new();
    for (name, value) in headers {
        let name = name.as_str();
        let is_metadata = name.starts_with("x-amz-meta-");
        if !is_metadata && !KEPT.contains(&name) {
            continue;
        }
        let mut attribute = Attribute::new(name, value.as_bytes());
        if let ("content-encoding", Ok(encodings)) = (name, value.to_str()) {
            attribute = Attribute::new(name, of_object(encodings));
        }
        // Some stores send a header without a value for what an object does not have. Metadata may
        // be empty.
        if is_metadata || !attribute.value.is_empty() {
            kept.push(attribute);
        }
    }
    kept.sort_unstable();
    kept
}

/// Without the encoding of a body that was sent in signed chunks, which some stores keep.
fn of_object(encodings: &str) -> String {
    let encodings = encodings.split(',').map(str::trim);
    encodings.filter(|encoding| *encoding != "aws-chunked").collect::<Vec<_>>().join(",")
}
