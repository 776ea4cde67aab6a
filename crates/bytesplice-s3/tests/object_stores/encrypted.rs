//! A store over TLS, whose certificate comes from an authority of its own.

use std::sync::Arc;

use bytesplice_s3::{
    Client, CommitOptions, Error, ObjectFile, ObjectName, ObjectOptions, Settings, Store,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::proxy::{Fault, Proxy};
use crate::servers::{Server, settings};
use crate::{LEN, contents, make, noise};

/// A server for `localhost`, and the certificate of its authority in PEM.
fn certified() -> (ServerConfig, String) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let bundle = authority.self_signed(&key).unwrap().pem();
    let authority = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (config, bundle)
}

pub fn objects_are_edited_over_tls(server: &Server) {
    let (config, bundle) = certified();
    let config = Arc::new(config);
    let encrypt = move |client| -> Box<dyn crate::proxy::Stream> {
        Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), client))
    };
    let proxy = Proxy::start_over(server.port, encrypt, |_| Fault::None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    std::fs::write(&path, bundle).unwrap();
    let name = ObjectName::new("bucket", "encrypted").unwrap();
    let endpoint = Some(format!("https://localhost:{}", proxy.port));
    let trusting = Settings { endpoint, ca_bundle: Some(path), ..settings(proxy.port) };

    let plain = server.client("encrypted", server.port);
    let mut model = noise(LEN, 40);
    make(&plain, &model);
    let mut object =
        ObjectFile::open_with(name.clone(), &trusting, ObjectOptions::default()).unwrap();
    model.splice(6_000_000..6_000_000, *b"over TLS");
    object.insert(6_000_000, "over TLS").unwrap();
    object.commit_with(&CommitOptions::default()).unwrap();
    assert!(contents(&plain) == model);
    let mut found = [0; 8];
    object.read_exact_at(&mut found, 6_000_000).unwrap();
    assert_eq!(&found, b"over TLS");

    let strict = Settings { ca_bundle: None, ..trusting.clone() };
    let untrusted = Client::new(name.clone(), &strict).unwrap().head().unwrap_err();
    assert!(matches!(untrusted, Error::Untrusted { .. }), "{untrusted}");
    let elsewhere = Some(format!("https://127.0.0.1:{}", proxy.port));
    let elsewhere = Settings { endpoint: elsewhere, ..trusting.clone() };
    let untrusted = Client::new(name.clone(), &elsewhere).unwrap().head().unwrap_err();
    assert!(matches!(untrusted, Error::Untrusted { .. }), "{untrusted}");

    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        let refused = Settings { ca_bundle: Some(path), ..trusting.clone() };
        let refused = Client::new(name.clone(), &refused).unwrap_err();
        assert!(matches!(refused, Error::Endpoint { .. }), "{refused}");
    }
}
