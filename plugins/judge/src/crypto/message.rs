//! Messages, and a program that encrypts them. All bytes travel as hexadecimal digits.

use mustdo_plugin::serde_json::Value;
use mustdo_plugin::{Fault, Generator, Text};

use crate::engine::{Answer, Exam, Op, Session, op, shown};

/// A nonce of twelve bytes and a tag of sixteen are the least that an authenticated blob has beside its message (SP 800-38D
/// 5.2.1, RFC 8439 2.8); a salt, a version and some names are the most that it needs.
const OVERHEAD: std::ops::RangeInclusive<usize> = 28..=128;

/// What is encrypted, with which key and under which associated data.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) key: Vec<u8>,
    pub(super) text: Vec<u8>,
    pub(super) data: Vec<u8>,
}

impl Message {
    /// A fresh one of a length.
    pub(super) fn draw(length: u64, random: &mut Generator) -> Self {
        let data = random.number(0..30);
        Self { key: draw(32, random), text: draw(length, random), data: draw(data, random) }
    }

    /// The operation that asks for it back.
    fn decryption(&self, blob: &[u8]) -> Op {
        op!("DEC", hex::encode(&self.key), hex::encode(blob), hex::encode(&self.data))
    }

    fn is_text_of(&self, answer: &Answer) -> bool {
        let right = hex::encode(&self.text);
        let digits = answer.as_ref().ok().and_then(Value::as_str);
        digits.is_some_and(|digits| digits.eq_ignore_ascii_case(&right))
    }

    /// How many bytes a blob has beside the message.
    pub(super) fn overhead(&self, exam: &Exam<'_, '_>, blob: &[u8]) -> Result<usize, Fault> {
        let length = self.text.len();
        let overhead = blob.len().saturating_sub(length);
        if OVERHEAD.contains(&overhead) {
            return Ok(overhead);
        }
        let (least, most) = OVERHEAD.into_inner();
        let summary = Text::new(
            format!(
                "a message of {length} bytes became a blob of {}; a nonce and a tag make {least} to {most} more",
                blob.len()
            ),
            format!(
                "{length} 字节的消息变成了 {} 字节的密文；随机数和认证标签会多出 {least} 到 {most} 字节",
                blob.len()
            ),
        );
        let hint = Text::new(
            "put the nonce, the ciphertext and the tag into the blob, and nothing else",
            "密文里放随机数（nonce）、加密后的内容和认证标签，别的都不放",
        );
        Err(exam.fail("overhead", summary.clone(), summary, hint))
    }
}

/// A conversation about messages.
pub(super) struct Talk<'a, 'host> {
    session: Session<'a, 'host>,
    asked: u64,
}

impl<'a, 'host> Talk<'a, 'host> {
    pub(super) fn open(exam: &Exam<'a, 'host>) -> Result<Self, Fault> {
        let session = exam.open().map_err(|breach| breach.fault())?;
        Ok(Self { session, asked: 0 })
    }

    pub(super) fn ask(&mut self, exam: &Exam<'_, '_>, op: &Op) -> Result<Answer, Fault> {
        self.asked += 1;
        exam.count(1);
        self.session.ask(op).map_err(|breach| breach.fault())
    }

    /// What the operation answers, as bytes.
    pub(super) fn bytes(&mut self, exam: &Exam<'_, '_>, op: &Op) -> Result<Vec<u8>, Fault> {
        let answer = self.ask(exam, op)?;
        let bytes = answer.as_ref().ok().and_then(Value::as_str).and_then(|digits| hex::decode(digits).ok());
        bytes.ok_or_else(|| unfit(exam, op, &answer, "{\"ok\":HEXADECIMAL DIGITS}"))
    }

    pub(super) fn encrypt(&mut self, exam: &Exam<'_, '_>, message: &Message) -> Result<Vec<u8>, Fault> {
        let Message { key, text, data } = message;
        self.bytes(exam, &op!("ENC", hex::encode(key), hex::encode(text), hex::encode(data)))
    }

