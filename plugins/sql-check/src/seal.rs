//! The password under the server's RSA key, as the full form of `caching_sha2_password` wants it over a plain connection.

use std::io;

use mustdo_plugin::Context;
use mysql_common::crypto::rsa::{Pkcs1OaepPadding, PublicKey, Rng};
use num_bigint::BigUint;
use pkcs1::RsaPublicKeyRef;
use spki::SubjectPublicKeyInfoOwned;
use spki::der::DecodePem;

/// What OAEP with SHA-1 takes of a block (RFC 8017, section 7.1.1).
const PADDING: usize = 42;

/// The password, ended by a zero and mixed with the nonce, for the eyes of whoever has the key. None where the key is no
/// RSA key, or too small for the password.
pub(crate) fn seal(context: &Context<'_>, pem: &[u8], nonce: &[u8], password: &str) -> Option<Vec<u8>> {
    let key = key_of(pem)?;
    let mixed: Vec<u8> =
        password.bytes().chain([0]).zip(nonce.iter().cycle()).map(|(byte, nonce)| byte ^ nonce).collect();
    if nonce.is_empty() || mixed.len() + PADDING > key.num_octets() {
        return None;
    }
    key.encrypt_block(mixed, Pkcs1OaepPadding::new(Dice(context))).ok()
}

/// The key in a text that begins with `-----BEGIN PUBLIC KEY-----` (RFC 7468, section 13). The reader of `mysql_common` is
/// not used: it brings an engine for regular expressions along, and panics at what is no key.
fn key_of(pem: &[u8]) -> Option<PublicKey> {
    let info = SubjectPublicKeyInfoOwned::from_pem(pem).ok()?;
    let key = RsaPublicKeyRef::try_from(info.subject_public_key.as_bytes()?).ok()?;
    let modulus = BigUint::from_bytes_be(key.modulus.as_bytes());
    let exponent = BigUint::from_bytes_be(key.public_exponent.as_bytes());
    // The smallest that a server makes has 512 bits; by zero nothing could be divided.
    (modulus.bits() >= 512).then(|| PublicKey::new(modulus, exponent))
}

/// Randomness of the host's.
struct Dice<'run, 'host>(&'run Context<'host>);

impl Rng for Dice<'_, '_> {
    type Error = io::Error;

    fn fill(&mut self, room: &mut [u8]) -> Result<(), io::Error> {
        let length = u32::try_from(room.len()).map_err(io::Error::other)?;
        let bytes = self.0.random_bytes(length);
        if bytes.len() != room.len() {
            return Err(io::Error::other("fewer random bytes than asked for"));
        }
        room.copy_from_slice(&bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_none() {
        for pem in ["", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n", "garbage", "MAA="] {
            assert!(key_of(pem.as_bytes()).is_none(), "{pem}");
        }
    }
}
