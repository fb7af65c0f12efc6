//! `rate-limit`: is a flood limited while others are served?
//!
//! The flood comes from one source address over connections of its own, one batch after the other; between batches
//! another source asks at its leisure. How many of the flood may be served follows from the declared limit and from the time
//! that the flood really took, so a busy machine changes the bound and not the verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::http::{Client, Options, Request};
use mustdo_plugin::service::{Advice, TARGET, Template, Values, refused};
use mustdo_plugin::statistics::median;
use mustdo_plugin::tcp;
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters};

use crate::OTHER;

const ADVICE: Advice = Advice { item: "http.ddos", with: "path = \"/api\"\nlimit = 20\nburst = 10" };

/// Requests of a flood, in batches.
const BATCHES: u32 = 10;
const BATCH: u32 = 30;

/// Requests of a client at its leisure, and the pause after each: five a second, for three seconds.
const CALM: u32 = 15;
const PAUSE: Duration = Duration::from_millis(200);

/// The wait for one answer of the flood.
const PATIENCE: Duration = Duration::from_secs(5);

/// The wait for answers that may be there already.
const BRIEFLY: Duration = Duration::from_millis(50);

parameters! {
    /// The limit as it was set.
    pub struct RateLimit {
        /// The limited path; GET must answer 2xx.
        path: String = "/".to_owned(),
        /// Requests a second that one client may send.
        #[range(6..=1000)]
        limit: u32 = 20,
        /// Requests that it may send at once beyond that.
        #[range(0..=1000)]
        burst: u32 = 10,
        /// Headers of the one that floods, such as its credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
        /// Headers of the other client, where clients are told apart by credentials. Without them it comes from another address, 127.0.0.2.
        other: BTreeMap<String, String> = BTreeMap::new(),
        /// A view that shows how many requests were carried out, such as `GET /stats`. Without it, whether a refused request was carried out all the same is not judged.
        counter: Option<Template> = None,
        /// Where the number is in that view: a JSON pointer.
        count: String = "/count".to_owned(),
        /// Whether `X-Forwarded-For` of a client on this machine counts, because a proxy of yours sends it.
        trusts_forwarded: bool = false,
    }
}

impl Check for RateLimit {
    const ID: &'static str = "rate-limit";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A flood is limited, the rest is served", "洪水被限流，其他人照常"),
            description: Text::new(
                "Asks at leisure first, which must work; then floods from one address while another asks at its leisure; then floods with forged X-Forwarded-For; then waits and asks again. A good answer: no more than the limit allows is served, the rest gets 429 (or 503), the other client notices nothing, and all is well after a pause. In nginx: `limit_req_zone $binary_remote_addr zone=a:10m rate=20r/s; limit_req zone=a burst=10 nodelay; limit_req_status 429;`.",
                "先从容地请求，必须成功；再从一个地址发起洪水，同时另一个客户端从容请求；然后用伪造的 X-Forwarded-For 再来一次；最后等一会儿再请求。合格的回应：得到服务的不超过限额，其余返回 429（或 503），另一个客户端毫无察觉，停一会儿后恢复。nginx 的写法：`limit_req_zone $binary_remote_addr zone=a:10m rate=20r/s; limit_req zone=a burst=10 nodelay; limit_req_status 429;`。",
            ),
            capabilities: vec![crate::ask(), crate::hold()],
            typical: Duration::from_secs(15),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "a flood is limited, and the others are served",
            "洪水被限流，其他人照常得到服务",
        ));
        // Where it stopped is in the report.
        let _ = self.judge(context, &mut report);
        report
    }
}

/// What came of a flood.
struct Flood {
    sent: u32,
    served: u32,
    /// Refused with 429 or 503.
    turned_away: u32,
    /// The first answer that is neither, in words.
    odd: Option<String>,
    took: Duration,
    /// What the other client got meanwhile, and after how many milliseconds.
    calm: Vec<Result<(u16, f64), Failure>>,
    /// Whether one of the refusals was no 429.
    other_status: Option<u16>,
    /// Whether each refusal said when to come again.
    retry_after: bool,
}

/// A request that was sent and not answered yet.
struct Awaited {
    connection: tcp::Connection,
    /// When the other client sent it; none where it is one of the flood.
    calm_since: Option<Duration>,
}

