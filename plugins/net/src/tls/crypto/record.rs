//! Records under AES-GCM, as TLS 1.2 (RFC 5288) and TLS 1.3 (RFC 8446 §5.2) make them.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, Nonce, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError, make_tls12_aad, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

/// Bytes of a tag.
const TAG: usize = 16;

/// Bytes of a nonce that stand in front of each record of TLS 1.2; the other four are of the key.
const EXPLICIT: usize = 8;

/// What a record may hold (RFC 5246 §6.2.1).
const LONGEST: usize = 1 << 14;

/// AES-GCM with a key of so many bytes: 16 or 32.
pub(super) struct AesGcm(usize);

pub(super) static AES_128: AesGcm = AesGcm(16);
pub(super) static AES_256: AesGcm = AesGcm(32);

impl Tls13AeadAlgorithm for AesGcm {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Modern { key: Cipher::new(&key), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Modern { key: Cipher::new(&key), iv })
    }

    fn key_len(&self) -> usize {
        self.0
    }

    fn extract_keys(&self, _: AeadKey, _: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

impl Tls12AeadAlgorithm for AesGcm {
    fn encrypter(&self, key: AeadKey, salt: &[u8], explicit: &[u8]) -> Box<dyn MessageEncrypter> {
        let mut iv = [0; 12];
        iv[..12 - EXPLICIT].copy_from_slice(salt);
        iv[12 - EXPLICIT..].copy_from_slice(explicit);
        Box::new(Classic { key: Cipher::new(&key), iv: Iv::new(iv) })
    }

    fn decrypter(&self, key: AeadKey, salt: &[u8]) -> Box<dyn MessageDecrypter> {
        let mut iv = [0; 12];
        iv[..12 - EXPLICIT].copy_from_slice(salt);
        Box::new(Classic { key: Cipher::new(&key), iv: Iv::new(iv) })
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape { enc_key_len: self.0, fixed_iv_len: 12 - EXPLICIT, explicit_nonce_len: EXPLICIT }
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

/// A key of either length.
enum Cipher {
    Short(Box<Aes128Gcm>),
    Long(Box<Aes256Gcm>),
}

impl Cipher {
    fn new(key: &AeadKey) -> Self {
        let key = key.as_ref();
        if let Ok(short) = Aes128Gcm::new_from_slice(key) {
            Self::Short(Box::new(short))
        } else {
            let long = Aes256Gcm::new_from_slice(key).expect("rustls asks for the length of the key");
            Self::Long(Box::new(long))
        }
    }

    /// Encrypts in place and gives the tag.
    fn seal(&self, nonce: [u8; 12], extra: &[u8], text: &mut [u8]) -> Result<[u8; TAG], Error> {
        let sealed = match self {
            Self::Short(key) => key.encrypt_inout_detached(&nonce.into(), extra, text.into()),
            Self::Long(key) => key.encrypt_inout_detached(&nonce.into(), extra, text.into()),
        };
        sealed.map(Into::into).map_err(|_| Error::EncryptError)
    }

    /// Decrypts in place, or not, where the tag is another.
    fn open(&self, nonce: [u8; 12], extra: &[u8], text: &mut [u8], tag: [u8; TAG]) -> Result<(), Error> {
        let opened = match self {
            Self::Short(key) => key.decrypt_inout_detached(&nonce.into(), extra, text.into(), &tag.into()),
            Self::Long(key) => key.decrypt_inout_detached(&nonce.into(), extra, text.into(), &tag.into()),
        };
        opened.map_err(|_| Error::DecryptError)
    }
}

/// One direction of TLS 1.3: the content's type is encrypted with it, and the nonce is counted.
struct Modern {
    key: Cipher,
    iv: Iv,
}

impl MessageEncrypter for Modern {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let length = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(length);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[u8::from(message.typ)]);
        let nonce = Nonce::new(&self.iv, sequence).0;
        let tag = self.key.seal(nonce, &make_tls13_aad(length), payload.as_mut())?;
        payload.extend_from_slice(&tag);
        // Encrypted records all look like application data of TLS 1.2 (RFC 8446 §5.2).
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + 1 + TAG
    }
}

impl MessageDecrypter for Modern {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let extra = make_tls13_aad(message.payload.len());
        let (text, tag) = message.payload.split_last_chunk_mut::<TAG>().ok_or(Error::DecryptError)?;
        let (length, tag) = (text.len(), *tag);
        self.key.open(Nonce::new(&self.iv, sequence).0, &extra, text, tag)?;
        message.payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}

/// One direction of TLS 1.2: eight bytes of the nonce travel with each record.
struct Classic {
    key: Cipher,
    /// The salt; and for what is sent, where the explicit part begins to count.
    iv: Iv,
}

impl MessageEncrypter for Classic {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let extra = make_tls12_aad(sequence, message.typ, message.version, message.payload.len());
        let nonce = Nonce::new(&self.iv, sequence).0;
        let mut payload = PrefixedPayload::with_capacity(self.encrypted_payload_len(message.payload.len()));
        payload.extend_from_slice(&nonce[12 - EXPLICIT..]);
        payload.extend_from_chunks(&message.payload);
        let tag = self.key.seal(nonce, &extra, &mut payload.as_mut()[EXPLICIT..])?;
        payload.extend_from_slice(&tag);
        Ok(OutboundOpaqueMessage::new(message.typ, message.version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        EXPLICIT + length + TAG
    }
}

impl MessageDecrypter for Classic {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let (kind, version) = (message.typ, message.version);
        let (explicit, rest) =
            message.payload.split_first_chunk_mut::<EXPLICIT>().ok_or(Error::DecryptError)?;
        let mut nonce = Nonce::new(&self.iv, 0).0;
        nonce[12 - EXPLICIT..].copy_from_slice(explicit);
        let (text, tag) = rest.split_last_chunk_mut::<TAG>().ok_or(Error::DecryptError)?;
        let (length, tag) = (text.len(), *tag);
        if length > LONGEST {
            return Err(Error::PeerSentOversizedRecord);
        }
        self.key.open(nonce, &make_tls12_aad(sequence, kind, version, length), text, tag)?;
        Ok(message.into_plain_message_range(EXPLICIT..EXPLICIT + length))
    }
}
