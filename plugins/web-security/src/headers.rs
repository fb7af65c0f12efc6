//! `headers`: are the baseline headers there?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{Advice, Probe, excerpt};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::address::resolve;
use crate::advice::problem;
use crate::browser::{Browser, is_html};
use crate::check::{reach, run};
use crate::crawl;

const ADVICE: Advice =
    Advice { item: "ground.security", with: "pages = [\"/\", \"/about\"]\nerror = \"/error\"" };

/// Pages that are looked at.
const PAGES: usize = 6;

/// What only a stack or a debugger says.
const STACKS: [&str; 12] = [
    "Traceback (most recent call last)",
    "__debugger__",
    "Werkzeug Debugger",
    "DEBUG = True",
    "stack backtrace:",
    "panicked at",
    "node_modules/",
    "at Object.<anonymous> (",
    "Exception in thread",
    "java.lang.",
    "Fatal error: Uncaught",
    "Whoops, looks like something went wrong",
];

mustdo_plugin::parameters! {
    /// Which pages are looked at.
    pub struct Baseline {
        /// Pages of HTML. Without any: / and what it links to.
        pub(crate) pages: Vec<String> = Vec::new(),
        /// A page that answers with an error of the server, where there is one.
        pub(crate) error: Option<String> = None,
        /// Headers of every request.
        pub(crate) headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl Check for Baseline {
    const ID: &'static str = "headers";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("The baseline headers are there", "基本的安全响应头都有"),
            description: Text::new(
                "Opens pages, a file and pages that do not exist, and reads the headers: the character set, nosniff, who may frame the page, the policy for scripts, the referrer, the server's version. Passes when they are there on errors, too, and no error shows a stack.",
                "打开几个页面、一个文件和不存在的页面，看响应头：字符集、nosniff、谁能嵌入页面、脚本策略、Referrer、服务器版本。错误页面也都有，而且不显示调用栈，才算通过。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(2),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "the baseline headers are there, on errors as well",
            "基本的安全响应头都有，错误页面也一样",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

/// One answer that is looked at.
struct Seen {
    line: String,
    response: Response,
}

impl Seen {
    fn is_page(&self) -> bool {
        is_html(&self.response)
    }

    fn has(&self, name: &str, is_right: impl Fn(&str) -> bool) -> bool {
        self.response.headers_named(name).any(|value| is_right(value.trim()))
    }

    fn policy(&self) -> Option<Policy> {
        self.response.header("content-security-policy").map(Policy::parse)
    }
}

impl Baseline {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let looked = self.look(probe);
        let seen = report.judge("pages", Need::Must, looked, |seen| {
            let count = seen.len();
            Text::new(
                format!("looked at {count} answers, errors among them"),
                format!("看了 {count} 个回应，包括错误页面"),
            )
        })?;
        let pages: Vec<&Seen> = seen.iter().filter(|seen| seen.is_page()).collect();
        let all: Vec<&Seen> = seen.iter().collect();
        let charset =
            |seen: &Seen| seen.has("content-type", |value| value.to_ascii_lowercase().contains("charset="));
        report.judge("charset", Need::Must, every(&pages, charset, &CHARSET), |()| {
            Text::new("pages say their character set", "页面写明了字符集")
        });
        let sniff =
            |seen: &Seen| seen.has("x-content-type-options", |value| value.eq_ignore_ascii_case("nosniff"));
        report.judge("nosniff", Need::Must, every(&all, sniff, &NOSNIFF), |()| {
            Text::new("browsers are told not to guess the kind", "告诉了浏览器不要猜内容类型")
        });
        report.judge("framing", Need::Must, every(&pages, is_framed_by_few, &FRAMING), |()| {
            Text::new("other sites cannot frame the pages", "别的网站不能嵌入页面")
        });
        report.judge("no-stack", Need::Must, no_stack(&seen), |()| {
            Text::new("no error shows its stack", "错误页面不显示调用栈")
        });
        report.judge("script-policy", Need::Should, self.scripts(probe, &pages), |()| {
            Text::new("the policy lets no script in that an attacker writes", "策略不放行攻击者写的脚本")
        });
        let referrer = |seen: &Seen| {
            seen.has("referrer-policy", |value| !value.is_empty() && !value.contains("unsafe-url"))
        };
        report.judge("referrer", Need::Should, every(&pages, referrer, &REFERRER), |()| {
            Text::new("other sites do not learn whole addresses", "别的网站得不到完整地址")
        });
        let versioned = |seen: &Seen| !seen.has("server", has_version) && !seen.has("x-powered-by", |_| true);
        report.judge("no-version", Need::Should, every(&all, versioned, &VERSION), |()| {
            Text::new("no header names a version", "响应头里没有版本号")
        })
    }

    fn look(&self, probe: &mut Probe) -> Result<Vec<Seen>, Fault> {
        let mut browser = Browser::default();
        let starts: Vec<&str> =
            if self.pages.is_empty() { vec!["/"] } else { self.pages.iter().map(String::as_str).collect() };
        let visits = crawl::walk(probe, &mut browser, &starts)?;
        let pages = visits.iter().filter(|visit| visit.is_html());
        let mut seen: Vec<Seen> = pages
            .clone()
            .take(PAGES)
            .map(|visit| Seen { line: format!("GET {}", visit.path), response: visit.response.clone() })
            .collect();
        if seen.is_empty() {
            return Err(no_page(&starts));
        }
        let assets: BTreeSet<String> = pages
            .flat_map(|visit| {
                visit
                    .page()
                    .assets()
                    .into_iter()
                    .filter_map(|asset| resolve(&visit.path, &asset))
                    .collect::<Vec<_>>()
            })
            .collect();
        let missing = format!("/{}", probe.generator().token(12));
        let odd = Request::new("POST", "/").header("Content-Type", "application/json").body("{");
        let mut errors =
            vec![Request::get(missing.clone()), Request::get(format!("{missing}/%ff?a[]=%00")), odd];
        errors.extend(self.error.iter().map(Request::get));
        errors.extend(assets.into_iter().take(1).map(Request::get));
        for request in errors {
            let line = format!("{} {}", request.method, request.path);
            seen.push(Seen { line, response: browser.send(probe, request)? });
        }
        Ok(seen)
    }

    /// The policy of the first page: no script of the page's own text, unless it has the nonce or the hash that was given out.
    #[expect(clippy::unused_self, reason = "a step of the check, like the others")]
    fn scripts(&self, probe: &mut Probe, pages: &[&Seen]) -> Result<(), Fault> {
        let Some(page) = pages.first() else { return Ok(()) };
        let weak = |en: &'static str, zh: &'static str| Err(lacks(page, &Rule { what: (en, zh), ..SCRIPTS }));
        let Some(policy) = page.policy() else {
            return weak("no Content-Security-Policy", "没有 Content-Security-Policy");
        };
        let Some(sources) = policy.sources(&["script-src", "default-src"]) else {
            return weak(
                "a Content-Security-Policy without script-src or default-src",
                "Content-Security-Policy 没有 script-src 或 default-src",
            );
        };
        let guarded =
            sources.iter().any(|source| source.starts_with("'nonce-") || source.starts_with("'sha"));
        let has = |word: &str| sources.iter().any(|source| source.eq_ignore_ascii_case(word));
        if has("*") || has("'unsafe-eval'") || (has("'unsafe-inline'") && !guarded) {
            return weak(
                "a policy that allows 'unsafe-inline', 'unsafe-eval' or every host",
                "策略允许 'unsafe-inline'、'unsafe-eval' 或任意主机",
            );
        }
        let none = |name: &[&str]| {
            policy.sources(name).is_some_and(|sources| {
                sources.iter().all(|source| matches!(source.as_str(), "'none'" | "'self'"))
            })
        };
        if !none(&["object-src", "default-src"]) || !none(&["base-uri"]) {
            return weak(
                "a policy without object-src 'none' or base-uri 'none'",
                "策略缺少 object-src 'none' 或 base-uri 'none'",
            );
        }
        let nonces_of = |policy: &Policy| -> Vec<String> {
            let sources = policy.sources(&["script-src", "default-src"]).unwrap_or_default();
            sources.into_iter().filter(|source| source.starts_with("'nonce-")).collect()
        };
        let first = nonces_of(&policy);
        if first.is_empty() {
            return Ok(());
        }
        let path = page.line.trim_start_matches("GET ").to_owned();
        let again = Browser::default().open(probe, &path)?;
        let second = again
            .response
            .header("content-security-policy")
            .map(Policy::parse)
            .map(|policy| nonces_of(&policy));
        if second.is_some_and(|second| second == first) {
            return weak("a nonce that is the same for every answer", "每次回应的 nonce 都一样");
        }
        Ok(())
    }
}

/// A Content-Security-Policy: directives in lower case and their sources.
struct Policy(BTreeMap<String, Vec<String>>);

impl Policy {
    fn parse(text: &str) -> Self {
        let directives = text.split(';').filter_map(|directive| {
            let mut words = directive.split_whitespace().map(str::to_owned);
            Some((words.next()?.to_ascii_lowercase(), words.collect()))
        });
        let mut policy = BTreeMap::new();
        for (name, sources) in directives {
            // The first of a name counts (CSP level 3, 2.2.1).
            policy.entry(name).or_insert(sources);
        }
        Self(policy)
    }

    /// The sources of the first of these directives that is there.
    fn sources(&self, names: &[&str]) -> Option<Vec<String>> {
        names.iter().find_map(|name| self.0.get(*name)).cloned()
    }
}

fn is_framed_by_few(seen: &Seen) -> bool {
    let by_policy = seen.policy().and_then(|policy| policy.sources(&["frame-ancestors"]));
    by_policy.is_some_and(|sources| !sources.iter().any(|source| source == "*"))
        || seen.has("x-frame-options", |value| {
            ["deny", "sameorigin"].iter().any(|right| value.eq_ignore_ascii_case(right))
        })
}

fn has_version(value: &str) -> bool {
    value.contains(|char: char| char.is_ascii_digit())
}

/// A rule for headers, in words.
struct Rule {
    /// What is wrong: "no …".
    what: (&'static str, &'static str),
    why: (&'static str, &'static str),
    remedy: (&'static str, &'static str),
}

const CHARSET: Rule = Rule {
    what: ("no character set in Content-Type", "Content-Type 里没有字符集"),
    why: ("a browser that guesses it can be led to read text as markup", "浏览器靠猜，就可能把文字当成标记"),
    remedy: ("Content-Type: text/html; charset=utf-8", "Content-Type: text/html; charset=utf-8"),
};
const NOSNIFF: Rule = Rule {
    what: ("no X-Content-Type-Options: nosniff", "没有 X-Content-Type-Options: nosniff"),
    why: ("a browser may take a text or an upload for a script", "浏览器可能把文本或上传的文件当成脚本"),
    remedy: ("X-Content-Type-Options: nosniff", "X-Content-Type-Options: nosniff"),
};
const FRAMING: Rule = Rule {
    what: ("neither frame-ancestors nor X-Frame-Options", "既没有 frame-ancestors，也没有 X-Frame-Options"),
    why: (
        "another site can lay the page under its own and have users click there",
        "别的网站可以把页面垫在自己下面，骗用户点击",
    ),
    remedy: (
        "Content-Security-Policy: frame-ancestors 'none'",
        "Content-Security-Policy: frame-ancestors 'none'",
    ),
};
const SCRIPTS: Rule = Rule {
    what: ("", ""),
    why: (
        "a policy is the second wall: what slips through escaping does not run",
        "策略是第二道墙：漏过转义的也执行不了",
    ),
    remedy: (
        "Content-Security-Policy: default-src 'self'; object-src 'none'; base-uri 'none', and a fresh nonce where a page needs a script of its own",
        "Content-Security-Policy: default-src 'self'; object-src 'none'; base-uri 'none'，页面需要内联脚本时每次用新的 nonce",
    ),
};
const REFERRER: Rule = Rule {
    what: ("no Referrer-Policy", "没有 Referrer-Policy"),
    why: (
        "addresses with names and tokens in them are told to other sites",
        "带有名字和令牌的地址会被别的网站知道",
    ),
    remedy: ("Referrer-Policy: same-origin", "Referrer-Policy: same-origin"),
};
const VERSION: Rule = Rule {
    what: ("a header that names the server's version", "响应头写出了服务器版本"),
    why: ("it tells which known mistakes to try", "等于告诉别人该试哪些已知漏洞"),
    remedy: (
        "take the version out of Server, and X-Powered-By away",
        "去掉 Server 里的版本号和 X-Powered-By",
    ),
};

fn every(seen: &[&Seen], holds: impl Fn(&Seen) -> bool, rule: &Rule) -> Result<(), Fault> {
    seen.iter().find(|seen| !holds(seen)).map_or(Ok(()), |seen| Err(lacks(seen, rule)))
}

fn lacks(seen: &Seen, rule: &Rule) -> Fault {
    let line = &seen.line;
    let status = seen.response.status;
    let summary = Text::new(
        format!("{line} ({status}): {}", rule.what.0),
        format!("{line}（{status}）：{}", rule.what.1),
    );
    let message = Text::new(
        format!("{line} was answered {status} with {}; {}", rule.what.0, rule.why.0),
        format!("{line} 返回 {status}，{}；{}", rule.what.1, rule.why.1),
    );
    let hint = Text::new(
        format!("send on every answer, errors too: {}", rule.remedy.0),
        format!("所有回应都加上，错误页面也要：{}", rule.remedy.1),
    );
    Fault::fail(summary).with(problem("web-security.header", line, message, hint))
}

fn no_stack(seen: &[Seen]) -> Result<(), Fault> {
    for Seen { line, response } in seen {
        let body = response.text();
        let Some(sign) = STACKS.iter().find(|sign| body.contains(**sign)) else { continue };
        let at = body.find(sign).unwrap_or_default();
        let shown = excerpt(&body.as_bytes()[at..]);
        let status = response.status;
        let summary = Text::new(
            format!("{line} ({status}) shows the inside of the program"),
            format!("{line}（{status}）暴露了程序内部"),
        );
        let message = Text::new(
            format!(
                "the answer has: {shown}. Paths, versions and settings are what an attacker looks for first"
            ),
            format!("回应里有：{shown}。路径、版本和配置正是攻击者最先找的"),
        );
        let hint = Text::new(
            "switch the debug mode off where others can reach the site",
            "别人能访问的地方要关掉调试模式",
        );
        return Err(Fault::fail(summary).with(problem("web-security.stack", line, message, hint)));
    }
    Ok(())
}

fn no_page(starts: &[&str]) -> Fault {
    let list = starts.join(", ");
    let summary = Text::new(
        format!("none of {list} is a page of HTML that answers 200"),
        format!("{list} 都不是返回 200 的 HTML 页面"),
    );
    let message = Text::new(
        "the headers that are looked at guard pages; there has to be one",
        "要看的响应头是保护页面的，至少得有一个页面",
    );
    let hint = ADVICE.hint("name pages in mustdo.toml, for example:", "在 mustdo.toml 里写上页面，例如：");
    Fault::inconclusive(summary)
        .with(Finding::new(Severity::Warning, "web-security.no-page", message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_browsers_read_it() {
        let policy =
            Policy::parse("Default-Src 'self'; script-src 'nonce-a' ; script-src *;; base-uri 'none'");
        assert_eq!(policy.sources(&["script-src", "default-src"]).unwrap(), ["'nonce-a'"]);
        assert_eq!(policy.sources(&["object-src", "default-src"]).unwrap(), ["'self'"]);
        assert!(policy.sources(&["frame-ancestors"]).is_none());
    }
}