impl RateLimit {
    fn judge(&self, context: &mut Context<'_>, report: &mut Report) -> Option<()> {
        let outcome = self.control(context);
        let calm = report.judge("control", Need::Must, outcome, |_| {
            Text::new(
                format!("{CALM} requests at leisure are all served"),
                format!("从容的 {CALM} 个请求全部得到服务"),
            )
        })?;
        let counted = self.counted(context);
        self.recover(context);
        let flood = self.flood(context, None).and_then(|flood| self.strong_enough(flood));
        let after = self.counted(context);
        let flood = report.judge(
            "flood",
            Need::Must,
            flood
                .and_then(|flood| self.limited(flood, "flood"))
                .and_then(|flood| self.not_all_refused(flood)),
            |flood| {
                Text::new(
                    format!(
                        "of {} requests in {:.1} s {} were served, {} turned away; up to {} would be right",
                        flood.sent,
                        flood.took.as_secs_f64(),
                        flood.served,
                        flood.turned_away,
                        self.bound(flood.took)
                    ),
                    format!(
                        "{:.1} 秒内 {} 个请求，{} 个得到服务，{} 个被拒；最多允许 {} 个",
                        flood.took.as_secs_f64(),
                        flood.sent,
                        flood.served,
                        flood.turned_away,
                        self.bound(flood.took)
                    ),
                )
            },
        )?;
        report.measure("served", f64::from(flood.served), "1");
        report.measure("offered", f64::from(flood.sent) / flood.took.as_secs_f64(), "1/s");
        report.judge("others", Need::Must, others(&flood, calm), |count| {
            Text::new(
                format!("meanwhile {count} of {count} requests of another client were served"),
                format!("同时，另一个客户端的 {count} 个请求全部得到服务"),
            )
        });
        report.judge("not-carried-out", Need::Must, not_carried_out(counted, after, &flood), |()| {
            Text::new("what was refused was not carried out", "被拒绝的请求没有执行")
        });
        report.judge("forged-address", Need::Must, self.forged(context), |served| {
            Text::new(
                format!("forged addresses gain nothing: {served} served"),
                format!("伪造地址得不到更多：{served} 个得到服务"),
            )
        });
        self.recover(context);
        report.judge("recovers", Need::Must, self.recovers(context), |()| {
            Text::new("after a pause it is served again", "停一会儿之后又得到服务")
        });
        report.judge("status", Need::Should, status(&flood), |()| Text::same("429"));
        report.judge("retry-after", Need::Should, retry_after(&flood), |()| Text::same("Retry-After"));
        Some(())
    }

    /// The other client at its leisure, alone: everything is served. Gives the median of its answers in milliseconds.
    fn control(&self, context: &Context<'_>) -> Result<f64, Fault> {
        let client = self.other_client(context)?;
        let mut millis = Vec::new();
        for _ in 0..CALM {
            let request = self.calm();
            let answer = client.send(&request)?;
            if !answer.is_success() {
                return Err(match answer.status {
                    429 | 503 => Fault::inconclusive(Text::new(
                        format!(
                            "five requests a second are answered {}, so the limit is lower than that: nothing was ever served steadily; set it to 6 a second or more for this test, and say so with `limit`",
                            answer.status
                        ),
                        format!(
                            "每秒五个请求就返回 {}，说明限额更低，没有稳定服务过；测试时请把限额设为每秒 6 个以上，并用 `limit` 写明",
                            answer.status
                        ),
                    )),
                    _ => refused(&request, &answer, ADVICE),
                });
            }
            millis.push(answer.timing.total.as_secs_f64() * 1_000.0);
            context.sleep(PAUSE);
        }
        Ok(median(&millis).unwrap_or_default())
    }

