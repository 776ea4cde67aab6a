//! Credentials and addresses, from variables and files.

use std::path::Path;

use bytesplice_s3::{Addressing, Conditions, Error, Profile, Result, Settings};

fn settings(folder: &Path, variables: &[(&str, &str)]) -> Result<Settings> {
    Settings::from_variables(None, &|name| {
        let found = variables.iter().find(|(found, _)| *found == name);
        found
            .map(|(_, value)| (*value).to_owned())
            .or_else(|| (name == "HOME").then(|| folder.display().to_string()))
    })
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder.join(".aws")).unwrap();
    std::fs::write(folder.join(".aws").join(name), text).unwrap();
}

#[test]
fn keys_of_the_environment_count_first() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "credentials",
        "[default]\naws_access_key_id = a\naws_secret_access_key = b\n",
    );
    write(folder.path(), "config", "[default]\nregion = eu-west-1\nendpoint_url = http://config\n");
    let found = settings(folder.path(), &[]).unwrap();
    assert_eq!((found.credentials.key.as_str(), found.credentials.secret.as_str()), ("a", "b"));
    assert_eq!(
        (found.region.as_str(), found.endpoint.as_deref()),
        ("eu-west-1", Some("http://config"))
    );
    let variables = [
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_SESSION_TOKEN", "t"),
        ("AWS_DEFAULT_REGION", "r2"),
        ("AWS_REGION", "r1"),
        ("AWS_ENDPOINT_URL", "http://all"),
        ("AWS_ENDPOINT_URL_S3", "http://s3"),
    ];
    let found = settings(folder.path(), &variables).unwrap();
    assert_eq!(found.credentials.key, "k");
    assert_eq!(found.credentials.token.as_deref(), Some("t"));
    assert_eq!((found.region.as_str(), found.endpoint.as_deref()), ("r1", Some("http://s3")));
    let shown = format!("{found:?}");
    assert!(!shown.contains("\"s\"") && !shown.contains("\"t\""), "{shown}");
}

#[test]
fn named_profiles_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = "# comment\n[default]\naws_access_key_id=no\n\n[work]\naws_access_key_id=w\naws_secret_access_key = x=y\n";
    write(folder.path(), "credentials", credentials);
    write(
        folder.path(),
        "config",
        "[profile work]\ns3 =\n  region = nested\n  addressing_style = virtual\nregion = eu-north-1\nca_bundle = c\n",
    );
    let found = settings(folder.path(), &[("AWS_PROFILE", "work")]).unwrap();
    assert_eq!((found.credentials.key.as_str(), found.credentials.secret.as_str()), ("w", "x=y"));
    assert_eq!(found.region, "eu-north-1");
    assert_eq!(found.addressing, Addressing::VirtualHost);
    assert_eq!(found.ca_bundle.as_deref(), Some(Path::new("c")));
    let variables = [("AWS_PROFILE", "work"), ("AWS_CA_BUNDLE", "/other")];
    let found = settings(folder.path(), &variables).unwrap();
    assert_eq!(found.ca_bundle.as_deref(), Some(Path::new("/other")));
    let error = settings(folder.path(), &[("AWS_PROFILE", "none")]).unwrap_err();
    assert!(error.to_string().contains("\"none\""), "{error}");
}

#[test]
fn what_is_not_supported_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = ["sso_session = s", "role_arn = r", "credential_process = p", "sso_start_url = u"];
    for line in kinds {
        write(folder.path(), "config", &format!("[default]\n{line}\n"));
        let error = settings(folder.path(), &[]).unwrap_err();
        assert!(matches!(error, Error::Credentials { .. }));
        let text = error.to_string();
        assert!(
            text.contains("aws configure export-credentials") && text.contains(&line[..8]),
            "{text}"
        );
    }
    write(folder.path(), "config", "");
    for variables in [
        &[][..],
        &[("AWS_ACCESS_KEY_ID", "k")],
        &[("AWS_WEB_IDENTITY_TOKEN_FILE", "f")],
        &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "u")],
    ] {
        let error = settings(folder.path(), variables).unwrap_err();
        assert!(matches!(error, Error::Credentials { .. }), "{error}");
    }
}

/// Stores that say what they do with conditions are known by their address, and by nothing that
/// only looks like it.
#[test]
fn stores_are_known_by_their_address() {
    let unsupported = Profile { conditions: Conditions::Unsupported, ..Profile::COMPATIBLE };
    let china = Profile { checks_before_swap: false, ..Profile::COMPATIBLE };
    for (endpoint, profile) in [
        ("https://s3.eu-central-1.amazonaws.com", Profile::AWS),
        ("https://S3.EU-Central-1.AmazonAWS.com:443/", Profile::AWS),
        ("https://s3.cn-north-1.amazonaws.com.cn", china),
        ("https://account.eu.r2.cloudflarestorage.com", Profile::EQUAL_PARTS),
        ("https://s3.gra.io.cloud.ovh.net/", Profile::COMPATIBLE),
        ("https://s3.ru-1.storage.selcloud.ru", Profile::COMPATIBLE),
        ("https://s3.us-west-004.backblazeb2.com", unsupported),
        ("http://localhost:9000", Profile::UNKNOWN),
        ("https://s3.wasabisys.com", Profile::UNKNOWN),
        ("https://amazonaws.com.example.com", Profile::UNKNOWN),
        ("https://notamazonaws.com", Profile::UNKNOWN),
        ("https://example.com/s3.amazonaws.com", Profile::UNKNOWN),
    ] {
        assert_eq!(Profile::of(Some(endpoint)), profile, "{endpoint}");
    }
    assert_eq!(Profile::of(None), Profile::AWS);
}

/// What a store is like is said by a variable, also against its address; a misspelt kind is an
/// error.
#[test]
fn stores_are_told_by_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let address = ("AWS_ENDPOINT_URL", "http://localhost:9000");
    for (kind, profile) in [
        ("", Profile::UNKNOWN),
        ("aws", Profile::AWS),
        ("compatible", Profile::COMPATIBLE),
        ("equal-parts", Profile::EQUAL_PARTS),
    ] {
        let variables = [&keys[..], &[address, ("BYTESPLICE_STORE", kind)]].concat();
        assert_eq!(settings(folder.path(), &variables).unwrap().profile(), profile, "{kind}");
    }
    let variables = [&keys[..], &[("BYTESPLICE_STORE", "minio")]].concat();
    let error = settings(folder.path(), &variables).unwrap_err();
    assert!(matches!(error, Error::StoreKind { .. }), "{error}");
    assert!(error.to_string().contains("compatible"), "{error}");
}
