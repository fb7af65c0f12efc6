//! `http-basics`: does the service speak HTTP/1.1?
//!
//! The minimal profile asks what every service must do; the full one adds what RFC 9110 and RFC 9112 ask of a server that
//! meets strangers ([`strictness`](crate::strictness)). A server that announces the end of a connection
//! (`Connection: close`) may end it: what needs a second request there is left out, not failed.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::profile::Profile;
use crate::strictness;
use crate::talk::{Talk, wrong};
use crate::wire::{Answer, Broken, Heard};

const ADVICE: Advice = Advice { item: "ground.http", with: "ok_path = \"/health\"" };

/// Redirects of the first path that are followed: `/` often leads elsewhere.
const REDIRECTS: usize = 3;

/// The pause between the parts of a request that comes in pieces.
const PAUSE: Duration = Duration::from_millis(30);

parameters! {
    /// Where the service answers.
    pub struct HttpBasics {
        /// `minimal`, or `full` with what a server for the public needs.
        profile: Profile = Profile::Minimal,
        /// A path that answers GET with 200 and a body.
        ok_path: String = "/".to_owned(),
        /// A path that takes POST, for uploads in the full profile. What is sent there is a short text. Without it uploads are left out.
        post_path: Option<String> = None,
        /// Headers of every request, such as credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl Check for HttpBasics {
    const ID: &'static str = "http-basics";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("It speaks HTTP/1.1", "会说 HTTP/1.1"),
            description: Text::new(
                "Speaks to the service byte by byte: a page that ends where it says, more requests on one connection, 404 for what is not there, a refusal of methods that do not exist, HEAD without a body, and a request that comes in pieces. The full profile adds Host, conflicting lengths, uploads in chunks, pipelining, long headers, Allow and more. Nothing is changed, unless `post_path` is named. A good answer is any 200 with a body that ends where Content-Length or the chunks say.",
                "逐字节地与服务对话：页面在它所说的地方结束、一个连接上可以发多个请求、不存在的路径返回 404、不存在的方法被拒绝、HEAD 没有正文、分段到达的请求也能读懂。完整档还检查 Host、互相矛盾的长度、分块上传、流水线、过长的头、Allow 等。除非写明 `post_path`，不会改动任何数据。合格的回应是：200，正文在 Content-Length 或分块所说的地方结束。",
            ),
            capabilities: vec![crate::speak()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(match self.profile {
            Profile::Minimal => Text::new("it speaks HTTP/1.1", "会说 HTTP/1.1"),
            Profile::Full => {
                Text::new("it speaks HTTP/1.1, also with strangers", "会说 HTTP/1.1，面对陌生人也一样")
            }
        });
        let mut talk = Talk::new(context, &self.headers);
        // Where it stopped is in the report.
        let _ = self.judge(&mut talk, &mut report);
        talk.finish(&mut report);
        report
    }
}

/// The page that works, and what came of it.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) answer: Answer,
    /// A path that nobody has.
    pub(crate) missing: String,
}

impl HttpBasics {
    fn judge(&self, talk: &mut Talk<'_, '_>, report: &mut Report) -> Option<()> {
        let outcome = self.page(talk);
        let page = report.judge("page", Need::Must, outcome, |page| {
            let length = page.answer.body.len();
            Text::new(
                format!("GET {} answered 200 with {length} bytes, as announced", page.path),
                format!("GET {} 返回 200，正文 {length} 字节，与声明一致", page.path),
            )
        })?;
        let outcome = speaks_1_1(&page);
        report.judge("version", Need::Must, outcome, |()| Text::same("HTTP/1.1"))?;
        let outcome = missing(talk, &page);
        report.judge("missing", Need::Must, outcome, |()| {
            Text::new("what is not there is answered 404", "不存在的路径返回 404")
        });
        let outcome = keep_alive(talk, &page);
        report.judge("second-request", Need::Must, outcome, |()| {
            Text::new("a connection carries several requests", "一个连接可以发多个请求")
        });
        let outcome = head(talk, &page);
        let same = report.judge("head", Need::Must, outcome, |_| {
            Text::new("HEAD is answered without a body", "HEAD 的回应没有正文")
        });
        let outcome = pieces(talk, &page);
        report.judge("pieces", Need::Must, outcome, |()| {
            Text::new("a request that comes in pieces is understood", "分段到达的请求也能读懂")
        });
        let outcome = unknown_method(talk, &page);
        let unknown = report.judge("unknown-method", Need::Must, outcome, |status| {
            Text::new(
                format!("a method that does not exist is refused ({status})"),
                format!("不存在的方法被拒绝（{status}）"),
            )
        });
        if let Some(status) = same {
            report.judge("head-as-get", Need::Should, head_as_get(status, &page), |()| {
                Text::new("HEAD answers the status of GET", "HEAD 的状态码与 GET 相同")
            });
        }
        if let Some(status) = unknown {
            report.judge("method-named", Need::Should, method_named(status), |()| {
                Text::new("the refusal says that it is the method", "拒绝时说明了问题在方法")
            });
        }
        if self.profile == Profile::Full {
            strictness::judge(talk, report, &page, self.post_path.as_deref());
        }
        Some(())
    }

