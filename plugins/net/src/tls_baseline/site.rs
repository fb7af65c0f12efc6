//! What a web site needs beside a sound TLS: that people get there, and that nothing goes around it.

use html5gum::{DefaultEmitter, Token, Tokenizer};
use mustdo_plugin::http::{Options, Request, Response};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Context, Fault, Report, Text};
use rustls_pki_types::ServerName;

use super::agreement::words;
use super::{TlsBaseline, wrong};
use crate::tls::session::{Pace, Session};

/// The target without TLS.
pub(super) const HTTP: &str = "http";

/// A year in seconds: what ASVS 5.0, V3.4.1, asks of `max-age`.
const YEAR: u64 = 365 * 24 * 60 * 60;

/// An answer over TLS.
struct Page {
    path: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The steps of the profile `full`.
pub(super) fn judge(
    check: &TlsBaseline,
    context: &mut Context<'_>,
    report: &mut Report,
    host: &ServerName<'static>,
) -> Option<()> {
    let plain = plain(context, &check.host);
    let port = crate::tls::answer::connect(context).ok().map(|connection| connection.peer().port);
    report.judge("redirect", Need::Must, redirects(plain.as_ref(), &check.host, port), |()| {
        Text::new("HTTP leads to the same path on HTTPS", "HTTP 会转到 HTTPS 的同一路径")
    });
    report.judge("hsts-only-there", Need::Must, no_policy(plain.as_ref()), |()| {
        Text::new("without TLS there is no HSTS", "没有 TLS 时不发送 HSTS")
    });
    let pages: Result<Vec<Page>, Fault> =
        check.pages.iter().map(|path| page(context, host, &check.host, path)).collect();
    let pages = report.judge("pages", Need::Must, pages.and_then(shown), |pages| {
        Text::new(
            format!("{} pages came over HTTPS", pages.len()),
            format!("通过 HTTPS 得到 {} 个页面", pages.len()),
        )
    })?;
    report.judge("hsts", Need::Must, policies(&pages).map(|_| ()), |()| {
        Text::new("every page has HSTS", "每个页面都有 HSTS")
    });
    let missing = format!("/{}", context.generator().token(16));
    let outcome = lasting(&pages, page(context, host, &check.host, &missing));
    report.judge("hsts-lasting", Need::Should, outcome, |()| {
        Text::new("HSTS holds for a year, on error pages too", "HSTS 有效期至少一年，错误页也有")
    });
    report.judge("cookies", Need::Must, secured(&pages, check.cookies), |count| {
        Text::new(format!("all {count} cookies are Secure"), format!("{count} 个 cookie 都有 Secure"))
    });
    report.judge("no-mixed-content", Need::Should, unmixed(&pages), |()| {
        Text::new("the pages load nothing over HTTP", "页面没有通过 HTTP 加载内容")
    })
}

/// What the site without TLS answers to a path that means nothing, with what was asked.
fn plain(context: &mut Context<'_>, host: &str) -> Result<(String, Response), Fault> {
    if !context.has_target(HTTP) {
        return Err(Fault::inconclusive(Text::new(
            format!("bind the http target `{HTTP}` to the port of your site without TLS"),
            format!("请把 http 目标 `{HTTP}` 绑定到网站不带 TLS 的端口"),
        )));
    }
    let path = format!("/{}/{}?b={}&c=d%20e", word(context), word(context), word(context));
    let request = Request::get(&path).header("Host", host);
    let response = context.http(HTTP, &Options::default()).and_then(|client| client.send(&request))?;
    Ok((path, response))
}

fn word(context: &mut Context<'_>) -> String {
    context.generator().token(8)
}

fn redirects(plain: Result<&(String, Response), &Fault>, host: &str, port: Option<u16>) -> Result<(), Fault> {
    let (path, response) = plain.map_err(Clone::clone)?;
    let hint = || {
        Text::new(
            "for every path, for example in nginx: `return 308 https://$host$request_uri;`",
            "对所有路径都这样做，例如 nginx：`return 308 https://$host$request_uri;`",
        )
    };
    let status = response.status;
    if ![301, 308].contains(&status) {
        let summary = Text::new(
            format!("over HTTP {path} is answered with {status}, not with 301 or 308"),
            format!("通过 HTTP 访问 {path} 返回 {status}，而不是 301 或 308"),
        );
        return Err(wrong("redirect", summary, hint()));
    }
    let location = response.header("location").unwrap_or_default();
    if leads_to(location, host, port, path) {
        return Ok(());
    }
    let summary = Text::new(
        format!("over HTTP {path} leads to {location:?}, not to the same path on https://{host}"),
        format!("通过 HTTP 访问 {path} 转到了 {location:?}，而不是 https://{host} 的同一路径"),
    );
    Err(wrong("redirect", summary, hint()))
}

/// Whether an address is the path on the host over TLS, on the usual port or that of the check's own target.
fn leads_to(location: &str, host: &str, port: Option<u16>, path: &str) -> bool {
    let Some((scheme, rest)) = location.split_once("://") else { return false };
    let Some(start) = rest.find('/') else { return false };
    let (authority, target) = rest.split_at(start);
    let (name, number) = match authority.rsplit_once(':') {
        Some((name, number)) if !number.ends_with(']') => (name, number.parse().ok()),
        Some(_) | None => (authority, Some(443)),
    };
    scheme.eq_ignore_ascii_case("https")
        && name.trim_matches(['[', ']']).eq_ignore_ascii_case(host)
        && number.is_some_and(|number: u16| number == 443 || Some(number) == port)
        && target == path
}

fn no_policy(plain: Result<&(String, Response), &Fault>) -> Result<(), Fault> {
    let (_, response) = plain.map_err(Clone::clone)?;
    response.header("strict-transport-security").map_or(Ok(()), |_| {
        Err(wrong(
            "hsts-over-http",
            Text::new(
                "HSTS is sent without TLS, where anybody can write it",
                "没有 TLS 时也发送 HSTS，任何人都能伪造",
            ),
            Text::new("send it over HTTPS only (RFC 6797 §7.2)", "只在 HTTPS 上发送（RFC 6797 §7.2）"),
        ))
    })
}

/// One page over a session of its own.
fn page(context: &Context<'_>, host: &ServerName<'static>, name: &str, path: &str) -> Result<Page, Fault> {
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {name}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    let answer =
        Session::open(context, host, Pace::Whole).and_then(|session| session.ask(request.as_bytes()));
    let unclear = |en: &str, zh: &str| {
        Fault::inconclusive(Text::new(
            format!("no page came for {path} over HTTPS: {en}"),
            format!("通过 HTTPS 访问 {path} 没有得到页面：{zh}"),
        ))
    };
    let answer = match answer.map_err(words) {
        Ok(answer) => answer,
        Err(Ok(why)) => return Err(unclear(&why.en, &why.zh)),
        Err(Err(failure)) => return Err(failure.into()),
    };
    read(path, &answer).ok_or_else(|| unclear("what came is not HTTP", "收到的不是 HTTP"))
}

/// An answer of HTTP/1.1, as it came.
fn read(path: &str, answer: &[u8]) -> Option<Page> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = response.parse(answer).ok()? else { return None };
    let headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|header| {
            (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).trim().to_owned())
        })
        .collect();
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value.eq_ignore_ascii_case("chunked"));
    let body = if is_chunked { joined(&answer[end..]) } else { answer[end..].to_vec() };
    Some(Page { path: path.to_owned(), status: response.code?, headers, body })
}

