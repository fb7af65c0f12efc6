//! What a response of an application has to be, whoever asked for it.

use mustdo_plugin::serde_json::Value;
use mustdo_plugin::{Fault, Text};

use crate::session::Raised;
use crate::trouble::cut;

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

/// The exception that came out.
pub(super) fn error(seen: &Value) -> Option<Raised> {
    let error = seen.get("error").filter(|error| !error.is_null())?;
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Raised { class: text("type")?, text: text("text")?, place: text("place") })
}

/// The last start of a response.
pub(super) fn start(seen: &Value) -> Option<&Value> {
    seen.get("starts")?.as_array()?.last()
}

pub(super) fn status(seen: &Value) -> Option<&str> {
    start(seen)?.get("status")?.as_str()
}

/// The control: what was asked for is there.
pub(super) fn answered(seen: &Value, path: &str) -> Result<(), Fault> {
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
pub(super) fn response(seen: &Value, method: &str) -> Result<(), Text> {
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

#[cfg(test)]
mod tests {
    use mustdo_plugin::serde_json::json;

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
}
