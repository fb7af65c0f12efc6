//! A response as the bytes that came over the connection (RFC 9112).

use mustdo_plugin::Text;

/// A response to a request that asked for the connection to be closed behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The framing says that nothing is missing. Where the end of the connection is the end of the body, nobody can tell.
    pub(super) is_whole: bool,
    /// Whether the length is told: by Content-Length or in chunks.
    pub(super) is_framed: bool,
}

impl Answer {
    /// Reads it; what is against the rules in words.
    pub(super) fn read(bytes: &[u8], is_closed: bool, is_head: bool) -> Result<Self, Text> {
        let wrong = |en: &str, zh: &str| Err(Text::new(en, zh));
        let Some(end) = find(bytes, b"\r\n\r\n") else {
            return wrong("the head of the response does not end", "响应头没有结束");
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let Some(status) = status(first) else {
            return Err(Text::new(format!("the status line is {first:?}"), format!("状态行是 {first:?}")));
        };
        let (mut length, mut is_chunked) = (None, false);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                return Err(Text::new(
                    format!("a header line is {line:?}"),
                    format!("有一行头部是 {line:?}"),
                ));
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.trim().parse::<usize>().ok()),
                "transfer-encoding" => is_chunked = value.trim().eq_ignore_ascii_case("chunked"),
                _ => {}
            }
        }
        let rest = &bytes[end + 4..];
        if is_chunked && length.is_some() {
            return wrong(
                "it has Content-Length and Transfer-Encoding, of which only one may be there",
                "同时有 Content-Length 和 Transfer-Encoding，只能有一个",
            );
        }
        if is_head {
            return if rest.is_empty() {
                Ok(Self { status, body: Vec::new(), is_whole: true, is_framed: true })
            } else {
                wrong("the response to HEAD has a body", "对 HEAD 的响应带了正文")
            };
        }
        let (body, is_whole) = match length {
            Some(None) => return wrong("Content-Length is no number", "Content-Length 不是数字"),
            Some(Some(length)) if rest.len() > length => {
                return wrong("more comes than Content-Length says", "来的内容比 Content-Length 多");
            }
            Some(Some(length)) => (rest.to_vec(), rest.len() == length),
            None if is_chunked => chunks(rest)?,
            None => (rest.to_vec(), is_closed),
        };
        Ok(Self { status, body, is_whole, is_framed: is_chunked || length.is_some() })
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let (code, _) = rest.split_once(' ')?;
    (code.len() == 3).then(|| code.parse().ok()).flatten()
}

/// What is in the chunks, and whether the last one is there.
fn chunks(mut rest: &[u8]) -> Result<(Vec<u8>, bool), Text> {
    let wrong = || {
        Err(Text::new(
            "the chunks are not framed as they must be: a size in hexadecimal digits, CRLF, as many bytes, CRLF",
            "分块的格式不对：应当是十六进制长度、CRLF、同样多的字节、CRLF",
        ))
    };
    let mut body = Vec::new();
    loop {
        let Some(end) = find(rest, b"\r\n") else { return Ok((body, false)) };
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|line| line.split(';').next());
        let Some(size) = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok()) else {
            return wrong();
        };
        rest = &rest[end + 2..];
        if size == 0 {
            return if rest == b"\r\n" { Ok((body, true)) } else { wrong() };
        }
        let Some(data) = rest.get(..size) else {
            body.extend_from_slice(rest);
            return Ok((body, false));
        };
        body.extend_from_slice(data);
        match rest.get(size..size + 2) {
            Some(b"\r\n") => rest = &rest[size + 2..],
            Some(_) => return wrong(),
            None => return Ok((body, false)),
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Answer, Text> {
        Answer::read(text.as_bytes(), true, false)
    }

    #[test]
    fn a_body_is_what_its_framing_says() {
        let whole = |text: &str| read(text).map(|answer| (answer.text(), answer.is_whole)).unwrap();
        assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"), ("ab".to_owned(), true));
        assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), ("ab".to_owned(), false));
        assert_eq!(whole("HTTP/1.0 200 OK\r\n\r\nab"), ("ab".to_owned(), true));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(whole(&format!("{chunked}2\r\nab\r\nA;x\r\n0123456789\r\n0\r\n\r\n")).0, "ab0123456789");
        assert_eq!(whole(&format!("{chunked}2\r\nab\r\n")), ("ab".to_owned(), false));
    }

    #[test]
    fn what_is_against_the_rules_is_told() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (text, words) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", "more comes"),
            ("200 OK\r\n\r\n", "status line"),
            ("HTTP/1.1 200\r\n\r\n", "status line"),
            ("HTTP/1.1 200 OK\r\nContent-Length", "does not end"),
            ("HTTP/1.1 200 OK\r\nnothing\r\n\r\n", "header line"),
            (&format!("{chunked}3\r\nabcd\r\n0\r\n\r\n"), "not framed"),
            (&format!("{chunked}0\r\n\r\nmore"), "not framed"),
        ] {
            assert!(read(text).unwrap_err().en.contains(words), "{text:?}");
        }
        let head = Answer::read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", true, true);
        assert!(head.unwrap_err().en.contains("HEAD"));
    }
}
