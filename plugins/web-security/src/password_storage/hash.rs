//! Hashes of passwords as libraries write them: found in a text, compared with a password, and judged by their cost.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// With or without the padding, as each library likes it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// bcrypt's own base64, whose alphabet begins with the dot.
const BCRYPT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How every known form begins.
pub(super) const BEGINNINGS: [&str; 15] = [
    "$argon2id$",
    "$argon2i$",
    "$argon2d$",
    "$2a$",
    "$2b$",
    "$2x$",
    "$2y$",
    "scrypt:",
    "scrypt$",
    "$scrypt$",
    "pbkdf2:",
    "pbkdf2_sha",
    "$pbkdf2",
    "bcrypt_sha256$",
    "bcrypt$",
];

/// The longest form, with room: what is looked at behind a beginning.
pub(super) const LONGEST: usize = 512;

/// What made a hash, and at which cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scheme {
    /// Memory in KiB, passes, lanes.
    Argon2 {
        variant: Variant,
        memory: u32,
        passes: u32,
        lanes: u32,
    },
    /// 2^cost rounds; some hash the password by SHA-256 first.
    Bcrypt {
        cost: u32,
        hashes_first: bool,
    },
    /// `N = 2^log_n`.
    Scrypt {
        log_n: u8,
        r: u32,
        p: u32,
    },
    Pbkdf2 {
        digest: Prf,
        rounds: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    Id,
    I,
    D,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prf {
    Sha1,
    Sha256,
    Sha512,
}

/// How much a scheme costs whoever guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    /// Far below what any guide allows.
    Low,
    /// Allowed, and below what is advised.
    Fair,
    /// As the OWASP Password Storage Cheat Sheet advises.
    Advised,
}

impl Scheme {
    /// By the OWASP Password Storage Cheat Sheet; bcrypt is for what exists, from a cost of 10.
    pub(super) fn cost(self) -> Cost {
        match self {
            Self::Argon2 { variant: Variant::D, .. } => Cost::Low,
            Self::Argon2 { memory, passes, .. } => {
                let advised = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];
                if advised.iter().any(|(least, times)| memory >= *least && passes >= *times) {
                    Cost::Advised
                } else if memory >= 7_168 {
                    Cost::Fair
                } else {
                    Cost::Low
                }
            }
            Self::Bcrypt { cost, .. } => {
                if cost >= 10 {
                    Cost::Advised
                } else {
                    Cost::Low
                }
            }
            Self::Scrypt { log_n, r, p } => {
                let advised = [(17, 1), (16, 2), (15, 3), (14, 5), (13, 10)];
                if r >= 8 && advised.iter().any(|(least, lanes)| log_n >= *least && p >= *lanes) {
                    Cost::Advised
                } else if r >= 8 && log_n >= 14 {
                    Cost::Fair
                } else {
                    Cost::Low
                }
            }
            Self::Pbkdf2 { digest, rounds } => {
                let least = match digest {
                    Prf::Sha1 => 1_300_000,
                    Prf::Sha256 => 600_000,
                    Prf::Sha512 => 210_000,
                };
                if rounds >= least { Cost::Advised } else { Cost::Low }
            }
        }
    }

    /// `argon2id m=19456 t=2 p=1`, the same in every language.
    pub(super) fn line(self) -> String {
        match self {
            Self::Argon2 { variant, memory, passes, lanes } => {
                let name = match variant {
                    Variant::Id => "argon2id",
                    Variant::I => "argon2i",
                    Variant::D => "argon2d",
                };
                format!("{name} m={memory} t={passes} p={lanes}")
            }
            Self::Bcrypt { cost, hashes_first: false } => format!("bcrypt cost={cost}"),
            Self::Bcrypt { cost, hashes_first: true } => format!("bcrypt of SHA-256 cost={cost}"),
            Self::Scrypt { log_n, r, p } => format!("scrypt N=2^{log_n} r={r} p={p}"),
            Self::Pbkdf2 { digest, rounds } => {
                let name = match digest {
                    Prf::Sha1 => "SHA-1",
                    Prf::Sha256 => "SHA-256",
                    Prf::Sha512 => "SHA-512",
                };
                format!("PBKDF2 with {name}, {rounds} rounds")
            }
        }
    }
}