    /// Sends the flood; each request says that it is forwarded for another address where `forged` is given.
    fn flood(&self, context: &mut Context<'_>, forged: Option<u64>) -> Result<Flood, Fault> {
        let options = tcp::Options { no_delay: true, timeout: PATIENCE, ..tcp::Options::default() };
        let mut flood = Flood {
            sent: 0,
            served: 0,
            turned_away: 0,
            odd: None,
            took: Duration::ZERO,
            calm: Vec::new(),
            other_status: None,
            retry_after: true,
        };
        let began = context.monotonic();
        let mut waiting = Vec::new();
        for batch in 0..BATCHES {
            for connection in context.connect_many(TARGET, &options, BATCH)? {
                let connection = connection?;
                let forged = forged.map(|base| base + u64::from(flood.sent));
                connection.send(self.written(&self.headers, forged).as_bytes())?;
                flood.sent += 1;
                waiting.push(Awaited { connection, calm_since: None });
            }
            if forged.is_none() && batch % 2 == 1 {
                flood.take_in(context, &mut waiting, BRIEFLY, usize::MAX);
                let options = tcp::Options { source: self.other_source(), ..options.clone() };
                let calm_since = Some(context.monotonic());
                let connection = context.tcp(TARGET, &options)?;
                connection.send(self.written(self.other_headers(), None).as_bytes())?;
                waiting.push(Awaited { connection, calm_since });
                let answered = flood.calm.len() + 1;
                flood.take_in(context, &mut waiting, PATIENCE, answered);
            }
        }
        flood.take_in(context, &mut waiting, PATIENCE, usize::MAX);
        for awaited in waiting {
            match awaited.calm_since {
                Some(_) => flood.calm.push(Err(Failure::TimedOut)),
                None => flood.count(Err(Failure::TimedOut)),
            }
        }
        flood.took = context.monotonic().saturating_sub(began);
        Ok(flood)
    }

    /// A flood that is hardly more than the limit shows nothing.
    fn strong_enough(&self, flood: Flood) -> Result<Flood, Fault> {
        if flood.sent >= 3 * self.bound(flood.took) {
            return Ok(flood);
        }
        let offered = f64::from(flood.sent) / flood.took.as_secs_f64();
        Err(Fault::inconclusive(Text::new(
            format!(
                "the flood came to {offered:.0} requests a second, less than three times what the limit allows; set a lower limit for this test, and say so with `limit` and `burst`"
            ),
            format!(
                "洪水只有每秒 {offered:.0} 个请求，不到限额的三倍；测试时请调低限额，并用 `limit` 和 `burst` 写明"
            ),
        )))
    }

