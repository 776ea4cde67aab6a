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

/// The headers that make a new object like the one that `headers` describe; or the name of one that cannot be sent again.
pub(super) fn attributes(headers: &HeaderMap) -> Result<Vec<(String, String)>, String> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let name = name.as_str();
        let is_kept = KEPT.contains(&name)
            || name == "x-amz-storage-class"
            || name.starts_with("x-amz-meta-");
        if !is_kept {
            continue;
        }
        let value = str::from_utf8(value.as_bytes()).map_err(|_| name.to_owned())?;
        let value = if name == "content-encoding" { of_object(value) } else { value.to_owned() };
        if !value.is_empty() {
            kept.push((name.to_owned(), value));
        }
    }
    kept.sort_unstable();
    Ok(kept)
}

/// Without the encoding of a body that was sent in signed chunks, which some stores keep.
fn of_object(encodings: &str) -> String {
    let encodings = encodings.split(',').map(str::trim);
    encodings.filter(|encoding| *encoding != "aws-chunked").collect::<Vec<_>>().join(",")
}
