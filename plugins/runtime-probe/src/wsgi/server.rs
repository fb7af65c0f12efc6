//! The server: the learner's own, started with an application of the plugin's, and spoken to byte by byte.
//!
//! The harness is the client, in an interpreter of its own; what the bytes mean is decided here. The application tells what
//! the server gave it, and runs in the server's process: one that sets out to deceive could answer in its place.

use std::time::Duration;

use mustdo_plugin::process::{Command, Signal};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::{self, Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Failure, Fault, Report, Text};

use super::http::Answer;
use super::{Exam, ask, wrong};
use crate::conversation::Conversation;
use crate::session::{PYTHON, SOURCE, Session};
use crate::trouble::{Trouble, cut};

/// The client's part of the harness, and the application that is served.
const HARNESS: &str = include_str!("../../harness/wsgi_client.py");
const SERVED: &str = include_str!("../../harness/wsgi_served.py");

/// How long a server may take to its first answer, and how often it is tried.
const START: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);

/// How long request bodies are.
const LENGTHS: [usize; 3] = [0, 1, 70_001];

/// The server with an application of ours in it.
struct Served<'a, 'host> {
    client: Session<'a, 'host>,
    folder: Workspace<'host>,
    /// Where files of the application are, before the dot.
    files: String,
    port: u64,
    word: String,
}

/// One request.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    what: &'a str,
    headers: &'a str,
    body: &'a [u8],
}

impl Asked<'_> {
    fn get(what: &str) -> Asked<'_> {
        Asked { method: "GET", path: "/", what, headers: "", body: b"" }
    }

    /// `GET /?do=streams`.
    fn line(&self) -> String {
        format!("{} {}?do={}", self.method, self.path, self.what)
    }
}

impl Exam<'_, '_> {
    pub(super) fn server(&self, report: &mut Report) -> Option<()> {
        if self.check.server.is_empty() {
            let skipped = Fault::skip(Text::new(
                "not tried: no server of your own is bound; with = { server = [\"server.py\", \"{app}\", \"{port}\"] }",
                "没有试：没有绑定你自己的服务器；with = { server = [\"server.py\", \"{app}\", \"{port}\"] }",
            ));
            report.judge("server", Need::Should, Err::<(), _>(skipped), |()| Text::same(""));
            return None;
        }
        let started = self.start();
        let (mut at_work, child) = report.judge("server", Need::Must, started, |_| {
            Text::new("the server answers, and the application is behind it", "服务器有回应，应用在它后面")
        })?;
        let environ = at_work.environ();
        report.judge("server-environ", Need::Must, environ, |()| {
            Text::new("environ has what PEP 3333 asks for", "environ 里有 PEP 3333 要求的一切")
        });
        report.judge("server-input", Need::Must, at_work.input(), |()| {
            Text::new("a body arrives whole, however it comes", "无论内容怎样到来，都完整到达应用")
        });
        report.judge("server-output", Need::Must, at_work.output(), |()| {
            Text::new(
                "what the application gives goes out at once, and framed right",
                "应用给出的内容立刻发出，格式正确",
            )
        });
        report.judge("server-errors", Need::Must, at_work.errors(), |()| {
            Text::new(
                "errors of the application are told, and survived",
                "应用出错时会如实告知，服务器照常运行",
            )
        });
        report.judge("server-closes", Need::Must, at_work.closes(), |()| {
            Text::new("close() is called once, also after an error", "close() 恰好调用一次，出错之后也一样")
        });
        child.signal(Signal::Kill);
        Some(())
    }

