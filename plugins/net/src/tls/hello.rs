//! A `ClientHello`, written by hand (RFC 8446 §4.1.2; RFC 5246 §7.4.1.2; RFC 6101 §5.6.1.2).

use std::net::IpAddr;

/// A version of the protocol, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    Ssl3,
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

impl Version {
    /// Those that no server may speak any more: RFC 7568, RFC 8996.
    pub(crate) const OLD: [Self; 3] = [Self::Tls11, Self::Tls10, Self::Ssl3];

    /// As it stands on the wire.
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Ssl3 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ssl3 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

/// Suites of TLS 1.3.
const MODERN: &[u16] = &[0x1301, 0x1302, 0x1303];

/// Whatever a server of any age may want to speak, best first: ephemeral keys with AEAD, then with CBC, then static keys, then
/// ciphers of the last century. No server that speaks a version at all has none of these.
pub(crate) const USUAL: &[u16] = &[
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f, 0xccaa, 0xc023, 0xc027, 0xc024, 0xc028,
    0xc009, 0xc013, 0xc00a, 0xc014, 0x0067, 0x006b, 0x0033, 0x0039, 0x0032, 0x0038, 0x0088, 0x0045, 0x009c,
    0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0x0084, 0x0041, 0x0096, 0xc008, 0xc012, 0x0016, 0x0013, 0x000a,
    0xc007, 0xc011, 0x0005, 0x0004, 0x0009, 0x0015,
];

/// Suites that give no security worth the name, and what is wrong with them.
pub(crate) struct Weak {
    pub(crate) name: &'static str,
    pub(crate) suites: &'static [u16],
}

/// Those that must not be negotiated: no encryption, less than 112 bits, RC4 (RFC 9325 §4.1), no authentication (RFC 5246,
/// A.5).
pub(crate) const WEAK: [Weak; 5] = [
    Weak { name: "NULL", suites: &[0xc006, 0xc010, 0x003b, 0x0002, 0x0001] },
    Weak {
        name: "anon",
        suites: &[
            0x00a6, 0x00a7, 0x006c, 0x006d, 0x0034, 0x003a, 0xc018, 0xc019, 0xc017, 0xc016, 0x001b, 0x0018,
        ],
    },
    Weak {
        name: "EXPORT",
        suites: &[0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014, 0x0017, 0x0019],
    },
    Weak { name: "DES", suites: &[0x0009, 0x000c, 0x000f, 0x0012, 0x0015, 0x001a] },
    Weak { name: "RC4", suites: &[0xc007, 0xc011, 0x0005, 0x0004] },
];

/// Blocks of 64 bits, which repeat within a long connection (CVE-2016-2183); RFC 9325 §4.1 only advises against them.
pub(crate) const TRIPLE_DES: Weak =
    Weak { name: "3DES", suites: &[0xc008, 0xc012, 0x0016, 0x0013, 0x000a, 0x0007] };

/// What is offered.
pub(crate) struct Hello<'a> {
    /// The newest version; TLS 1.3 is offered alone.
    pub(crate) version: Version,
    /// For a version before TLS 1.3.
    pub(crate) suites: &'a [u16],
    /// Whether the server may compress.
    pub(crate) compressed: bool,
    /// Whom the client means: a name, or an address, which is not sent (RFC 6066 §3).
    pub(crate) host: &'a str,
    /// Unpredictable bytes; a public key of X25519 may be any.
    pub(crate) random: [u8; 64],
}

impl Hello<'_> {
    /// The record to send.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let is_modern = self.version == Version::Tls13;
        let mut body = self.version.number().min(Version::Tls12.number()).to_be_bytes().to_vec();
        body.extend(&self.random[..32]);
        // No session to resume.
        body.push(0);
        let mut suites = words(if is_modern { MODERN } else { self.suites });
        if !is_modern {
            // "Renegotiation is safe here", for a server that reads no extensions (RFC 5746 §3.3).
            suites.extend([0x00, 0xff]);
        }
        body.extend(sized(&suites));
        let methods: &[u8] = if self.compressed { &[1, 0] } else { &[0] };
        body.extend(tiny(methods));
        if self.version > Version::Ssl3 {
            body.extend(sized(&self.extensions()));
        }
        let mut message = vec![1, 0];
        message.extend(sized(&body));
        let mut record = vec![22];
        record.extend(self.version.number().min(Version::Tls10.number()).to_be_bytes());
        record.extend(sized(&message));
        record
    }

    fn extensions(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut add = |number: u16, content: &[u8]| {
            extensions.extend(number.to_be_bytes());
            extensions.extend(sized(content));
        };
        if self.host.parse::<IpAddr>().is_err() {
            let name = [&[0], &sized(self.host.as_bytes())[..]].concat();
            add(0, &sized(&name));
        }
        // X25519, P-256, P-384, P-521.
        add(10, &sized(&words(&[0x001d, 0x0017, 0x0018, 0x0019])));
        add(11, &tiny(&[0]));
        add(13, &sized(&words(SIGNATURES)));
        add(23, &[]);
        add(0xff01, &[0]);
        if self.version == Version::Tls13 {
            add(43, &tiny(&Version::Tls13.number().to_be_bytes()));
            let share = [&[0x00, 0x1d], &sized(&self.random[32..])[..]].concat();
            add(51, &sized(&share));
        }
        extensions
    }
}

/// Every way of signing that a server of any age may know, SHA-1 among them.
const SIGNATURES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501,
    0x0601, 0x0203, 0x0201, 0x0202,
];

fn words(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// With two bytes of length in front.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a hello is far below 64 KiB");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// With one byte of length in front.
fn tiny(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("these lists have a few bytes");
    [&[length], bytes].concat()
}

/// A suite's name, where it is one that a server of today would choose; else its number.
pub(crate) fn suite_name(suite: u16) -> String {
    let name = rustls::CipherSuite::from(suite).as_str();
    name.map_or_else(|| format!("0x{suite:04x}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: Version, host: &str) -> Vec<u8> {
        Hello { version, suites: USUAL, compressed: false, host, random: [7; 64] }.bytes()
    }

    #[test]
    fn lengths_are_those_of_what_follows() {
        for version in [Version::Ssl3, Version::Tls10, Version::Tls12, Version::Tls13] {
            let record = hello(version, "shop.test");
            let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
            assert_eq!(length, record.len() - 5);
            let message = usize::from(u16::from_be_bytes([record[7], record[8]]));
            assert_eq!((record[5], record[6], message), (1, 0, length - 4));
        }
    }

    #[test]
    fn an_address_is_no_server_name() {
        let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds(&hello(Version::Tls12, "shop.test"), "shop.test"));
        assert!(!holds(&hello(Version::Tls12, "127.0.0.1"), "127.0.0.1"));
        assert!(!holds(&hello(Version::Ssl3, "shop.test"), "shop.test"));
    }

    #[test]
    fn a_suite_is_of_one_kind() {
        for Weak { name, suites } in &WEAK {
            let others = WEAK.iter().filter(|other| other.name != *name);
            assert!(others.flat_map(|other| other.suites).all(|suite| !suites.contains(suite)), "{name}");
        }
    }
}
