//! Passwords: keys made from them, and what is stored of them.

use mustdo_plugin::serde_json::Value;
use mustdo_plugin::{Fault, Text};

use super::message::{Talk, cut, draw, remembered, unfit};
use crate::engine::{Answer, Exam, op};

/// A salt of eight bytes, a nonce and a tag.
const SEALED_OVERHEAD: usize = 8 + 12 + 16;

/// Runs of which the cost is measured, and the least that one may cost, in milliseconds of processor time. The weakest
/// parameters of the OWASP Password Storage Cheat Sheet cost three times as much on a fast machine; one round of a hash
/// costs a thousandth.
const RUNS: u32 = 6;
const HASHES: u32 = 2;
const LEAST_MILLIS: f64 = 5.0;

/// SEAL and OPEN: the key is made from a password, with a salt, and slowly. Milliseconds for one SEAL.
pub(super) fn sealed(exam: &mut Exam<'_, '_>) -> Result<f64, Fault> {
    let mut talk = Talk::open(exam)?;
    let password = exam.random().token(12) + "字";
    let text = hex::encode(draw(50, exam.random()));
    let seal = op!("SEAL", password, text);
    let before = talk.processor_millis();
    let mut blobs = Vec::new();
    for _ in 0..RUNS {
        blobs.push(talk.bytes(exam, &seal)?);
    }
    let cost = before.zip(talk.processor_millis()).map(|(before, after)| (after - before) / f64::from(RUNS));
    let is_text = |answer: &Answer| answer.as_ref().ok().and_then(Value::as_str) == Some(text.as_str());
    let open = op!("OPEN", password, hex::encode(&blobs[0]));
    let answer = talk.ask(exam, &open)?;
    if !is_text(&answer) {
        return Err(unfit(exam, &open, &answer, &format!("{{\"ok\":\"{text}\"}}")));
    }
    let mut elsewhere = Talk::open(exam)?;
    let open = op!("OPEN", password, hex::encode(&blobs[1]));
    let answer = elsewhere.ask(exam, &open)?;
    if !is_text(&answer) {
        return Err(remembered(exam, &open, &answer));
    }
    elsewhere.finish()?;
    let wrong = op!("OPEN", exam.random().token(12), hex::encode(&blobs[0]));
    let answer = talk.ask(exam, &wrong)?;
    if answer.is_ok() {
        return Err(unfit(exam, &wrong, &answer, "{\"err\":\"TAMPERED\"}: it is another password"));
    }
    talk.finish()?;
    let hint = Text::new(
        "make the key with argon2id, scrypt or PBKDF2 from the password and a fresh salt, and put the salt into the blob",
        "用 argon2id、scrypt 或 PBKDF2，由密码和新的盐得到密钥，并把盐放进密文",
    );
    let overhead = blobs[0].len().saturating_sub(50);
    if overhead < SEALED_OVERHEAD {
        let summary = Text::new(
            format!(
                "a sealed blob has {overhead} bytes beside its message: too few for a salt, a nonce and a tag"
            ),
            format!("SEAL 的密文比消息只多 {overhead} 字节：放不下盐、随机数和标签"),
        );
        return Err(exam.fail("unsalted", summary.clone(), summary, hint));
    }
    if let Some(cost) = cost.filter(|cost| *cost < LEAST_MILLIS) {
        return Err(too_fast(exam, "SEAL", cost, hint));
    }
    cost.ok_or_else(untold)
}