    /// How many may be served in that time: the burst and the rate, a tenth more, or two whole windows of a second where the
    /// limit is counted in those.
    fn bound(&self, took: Duration) -> u32 {
        let seconds = took.as_secs_f64();
        let bucket = f64::from(self.burst) + f64::from(self.limit) * seconds * 1.1;
        let windows = f64::from(self.limit) * (seconds.ceil() + 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        let bound = bucket.max(windows).ceil() as u32;
        bound + 1
    }

    fn limited(&self, flood: Flood, code: &str) -> Result<Flood, Fault> {
        if let Some(odd) = &flood.odd {
            return Err(Fault::fail(Text::new(
                format!("of the flood, one was answered neither with success nor with 429 or 503: {odd}"),
                format!("洪水里有一个请求既没有成功，也不是 429 或 503：{odd}"),
            )));
        }
        let bound = self.bound(flood.took);
        if flood.served <= bound {
            return Ok(flood);
        }
        let Flood { sent, served, took, .. } = flood;
        let seconds = took.as_secs_f64();
        let summary = Text::new(
            format!("{served} of {sent} requests of a flood were served, where up to {bound} would be right"),
            format!("洪水的 {sent} 个请求里有 {served} 个得到服务，最多应为 {bound} 个"),
        );
        let message = Text::new(
            format!(
                "sent GET {} {sent} times from one client in {seconds:.1} s; with {} a second and {} at once, {bound} may be served, and {served} were",
                self.path, self.limit, self.burst
            ),
            format!(
                "一个客户端在 {seconds:.1} 秒内发送 {sent} 次 GET {}；限额每秒 {}、突发 {}，最多 {bound} 个，实际 {served} 个",
                self.path, self.limit, self.burst
            ),
        );
        let hint = ADVICE.hint(
            "limit each client in front of the service (limit_req in nginx), by the address of the connection; and name the limit that you set:",
            "在服务前面按连接的地址限流（nginx 的 limit_req）；并写明你设的限额：",
        );
        let finding = Finding::new(Severity::Problem, format!("gateway.{code}"), message).hint(hint);
        Err(Fault::fail(summary).with(finding))
    }

    /// What the limit allows is served, also to whoever asks for more. A service that only falls over under load, or shuts
    /// the client out at once, turns everything away.
    fn not_all_refused(&self, flood: Flood) -> Result<Flood, Fault> {
        if flood.served > 0 {
            return Ok(flood);
        }
        let Flood { sent, .. } = flood;
        let summary = Text::new(
            format!("none of the {sent} requests of a flood was served, though the limit allows some"),
            format!("洪水的 {sent} 个请求一个也没得到服务，而限额允许其中一部分"),
        );
        let message = Text::new(
            format!(
                "sent GET {} {sent} times from one client that had been silent; with {} a second and {} at once the first of them are within the limit. A service that breaks down under load looks like this, too",
                self.path, self.limit, self.burst
            ),
            format!(
                "一个安静了一阵的客户端发送 {sent} 次 GET {}；限额每秒 {}、突发 {}，最前面的几个并没有超过。被压垮的服务看起来也是这样",
                self.path, self.limit, self.burst
            ),
        );
        let hint = ADVICE.hint(
            "serve what the limit allows and refuse the rest with 429; and name the limit that you set:",
            "限额以内照常服务，其余返回 429；并写明你设的限额：",
        );
        let finding = Finding::new(Severity::Problem, "gateway.all-refused", message).hint(hint);
        Err(Fault::fail(summary).with(finding))
    }

    fn forged(&self, context: &mut Context<'_>) -> Result<u32, Fault> {
        if self.trusts_forwarded {
            return Err(Fault::skip(Text::new(
                "not judged: X-Forwarded-For from this machine is trusted, as was said",
                "没有判断：按声明，来自本机的 X-Forwarded-For 是可信的",
            )));
        }
        let base = context.generator().number(0..1 << 20);
        let flood = self.flood(context, Some(base)).and_then(|flood| self.strong_enough(flood))?;
        let flood = self.limited(flood, "forged-address").map_err(|fault| {
            fault.headed(Text::new(
                "a forged X-Forwarded-For gives a client a limit of its own each time",
                "伪造 X-Forwarded-For，每次都得到一份新的限额",
            ))
        })?;
        Ok(flood.served)
    }

    fn recovers(&self, context: &Context<'_>) -> Result<(), Fault> {
        let options = tcp::Options { no_delay: true, timeout: PATIENCE, ..tcp::Options::default() };
        let mut connection = context.tcp(TARGET, &options)?;
        connection.send(self.written(&self.headers, None).as_bytes())?;
        connection.set_read_timeout(PATIENCE);
        let answer = head(&mut connection)?;
        if (200..300).contains(&answer.0) {
            return Ok(());
        }
        let status = answer.0;
        Err(Fault::fail(Text::new(
            format!(
                "whoever flooded once is still answered {status} after {:.1} s of silence",
                self.quiet().as_secs_f64()
            ),
            format!("发起过洪水的客户端，安静 {:.1} 秒后仍然返回 {status}", self.quiet().as_secs_f64()),
        )))
    }

    fn counted(&self, context: &Context<'_>) -> Result<u64, Fault> {
        let Some(counter) = &self.counter else {
            return Err(Fault::skip(Text::new(
                "not judged: name a view that counts what was carried out as `counter`",
                "没有判断：请用 `counter` 写一个能看到执行次数的视图",
            )));
        };
        let request = counter.fill(&Values::default());
        let answer = context.http(TARGET, &Options::default())?.send(&request)?;
        if !answer.is_success() {
            return Err(refused(&request, &answer, ADVICE));
        }
        let count = answer.json().and_then(|body| body.pointer(&self.count)?.as_u64());
        count.ok_or_else(|| {
            Fault::inconclusive(Text::new(
                format!("there is no number at `{}` of the counter; name the place as `count`", self.count),
                format!("计数器里 `{}` 处没有数字；请用 `count` 写明位置", self.count),
            ))
        })
    }

    /// Long enough for a bucket to be full again, twice.
    fn quiet(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.burst) / f64::from(self.limit) * 2.0 + 1.5)
    }

    fn recover(&self, context: &Context<'_>) {
        context.sleep(self.quiet());
    }

    fn other_client(&self, context: &Context<'_>) -> Result<Client, Failure> {
        context.http(TARGET, &Options { source: self.other_source(), ..Options::default() })
    }

    /// Where the other client comes from, unless its credentials tell it apart.
    fn other_source(&self) -> Option<String> {
        self.other.is_empty().then(|| OTHER.to_owned())
    }

    fn other_headers(&self) -> &BTreeMap<String, String> {
        if self.other.is_empty() { &self.headers } else { &self.other }
    }

    fn calm(&self) -> Request {
        let headers = self.other_headers();
        headers.iter().fold(Request::get(&self.path), |request, (name, value)| request.header(name, value))
    }

    fn written(&self, headers: &BTreeMap<String, String>, forged: Option<u64>) -> String {
        let mut text = format!("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.path);
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        if let Some(number) = forged {
            // Addresses for documentation and benchmarks: RFC 2544, 198.18.0.0/15.
            let number = number % (1 << 17);
            let address = format!("198.{}.{}.{}", 18 + (number >> 16), (number >> 8) & 255, number & 255);
            text.extend(["X-Forwarded-For: ", &address, "\r\nX-Real-IP: ", &address, "\r\n"]);
        }
        text + "\r\n"
    }
}

