//! `crypto`: is the encryption authenticated, salted, and never the same twice?
//!
//! Secrecy cannot be tested from outside. What can be: that nothing which was changed is decrypted, that nothing repeats,
//! that keys from passwords are salted and slow, and that a known algorithm gives known answers. NIST SP 800-38D section 8
//! has the nonce of GCM never repeat under a key; RFC 8439 section 4 says the same of ChaCha20-Poly1305. ASVS 5.0 V11.3
//! asks for authenticated modes, V11.4.2 for slow hashes of passwords.

mod known;
mod message;
mod password;
mod repeat;
mod tamper;

use std::time::Duration;

use mustdo_plugin::serde_json::json;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::engine::{self, Exam};
use message::{Message, Talk};

/// The largest message.
const LARGEST: u64 = 1 << 20;

parameters! {
    /// How long to look.
    pub struct Crypto {
        /// How many messages are encrypted and decrypted.
        #[range(20..=2_000)]
        n: u32 = 200,
    }
}

impl Check for Crypto {
    const ID: &'static str = "crypto";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new(
                "Encryption: authenticated, salted, never repeated",
                "加密：带认证、加盐、绝不重复",
            ),
            description: Text::new(
                "Starts your program (task `crypto` of MLP/1, docs/judge.md) and plays ENC, DEC, SEAL, OPEN, HASHPW and VERIFY. Passes when messages come back, every changed byte of blob, key or associated data is refused, nothing repeats (not between two processes either), the blob shows no pattern, and passwords are salted and slow. KAT, the known answers of AES-256-GCM or ChaCha20-Poly1305, is a should.",
                "启动你的程序（MLP/1 的 `crypto` 任务，见 docs/judge.md），执行 ENC、DEC、SEAL、OPEN、HASHPW、VERIFY。消息能还原，密文、密钥、附加数据改动任何一个字节都被拒绝，没有任何重复（两个进程之间也没有），密文看不出规律，密码加盐且足够慢，才算通过。KAT（AES-256-GCM 或 ChaCha20-Poly1305 的已知答案）属于 should。",
            ),
            capabilities: vec![engine::capability()],
            typical: Duration::from_secs(12),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let report = Report::new(Text::new(
            "the encryption is authenticated and salted, and nothing repeats",
            "加密带认证、加盐，没有重复",
        ));
        engine::run(context, report, "crypto", json!({}), |exam, report| {
            let _ = self.judge(exam, report);
        })
    }
}

impl Crypto {
    fn judge(&self, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        report.judge("round-trip", Need::Must, round_trips(self.n, exam), |overhead| {
            Text::new(
                format!("{} messages came back, for {overhead} bytes more each", self.n),
                format!("{} 条消息都还原了，每条多 {overhead} 字节", self.n),
            )
        })?;
        report.judge("tamper", Need::Must, tamper::judge(exam), |count| {
            Text::new(
                format!("{count} changed blobs, keys and data were refused"),
                format!("{count} 处改动都被拒绝"),
            )
        })?;
        report.judge("never-repeated", Need::Must, repeat::judge(exam), |count| {
            Text::new(
                format!("{count} blobs of one message, by two processes, had nothing in common"),
                format!("两个进程对同一条消息产生的 {count} 个密文毫无相同之处"),
            )
        })?;
        report.judge("no-pattern", Need::Must, repeat::pattern(exam), |()| {
            Text::new("a blob shows nothing of what is in it", "密文看不出里面的内容")
        })?;
        report.judge("password-key", Need::Must, password::sealed(exam), |cost| {
            Text::new(
                format!("a key from a password is salted and costs {cost:.0} ms"),
                format!("由密码得到密钥时加了盐，代价 {cost:.0} 毫秒"),
            )
        })?;
        report.judge("password-hash", Need::Must, password::hashed(exam), |name| {
            Text::new(format!("passwords are stored as {name}"), format!("密码以 {name} 保存"))
        })?;
        report.judge("known-answers", Need::Should, known::judge(exam), |name| {
            Text::new(format!("{name} gives the known answers"), format!("{name} 的已知答案都对"))
        });
        Some(())
    }
}

/// Encrypts messages of many lengths, and decrypts each after another one was encrypted: in the same process, and in
/// one that knows nothing but key and blob. The most bytes that a blob has beside its message.
fn round_trips(count: u32, exam: &mut Exam<'_, '_>) -> Result<usize, Fault> {
    let [mut talk, mut elsewhere] = [Talk::open(exam)?, Talk::open(exam)?];
    let mut waiting: Option<(Message, Vec<u8>)> = None;
    let mut overhead = 0;
    for number in 0..=count {
        let next = if number < count {
            let message = Message::draw(length_of(number, exam), exam.random());
            let blob = talk.encrypt(exam, &message)?;
            overhead = overhead.max(message.overhead(exam, &blob)?);
            Some((message, blob))
        } else {
            None
        };
        if let Some((message, blob)) = std::mem::replace(&mut waiting, next) {
            talk.expect_back(exam, &message, &blob)?;
            elsewhere.expect_back_here(exam, &message, &blob)?;
        }
    }
    talk.finish()?;
    elsewhere.finish()?;
    Ok(overhead)
}

/// The empty message, the largest one, then short and middling ones.
fn length_of(number: u32, exam: &mut Exam<'_, '_>) -> u64 {
    match number {
        0 => 0,
        1 => LARGEST,
        _ => {
            let most = exam.random().sample(&[2, 17, 300, 5_000], 1)[0];
            exam.random().number(0..most)
        }
    }
}
