use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::credentials::{self, Profiles};
use crate::{Addressing, Credentials, Profile, Result, Retry};

/// Where a store is, and who asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Address of the store, such as `https://s3.example.com`; none for Amazon S3.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Who asks.
    pub credentials: Credentials,
    /// How the bucket's name goes into the URL.
    pub addressing: Addressing,
    /// A file with the certificates, in PEM, that those of the store's must come from; none for those of the public
    /// authorities.
    pub ca_bundle: Option<PathBuf>,
    /// What the store allows, where its address does not tell.
    pub store: Option<Profile>,
    /// How often requests are tried.
    pub retry: Retry,
    /// How long to wait for the store to take or give the next bytes. A copy of 5 GiB may answer late.
    pub timeout: Duration,
}

impl Settings {
    /// Settings with these credentials; the rest as usual.
    ///
    /// ```
    /// use bytesplice_s3::{Credentials, Settings};
    /// let settings = Settings::new(Credentials::new("key", "secret"));
    /// assert_eq!(settings.region, "us-east-1");
    /// ```
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            endpoint: None,
            region: "us-east-1".to_owned(),
            credentials,
            addressing: Addressing::default(),
            ca_bundle: None,
            store: None,
            retry: Retry::default(),
            timeout: Duration::from_secs(120),
        }
    }

    /// What the store allows: as it was said, or by its address ([`Profile::of`]).
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.store.clone().unwrap_or_else(|| Profile::of(self.endpoint.as_deref()))
    }

    /// What the environment says, as for the AWS command line: `AWS_ENDPOINT_URL_S3`,
    /// `AWS_ENDPOINT_URL` (unless an `endpoint` is given), `AWS_REGION`, `AWS_DEFAULT_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_CA_BUNDLE`, and the
    /// profile `AWS_PROFILE` of the files `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE`
    /// (`~/.aws/credentials` and `~/.aws/config`), of which `addressing_style` is taken as well.
    /// `BYTESPLICE_STORE` has the [name](Profile::named) of what the store allows.
    ///
    /// # Errors
    /// [`Error::Credentials`](crate::Error::Credentials) says what to do: only keys are taken, and
    /// no roles, SSO, programs, or metadata of machines are asked for.
    /// [`Error::StoreKind`](crate::Error::StoreKind).
    pub fn from_environment(endpoint: Option<&str>) -> Result<Self> {
        Self::from_variables(endpoint, &|name| std::env::var(name).ok())
    }

    /// As [`Settings::from_environment`], with variables from elsewhere.
    ///
    /// # Errors
    /// As there.
    pub fn from_variables(
        endpoint: Option<&str>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
        let file = |name: &str, usual: &str| {
            variable(name).map_or_else(|| home.join(".aws").join(usual), PathBuf::from)
        };
        let profiles = Profiles {
            name: variable("AWS_PROFILE"),
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config: file("AWS_CONFIG_FILE", "config"),
        };
        let profile: HashMap<String, String> = profiles.read()?;
        let credentials = credentials::find(&variable, &profiles, &profile)?;
        let mut settings = Self::new(credentials);
        settings.endpoint = endpoint
            .map(str::to_owned)
            .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .or_else(|| profile.get("endpoint_url").cloned());
        let region = variable("AWS_REGION")
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or_else(|| profile.get("region").cloned());
        settings.region = region.unwrap_or(settings.region);
        let bundle = variable("AWS_CA_BUNDLE").or_else(|| profile.get("ca_bundle").cloned());
        settings.ca_bundle = bundle.map(PathBuf::from);
        settings.store =
            variable("BYTESPLICE_STORE").map(|name| Profile::named(&name)).transpose()?;
        settings.addressing = match profile.get("s3.addressing_style").map(String::as_str) {
            Some("path") => Addressing::Path,
            Some("virtual") => Addressing::VirtualHost,
            _ => Addressing::Automatic,
        };
        Ok(settings)
    }
}
