//! The cryptography of a client that looks at servers, for [rustls], in plain Rust: the usual providers are C and assembly, and
//! neither goes into a component.
//!
//! It speaks what every server that follows RFC 9325 §4.2 speaks, and no more: AES-GCM with ephemeral keys on X25519, P-256
//! or P-384, and signatures of RSA, ECDSA and Ed25519. There are no secrets of anybody's behind it: the client has no
//! certificate, and what it reads it throws away.

mod digest;
mod exchange;
mod record;
mod signature;

use std::cell::RefCell;
use std::sync::Arc;

use rustls::crypto::tls12::PrfUsingHmac;
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{
    CipherSuiteCommon, CryptoProvider, GetRandomFailed, KeyExchangeAlgorithm, KeyProvider, SecureRandom,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{
    CipherSuite, SignatureScheme, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite, crypto,
};

use digest::{HMAC_SHA256, HMAC_SHA384, SHA256, SHA384};
use record::{AES_128, AES_256, AesGcm};
pub(super) use signature::{CHAINS, SCHEMES};

/// Records that one key may protect: far more than a check sends (RFC 8446 §5.5).
const RECORDS: u64 = 1 << 24;

/// Random bytes that a handshake takes at most: its hello has 64, a key on P-384 takes 48.
pub(super) const RANDOMNESS: u32 = 512;

thread_local! {
    /// What the host gave, and no handshake has used yet.
    static POOL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The provider. Before each handshake [`stir`] has to give it what chance it needs.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            modern(CipherSuite::TLS13_AES_128_GCM_SHA256),
            modern(CipherSuite::TLS13_AES_256_GCM_SHA384),
            SupportedCipherSuite::Tls12(&ECDSA_AES_128),
            SupportedCipherSuite::Tls12(&RSA_AES_128),
            SupportedCipherSuite::Tls12(&ECDSA_AES_256),
            SupportedCipherSuite::Tls12(&RSA_AES_256),
        ],
        kx_groups: exchange::GROUPS.to_vec(),
        signature_verification_algorithms: SCHEMES,
        secure_random: &Pool,
        key_provider: &NoKeys,
    })
}

/// Adds random bytes of the host's; [`RANDOMNESS`] do for a handshake.
pub(super) fn stir(bytes: &[u8]) {
    POOL.with_borrow_mut(|pool| pool.extend_from_slice(bytes));
}

fn modern(suite: CipherSuite) -> SupportedCipherSuite {
    SupportedCipherSuite::Tls13(if suite == CipherSuite::TLS13_AES_128_GCM_SHA256 {
        &MODERN_AES_128
    } else {
        &MODERN_AES_256
    })
}

const fn common(suite: CipherSuite, hash_provider: &'static dyn crypto::hash::Hash) -> CipherSuiteCommon {
    CipherSuiteCommon { suite, hash_provider, confidentiality_limit: RECORDS }
}

static MODERN_AES_128: Tls13CipherSuite = Tls13CipherSuite {
    common: common(CipherSuite::TLS13_AES_128_GCM_SHA256, &SHA256),
    hkdf_provider: &HkdfUsingHmac(&HMAC_SHA256),
    aead_alg: &AES_128,
    quic: None,
};

static MODERN_AES_256: Tls13CipherSuite = Tls13CipherSuite {
    common: common(CipherSuite::TLS13_AES_256_GCM_SHA384, &SHA384),
    hkdf_provider: &HkdfUsingHmac(&HMAC_SHA384),
    aead_alg: &AES_256,
    quic: None,
};

/// A suite of TLS 1.2 with ephemeral keys on a curve (RFC 5289).
const fn ephemeral(
    common: CipherSuiteCommon,
    sign: &'static [SignatureScheme],
    prf_provider: &'static dyn crypto::tls12::Prf,
    aead_alg: &'static AesGcm,
) -> Tls12CipherSuite {
    Tls12CipherSuite { common, prf_provider, kx: KeyExchangeAlgorithm::ECDHE, sign, aead_alg }
}

static ECDSA_AES_128: Tls12CipherSuite = ephemeral(
    common(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, &SHA256),
    signature::OF_CURVES,
    &PrfUsingHmac(&HMAC_SHA256),
    &AES_128,
);

static ECDSA_AES_256: Tls12CipherSuite = ephemeral(
    common(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, &SHA384),
    signature::OF_CURVES,
    &PrfUsingHmac(&HMAC_SHA384),
    &AES_256,
);

static RSA_AES_128: Tls12CipherSuite = ephemeral(
    common(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, &SHA256),
    signature::OF_RSA,
    &PrfUsingHmac(&HMAC_SHA256),
    &AES_128,
);

static RSA_AES_256: Tls12CipherSuite = ephemeral(
    common(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, &SHA384),
    signature::OF_RSA,
    &PrfUsingHmac(&HMAC_SHA384),
    &AES_256,
);

/// Hands out what [`stir`] put in, each byte once.
#[derive(Debug)]
struct Pool;

impl SecureRandom for Pool {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        POOL.with_borrow_mut(|pool| {
            let rest = pool.len().checked_sub(buffer.len()).ok_or(GetRandomFailed)?;
            buffer.copy_from_slice(&pool[rest..]);
            pool.truncate(rest);
            Ok(())
        })
    }
}

/// A client without a certificate has no key to load.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("this client has no keys".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_is_used_once_and_never_made_up() {
        POOL.with_borrow_mut(Vec::clear);
        stir(&[1, 2, 3]);
        let mut two = [0; 2];
        assert!(Pool.fill(&mut two).is_ok());
        assert_eq!(two, [2, 3]);
        assert!(Pool.fill(&mut two).is_err(), "one byte is left");
        let mut one = [0];
        assert!(Pool.fill(&mut one).is_ok());
        assert_eq!(one, [1]);
    }
}
