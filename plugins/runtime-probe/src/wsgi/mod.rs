//! `wsgi`: do the parts keep to what PEP 3333 says?
//!
//! The harness plays the other side, a server for an application, and a server and an application for a middleware, and
//! notes every call; the rules are here. The standard library's validator (`wsgiref.validate`) is asked as well: it knows
//! rules that are not here, and lets pass what is.

mod http;
mod middleware;
mod response;
mod server;

use std::time::Duration;

use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::session::{self, Raised, SOURCE, Session};
use crate::trouble::{Trouble, cut, wrong};
use response::{answered, error, response};

/// The part of the harness for this check.
const HARNESS: &str = include_str!("../../harness/wsgi.py");

/// How long request bodies are.
const LENGTHS: [u64; 4] = [0, 1, 70_001, 1 << 20];

parameters! {
    /// Which parts to look at.
    pub struct Wsgi {
        /// The application, as `module:name`.
        app: String = "app:application".to_owned(),
        /// The middleware, as `module:name`: it is called with an application and returns one.
        middleware: String = "middleware:Middleware".to_owned(),
        /// A path of the application that answers GET.
        page: String = "/".to_owned(),
        /// A path of the application that answers POST with the body it got.
        echo: String = "/echo".to_owned(),
        /// What the interpreter is given to start a WSGI server of your own, as in `["server.py", "{app}", "{port}"]`: `{app}`
        /// becomes `module:name` of an application in the folder `path`, `{port}` a port of 127.0.0.1. Empty: it is left out.
        server: Vec<String> = Vec::new(),
        /// The folder in which modules are looked for, relative to the directory target.
        path: String = ".".to_owned(),
    }
}

impl Check for Wsgi {
    const ID: &'static str = "wsgi";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("WSGI: application, middleware, server", "WSGI：应用、中间件与服务器"),
            description: Text::new(
                "Calls your application as a server does, and your middleware between a server and an application, with the validator of the standard library on every side and with rules of its own: types, status and reason, headers, Content-Length, chunks that come one by one, `close()`, `write()`, an error after the start, two requests at once. The application has to give back the body of a POST, which comes in small pieces. Where you name a server of your own, it is started with an application of the check's and spoken to byte by byte: what it puts into environ, bodies that come in pieces, chunks that go out at once, the framing, errors, `close()`. Passes when all of it holds; without a server the pass says nothing of that third part. It can not see code that sets out to deceive it in its own process.",
                "像服务器那样调用你的应用，把你的中间件放在服务器和应用之间，每一面都用标准库的验证器再加自己的规则检查：类型、状态和原因短语、头部、Content-Length、逐块到来的内容、`close()`、`write()`、开始之后的错误、两个请求交错进行。应用要能把 POST 的内容原样返回，内容是一小段一小段到的。如果你写明了自己的服务器，就用检查自带的应用启动它，逐字节对话：它放进 environ 的内容、分段到来的正文、立刻发出的分块、报文格式、出错时的表现、`close()`。全部成立才通过；没有写明服务器时，通过并不说明这第三个部分。在同一进程里存心欺骗检查程序的代码它看不出来。",
            ),
            capabilities: session::capabilities(),
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(if self.server.is_empty() {
            Text::new("application and middleware keep to WSGI", "应用和中间件都遵守 WSGI")
        } else {
            Text::new("application, middleware and server keep to WSGI", "应用、中间件和服务器都遵守 WSGI")
        });
        let words =
            [context.generator().token(13), context.generator().token(17), context.generator().token(11)];
        let exam = Exam { check: self, context, words };
        let _ = exam.application(&mut report);
        let _ = exam.middleware(&mut report);
        let _ = exam.server(&mut report);
        report
    }
}

/// One run of the check.
struct Exam<'a, 'host> {
    check: &'a Wsgi,
    context: &'a Context<'host>,
    words: [String; 3],
}

impl<'a, 'host> Exam<'a, 'host> {
    fn open(&self, name: &str) -> Result<Session<'a, 'host>, Fault> {
        let folder = self.context.scratch(Some(SOURCE))?;
        Session::load(self.context, &folder, HARNESS, (name, &self.check.path))
    }

    fn application(&self, report: &mut Report) -> Option<()> {
        let session = self.open(&self.check.app).and_then(|mut session| {
            let page = ask(&mut session, "request", &self.request("GET", &self.check.page, 0, false))?;
            answered(&page, &self.check.page)?;
            Ok(session)
        });
        let mut session = report.judge("app-answers", Need::Must, session, |_| {
            Text::new("the application answers", "应用有回应")
        })?;
        report.judge("app-rules", Need::Must, self.rules(&mut session), |()| {
            Text::new("status, headers and body are as they must be", "状态、头部和内容都符合规则")
        })?;
        report.judge("app-validator", Need::Must, self.validated(&mut session), |()| {
            Text::new("the validator has nothing to say", "验证器没有意见")
        })?;
        report.judge("app-input", Need::Must, self.input(&mut session), |()| {
            Text::new("it reads a body to its end, however it comes", "无论内容怎样到来，都读到结尾")
        })?;
        report.judge("app-requests", Need::Must, self.requests(&mut session), |()| {
            Text::new("two requests at once keep their own state", "两个请求交错进行，状态互不影响")
        })?;
        Some(())
    }

