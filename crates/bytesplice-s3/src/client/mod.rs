//! A store over HTTP.
//!
//! Requests are signed as presigned URLs (AWS Signature Version 4, by rusty-s3) together with all headers that matter, and sent by
//! ureq. Whatever reads or writes parts of an object carries its ETag.

mod attributes;
mod certificates;
mod request;
mod signature;
mod store;
mod traffic;
mod xml;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use rusty_s3::{Bucket, UrlStyle};
use ureq::Agent;
use ureq::tls::TlsConfig;
use url::Url;

use crate::{Credentials, Error, ObjectName, Result, Retry, Settings};
use request::Draft;
use traffic::Counters;

pub use traffic::Traffic;

/// One object of a store over HTTP or HTTPS. Cheap requests to it share connections; it can be used by many threads.
///
/// ```no_run
/// use bytesplice_s3::{Client, ObjectName, Settings, Store};
/// let name: ObjectName = "s3://bucket/key".parse()?;
/// let client = Client::new(name, &Settings::from_environment(None)?)?;
/// println!("{} bytes", client.head()?.len);
/// # Ok::<(), bytesplice_s3::Error>(())
/// ```
#[derive(Debug)]
pub struct Client {
    name: ObjectName,
    bucket: Bucket,
    credentials: rusty_s3::Credentials,
    retry: Retry,
    agent: Agent,
    counters: Counters,
}

/// How a bucket's name goes into a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// In the host for Amazon's own endpoints (but for buckets with a dot, which no certificate fits), in the path elsewhere.
    #[default]
    Automatic,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    VirtualHost,
}

impl Client {
    /// A client for one object. No request is sent yet.
    ///
    /// # Errors
    /// [`Error::Endpoint`].
    pub fn new(name: ObjectName, settings: &Settings) -> Result<Self> {
        let own = format!("https://s3.{}.amazonaws.com", settings.region);
        let endpoint = settings.endpoint.as_ref().unwrap_or(&own);
        let refused = |why: String| Error::Endpoint { endpoint: endpoint.clone(), why };
        let url: Url =
            endpoint.parse().map_err(|error: url::ParseError| refused(error.to_string()))?;
        let is_amazon = url.host_str().is_some_and(|host| host.ends_with(".amazonaws.com"));
        let style = match settings.addressing {
            Addressing::Path => UrlStyle::Path,
            Addressing::VirtualHost => UrlStyle::VirtualHost,
            Addressing::Automatic if is_amazon && !name.bucket().contains('.') => {
                UrlStyle::VirtualHost
            }
            Addressing::Automatic => UrlStyle::Path,
        };
        let bucket = Bucket::new(url, style, name.bucket().to_owned(), settings.region.clone())
            .map_err(|error| refused(error.to_string()))?;
        let Credentials { key, secret, token } = settings.credentials.clone();
        let credentials = match token {
            Some(token) => rusty_s3::Credentials::new_with_token(key, secret, token),
            None => rusty_s3::Credentials::new(key, secret),
        };
        let tls = match &settings.ca_bundle {
            Some(path) => certificates::trusting(path).map_err(refused)?,
            None => TlsConfig::default(),
        };
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // A signature is good for one host only.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(10).min(settings.timeout)))
            .timeout_per_read(Some(settings.timeout))
            .timeout_per_write(Some(settings.timeout))
            .max_idle_connections_per_host(64)
            .build()
            .new_agent();
        Ok(Self {
            name,
            bucket,
            credentials,
            retry: settings.retry.clone(),
            agent,
            counters: Counters::default(),
        })
    }

    /// What was asked of the store so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.counters.now()
    }

    fn document<'a>(&self, draft: &Draft<'_>, text: &'a str) -> Result<roxmltree::Document<'a>> {
        roxmltree::Document::parse(text.trim())
            .map_err(|error| self.bad(draft, format!("it is not XML: {error}")))
    }

    fn missing(&self, draft: &Draft<'_>, what: &str) -> Error {
        self.bad(draft, format!("it has no {what}"))
    }
}

/// CRC-32C, as S3 writes it.
pub(crate) fn checksum(body: &[u8]) -> String {
    STANDARD.encode(crc32c::crc32c(body).to_be_bytes())
}

/// MD5, as the header Content-MD5 has it.
fn md5(body: &[u8]) -> String {
    STANDARD.encode(Md5::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(name: &str, endpoint: Option<&str>, addressing: Addressing) -> String {
        let endpoint = endpoint.map(str::to_owned);
        let settings =
            Settings { endpoint, addressing, ..Settings::new(Credentials::new("k", "s")) };
        let client = Client::new(name.parse().unwrap(), &settings).unwrap();
        client.bucket.object_url(client.name.key()).to_string()
    }

    #[test]
    fn addresses_are_those_of_the_store() {
        use Addressing::{Automatic, Path, VirtualHost};
        let own = "https://s3.us-east-1.amazonaws.com";
        assert_eq!(url("s3://b/k", None, Automatic), "https://b.s3.us-east-1.amazonaws.com/k");
        assert_eq!(url("s3://b/k", None, Path), format!("{own}/b/k"));
        assert_eq!(url("s3://b.c/k", None, Automatic), format!("{own}/b.c/k"));
        let other = Some("http://host:9000");
        assert_eq!(url("s3://b/a/k+ ä", other, Automatic), "http://host:9000/b/a/k%2B%20%C3%A4");
        assert_eq!(url("s3://b/k", other, VirtualHost), "http://b.host:9000/k");
    }

    #[test]
    fn names_and_addresses_that_cannot_be_are_refused() {
        for name in ["b/k", "s3://b", "s3://b/", "s3:///k", "s3://b/../k", "s3://b/a/."] {
            assert!(matches!(name.parse::<ObjectName>(), Err(Error::Name { .. })), "{name}");
        }
        for endpoint in ["host:9000", "ftp://host", ""] {
            let endpoint = Some(endpoint.to_owned());
            let settings = Settings { endpoint, ..Settings::new(Credentials::new("k", "s")) };
            let error = Client::new("s3://b/k".parse().unwrap(), &settings).unwrap_err();
            assert!(matches!(error, Error::Endpoint { .. }), "{error}");
        }
    }

    /// The value that RFC 3720, B.4 has for 32 bytes of zeros.
    #[test]
    fn checksums_are_crc_32c() {
        assert_eq!(checksum(&[0; 32]), STANDARD.encode([0x8A, 0x91, 0x36, 0xAA]));
    }
}
