//! The full profile of `http-basics`: what RFC 9110 and RFC 9112 ask of a server that meets strangers.

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Fault, Report, Text};

use crate::http_basics::{Page, died, unheard_of};
use crate::talk::{Talk, Written, wrong};
use crate::wire::{Answer, Broken, Heard};

/// Bytes of the long header.
const LONG_HEADER: usize = 64 << 10;

/// Steps of the kind `should` that may fail.
const MISSES: usize = 2;

/// Judges everything; a `should` that fails counts towards [`MISSES`].
pub(crate) fn judge(talk: &mut Talk<'_, '_>, report: &mut Report, page: &Page, post_path: Option<&str>) {
    let outcome = host(talk, page, "no-host", &[]);
    report.judge("no-host", Need::Must, outcome, |()| {
        Text::new("a request without Host is refused with 400", "没有 Host 的请求返回 400")
    });
    let outcome = host(talk, page, "two-hosts", &["Host: localhost", "Host: elsewhere.invalid"]);
    report.judge("two-hosts", Need::Must, outcome, |()| {
        Text::new("a request with two Hosts is refused with 400", "有两个 Host 的请求返回 400")
    });
    let outcome = two_lengths(talk, page);
    report.judge("two-lengths", Need::Must, outcome, |()| {
        Text::new(
            "a request with Content-Length and Transfer-Encoding leaves nothing behind",
            "同时带 Content-Length 和 Transfer-Encoding 的请求不会留下任何东西",
        )
    });
    let wishes: [(&str, Result<Text, Fault>); 9] = [
        ("allow", allow(talk, page)),
        ("chunked-upload", chunked_upload(talk, post_path)),
        ("expect-continue", expect_continue(talk, post_path)),
        ("pipelined", pipelined(talk, page)),
        ("long-header", long_header(talk, page)),
        ("close-honoured", close_honoured(talk, page)),
        ("date", date(page)),
        ("conditional", conditional(talk, page)),
        ("absolute-form", absolute_form(talk, page)),
    ];
    let missed = wishes.iter().filter(|(_, outcome)| outcome.as_ref().is_err_and(has_failed)).count();
    for (id, outcome) in wishes {
        report.judge(id, Need::Should, outcome, Clone::clone);
    }
    let outcome = if missed <= MISSES { Ok(()) } else { Err(too_many(missed)) };
    report.judge("few-misses", Need::Must, outcome, |()| {
        Text::new(
            format!("{missed} of the wishes missed, {MISSES} may be"),
            format!("未满足的“应当”有 {missed} 项，允许 {MISSES} 项"),
        )
    });
}

fn has_failed(fault: &Fault) -> bool {
    fault.status() == mustdo_plugin::verdict::Status::Fail
}

fn too_many(missed: usize) -> Fault {
    Fault::fail(Text::new(
        format!("{missed} of the `should` steps failed; in the full profile {MISSES} may"),
        format!("有 {missed} 项“应当”没有满足；完整档最多允许 {MISSES} 项"),
    ))
}

fn fault(en: impl Into<String>, zh: impl Into<String>) -> Fault {
    Fault::fail(Text::new(en, zh))
}

/// What came, whether it is an answer or not.
fn told(outcome: &Result<(Answer, crate::wire::Peer), Broken>) -> String {
    outcome.as_ref().map_or_else(Broken::told, |(answer, _)| answer.told())
}

/// Exactly one Host, or 400 (RFC 9112, section 3.2).
fn host(talk: &mut Talk<'_, '_>, page: &Page, code: &str, lines: &[&str]) -> Result<(), Fault> {
    let request = talk.write_bare("GET", &page.path, lines, b"");
    let outcome = talk.ask_anew(&request);
    if matches!(&outcome, Ok((answer, _)) if answer.status == 400) {
        return Ok(());
    }
    if let Err(Broken::Unheard(failure)) = outcome {
        return Err(failure.into());
    }
    let sent = format!("{} with {} Host lines", request.line, lines.len());
    Err(wrong(
        code,
        &sent,
        &told(&outcome),
        Text::new(
            "a request must have exactly one Host, or it is answered 400 (RFC 9112, section 3.2)",
            "请求必须恰好有一个 Host，否则返回 400（RFC 9112 第 3.2 节）",
        ),
        Text::new(
            "put a server in front that checks it, such as nginx, or refuse it before routing",
            "在前面放一个会检查它的服务器（如 nginx），或在路由之前拒绝",
        ),
    ))
}