impl Flood {
    /// Takes in answers for as long as they come, or until the other client has so many, and hangs up, as clients do: there
    /// are servers that wait for that before they serve the next, gunicorn among them, so nobody may be waited for alone.
    /// Which is answered first is up to the server.
    fn take_in(
        &mut self,
        context: &Context<'_>,
        waiting: &mut Vec<Awaited>,
        patience: Duration,
        calm: usize,
    ) {
        while !waiting.is_empty() && self.calm.len() < calm {
            let connections: Vec<_> = waiting.iter().map(|awaited| &awaited.connection).collect();
            let mut ready = context.wait_readable(&connections, patience);
            if ready.is_empty() {
                break;
            }
            ready.sort_unstable();
            for place in ready.into_iter().rev() {
                let Awaited { mut connection, calm_since } = waiting.swap_remove(place);
                connection.set_read_timeout(PATIENCE);
                let answer = head(&mut connection);
                let Some(since) = calm_since else {
                    self.count(answer);
                    continue;
                };
                let millis = context.monotonic().saturating_sub(since).as_secs_f64() * 1_000.0;
                self.calm.push(answer.map(|(status, _)| (status, millis)));
            }
        }
    }

    fn count(&mut self, answer: Result<(u16, bool), Failure>) {
        match answer {
            Ok((200..=299, _)) => self.served += 1,
            Ok((status @ (429 | 503), retry_after)) => {
                self.turned_away += 1;
                self.retry_after &= retry_after;
                if status != 429 {
                    self.other_status = Some(status);
                }
            }
            Ok((status, _)) => drop(self.odd.get_or_insert(status.to_string())),
            // A service that closes the connection of a flood without a word has limited it, too.
            Err(Failure::Unreachable(_)) => {
                self.turned_away += 1;
                self.retry_after = false;
                self.other_status = Some(0);
            }
            Err(failure) => drop(self.odd.get_or_insert(failure.explain().en)),
        }
    }
}

/// The status of an answer, and whether it says when to come again; the body is not read.
fn head(connection: &mut tcp::Connection) -> Result<(u16, bool), Failure> {
    const HEAD_BYTES: usize = 64 << 10;
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let more = connection.receive(16 << 10)?;
        if more.is_empty() {
            return Err(Failure::Unreachable("the connection was closed without an answer".to_owned()));
        }
        bytes.extend(more);
        if bytes.len() > HEAD_BYTES {
            return Err(Failure::Protocol("a head that never ends".to_owned()));
        }
    }
    let head = String::from_utf8_lossy(&bytes);
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let status = status.ok_or_else(|| Failure::Protocol("no status line".to_owned()))?;
    let retry_after = head.lines().any(|line| line.to_ascii_lowercase().starts_with("retry-after:"));
    Ok((status, retry_after))
}

