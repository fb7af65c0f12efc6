//! `production-server`: is the service run by a server that is made for it?

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::http::{Client, Options, Request, Response};
use mustdo_plugin::process::{Signal, without};
use mustdo_plugin::service::{Advice, Crowd, Served, TARGET, excerpt, line_of, place_of, refused, unharmed};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text, parameters,
};

use crate::debugging::{advice, development_server, trace};
use crate::wire::Peer;

const ADVICE: Advice =
    Advice { item: "perf.python.flask", with: "path = \"/health\"\nerror_path = \"/broken\"" };

/// Requests sent at once.
const AT_ONCE: u32 = 50;

/// Requests one after the other, before and beside the slow clients.
const CALLS: u32 = 20;

/// Requests that run while the server is asked to stop: as many as a small set of workers takes at once. What still waits
/// in the listen queue does not run, and a server may drop it.
const RUNNING: usize = 4;

/// From the request to the signal: long enough to be taken, short enough to be still running.
const UNDER_WAY: Duration = Duration::from_millis(150);

/// How long a server may take to come up again.
const RESTART: Duration = Duration::from_secs(15);

parameters! {
    /// Where the service answers, and where it fails.
    pub struct ProductionServer {
        /// A path that answers GET with 200.
        path: String = "/".to_owned(),
        /// A path whose handler raises an exception, to see what strangers are shown. Without it only pages that are not there are looked at.
        error_path: Option<String> = None,
        /// A path that takes half a second or more to answer GET with 200, for the graceful stop. Without it `path` is taken, and what is over at once shows nothing.
        slow_path: Option<String> = None,
        /// Clients that send a byte now and then.
        #[range(1..=200)]
        slow_clients: u32 = 20,
        /// Headers of every request, such as credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl Check for ProductionServer {
    const ID: &'static str = "production-server";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Served by a production server", "由生产级服务器运行"),
            description: Text::new(
                "Looks for development servers, debuggers and tracebacks; sends 50 requests at once; holds slow clients while ordinary ones are served; and, where it may, asks the server to stop while requests run: all must be answered. A good answer names no development server and shows strangers nothing of the inside.",
                "查找开发服务器、调试器和堆栈信息；同时发 50 个请求；在慢客户端挂着时看普通请求是否照常；如果允许，在请求执行中要求服务器停止，所有请求都应得到回应。合格的回应不出现开发服务器的名字，也不让陌生人看到程序内部。",
            ),
            capabilities: vec![
                crate::ask(),
                crate::speak(),
                CapabilityRequest {
                    capability: Capability::Process(TARGET.to_owned()),
                    reason: "to ask your server to stop while requests run, see that all are answered, and start it again".to_owned(),
                    required: false,
                },
            ],
            typical: Duration::from_secs(12),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report =
            Report::new(Text::new("it is served as for production", "它是按生产环境的要求运行的"));
        // Where it stopped is in the report.
        let _ = self.judge(context, &mut report);
        report
    }
}

impl ProductionServer {
    fn judge(&self, context: &mut Context<'_>, report: &mut Report) -> Option<()> {
        let opened = context.http(TARGET, &Options::default()).map_err(Fault::from);
        let outcome = opened.and_then(|client| {
            let request = self.request(&self.path);
            let answer = client.send(&request)?;
            if answer.is_success() { Ok((client, answer)) } else { Err(refused(&request, &answer, ADVICE)) }
        });
        let (client, page) = report.judge("page", Need::Must, outcome, |(_, page)| {
            Text::new(
                format!("GET {} answered {}", self.path, page.status),
                format!("GET {} 返回 {}", self.path, page.status),
            )
        })?;
        report.judge("server", Need::Must, self.server(&page), |server| Text::same(server.clone()));
        report.judge("nothing-inside", Need::Must, self.nothing_inside(context, &client), |count| {
            Text::new(
                format!("{count} pages show nothing of the inside"),
                format!("{count} 个页面没有暴露内部信息"),
            )
        });
        report.judge("at-once", Need::Must, self.at_once(&client, &page), |()| {
            Text::new(
                format!("{AT_ONCE} of {AT_ONCE} requests sent at once were answered"),
                format!("同时发送的 {AT_ONCE} 个请求全部得到回应"),
            )
        });
        let outcome = self.beside_slow_clients(context, &client, &page);
        report.judge("slow-clients", Need::Must, outcome, |(held, during)| {
            Text::new(
                format!("beside {held} slow clients, 95 of 100 requests took up to {:.0} ms", during.p95()),
                format!("{held} 个慢客户端挂着时，95% 的请求在 {:.0} 毫秒内得到回应", during.p95()),
            )
        });
        let outcome = self.graceful(context);
        report.judge("graceful-stop", Need::Must, outcome, |()| {
            Text::new("asked to stop, it answered what was running", "要求停止时，正在执行的请求都得到了回应")
        });
        Some(())
    }

