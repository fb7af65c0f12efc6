//! Can a broken download be resumed? Range requests of RFC 9110, section 14.

use std::time::Duration;

use mustdo_plugin::http::{Client, Options, Request, Response};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text, parameters,
};

/// Shorter files leave no room for parts that tell right from wrong.
const SHORTEST: usize = 64;

parameters! {
    /// What is downloaded.
    pub struct Resume {
        /// A path that answers a file which does not change, of 64 bytes to 1 MiB.
        path: String = "/file".to_owned(),
    }
}

impl Check for Resume {
    const ID: &'static str = "resume";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A broken download can be resumed", "下载断了可以接着下"),
            description: Text::new(
                "Downloads a file, then parts of it at random places. Passes when each part is the right bytes, says \
                 which they are (RFC 9110, 14), and nothing is made up beyond the end.",
                "先下载整个文件，再从随机位置下载几段。每段的字节都对、并说明是哪一段（RFC 9110 第 14 节），越过末尾时不编造内容，才算通过。",
            ),
            capabilities: vec![CapabilityRequest {
                capability: Capability::Http("api".to_owned()),
                reason: "to download a file from your service, whole and in parts".to_owned(),
                required: true,
            }],
            typical: Duration::from_millis(500),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("downloads can be resumed", "下载可以续传"));
        let opened = context
            .http("api", &Options::default())
            .map_err(Fault::from);
        let whole = opened.and_then(|api| Ok((self.whole(&api)?, api)));
        let Some((file, api)) = report.judge("whole", Need::Must, whole, |(file, _)| {
            Text::new(
                format!("{} bytes", file.len()),
                format!("{} 字节", file.len()),
            )
        }) else {
            return report;
        };
        let size = file.len();
        let choices = context.generator();
        let first = choices.number(1..size as u64 / 2) as usize;
        let last = first + choices.number(1..size as u64 / 4) as usize;
        let right = |part: &(usize, usize)| Text::same(format!("{}-{}", part.0, part.1));
        let middle = self.part(&api, &file, &format!("{first}-{last}"), first, last);
        report.judge("middle", Need::Must, middle, right);
        let rest = self.part(&api, &file, &format!("{first}-"), first, size - 1);
        report.judge("rest", Need::Must, rest, right);
        let tail = self.part(&api, &file, &format!("-{last}"), size - last, size - 1);
        report.judge("tail", Need::Must, tail, right);
        let beyond = self.beyond(&api, size);
        report.judge("beyond", Need::Must, beyond, |()| {
            Text::new("refused with 416", "用 416 拒绝")
        });
        report
    }
}

impl Resume {
    /// The file, which is the same when asked for twice.
    fn whole(&self, api: &Client) -> Result<Vec<u8>, Fault> {
        let request = Request::get(&self.path).header("Accept-Encoding", "identity");
        let (one, two) = (api.send(&request)?, api.send(&request)?);
        if one.status != 200 {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "{} answered {}: name a file with the parameter `path`",
                    self.path, one.status
                ),
                format!(
                    "{} 返回 {}：用参数 path 指明一个文件",
                    self.path, one.status
                ),
            )));
        }
        if one.truncated || one.body.len() < SHORTEST {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "{} bytes: a file of {SHORTEST} bytes to 1 MiB can be judged",
                    one.body_bytes
                ),
                format!(
                    "{} 字节：文件要在 {SHORTEST} 字节到 1 MiB 之间",
                    one.body_bytes
                ),
            )));
        }
        if one.body != two.body {
            return Err(Fault::inconclusive(Text::new(
                "the file changes between two downloads",
                "两次下载的文件不一样",
            )));
        }
        Ok(one.body)
    }

    fn ask(&self, api: &Client, range: &str) -> Result<Response, Fault> {
        let request = Request::get(&self.path).header("Accept-Encoding", "identity");
        Ok(api.send(&request.header("Range", format!("bytes={range}")))?)
    }

    /// Holds one part against the file; `first` and `last` both belong to it.
    fn part(
        &self,
        api: &Client,
        file: &[u8],
        range: &str,
        first: usize,
        last: usize,
    ) -> Result<(usize, usize), Fault> {
        let answer = self.ask(api, range)?;
        let asked = format!("Range: bytes={range}");
        if answer.status != 206 {
            let seen = answer.status;
            return Err(Fault::fail(Text::new(
                format!("{asked} was answered with {seen}, not 206"),
                format!("{asked} 返回 {seen}，不是 206"),
            ))
            .with(finding(
                "resume.ignored",
                Text::new(
                    "a download that broke starts from the beginning",
                    "断了的下载只能从头再来",
                ),
                Text::new(
                    "serve files with what your framework has for it",
                    "用框架自带的文件发送功能",
                ),
            )));
        }
        let right = format!("bytes {first}-{last}/{}", file.len());
        let says = answer.header("content-range").unwrap_or("nothing");
        if says != right {
            return Err(Fault::fail(Text::new(
                format!("{asked}: Content-Range says {says}, right is {right}"),
                format!("{asked}：Content-Range 是 {says}，应为 {right}"),
            ))
            .with(finding(
                "resume.content-range",
                Text::new(
                    "who puts the parts together gets another file",
                    "拼起来的文件是错的",
                ),
                Text::new(
                    "both ends belong to the part, counted from 0",
                    "两端都包含在内，从 0 数起",
                ),
            )));
        }
        if answer.body != file[first..=last] {
            return Err(Fault::fail(Text::new(
                format!(
                    "{asked}: {} bytes came, and they are not those of the file",
                    answer.body_bytes
                ),
                format!("{asked}：来了 {} 字节，与文件不符", answer.body_bytes),
            )));
        }
        Ok((first, last))
    }

    /// Nothing lies beyond the end. A server should say so with 416; it may also send the whole file.
    fn beyond(&self, api: &Client, size: usize) -> Result<(), Fault> {
        match self.ask(api, &format!("{}-", size + 10))?.status {
            416 => Ok(()),
            200 => Err(Fault::skip(Text::new(
                "the whole file came, which is allowed",
                "返回整个文件，这是允许的",
            ))),
            other => Err(Fault::fail(Text::new(
                format!("a part beyond the end is answered with {other}; 416 is right"),
                format!("越过末尾返回 {other}，应为 416"),
            ))),
        }
    }
}

fn finding(code: &str, message: Text, hint: Text) -> Finding {
    Finding::new(Severity::Problem, code, message).hint(hint)
}