/// What is carried out beyond what was answered as served.
fn not_carried_out(
    before: Result<u64, Fault>,
    after: Result<u64, Fault>,
    flood: &Flood,
) -> Result<(), Fault> {
    let (before, after) = (before?, after?);
    let calm = flood.calm.iter().filter(|answer| matches!(answer, Ok((200..=299, _)))).count();
    let served = u64::from(flood.served) + calm as u64;
    let carried_out = after.saturating_sub(before);
    if carried_out == served {
        return Ok(());
    }
    if carried_out < served {
        return Err(Fault::inconclusive(Text::new(
            format!(
                "the counter rose by {carried_out}, though {served} requests were served: it does not show them all"
            ),
            format!("计数器只增加了 {carried_out}，而得到服务的有 {served} 个：它没有显示全部"),
        )));
    }
    Err(Fault::fail(Text::new(
        format!(
            "{served} requests were served, and {carried_out} were carried out: what is refused is done all the same"
        ),
        format!("得到服务的是 {served} 个，执行的却是 {carried_out} 个：被拒绝的请求照样执行了"),
    )))
}

/// Another client notices nothing: all is served, in about the time it took alone.
fn others(flood: &Flood, alone: f64) -> Result<usize, Fault> {
    let mut millis = Vec::new();
    for answer in &flood.calm {
        match answer {
            Ok((200..=299, took)) => millis.push(*took),
            Ok((status, _)) => return Err(starved(&format!("was answered {status}"))),
            Err(failure) => return Err(starved(&failure.explain().en)),
        }
    }
    let middle = median(&millis).unwrap_or_default();
    if middle > 1_000.0 && middle > alone * 4.0 {
        return Err(starved(&format!("took {middle:.0} ms instead of {alone:.0} ms")));
    }
    Ok(millis.len())
}

fn starved(what: &str) -> Fault {
    let message = Text::new(
        format!("while one client flooded, a request of another {what}"),
        format!("一个客户端发起洪水时，另一个客户端的请求：{what}"),
    );
    let hint = Text::new(
        "give each client a bucket of its own, by its address or its account; one for all lets the loudest shut the others out",
        "每个客户端单独计数（按地址或账号）；所有人共用一份限额，声音最大的就会把别人挤出去",
    );
    let finding = Finding::new(Severity::Problem, "gateway.starved", message).hint(hint);
    Fault::fail(Text::new("the flood of one client starves another", "一个客户端的洪水饿死了另一个"))
        .with(finding)
}

fn status(flood: &Flood) -> Result<(), Fault> {
    match flood.other_status {
        None => Ok(()),
        Some(0) => Err(Fault::fail(Text::new(
            "connections of the flood are closed without an answer; 429 says why (RFC 6585, section 4)",
            "洪水的连接被直接关闭；429 才说明了原因（RFC 6585 第 4 节）",
        ))),
        Some(status) => Err(Fault::fail(Text::new(
            format!("a flood is answered {status}; 429 says whose fault it is (RFC 6585, section 4)"),
            format!("洪水得到 {status}；429 才说明是谁的问题（RFC 6585 第 4 节）"),
        ))),
    }
}

fn retry_after(flood: &Flood) -> Result<(), Fault> {
    if flood.retry_after {
        return Ok(());
    }
    Err(Fault::fail(Text::new(
        "the refusal does not say when to come again (Retry-After)",
        "拒绝时没有说明何时再来（Retry-After）",
    )))
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::verdict::Status;

    use super::*;

    fn flood(served: u32) -> Flood {
        Flood {
            sent: BATCHES * BATCH,
            served,
            turned_away: BATCHES * BATCH - served,
            odd: None,
            took: Duration::from_secs(1),
            calm: Vec::new(),
            other_status: None,
            retry_after: true,
        }
    }

    #[test]
    fn a_service_that_turns_everything_away_has_no_limit() {
        let check = RateLimit::default();
        let judged =
            |served| check.limited(flood(served), "flood").and_then(|flood| check.not_all_refused(flood));
        assert!(judged(1).is_ok() && judged(30).is_ok());
        assert!(judged(0).is_err_and(|fault| fault.status() == Status::Fail));
        assert!(judged(200).is_err_and(|fault| fault.status() == Status::Fail));
    }
}
