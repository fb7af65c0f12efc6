//! `slow-clients`: do slow clients take the service down?
//!
//! Three kinds: clients that send their head a byte at a time, clients that send a body so, and clients that do not read a
//! large answer. Beside each kind ordinary clients must be served as before. Whether the service ever lets go of a client
//! that says nothing is judged where the learner says after which time it should (`let_go_s`): servers differ too much for
//! a rule for all.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::http::{Client, Options, Request, Response};
use mustdo_plugin::service::{Advice, Crowd, Served, TARGET, refused, unharmed};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters};

use crate::OTHER;

const ADVICE: Advice = Advice { item: "http.attack", with: "path = \"/health\"" };

/// Ordinary requests, before and beside each kind of slow client.
const CALLS: u32 = 20;

/// Between two bytes of a slow client.
const DRIP: Duration = Duration::from_millis(100);

/// What a slow client says that it will send.
const BODY_BYTES: u32 = 1_000_000;

/// Bytes that the system keeps for a client that does not read; it may take a little more.
const SMALL_WINDOW: u32 = 1_024;

/// Clients that do not read. To make a large answer is work, and hundreds of those at once are a load of another kind.
const READERS: u32 = 20;

/// Until those answers are made, and wait to be read.
const MAKING: Duration = Duration::from_secs(3);

/// Answers below this fit into the buffers between the two and hold nobody.
const LARGE: u64 = 8 << 20;

parameters! {
    /// Whom to ask, and how many are slow.
    pub struct SlowClients {
        /// A path that answers GET with 200.
        path: String = "/".to_owned(),
        /// A path that takes POST. The body never comes to its end, so nothing is done there.
        post_path: Option<String> = None,
        /// A path that answers GET with 8 MiB or more. Without it, clients that do not read are left out.
        large_path: Option<String> = None,
        /// Slow clients of each kind.
        #[range(10..=1000)]
        conns: u32 = 200,
        /// Seconds after which your server closes a connection on which nothing is said; 0 leaves that out.
        #[range(0..=90)]
        let_go_s: u32 = 0,
        /// Headers of every request, such as credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl Check for SlowClients {
    const ID: &'static str = "slow-clients";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Slow clients harm nobody", "慢客户端不影响其他人"),
            description: Text::new(
                "Opens many connections that send a byte now and then, or do not read their answer, and asks for an ordinary page beside them, one request after the other. A good answer: every ordinary request is served as quickly as before. Bind it to the port that strangers reach: the gateway, where there is one.",
                "打开许多连接，时不时才发一个字节，或者不读回应；同时一个接一个地请求普通页面。合格的回应：普通请求都得到服务，和之前一样快。请绑定外人访问的端口：如果有网关，就绑定网关。",
            ),
            capabilities: vec![crate::ask(), crate::hold()],
            typical: Duration::from_secs(25),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("slow clients harm nobody", "慢客户端不影响其他人"));
        // Where it stopped is in the report.
        let _ = self.judge(context, &mut report);
        report
    }
}

/// A kind of slow client.
struct Kind {
    id: &'static str,
    name: Text,
    beginning: String,
    drip: &'static [u8],
    window: u32,
    count: u32,
    /// Between their beginning and the first ordinary request.
    settle: Duration,
}

impl SlowClients {
    fn judge(&self, context: &Context<'_>, report: &mut Report) -> Option<()> {
        let outcome = self.before(context);
        let (client, page, before) = report.judge("control", Need::Must, outcome, |(_, page, before)| {
            let (status, p95) = (page.status, before.p95());
            Text::new(
                format!("alone, {CALLS} requests were answered {status}, 95 of 100 in {p95:.0} ms"),
                format!("没有慢客户端时，{CALLS} 个请求返回 {status}，95% 在 {p95:.0} 毫秒内"),
            )
        })?;
        report.measure_many("alone", before.p95(), "ms", CALLS, "p95");
        let beside = Beside { client, request: self.request(&self.path), status: page.status, before };
        for kind in [self.heads(), self.bodies()] {
            beside.judge(context, report, &kind)?;
        }
        match self.readers(context, &beside.client) {
            Ok(kind) => beside.judge(context, report, &kind)?,
            Err(fault) => {
                report.judge("slow-reading", Need::Must, Err::<(), _>(fault), |()| Text::same(""));
            }
        }
        let after = beside.ask(context, || {});
        report.judge(
            "afterwards",
            Need::Must,
            unharmed(
                &beside.before,
                &after,
                "gateway.afterwards",
                &Text::new("nobody slow any more", "慢客户端都离开之后"),
            ),
            |()| Text::new("when they are gone, everything is as before", "慢客户端离开后，一切如常"),
        );
        report.judge("lets-go", Need::Must, self.lets_go(context), |seconds| {
            Text::new(
                format!("whoever says nothing is let go within {seconds} s"),
                format!("不说话的客户端在 {seconds} 秒内被断开"),
            )
        });
        Some(())
    }