    fn start(&self) -> Result<(Served<'_, '_>, Conversation<'_, '_>), Fault> {
        let given = |part: &str| self.check.server.iter().any(|argument| argument.contains(part));
        if !given("{app}") || !given("{port}") {
            return Err(Fault::inconclusive(Text::new(
                "the server has to be told what to serve and where: server = [\"server.py\", \"{app}\", \"{port}\"]",
                "要告诉服务器运行哪个应用、用哪个端口：server = [\"server.py\", \"{app}\", \"{port}\"]",
            )));
        }
        let word = self.words[2].clone();
        let module = format!("served_{word}");
        let folder = self.context.scratch(Some(SOURCE))?;
        let path = self.check.path.trim_start_matches("./").trim_matches(['/', '.']);
        let inside = if path.is_empty() { String::new() } else { format!("{path}/") };
        let source = SERVED.replace("WORD_OF_THE_RUN", &word);
        folder.write(&format!("{inside}{module}.py"), source.as_bytes())?;
        let mut client = Session::open(self.context, &folder, HARNESS).map_err(|trouble| trouble.fault())?;
        let port = ask(&mut client, "free_port", &json!({}))?.as_u64().unwrap_or_default();
        let filled = |argument: &String| {
            argument.replace("{app}", &format!("{module}:application")).replace("{port}", &port.to_string())
        };
        let command = self.check.server.iter().map(filled).fold(Command::new(PYTHON), Command::argument);
        let child = folder.start(&command).map_err(|failure| Trouble::Host(failure).fault())?;
        let mut program = Conversation::new(self.context, child);
        let mut served = Served { client, folder, files: format!("{inside}{word}"), port, word };
        let end = self.context.monotonic() + START;
        loop {
            if let Some(answer) = served.send(&Asked::get("length"))? {
                let answer = answer.map_err(|rule| refused(&rule))?;
                if answer.status == 200 && answer.text() == served.word {
                    return Ok((served, program));
                }
                let said = cut(&answer.text());
                return Err(refused(&Text::new(
                    format!("it answers {}, and not with what the application says: {said}", answer.status),
                    format!("它返回 {}，内容不是应用说的：{said}", answer.status),
                )));
            }
            if self.context.monotonic() >= end || program.has_ended() {
                let said = cut(&program.said());
                return Err(refused(&Text::new(
                    format!("nobody listens on 127.0.0.1 at its port; it says: {said}"),
                    format!("127.0.0.1 的这个端口上没有人监听；它说：{said}"),
                )));
            }
            self.context.sleep(LOOK);
        }
    }
}

/// The control: without it nothing can be said of the server.
fn refused(why: &Text) -> Fault {
    Fault::inconclusive(Text::new(
        format!("the server does not serve the application: {}", why.en),
        format!("服务器没有运行起这个应用：{}", why.zh),
    ))
}