    fn request(&self, method: &str, path: &str, length: u64, checked: bool) -> Value {
        json!({ "method": method, "path": path, "piece": self.words[0], "length": length, "checked": checked })
    }

    fn rules(&self, session: &mut Session<'_, '_>) -> Result<(), Fault> {
        let Wsgi { page, echo, .. } = self.check;
        for (method, path, length) in [("GET", page, 0), ("HEAD", page, 0), ("POST", echo, 5_000)] {
            let seen = ask(session, "request", &self.request(method, path, length, false))?;
            if let Err(rule) = response(&seen, method) {
                return Err(broken("app", &format!("{method} {path}"), &rule));
            }
        }
        Ok(())
    }

    fn validated(&self, session: &mut Session<'_, '_>) -> Result<(), Fault> {
        let Wsgi { page, echo, .. } = self.check;
        for (method, path, length) in
            [("GET", page, 0), ("HEAD", page, 0), ("POST", echo, 0), ("POST", echo, 5_000)]
        {
            let seen = ask(session, "request", &self.request(method, path, length, true))?;
            if let Some(error) = error(&seen) {
                return Err(said("app", &format!("{method} {path}"), &error));
            }
        }
        Ok(())
    }

    fn input(&self, session: &mut Session<'_, '_>) -> Result<(), Fault> {
        let echo = &self.check.echo;
        for length in LENGTHS {
            let seen = ask(session, "request", &self.request("POST", echo, length, false))?;
            answered(&seen, echo)?;
            let own = ask(session, "digest", &json!({ "piece": self.words[0], "length": length }))?;
            if seen.get("digest") != Some(&own) {
                return Err(other_body(echo, length, &seen));
            }
        }
        Ok(())
    }

    fn requests(&self, session: &mut Session<'_, '_>) -> Result<(), Fault> {
        let arguments = json!({ "path": self.check.echo, "pieces": self.words, "length": 5_000 });
        let every = ask(session, "interleaved", &arguments)?;
        let every = every.as_array().filter(|every| every.len() == self.words.len());
        let every = every.ok_or_else(|| Trouble::Foreign("no answers".to_owned()).fault())?;
        for (seen, piece) in every.iter().zip(&self.words) {
            let own = ask(session, "digest", &json!({ "piece": piece, "length": 5_000 }))?;
            if error(seen).is_some() || seen.get("digest") != Some(&own) {
                return Err(wrong(
                    "wsgi.app-state",
                    Text::new(
                        "of requests that run at once, one does not get its own body back",
                        "几个请求交错进行时，有一个没有拿回自己的内容",
                    ),
                    Text::new(
                        format!(
                            "{} requests to {} were begun, and then read in turns",
                            self.words.len(),
                            self.check.echo
                        ),
                        format!("向 {} 发起 {} 个请求，然后轮流读取", self.check.echo, self.words.len()),
                    ),
                    Text::new(
                        "keep what belongs to a request in local variables or in environ, not on the application",
                        "属于一个请求的东西放在局部变量或 environ 里，不要放在应用对象上",
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn ask(session: &mut Session<'_, '_>, operation: &str, arguments: &Value) -> Result<Value, Fault> {
    session.value(operation, arguments).map_err(|trouble| trouble.fault())
}

fn broken(part: &str, request: &str, rule: &Text) -> Fault {
    let message = Text::new(format!("{request}: {}", rule.en), format!("{request}：{}", rule.zh));
    let hint = Text::new(
        "PEP 3333, \"The Application/Framework Side\" and \"The start_response() Callable\"",
        "见 PEP 3333 的 “The Application/Framework Side” 和 “The start_response() Callable”",
    );
    wrong(&format!("wsgi.{part}-rules"), message.clone(), message, hint)
}

fn said(part: &str, request: &str, error: &Raised) -> Fault {
    let line = cut(&error.line());
    let summary =
        Text::new(format!("{request}: the validator says {line}"), format!("{request}：验证器说 {line}"));
    let hint = Text::new(
        "wrap it in wsgiref.validate.validator and call it yourself, with -W error",
        "用 wsgiref.validate.validator 包住它，加上 -W error 自己调用一次",
    );
    wrong(&format!("wsgi.{part}-validator"), summary.clone(), summary, hint)
}

fn other_body(echo: &str, length: u64, seen: &Value) -> Fault {
    let came = seen.get("length").and_then(Value::as_u64).unwrap_or_default();
    wrong(
        "wsgi.app-input",
        Text::new(
            format!("of {length} bytes that {echo} was sent it gives back {came}, or others"),
            format!("发给 {echo} {length} 字节，返回的是 {came} 字节或别的内容"),
        ),
        Text::new(
            "wsgi.input gives a part at a time, as a socket does",
            "wsgi.input 每次只给一部分，和套接字一样",
        ),
        Text::new(
            "read until CONTENT_LENGTH bytes are there: read(n) may give less than n",
            "一直读到够 CONTENT_LENGTH 字节：read(n) 给的可能比 n 少",
        ),
    )
}
