//! `exact-bytes`: is n, the number of bytes that a call returns, respected?

use std::time::Duration;

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::dialect::{Body, Dialect};
use crate::probe::{Message, Probe};
use crate::talk::Talk;

/// Around the sizes that buffers have.
const SIZES: [u32; 12] = [1, 2, 1_023, 1_024, 1_025, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 1 << 20];

/// Segments that one message is cut into, about.
const SEGMENTS: usize = 24;

/// Long enough for the server to have read the piece of a character before the next one comes, mostly.
const PAUSE: Duration = Duration::from_millis(40);

parameters! {
    /// How the server is spoken to, and which sizes are tried.
    pub struct ExactBytes {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// Bytes of the bodies. Lines are kept to 16 KiB: the readers of many libraries end there or at 64 KiB.
        sizes: Vec<u32> = SIZES.to_vec(),
    }
}

impl Check for ExactBytes {
    const ID: &'static str = "exact-bytes";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Every byte counts, whatever the size", "不论多长，一个字节都不差"),
            description: Text::new(
                "Sends bodies around the usual buffer sizes, in random order and in segments of random lengths, on one connection; every reply must be equal byte by byte; one request comes in segments that end inside of characters, with pauses. In \"echo\" and \"len32\" the bodies hold all 256 values; \"line\" carries UTF-8 text. A good server uses the count that recv() and send() return, and never the length of a string.",
                "在同一个连接上，按随机顺序、随机分段发送接近常见缓冲区大小的内容，回应必须逐字节相同；有一个请求在字符中间断开，分几次到达。\"echo\" 和 \"len32\" 的内容含全部 256 种字节，\"line\" 是 UTF-8 文本。好的服务器使用 recv() 和 send() 返回的字节数，而不是字符串长度。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("every size came back exactly", "各种长度都准确返回"));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            // A recv() that is decoded by itself shows among the sizes only where segments happen not to run together.
            if let Some(message) = probe.wide_characters() {
                let outcome = cut_characters(&probe, &message);
                report.judge("cut-characters", Need::Must, outcome, |count| {
                    Text::new(
                        format!(
                            "a request in {count} segments that end inside of characters came back exactly"
                        ),
                        format!("一个请求分成 {count} 段、在字符中间断开，也原样返回"),
                    )
                });
            }
            let outcome = self.try_sizes(&mut probe);
            report.judge("every-size", Need::Must, outcome, |sizes| {
                Text::new(
                    format!("{} sizes up to {} bytes came back exactly", sizes.len(), largest(sizes)),
                    format!("{} 种长度（最大 {} 字节）都原样返回", sizes.len(), largest(sizes)),
                )
            });
            self.judge_bytes(&mut report);
        }
        report
    }
}

impl ExactBytes {
    /// Returns the sizes that were tried.
    fn try_sizes(&self, probe: &mut Probe<'_, '_>) -> Result<Vec<usize>, Fault> {
        let longest = self.dialect.longest();
        let mut sizes: Vec<usize> =
            self.sizes.iter().map(|size| (*size as usize).max(1)).filter(|size| *size <= longest).collect();
        if self.sizes.iter().any(|size| *size as usize > longest) {
            sizes.push(longest);
        }
        if sizes.is_empty() {
            return Err(Fault::inconclusive(Text::new("`sizes` is empty", "sizes 是空的")));
        }
        probe.generator().shuffle(&mut sizes);
        let talk = probe.connect().map_err(|trouble| fault(trouble, 0, None))?;
        let mut before = None;
        for size in &sizes {
            try_size(probe, &talk, *size, before)?;
            before = Some(*size);
        }
        Ok(sizes)
    }

    /// Says that bytes which are no text were not tried, where the dialect can not carry them.
    fn judge_bytes(&self, report: &mut Report) {
        let outcome = match self.dialect.body() {
            Body::Bytes => Ok(()),
            Body::Text | Body::Word => Err(Fault::skip(Text::new(
                "a line can not carry every byte; \"echo\" or \"len32\" would try NUL and broken UTF-8, too",
                "按行的格式装不下任意字节；用 \"echo\" 或 \"len32\" 才能试 NUL 和不合法的 UTF-8",
            ))),
        };
        report.judge("every-byte", Need::Should, outcome, |()| {
            Text::new("all 256 values of a byte were among them", "其中包括全部 256 种字节值")
        });
    }
}

/// One request in segments that end inside of characters, each with time to be read by itself. Returns how many.
fn cut_characters(probe: &Probe<'_, '_>, message: &Message) -> Result<usize, Fault> {
    let segments: Vec<&[u8]> = message.request.chunk_by(|_, next| !is_inside(*next)).collect();
    let outcome = probe.connect().and_then(|talk| {
        probe.send_apart(&talk, &segments, |_| PAUSE)?;
        talk.expect(&message.reply)
    });
    let sent = Text::new(
        format!("sent a request in {} segments that end inside of characters of UTF-8", segments.len()),
        format!("把一个请求分成 {} 段发送，在 UTF-8 字符中间断开", segments.len()),
    );
    outcome.map(|()| segments.len()).map_err(|trouble| trouble.fault("bytes-differ", &sent, hint()))
}

/// Whether a byte goes on with a character of UTF-8 (RFC 3629, section 3). Around the body there is only ASCII.
const fn is_inside(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn try_size(probe: &mut Probe<'_, '_>, talk: &Talk, size: usize, before: Option<usize>) -> Result<(), Fault> {
    let message = probe.varied(size);
    let segments = probe.segments(&message.request, (message.request.len() / SEGMENTS * 2).max(2));
    let outcome = talk.exchange(probe.context(), &segments, &message.reply);
    outcome.map_err(|trouble| fault(trouble, size, before))
}

fn largest(sizes: &[usize]) -> usize {
    sizes.iter().copied().max().unwrap_or_default()
}

fn fault(trouble: crate::trouble::Trouble, size: usize, before: Option<usize>) -> Fault {
    let sent = match before {
        None => Text::new(
            format!("sent a body of {size} bytes in several segments"),
            format!("分几段发送 {size} 字节的内容"),
        ),
        Some(before) => Text::new(
            format!("sent a body of {size} bytes in several segments, after one of {before} that was right"),
            format!("分几段发送 {size} 字节的内容（前一个 {before} 字节的回应正确）"),
        ),
    };
    trouble.fault("bytes-differ", &sent, hint())
}

fn hint() -> Text {
    Text::new(
        "use the count that recv() returned, not the size of the buffer and not strlen(); loop until all is sent, and do not decode bytes that you only pass on",
        "使用 recv() 返回的字节数，而不是缓冲区大小或 strlen()；循环发送直到发完；只是转发的字节不要解码",
    )
}