impl Served<'_, '_> {
    /// What came back, or the rule that it breaks; none where nobody listens.
    fn send(&mut self, asked: &Asked<'_>) -> Result<Option<Result<Answer, Text>>, Fault> {
        let Asked { method, path, what, headers, body } = asked;
        let length = if body.is_empty() && *method != "POST" {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!(
            "{method} {path}?do={what} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{headers}{length}\r\n",
            self.port
        );
        let (first, second) = body.split_at(body.len() / 3);
        let mut pieces = vec![hex(head.as_bytes()) + &hex(first)];
        if !second.is_empty() {
            pieces.push(hex(second));
        }
        let (mark, marker) = if *what == "streams" {
            (format!("{} first", self.word), format!("{}.go", self.files))
        } else {
            (String::new(), String::new())
        };
        let arguments = json!({ "port": self.port, "pieces": pieces, "mark": mark, "marker": marker });
        let seen = ask(&mut self.client, "exchange", &arguments)?;
        let Some(bytes) = seen.get("bytes").and_then(Value::as_str) else { return Ok(None) };
        let is_closed = seen.get("closed") == Some(&Value::Bool(true));
        Ok(Some(Answer::read(&bytes_of(bytes), is_closed, *method == "HEAD")))
    }

    /// An answer that keeps to the rules and is whole.
    fn answer(&mut self, asked: &Asked<'_>) -> Result<Answer, Fault> {
        let answer = self.any_answer(asked)?;
        if answer.is_whole {
            return Ok(answer);
        }
        let rule = Text::new(
            "the response is cut off, or the connection stays open although it was to be closed",
            "响应不完整，或者要求关闭的连接一直开着",
        );
        Err(against("frame", asked, &rule, &framing()))
    }

    fn any_answer(&mut self, asked: &Asked<'_>) -> Result<Answer, Fault> {
        if let Some(answer) = self.send(asked)? {
            return answer.map_err(|rule| against("frame", asked, &rule, &framing()));
        }
        let rule = Text::new("the server does not take connections any more", "服务器不再接受连接");
        let hint = Text::new(
            "catch what an application raises, answer 500, and go on with the next connection",
            "捕获应用抛出的异常，返回 500，然后继续处理下一个连接",
        );
        Err(against("gone", asked, &rule, &hint))
    }

    fn environ(&mut self) -> Result<(), Fault> {
        let word = self.word.clone();
        let path = format!("/caf%C3%A9/{word}%20x");
        let headers =
            format!("Content-Type: text/x-{word}\r\nX-Probe: {word}\r\nX-Twice: one\r\nX-Twice: two\r\n");
        let query = "environ&q=a%2Fb+c";
        let asked = Asked { method: "POST", path: &path, what: query, headers: &headers, body: b"12345" };
        let answer = self.answer(&asked)?;
        let text = answer.text();
        let seen: Value = text
            .strip_prefix(word.as_str())
            .and_then(|rest| serde_json::from_str(rest).ok())
            .ok_or_else(|| {
            let rule = Text::new(
                format!("the application can not tell its environ: {}", cut(&text)),
                format!("应用说不出它的 environ：{}", cut(&text)),
            );
            against("environ", &asked, &rule, &environ_hint())
        })?;
        let port = self.port.to_string();
        if let Some(rule) = environ_rule(&seen, &word, &port) {
            return Err(against("environ", &asked, &rule, &environ_hint()));
        }
        Ok(())
    }

    fn input(&mut self) -> Result<(), Fault> {
        for length in LENGTHS {
            let body: Vec<u8> = self.word.bytes().cycle().take(length).collect();
            let asked = Asked { method: "POST", path: "/", what: "echo", headers: "", body: &body };
            let answer = self.answer(&asked)?;
            if answer.status != 200 || answer.body != body {
                let rule = Text::new(
                    format!(
                        "of {length} bytes that were sent the application gives back {}, or others",
                        answer.body.len()
                    ),
                    format!("发了 {length} 字节，应用返回的是 {} 字节或别的内容", answer.body.len()),
                );
                let hint = Text::new(
                    "wsgi.input has to give the body until CONTENT_LENGTH bytes were read: what comes with the head is its beginning",
                    "wsgi.input 要能读满 CONTENT_LENGTH 字节：跟着头部一起到的是它的开头",
                );
                return Err(against("input", &asked, &rule, &hint));
            }
        }
        Ok(())
    }

    fn output(&mut self) -> Result<(), Fault> {
        let word = self.word.clone();
        for (what, expected) in [
            ("streams", format!("{word} first\nin time\n")),
            ("writes", format!("{word} by write, and more")),
            ("starts-late", format!("{word} started late")),
        ] {
            let asked = Asked::get(what);
            let answer = self.answer(&asked)?;
            if answer.status != 200 || answer.text() != expected {
                let seen = cut(&answer.text());
                let rule = Text::new(
                    format!("expected {expected:?}, came {}: {seen}", answer.status),
                    format!("应当是 {expected:?}，来的是 {}：{seen}", answer.status),
                );
                let hint = match what {
                    "streams" => Text::new(
                        "send each part before you ask for the next: wait for no more, and join nothing",
                        "每一部分先发出去再取下一部分：不要等，也不要拼接",
                    ),
                    "writes" => Text::new(
                        "start_response returns write(), which sends before what is returned",
                        "start_response 返回 write()，它写的内容在返回的内容之前发出",
                    ),
                    _ => Text::new(
                        "the status counts when the first part that is not empty comes, not before",
                        "到第一块非空内容时才需要状态，不要提前看",
                    ),
                };
                return Err(against("output", &asked, &rule, &hint));
            }
        }
        let asked = Asked { method: "HEAD", ..Asked::get("empty") };
        self.answer(&asked).map(|_| ())
    }

    fn errors(&mut self) -> Result<(), Fault> {
        for (what, status) in [("raises", 500), ("starts-again", 503)] {
            let asked = Asked::get(what);
            let answer = self.any_answer(&asked)?;
            if answer.status != status {
                let rule = Text::new(
                    format!("the answer is {}, and should be {status}", answer.status),
                    format!("返回的是 {}，应当是 {status}", answer.status),
                );
                let hint = Text::new(
                    "answer 500 where the application raises before it started; a start with exc_info replaces one that was not sent yet",
                    "应用在开始之前抛异常就返回 500；带 exc_info 的再次开始要替换还没发出的那个",
                );
                return Err(against("errors", &asked, &rule, &hint));
            }
        }
        let asked = Asked::get("breaks");
        let answer = self.any_answer(&asked)?;
        let says_it_is_whole = answer.is_framed && answer.is_whole;
        if answer.text().contains("HTTP/1.") || says_it_is_whole || answer.status != 200 {
            let rule = Text::new(
                "a body that the application did not finish ends as if it were whole, or another response is in it",
                "应用没有给完的内容看起来像是完整的，或者里面混进了另一个响应",
            );
            let hint = Text::new(
                "what has begun can not be taken back: close the connection without the last chunk",
                "已经开始发送就收不回来：直接关闭连接，不要发最后一个分块",
            );
            return Err(against("errors", &asked, &rule, &hint));
        }
        self.answer(&Asked::get("length")).map(|_| ())
    }

    fn closes(&mut self) -> Result<(), Fault> {
        for what in ["streams", "breaks"] {
            let asked = Asked::get(what);
            let before = self.closed()?;
            self.any_answer(&asked)?;
            let calls = self.closed()?.saturating_sub(before);
            if calls != 1 {
                let rule = Text::new(
                    format!("close() of what the application returned is called {calls} times"),
                    format!("应用返回对象的 close() 被调用了 {calls} 次"),
                );
                let hint = Text::new(
                    "call close(), if there is one, in a `finally` around the loop that sends",
                    "在发送循环外面的 `finally` 里调用 close()（如果有的话）",
                );
                return Err(against("closes", &asked, &rule, &hint));
            }
        }
        Ok(())
    }

    /// How often `close()` was called so far.
    fn closed(&self) -> Result<usize, Fault> {
        match self.folder.read(&format!("{}.closed", self.files)) {
            Ok(marks) => Ok(marks.len()),
            Err(Failure::Unreachable(_)) => Ok(0),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// What is wrong with an environ.
fn environ_rule(seen: &Value, word: &str, port: &str) -> Option<Text> {
    let quoted = |text: &str| format!("'{text}'");
    let value = |name: &str| seen["seen"][name].as_str().map(str::to_owned);
    let differs = |name: &str, expected: &str| {
        let seen = value(name).unwrap_or_else(|| "missing".to_owned());
        Text::new(
            format!("{name} is {}, and should be {expected}", cut(&seen)),
            format!("{name} 是 {}，应当是 {expected}", cut(&seen)),
        )
    };
    let exact = [
        ("REQUEST_METHOD", quoted("POST")),
        ("SCRIPT_NAME", quoted("")),
        // Bytes of the path, each as the character of its number: ISO-8859-1, whatever the bytes mean.
        ("PATH_INFO", quoted(&format!("/caf\\xc3\\xa9/{word} x"))),
        ("QUERY_STRING", quoted("do=environ&q=a%2Fb+c")),
        ("CONTENT_TYPE", quoted(&format!("text/x-{word}"))),
        ("CONTENT_LENGTH", quoted("5")),
        ("SERVER_PORT", quoted(port)),
        ("HTTP_HOST", quoted(&format!("127.0.0.1:{port}"))),
        ("HTTP_X_PROBE", quoted(word)),
    ];
    for (name, expected) in exact {
        // An empty SCRIPT_NAME may be left out.
        let is_left_out = name == "SCRIPT_NAME" && value(name).is_none();
        if !is_left_out && value(name).as_deref() != Some(&expected) {
            return Some(differs(name, &expected));
        }
    }
    let twice: String = value("HTTP_X_TWICE").unwrap_or_default().replace(' ', "");
    if twice != "'one,two'" {
        return Some(differs("HTTP_X_TWICE", "'one,two'"));
    }
    if !value("SERVER_PROTOCOL").is_some_and(|protocol| protocol.starts_with("'HTTP/")) {
        return Some(differs("SERVER_PROTOCOL", "'HTTP/1.1'"));
    }
    if seen["flags"]["wsgi.version"] != json!("(1, 0)") || seen["flags"]["wsgi.url_scheme"] != json!("'http'")
    {
        return Some(Text::new(
            "wsgi.version should be (1, 0), and wsgi.url_scheme 'http'",
            "wsgi.version 应当是 (1, 0)，wsgi.url_scheme 应当是 'http'",
        ));
    }
    let there: Vec<&str> = seen["there"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let missing = ["wsgi.input", "wsgi.errors", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"]
        .into_iter()
        .find(|name| !there.contains(name));
    if let Some(name) = missing {
        return Some(Text::new(format!("{name} is missing"), format!("缺少 {name}")));
    }
    seen["objections"].as_str().map(|line| {
        let line = cut(line);
        Text::new(format!("the validator says {line}"), format!("验证器说 {line}"))
    })
}

fn against(code: &str, asked: &Asked<'_>, rule: &Text, hint: &Text) -> Fault {
    let line = asked.line();
    let summary = Text::new(format!("{line}: {}", rule.en), format!("{line}：{}", rule.zh));
    wrong(&format!("wsgi.server-{code}"), summary.clone(), summary, hint.clone())
}

fn framing() -> Text {
    Text::new(
        "Content-Length, or chunks, or the end of the connection, of which exactly one says where the body ends; nothing behind it, and no body for HEAD (RFC 9112, section 6)",
        "正文在哪里结束只能由一种方式说明：Content-Length、分块、或关闭连接；后面不能再有内容，HEAD 没有正文（RFC 9112 第 6 节）",
    )
}

fn environ_hint() -> Text {
    Text::new(
        "PEP 3333, \"environ Variables\" and \"Unicode Issues\": every value is a str of bytes in latin-1; unquote the path with encoding=\"latin-1\"; headers that come twice are joined by a comma",
        "见 PEP 3333 的 “environ Variables” 和 “Unicode Issues”：每个值都是按 latin-1 解码的 str；路径用 encoding=\"latin-1\" 反转义；重复的头部用逗号连接",
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2);
    digits.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environ() -> Value {
        json!({
            "seen": {
                "REQUEST_METHOD": "'POST'", "SCRIPT_NAME": "''", "PATH_INFO": r"'/caf\xc3\xa9/w x'",
                "QUERY_STRING": "'do=environ&q=a%2Fb+c'", "CONTENT_TYPE": "'text/x-w'", "CONTENT_LENGTH": "'5'",
                "SERVER_PORT": "'80'", "HTTP_HOST": "'127.0.0.1:80'", "HTTP_X_PROBE": "'w'",
                "HTTP_X_TWICE": "'one, two'", "SERVER_PROTOCOL": "'HTTP/1.1'",
            },
            "flags": { "wsgi.version": "(1, 0)", "wsgi.url_scheme": "'http'" },
            "there": ["wsgi.errors", "wsgi.input", "wsgi.multiprocess", "wsgi.multithread", "wsgi.run_once"],
            "objections": null,
        })
    }

    #[test]
    fn an_environ_keeps_every_rule() {
        assert_eq!(environ_rule(&environ(), "w", "80"), None);
        for (name, value) in [
            ("PATH_INFO", "'/caf\\xe9/w x'"),
            ("PATH_INFO", "'/caf%C3%A9/w%20x'"),
            ("CONTENT_LENGTH", "5"),
            ("HTTP_X_TWICE", "'two'"),
        ] {
            let mut seen = environ();
            seen["seen"][name] = json!(value);
            let rule = environ_rule(&seen, "w", "80").unwrap();
            assert!(rule.en.contains(name) && rule.zh.contains(name), "{rule:?}");
        }
        let mut seen = environ();
        seen["objections"] = json!("AssertionError: x");
        assert!(environ_rule(&seen, "w", "80").unwrap().en.contains("AssertionError"));
    }

    #[test]
    fn bytes_come_back_from_their_digits() {
        assert_eq!(bytes_of(&hex(b"\x00ab\xff")), b"\x00ab\xff");
    }
}