/// The chunks that came, without what stands between them (RFC 9112 §7.1).
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(chunk) = rest.get(start..).map(|rest| &rest[..rest.len().min(size)]) else { break };
        if chunk.is_empty() {
            break;
        }
        body.extend(chunk);
        rest = rest.get(start + size + 2..).unwrap_or_default();
    }
    body
}

/// An error page tells nothing about a site.
fn shown(pages: Vec<Page>) -> Result<Vec<Page>, Fault> {
    let bad = pages.iter().find(|page| !(200..400).contains(&page.status));
    match bad {
        Some(page) => Err(Fault::inconclusive(Text::new(
            format!("{} is answered with {}: name pages of your site in `pages`", page.path, page.status),
            format!("{} 返回 {}：请在 `pages` 里写你网站的页面", page.path, page.status),
        ))),
        None if pages.is_empty() => Err(Fault::inconclusive(Text::new(
            "name a page of your site in `pages`",
            "请在 `pages` 里写出网站的页面",
        ))),
        None => Ok(pages),
    }
}

impl Page {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The seconds of its HSTS (RFC 6797 §6.1); of several headers the first counts.
    fn policy(&self) -> Result<u64, Fault> {
        let value = self.all("strict-transport-security").next();
        let seconds = value.and_then(max_age);
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0) {
            return Ok(seconds);
        }
        let path = &self.path;
        let summary = match value {
            None => Text::new(format!("{path} has no HSTS"), format!("{path} 没有 HSTS")),
            Some(value) => Text::new(
                format!("the HSTS of {path} holds for no time: {value:?}"),
                format!("{path} 的 HSTS 不起作用：{value:?}"),
            ),
        };
        Err(wrong("hsts", summary, advice()))
    }
}

fn advice() -> Text {
    Text::new(
        "send `Strict-Transport-Security: max-age=31536000; includeSubDomains` with every answer over HTTPS (in nginx with `always`)",
        "通过 HTTPS 的每个回答都带上 `Strict-Transport-Security: max-age=31536000; includeSubDomains`（nginx 要加 `always`）",
    )
}

/// The directive `max-age`, which must be there once.
fn max_age(policy: &str) -> Option<u64> {
    let mut ages = policy.split(';').filter_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"'))
    });
    let age = ages.next()?;
    if ages.next().is_some() { None } else { age.parse().ok() }
}

