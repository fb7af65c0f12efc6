//! Signatures, to be verified: those of certificates and those with which a server shows that it has their keys.
//!
//! SHA-1 and MD5 are not among them (RFC 9155): nothing that they vouch for is believed.

use ed25519_dalek::Verifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1::DecodeRsaPublicKey;
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// What may sign a certificate.
pub(in crate::tls) const CHAINS: &[&dyn SignatureVerificationAlgorithm] = SCHEMES.all;

/// What may sign a handshake, in the order of preference.
pub(in crate::tls) const SCHEMES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        &P256_SHA256,
        &P256_SHA384,
        &P384_SHA256,
        &P384_SHA384,
        &ED25519,
        &PKCS1_SHA256,
        &PKCS1_SHA384,
        &PKCS1_SHA512,
        &PSS_SHA256,
        &PSS_SHA384,
        &PSS_SHA512,
    ],
    mapping: &[
        // In TLS 1.2 the hash says nothing about the curve.
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[&P256_SHA256, &P384_SHA256]),
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[&P384_SHA384, &P256_SHA384]),
        (SignatureScheme::ED25519, &[&ED25519]),
        (SignatureScheme::RSA_PSS_SHA256, &[&PSS_SHA256]),
        (SignatureScheme::RSA_PSS_SHA384, &[&PSS_SHA384]),
        (SignatureScheme::RSA_PSS_SHA512, &[&PSS_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[&PKCS1_SHA256]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[&PKCS1_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[&PKCS1_SHA512]),
    ],
};

/// What a suite of TLS 1.2 with "ECDSA" in its name is signed with.
pub(super) const OF_CURVES: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ED25519,
];

/// And one with "RSA".
pub(super) const OF_RSA: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// A kind of key with a way of signing.
#[derive(Debug)]
struct Algorithm {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    verify: Verify,
}

/// From a key, a message and a signature to whether they belong together; none where they do not even parse.
type Verify = fn(&[u8], &[u8], &[u8]) -> Option<bool>;

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if (self.verify)(key, message, signature) == Some(true) { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// ECDSA on one of NIST's curves (FIPS 186-5): both are used alike, through types of their own crates.
macro_rules! ecdsa {
    ($NAME:ident, $curve:ident, $Hash:ident, $key:ident, $signature:ident) => {
        static $NAME: Algorithm = Algorithm {
            key: alg_id::$key,
            signature: alg_id::$signature,
            verify: |key, message, signature| {
                let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
                let signature = $curve::ecdsa::Signature::from_der(signature).ok()?;
                Some(key.verify_prehash(&$Hash::digest(message), &signature).is_ok())
            },
        };
    };
}

ecdsa!(P256_SHA256, p256, Sha256, ECDSA_P256, ECDSA_SHA256);
ecdsa!(P256_SHA384, p256, Sha384, ECDSA_P256, ECDSA_SHA384);
ecdsa!(P384_SHA256, p384, Sha256, ECDSA_P384, ECDSA_SHA256);
ecdsa!(P384_SHA384, p384, Sha384, ECDSA_P384, ECDSA_SHA384);

static ED25519: Algorithm = Algorithm {
    key: alg_id::ED25519,
    signature: alg_id::ED25519,
    verify: |key, message, signature| {
        let key = ed25519_dalek::VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        Some(key.verify(message, &signature).is_ok())
    },
};

/// RSA with the padding of a module of the crate: PKCS #1 v1.5 or PSS (RFC 8017).
macro_rules! rsa {
    ($NAME:ident, $padding:ident, $Hash:ident, $signature:ident) => {
        static $NAME: Algorithm = Algorithm {
            key: alg_id::RSA_ENCRYPTION,
            signature: alg_id::$signature,
            verify: |key, message, signature| {
                let key = rsa::PublicKey::from_pkcs1_der(key).ok()?;
                let signature = rsa::$padding::Signature::try_from(signature).ok()?;
                let key = rsa::$padding::VerifyingKey::<$Hash>::new(key);
                Some(key.verify(message, &signature).is_ok())
            },
        };
    };
}

rsa!(PKCS1_SHA256, pkcs1v15, Sha256, RSA_PKCS1_SHA256);
rsa!(PKCS1_SHA384, pkcs1v15, Sha384, RSA_PKCS1_SHA384);
rsa!(PKCS1_SHA512, pkcs1v15, Sha512, RSA_PKCS1_SHA512);
rsa!(PSS_SHA256, pss, Sha256, RSA_PSS_SHA256);
rsa!(PSS_SHA384, pss, Sha384, RSA_PSS_SHA384);
rsa!(PSS_SHA512, pss, Sha512, RSA_PSS_SHA512);

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512, RsaKeyPair,
    };
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    const MESSAGE: &[u8] = b"what is signed";

    /// What is right is believed, and nothing that differs in a bit.
    fn holds(algorithm: &Algorithm, key: &[u8], signature: &[u8]) {
        assert!(algorithm.verify_signature(key, MESSAGE, signature).is_ok(), "{algorithm:?}");
        assert!(algorithm.verify_signature(key, b"what is sighed", signature).is_err());
        let mut other = signature.to_vec();
        *other.last_mut().unwrap() ^= 1;
        assert!(algorithm.verify_signature(key, MESSAGE, &other).is_err());
        assert!(algorithm.verify_signature(&key[1..], MESSAGE, signature).is_err());
        assert!(algorithm.verify_signature(key, MESSAGE, &[]).is_err());
    }

    #[test]
    fn curves_are_verified_as_another_implementation_signs() {
        let chance = SystemRandom::new();
        for (signing, algorithm) in
            [(&ECDSA_P256_SHA256_ASN1_SIGNING, &P256_SHA256), (&ECDSA_P384_SHA384_ASN1_SIGNING, &P384_SHA384)]
        {
            let key = EcdsaKeyPair::generate_pkcs8(signing, &chance).unwrap();
            let key = EcdsaKeyPair::from_pkcs8(signing, key.as_ref(), &chance).unwrap();
            let signature = key.sign(&chance, MESSAGE).unwrap();
            holds(algorithm, key.public_key().as_ref(), signature.as_ref());
        }
        let key = Ed25519KeyPair::generate_pkcs8(&chance).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
        holds(&ED25519, key.public_key().as_ref(), key.sign(MESSAGE).as_ref());
    }

    #[test]
    fn rsa_is_verified_as_another_implementation_signs() {
        let pem = include_bytes!("../../../../../tests/reference/src/tls/certificate/rsa.key");
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).unwrap();
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
        let paddings: [(&dyn ring::signature::RsaEncoding, &Algorithm); 6] = [
            (&RSA_PKCS1_SHA256, &PKCS1_SHA256),
            (&RSA_PKCS1_SHA384, &PKCS1_SHA384),
            (&RSA_PKCS1_SHA512, &PKCS1_SHA512),
            (&RSA_PSS_SHA256, &PSS_SHA256),
            (&RSA_PSS_SHA384, &PSS_SHA384),
            (&RSA_PSS_SHA512, &PSS_SHA512),
        ];
        for (padding, algorithm) in paddings {
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(padding, &SystemRandom::new(), MESSAGE, &mut signature).unwrap();
            holds(algorithm, key.public_key().as_ref(), &signature);
        }
    }
}
