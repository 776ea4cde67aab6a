//! Signatures of requests with headers that are no UTF-8, such as user metadata in ISO 8859-1:
//! rusty-s3 takes text only.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use rusty_s3::Method;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::Client;

/// What precedes the signature in a presigned URL.
const SIGNATURE: &str = "&X-Amz-Signature=";

impl Client {
    /// `url`, as rusty-s3 signed it at the time `now` with other bytes in the place of these, with
    /// the signature of `headers`, which are sorted by name.
    ///
    /// "Signature Calculations for the Authorization Header: Transferring Payload in a Single
    /// Chunk" of the API reference of Amazon S3 has the canonical request and the key; the query of
    /// the URL is canonical already.
    pub(super) fn signed_as_bytes(
        &self,
        now: &Timestamp,
        method: Method,
        mut url: Url,
        headers: &[(&str, Vec<u8>)],
    ) -> Url {
        let query = url.query().unwrap_or("");
        let query = query.split(SIGNATURE).next().unwrap_or("").to_owned();
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut all: Vec<(&str, &[u8])> = vec![("host", host.as_bytes())];
        all.extend(headers.iter().map(|(name, value)| (*name, &value[..])));
        all.sort_unstable();

        let mut request = format!("{}\n{}\n{query}\n", method.to_str(), url.path()).into_bytes();
        for (name, value) in &all {
            request.extend_from_slice(name.as_bytes());
            request.push(b':');
            // Spaces around the value do not count, and several in it count as one.
            let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            request.extend(words.collect::<Vec<_>>().join(&b' '));
            request.push(b'\n');
        }
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        request.extend_from_slice(format!("\n{}\nUNSIGNED-PAYLOAD", names.join(";")).as_bytes());

        let (day, time) = (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ"));
        let scope = format!("{day}/{}/s3/aws4_request", self.bucket.region());
        let text = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            hexadecimal(&Sha256::digest(&request))
        );
        let secret = format!("AWS4{}", self.credentials.secret()).into_bytes();
        let steps = [&day, self.bucket.region(), "s3", "aws4_request", &text];
        let signature = steps.iter().fold(secret, |key, step| hmac(&key, step.as_bytes()));
        url.set_query(Some(&format!("{query}{SIGNATURE}{}", hexadecimal(&signature))));
        url
    }
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // A key of HMAC has any length.
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    hmac.update(data);
    hmac.finalize().into_bytes().to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Credentials, Settings};

    /// Where both can sign, the signatures are the same.
    #[test]
    fn signatures_are_those_of_rusty_s3() {
        let token =
            Credentials { token: Some("t/+=".to_owned()), ..Credentials::new("key", "secret") };
        for (endpoint, credentials) in [
            ("http://127.0.0.1:9000", Credentials::new("key", "sec/ret+")),
            ("https://host", token),
        ] {
            let settings =
                Settings { endpoint: Some(endpoint.to_owned()), ..Settings::new(credentials) };
            let client = Client::new("s3://b/a key/+\u{e4}".parse().unwrap(), &settings).unwrap();
            let headers =
                [("if-match", "\"e\""), ("x-amz-meta-a", ""), ("x-amz-meta-b", " \u{e4}  b ")];
            let now = Timestamp::from_second(1_369_353_600).unwrap();
            let expected = rusty_s3::signing::sign(
                &now,
                Method::Put,
                client.bucket.object_url(client.name.key()),
                client.credentials.key(),
                client.credentials.secret(),
                client.credentials.token(),
                client.bucket.region(),
                Duration::from_secs(900).as_secs(),
                [("partNumber", "1"), ("uploadId", "a+b c")].into_iter(),
                headers.into_iter(),
            );
            let headers = headers.map(|(name, value)| (name, value.as_bytes().to_vec()));
            let mut unsigned = expected.clone();
            let query = expected.query().unwrap().split(SIGNATURE).next().unwrap();
            unsigned.set_query(Some(&format!("{query}{SIGNATURE}0")));
            let signed = client.signed_as_bytes(&now, Method::Put, unsigned, &headers);
            assert_eq!(signed.as_str(), expected.as_str());
        }
    }
}