    fn before(&self, context: &Context<'_>) -> Result<(Client, Response, Served), Fault> {
        let request = self.request(&self.path);
        let (client, page) = match visit(context, &request, Some(OTHER.to_owned())) {
            Ok((client, page)) if page.is_success() => (client, page),
            Err(Failure::TimedOut) => return Err(Failure::TimedOut.into()),
            // Not every service is there for that address.
            _ => visit(context, &request, None)?,
        };
        if !page.is_success() {
            return Err(refused(&request, &page, ADVICE));
        }
        let before = Served::ask(context, &client, &request, page.status, CALLS, || {});
        if before.missed > 0 {
            let first = before.first.unwrap_or_default();
            let fault = Fault::inconclusive(Text::new(
                format!("requests are not served steadily even without slow clients: {first}"),
                format!("没有慢客户端时，请求也不能稳定得到回应：{first}"),
            ));
            let message = Text::new(
                format!("asked for {} {CALLS} times, one request after the other", self.path),
                format!("逐个请求 {} 共 {CALLS} 次", self.path),
            );
            let hint = Text::new(
                "where that path is limited in its rate, name one that is not as `path`",
                "如果这个路径有限流，请用 `path` 指定一个不限流的路径",
            );
            let finding = Finding::new(Severity::Warning, "gateway.unsteady", message).hint(hint);
            return Err(fault.with(finding));
        }
        Ok((client, page, before))
    }

    fn lets_go(&self, context: &Context<'_>) -> Result<u32, Fault> {
        if self.let_go_s == 0 {
            return Err(Fault::skip(Text::new(
                "not judged: say with `let_go_s` after how many seconds your server closes a silent connection",
                "没有判断：请用 `let_go_s` 写明多少秒后服务器会断开不说话的连接",
            )));
        }
        let mut crowd =
            Crowd::gather(context, self.conns.min(20), 0, self.heads().beginning.as_bytes(), b"")?;
        let opened = crowd.opened();
        // A little longer: servers look at their clocks now and then.
        for _ in 0..=self.let_go_s {
            context.sleep(Duration::from_secs(1));
            if crowd.held(context) == 0 {
                return Ok(self.let_go_s);
            }
        }
        context.sleep(Duration::from_secs(1));
        let held = crowd.held(context);
        if held == 0 {
            return Ok(self.let_go_s);
        }
        let seconds = self.let_go_s;
        let message = Text::new(
            format!(
                "{opened} connections sent half a head and then nothing; after {} s {held} are still held. They cost a descriptor and memory each, for as long as the client likes",
                seconds + 2
            ),
            format!(
                "{opened} 个连接发了半个头就不再说话；{} 秒后还有 {held} 个被占着。每一个都消耗描述符和内存，客户端想占多久就占多久",
                seconds + 2
            ),
        );
        let hint = Text::new(
            "limit the time for a head and a body: client_header_timeout in nginx, --timeout-keep-alive and a gateway in front elsewhere",
            "限制读取头和正文的时间：nginx 用 client_header_timeout，其他服务器在前面放一个网关",
        );
        let finding = Finding::new(Severity::Problem, "gateway.holds-on", message).hint(hint);
        let summary = Text::new(
            format!("silent clients are held for more than {seconds} s"),
            format!("不说话的客户端被占住超过 {seconds} 秒"),
        );
        Err(Fault::fail(summary).with(finding))
    }

    fn heads(&self) -> Kind {
        Kind {
            id: "slow-heads",
            name: Text::new("clients with slow heads", "慢慢发请求头的客户端"),
            beginning: format!("GET {} HTTP/1.1\r\nHost: localhost\r\n{}X-Slow: ", self.path, self.lines()),
            drip: b"a",
            window: 0,
            count: self.conns,
            settle: Duration::ZERO,
        }
    }