/// A hash of some password. What is shown of it is its scheme alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hash {
    pub(super) scheme: Scheme,
    pub(super) salt: Vec<u8>,
    output: Vec<u8>,
}

/// Why a hash was not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomparable {
    /// It takes more memory than this run has: MiB.
    Memory(u64),
    /// Parameters that no library computes.
    Broken,
}

impl Hash {
    /// What stands at the beginning of `text`, read in every way that makes sense: where the text goes on without a sign
    /// in between, nothing says where the hash ends.
    pub(super) fn read(text: &str) -> Vec<Self> {
        if let Some(rest) = text.strip_prefix("$argon2") {
            return argon2_phc(rest);
        }
        let found = if let Some(rest) = text.strip_prefix("bcrypt_sha256$") {
            bcrypt(rest, true)
        } else if let Some(rest) = text.strip_prefix("bcrypt$") {
            bcrypt(rest, false)
        } else if text.starts_with("$2") {
            bcrypt(text, false)
        } else if let Some(rest) = text.strip_prefix("scrypt:") {
            scrypt_werkzeug(rest)
        } else if let Some(rest) = text.strip_prefix("$scrypt$") {
            scrypt_phc(rest)
        } else if let Some(rest) = text.strip_prefix("scrypt$") {
            scrypt_django(rest)
        } else if let Some(rest) = text.strip_prefix("pbkdf2:") {
            pbkdf2_werkzeug(rest)
        } else if let Some(rest) = text.strip_prefix("pbkdf2_") {
            pbkdf2_django(rest)
        } else if let Some(rest) = text.strip_prefix("$pbkdf2") {
            pbkdf2_phc(rest)
        } else {
            None
        };
        found.into_iter().collect()
    }

    /// Whether it is the hash of this password.
    pub(super) fn is_of(&self, password: &str) -> Result<bool, Incomparable> {
        let mut output = vec![0; self.output.len()];
        match self.scheme {
            Scheme::Argon2 { variant, memory, passes, lanes } => {
                let algorithm = match variant {
                    Variant::Id => Algorithm::Argon2id,
                    Variant::I => Algorithm::Argon2i,
                    Variant::D => Algorithm::Argon2d,
                };
                let params = Params::new(memory, passes, lanes, Some(output.len()));
                let params = params.map_err(|_| Incomparable::Broken)?;
                let hasher = Argon2::new(algorithm, Version::V0x13, params);
                hasher.hash_password_into(password.as_bytes(), &self.salt, &mut output).map_err(|error| {
                    if error == argon2::Error::OutOfMemory {
                        Incomparable::Memory(u64::from(memory) / 1024)
                    } else {
                        Incomparable::Broken
                    }
                })?;
            }
            Scheme::Bcrypt { cost, hashes_first } => {
                let digest = hex::encode(Sha256::digest(password));
                let hashed = if hashes_first { &digest } else { password };
                // The library takes 72 bytes, the last of them a zero.
                let mut bytes = hashed.as_bytes().to_vec();
                bytes.push(0);
                bytes.truncate(72);
                let salt = self.salt.clone().try_into().map_err(|_| Incomparable::Broken)?;
                output = bcrypt::bcrypt(cost, salt, &bytes)[..23].to_vec();
            }
            Scheme::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(log_n, r, p).map_err(|_| Incomparable::Broken)?;
                has_room(u64::from(r) * 128 * ((1 << log_n) + u64::from(p) + 2))?;
                scrypt::scrypt(password.as_bytes(), &self.salt, &params, &mut output)
                    .map_err(|_| Incomparable::Broken)?;
            }
            Scheme::Pbkdf2 { digest, rounds } => {
                let password = password.as_bytes();
                match digest {
                    Prf::Sha1 => pbkdf2_hmac::<Sha1>(password, &self.salt, rounds, &mut output),
                    Prf::Sha256 => pbkdf2_hmac::<Sha256>(password, &self.salt, rounds, &mut output),
                    Prf::Sha512 => pbkdf2_hmac::<Sha512>(password, &self.salt, rounds, &mut output),
                }
            }
        }
        Ok(output == self.output)
    }
}

