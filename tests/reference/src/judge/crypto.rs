//! The task `crypto`: AES-256-GCM and PBKDF2.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{SystemTime, UNIX_EPOCH};

use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use aes::{Aes256, Block};
use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use serde_json::{Value, json};

use super::{Answer, Flaw, Program, text};

const TAMPERED: &str = "TAMPERED";
const NONCE: usize = 12;
const SALT: usize = 16;

/// Rounds of what is stored, and of the key of a sealed message: the first is what the field asks for, the second is still
/// slow.
const HASH_ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
const SEAL_ROUNDS: NonZeroU32 = NonZeroU32::new(60_000).unwrap();

/// Encrypts.
pub(super) struct Vault {
    flaw: Option<Flaw>,
    random: SystemRandom,
    /// Of the flaw that counts, and of the one that trusts the clock.
    counter: u64,
    clock: u64,
    /// Of the flaws that remember: for each blob the key or password, the associated data and the message.
    kept: HashMap<Vec<u8>, [Vec<u8>; 3]>,
}

type Bytes = Result<Vec<u8>, &'static str>;

impl Vault {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        Self { flaw, random: SystemRandom::new(), counter: 0, clock, kept: HashMap::new() }
    }

    fn fresh<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).expect("the system has random bytes");
        bytes
    }

    fn nonce(&mut self) -> [u8; NONCE] {
        let numbered = |number: u64| {
            let mut nonce = [0; NONCE];
            nonce[4..].copy_from_slice(&number.to_be_bytes());
            nonce
        };
        match self.flaw {
            Some(Flaw::CryptoConstantNonce) => [0; NONCE],
            Some(Flaw::CryptoCounterNonce) => {
                self.counter += 1;
                numbered(self.counter)
            }
            Some(Flaw::CryptoClockNonce) => {
                // Knuth's multiplier, as in many a generator that is none for secrets.
                self.clock = self
                    .clock
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                numbered(self.clock)
            }
            _ => self.fresh(),
        }
    }

    /// Random bytes, as many as an encrypted message has.
    fn keep(&mut self, key: &[u8], text: &[u8], data: &[u8], overhead: usize) -> Bytes {
        let mut blob = vec![0; text.len() + overhead];
        self.random.fill(&mut blob).map_err(|_| TAMPERED)?;
        self.kept.insert(blob.clone(), [key.to_vec(), data.to_vec(), text.to_vec()]);
        Ok(blob)
    }

    fn kept(&self, key: &[u8], blob: &[u8], data: &[u8]) -> Bytes {
        match self.kept.get(blob) {
            Some([known, about, text]) if known == key && about == data => Ok(text.clone()),
            _ => Err(TAMPERED),
        }
    }

    fn encrypt(&mut self, key: &[u8], text: &[u8], data: &[u8]) -> Bytes {
        match self.flaw {
            Some(Flaw::CryptoKeepsMessages) => self.keep(key, text, data, NONCE + 16),
            Some(Flaw::CryptoEcb) => {
                let blocks = encrypted_blocks(key, text, None)?;
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &[data, &blocks].concat());
                Ok([&blocks, tag.as_ref()].concat())
            }
            Some(Flaw::CryptoCbc) => {
                let first: [u8; 16] = self.fresh();
                Ok([&b"aes-256-cbc:1.0:"[..], &first, &encrypted_blocks(key, text, Some(first))?].concat())
            }
            Some(Flaw::CryptoXor) => {
                let noise: [u8; 28] = self.fresh();
                Ok([&noise, &combined(key, text)[..]].concat())
            }
            Some(Flaw::CryptoBase64) => {
                // In digits that look like nothing, behind as many bytes as others have.
                Ok([&[b'='; 28], &text.iter().map(|byte| byte.rotate_left(3)).collect::<Vec<_>>()[..]]
                    .concat())
            }
            _ => {
                let nonce = self.nonce();
                Ok([&nonce, &gcm(key, nonce, self.data(data), text)?[..]].concat())
            }
        }
    }

    fn decrypt(&self, key: &[u8], blob: &[u8], data: &[u8]) -> Bytes {
        let opened = match self.flaw {
            Some(Flaw::CryptoKeepsMessages) => self.kept(key, blob, data),
            Some(Flaw::CryptoEcb) => {
                let (blocks, tag) = blob.split_last_chunk::<32>().ok_or(TAMPERED)?;
                let mac = hmac::Key::new(hmac::HMAC_SHA256, key);
                hmac::verify(&mac, &[data, blocks].concat(), tag).map_err(|_| TAMPERED)?;
                decrypted_blocks(key, blocks, None)
            }
            Some(Flaw::CryptoCbc) => {
                let (first, blocks) =
                    blob.get(16..).and_then(<[u8]>::split_first_chunk::<16>).ok_or(TAMPERED)?;
                decrypted_blocks(key, blocks, Some(*first))
            }
            Some(Flaw::CryptoXor) => blob.get(28..).map(|text| combined(key, text)).ok_or(TAMPERED),
            Some(Flaw::CryptoBase64) => blob
                .get(28..)
                .map(|text| text.iter().map(|byte| byte.rotate_right(3)).collect())
                .ok_or(TAMPERED),
            _ => open(key, self.data(data), blob),
        };
        match opened {
            Err(TAMPERED) if self.flaw == Some(Flaw::CryptoEmptyOnTamper) => Ok(Vec::new()),
            other => other,
        }
    }

    fn data<'data>(&self, data: &'data [u8]) -> &'data [u8] {
        if self.flaw == Some(Flaw::CryptoNoData) { &[] } else { data }
    }

    fn key_of(&self, password: &str, salt: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        if self.flaw == Some(Flaw::CryptoPlainPasswordKey) {
            key.copy_from_slice(digest::digest(&digest::SHA256, password.as_bytes()).as_ref());
        } else {
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, SEAL_ROUNDS, salt, password.as_bytes(), &mut key);
        }
        key
    }

    fn seal(&mut self, password: &str, text: &[u8]) -> Bytes {
        let salt: [u8; SALT] = self.fresh();
        if self.flaw == Some(Flaw::CryptoKeepsPasswords) {
            // As slow as the good one.
            self.key_of(password, &salt);
            return self.keep(password.as_bytes(), text, &[], SALT + NONCE + 16);
        }
        let salt = if self.flaw == Some(Flaw::CryptoPlainPasswordKey) { &[] } else { &salt[..] };
        let nonce = self.fresh();
        let sealed = gcm(&self.key_of(password, salt), nonce, &[], text)?;
        Ok([salt, &nonce, &sealed].concat())
    }

    fn unseal(&self, password: &str, blob: &[u8]) -> Bytes {
        if self.flaw == Some(Flaw::CryptoKeepsPasswords) {
            return self.kept(password.as_bytes(), blob, &[]);
        }
        let length = if self.flaw == Some(Flaw::CryptoPlainPasswordKey) { 0 } else { SALT };
        let (salt, blob) = blob.split_at_checked(length).ok_or(TAMPERED)?;
        open(&self.key_of(password, salt), &[], blob)
    }

    fn hash(&self, password: &str) -> String {
        let salt: [u8; SALT] =
            if self.flaw == Some(Flaw::CryptoUnsaltedHash) { [7; SALT] } else { self.fresh() };
        let salt = hex::encode(salt);
        let mut hash = [0; 32];
        let text = password.as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, HASH_ROUNDS, salt.as_bytes(), text, &mut hash);
        format!("pbkdf2:sha256:{HASH_ROUNDS}${salt}${}", hex::encode(hash))
    }
}