/// HASHPW and VERIFY: salted, in a known format, and slow. The name of the algorithm.
pub(super) fn hashed(exam: &mut Exam<'_, '_>) -> Result<String, Fault> {
    let mut talk = Talk::open(exam)?;
    let password = exam.random().token(10) + " 密码";
    let hash_op = op!("HASHPW", password);
    let before = talk.processor_millis();
    let mut hashes = Vec::new();
    for _ in 0..HASHES {
        let answer = talk.ask(exam, &hash_op)?;
        let hash = answer.as_ref().ok().and_then(Value::as_str).map(str::to_owned);
        hashes.push(hash.ok_or_else(|| unfit(exam, &hash_op, &answer, "{\"ok\":\"…\"}"))?);
    }
    let cost =
        before.zip(talk.processor_millis()).map(|(before, after)| (after - before) / f64::from(HASHES));
    let other = exam.random().token(10);
    for (password, hash, right) in [(&password, &hashes[0], true), (&other, &hashes[0], false)] {
        let verify = op!("VERIFY", password, hash);
        let answer = talk.ask(exam, &verify)?;
        if answer != Ok(Value::Bool(right)) {
            return Err(unfit(exam, &verify, &answer, &format!("{{\"ok\":{right}}}")));
        }
    }
    talk.finish()?;
    let mut elsewhere = Talk::open(exam)?;
    let verify = op!("VERIFY", password, hashes[1]);
    let answer = elsewhere.ask(exam, &verify)?;
    if answer != Ok(Value::Bool(true)) {
        return Err(remembered(exam, &verify, &answer));
    }
    elsewhere.finish()?;
    let hint = Text::new(
        "store argon2id (19 MiB, t=2), scrypt (N=2^17, r=8), bcrypt (cost 10 or more) or PBKDF2-SHA256 (600,000 rounds), each with a fresh salt",
        "保存 argon2id（19 MiB，t=2）、scrypt（N=2^17，r=8）、bcrypt（代价 10 以上）或 PBKDF2-SHA256（60 万次），每次用新的盐",
    );
    if hashes[0] == hashes[1] {
        let summary = Text::new(
            "the same password gives the same hash twice: there is no salt",
            "同一个密码两次得到相同的哈希：没有加盐",
        );
        return Err(exam.fail("unsalted", summary.clone(), summary, hint));
    }
    let Some(scheme) = Scheme::read(&hashes[0]) else {
        let begins = cut(&hashes[0].chars().take(12).collect::<String>());
        return Err(Fault::inconclusive(Text::new(
            format!(
                "the format of the hash is not known (it begins {begins}); known are those of argon2, bcrypt, scrypt and PBKDF2"
            ),
            format!("不认识这个哈希的格式（开头是 {begins}）；认识 argon2、bcrypt、scrypt、PBKDF2 的格式"),
        )));
    };
    if !scheme.is_slow() {
        let summary = Text::new(
            format!("{} is too cheap to guess", scheme.name),
            format!("{} 的代价太低，容易被猜出", scheme.name),
        );
        return Err(exam.fail("cheap", summary.clone(), summary, hint));
    }
    match cost {
        Some(cost) if cost < LEAST_MILLIS => Err(too_fast(exam, "HASHPW", cost, hint)),
        Some(_) => Ok(scheme.name),
        None => Err(untold()),
    }
}

fn too_fast(exam: &Exam<'_, '_>, name: &str, cost: f64, hint: Text) -> Fault {
    let summary = Text::new(
        format!(
            "{name} costs {cost:.1} ms of processor time: whoever guesses passwords tries thousands a second"
        ),
        format!("{name} 只用 {cost:.1} 毫秒处理器时间：猜密码的人每秒能试几千个"),
    );
    exam.fail("fast", summary.clone(), summary, hint)
}

fn untold() -> Fault {
    Fault::inconclusive(Text::new(
        "this system does not tell how much processor time a program uses; Linux does",
        "这个系统不告诉程序用了多少处理器时间；请在 Linux 上检查",
    ))
}

/// What a stored hash says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scheme {
    name: String,
    cost: Cost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// KiB of memory and passes.
    Argon2 { memory: u64, passes: u64 },
    /// The power of two of its rounds.
    Bcrypt(u64),
    /// N and r.
    Scrypt { n: u64, r: u64 },
    /// Rounds of SHA-256, and of others.
    Pbkdf2 { sha512: bool, rounds: u64 },
}