/// Scrypt's library takes its memory without asking whether there is any.
fn has_room(bytes: u64) -> Result<(), Incomparable> {
    let refused = Incomparable::Memory(bytes >> 20);
    let bytes = usize::try_from(bytes).map_err(|_| refused)?;
    let mut room: Vec<u8> = Vec::new();
    room.try_reserve_exact(bytes).map_err(|_| refused)
}

/// `id$v=19$m=19456,t=2,p=1$SALT$HASH` (the PHC string format). The hash has no sign behind it: its usual lengths are tried
/// as well.
fn argon2_phc(rest: &str) -> Vec<Hash> {
    let parse = || {
        let (variant, rest) = rest.split_once('$')?;
        let variant = match variant {
            "id" => Variant::Id,
            "i" => Variant::I,
            "d" => Variant::D,
            _ => return None,
        };
        let rest = rest.strip_prefix("v=19$")?;
        let (params, rest) = rest.split_once('$')?;
        let scheme = Scheme::Argon2 {
            variant,
            memory: number(params, "m")?,
            passes: number(params, "t")?,
            lanes: number(params, "p")?,
        };
        let (salt, rest) = rest.split_once('$')?;
        Some((scheme, BASE64.decode(salt).ok()?, run_of(rest, is_base64)))
    };
    let Some((scheme, salt, run)) = parse() else { return Vec::new() };
    let mut lengths = vec![43, 22, 86, run.len()];
    lengths.dedup();
    let hashes = lengths.into_iter().filter(|length| *length <= run.len() && *length >= 6);
    hashes
        .filter_map(|length| {
            let output = BASE64.decode(&run[..length]).ok()?;
            Some(Hash { scheme, salt: salt.clone(), output })
        })
        .collect()
}

/// `$2b$12$` with 22 characters of salt and 31 of hash.
fn bcrypt(text: &str, hashes_first: bool) -> Option<Hash> {
    let rest = text.strip_prefix("$2")?;
    let rest = rest.strip_prefix(['a', 'b', 'x', 'y'])?.strip_prefix('$')?;
    let (cost, rest) = rest.split_once('$')?;
    let cost = cost.parse().ok().filter(|cost| (4..=31).contains(cost))?;
    let (salt, output) = (rest.get(..22)?, rest.get(22..53)?);
    let scheme = Scheme::Bcrypt { cost, hashes_first };
    Some(Hash { scheme, salt: BCRYPT.decode(salt).ok()?, output: BCRYPT.decode(output).ok()? })
}

/// `32768:8:1$SALT$HEX`, as werkzeug writes it.
fn scrypt_werkzeug(rest: &str) -> Option<Hash> {
    let (params, rest) = rest.split_once('$')?;
    let mut numbers = params.split(':').map(str::parse::<u32>);
    let scheme = scrypt(numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?)?;
    let (salt, rest) = rest.split_once('$')?;
    Some(Hash { scheme, salt: salt.into(), output: hex::decode(rest.get(..128)?).ok()? })
}

/// `N$SALT$R$P$BASE64`, as Django writes it.
fn scrypt_django(rest: &str) -> Option<Hash> {
    let parts: Vec<&str> = rest.splitn(5, '$').collect();
    let [n, salt, r, p, output] = parts[..] else { return None };
    let scheme = scrypt(n.parse().ok()?, r.parse().ok()?, p.parse().ok()?)?;
    Some(Hash { scheme, salt: salt.into(), output: BASE64.decode(output.get(..86)?).ok()? })
}

/// `ln=16,r=8,p=1$SALT$HASH`, as passlib and the PHC string format have it.
fn scrypt_phc(rest: &str) -> Option<Hash> {
    let (params, rest) = rest.split_once('$')?;
    let log_n = u8::try_from(number(params, "ln")?).ok()?;
    let scheme = Scheme::Scrypt { log_n, r: number(params, "r")?, p: number(params, "p")? };
    let (salt, rest) = rest.split_once('$')?;
    Some(Hash { scheme, salt: BASE64.decode(salt).ok()?, output: BASE64.decode(rest.get(..43)?).ok()? })
}

