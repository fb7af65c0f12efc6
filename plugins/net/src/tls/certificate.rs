//! What stands in a certificate (RFC 5280 §4.1).

use std::time::Duration;

use rsa::pkcs1;
use rustls_pki_types::CertificateDer;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::time::Time;

/// A certificate that was read. Nothing in it was believed yet.
pub(crate) struct Certificate {
    inner: CertificateInner<Raw>,
}

/// A key, as far as it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Such as "RSA 2048" or "P-256"; of an unknown kind its object identifier.
    pub(crate) name: String,
    pub(crate) strength: Strength,
}

/// How hard a key is to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    /// As hard as RSA with 2,048 bits or a curve of 256, or more (RFC 9325 §4.5).
    Enough,
    /// Easier.
    Weak,
    /// Of a kind that is not known here.
    Unknown,
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Keys that say by themselves how hard they are, and curves.
const KINDS: &[(&str, &str, Strength)] = &[
    ("1.3.101.112", "Ed25519", Strength::Enough),
    ("1.3.101.113", "Ed448", Strength::Enough),
    ("1.2.840.10045.3.1.7", "P-256", Strength::Enough),
    ("1.3.132.0.34", "P-384", Strength::Enough),
    ("1.3.132.0.35", "P-521", Strength::Enough),
    ("1.2.840.10045.3.1.1", "P-192", Strength::Weak),
    ("1.3.132.0.33", "P-224", Strength::Weak),
];

/// Ways of signing with a hash for which two texts can be made: RFC 9155, RFC 6151.
const BROKEN: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.5", "SHA-1"),
    ("1.3.14.3.2.29", "SHA-1"),
    ("1.2.840.10045.4.1", "SHA-1"),
    ("1.2.840.10040.4.3", "SHA-1"),
    ("1.2.840.113549.1.1.4", "MD5"),
    ("1.2.840.113549.1.1.2", "MD2"),
];

impl Certificate {
    /// None where it can not be read.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        CertificateInner::from_der(der).ok().map(|inner| Self { inner })
    }

    /// Whom it is for, as in RFC 4514.
    pub(crate) fn subject(&self) -> String {
        self.inner.tbs_certificate().subject().to_string()
    }

    /// Who vouches for it.
    pub(crate) fn issuer(&self) -> String {
        self.inner.tbs_certificate().issuer().to_string()
    }

    /// Whether it vouches for itself.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.inner.tbs_certificate().subject() == self.inner.tbs_certificate().issuer()
    }

    /// From when on it holds, since 1970.
    pub(crate) fn begins(&self) -> Duration {
        self.inner.tbs_certificate().validity().not_before.to_unix_duration()
    }

    /// The last moment at which it holds, since 1970.
    pub(crate) fn ends(&self) -> Duration {
        self.inner.tbs_certificate().validity().not_after.to_unix_duration()
    }

    /// Both moments, as in RFC 3339.
    pub(crate) fn period(&self) -> (String, String) {
        let text = |time: &Time| time.to_date_time().to_string();
        let validity = self.inner.tbs_certificate().validity();
        (text(&validity.not_before), text(&validity.not_after))
    }

    /// The hash under its signature, where that is broken.
    pub(crate) fn broken_hash(&self) -> Option<&'static str> {
        let algorithm = self.inner.signature_algorithm().oid.to_string();
        BROKEN.iter().find(|(identifier, _)| *identifier == algorithm).map(|(_, hash)| *hash)
    }

    pub(crate) fn key(&self) -> Key {
        Key::read(&self.key_info())
    }

    /// The `SubjectPublicKeyInfo`.
    pub(crate) fn key_info(&self) -> Vec<u8> {
        // What was read can be written.
        self.inner.tbs_certificate().subject_public_key_info().to_der().unwrap_or_default()
    }
}

impl Key {
    /// That of a `SubjectPublicKeyInfo`.
    pub(crate) fn read(info: &[u8]) -> Self {
        let unknown = |name: &str| Self { name: name.to_owned(), strength: Strength::Unknown };
        let Ok(info) = x509_cert::spki::SubjectPublicKeyInfoRef::from_der(info) else {
            return unknown("?");
        };
        let algorithm = info.algorithm;
        if [RSA, RSA_PSS].contains(&algorithm.oid) {
            let Ok(key) = pkcs1::RsaPublicKeyRef::from_der(info.subject_public_key.raw_bytes()) else {
                return unknown("RSA");
            };
            let bits = bits(key.modulus.as_bytes());
            let strength = if bits >= 2_048 { Strength::Enough } else { Strength::Weak };
            return Self { name: format!("RSA {bits}"), strength };
        }
        let identifier = if algorithm.oid == CURVE {
            algorithm.parameters.and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok())
        } else {
            Some(algorithm.oid)
        };
        let Some(identifier) = identifier.map(|identifier| identifier.to_string()) else {
            return unknown("?");
        };
        let known = KINDS.iter().find(|(kind, ..)| *kind == identifier);
        known.map_or_else(
            || unknown(&identifier),
            |(_, name, strength)| Self { name: (*name).to_owned(), strength: *strength },
        )
    }
}

/// Bits of a number without leading zeros in front.
fn bits(number: &[u8]) -> usize {
    let digits = number.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &number[first..]);
    digits.first().map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_count_from_the_first_that_is_set() {
        assert_eq!(bits(&[]), 0);
        assert_eq!(bits(&[0, 1]), 1);
        assert_eq!(bits(&[0x80, 0]), 16);
        assert_eq!(bits(&[0x7f; 256]), 2_047);
    }
}
