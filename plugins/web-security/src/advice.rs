//! What to write into `mustdo.toml` when the site cannot be found out by looking.

use mustdo_plugin::http::Response;
use mustdo_plugin::service::{Advice, TARGET, excerpt};
use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Fault, Text};

/// How a site of forms is described, and one that speaks JSON.
const DOORS: &str = "register = \"/register\", login = \"/login\", logout = \"/logout\", whoami = \"/\"";
const API: &str = "register = { path = \"/api/register\", body = { username = \"{user}\", password = \"{password}\" } }, login = { path = \"/api/login\", body = { username = \"{user}\", password = \"{password}\" } }, logout = \"POST /api/logout\", whoami = \"/api/me\"";

/// Could not be told, for want of knowing the site's own addresses.
pub(crate) fn unknown_site(advice: Advice, summary: Text, code: &str, message: Text) -> Fault {
    let [pages, api] = [DOORS, API].map(|with| Advice { with, ..advice }.lines());
    let hint = Text::new(
        format!(
            "name your own addresses in mustdo.toml, for pages with forms:\n{pages}\nor for an interface:\n{api}"
        ),
        format!("在 mustdo.toml 里写上你自己的地址，有表单的页面：\n{pages}\n或接口：\n{api}"),
    );
    Fault::inconclusive(summary).with(Finding::new(Severity::Warning, code, message).hint(hint))
}

/// A request that should simply have worked and met an error of the site.
pub(crate) fn unusable(line: &str, response: &Response, advice: Advice) -> Fault {
    let status = response.status;
    let body = excerpt(&response.body);
    let message = Text::new(
        format!("the answer was: {body}. Nothing can be judged before this works"),
        format!("回应是：{body}。这一步成功之前，什么都没法判断"),
    );
    if matches!(status, 501..=504) {
        let summary = Text::new(
            format!("{line} was answered {status}: what stands behind the address is not ready"),
            format!("{line} 返回 {status}：这个地址后面的程序还没有就绪"),
        );
        return unknown_site(advice, summary, "web-security.not-ready", message);
    }
    let summary = Text::new(
        format!("{line} was answered {status}: the site broke while answering"),
        format!("{line} 返回 {status}：网站在处理时出错"),
    );
    let hint = Text::new(
        "read the site's log for this request and mend the error first",
        "查看网站日志，先修好这个错误",
    );
    Fault::fail(summary).with(problem("web-security.broken", line, message, hint))
}

/// A finding that says why a check did not pass.
pub(crate) fn problem(code: &str, line: &str, message: Text, hint: Text) -> Finding {
    Finding::new(Severity::Problem, code, message).at(place(line)).hint(hint)
}

/// Where a request was sent, or what was done in words.
pub(crate) fn place(line: &str) -> Location {
    let is_request = line.split_once(' ').is_some_and(|(method, path)| {
        method.bytes().all(|byte| byte.is_ascii_uppercase()) && path.starts_with('/')
    });
    if is_request {
        Location::Exchange(TARGET.to_owned(), line.to_owned())
    } else {
        Location::Note(line.to_owned())
    }
}
