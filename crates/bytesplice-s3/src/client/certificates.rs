use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Trusts stores whose certificates come from those of a file in PEM, and no others. Says what is wrong with it.
pub(super) fn trusting(path: &Path) -> Result<TlsConfig, String> {
    let bundle = || format!("the certificates in {} (AWS_CA_BUNDLE, ca_bundle)", path.display());
    let text = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", bundle()))?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(format!("cannot read {}: {error}", bundle()))),
        })
        .collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        return Err(format!("there are none of {}", bundle()));
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::from(certificates)).build())
}
