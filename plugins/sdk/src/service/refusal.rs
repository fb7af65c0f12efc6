//! What a request that should simply have worked was answered instead, in words the learner can act on.

use crate::http::{Request, Response};
use crate::verdict::{Finding, Severity};
use crate::{Fault, Text};

use super::probe::{excerpt, line_of, place_of};

/// Which lines of `mustdo.toml` describe the request to the check.
#[derive(Debug, Clone, Copy)]
pub struct Advice {
    /// The shipped item that uses the check.
    pub item: &'static str,
    /// The parameters to paste, one a line.
    pub with: &'static str,
}

impl Advice {
    /// The lines to paste: a table of its own, which TOML takes beside other lines about the item.
    #[must_use]
    pub fn lines(self) -> String {
        format!("[item.\"{}\".with]\n{}", self.item, self.with)
    }

    /// A hint that ends with the lines.
    #[must_use]
    pub fn hint(self, en: &str, zh: &str) -> Text {
        Text::new(format!("{en}\n{}", self.lines()), format!("{zh}\n{}", self.lines()))
    }
}

/// Passes a first request only if it was carried out: guard one of every check.
pub fn expect_success(request: &Request, response: &Response, advice: Advice) -> Result<(), Fault> {
    if response.is_success() { Ok(()) } else { Err(refused(request, response, advice)) }
}

/// Why a first request was not carried out. A server error is the service's fault; anything else says that the check
/// does not know yet how to ask.
#[must_use]
pub fn refused(request: &Request, response: &Response, advice: Advice) -> Fault {
    let status = response.status;
    let line = line_of(request);
    let (en, zh, hint) = match status {
        401 | 403 => (
            "the service asks for credentials",
            "服务要求登录凭据",
            Advice { with: "headers = { Authorization = \"Bearer …\" }", ..advice }
                .hint("give the check credentials in mustdo.toml:", "在 mustdo.toml 里给出凭据："),
        ),
        404 | 405 | 501 => (
            "the service has no such route",
            "服务没有这个路由",
            advice.hint("name the service's own route in mustdo.toml, for example:", "在 mustdo.toml 里写上你自己的路由，例如："),
        ),
        409 | 425 => (
            "the service sees a conflict, although nothing like it was sent before",
            "服务认为有冲突，但之前并没有发过这样的请求",
            advice.hint(
                "refuse only a key that was used before; if a field has to be unique, put \"{token}\" into it, for example:",
                "只应拒绝用过的键；如果某个字段要求唯一，请在其中写 \"{token}\"，例如：",
            ),
        ),
        415 => (
            "the service does not take this media type",
            "服务不接受这种内容类型",
            advice.hint(
                "send what it takes: a table as `body` is sent as JSON, a text as a form; for example:",
                "按服务接受的格式发送：body 写成表就发 JSON，写成字符串就发表单；例如：",
            ),
        ),
        429 => (
            "the service limits the rate",
            "服务限制了请求频率",
            Text::new(
                "raise or switch off the rate limit for this test run",
                "测试时请调高或关闭限流",
            ),
        ),
        300..=399 => (
            "the service redirects",
            "服务做了重定向",
            advice.hint("name the address that answers itself, for example:", "请写最终的地址，例如："),
        ),
        400..=499 => (
            "the service refused the request",
            "服务拒绝了这个请求",
            advice.hint("name fields that it accepts in mustdo.toml, for example:", "在 mustdo.toml 里写上它接受的字段，例如："),
        ),
        502..=504 => (
            "something in front of the service is not ready",
            "服务前面的代理还没有就绪",
            Text::new("wait until the service is up and run again", "等服务启动完成后再运行一次"),
        ),
        _ => (
            "the service broke while answering",
            "服务在处理时出错",
            Text::new("read its log for this request and mend the error first", "查看服务日志，先修好这个错误"),
        ),
    };
    let fault = if status == 500 || status > 504 { Fault::fail } else { Fault::inconclusive };
    let summary =
        Text::new(format!("{line} was answered {status}: {en}"), format!("{line} 返回 {status}：{zh}"));
    let body = excerpt(&response.body);
    let message = Text::new(
        format!("the answer was: {body}. The check can go on only when this request works"),
        format!("回应是：{body}。这个请求成功之后，检查才能继续"),
    );
    let severity = if status >= 500 { Severity::Problem } else { Severity::Warning };
    let finding = Finding::new(severity, "service.refused", message).at(place_of(request)).hint(hint);
    fault(summary).with(finding)
}

#[cfg(test)]
mod tests {
    use crate::http::Timing;
    use crate::verdict::Status;

    use super::*;

    fn status_of(answered: u16) -> Option<Status> {
        let response = Response {
            status: answered,
            headers: Vec::new(),
            body: Vec::new(),
            body_bytes: 0,
            truncated: false,
            timing: Timing::default(),
        };
        let advice = Advice { item: "a.b", with: "create = \"GET /\"" };
        expect_success(&Request::get("/"), &response, advice).err().map(|fault| fault.status())
    }

    #[test]
    fn only_a_server_error_is_the_services_fault() {
        assert_eq!(status_of(201), None);
        assert_eq!(status_of(500), Some(Status::Fail));
        for answered in [301, 400, 401, 403, 404, 405, 409, 415, 422, 429, 501, 502, 503] {
            assert_eq!(status_of(answered), Some(Status::Inconclusive), "{answered}");
        }
    }

    #[test]
    fn advice_is_toml_to_paste() {
        let advice = Advice { item: "a.b", with: "n = 3\nm = 4" };
        assert_eq!(advice.lines(), "[item.\"a.b\".with]\nn = 3\nm = 4");
    }
}