    /// Success first: a GET that is answered 200, with a body that ends where it says and nothing after it.
    fn page(&self, talk: &mut Talk<'_, '_>) -> Result<Page, Fault> {
        let mut path = self.ok_path.clone();
        for _ in 0..=REDIRECTS {
            let request = talk.write("GET", &path, &[], b"");
            let (answer, mut peer) = talk.ask_anew(&request).map_err(Broken::before_anything)?;
            if let Some(next) = redirect(&answer) {
                path = next;
                continue;
            }
            if answer.status != 200 {
                return Err(not_a_page(&path, &answer));
            }
            if let Heard::Bytes(more) = peer.overhear(talk.context) {
                return Err(too_long("page", &request.line, &answer, &more));
            }
            let missing =
                format!("/{}/{}", talk.context.generator().token(9), talk.context.generator().token(9));
            return Ok(Page { path, answer, missing });
        }
        let summary = Text::new(
            format!("{} only leads on from redirect to redirect", self.ok_path),
            format!("{} 一直在重定向", self.ok_path),
        );
        Err(Fault::inconclusive(summary))
    }
}

/// The path that a redirect on the same service leads to.
fn redirect(answer: &Answer) -> Option<String> {
    let location =
        answer.header("location").filter(|_| matches!(answer.status, 301 | 302 | 303 | 307 | 308))?;
    let path = match location.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => location,
    };
    path.starts_with('/').then(|| path.split('#').next().unwrap_or_default().to_owned())
}

fn not_a_page(path: &str, answer: &Answer) -> Fault {
    let status = answer.status;
    let fault = if status == 500 || status > 504 { Fault::fail } else { Fault::inconclusive };
    let hint = ADVICE.hint(
        "name a path that answers GET with 200 in mustdo.toml:",
        "在 mustdo.toml 里写一个 GET 返回 200 的路径：",
    );
    let summary = Text::new(
        format!("GET {path} was answered {status}; a page that works is needed first. {}", hint.en),
        format!("GET {path} 返回 {status}；先要有一个能用的页面。{}", hint.zh),
    );
    fault(summary)
}

fn too_long(code: &str, sent: &str, answer: &Answer, more: &[u8]) -> Fault {
    let (length, more) = (answer.body.len(), more.len());
    wrong(
        code,
        sent,
        &format!(
            "{} whose body is {length} bytes by its head, and {more} bytes after its end",
            answer.status
        ),
        Text::new(
            "an answer is longer than it says: a client takes the rest for the next answer",
            "回应比它声明的更长：客户端会把多出来的部分当成下一个回应",
        ),
        Text::new(
            "count Content-Length in bytes of the encoded body, or leave it to the framework",
            "Content-Length 要按编码后的字节数计算，或者交给框架去算",
        ),
    )
}

fn speaks_1_1(page: &Page) -> Result<(), Fault> {
    if page.answer.minor == 1 {
        return Ok(());
    }
    Err(wrong(
        "old-version",
        &format!("GET {} HTTP/1.1", page.path),
        &format!("an answer in HTTP/1.{}", page.answer.minor),
        Text::new("the server speaks HTTP/1.0 only", "服务器只会 HTTP/1.0"),
        Text::new(
            "use a server that speaks HTTP/1.1, such as gunicorn, uvicorn, nginx or Node's; Python's http.server needs protocol_version = \"HTTP/1.1\" and a Content-Length",
            "换用会说 HTTP/1.1 的服务器，例如 gunicorn、uvicorn、nginx 或 Node；Python 的 http.server 要设 protocol_version = \"HTTP/1.1\" 并给出 Content-Length",
        ),
    ))
}

