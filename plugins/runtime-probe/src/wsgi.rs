//! `wsgi`: do the parts keep to what PEP 3333 says?
//!
//! The harness plays the other side, a server for an application, and a server and an application for a middleware, and
//! notes every call; the rules are here. The standard library's validator (`wsgiref.validate`) is asked as well: it knows
//! rules that are not here, and lets pass what is.

use std::time::Duration;

use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::session::{self, Raised, SOURCE, Session};
use crate::trouble::{Trouble, cut, wrong};

/// The part of the harness for this check.
const HARNESS: &str = include_str!("../harness/wsgi.py");

/// How long request bodies are.
const LENGTHS: [u64; 4] = [0, 1, 70_001, 1 << 20];

/// Chunks of the application behind a middleware.
const CHUNKS: u64 = 10;

/// Headers that are the server's business (PEP 3333, "Other HTTP Features"; RFC 2616, section 13.5.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

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
        /// The folder in which modules are looked for, relative to the directory target.
        path: String = ".".to_owned(),
    }
}

impl Check for Wsgi {
    const ID: &'static str = "wsgi";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("WSGI: application and middleware", "WSGI：应用与中间件"),
            description: Text::new(
                "Calls your application as a server does, and your middleware between a server and an application, with the validator of the standard library on every side and with rules of its own: types, status and reason, headers, Content-Length, chunks that come one by one, `close()`, `write()`, an error after the start, two requests at once. The application has to give back the body of a POST, which comes in small pieces. Passes when all of it holds. It says nothing of the third part, the server, and it can not see one that sets out to deceive the harness in its own process.",
                "像服务器那样调用你的应用，把你的中间件放在服务器和应用之间，每一面都用标准库的验证器再加自己的规则检查：类型、状态和原因短语、头部、Content-Length、逐块到来的内容、`close()`、`write()`、开始之后的错误、两个请求交错进行。应用要能把 POST 的内容原样返回，内容是一小段一小段到的。全部成立才通过。它不判断第三个部分（服务器），在同一进程里存心欺骗检查程序的代码它也看不出来。",
            ),
            capabilities: session::capabilities(),
            typical: Duration::from_secs(5),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report =
            Report::new(Text::new("application and middleware keep to WSGI", "应用和中间件都遵守 WSGI"));
        let words =
            [context.generator().token(13), context.generator().token(17), context.generator().token(11)];
        let exam = Exam { check: self, context, words };
        let _ = exam.application(&mut report);
        let _ = exam.middleware(&mut report);
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

    fn middleware(&self, report: &mut Report) -> Option<()> {
        let piece = self.words[1].clone();
        let passes = self.open(&self.check.middleware).and_then(|mut session| {
            let seen = self.through(&mut session, "streams", false)?;
            self.passes_on(&seen)?;
            Ok((session, seen))
        });
        let (mut session, streamed) = report.judge("middleware-passes", Need::Must, passes, |_| {
            Text::new("the middleware calls what stands behind it", "中间件会调用它后面的应用")
        })?;
        let rules = response(&streamed, "GET").map_err(|rule| broken("middleware", "GET /", &rule));
        report.judge("middleware-rules", Need::Must, rules, |()| {
            Text::new("what comes out of it is as it must be", "它给出的回应符合规则")
        })?;
        report.judge("middleware-validator", Need::Must, self.both_sides(&mut session), |()| {
            Text::new("the validators on both sides have nothing to say", "两面的验证器都没有意见")
        })?;
        report.judge("middleware-streams", Need::Must, streams(&streamed), |()| {
            Text::new("chunks come one by one", "内容逐块通过")
        });
        report.judge("middleware-closes", Need::Must, closes(&streamed), |()| {
            Text::new("close() comes through, once", "close() 会传到里面，恰好一次")
        });
        let length = CHUNKS * piece.len() as u64;
        let whole = ask(&mut session, "digest", &json!({ "piece": piece, "length": length })).ok();
        // What changes bodies may change these, too; then there is nothing to compare.
        let leaves_bodies = whole.is_some() && streamed.get("digest") == whole.as_ref();
        for (kind, id, en, zh) in [
            (
                "writes",
                "middleware-write",
                "what is written by write() comes through",
                "write() 写出的内容会通过",
            ),
            (
                "starts-late",
                "middleware-late-start",
                "an application may start with its first chunk",
                "应用可以到第一块内容时才开始",
            ),
        ] {
            let outcome = self.through(&mut session, kind, false).and_then(|seen| {
                if let Some(error) = error(&seen) {
                    return Err(said("middleware", kind, &error));
                }
                if !leaves_bodies {
                    return Err(Fault::skip(Text::new(
                        "the middleware changes bodies: there is nothing to compare",
                        "这个中间件会改变内容：没有可比较的",
                    )));
                }
                if seen.get("digest") == whole.as_ref() { Ok(()) } else { Err(lost(kind, &seen)) }
            });
            report.judge(id, Need::Must, outcome, |()| Text::new(en, zh));
        }
        let error = self.through(&mut session, "fails", false).and_then(|seen| error_comes_through(&seen));
        report.judge("middleware-error", Need::Must, error, |()| {
            Text::new("exc_info comes through", "exc_info 会传出来")
        });
        Some(())
    }