    fn bodies(&self) -> Kind {
        let path = self.post_path.as_ref().unwrap_or(&self.path);
        let lines = self.lines();
        Kind {
            id: "slow-bodies",
            name: Text::new("clients with slow bodies", "慢慢发正文的客户端"),
            beginning: format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Type: text/plain\r\nContent-Length: {BODY_BYTES}\r\n\r\na"
            ),
            drip: b"a",
            window: 0,
            count: self.conns,
            settle: Duration::ZERO,
        }
    }

    /// Clients that ask for much and do not read it; the answer must be larger than what lies between the two.
    fn readers(&self, context: &Context<'_>, client: &Client) -> Result<Kind, Fault> {
        let Some(path) = &self.large_path else {
            return Err(Fault::skip(Text::new(
                "not tried: name a path that answers 8 MiB or more as `large_path`",
                "没有试：请用 `large_path` 写一个返回 8 MiB 以上内容的路径",
            )));
        };
        let request = Request { keep_bytes: 1, ..self.request(path) };
        let left = context.time_left().saturating_sub(Duration::from_secs(1));
        let answer = client.send(&request.clone().timeout(left.min(Duration::from_secs(20))))?;
        if !answer.is_success() {
            return Err(refused(
                &request,
                &answer,
                Advice { with: "large_path = \"/export.csv\"", ..ADVICE },
            ));
        }
        if answer.body_bytes < LARGE {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "{path} answers {} bytes, which fit into the buffers on the way: 8 MiB are needed",
                    answer.body_bytes
                ),
                format!("{path} 只返回 {} 字节，途中的缓冲区就能放下；需要 8 MiB 以上", answer.body_bytes),
            )));
        }
        Ok(Kind {
            id: "slow-reading",
            name: Text::new("clients that do not read", "不读取回应的客户端"),
            beginning: format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", self.lines()),
            drip: b"",
            window: SMALL_WINDOW,
            count: self.conns.min(READERS),
            settle: MAKING,
        })
    }

    fn lines(&self) -> String {
        let mut lines = String::new();
        for (name, value) in &self.headers {
            lines.extend([name, ": ", value, "\r\n"]);
        }
        lines
    }

    fn request(&self, path: &str) -> Request {
        self.headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, value))
    }
}

/// An ordinary client, and what it gets. It is at another address than the slow ones where it can be: to allow each address
/// so many connections protects everybody else.
fn visit(
    context: &Context<'_>,
    request: &Request,
    source: Option<String>,
) -> Result<(Client, Response), Failure> {
    let client = context.http(TARGET, &Options { source, ..Options::default() })?;
    let page = client.send(request)?;
    Ok((client, page))
}

/// The ordinary clients.
struct Beside {
    client: Client,
    request: Request,
    status: u16,
    before: Served,
}

impl Beside {
    fn ask(&self, context: &Context<'_>, between: impl FnMut()) -> Served {
        Served::ask(context, &self.client, &self.request, self.status, CALLS, between)
    }

    /// Judges one kind: ordinary clients beside it. A service that is down says nothing of the next kind.
    fn judge(&self, context: &Context<'_>, report: &mut Report, kind: &Kind) -> Option<()> {
        context.progress(None, kind.id);
        let outcome = self.meet(context, kind);
        let during = report.judge(kind.id, Need::Must, outcome, |(held, during)| {
            Text::new(
                format!(
                    "beside {held} {}, {CALLS} of {CALLS} were served, 95 of 100 in {:.0} ms",
                    kind.name.en,
                    during.p95()
                ),
                format!(
                    "{held} 个{}挂着时，{CALLS} 个普通请求全部得到服务，95% 在 {:.0} 毫秒内",
                    kind.name.zh,
                    during.p95()
                ),
            )
        });
        let (_, during) = during?;
        report.measure_many(kind.id, during.p95(), "ms", CALLS, "p95");
        Some(())
    }

    /// Asks while clients of this kind are there.
    fn meet(&self, context: &Context<'_>, kind: &Kind) -> Result<(usize, Served), Fault> {
        let mut crowd =
            Crowd::gather(context, kind.count, kind.window, kind.beginning.as_bytes(), kind.drip)?;
        context.sleep(kind.settle);
        let during = self.ask(context, || {
            crowd.dribble(context);
            context.sleep(DRIP);
        });
        let held = crowd.most();
        let name = Text::new(format!("{held} {}", kind.name.en), format!(" {held} 个{}挂着", kind.name.zh));
        unharmed(&self.before, &during, &format!("gateway.{}", kind.id), &name)?;
        // Fewer than asked, and yet nobody was harmed: a limit of the service protects it, one of mustdo tells nothing.
        match crowd.refused() {
            Some(failure @ (Failure::OverLimit(_) | Failure::Denied(_) | Failure::Unbound(_))) => {
                Err(failure.clone().into())
            }
            Some(_) if crowd.opened() == 0 => Err(Fault::inconclusive(Text::new(
                "the service took not one of the slow connections, so nothing was held",
                "服务没有接受任何一个慢连接，什么也没有占住",
            ))),
            _ => Ok((held, during)),
        }
    }
}