/// What is not there is answered 404 (RFC 9110, section 15.5.5).
fn missing(talk: &mut Talk<'_, '_>, page: &Page) -> Result<(), Fault> {
    let other = format!("/{}", talk.context.generator().token(12));
    for path in [&page.missing, &other] {
        let request = talk.write("GET", path, &[], b"");
        let (answer, _) =
            talk.ask_anew(&request).map_err(|broken| died("missing", &request.line, &broken))?;
        match answer.status {
            404 | 410 => {}
            200..=299 | 500..=599 => {
                return Err(wrong(
                    "missing-found",
                    &request.line,
                    &answer.told(),
                    Text::new(
                        format!("a path that does not exist is answered {}", answer.status),
                        format!("不存在的路径返回 {}", answer.status),
                    ),
                    Text::new(
                        "answer 404 for what is not there; a catch-all route must not say 200",
                        "不存在的路径要返回 404；兜底路由不能返回 200",
                    ),
                ));
            }
            status => {
                return Err(Fault::inconclusive(Text::new(
                    format!(
                        "GET {path}, which does not exist, was answered {status}; give the check credentials as `headers` if the service asks for them first"
                    ),
                    format!("不存在的 {path} 返回 {status}；如果服务先要求登录，请用 `headers` 给出凭据"),
                )));
            }
        }
    }
    Ok(())
}

/// Several requests on one connection, each with its own answer (RFC 9112, section 9.3).
fn keep_alive(talk: &mut Talk<'_, '_>, page: &Page) -> Result<(), Fault> {
    let asked = [(&page.path, 200), (&page.missing, 404), (&page.path, 200)];
    let mut peer = talk.open()?;
    for (place, (path, expected)) in asked.into_iter().enumerate() {
        let request = talk.write("GET", path, &[], b"");
        let answer = match talk.ask(&mut peer, &request) {
            Ok(answer) => answer,
            Err(broken) if place > 0 => return Err(closed_silently(&request.line, &broken)),
            Err(broken) => return Err(died("second-request", &request.line, &broken)),
        };
        if answer.status != expected && !(expected == 404 && answer.status == 410) {
            return Err(wrong(
                "answers-mixed",
                &request.line,
                &answer.told(),
                Text::new(
                    format!(
                        "on a connection that is used again, it answers {} where {expected} was answered before",
                        answer.status
                    ),
                    format!("复用的连接上返回 {}，而之前是 {expected}", answer.status),
                ),
                Text::new(
                    "read each request to its end before the next one, and write exactly the announced bytes",
                    "读完一个请求再读下一个，写出的字节数要与声明完全一致",
                ),
            ));
        }
        if !answer.keeps_open() {
            return Err(Fault::skip(Text::new(
                "the server announces that it closes after each answer, which it may; a second request was not tried",
                "服务器声明每次回应后就关闭连接，这是允许的；没有试第二个请求",
            )));
        }
    }
    Ok(())
}

fn closed_silently(sent: &str, broken: &Broken) -> Fault {
    wrong(
        "closed-silently",
        sent,
        &broken.told(),
        Text::new(
            "an answer did not say `Connection: close`, and yet the next request on the connection has no answer",
            "回应没有声明 `Connection: close`，但同一连接上的下一个请求得不到回应",
        ),
        Text::new(
            "keep the connection open after an answer, or send `Connection: close` with it",
            "回应之后保持连接，或者在回应里带上 `Connection: close`",
        ),
    )
}

/// HEAD has no body, whatever its head says (RFC 9110, section 9.3.2). Gives its status.
fn head(talk: &mut Talk<'_, '_>, page: &Page) -> Result<u16, Fault> {
    if page.answer.body.is_empty() {
        return Err(Fault::inconclusive(Text::new(
            format!(
                "GET {} has an empty body, so HEAD shows nothing; name a page with a body as `ok_path`",
                page.path
            ),
            format!(
                "GET {} 的正文是空的，看不出 HEAD 是否带正文；请用 `ok_path` 写一个有正文的页面",
                page.path
            ),
        )));
    }
    let request = talk.write("HEAD", &page.path, &[], b"");
    let (answer, mut peer) =
        talk.ask_anew(&request).map_err(|broken| died("head", &request.line, &broken))?;
    if let Heard::Bytes(bytes) = peer.overhear(talk.context) {
        return Err(wrong(
            "head-body",
            &request.line,
            &format!("{} and then {} bytes of body", answer.status, bytes.len()),
            Text::new(
                "HEAD is answered with a body: a client takes it for the next answer",
                "HEAD 的回应带了正文：客户端会把它当成下一个回应",
            ),
            Text::new(
                "answer HEAD with the head of GET and nothing behind it; frameworks do it by themselves",
                "HEAD 只返回 GET 的头部，后面什么都没有；框架会自动处理",
            ),
        ));
    }
    if answer.status >= 500 && answer.status != 501 {
        return Err(died_with("head", &request.line, &answer));
    }
    Ok(answer.status)
}