    fn through(&self, session: &mut Session<'_, '_>, kind: &str, checked: bool) -> Result<Value, Fault> {
        let arguments = json!({ "kind": kind, "piece": self.words[1], "count": CHUNKS, "checked": checked });
        match session.ask("through", &arguments) {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(raised)) => Err(Trouble::NotLoaded(self.check.middleware.clone(), raised).fault()),
            Err(trouble) => Err(trouble.fault()),
        }
    }

    /// The middleware stands between: it calls the application, once, and is not the application.
    fn passes_on(&self, seen: &Value) -> Result<(), Fault> {
        let name = &self.check.middleware;
        if seen.get("callable") != Some(&Value::Bool(true)) {
            return Err(Fault::inconclusive(Text::new(
                format!("{name}(application) gives nothing that can be called"),
                format!("{name}(application) 返回的东西不能调用"),
            )));
        }
        if seen.get("same") == Some(&Value::Bool(true)) {
            let summary = Text::new(
                format!("{name} gives the application back as it is: there is no middleware"),
                format!("{name} 原样返回应用：没有中间件"),
            );
            let hint = Text::new("return an application around it", "返回一个包住它的应用");
            return Err(wrong("wsgi.nothing", summary.clone(), summary, hint));
        }
        match seen.get("called").and_then(Value::as_u64) {
            Some(1) => Ok(()),
            Some(0) => Err(Fault::inconclusive(Text::new(
                format!("{name} answers GET / by itself; bind one that passes it on"),
                format!("{name} 自己回答了 GET /；请绑定一个会往里传的中间件"),
            ))),
            calls => {
                let calls = calls.unwrap_or_default();
                let summary = Text::new(
                    format!("one request calls the application {calls} times"),
                    format!("一个请求调用了应用 {calls} 次"),
                );
                let hint = Text::new("call it once and hand on what it gives", "只调用一次，把结果传出去");
                Err(wrong("wsgi.middleware-calls", summary.clone(), summary, hint))
            }
        }
    }

    fn both_sides(&self, session: &mut Session<'_, '_>) -> Result<(), Fault> {
        for kind in ["streams", "writes", "starts-late"] {
            let seen = self.through(session, kind, true)?;
            if let Some(error) = error(&seen) {
                return Err(said("middleware", kind, &error));
            }
        }
        Ok(())
    }
}

fn ask(session: &mut Session<'_, '_>, operation: &str, arguments: &Value) -> Result<Value, Fault> {
    session.value(operation, arguments).map_err(|trouble| trouble.fault())
}

/// The exception that came out.
fn error(seen: &Value) -> Option<Raised> {
    let error = seen.get("error").filter(|error| !error.is_null())?;
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Raised { class: text("type")?, text: text("text")?, place: text("place") })
}

/// The last start of a response.
fn start(seen: &Value) -> Option<&Value> {
    seen.get("starts")?.as_array()?.last()
}

fn status(seen: &Value) -> Option<&str> {
    start(seen)?.get("status")?.as_str()
}

/// The control: what was asked for is there.
fn answered(seen: &Value, path: &str) -> Result<(), Fault> {
    if let Some(error) = error(seen) {
        let line = cut(&error.line());
        return Err(Fault::inconclusive(Text::new(
            format!("{path} raises {line}"),
            format!("{path} 抛出 {line}"),
        )));
    }
    match status(seen) {
        Some(status) if status.starts_with('4') || status.starts_with('5') => {
            Err(Fault::inconclusive(Text::new(
                format!(
                    "{path} answers {status}; say which paths there are: with = {{ page = \"/\", echo = \"/echo\" }}"
                ),
                format!("{path} 返回 {status}；请写明路径：with = {{ page = \"/\", echo = \"/echo\" }}"),
            )))
        }
        _ => Ok(()),
    }
}