/// Two lengths that contradict each other are how a request is smuggled past a proxy: refuse it, or close after the
/// answer (RFC 9112, section 6.1).
fn two_lengths(talk: &mut Talk<'_, '_>, page: &Page) -> Result<(), Fault> {
    let hidden = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", page.missing);
    let body = format!("0\r\n\r\n{hidden}");
    let length = format!("Content-Length: {}", body.len());
    let request = talk.write("GET", &page.path, &[&length, "Transfer-Encoding: chunked"], body.as_bytes());
    let mut peer = talk.open()?;
    let answer = match talk.ask(&mut peer, &request) {
        Ok(answer) => answer,
        // It hung up: nothing is left behind.
        Err(Broken::Ended) => return Ok(()),
        Err(Broken::Unheard(failure)) => return Err(failure.into()),
        Err(broken) => return Err(died("two-lengths", &request.line, &broken)),
    };
    let after = peer.overhear(talk.context);
    let came = match &after {
        Heard::End => return Ok(()),
        Heard::Nothing if answer.status >= 400 || !answer.keeps_open() => return Ok(()),
        Heard::Nothing => format!("{} and an open connection", answer.status),
        Heard::Bytes(bytes) => {
            format!("{} and then another answer: {}", answer.status, mustdo_plugin::service::excerpt(bytes))
        }
    };
    Err(wrong(
        "two-lengths",
        &format!("{} with Content-Length and Transfer-Encoding", request.line),
        &came,
        Text::new(
            "a request with two lengths is taken, and the connection stays open: behind a proxy that goes by the other length, somebody else gets the rest",
            "同时有两种长度的请求被接受，连接还保持打开：如果前面的代理按另一种长度处理，剩下的部分就会落到别人头上",
        ),
        Text::new(
            "answer 400 and close (RFC 9112, section 6.1)",
            "返回 400 并关闭连接（RFC 9112 第 6.1 节）",
        ),
    ))
}

/// 405 names the methods that are allowed (RFC 9110, section 15.5.6). It is a wish here, though the standard has a must:
/// nginx answers 405 without Allow for the files that it serves itself, and is no worse a server for it.
fn allow(talk: &mut Talk<'_, '_>, page: &Page) -> Result<Text, Fault> {
    let method = unheard_of(talk.context);
    let mut seen = None;
    for method in [method.as_str(), "TRACE"] {
        let request = talk.write(method, &page.path, &[], b"");
        let (answer, _) = talk.ask_anew(&request).map_err(|broken| died("allow", &request.line, &broken))?;
        if answer.status == 405 {
            seen = Some((request, answer));
            break;
        }
    }
    let Some((request, answer)) = seen else {
        return Err(Fault::skip(Text::new(
            "no 405 was seen: the server refuses strange methods before it looks at the path",
            "没有见到 405：服务器在查看路径之前就拒绝了陌生的方法",
        )));
    };
    match answer.header("allow") {
        Some(methods) => Ok(Text::same(methods)),
        None => Err(wrong(
            "no-allow",
            &request.line,
            &format!("{} without Allow", answer.status),
            Text::new(
                "405 does not say which methods are allowed (RFC 9110, section 15.5.6)",
                "405 没有说明允许哪些方法（RFC 9110 第 15.5.6 节）",
            ),
            Text::new(
                "send Allow with every 405: `Allow: GET, HEAD`",
                "每个 405 都带上 Allow，例如 `Allow: GET, HEAD`",
            ),
        )),
    }
}

fn no_upload() -> Fault {
    Fault::skip(Text::new(
        "not tried: name a path that takes POST as `post_path`",
        "没有试：请用 `post_path` 写一个接受 POST 的路径",
    ))
}