    fn request(&self, path: &str) -> Request {
        self.headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, value))
    }

    fn server(&self, page: &Response) -> Result<String, Fault> {
        let request = self.request(&self.path);
        match development_server(page) {
            None => Ok(page.header("server").unwrap_or("Server is not named").to_owned()),
            Some(what) => {
                let name = page.header("server").unwrap_or_default();
                let message = Text::new(
                    format!(
                        "{} was answered with `Server: {name}`: {what}. It is slow, serves few at a time and was never hardened",
                        line_of(&request)
                    ),
                    format!(
                        "{} 的回应里有 `Server: {name}`：{what}。它慢、并发能力差，也没有经过安全加固",
                        line_of(&request)
                    ),
                );
                let summary =
                    Text::new(format!("it is served by {what}"), format!("它由开发服务器运行：{what}"));
                let finding = Finding::new(Severity::Problem, "http-api.development-server", message)
                    .at(place_of(&request))
                    .hint(advice());
                Err(Fault::fail(summary).with(finding))
            }
        }
    }

    /// Pages that a debugger would answer, one that does not exist, and the one that fails.
    fn nothing_inside(&self, context: &mut Context<'_>, client: &Client) -> Result<usize, Fault> {
        let missing = format!("/{}", context.generator().token(12));
        let mut paths =
            vec!["/console".to_owned(), "/?__debugger__=yes&cmd=resource&f=debugger.js".to_owned(), missing];
        paths.extend(self.error_path.clone());
        for path in &paths {
            let request = self.request(path);
            let answer = client.send(&request)?;
            if self.error_path.as_ref() == Some(path) && answer.status < 500 {
                return Err(Fault::inconclusive(Text::new(
                    format!(
                        "{} was answered {}, so nothing failed there; name a path that raises as `error_path`",
                        line_of(&request),
                        answer.status
                    ),
                    format!(
                        "{} 返回 {}，那里并没有出错；请用 `error_path` 写一个会抛异常的路径",
                        line_of(&request),
                        answer.status
                    ),
                )));
            }
            if let Some(what) = trace(&answer) {
                let summary =
                    Text::new(format!("strangers are shown {what}"), format!("陌生人能看到程序内部：{what}"));
                let message = Text::new(
                    format!(
                        "{} was answered {} with {what}: {}. It tells paths, versions and values; a debugger even runs what a stranger types",
                        line_of(&request),
                        answer.status,
                        excerpt(&answer.body)
                    ),
                    format!(
                        "{} 返回 {}，其中有{what}：{}。它会泄露路径、版本和变量，调试器甚至能执行陌生人输入的代码",
                        line_of(&request),
                        answer.status,
                        excerpt(&answer.body)
                    ),
                );
                let finding = Finding::new(Severity::Problem, "http-api.inside-shown", message)
                    .at(place_of(&request))
                    .hint(advice());
                return Err(Fault::fail(summary).with(finding));
            }
        }
        Ok(paths.len())
    }

    fn at_once(&self, client: &Client, page: &Response) -> Result<(), Fault> {
        let request = self.request(&self.path);
        let answers = client.send_all(&vec![request.clone(); AT_ONCE as usize], AT_ONCE)?;
        let missed: Vec<String> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                Ok(answer) if answer.status == page.status => None,
                Ok(answer) => Some(answer.status.to_string()),
                Err(failure) => Some(failure.explain().en),
            })
            .collect();
        let Some(first) = missed.first() else { return Ok(()) };
        let count = missed.len();
        Err(Fault::fail(Text::new(
            format!("of {AT_ONCE} requests sent at once, {count} were not answered {}: {first}", page.status),
            format!("同时发送的 {AT_ONCE} 个请求里，有 {count} 个没有返回 {}：{first}", page.status),
        )))
    }

    fn beside_slow_clients(
        &self,
        context: &Context<'_>,
        client: &Client,
        page: &Response,
    ) -> Result<(usize, Served), Fault> {
        let request = self.request(&self.path);
        let calls =
            |between: &mut dyn FnMut()| Served::ask(context, client, &request, page.status, CALLS, between);
        let before = calls(&mut || {});
        if before.missed > 0 {
            return Err(Fault::inconclusive(Text::new(
                "requests are not served steadily even without slow clients",
                "没有慢客户端时，请求也不能稳定得到回应",
            )));
        }
        let beginning = format!("GET {} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", self.path);
        let mut crowd = Crowd::gather(context, self.slow_clients, 0, beginning.as_bytes(), b"a")?;
        let during = calls(&mut || crowd.dribble(context));
        let held = crowd.most();
        let beside = Text::new(format!("{held} slow clients"), format!(" {held} 个慢客户端"));
        unharmed(&before, &during, "http-api.slow-clients", &beside)?;
        Ok((held, during))
    }

    /// SIGTERM while requests run: they are answered, and then the server ends.
    fn graceful(&self, context: &Context<'_>) -> Result<(), Fault> {
        let what = Text::new("stopping the server while requests run", "在请求执行中停止服务器");
        let server = context.attached(TARGET).map_err(|failure| without(&what, &failure))?;
        let path = self.slow_path.as_ref().ok_or_else(|| {
            Fault::skip(Text::new(
                "not tried: name a path that takes half a second to answer as `slow_path`",
                "没有试：请用 `slow_path` 写一个需要半秒才回应的路径",
            ))
        })?;
        // nginx keeps SIGTERM for the fast stop; its graceful one is SIGQUIT.
        if server.tree()?.iter().any(|process| process.command.contains("nginx")) {
            return Err(Fault::skip(Text::new(
                "not tried: nginx drops what runs on SIGTERM, as it says; bind the server behind it to judge that one",
                "没有试：nginx 收到 SIGTERM 会立即停止，这是它的约定；请绑定它后面的服务器",
            )));
        }
        let mut headers = String::new();
        for (name, value) in &self.headers {
            headers.extend([name, ": ", value, "\r\n"]);
        }
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        let mut peers = Vec::new();
        for _ in 0..RUNNING {
            let peer = Peer::open(context)?;
            peer.send(&bytes)?;
            peers.push(peer);
        }
        context.sleep(UNDER_WAY);
        let stopped = server.signal(Signal::Terminate).map_err(|failure| without(&what, &failure));
        let answers: Vec<_> = peers.iter_mut().map(|peer| peer.answer(context, "GET")).collect();
        let again = context.restart(TARGET, RESTART);
        stopped?;
        let missed = answers.iter().find_map(|answer| match answer {
            Ok(answer) if answer.is_success() => None,
            Ok(answer) => Some(answer.told()),
            Err(broken) => Some(broken.told()),
        });
        again.map_err(|failure| without(&what, &failure))?;
        let Some(missed) = missed else { return Ok(()) };
        let complete = answers
            .iter()
            .filter(|answer| answer.as_ref().is_ok_and(crate::wire::Answer::is_success))
            .count();
        let summary = Text::new(
            format!(
                "asked to stop (SIGTERM), it dropped {} of {RUNNING} running requests",
                RUNNING - complete
            ),
            format!("收到停止信号（SIGTERM）时，{RUNNING} 个正在执行的请求丢了 {} 个", RUNNING - complete),
        );
        let message = Text::new(
            format!(
                "sent {RUNNING} times GET {path}, then SIGTERM after {} ms; {complete} were answered, the first other one: {missed}",
                UNDER_WAY.as_millis()
            ),
            format!(
                "发送 {RUNNING} 次 GET {path}，{} 毫秒后发 SIGTERM；{complete} 个得到回应，其余的第一个：{missed}",
                UNDER_WAY.as_millis()
            ),
        );
        let hint = Text::new(
            "on SIGTERM stop taking connections, finish what runs, then exit; gunicorn and uvicorn do so",
            "收到 SIGTERM 后不再接受连接，做完手上的请求再退出；gunicorn 和 uvicorn 都是这样",
        );
        let finding = Finding::new(Severity::Problem, "http-api.dropped", message).hint(hint);
        Err(Fault::fail(summary).with(finding))
    }
}
