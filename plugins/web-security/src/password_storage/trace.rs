//! What a stored password looks like where whoever reads it learns the password: as it was typed, written in another way,
//! or as a digest that a graphics card tries a billion times a second.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hmac::Hmac;
use md5::Md5;
use mustdo_plugin::Text;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Bytes to look for, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) bytes: Vec<u8>,
    pub(super) form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Plain,
    Encoded(&'static str),
    Digest(&'static str),
}

impl Form {
    /// As the end of "the password stands there …".
    pub(super) fn words(self) -> Text {
        match self {
            Self::Plain => Text::new("as it was typed", "原文"),
            Self::Encoded(name) => Text::new(
                format!("in {name}, which anybody turns back"),
                format!("只做了 {name} 编码，谁都能还原"),
            ),
            Self::Digest(name) => {
                Text::new(format!("as its {name}, without a salt"), format!("只是它的 {name}，没有盐"))
            }
        }
    }
}

/// Everything that shows a password.
pub(super) fn of(password: &str) -> Vec<Trace> {
    let bytes = password.as_bytes();
    let mut traces = vec![Trace { bytes: bytes.to_vec(), form: Form::Plain }];
    let mut encoded = |name, bytes: Vec<u8>| traces.push(Trace { bytes, form: Form::Encoded(name) });
    encoded("UTF-16", bytes.iter().flat_map(|byte| [*byte, 0]).collect());
    encoded("hex", hex::encode(bytes).into_bytes());
    encoded("hex", hex::encode_upper(bytes).into_bytes());
    encoded("reverse", bytes.iter().rev().copied().collect());
    for shift in 0..3 {
        for text in
            [STANDARD_NO_PAD.encode(shifted(bytes, shift)), URL_SAFE_NO_PAD.encode(shifted(bytes, shift))]
        {
            encoded("base64", inner(&text, shift).into());
        }
    }
    for (name, digest) in digests(bytes) {
        let mut written =
            vec![digest.clone(), hex::encode(&digest).into(), hex::encode_upper(&digest).into()];
        written.push(STANDARD_NO_PAD.encode(&digest).into());
        written.push(URL_SAFE_NO_PAD.encode(&digest).into());
        traces.extend(written.into_iter().map(|bytes| Trace { bytes, form: Form::Digest(name) }));
    }
    traces
}

/// The bytes where others stand before them, as in `name:password`.
fn shifted(bytes: &[u8], shift: usize) -> Vec<u8> {
    [&[0; 3][..shift], bytes].concat()
}

/// What of the base64 does not depend on the bytes before and behind.
fn inner(text: &str, shift: usize) -> &str {
    let begin = [0, 2, 3][shift];
    let end = text.len() - usize::from(!text.len().is_multiple_of(4));
    &text[begin..end]
}

/// The quick digests of some bytes, by name.
fn digests(bytes: &[u8]) -> [(&'static str, Vec<u8>); 5] {
    [
        ("MD5", Md5::digest(bytes).to_vec()),
        ("SHA-1", Sha1::digest(bytes).to_vec()),
        ("SHA-256", Sha256::digest(bytes).to_vec()),
        ("SHA-384", Sha384::digest(bytes).to_vec()),
        ("SHA-512", Sha512::digest(bytes).to_vec()),
    ]
}

/// The quick digest of a password and a salt that stands among these words, if one of the words is it: its name.
pub(super) fn salted(password: &str, words: &[String]) -> Option<&'static str> {
    let salts: Vec<Vec<u8>> =
        words.iter().flat_map(|word| values(word)).filter(|salt| !salt.is_empty()).collect();
    let stored: Vec<Vec<u8>> =
        words.iter().flat_map(|word| values(word)).filter(|value| value.len() >= 16).collect();
    let password = password.as_bytes();
    salts.iter().find_map(|salt| {
        let joined = [[salt, password].concat(), [password, salt].concat()];
        let mut made: Vec<_> = joined.iter().flat_map(|bytes| digests(bytes)).collect();
        made.push(("SHA-256", keyed::<Hmac<Sha256>>(salt, password)));
        made.push(("SHA-256", keyed::<Hmac<Sha256>>(password, salt)));
        made.push(("SHA-512", keyed::<Hmac<Sha512>>(salt, password)));
        made.push(("SHA-512", keyed::<Hmac<Sha512>>(password, salt)));
        made.into_iter().find_map(|(name, digest)| stored.contains(&digest).then_some(name))
    })
}

fn keyed<M: hmac::Mac + hmac::KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // An HMAC takes a key of any length.
    let Ok(mac) = <M as hmac::KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

/// What a word may stand for: itself, and the bytes that its hex or base64 stands for.
fn values(word: &str) -> Vec<Vec<u8>> {
    let mut values = vec![word.as_bytes().to_vec()];
    values.extend(hex::decode(word));
    let plain = word.trim_end_matches('=');
    values.extend(STANDARD_NO_PAD.decode(plain).or_else(|_| URL_SAFE_NO_PAD.decode(plain)));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(text: &str, password: &str) -> Option<Form> {
        of(password).into_iter().find_map(|trace| {
            let found = text.as_bytes().windows(trace.bytes.len()).any(|window| window == trace.bytes);
            found.then_some(trace.form)
        })
    }

    #[test]
    fn whatever_gives_the_password_away_is_found() {
        let password = "k3zp9w1mq0c2ab-Q7";
        for (text, form) in [
            ("name,k3zp9w1mq0c2ab-Q7,x", Form::Plain),
            // printf k3zp9w1mq0c2ab-Q7 | base64; … | md5sum; … | sha256sum
            ("azN6cDl3MW1xMGMyYWItUTc=", Form::Encoded("base64")),
            ("6b337a703977316d7130633261622d5137", Form::Encoded("hex")),
        ] {
            assert_eq!(shows(text, password), Some(form), "{text}");
        }
        // "alice:" and "bob:" before it, as in the header of basic authentication.
        for pair in ["alice:k3zp9w1mq0c2ab-Q7", "bob:k3zp9w1mq0c2ab-Q7", "eve2:k3zp9w1mq0c2ab-Q7"] {
            assert_eq!(
                shows(&STANDARD_NO_PAD.encode(pair), password),
                Some(Form::Encoded("base64")),
                "{pair}"
            );
        }
        assert_eq!(shows("5f4dcc3b5aa765d61d8327deb882cf99", "password"), Some(Form::Digest("MD5")));
        assert_eq!(
            shows("x5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8,", "password"),
            Some(Form::Digest("SHA-256"))
        );
        assert_eq!(shows("another-password-Q7 k3zp9w1mq0c2ab", password), None);
    }

    #[test]
    fn a_salt_beside_a_quick_digest_does_not_hide_it() {
        let words = |text: &str| text.split([' ', '$', ':']).map(str::to_owned).collect::<Vec<_>>();
        let of_salt = hex::encode(Sha256::digest("a1b2c3password"));
        assert_eq!(salted("password", &words(&format!("user a1b2c3 {of_salt}"))), Some("SHA-256"));
        let of_bytes = hex::encode(Sha512::digest([&b"password"[..], &[0xde, 0xad, 0xbe, 0xef]].concat()));
        assert_eq!(salted("password", &words(&format!("{of_bytes}:deadbeef"))), Some("SHA-512"));
        assert_eq!(salted("passwort", &words(&format!("user a1b2c3 {of_salt}"))), None);
    }
}