/// The same upload with a length and in chunks is the same upload (RFC 9112, section 7.1).
fn chunked_upload(talk: &mut Talk<'_, '_>, path: Option<&str>) -> Result<Text, Fault> {
    let path = path.ok_or_else(no_upload)?;
    let text = format!("{{\"text\": \"{}\"}}", talk.context.generator().token(24));
    let kind = "Content-Type: application/json";
    let length = format!("Content-Length: {}", text.len());
    let whole = talk.write("POST", path, &[kind, &length], text.as_bytes());
    let (head, tail) = text.split_at(text.len() / 3);
    let chunks = format!("{:x}\r\n{head}\r\n{:x};x=1\r\n{tail}\r\n0\r\n\r\n", head.len(), tail.len());
    let parts = talk.write("POST", path, &[kind, "Transfer-Encoding: chunked"], chunks.as_bytes());
    let (one, _) = talk.ask_anew(&whole).map_err(|broken| died("chunked-upload", &whole.line, &broken))?;
    if !one.is_success() {
        return Err(Fault::inconclusive(Text::new(
            format!("POST {path} was answered {}, so it takes no upload of `{text}`", one.told()),
            format!("POST {path} 返回 {}，说明它不接受 `{text}`", one.told()),
        )));
    }
    let other = talk.ask_anew(&parts);
    if matches!(&other, Ok((answer, _)) if answer.status == one.status) {
        return Ok(Text::new("an upload in chunks is read as one", "分块上传也能读懂"));
    }
    let came = told(&other);
    Err(fault(
        format!("an upload in chunks got {came}; the same with Content-Length got {}", one.status),
        format!("分块上传得到 {came}；用 Content-Length 上传同样的内容得到 {}", one.status),
    ))
}

/// `Expect: 100-continue` is answered before the body comes (RFC 9110, section 10.1.1).
fn expect_continue(talk: &mut Talk<'_, '_>, path: Option<&str>) -> Result<Text, Fault> {
    let path = path.ok_or_else(no_upload)?;
    let text = format!("{{\"text\": \"{}\"}}", talk.context.generator().token(24));
    let length = format!("Content-Length: {}", text.len());
    let lines = ["Content-Type: application/json", &length, "Expect: 100-continue"];
    let request = talk.write("POST", path, &lines, b"");
    let mut peer = talk.open()?;
    peer.send(&request.bytes)?;
    match peer.next(talk.context, "POST") {
        Ok(interim) if interim.status == 100 => {
            peer.send(&text)?;
            let answer = talk.hear(&mut peer, &request);
            answer.map_err(|broken| died("expect-continue", &request.line, &broken))?;
        }
        Ok(answer) if answer.status >= 200 => {}
        Ok(_) | Err(_) => {
            return Err(fault(
                "a client that waits for 100 Continue waits in vain",
                "等待 100 Continue 的客户端等不到任何回应",
            ));
        }
    }
    Ok(Text::new(
        "a client that waits for 100 Continue gets its answer",
        "等待 100 Continue 的客户端得到了回应",
    ))
}

/// Requests sent ahead are answered in their order (RFC 9112, section 9.3.2).
fn pipelined(talk: &mut Talk<'_, '_>, page: &Page) -> Result<Text, Fault> {
    let requests: Vec<Written> =
        [&page.path, &page.missing, &page.path].map(|path| talk.write("GET", path, &[], b"")).into();
    let mut peer = talk.open()?;
    peer.send(requests.iter().flat_map(|request| request.bytes.clone()).collect::<Vec<_>>())?;
    let mut statuses = Vec::new();
    for request in &requests {
        let Ok(answer) = talk.hear(&mut peer, request) else { break };
        statuses.push(answer.status);
        if !answer.keeps_open() {
            break;
        }
    }
    match statuses[..] {
        [200, 404 | 410, 200] => {
            Ok(Text::new("requests sent ahead are answered in order", "提前发送的请求按顺序得到回应"))
        }
        [200] => Err(Fault::skip(Text::new(
            "the server closes after one answer, which it may",
            "服务器回应一次就关闭连接，这是允许的",
        ))),
        _ => Err(fault(
            format!("three requests sent ahead (200, 404, 200) were answered {statuses:?}"),
            format!("提前发送三个请求（200、404、200），得到 {statuses:?}"),
        )),
    }
}

