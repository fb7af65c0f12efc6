//! Ephemeral keys: X25519 (RFC 7748), P-256 and P-384 (RFC 8422 §5.4.1, RFC 8446 §4.2.8.2).

use p256::elliptic_curve::sec1::ToSec1Point;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{PublicKey, StaticSecret};

use super::Pool;

/// In the order of preference.
pub(super) const GROUPS: &[&dyn SupportedKxGroup] = &[&X25519, &P256, &P384];

#[derive(Debug)]
struct X25519;

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut bytes = [0; 32];
        Pool.fill(&mut bytes)?;
        let secret = StaticSecret::from(bytes);
        let public = PublicKey::from(&secret);
        let complete = move |peer: &[u8]| {
            let peer: [u8; 32] = peer.try_into().ok()?;
            let shared = secret.diffie_hellman(&PublicKey::from(peer));
            // A point of small order would let anybody know the secret (RFC 7748 §6.1).
            shared.was_contributory().then(|| SharedSecret::from(&shared.as_bytes()[..]))
        };
        Ok(started(NamedGroup::X25519, public.as_bytes(), complete))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// A curve of NIST's: both are used alike, through types of their own crates.
macro_rules! curve {
    ($Group:ident, $curve:ident, $length:literal, $name:expr) => {
        #[derive(Debug)]
        struct $Group;

        impl SupportedKxGroup for $Group {
            fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
                let mut bytes = [0; $length];
                Pool.fill(&mut bytes)?;
                // All but one number in 2^32 are keys.
                let secret = $curve::SecretKey::from_slice(&bytes).map_err(|_| GetRandomFailed)?;
                // TLS knows no compressed points any more.
                let public = secret.public_key().to_sec1_point(false);
                let complete = move |peer: &[u8]| {
                    let peer = $curve::PublicKey::from_sec1_bytes(peer).ok()?;
                    let shared = secret.diffie_hellman(&peer);
                    Some(SharedSecret::from(&shared.raw_secret_bytes()[..]))
                };
                Ok(started($name, public.as_bytes(), complete))
            }

            fn name(&self) -> NamedGroup {
                $name
            }
        }
    };
}

curve!(P256, p256, 32, NamedGroup::secp256r1);
curve!(P384, p384, 48, NamedGroup::secp384r1);

fn started(
    group: NamedGroup,
    public: &[u8],
    complete: impl FnOnce(&[u8]) -> Option<SharedSecret> + Send + Sync + 'static,
) -> Box<dyn ActiveKeyExchange> {
    Box::new(Started { group, public: public.to_vec(), complete })
}

/// This side's half of an exchange.
struct Started<F> {
    group: NamedGroup,
    public: Vec<u8>,
    /// From the other half to the secret; none for a half that is not on the curve.
    complete: F,
}

impl<F: FnOnce(&[u8]) -> Option<SharedSecret> + Send + Sync> ActiveKeyExchange for Started<F> {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        (self.complete)(peer).ok_or_else(|| PeerMisbehaved::InvalidKeyShare.into())
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        self.group
    }
}
