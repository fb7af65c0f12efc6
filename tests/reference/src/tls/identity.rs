//! Certificates and keys.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Flaw;

const SERVER_KEY: &[u8] = include_bytes!("certificate/server.key");
const OTHER_KEY: &[u8] = include_bytes!("certificate/other.key");

/// How rustls is to serve; `with_rsa` for a good server with a key of RSA.
pub(super) fn config(flaw: Option<Flaw>, with_rsa: bool) -> ServerConfig {
    let (chain, key): (Vec<&[u8]>, &[u8]) = match flaw {
        Some(Flaw::Expired) => (vec![include_bytes!("certificate/expired.crt")], SERVER_KEY),
        Some(Flaw::Future) => (vec![include_bytes!("certificate/future.crt")], SERVER_KEY),
        Some(Flaw::Elsewhere) => (vec![include_bytes!("certificate/elsewhere.crt")], SERVER_KEY),
        Some(Flaw::Nameless) => (vec![include_bytes!("certificate/nameless.crt")], SERVER_KEY),
        Some(Flaw::Sha1) => (vec![include_bytes!("certificate/sha1.crt")], SERVER_KEY),
        Some(Flaw::ShortKey) => {
            let chain: [&[u8]; 2] =
                [include_bytes!("certificate/under-short.crt"), include_bytes!("certificate/short.crt")];
            (chain.to_vec(), SERVER_KEY)
        }
        Some(Flaw::Alone) => (vec![include_bytes!("certificate/chained.crt")], SERVER_KEY),
        Some(Flaw::SelfSigned) => (vec![super::SELF_SIGNED.as_bytes()], SERVER_KEY),
        Some(Flaw::OtherClient) => (vec![include_bytes!("certificate/client.crt")], SERVER_KEY),
        Some(Flaw::UnderServer) => {
            let chain: [&[u8]; 2] =
                [include_bytes!("certificate/under-server.crt"), include_bytes!("certificate/server.crt")];
            (chain.to_vec(), SERVER_KEY)
        }
        Some(Flaw::OtherKey) => (vec![include_bytes!("certificate/server.crt")], OTHER_KEY),
        _ if with_rsa => (vec![include_bytes!("certificate/rsa.crt")], include_bytes!("certificate/rsa.key")),
        _ => {
            let chain: [&[u8]; 2] =
                [include_bytes!("certificate/chained.crt"), include_bytes!("certificate/middle.crt")];
            (chain.to_vec(), SERVER_KEY)
        }
    };
    let chain =
        chain.iter().map(|pem| CertificateDer::from_pem_slice(pem).expect("made by openssl")).collect();
    let key = PrivateKeyDer::from_pem_slice(key).expect("made by openssl");
    let key = ring::sign::any_supported_type(&key).expect("ring knows both kinds");
    let versions: &[&rustls::SupportedProtocolVersion] =
        if flaw == Some(Flaw::NoTls13) { &[&rustls::version::TLS12] } else { rustls::ALL_VERSIONS };
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("ring has suites for both")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(CertifiedKey::new(chain, key)))))
}

/// One certificate for everybody, whether or not the key is its own.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}
