//! Agreeing by hand to what no library agrees to any more.

use super::Flaw;

/// The part of a `ClientHello` that decides.
#[derive(Debug)]
struct Offer {
    /// The newest version: that of the extension, where there is one.
    version: u16,
    suites: Vec<u16>,
    compresses: bool,
}

/// What a flawed server says to a record with a hello, instead of leaving it to rustls.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others agree to what rustls agrees to")]
pub(super) fn agree(flaw: Flaw, record: &[u8]) -> Option<Vec<u8>> {
    let offer = read(record.get(5..)?)?;
    let old = |version| (offer.version == version).then_some((version, 0xc013, 0));
    let weak = |suites: &[u16]| {
        let all_weak = offer.suites.iter().all(|suite| suites.contains(suite) || *suite == 0x00ff);
        (offer.version == 0x0303 && all_weak).then(|| (0x0303, offer.suites[0], 0))
    };
    let (version, suite, compression) = match flaw {
        Flaw::Tls11 => old(0x0302),
        Flaw::OnlyOld if offer.version > 0x0301 => return Some(ALERT.to_vec()),
        Flaw::Tls10 | Flaw::OnlyOld => old(0x0301),
        Flaw::Ssl3 => old(0x0300),
        Flaw::Null => weak(&[0xc006, 0xc010, 0x003b, 0x0002, 0x0001]),
        Flaw::Anonymous => weak(&[
            0x00a6, 0x00a7, 0x006c, 0x006d, 0x0034, 0x003a, 0xc018, 0xc019, 0xc017, 0xc016, 0x001b, 0x0018,
        ]),
        Flaw::Export => weak(&[0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014, 0x0017, 0x0019]),
        Flaw::Des => weak(&[0x0009, 0x000c, 0x000f, 0x0012, 0x0015, 0x001a]),
        Flaw::Rc4 => weak(&[0xc007, 0xc011, 0x0005, 0x0004]),
        Flaw::TripleDes => weak(&[0xc008, 0xc012, 0x0016, 0x0013, 0x000a, 0x0007]),
        Flaw::Compresses => (offer.version == 0x0303 && offer.compresses).then_some((0x0303, 0xc02b, 1)),
        Flaw::HelloOnly => Some((offer.version, offer.suites[0], 0)),
        Flaw::Refuses => return Some(ALERT.to_vec()),
        _ => None,
    }?;
    Some(server_hello(version, suite, compression))
}

/// "`protocol_version`", fatal.
pub(super) const ALERT: &[u8] = &[21, 3, 1, 0, 2, 2, 70];

/// From the handshake message on: RFC 8446 §4.1.2.
fn read(message: &[u8]) -> Option<Offer> {
    let body = message.get(4..)?;
    let mut version = word(body)?;
    let rest = body.get(35 + usize::from(*body.get(34)?)..)?;
    let (suites, rest) = sized(rest)?;
    let suites = suites.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let methods = rest.get(1..1 + usize::from(*rest.first()?))?;
    let mut offer = Offer { version, suites, compresses: methods.contains(&1) };
    let Some((mut extensions, _)) = rest.get(1 + methods.len()..).and_then(sized) else { return Some(offer) };
    while let Some(kind) = word(extensions) {
        let (content, rest) = sized(extensions.get(2..)?)?;
        if kind == 43 {
            version = content.get(1..)?.chunks_exact(2).filter_map(word).max()?;
        }
        extensions = rest;
    }
    offer.version = version;
    Some(offer)
}

fn word(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]))
}

/// What two bytes of length stand in front of, and the rest.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(word(bytes)?);
    bytes.get(2..)?.split_at_checked(length)
}

fn server_hello(version: u16, suite: u16, compression: u8) -> Vec<u8> {
    let legacy = version.min(0x0303).to_be_bytes();
    let mut body = legacy.to_vec();
    body.extend([0x5a; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(compression);
    let mut extensions = vec![0xff, 0x01, 0, 1, 0];
    if version > 0x0303 {
        extensions = [&[0, 43, 0, 2][..], &version.to_be_bytes()].concat();
    }
    // Such extensions and such a hello have far less than 256 bytes.
    body.extend([0, u8::try_from(extensions.len()).unwrap_or(u8::MAX)]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    [&[22, legacy[0], legacy[1], 0, length + 4, 2, 0, 0, length], &body[..]].concat()
}