/// A head that is too long is refused and harms nobody (RFC 9110, section 15.5; RFC 6585, section 5).
fn long_header(talk: &mut Talk<'_, '_>, page: &Page) -> Result<Text, Fault> {
    let long = format!("X-Long: {}", "a".repeat(LONG_HEADER));
    let request = talk.write("GET", &page.path, &[&long], b"");
    let mut peer = talk.open()?;
    // It may hang up in the middle; then sending fails.
    let _ = peer.send(&request.bytes);
    let answered = talk.hear(&mut peer, &request).map(|answer| answer.status);
    let again = talk.write("GET", &page.path, &[], b"");
    let (after, _) = talk.ask_anew(&again).map_err(|broken| died("long-header", &again.line, &broken))?;
    match answered {
        Ok(200..=299 | 400 | 413 | 414 | 431) | Err(Broken::Ended | Broken::Unheard(_))
            if after.status == 200 =>
        {
            Ok(Text::new("a header of 64 KiB harms nobody", "64 KiB 的头不会造成影响"))
        }
        answered => Err(fault(
            format!("a header of 64 KiB was answered {answered:?}, and afterwards GET {}", after.status),
            format!("64 KiB 的头得到 {answered:?}，之后的 GET 返回 {}", after.status),
        )),
    }
}

/// `Connection: close` is honoured (RFC 9112, section 9.6).
fn close_honoured(talk: &mut Talk<'_, '_>, page: &Page) -> Result<Text, Fault> {
    let request = talk.write("GET", &page.path, &["Connection: close"], b"");
    let (_, mut peer) =
        talk.ask_anew(&request).map_err(|broken| died("close-honoured", &request.line, &broken))?;
    match peer.overhear(talk.context) {
        Heard::End => Ok(Text::new("`Connection: close` closes", "`Connection: close` 会关闭连接")),
        Heard::Nothing | Heard::Bytes(_) => {
            Err(fault("asked to close the connection, it keeps it open", "要求关闭连接，它却保持打开"))
        }
    }
}

/// An origin server with a clock sends Date (RFC 9110, section 6.6.1).
fn date(page: &Page) -> Result<Text, Fault> {
    match page.answer.header("date") {
        Some(date) => Ok(Text::same(format!("Date: {date}"))),
        None => Err(fault("answers carry no Date", "回应没有 Date")),
    }
}

/// Where a validator is offered, it is honoured (RFC 9110, section 13.1.2).
fn conditional(talk: &mut Talk<'_, '_>, page: &Page) -> Result<Text, Fault> {
    let line = match (page.answer.header("etag"), page.answer.header("last-modified")) {
        (Some(tag), _) => format!("If-None-Match: {tag}"),
        (None, Some(time)) => format!("If-Modified-Since: {time}"),
        (None, None) => {
            return Err(Fault::skip(Text::new("no ETag is offered", "没有提供 ETag")));
        }
    };
    let request = talk.write("GET", &page.path, &[&line], b"");
    let (answer, _) =
        talk.ask_anew(&request).map_err(|broken| died("conditional", &request.line, &broken))?;
    if answer.status == 304 {
        return Ok(Text::new("what the client has is not sent again", "客户端已有的内容不再发送"));
    }
    Err(fault(
        format!("a GET with the page's own validator ({line}) was answered {}, not 304", answer.status),
        format!("带着页面自己的校验值（{line}）再 GET，返回 {}，而不是 304", answer.status),
    ))
}

/// A server takes the absolute form of the target, too (RFC 9112, section 3.2.2).
fn absolute_form(talk: &mut Talk<'_, '_>, page: &Page) -> Result<Text, Fault> {
    let target = format!("http://localhost{}", page.path);
    let request = talk.write("GET", &target, &[], b"");
    let outcome = talk.ask_anew(&request);
    if matches!(&outcome, Ok((answer, _)) if answer.status == 200) {
        return Ok(Text::new("the absolute form of a target is understood", "绝对形式的请求目标也能读懂"));
    }
    let came = told(&outcome);
    Err(fault(
        format!("GET {target} got {came}; RFC 9112 (section 3.2.2) asks servers to take it"),
        format!("GET {target} 得到 {came}；RFC 9112（第 3.2.2 节）要求服务器接受它"),
    ))
}