/// What is wrong with a response, in both languages.
fn response(seen: &Value, method: &str) -> Result<(), Text> {
    let no = |en: &str, zh: &str| Err(Text::new(en, zh));
    if let Some(error) = error(seen) {
        let line = cut(&error.line());
        return Err(Text::new(format!("it raises {line}"), format!("它抛出 {line}")));
    }
    let starts = seen.get("starts").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_plain = |start: &&Value| start.get("exception") != Some(&Value::Bool(true));
    let Some(start) = starts.last() else {
        return no("start_response is not called", "没有调用 start_response");
    };
    if starts.iter().filter(is_plain).count() > 1 {
        return no(
            "start_response is called twice without exc_info",
            "没有 exc_info 却调用了两次 start_response",
        );
    }
    let Some(status) = start.get("status").and_then(Value::as_str) else {
        return no("the status is no str", "状态不是 str");
    };
    let (code, reason) = status.split_at(status.len().min(3));
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    if !is_code || !reason.starts_with(' ') || reason.trim().is_empty() {
        return Err(Text::new(
            format!("the status {status:?} is not three digits, a space and a reason"),
            format!("状态 {status:?} 不是“三位数字、空格、原因短语”"),
        ));
    }
    if start.get("list") != Some(&Value::Bool(true)) {
        return no("the headers are no list", "头部不是 list");
    }
    let mut has_type = false;
    let mut length = None;
    for header in start.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let (Some(name), Some(value)) = (header[0].as_str(), header[1].as_str()) else {
            return no("a header is no tuple of two str", "有头部不是两个 str 的元组");
        };
        let lower = name.to_ascii_lowercase();
        if HOP_BY_HOP.contains(&lower.as_str()) {
            return Err(Text::new(
                format!("{name} is a hop-by-hop header: that is the server's business"),
                format!("{name} 是逐跳头部：那是服务器的事"),
            ));
        }
        if value.chars().any(char::is_control) || name.is_empty() || name.contains([':', ' ', '\n']) {
            return Err(Text::new(
                format!("the header {name:?} has characters that do not belong there"),
                format!("头部 {name:?} 里有不该有的字符"),
            ));
        }
        has_type |= lower == "content-type";
        if lower == "content-length" {
            length = Some(value.parse::<u64>().ok());
        }
    }
    let has_no_body = code == "204" || code == "304";
    if !has_type && !has_no_body {
        return no("there is no Content-Type", "没有 Content-Type");
    }
    let iterable = seen.get("iterable").and_then(Value::as_str).unwrap_or_default();
    if ["str", "bytes", "bytearray"].contains(&iterable) {
        return Err(Text::new(
            format!("it returns bare {iterable}, which is sent letter by letter: put it into a list"),
            format!("它直接返回 {iterable}，会被逐个字符发送：请放进列表里"),
        ));
    }
    if let Some(kind) = seen.get("other").and_then(Value::as_array).and_then(|kinds| kinds.first()?.as_str())
    {
        return Err(Text::new(
            format!("a chunk is {kind}, not bytes"),
            format!("有一块内容是 {kind}，不是 bytes"),
        ));
    }
    if seen.get("early") != Some(&Value::Bool(false)) {
        return no("a chunk comes before start_response was called", "还没调用 start_response 就给出了内容");
    }
    let sent = seen.get("length").and_then(Value::as_u64).unwrap_or_default();
    match length {
        Some(said) if method != "HEAD" && said != Some(sent) => Err(Text::new(
            format!("Content-Length does not say {sent}, which is what comes"),
            format!("Content-Length 与实际的 {sent} 字节不符"),
        )),
        _ => Ok(()),
    }
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

/// The k-th chunk is there before more than one further was made.
fn streams(seen: &Value) -> Result<(), Fault> {
    let at_receipt: Vec<u64> = seen
        .get("at_receipt")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    let first_late = at_receipt.iter().zip(1..).find(|(pulled, place)| **pulled > place + 1);
    if at_receipt.is_empty() || first_late.is_some() {
        let pulled = first_late.map_or(CHUNKS, |(pulled, _)| *pulled);
        return Err(wrong(
            "wsgi.middleware-streams",
            Text::new(
                format!("{pulled} chunks were made before an earlier one came out: it collects them"),
                format!("里面已经产生了 {pulled} 块，前面的还没出来：它把内容攒起来了"),
            ),
            Text::new(
                format!("how many chunks the application had made when each came out: {at_receipt:?}"),
                format!("每一块出来的时候，应用已经产生的块数：{at_receipt:?}"),
            ),
            Text::new("yield each chunk as it comes; join nothing", "来一块就 yield 一块，不要拼接"),
        ));
    }
    Ok(())
}

