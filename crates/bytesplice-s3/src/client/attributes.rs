use ureq::http::HeaderMap;

/// Headers of a HEAD that a new object takes over as they are.
const KEPT: [&str; 10] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-website-redirect-location",
];

/// The headers that make a new object like the one that `headers` describe.
pub(super) fn attributes(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let name = name.as_str();
        let is_kept = KEPT.contains(&name)
            || name == "x-amz-storage-class"
            || name.starts_with("x-amz-meta-");
        if let (true, Ok(value)) = (is_kept, value.to_str()) {
            kept.push((name.to_owned(), value.to_owned()));
        }
    }
    kept.sort_unstable();
    kept
}