fn head_as_get(status: u16, page: &Page) -> Result<(), Fault> {
    if status == page.answer.status {
        return Ok(());
    }
    Err(Fault::fail(Text::new(
        format!(
            "HEAD was answered {status}, GET {}; every server supports both (RFC 9110, section 9.1)",
            page.answer.status
        ),
        format!(
            "HEAD 返回 {status}，GET 返回 {}；服务器两者都应支持（RFC 9110 第 9.1 节）",
            page.answer.status
        ),
    )))
}

/// A request is what its bytes say, not what one segment of the network holds.
fn pieces(talk: &mut Talk<'_, '_>, page: &Page) -> Result<(), Fault> {
    let request = talk.write("GET", &page.path, &[], b"");
    let mut peer = talk.open()?;
    let cut = request.bytes.len().div_ceil(6);
    for piece in request.bytes.chunks(cut) {
        // A server that gave up has closed; its answer tells.
        if peer.send(piece).is_err() {
            break;
        }
        talk.context.sleep(PAUSE);
    }
    let came = match talk.hear(&mut peer, &request) {
        Ok(answer) if answer.status == 200 => return Ok(()),
        Ok(answer) => answer.told(),
        Err(broken) => broken.told(),
    };
    Err(wrong(
        "one-segment",
        &request.line,
        &came,
        Text::new("a request that came in six pieces is not understood", "同一个请求分六段到达时就读不懂了"),
        Text::new(
            "read until the empty line that ends the head, however many reads that takes",
            "一直读到表示头部结束的空行为止，不管要读多少次",
        ),
    ))
}

/// A method that nobody has. Letters only: servers take others for the beginning of something else.
pub(crate) fn unheard_of(context: &mut Context<'_>) -> String {
    let letter = |drawn: u8| char::from(b'A' + drawn % 26);
    let token = context.generator().token(9);
    token.bytes().map(letter).collect()
}

/// A method that does not exist is refused: 501, 405, or, as servers do whose parser knows all methods, 400.
fn unknown_method(talk: &mut Talk<'_, '_>, page: &Page) -> Result<u16, Fault> {
    let method = unheard_of(talk.context);
    let request = talk.write(&method, &page.path, &[], b"");
    let (answer, _) =
        talk.ask_anew(&request).map_err(|broken| died("unknown-method", &request.line, &broken))?;
    match answer.status {
        400..=499 | 501 => Ok(answer.status),
        _ => Err(wrong(
            "method-accepted",
            &request.line,
            &answer.told(),
            Text::new(
                format!("a method that does not exist is answered {}", answer.status),
                format!("不存在的方法返回 {}", answer.status),
            ),
            Text::new(
                "bind a route to its methods and answer 405 to others (RFC 9110, section 15.5.6)",
                "路由要绑定方法，其他方法返回 405（RFC 9110 第 15.5.6 节）",
            ),
        )),
    }
}

fn method_named(status: u16) -> Result<(), Fault> {
    match status {
        405 | 501 => Ok(()),
        _ => Err(Fault::fail(Text::new(
            format!("a method that does not exist was answered {status}; 405 or 501 says what is wrong"),
            format!("不存在的方法返回 {status}；405 或 501 才说明了问题"),
        ))),
    }
}

/// No answer, or a broken one, where one like it came before.
pub(crate) fn died(code: &str, sent: &str, broken: &Broken) -> Fault {
    // It may be slow, not wrong.
    if let Broken::Unheard(failure) = broken {
        return failure.clone().into();
    }
    wrong(
        code,
        sent,
        &broken.told(),
        Text::new("a proper request had no proper answer", "正常的请求没有得到正常的回应"),
        Text::new(
            "read the log of the service for this request; it must answer every request",
            "查看服务日志里的这个请求；每个请求都必须得到回应",
        ),
    )
}

fn died_with(code: &str, sent: &str, answer: &Answer) -> Fault {
    wrong(
        code,
        sent,
        &answer.told(),
        Text::new(
            format!("a proper request breaks the service ({})", answer.status),
            format!("正常的请求让服务出错（{}）", answer.status),
        ),
        Text::new("read the log of the service for this request", "查看服务日志里的这个请求"),
    )
}