    /// What a blob is decrypted to.
    pub(super) fn decrypt(
        &mut self,
        exam: &Exam<'_, '_>,
        message: &Message,
        blob: &[u8],
    ) -> Result<Answer, Fault> {
        self.ask(exam, &message.decryption(blob))
    }

    /// The blob gives the message back.
    pub(super) fn expect_back(
        &mut self,
        exam: &Exam<'_, '_>,
        message: &Message,
        blob: &[u8],
    ) -> Result<(), Fault> {
        let answer = self.decrypt(exam, message, blob)?;
        if message.is_text_of(&answer) {
            return Ok(());
        }
        let right = Value::from(hex::encode(&message.text));
        Err(unfit(exam, &message.decryption(blob), &answer, &shown(&Ok(right))))
    }

    /// The blob, which another process made, gives the message back.
    pub(super) fn expect_back_here(
        &mut self,
        exam: &Exam<'_, '_>,
        message: &Message,
        blob: &[u8],
    ) -> Result<(), Fault> {
        let answer = self.decrypt(exam, message, blob)?;
        if message.is_text_of(&answer) {
            return Ok(());
        }
        Err(remembered(exam, &message.decryption(blob), &answer))
    }

    /// The processor time so far, in milliseconds; none where the system does not tell.
    pub(super) fn processor_millis(&self) -> Option<f64> {
        self.session.processor_time().map(|time| time.as_secs_f64() * 1e3)
    }

    pub(super) fn finish(self) -> Result<(), Fault> {
        self.session.finish().map_err(|breach| breach.fault())
    }
}

/// The fault of a program that gives back only what it remembers.
pub(super) fn remembered(exam: &Exam<'_, '_>, op: &Op, answer: &Answer) -> Fault {
    let (name, came) = (op.name, cut(&shown(answer)));
    let summary = Text::new(
        format!(
            "{name} works only in the process that made what it is asked about; another one answered {came}"
        ),
        format!("{name} 只在当初生成它的那个进程里有效；另一个进程返回 {came}"),
    );
    let message = Text::new(
        format!(
            "one process made it, and a second one of the same program was asked: {}\ncame back: {came}\nA program that remembers, or has a secret of its own, has lost everything once it is started again",
            cut(op.line(1).trim())
        ),
        format!(
            "一个进程生成，再问同一程序的另一个进程：{}\n返回：{came}\n靠记忆或进程自己的秘密，重启之后就什么都解不开了",
            cut(op.line(1).trim())
        ),
    );
    let hint = Text::new(
        "put everything that is needed beside the key or the password into what you give out: nonce, salt, tag, cost; keep nothing in memory",
        "除了密钥或密码，需要的一切都放进输出里：随机数、盐、标签、代价参数；内存里什么都不留",
    );
    exam.fail("remembered", summary, message, hint)
}

/// The fault of an answer that is not what the operation is to give.
pub(super) fn unfit(exam: &Exam<'_, '_>, op: &Op, answer: &Answer, expected: &str) -> Fault {
    let (name, came, expected) = (op.name, cut(&shown(answer)), cut(expected));
    let asked = cut(op.line(1).trim());
    let summary = Text::new(
        format!("{name} answered {came}; expected: {expected}"),
        format!("{name} 返回 {came}；应当是：{expected}"),
    );
    let message = Text::new(
        format!("sent: {asked}\ncame back: {came}\nexpected: {expected}"),
        format!("发送：{asked}\n返回：{came}\n应当是：{expected}"),
    );
    let hint = Text::new(
        format!("play this line by hand; docs/judge.md says what {name} answers"),
        format!("把这一行手动跑一遍；{name} 应当怎么答，见 docs/judge.md"),
    );
    exam.fail("answer", summary, message, hint)
}

/// The beginning of a long text.
pub(super) fn cut(text: &str) -> String {
    if text.len() > 200 && text.is_ascii() { format!("{}…", &text[..200]) } else { text.to_owned() }
}

/// Bytes from the seed.
pub(super) fn draw(length: u64, random: &mut Generator) -> Vec<u8> {
    let words = length.div_ceil(8);
    let mut bytes: Vec<u8> = (0..words).flat_map(|_| random.number(0..u64::MAX).to_le_bytes()).collect();
    bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    bytes
}