/// As werkzeug writes it.
fn verify(password: &str, stored: &str) -> bool {
    let fields: Vec<&str> = stored.split('$').collect();
    let [_, salt, hash] = fields[..] else { return false };
    let hash = hex::decode(hash).unwrap_or_default();
    let (algorithm, text) = (pbkdf2::PBKDF2_HMAC_SHA256, password.as_bytes());
    pbkdf2::verify(algorithm, HASH_ROUNDS, salt.as_bytes(), text, &hash).is_ok()
}

fn sealing(algorithm: &'static ring::aead::Algorithm, key: &[u8]) -> Result<LessSafeKey, &'static str> {
    UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| TAMPERED)
}

fn gcm(key: &[u8], nonce: [u8; NONCE], data: &[u8], text: &[u8]) -> Bytes {
    authenticated(&AES_256_GCM, key, nonce, data, text)
}

/// The ciphertext, with its tag behind it.
fn authenticated(
    algorithm: &'static ring::aead::Algorithm,
    key: &[u8],
    nonce: [u8; NONCE],
    data: &[u8],
    text: &[u8],
) -> Bytes {
    let mut sealed = text.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    sealing(algorithm, key)?
        .seal_in_place_append_tag(nonce, Aad::from(data), &mut sealed)
        .map_err(|_| TAMPERED)?;
    Ok(sealed)
}

