//! A server that is played: it greets, judges the proof of the password, and refuses every query after that.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
use mysql_common::auth::plugins::mysql_native_password::scramble_native;
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::packets::HandshakePacket;
use mysql_common::proto::MySerialize;
use num_bigint::BigUint;
use sha1::{Digest, Sha1};

pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";

const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const DENIED: &[u8] = b"\xff\x15\x04#28000Access denied for user 'app'";
const UNKNOWN_COMMAND: &[u8] = b"\xff\x17\x04#08S01Unknown command";

/// How the server has the client prove the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Native,
    /// `caching_sha2_password`, which knows the password already.
    Cached,
    /// `caching_sha2_password`, which does not.
    Full,
    /// Proposes `caching_sha2_password` and then asks for `mysql_native_password`.
    Switch,
    /// Asks for the password as it is.
    Clear,
    /// Refuses before it greets: this host is blocked.
    Blocked,
    /// Greets and says nothing more.
    Stuck,
}

/// Starts one for one connection; what the client proved is told by the thread: none where it proved nothing.
pub(crate) fn start(way: Way) -> (SocketAddr, thread::JoinHandle<Option<bool>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(&mut listener.accept().unwrap().0, way)))
}

fn serve(stream: &mut TcpStream, way: Way) -> Option<bool> {
    if way == Way::Blocked {
        write(stream, 0, b"\xff\x69\x04Host 'elsewhere' is not allowed to connect to this MariaDB server");
        return None;
    }
    write(stream, 0, &greeting(way));
    let answer = read(stream)?;
    if way == Way::Stuck {
        // Until the client gives up.
        read(stream);
        return None;
    }
    let proved = judge(stream, way, &answer)?;
    // The sequence number of the packet after the last one of the client's.
    let next = match way {
        Way::Native | Way::Stuck | Way::Blocked => 2,
        Way::Cached => 3,
        Way::Switch | Way::Clear => 4,
        Way::Full => 6,
    };
    write(stream, next, if proved { OK } else { DENIED });
    // The character set is set; anything else is not understood.
    let query = read(stream);
    if query.is_some_and(|query| query.ends_with(b"SET NAMES utf8mb4")) {
        write(stream, 1, OK);
        read(stream);
        write(stream, 1, UNKNOWN_COMMAND);
    }
    Some(proved)
}

fn judge(stream: &mut TcpStream, way: Way, answer: &[u8]) -> Option<bool> {
    let native = scramble_native(NONCE, PASSWORD.as_bytes()).unwrap();
    let sha256 = scramble_sha256(NONCE, PASSWORD.as_bytes()).unwrap();
    let holds = |proof: &[u8]| answer.windows(proof.len()).any(|window| window == proof);
    match way {
        Way::Native => Some(holds(&native)),
        Way::Cached => {
            write(stream, 2, b"\x01\x03");
            Some(holds(&sha256))
        }
        Way::Full => {
            write(stream, 2, b"\x01\x04");
            assert_eq!(read(stream)?, b"\x02");
            write(stream, 4, &[b"\x01", KEY.as_bytes()].concat());
            let sealed = read(stream)?;
            let password = unseal(&sealed)
                .iter()
                .zip(NONCE.iter().cycle())
                .map(|(byte, nonce)| byte ^ nonce)
                .collect::<Vec<_>>();
            Some(holds(&sha256) && password == [PASSWORD.as_bytes(), b"\0"].concat())
        }
        Way::Switch => {
            write(stream, 2, &[b"\xfemysql_native_password\0", &NONCE[..], b"\0"].concat());
            Some(read(stream)? == native)
        }
        Way::Clear => {
            write(stream, 2, b"\xfemysql_clear_password\0");
            // Whatever comes now must not be the password.
            let said = read(stream)?;
            assert!(!said.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()));
            None
        }
        Way::Blocked | Way::Stuck => None,
    }
}

fn greeting(way: Way) -> Vec<u8> {
    let plugin = if way == Way::Native { "mysql_native_password" } else { "caching_sha2_password" };
    let (first, rest) = NONCE.split_at(8);
    let greeting = HandshakePacket::new(
        10,
        &b"5.5.5-10.11.0-MariaDB"[..],
        7,
        first.try_into().unwrap(),
        Some([rest, b"\0"].concat()),
        CapabilityFlags::CLIENT_PROTOCOL_41
            | CapabilityFlags::CLIENT_SECURE_CONNECTION
            | CapabilityFlags::CLIENT_PLUGIN_AUTH,
        45,
        StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        Some(plugin.as_bytes()),
    );
    let mut bytes = Vec::new();
    greeting.serialize(&mut bytes);
    bytes
}

