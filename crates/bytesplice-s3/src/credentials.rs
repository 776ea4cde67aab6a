use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The keys that requests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's identifier.
    pub key: String,
    /// The secret access key.
    pub secret: String,
    /// The token of temporary credentials.
    pub token: Option<String>,
}

impl Credentials {
    /// Lasting credentials.
    #[must_use]
    pub fn new(key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { key: key.into(), secret: secret.into(), token: None }
    }
}

impl fmt::Debug for Credentials {
    /// Without the secrets.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Where profiles are.
pub(crate) struct Profiles {
    /// As asked for; `default` otherwise.
    pub name: Option<String>,
    pub credentials: PathBuf,
    pub config: PathBuf,
}

impl Profiles {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("default")
    }

    /// All that both files say of the profile; the file for credentials counts first.
    pub fn read(&self) -> Result<HashMap<String, String>> {
        let config = match self.name() {
            "default" => section(&self.config, &["default", "profile default"])?,
            name => section(&self.config, &[&format!("profile {name}")])?,
        };
        let credentials = section(&self.credentials, &[self.name()])?;
        let found = config.is_some() || credentials.is_some();
        if let (Some(name), false) = (&self.name, found) {
            let (one, other) = (self.credentials.display(), self.config.display());
            return Err(refused(format!(
                "AWS_PROFILE is {name:?}, and neither {one} nor {other} has that profile"
            )));
        }
        let mut profile = config.unwrap_or_default();
        profile.extend(credentials.unwrap_or_default());
        Ok(profile)
    }
}

/// The credentials of the environment, or else of the profile.
pub(crate) fn find(
    variable: &dyn Fn(&str) -> Option<String>,
    profiles: &Profiles,
    profile: &HashMap<String, String>,
) -> Result<Credentials> {
    // A profile that is asked for by name comes before keys in the profile's absence only; as in the AWS command line keys
    // of the environment always count first.
    match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        (Some(key), Some(secret)) => {
            return Ok(Credentials { key, secret, token: variable("AWS_SESSION_TOKEN") });
        }
        (Some(_), None) => {
            return Err(refused(
                "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not".to_owned(),
            ));
        }
        (None, Some(_)) => {
            return Err(refused(
                "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not".to_owned(),
            ));
        }
        (None, None) => {}
    }
    let get = |name: &str| profile.get(name).cloned();
    if let (Some(key), Some(secret)) = (get("aws_access_key_id"), get("aws_secret_access_key")) {
        return Ok(Credentials { key, secret, token: get("aws_session_token") });
    }
    let name = profiles.name();
    let export =
        "run `aws configure export-credentials --format env` and set the variables that it prints";
    let unsupported = [
        ("sso_session", "SSO"),
        ("sso_start_url", "SSO"),
        ("role_arn", "a role"),
        ("credential_process", "a program"),
        ("web_identity_token_file", "a web identity"),
    ];
    for (setting, kind) in unsupported {
        if profile.contains_key(setting) {
            return Err(refused(format!(
                "the profile {name:?} gets them from {kind} ({setting}), which is not supported: {export}"
            )));
        }
    }
    let elsewhere = [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    for setting in elsewhere {
        if variable(setting).is_some() {
            return Err(refused(format!("{setting} is set, which is not supported: {export}")));
        }
    }
    Err(refused(format!(
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write both to the profile {name:?} in {}; the metadata of \
         a machine is not asked: there, {export}",
        profiles.credentials.display()
    )))
}

fn refused(why: String) -> Error {
    Error::Credentials { why }
}

/// The settings of the first of these sections of a file, names in lower case, those within another as `outer.inner`; none
/// if there is no such section or file.
fn section(path: &Path, names: &[&str]) -> Result<Option<HashMap<String, String>>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(format!("cannot read {}: {error}", path.display()))),
    };
    let mut settings: Option<HashMap<String, String>> = None;
    let (mut is_ours, mut outer) = (false, String::new());
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or("");
            let header = header.split_whitespace().collect::<Vec<_>>().join(" ");
            is_ours = names.contains(&header.replace(['"', '\''], "").as_str());
            if is_ours {
                settings.get_or_insert_default();
            }
        } else if let (true, Some((name, value)), Some(settings)) =
            (is_ours, line.split_once('='), &mut settings)
        {
            let name = name.trim().to_ascii_lowercase();
            if is_nested {
                settings.insert(format!("{outer}.{name}"), value.trim().to_owned());
            } else {
                settings.insert(name.clone(), value.trim().to_owned());
                outer = name;
            }
        }
    }
    Ok(settings)
}