fn scrypt(n: u32, r: u32, p: u32) -> Option<Scheme> {
    let log_n = u8::try_from(n.checked_ilog2()?).ok()?;
    (n.is_power_of_two()).then_some(Scheme::Scrypt { log_n, r, p })
}

/// `sha256:600000$SALT$HEX`, as werkzeug writes it.
fn pbkdf2_werkzeug(rest: &str) -> Option<Hash> {
    let (digest, rest) = rest.split_once(':')?;
    let (digest, length) = prf(digest)?;
    let (rounds, rest) = rest.split_once('$')?;
    let (salt, rest) = rest.split_once('$')?;
    let scheme = Scheme::Pbkdf2 { digest, rounds: rounds.parse().ok()? };
    Some(Hash { scheme, salt: salt.into(), output: hex::decode(rest.get(..2 * length)?).ok()? })
}

/// `sha256$1000000$SALT$BASE64`, as Django writes it.
fn pbkdf2_django(rest: &str) -> Option<Hash> {
    let parts: Vec<&str> = rest.splitn(4, '$').collect();
    let [digest, rounds, salt, output] = parts[..] else { return None };
    let (digest, length) = prf(digest)?;
    let scheme = Scheme::Pbkdf2 { digest, rounds: rounds.parse().ok()? };
    Some(Hash { scheme, salt: salt.into(), output: of_length(output, length)? })
}

/// `-sha256$i=600000,l=32$SALT$HASH` of the PHC string format, or passlib's `-sha256$29000$SALT$HASH` with dots for plus
/// signs.
fn pbkdf2_phc(rest: &str) -> Option<Hash> {
    let (digest, rest) = rest.split_once('$')?;
    let (digest, length) = prf(digest.strip_prefix('-').unwrap_or("sha1"))?;
    let (params, rest) = rest.split_once('$')?;
    let rounds = number(params, "i").or_else(|| params.parse().ok())?;
    let (salt, rest) = rest.split_once('$')?;
    let [salt, rest] = [salt, rest].map(|text| text.replace('.', "+"));
    let scheme = Scheme::Pbkdf2 { digest, rounds };
    Some(Hash { scheme, salt: BASE64.decode(salt).ok()?, output: of_length(&rest, length)? })
}

fn prf(name: &str) -> Option<(Prf, usize)> {
    match name {
        "sha1" => Some((Prf::Sha1, 20)),
        "sha256" => Some((Prf::Sha256, 32)),
        "sha512" => Some((Prf::Sha512, 64)),
        _ => None,
    }
}

/// So many bytes of base64.
fn of_length(text: &str, bytes: usize) -> Option<Vec<u8>> {
    BASE64.decode(text.get(..(bytes * 4).div_ceil(3))?).ok()
}

