//! What a server agrees to: versions, suites, and a whole handshake.

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Context, Failure, Fault, Report, Text};
use rustls_pki_types::ServerName;

use super::wrong;
use crate::stranger::guess;
use crate::tls::answer::{Answer, Choice, alert_name, ask, says_to_http};
use crate::tls::hello::{Hello, TRIPLE_DES, USUAL, Version, WEAK, Weak, suite_name};
use crate::tls::session::{Broken, Pace, Session};
use crate::trouble::excerpt;

/// A server that speaks TLS, greeted under one name.
pub(super) struct Spoken {
    host: String,
    modern: Answer,
    classic: Answer,
}

impl Spoken {
    /// Greets the server in TLS 1.3 and TLS 1.2: it has to agree to one of them, or to an older one.
    pub(super) fn find(context: &Context<'_>, host: &str) -> Result<Self, Fault> {
        let mut spoken = Self { host: host.to_owned(), modern: Answer::Silent, classic: Answer::Silent };
        spoken.modern = spoken.usual(context, Version::Tls13)?;
        if let Answer::Silent | Answer::Other(_) = spoken.modern {
            return Err(not_tls(context, &spoken.modern));
        }
        spoken.classic = spoken.usual(context, Version::Tls12)?;
        let answers = [&spoken.modern, &spoken.classic];
        if answers.iter().any(|answer| matches!(answer, Answer::Chosen(_))) {
            return Ok(spoken);
        }
        for version in Version::OLD {
            if let Answer::Chosen(_) = spoken.usual(context, version)? {
                return Err(wrong(
                    "old-only",
                    Text::new(
                        format!("the server speaks {}, and neither TLS 1.2 nor TLS 1.3", version.name()),
                        format!("服务器只支持 {}，不支持 TLS 1.2 和 TLS 1.3", version.name()),
                    ),
                    offer_new(),
                ));
            }
        }
        match answers {
            [Answer::Alert(description), _] | [_, Answer::Alert(description)] => {
                let alert = alert_name(*description);
                Err(Fault::inconclusive(Text::new(
                    format!(
                        "the server refuses every version and every suite, with {alert}: is {host:?} the name that it serves (`host`), and has it a certificate?"
                    ),
                    format!(
                        "服务器拒绝了所有版本和套件，告警为 {alert}：它服务的名字是 {host:?} 吗（`host`）？配置证书了吗？"
                    ),
                )))
            }
            _ => Err(not_tls(context, &spoken.modern)),
        }
    }

    pub(super) fn text(&self) -> Text {
        let chosen = [&self.modern, &self.classic].into_iter().filter_map(|answer| match answer {
            Answer::Chosen(choice) => Some(version_name(choice.version)),
            Answer::Alert(_) | Answer::Closed | Answer::Silent | Answer::Other(_) => None,
        });
        let versions = chosen.collect::<Vec<_>>().join(", ");
        Text::new(format!("the server speaks {versions}"), format!("服务器支持 {versions}"))
    }

    /// The handshake of a client of today.
    pub(super) fn handshake(
        &self,
        context: &Context<'_>,
        host: &ServerName<'static>,
    ) -> Result<Session, Fault> {
        Session::open(context, host, Pace::Whole).map_err(|broken| {
            if let Broken::Unproven = broken {
                return wrong(
                    "other-key",
                    Text::new(
                        "the server signed with another key than that of its certificate",
                        "服务器用来签名的密钥与它的证书不符",
                    ),
                    Text::new(
                        "configure the private key that belongs to the certificate",
                        "请配置与证书配对的私钥",
                    ),
                );
            }
            let why = match words(broken) {
                Ok(why) => why,
                Err(failure) => return failure.into(),
            };
            let suite = self.choice().map_or_else(String::new, |choice| suite_name(choice.suite));
            Fault::inconclusive(Text::new(
                format!(
                    "the handshake did not come to its end ({}); this check speaks ECDHE with AES-GCM (RFC 9325 §4.2), the server would choose {suite}",
                    why.en
                ),
                format!(
                    "握手没有完成（{}）；这个检查使用 ECDHE 加 AES-GCM（RFC 9325 §4.2），服务器会选择 {suite}",
                    why.zh
                ),
            ))
        })
    }

