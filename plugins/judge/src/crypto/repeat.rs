//! Nothing repeats: not from blob to blob, not from process to process, not inside a blob.

use std::collections::HashSet;
use std::time::Duration;

use mustdo_plugin::statistics::Spread;
use mustdo_plugin::{Fault, Text};

use super::message::{Message, Talk};
use crate::engine::Exam;

/// Blobs of one message by each of two processes.
const BLOBS: usize = 100;

/// A nonce of the algorithms that are meant.
const NONCE: usize = 12;

/// The chance of a false alarm of one statistical look; it counts only when a second one, twice as long, agrees.
const ALPHA: f64 = 1e-4;

/// Encrypts one message over and over, in two processes that were started in the same second, so that what is seeded by
/// the clock is the same in both. How many blobs there were.
pub(super) fn judge(exam: &mut Exam<'_, '_>) -> Result<usize, Fault> {
    let message = Message::draw(64, exam.random());
    let mut seen: Vec<(Vec<u8>, usize)> = Vec::new();
    for _ in 0..2 {
        at_the_beginning_of_a_second(exam);
        let first = seen.len();
        let mut pair = [Talk::open(exam)?, Talk::open(exam)?];
        for (process, talk) in pair.iter_mut().enumerate() {
            for _ in 0..BLOBS / 2 {
                seen.push((talk.encrypt(exam, &message)?, first + process));
            }
        }
        pair.into_iter().try_for_each(Talk::finish)?;
    }
    let same = seen.iter().enumerate().find_map(|(place, (blob, process))| {
        seen[..place].iter().find(|(other, _)| other == blob).map(|(_, other)| process == other)
    });
    if let Some(same_process) = same {
        return Err(repeated(exam, same_process));
    }
    // What all blobs begin with is a header. Behind it comes a nonce, or what depends on one.
    let header = (0..).take_while(|place| {
        let first = seen[0].0.get(*place);
        first.is_some() && seen.iter().all(|(blob, _)| blob.get(*place) == first)
    });
    let header = header.count();
    let windows: HashSet<_> =
        seen.iter().map(|(blob, _)| blob.get(header..header + NONCE).unwrap_or_default()).collect();
    if windows.len() < seen.len() {
        return Err(repeated(exam, true));
    }
    Ok(seen.len())
}

/// A program that takes its seed from the clock, in seconds, is started twice within one.
fn at_the_beginning_of_a_second(exam: &Exam<'_, '_>) {
    let now = exam.context().unix_time().subsec_millis();
    if now > 200 {
        exam.context().sleep(Duration::from_millis(u64::from(1_005 - now)));
    }
}

fn repeated(exam: &Exam<'_, '_>, same_process: bool) -> Fault {
    let summary = if same_process {
        Text::new(
            "a nonce came twice: two blobs of one message repeat",
            "随机数（nonce）重复了：同一条消息的两个密文有重复",
        )
    } else {
        Text::new(
            "two processes that were started together made the same blob: the nonce comes from the clock or a counter",
            "同时启动的两个进程产生了相同的密文：随机数来自时钟或计数器",
        )
    };
    let message = Text::new(
        format!(
            "{}. With one key and nonce used twice, whoever has both blobs has the difference of the messages, and can make tags",
            summary.en
        ),
        format!("{}。同一个密钥和随机数用两次，拿到两个密文的人就能得到两条消息的差，并伪造标签", summary.zh),
    );
    let hint = Text::new(
        "take a fresh nonce for every message from the secure source of the system: os.urandom, secrets, crypto.randomBytes, getrandom",
        "每条消息都从系统的安全随机源取新的随机数：os.urandom、secrets、crypto.randomBytes、getrandom",
    );
    exam.fail("repeated", summary, message, hint)
}

/// The blob of a message that repeats itself does not, and that of a message of zeros has every byte equally often.
pub(super) fn pattern(exam: &mut Exam<'_, '_>) -> Result<(), Fault> {
    let mut talk = Talk::open(exam)?;
    let mut message = Message::draw(16, exam.random());
    message.text = message.text.repeat(256);
    let blob = talk.encrypt(exam, &message)?;
    let mut windows = HashSet::new();
    if !blob.windows(16).all(|window| windows.insert(window)) {
        let summary = Text::new(
            "a message that repeats itself makes a blob that does: 16 bytes of it came twice",
            "消息有重复，密文也有重复：其中 16 个字节出现了两次",
        );
        let hint = Text::new(
            "do not encrypt block by block (ECB), and do not use a key stream that begins again",
            "不要逐块独立加密（ECB），也不要使用会从头循环的密钥流",
        );
        return Err(exam.fail("pattern", summary.clone(), summary, hint));
    }
    let first = uneven(exam, &mut talk, 64 << 10)?;
    if first < ALPHA {
        let second = uneven(exam, &mut talk, 128 << 10)?;
        if second < ALPHA {
            let summary = Text::new(
                "the bytes of a blob are not spread evenly: something of the message shows",
                "密文里各个字节出现得不均匀：露出了消息的痕迹",
            );
            let message = Text::new(
                format!(
                    "encrypted zeros; chi-square over the 256 bytes of the blob had p = {first:.1e}, and once more {second:.1e}"
                ),
                format!(
                    "加密全零的消息；对密文的 256 种字节做卡方检验，p = {first:.1e}，再做一次 {second:.1e}"
                ),
            );
            let hint =
                Text::new("encrypt all of the message with a real cipher", "用真正的加密算法加密整条消息");
            return Err(exam.fail("pattern", summary, message, hint));
        }
    }
    talk.finish()
}

/// How likely the bytes of a blob of so many zeros are by chance.
fn uneven(exam: &mut Exam<'_, '_>, talk: &mut Talk<'_, '_>, length: usize) -> Result<f64, Fault> {
    let mut message = Message::draw(0, exam.random());
    message.text = vec![0; length];
    let blob = talk.encrypt(exam, &message)?;
    let mut counts = [0_u32; 256];
    for byte in blob {
        counts[usize::from(byte)] += 1;
    }
    let spread = Spread::even(&counts);
    spread.map(|spread| spread.p_value).map_err(|_| {
        Fault::inconclusive(Text::new("the blob is too short to be counted", "密文太短，无法统计"))
    })
}
