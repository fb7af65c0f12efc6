//! SHA-256 and SHA-384, and HMAC over them (FIPS 180-4, RFC 2104).

use std::marker::PhantomData;

use hmac::digest::Digest;
use hmac::{KeyInit, Mac, SimpleHmac};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{Hmac, Key, Tag};
use sha2::{Sha256, Sha384};

pub(super) static SHA256: Of<Sha256> = Of(PhantomData);
pub(super) static SHA384: Of<Sha384> = Of(PhantomData);
pub(super) static HMAC_SHA256: Of<Sha256> = Of(PhantomData);
pub(super) static HMAC_SHA384: Of<Sha384> = Of(PhantomData);

/// Everything rustls asks of one hash function.
pub(super) struct Of<D>(PhantomData<fn() -> D>);

/// A hash function that TLS knows by a name.
pub(super) trait Known:
    Digest + hmac::digest::block_api::BlockSizeUser + Clone + Send + Sync + 'static
{
    const NAME: HashAlgorithm;
}

impl Known for Sha256 {
    const NAME: HashAlgorithm = HashAlgorithm::SHA256;
}

impl Known for Sha384 {
    const NAME: HashAlgorithm = HashAlgorithm::SHA384;
}

impl<D: Known> Hash for Of<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        D::NAME
    }
}

struct Running<D>(D);

impl<D: Known> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl<D: Known> Hmac for Of<D> {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        Box::new(Keyed::<D>(SimpleHmac::new_from_slice(key).expect("HMAC takes a key of any length")))
    }

    fn hash_output_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}

struct Keyed<D: Known>(SimpleHmac<D>);

impl<D: Known> Key for Keyed<D> {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(first);
        for part in middle {
            mac.update(part);
        }
        mac.update(last);
        Tag::new(&mac.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}