    /// What has to be refused; only said of a server that agreed to the very same hello in a version of today, before and
    /// after.
    pub(super) fn judge_refusals(&self, context: &Context<'_>, report: &mut Report) {
        let mut lines = vec![line(Version::Tls13, &self.modern), line(Version::Tls12, &self.classic)];
        let outcome = self.refuse_old(context, &mut lines).and_then(|()| self.still_there(context));
        report.judge("old-versions", Need::Must, outcome, |()| {
            Text::new("SSL 3.0, TLS 1.0 and TLS 1.1 are refused", "拒绝 SSL 3.0、TLS 1.0 和 TLS 1.1")
        });
        report.evidence("versions", lines.join("\n"));
        let outcome = WEAK.iter().try_for_each(|weak| self.refuse(context, weak));
        report.judge("weak-suites", Need::Must, outcome.and_then(|()| self.still_there(context)), |()| {
            Text::new("NULL, anon, EXPORT, DES and RC4 are refused", "拒绝 NULL、anon、EXPORT、DES 和 RC4")
        });
        let outcome = self.refuse(context, &TRIPLE_DES).and_then(|()| self.still_there(context));
        report.judge("triple-des", Need::Should, outcome, |()| Text::new("3DES is refused", "拒绝 3DES"));
        let outcome = match &self.modern {
            Answer::Chosen(choice) if choice.version == Version::Tls13.number() => Ok(()),
            Answer::Chosen(_) | Answer::Alert(_) | Answer::Closed | Answer::Silent | Answer::Other(_) => {
                let hint = Text::new(
                    "offer TLS 1.3 as well, for example `ssl_protocols TLSv1.2 TLSv1.3;` in nginx",
                    "同时提供 TLS 1.3，例如 nginx 里写 `ssl_protocols TLSv1.2 TLSv1.3;`",
                );
                Err(wrong("no-tls13", Text::new("TLS 1.3 is not offered", "没有提供 TLS 1.3"), hint))
            }
        };
        report.judge("tls13", Need::Should, outcome, |()| Text::new("TLS 1.3 is offered", "提供 TLS 1.3"));
    }

    /// What only costs score, for a web site.
    pub(super) fn judge_extras(
        &self,
        context: &Context<'_>,
        report: &mut Report,
        host: &ServerName<'static>,
    ) {
        let outcome = self.compression(context);
        report.judge("no-compression", Need::Should, outcome, |()| {
            Text::new("TLS does not compress", "TLS 层不压缩")
        });
        report.judge("safe-renegotiation", Need::Should, self.renegotiation(), |()| {
            Text::new("renegotiation is tied to its connection (RFC 5746)", "重新协商与连接绑定（RFC 5746）")
        });
        let outcome = match Session::open(context, host, Pace::Bytes) {
            Ok(_) => Ok(()),
            Err(broken) => match words(broken) {
                Ok(why) => Err(wrong(
                    "segments",
                    Text::new(
                        format!("a hello that comes byte by byte leads to no handshake: {}", why.en),
                        format!("逐字节到达的 ClientHello 握手失败：{}", why.zh),
                    ),
                    Text::new("read until a record is whole", "请读到一个完整的记录为止"),
                )),
                Err(failure) => Err(failure.into()),
            },
        };
        report.judge("segments", Need::Should, outcome, |()| {
            Text::new("a hello may come byte by byte", "ClientHello 可以逐字节到达")
        });
    }

    fn usual(&self, context: &Context<'_>, version: Version) -> Result<Answer, Failure> {
        self.greet(context, version, USUAL, false)
    }

    fn greet(
        &self,
        context: &Context<'_>,
        version: Version,
        suites: &[u16],
        compressed: bool,
    ) -> Result<Answer, Failure> {
        let mut random = [0; 64];
        random.copy_from_slice(&context.random_bytes(64));
        ask(context, &Hello { version, suites, compressed, host: &self.host, random })
    }

