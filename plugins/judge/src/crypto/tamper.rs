//! Nothing that was changed is decrypted, and every refusal looks the same.

use mustdo_plugin::{Fault, Generator, Text};

use super::message::{Message, Talk, cut};
use crate::engine::{Exam, shown};

/// Lengths of the messages whose every byte is changed.
const LENGTHS: [u64; 3] = [1, 16, 40];

/// Changes each byte of blob, key and associated data, cuts and lengthens the blob. How many changes were refused.
pub(super) fn judge(exam: &mut Exam<'_, '_>) -> Result<usize, Fault> {
    let mut talk = Talk::open(exam)?;
    let mut refusals: Vec<(String, &str)> = Vec::new();
    for length in LENGTHS {
        let mut message = Message::draw(length, exam.random());
        message.data = super::message::draw(9, exam.random());
        let blob = talk.encrypt(exam, &message)?;
        for (what, message, blob) in changed(&message, &blob, exam.random()) {
            let answer = talk.decrypt(exam, &message, &blob)?;
            match answer {
                Ok(_) => return Err(taken(exam, what, &shown(&answer))),
                Err(code) => refusals.push((code, what)),
            }
        }
        // The twin: what was not changed is still decrypted.
        talk.expect_back(exam, &message, &blob)?;
    }
    talk.finish()?;
    // What was cut may be refused by its length; what has the right length must look alike, whatever is wrong with it.
    let of_same_length = |what: &str| !what.starts_with("the blob cut") && !what.starts_with("the blob lengthened");
    let mut codes = refusals.iter().filter(|(_, what)| of_same_length(what));
    let first = codes.next();
    if let Some(((one, by), (other, by_other))) = first.zip(codes.find(|(code, _)| Some(code) != first.map(|(code, _)| code))) {
        let summary = Text::new(
            format!("{by} is refused with {one}, and {by_other} with {other}: a refusal must not say what was wrong"),
            format!("{by} 得到 {one}，{by_other} 得到 {other}：拒绝时不应透露哪里不对"),
        );
        let hint = Text::new(
            "give one error for everything that does not decrypt",
            "凡是解不开的，都给同一个错误",
        );
        return Err(exam.fail("error-tells", summary.clone(), summary, hint));
    }
    Ok(refusals.len())
}

/// Every message and blob that differs in one thing.
fn changed(message: &Message, blob: &[u8], random: &mut Generator) -> Vec<(&'static str, Message, Vec<u8>)> {
    let mut list = Vec::new();
    let flipped = |bytes: &[u8], place: usize, random: &mut Generator| {
        let mut bytes = bytes.to_vec();
        bytes[place] ^= 1 << random.number(0..8);
        bytes
    };
    for place in 0..blob.len() {
        list.push(("the blob with one bit changed", message.clone(), flipped(blob, place, random)));
    }
    for place in 0..message.key.len() {
        let key = flipped(&message.key, place, random);
        list.push(("another key", Message { key, ..message.clone() }, blob.to_vec()));
    }
    for place in 0..message.data.len() {
        let data = flipped(&message.data, place, random);
        list.push(("other associated data", Message { data, ..message.clone() }, blob.to_vec()));
    }
    for length in [0, 1, 11, 12, 27, blob.len() / 2, blob.len().saturating_sub(16), blob.len() - 1] {
        list.push(("the blob cut", message.clone(), blob[..length.min(blob.len() - 1)].to_vec()));
    }
    list.push(("the blob cut at its beginning", message.clone(), blob[1..].to_vec()));
    list.push(("the blob lengthened", message.clone(), [blob, &[0]].concat()));
    list.push(("the blob lengthened at its beginning", message.clone(), [&[0], blob].concat()));
    random.shuffle(&mut list);
    list
}

fn taken(exam: &Exam<'_, '_>, what: &str, answer: &str) -> Fault {
    let answer = cut(answer);
    let summary = Text::new(
        format!("{what} was decrypted: {answer}; it must be an error"),
        format!("{what}（有改动）也被解密了：{answer}；应当报错"),
    );
    let message = Text::new(
        format!("encrypted a message, then asked DEC with {what}; it answered {answer}. Whoever can change a message on its way is not noticed"),
        format!("先加密一条消息，再用“{what}”请求 DEC；返回 {answer}。有人在途中改了消息也不会被发现"),
    );
    let hint = Text::new(
        "use an authenticated mode (AES-256-GCM, ChaCha20-Poly1305), give it the associated data, and answer with an error when the tag does not fit",
        "使用带认证的模式（AES-256-GCM、ChaCha20-Poly1305），把附加数据交给它；标签不符时返回错误",
    );
    exam.fail("tampered", summary, message, hint)
}
