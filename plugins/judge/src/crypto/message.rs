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
        let Message { key, data, .. } = message;
        self.ask(exam, &op!("DEC", hex::encode(key), hex::encode(blob), hex::encode(data)))
    }

    /// The blob gives the message back.
    pub(super) fn expect_back(
        &mut self,
        exam: &Exam<'_, '_>,
        message: &Message,
        blob: &[u8],
    ) -> Result<(), Fault> {
        let answer = self.decrypt(exam, message, blob)?;
        let right = hex::encode(&message.text);
        if answer
            .as_ref()
            .is_ok_and(|value| value.as_str().is_some_and(|digits| digits.eq_ignore_ascii_case(&right)))
        {
            return Ok(());
        }
        let Message { key, data, .. } = message;
        let op = op!("DEC", hex::encode(key), hex::encode(blob), hex::encode(data));
        Err(unfit(exam, &op, &answer, &shown(&Ok(Value::from(right)))))
    }

    /// The processor time so far, in milliseconds; none where the system does not tell.
    pub(super) fn processor_millis(&self) -> Option<f64> {
        self.session.processor_time().map(|time| time.as_secs_f64() * 1e3)
    }

    pub(super) fn finish(self) -> Result<(), Fault> {
        self.session.finish().map_err(|breach| breach.fault())
    }
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