    /// What the server agreed to, the newest first.
    fn choice(&self) -> Option<Choice> {
        [&self.modern, &self.classic].into_iter().find_map(|answer| match answer {
            Answer::Chosen(choice) => Some(*choice),
            Answer::Alert(_) | Answer::Closed | Answer::Silent | Answer::Other(_) => None,
        })
    }

    /// What the server agreed to in TLS 1.2; none for one of TLS 1.3 alone.
    fn classic(&self) -> Option<Choice> {
        if let Answer::Chosen(choice) = self.classic { Some(choice) } else { None }
    }

    fn refuse_old(&self, context: &Context<'_>, lines: &mut Vec<String>) -> Result<(), Fault> {
        let mut accepted = Vec::new();
        for version in Version::OLD {
            let answer = self.usual(context, version)?;
            lines.push(line(version, &answer));
            match &answer {
                Answer::Alert(_) | Answer::Closed => {}
                Answer::Chosen(choice) if choice.version <= version.number() => accepted.push(version.name()),
                Answer::Chosen(_) | Answer::Silent | Answer::Other(_) => {
                    return Err(strange(version.name(), &answer));
                }
            }
        }
        if accepted.is_empty() {
            return Ok(());
        }
        let accepted = accepted.join(", ");
        Err(wrong(
            "old-version",
            Text::new(format!("the server still speaks {accepted}"), format!("服务器仍然支持 {accepted}")),
            offer_new(),
        ))
    }

    fn refuse(&self, context: &Context<'_>, weak: &Weak) -> Result<(), Fault> {
        // TLS 1.3 has none of them.
        if self.classic().is_none() {
            return Ok(());
        }
        let answer = self.greet(context, Version::Tls12, weak.suites, false)?;
        match &answer {
            Answer::Alert(_) | Answer::Closed => Ok(()),
            Answer::Chosen(choice) if weak.suites.contains(&choice.suite) => Err(wrong(
                "weak-suite",
                Text::new(
                    format!("the server agrees to {} ({})", weak.name, suite_name(choice.suite)),
                    format!("服务器接受 {}（{}）", weak.name, suite_name(choice.suite)),
                ),
                Text::new(
                    "allow suites with ECDHE and AES-GCM or ChaCha20 only",
                    "只允许 ECDHE 加 AES-GCM 或 ChaCha20 的套件",
                ),
            )),
            Answer::Chosen(_) | Answer::Silent | Answer::Other(_) => Err(strange(weak.name, &answer)),
        }
    }

    /// That it refused says nothing of a server that refuses everything by now.
    fn still_there(&self, context: &Context<'_>) -> Result<(), Fault> {
        let version = if self.classic().is_some() { Version::Tls12 } else { Version::Tls13 };
        match self.usual(context, version)? {
            Answer::Chosen(_) => Ok(()),
            answer @ (Answer::Alert(_) | Answer::Closed | Answer::Silent | Answer::Other(_)) => {
                Err(strange(version.name(), &answer))
            }
        }
    }

    fn compression(&self, context: &Context<'_>) -> Result<(), Fault> {
        if self.classic().is_none() {
            return Ok(());
        }
        let answer = self.greet(context, Version::Tls12, USUAL, true)?;
        match &answer {
            Answer::Chosen(choice) if choice.compression == 0 => Ok(()),
            Answer::Chosen(_) => Err(wrong(
                "compression",
                Text::new("the server compresses in TLS (CRIME)", "服务器在 TLS 层压缩（CRIME）"),
                Text::new(
                    "turn the compression of TLS off (RFC 9325 §3.3)",
                    "请关闭 TLS 压缩（RFC 9325 §3.3）",
                ),
            )),
            Answer::Alert(_) | Answer::Closed => Ok(()),
            Answer::Silent | Answer::Other(_) => Err(strange("DEFLATE", &answer)),
        }
    }