fn open(key: &[u8], data: &[u8], blob: &[u8]) -> Bytes {
    let (nonce, sealed) = blob.split_first_chunk::<NONCE>().ok_or(TAMPERED)?;
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let key = sealing(&AES_256_GCM, key)?;
    key.open_in_place(nonce, Aad::from(data), &mut sealed).map(|text| text.to_vec()).map_err(|_| TAMPERED)
}

/// Blocks, padded as PKCS #7 does; each mixed with the one before where there is a first one.
fn encrypted_blocks(key: &[u8], text: &[u8], mut before: Option<[u8; 16]>) -> Bytes {
    let cipher = Aes256::new_from_slice(key).map_err(|_| TAMPERED)?;
    let padding = 16 - text.len() % 16;
    let padded = [text, &vec![u8::try_from(padding).unwrap_or_default(); padding]].concat();
    let mut blocks = Vec::new();
    for chunk in padded.chunks_exact(16) {
        let mut block: [u8; 16] = chunk.try_into().map_err(|_| TAMPERED)?;
        mix(&mut block, before);
        let mut block = Block::from(block);
        cipher.encrypt_block(&mut block);
        blocks.extend_from_slice(&block);
        before = before.map(|_| block.into());
    }
    Ok(blocks)
}

fn decrypted_blocks(key: &[u8], blocks: &[u8], mut before: Option<[u8; 16]>) -> Bytes {
    let cipher = Aes256::new_from_slice(key).map_err(|_| TAMPERED)?;
    let mut padded = Vec::new();
    for chunk in blocks.chunks(16) {
        let whole: [u8; 16] = chunk.try_into().map_err(|_| TAMPERED)?;
        let mut block = Block::from(whole);
        cipher.decrypt_block(&mut block);
        let mut block: [u8; 16] = block.into();
        mix(&mut block, before);
        padded.extend_from_slice(&block);
        before = before.map(|_| whole);
    }
    let padding = padded.last().copied().map_or(0, usize::from);
    let length = padded.len().checked_sub(padding).filter(|_| (1..=16).contains(&padding)).ok_or(TAMPERED)?;
    padded.truncate(length);
    Ok(padded)
}

fn mix(block: &mut [u8; 16], other: Option<[u8; 16]>) {
    block.iter_mut().zip(other.into_iter().flatten()).for_each(|(byte, other)| *byte ^= other);
}

/// With a hash of the key, over and over.
fn combined(key: &[u8], text: &[u8]) -> Vec<u8> {
    let stream = digest::digest(&digest::SHA256, key);
    text.iter().zip(stream.as_ref().iter().cycle()).map(|(byte, other)| byte ^ other).collect()
}

impl Program for Vault {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let bytes = |place: usize| hex::decode(text(arguments, place)).map_err(|_| TAMPERED);
        let told = |bytes: Bytes| bytes.map(|bytes| json!(hex::encode(bytes)));
        match operation {
            "ENC" => told(self.encrypt(&bytes(0)?, &bytes(1)?, &bytes(2)?)),
            "DEC" => told(self.decrypt(&bytes(0)?, &bytes(1)?, &bytes(2)?)),
            "SEAL" => told(self.seal(text(arguments, 0), &bytes(1)?)),
            "OPEN" => told(self.unseal(text(arguments, 0), &bytes(1)?)),
            "HASHPW" => Ok(json!(self.hash(text(arguments, 0)))),
            "VERIFY" => Ok(json!(verify(text(arguments, 0), text(arguments, 1)))),
            "KAT" => {
                let algorithm = match text(arguments, 0) {
                    "AES-256-GCM" => &AES_256_GCM,
                    "CHACHA20-POLY1305" => &CHACHA20_POLY1305,
                    _ => return Err("ALG"),
                };
                let nonce = bytes(2)?.try_into().map_err(|_| TAMPERED)?;
                told(authenticated(algorithm, &bytes(1)?, nonce, &bytes(3)?, &bytes(4)?))
            }
            _ => Err("OP"),
        }
    }

    fn has(&self) -> &'static [&'static str] {
        &["KAT"]
    }
}