fn closes(seen: &Value) -> Result<(), Fault> {
    match seen.get("closed").and_then(Value::as_u64) {
        Some(1) => Ok(()),
        closed => {
            let closed = closed.unwrap_or_default();
            let summary = Text::new(
                format!("close() of the application's result is called {closed} times, not once"),
                format!("应用返回对象的 close() 被调用了 {closed} 次，应当恰好一次"),
            );
            let hint = Text::new(
                "return an iterable with a close() that calls the inner one, if it has any; a generator with try … finally will do",
                "返回带 close() 的可迭代对象，里面有 close() 就调用它；用 try … finally 的生成器也可以",
            );
            Err(wrong("wsgi.middleware-closes", summary.clone(), summary, hint))
        }
    }
}

fn error_comes_through(seen: &Value) -> Result<(), Fault> {
    if let Some(error) = error(seen) {
        return Err(said("middleware", "an error after the start", &error));
    }
    let is_told = start(seen).and_then(|start| start.get("exception")) == Some(&Value::Bool(true));
    if is_told && status(seen).is_some_and(|status| status.starts_with("500")) {
        return Ok(());
    }
    let summary = Text::new(
        "an application that starts again with exc_info does not get through",
        "应用带 exc_info 再次开始时，没有传出来",
    );
    let hint = Text::new(
        "your start_response takes exc_info=None and passes it on",
        "你的 start_response 要接受 exc_info=None 并传下去",
    );
    Err(wrong("wsgi.middleware-error", summary.clone(), summary, hint))
}

fn lost(kind: &str, seen: &Value) -> Fault {
    let came = seen.get("length").and_then(Value::as_u64).unwrap_or_default();
    let summary = match kind {
        "writes" => Text::new(
            format!("what the application writes by write() is lost: {came} bytes come"),
            format!("应用用 write() 写的内容丢了：只到了 {came} 字节"),
        ),
        _ => Text::new(
            format!("of an application that starts with its first chunk {came} bytes come"),
            format!("应用到第一块才开始时，只到了 {came} 字节"),
        ),
    };
    let hint = Text::new(
        "return the write() that the server's start_response gave you, and wait for the first chunk before you look at the status",
        "把服务器 start_response 返回的 write() 交给应用；看状态之前先等第一块内容",
    );
    wrong("wsgi.middleware-lost", summary.clone(), summary, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: &str, headers: &Value, other: &Value) -> Value {
        let mut seen = json!({
            "starts": [{ "status": status, "list": true, "headers": headers, "exception": false }],
            "other": [], "iterable": "list", "early": false, "error": null, "length": 5,
        });
        for (name, value) in other.as_object().unwrap() {
            seen[name] = value.clone();
        }
        seen
    }

    #[track_caller]
    fn expect(seen: &Value, words: &str) {
        let rule = response(seen, "GET").unwrap_err();
        assert!(rule.en.contains(words), "{rule:?}");
    }

    #[test]
    fn a_response_keeps_every_rule() {
        let plain = json!([["Content-Type", "text/plain"], ["Content-Length", "5"]]);
        assert_eq!(response(&seen("200 OK", &plain, &json!({})), "GET"), Ok(()));
        expect(&seen("200", &plain, &json!({})), "three digits");
        expect(&seen("200 OK", &json!([["Content-Length", "5"]]), &json!({})), "no Content-Type");
        expect(&seen("200 OK", &json!([null]), &json!({})), "no tuple");
        let hop = json!([["Content-Type", "text/plain"], ["Connection", "close"]]);
        expect(&seen("200 OK", &hop, &json!({})), "hop-by-hop");
        expect(&seen("200 OK", &plain, &json!({ "length": 6 })), "Content-Length");
        expect(&seen("200 OK", &plain, &json!({ "other": ["str"] })), "not bytes");
        expect(&seen("200 OK", &plain, &json!({ "iterable": "bytes" })), "bare bytes");
        expect(&seen("200 OK", &plain, &json!({ "early": true })), "before start_response");
        expect(&seen("200 OK", &plain, &json!({ "starts": [] })), "not called");
    }

    #[test]
    fn chunks_that_are_collected_come_too_late() {
        let at = |places: [u64; 3]| json!({ "at_receipt": places });
        assert!(streams(&at([1, 2, 3])).is_ok() && streams(&at([2, 3, 3])).is_ok());
        assert!(streams(&at([10, 10, 10])).is_err() && streams(&json!({ "at_receipt": [] })).is_err());
    }
}