    fn renegotiation(&self) -> Result<(), Fault> {
        match self.classic() {
            Some(choice) if !choice.safe_renegotiation => Err(wrong(
                "renegotiation",
                Text::new(
                    "the server does not know `renegotiation_info` (RFC 5746)",
                    "服务器不支持 renegotiation_info（RFC 5746）",
                ),
                Text::new("use a TLS library that is kept up to date", "请使用仍在维护的 TLS 库"),
            )),
            Some(_) | None => Ok(()),
        }
    }
}

fn offer_new() -> Text {
    Text::new(
        "allow TLS 1.2 and TLS 1.3 only, for example `ssl_protocols TLSv1.2 TLSv1.3;` in nginx (RFC 8996)",
        "只允许 TLS 1.2 和 TLS 1.3，例如 nginx 里写 `ssl_protocols TLSv1.2 TLSv1.3;`（RFC 8996）",
    )
}

fn version_name(number: u16) -> String {
    let known = [Version::Ssl3, Version::Tls10, Version::Tls11, Version::Tls12, Version::Tls13];
    let name = known.into_iter().find(|version| version.number() == number).map(Version::name);
    name.map_or_else(|| format!("0x{number:04x}"), str::to_owned)
}

/// What came of a version, for the evidence.
fn line(version: Version, answer: &Answer) -> String {
    format!("{}: {}", version.name(), said(answer).en)
}

fn said(answer: &Answer) -> Text {
    match answer {
        Answer::Chosen(choice) => {
            Text::same(format!("{}, {}", version_name(choice.version), suite_name(choice.suite)))
        }
        Answer::Alert(description) => {
            let alert = alert_name(*description);
            Text::new(format!("refused with {alert}"), format!("以 {alert} 拒绝"))
        }
        Answer::Closed => Text::new("the connection was closed", "连接被关闭"),
        Answer::Silent => Text::new("nothing came", "没有任何回应"),
        Answer::Other(bytes) => {
            Text::new(format!("{} came", excerpt(bytes)), format!("收到 {}", excerpt(bytes)))
        }
    }
}

/// Neither a refusal nor an agreement.
fn strange(asked: &str, answer: &Answer) -> Fault {
    let said = said(answer);
    Fault::inconclusive(Text::new(
        format!("asked for {asked}, the server neither agreed nor refused: {}", said.en),
        format!("请求 {asked} 时，服务器既没有接受也没有拒绝：{}", said.zh),
    ))
}

/// A server that does not answer a hello, and what it probably is.
fn not_tls(context: &Context<'_>, answer: &Answer) -> Fault {
    let heard = if let Answer::Other(bytes) = answer { bytes.clone() } else { Vec::new() };
    let mut guess = guess(&heard);
    if heard.is_empty() {
        // A server of HTTP waits for the end of a line that never comes.
        guess = crate::stranger::guess(&says_to_http(context));
    }
    let said = said(answer);
    let (en, zh) = if guess.en.is_empty() {
        (": is it another protocol?".to_owned(), "：是不是别的协议？".to_owned())
    } else {
        (guess.en, guess.zh)
    };
    Fault::inconclusive(Text::new(
        format!("no TLS is spoken here ({}){en}; bind target `tls` to the port with TLS", said.en),
        format!("这里没有 TLS（{}）{zh}；请把目标 `tls` 绑定到 TLS 的端口", said.zh),
    ))
}

/// Why a session broke, or what the host says about it.
pub(super) fn words(broken: Broken) -> Result<Text, Failure> {
    Ok(match broken {
        Broken::Unproven => Text::new("the server's signature is wrong", "服务器的签名不对"),
        Broken::Refused(alert) => {
            Text::new(format!("the server refused with {alert}"), format!("服务器以 {alert} 拒绝"))
        }
        Broken::Protocol(error) => {
            Text::new(format!("not as TLS is spoken: {error}"), format!("不符合 TLS：{error}"))
        }
        Broken::Closed => Text::new("the server closed the connection", "服务器关闭了连接"),
        Broken::Silent => Text::new("the server said nothing more", "服务器不再回应"),
        Broken::Host(failure) => return Err(failure),
    })
}
