//! Whom to trust: the system's own list of certificates, so that what its other programs trust is trusted here.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::FetchError;

/// Reads the list. Blocks for some milliseconds.
pub(super) fn connector() -> Result<TlsConnector, FetchError> {
    let mut roots = RootCertStore::empty();
    // Some entries of the list are always too old or too odd; the others serve.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(FetchError::NoTrust);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError::Talk { host: "TLS".to_owned(), why: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