/// The value of `name` in `m=1,t=2`.
fn number(params: &str, name: &str) -> Option<u32> {
    params.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

fn run_of(text: &str, belongs: fn(char) -> bool) -> &str {
    let end = text.char_indices().find(|(_, char)| !belongs(*char)).map_or(text.len(), |(end, _)| end);
    &text[..end]
}

fn is_base64(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '+' | '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the libraries themselves: argon2-cffi 23, bcrypt 4, werkzeug 3.1, Django 5.2 and passlib 1.7, at low costs.
    const KNOWN: [&str; 13] = [
        "$argon2id$v=19$m=64,t=1,p=1$18L9sb9jYQ3mv0luEbFopg$LkOJZVRsaEq31Qvei/QhPyubY+ZAFS+Vek69MWs66j4",
        "$argon2i$v=19$m=64,t=2,p=2$pAUya5UclyVvW6RLh5Ry4g$P3rp0L3qHL3aSl0at3gF7g",
        "$2b$04$twbClWAOddYtoBUO3Q214erOOVnxUlTr/qFsriKQ.f7jM7k5Jb1GO",
        "scrypt:1024:8:1$ZUBtseYTQFN3BEcl$9d170ce1ff05f67e29d5553c8aa0d46de72e67a2ffc7d8aa05b7712d6129e37155397a29635356667505b91ab5ac0223b1a32aeaae0b7dca1e4ebada7f01400b",
        "pbkdf2:sha256:10$zPI34zW7Z4fiZK4n$6f26ff6db18395b925064cbab15c172b3e959dfb88f2f6c3bbdc8cac60268466",
        "pbkdf2:sha512:10$cYtyBlH4UnC5k7ON$5f0928ea4b089343a95b1c199080eddb0a3dfec0cfd7f44cc87cc95c8eb2b54353297915d33ae18f0f1f6c34b26eb254df2f7594400d33eeecd10f3e81a7af81",
        "pbkdf2_sha256$10$saltsalt$73darW3DSsPS6iwEMfHVfWk78RWuJwks/YyjgtwK9Yk=",
        "bcrypt_sha256$$2b$04$q.ezdmEDkPLg16EdI6ZY5euucpzYQa5NEFE/lUmSQXOmpfTtGIkjS",
        "scrypt$1024$saltsalt$8$5$C66pLB1DV2CkeqxDfL9muWn+lrPc2b4Pw+LM+//zEyl+COwkn+Rapbe//LH8XZoW8ExHF4avepCrFfG9NRBQTw==",
        "$pbkdf2-sha256$10$6x3DOCdEiLE2BuC8VwpBiA$BKoptqX.TgqBFDUq/3sUS/6hRY43SUhxt1PNcgUNXpI",
        "$pbkdf2-sha512$10$KYUQ4twbAwDAGOM8J.ScMw$LVgOBxosYh40Irhyk1viihw0LJrsuym7jXBzUY82/q/Nw10KHQ58Pb5wJsnB6qVShy7WqmGH5kdj0/jqijX2vA",
        "$pbkdf2$10$gRCiNKY0JgRgbO39HwPA2A$/lF4GxPI6lN1uXafKa0iCpXorhc",
        "$scrypt$ln=10,r=8,p=1$M6aU8p4TQuh9z7l3DmEsBQ$b3eFpaQzOdhrJ0368h+QJAZUB7/8gbvCsk66uD/ucmI",
    ];

    #[test]
    fn what_libraries_write_is_read_and_compared() {
        for text in KNOWN {
            let followed = format!("{text}2026-11-23 and what stands behind");
            for text in [text, &followed] {
                let read = Hash::read(text);
                assert!(read.iter().any(|hash| hash.is_of("correct horse").unwrap()), "{text}");
                assert!(!read.iter().any(|hash| hash.is_of("correct horsf").unwrap()), "{text}");
            }
        }
    }

    #[test]
    fn what_takes_too_much_memory_says_so() {
        assert_eq!(has_room(u64::MAX / 4), Err(Incomparable::Memory((u64::MAX / 4) >> 20)));
    }

    #[test]
    fn costs_are_those_of_the_cheat_sheet() {
        let argon2 = |memory, passes| Scheme::Argon2 { variant: Variant::Id, memory, passes, lanes: 1 };
        let scrypt = |log_n, r, p| Scheme::Scrypt { log_n, r, p };
        let pbkdf2 = |digest, rounds| Scheme::Pbkdf2 { digest, rounds };
        let bcrypt = |cost| Scheme::Bcrypt { cost, hashes_first: false };
        for (scheme, cost) in [
            (argon2(19_456, 2), Cost::Advised),
            (argon2(65_536, 3), Cost::Advised),
            (argon2(19_456, 1), Cost::Fair),
            (argon2(64, 1), Cost::Low),
            (scrypt(17, 8, 1), Cost::Advised),
            (scrypt(15, 8, 1), Cost::Fair),
            (scrypt(13, 8, 1), Cost::Low),
            (scrypt(15, 1, 1), Cost::Low),
            (pbkdf2(Prf::Sha256, 600_000), Cost::Advised),
            (pbkdf2(Prf::Sha256, 260_000), Cost::Low),
            (pbkdf2(Prf::Sha512, 210_000), Cost::Advised),
            (bcrypt(12), Cost::Advised),
            (bcrypt(4), Cost::Low),
        ] {
            assert_eq!(scheme.cost(), cost, "{}", scheme.line());
        }
    }
}
