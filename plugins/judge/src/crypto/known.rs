//! Known answers: a named algorithm, with key and nonce given, gives what another implementation gives.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::ChaCha20Poly1305;
use mustdo_plugin::serde_json::Value;
use mustdo_plugin::{Fault, Text};

use super::message::{Talk, draw, unfit};
use crate::engine::{Exam, op, shown};

/// Messages that are compared.
const MESSAGES: usize = 20;

/// An algorithm that a program may offer.
#[derive(Debug, Clone, Copy)]
enum Algorithm {
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Aes256Gcm, Self::ChaCha20Poly1305];

    fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "AES-256-GCM",
            Self::ChaCha20Poly1305 => "CHACHA20-POLY1305",
        }
    }

    /// The ciphertext with the tag behind it. `key` has 32 bytes, `nonce` 12.
    fn encrypt(self, key: &[u8], nonce: &[u8], data: &[u8], text: &[u8]) -> Vec<u8> {
        let payload = Payload { msg: text, aad: data };
        let encrypted = match self {
            Self::Aes256Gcm => {
                Aes256Gcm::new_from_slice(key).map(|cipher| cipher.encrypt(nonce.into(), payload))
            }
            Self::ChaCha20Poly1305 => {
                ChaCha20Poly1305::new_from_slice(key).map(|cipher| cipher.encrypt(nonce.into(), payload))
            }
        };
        // Only a wrong length of the key or gigabytes of text are refused.
        encrypted.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// KAT with the first algorithm that the program knows. Its name.
pub(super) fn judge(exam: &mut Exam<'_, '_>) -> Result<&'static str, Fault> {
    if !exam.has("KAT") {
        return Err(untried());
    }
    let mut talk = Talk::open(exam)?;
    for algorithm in Algorithm::ALL {
        let mut known = 0;
        for _ in 0..MESSAGES {
            let length = exam.random().number(0..200);
            let [key, nonce, data, text] =
                [32, 12, length / 3, length].map(|length| draw(length, exam.random()));
            let [key, nonce, data, text] = [&key, &nonce, &data, &text].map(Vec::as_slice);
            let op = op!(
                "KAT",
                algorithm.name(),
                hex::encode(key),
                hex::encode(nonce),
                hex::encode(data),
                hex::encode(text)
            );
            let answer = talk.ask(exam, &op)?;
            if known == 0 && answer.as_ref().is_err_and(|code| code == "ALG") {
                break;
            }
            let right = hex::encode(algorithm.encrypt(key, nonce, data, text));
            if !answer
                .as_ref()
                .is_ok_and(|value| value.as_str().is_some_and(|digits| digits.eq_ignore_ascii_case(&right)))
            {
                return Err(unfit(exam, &op, &answer, &shown(&Ok(Value::from(right)))));
            }
            known += 1;
        }
        if known == MESSAGES {
            talk.finish()?;
            return Ok(algorithm.name());
        }
    }
    Err(untried())
}

fn untried() -> Fault {
    Fault::inconclusive(Text::new(
        "the program offers no KAT, so nobody can see which algorithm it is; add it as docs/judge.md says",
        "程序没有提供 KAT，看不出用的是什么算法；请按 docs/judge.md 加上",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `McGrew` and Viega, "The Galois/Counter Mode of Operation", test case 14.
    #[test]
    fn aes_gcm_gives_the_published_answer() {
        let right = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919";
        assert_eq!(hex::encode(Algorithm::Aes256Gcm.encrypt(&[0; 32], &[0; 12], &[], &[0; 16])), right);
    }

    /// RFC 8439 section 2.8.2.
    #[test]
    fn chacha20_poly1305_gives_the_published_answer() {
        let key: Vec<u8> = (0x80..0xa0).collect();
        let nonce = hex::decode("070000004041424344454647").unwrap();
        let data = hex::decode("50515253c0c1c2c3c4c5c6c7").unwrap();
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let blob = hex::encode(Algorithm::ChaCha20Poly1305.encrypt(&key, &nonce, &data, text));
        assert!(blob.starts_with("d31a8d34648e60db7b86afbc53ef7ec2"), "{blob}");
        assert!(blob.ends_with("1ae10b594f09e26a7e902ecbd0600691"), "{blob}");
    }
}