fn write(stream: &mut TcpStream, sequence: u8, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    // The client may be gone: then it has seen enough.
    drop(stream.write_all(&[&length[..3], &[sequence], payload].concat()));
}

fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).ok()?;
    let mut payload = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some(payload)
}

/// What was encrypted with RSA and OAEP with SHA-1, without a label (RFC 8017, section 7.1.2).
fn unseal(sealed: &[u8]) -> Vec<u8> {
    const HASH: usize = 20;
    let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16).unwrap();
    let block = BigUint::from_bytes_be(sealed).modpow(&number(EXPONENT), &number(MODULUS)).to_bytes_be();
    // The first byte of the block is zero, and numbers have no leading ones.
    let (masked_seed, masked_data) = block.split_at(HASH);
    assert_eq!(block.len(), sealed.len() - 1);
    let mask = |seed: &[u8], length: usize| -> Vec<u8> {
        (0_u32..)
            .flat_map(|count| Sha1::digest([seed, &count.to_be_bytes()].concat()).to_vec())
            .take(length)
            .collect()
    };
    let mix =
        |one: &[u8], other: &[u8]| one.iter().zip(other).map(|(one, other)| one ^ other).collect::<Vec<u8>>();
    let seed = mix(masked_seed, &mask(masked_data, HASH));
    let data = mix(masked_data, &mask(&seed, masked_data.len()));
    let (label, rest) = data.split_at(HASH);
    assert_eq!(label, Sha1::digest(b"").to_vec());
    let end = rest.iter().position(|byte| *byte == 1).unwrap();
    assert!(rest[..end].iter().all(|byte| *byte == 0));
    rest[end + 1..].to_vec()
}

/// A key that was made for this test and guards nothing.
const KEY: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwNWsYH7ee4O//fOJ7HOG\n\
gbV/wtk3XnBQ/nX6vv4BDai/n/zdqkUqzvjYQ5UQ0DAtKPDVB/jiupGmFjvkrWKJ\n\
g56ip3x7hpG0q0RAOI01vQyFas2DJgWZ4r5fDr3HAJDmlaZK4B6qcoRBna71VaeK\n\
7f+PRS7BRoR72ARUmpLzW5bvLC/nXqH6tSNNqt4VZXiDs+LqwCaw0CZ5OSkQwd+9\n\
l7UnGCuO7IbpdeGLirnVZdfnn7usMi+TOM2lH5uPT6YF6s9a2VkR+w6ujHtmwkO8\n\
vgC1hmk+f5QEMKuZp9Prx6H+Ly6mjE2SIXPqu7e2D4sRtO/hok2BldYWmaLogwEJ\n\
xwIDAQAB\n\
-----END PUBLIC KEY-----\n";

const MODULUS: &str = "\
c0d5ac607ede7b83bffdf389ec738681b57fc2d9375e7050fe75fabefe010da8bf9ffcddaa452acef8d8439510d0302d28f0d507f8e2ba\
91a6163be4ad6289839ea2a77c7b8691b4ab4440388d35bd0c856acd83260599e2be5f0ebdc70090e695a64ae01eaa7284419daef555a7\
8aedff8f452ec146847bd804549a92f35b96ef2c2fe75ea1fab5234daade15657883b3e2eac026b0d02679392910c1dfbd97b527182b8e\
ec86e975e18b8ab9d565d7e79fbbac322f9338cda51f9b8f4fa605eacf5ad95911fb0eae8c7b66c243bcbe00b586693e7f940430ab99a7\
d3ebc7a1fe2f2ea68c4d922173eabbb7b60f8b11b4efe1a24d8195d61699a2e8830109c7";

const EXPONENT: &str = "\
222b1a56a4d44e457b95077cb66987f95ecc2b1deb1a3043a1bb0cf99faf5718c20f9ab23a53f430655688af16a2150f43745d03031e45\
99be38ad572943cf0303ee654800e948d31f0fc26362de1547ed320e05418cf785fe5e8091aefbd231116e3c51370dd3a9cca8a0923721\
af53d9972cd68a87b0bcf2fb5d74603a7fcd50ce4d421c4b8031ccc738b3ddac7d0f9a99a08a54c49377d759089b58cb57282d950af0db\
83990c4bebec03b86c099c5892396eaa1450ff3fcb94ffa6cb184b7a6e246551b71a109228a6b59225eed2c42a5932711e84b63042ee93\
f73387140da33ffae2a0ba18d529dc60b6298536eb4f72009daa479ce1ed5adff59168e5";
