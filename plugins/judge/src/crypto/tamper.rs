//! Nothing that was changed is decrypted, and every refusal looks the same.

use mustdo_plugin::{Fault, Generator, Text};

use super::message::{Message, Talk, cut, draw};
use crate::engine::{Exam, shown};

/// Lengths of the messages whose every byte is changed.
const LENGTHS: [u64; 3] = [1, 16, 40];

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Blob,
    Key,
    Data,
    Length,
}

impl Change {
    fn text(self) -> Text {
        match self {
            Self::Blob => Text::new("the blob with one bit changed", "改动了一个比特的密文"),
            Self::Key => Text::new("another key", "另一个密钥"),
            Self::Data => Text::new("other associated data", "另一份附加数据"),
            Self::Length => Text::new("the blob cut or lengthened", "截短或加长的密文"),
        }
    }
}

/// Changes each byte of blob, key and associated data, cuts and lengthens the blob. How many changes were refused.
pub(super) fn judge(exam: &mut Exam<'_, '_>) -> Result<usize, Fault> {
    let mut talk = Talk::open(exam)?;
    let mut refusals: Vec<(String, Change)> = Vec::new();
    for length in LENGTHS {
        let mut message = Message::draw(length, exam.random());
        message.data = draw(9, exam.random());
        let blob = talk.encrypt(exam, &message)?;
        for (change, message, blob) in changed(&message, &blob, exam.random()) {
            let answer = talk.decrypt(exam, &message, &blob)?;
            match answer {
                Ok(_) => return Err(taken(exam, change, &shown(&answer))),
                Err(code) => refusals.push((code, change)),
            }
        }
        // The twin: what was not changed is still decrypted.
        talk.expect_back(exam, &message, &blob)?;
    }
    talk.finish()?;
    // What was cut may be refused by its length; what has the right length must look alike, whatever is wrong with it.
    let mut codes = refusals.iter().filter(|(_, change)| *change != Change::Length);
    let first = codes.next();
    let other = codes.find(|(code, _)| first.is_some_and(|(first, _)| first != code));
    if let Some(((one, by), (other, by_other))) = first.zip(other) {
        let (by, by_other) = (by.text(), by_other.text());
        let summary = Text::new(
            format!(
                "{} is refused with {one}, and {} with {other}: a refusal must not say what was wrong",
                by.en, by_other.en
            ),
            format!("{}得到 {one}，{}得到 {other}：拒绝时不应透露哪里不对", by.zh, by_other.zh),
        );
        let hint =
            Text::new("give one error for everything that does not decrypt", "凡是解不开的，都给同一个错误");
        return Err(exam.fail("error-tells", summary.clone(), summary, hint));
    }
    Ok(refusals.len())
}

/// Every message and blob that differs in one thing.
fn changed(message: &Message, blob: &[u8], random: &mut Generator) -> Vec<(Change, Message, Vec<u8>)> {
    let mut list = Vec::new();
    let flipped = |bytes: &[u8], place: usize, random: &mut Generator| {
        let mut bytes = bytes.to_vec();
        bytes[place] ^= 1 << random.number(0..8);
        bytes
    };
    for place in 0..blob.len() {
        list.push((Change::Blob, message.clone(), flipped(blob, place, random)));
    }
    for place in 0..message.key.len() {
        let key = flipped(&message.key, place, random);
        list.push((Change::Key, Message { key, ..message.clone() }, blob.to_vec()));
    }
    for place in 0..message.data.len() {
        let data = flipped(&message.data, place, random);
        list.push((Change::Data, Message { data, ..message.clone() }, blob.to_vec()));
    }
    for length in [0, 1, 11, 12, 27, blob.len() / 2, blob.len().saturating_sub(16), blob.len() - 1] {
        list.push((Change::Length, message.clone(), blob[..length.min(blob.len() - 1)].to_vec()));
    }
    for other in [blob[1..].to_vec(), [blob, &[0]].concat(), [&[0], blob].concat()] {
        list.push((Change::Length, message.clone(), other));
    }
    random.shuffle(&mut list);
    list
}

fn taken(exam: &Exam<'_, '_>, change: Change, answer: &str) -> Fault {
    let (what, answer) = (change.text(), cut(answer));
    let summary = Text::new(
        format!("{} was decrypted: {answer}; it must be an error", what.en),
        format!("{}也解密了：{answer}；应当报错", what.zh),
    );
    let message = Text::new(
        format!(
            "encrypted a message, then asked DEC with {}; it answered {answer}. Whoever changes a message on its way is not noticed",
            what.en
        ),
        format!("先加密一条消息，再用{}请求 DEC；返回 {answer}。有人在途中改了消息也不会被发现", what.zh),
    );
    let hint = Text::new(
        "use an authenticated mode (AES-256-GCM, ChaCha20-Poly1305), give it the associated data, and answer with an error when the tag does not fit",
        "使用带认证的模式（AES-256-GCM、ChaCha20-Poly1305），把附加数据交给它；标签不符时返回错误",
    );
    exam.fail("tampered", summary, message, hint)
}