impl Scheme {
    /// The modular crypt and PHC formats, and those of werkzeug and Django.
    fn read(hash: &str) -> Option<Self> {
        let fields: Vec<&str> = hash.split(['$', ':']).collect();
        let number = |text: &str| text.parse::<u64>().ok();
        let named = |list: &str, name: &str| {
            list.split(',').find_map(|pair| number(pair.strip_prefix(name)?.strip_prefix('=')?))
        };
        let (name, cost) = match fields[..] {
            ["", name @ ("argon2id" | "argon2i"), _, list, ..] => {
                (name, Cost::Argon2 { memory: named(list, "m")?, passes: named(list, "t")? })
            }
            ["", "2a" | "2b" | "2y", cost, _] => ("bcrypt", Cost::Bcrypt(number(cost)?)),
            ["scrypt", n, r, _, _, _] if number(n).is_some() => {
                ("scrypt", Cost::Scrypt { n: number(n)?, r: number(r)? })
            }
            ["scrypt", _, n, r, _, _] => ("scrypt", Cost::Scrypt { n: number(n)?, r: number(r)? }),
            ["", "scrypt", list, ..] => {
                let n = 1_u64.checked_shl(u32::try_from(named(list, "ln")?).ok()?)?;
                ("scrypt", Cost::Scrypt { n, r: named(list, "r")? })
            }
            ["pbkdf2", digest @ ("sha256" | "sha512"), rounds, ..] => {
                ("PBKDF2", Cost::Pbkdf2 { sha512: digest == "sha512", rounds: number(rounds)? })
            }
            ["pbkdf2_sha256", rounds, ..] => {
                ("PBKDF2", Cost::Pbkdf2 { sha512: false, rounds: number(rounds)? })
            }
            ["", digest @ ("pbkdf2-sha256" | "pbkdf2-sha512"), rounds, ..] => {
                let rounds = number(rounds).or_else(|| named(rounds, "i"))?;
                ("PBKDF2", Cost::Pbkdf2 { sha512: digest == "pbkdf2-sha512", rounds })
            }
            _ => return None,
        };
        Some(Self { name: name.to_owned(), cost })
    }

    /// At least as slow as the OWASP Password Storage Cheat Sheet's weakest, or as what is still widely set for scrypt.
    fn is_slow(&self) -> bool {
        match self.cost {
            Cost::Argon2 { memory, passes } => memory >= 7_168 && memory * passes >= 7_168 * 5,
            Cost::Bcrypt(cost) => cost >= 10,
            Cost::Scrypt { n, r } => n >= 1 << 14 && r >= 8,
            Cost::Pbkdf2 { sha512: false, rounds } => rounds >= 600_000,
            Cost::Pbkdf2 { sha512: true, rounds } => rounds >= 210_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formats_of_the_field_are_read() {
        for (hash, name, slow) in [
            ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "argon2id", true),
            ("$argon2id$v=19$m=64,t=2,p=1$c2FsdA$aGFzaA", "argon2id", false),
            ("$2b$12$abcdefghijklmnopqrstuuxyz", "bcrypt", true),
            ("$2b$04$abcdefghijklmnopqrstuuxyz", "bcrypt", false),
            ("scrypt:32768:8:1$salt$00ff", "scrypt", true),
            ("scrypt$salt$16384$8$5$aGFzaA==", "scrypt", true),
            ("$scrypt$ln=10,r=8,p=1$salt$hash", "scrypt", false),
            ("pbkdf2:sha256:600000$salt$00ff", "PBKDF2", true),
            ("pbkdf2_sha256$260000$salt$aGFzaA==", "PBKDF2", false),
            ("$pbkdf2-sha256$i=600000,l=32$salt$hash", "PBKDF2", true),
        ] {
            let scheme = Scheme::read(hash).unwrap_or_else(|| panic!("{hash}"));
            assert_eq!((scheme.name.as_str(), scheme.is_slow()), (name, slow), "{hash}");
        }
        for unknown in ["", "5f4dcc3b5aa765d61d8327deb882cf99", "$1$salt$hash", "$scrypt$ln=99,r=8$a$b"] {
            assert_eq!(Scheme::read(unknown), None, "{unknown}");
        }
    }
}