/// The shortest time that a page's HSTS holds.
fn policies(pages: &[Page]) -> Result<u64, Fault> {
    pages.iter().try_fold(u64::MAX, |shortest, page| Ok(shortest.min(page.policy()?)))
}

fn lasting(pages: &[Page], missing: Result<Page, Fault>) -> Result<(), Fault> {
    let shortest = policies(pages)?.min(missing?.policy()?);
    if shortest >= YEAR {
        return Ok(());
    }
    Err(wrong(
        "hsts-short",
        Text::new(format!("HSTS holds for {shortest} s only"), format!("HSTS 只有 {shortest} 秒")),
        advice(),
    ))
}

fn secured(pages: &[Page], expected: bool) -> Result<usize, Fault> {
    let mut count = 0;
    for page in pages {
        for cookie in page.all("set-cookie") {
            count += 1;
            let is_secure = cookie.split(';').skip(1).any(|part| part.trim().eq_ignore_ascii_case("secure"));
            if !is_secure {
                let name = cookie.split('=').next().unwrap_or_default();
                return Err(wrong(
                    "cookie",
                    Text::new(
                        format!("{} sets the cookie {name} without Secure", page.path),
                        format!("{} 设置的 cookie {name} 没有 Secure", page.path),
                    ),
                    Text::new(
                        "set it with `Secure`, `HttpOnly` and `SameSite`",
                        "请加上 `Secure`、`HttpOnly` 和 `SameSite`",
                    ),
                ));
            }
        }
    }
    match count {
        0 if expected => Err(Fault::inconclusive(Text::new(
            "no page set a cookie: name one in `pages` that does, or say `cookies = false` for a site without any",
            "没有页面设置 cookie：请在 `pages` 里写一个会设置的页面；网站从不设置的话写 `cookies = false`",
        ))),
        0 => Err(Fault::skip(Text::new("the site sets no cookies", "网站不设置 cookie"))),
        count => Ok(count),
    }
}

/// What a page loads by itself comes over HTTPS as well.
fn unmixed(pages: &[Page]) -> Result<(), Fault> {
    for page in pages {
        if let Some(address) = loaded_in_clear(&page.body) {
            return Err(wrong(
                "mixed-content",
                Text::new(
                    format!("{} loads {address} over HTTP", page.path),
                    format!("{} 通过 HTTP 加载 {address}", page.path),
                ),
                Text::new("write https:// or a path alone", "请写 https:// 或只写路径"),
            ));
        }
    }
    Ok(())
}

/// The first address without TLS that a browser would fetch, or send a form to.
fn loaded_in_clear(body: &[u8]) -> Option<String> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    for Ok(token) in Tokenizer::new_with_emitter(body, emitter) {
        let Token::StartTag(tag) = token else { continue };
        let attribute: &[u8] = match &tag.name[..] {
            b"link" => b"href",
            b"form" => b"action",
            b"object" => b"data",
            b"a" | b"area" | b"base" => continue,
            _ => b"src",
        };
        let value = tag.attributes.iter().find(|(name, _)| name[..] == *attribute).map(|(_, value)| value);
        let value = value.map(|value| String::from_utf8_lossy(&value.value).trim().to_owned());
        if let Some(value) =
            value.filter(|value| value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://")))
        {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_keeps_host_and_path() {
        let leads = |location: &str| leads_to(location, "shop.test", Some(8443), "/a?b=c");
        assert!(leads("https://shop.test/a?b=c") && leads("HTTPS://Shop.test:8443/a?b=c"));
        assert!(leads("https://shop.test:443/a?b=c"));
        for wrong in [
            "http://shop.test/a?b=c",
            "https://shop.test/",
            "https://shop.test/a",
            "https://shop.test:81/a?b=c",
            "/a?b=c",
            "",
        ] {
            assert!(!leads(wrong), "{wrong}");
        }
        assert!(!leads("https://evil.test/a?b=c"));
        assert!(leads_to("https://[::1]/a", "::1", None, "/a"));
    }

    #[test]
    fn a_policy_says_once_how_long_it_holds() {
        assert_eq!(max_age("max-age=31536000; includeSubDomains"), Some(31_536_000));
        assert_eq!(max_age("includeSubDomains ; MAX-AGE=\"5\""), Some(5));
        assert_eq!(max_age("max-age=1; max-age=2"), None);
        assert_eq!(max_age("includeSubDomains"), None);
    }

    #[test]
    fn chunks_are_joined() {
        let page = read(
            "/",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
        );
        assert_eq!(page.map(|page| page.body), Some(b"abcde".to_vec()));
    }

    #[test]
    fn what_a_browser_fetches_is_found() {
        assert!(loaded_in_clear(b"<script src='HTTP://x.test/a.js'></script>").is_some());
        assert!(loaded_in_clear(b"<form action=http://x.test>").is_some());
        assert!(loaded_in_clear(b"<a href='http://x.test'>see</a><img src='/http://'>").is_none());
        assert!(loaded_in_clear(b"<!-- <img src='http://x.test'> -->").is_none());
    }
}
