//! `outbound`: does the site send people, fetch or run what a stranger tells it to?

use std::collections::BTreeSet;
use std::time::Duration;

use mustdo_plugin::http::Request;
use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text};

use crate::address::encode;
use crate::advice::problem;
use crate::browser::Browser;
use crate::check::{reach, run, visiting};
use crate::crawl;
use crate::flow::{Flow, Member};
use crate::sink::{self, Sink};

const ADVICE: Advice = Advice {
    item: "challenge.web-security",
    with: "redirects = [\"/go?next={value}\"]\npreviews = [\"/preview?url={value}\"]\ncommands = [\"/ping?host={value}\"]",
};

/// Addresses that usually go on, fetch and run.
const REDIRECTS: [&str; 4] =
    ["/go?next={value}", "/redirect?url={value}", "/redirect?to={value}", "/out?url={value}"];
const PREVIEWS: [&str; 4] =
    ["/preview?url={value}", "/fetch?url={value}", "/proxy?url={value}", "/import?url={value}"];
const COMMANDS: [&str; 3] = ["/ping?host={value}", "/lookup?host={value}", "/whois?host={value}"];

/// Names of fields that hold an address or a host.
const FIELDS: [&str; 9] = ["url", "uri", "link", "host", "hostname", "ip", "address", "domain", "target"];

/// Another site, in the ways that are taken for a path of this one (OWASP, unvalidated redirects).
const ELSEWHERE: [&str; 6] = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "///evil.example/",
    "/\t/evil.example/",
    "https:evil.example",
];

/// Fields of posted forms that are tried.
const POSTED: usize = 4;

/// How long a fetch may take to reach the plugin.
const FETCH: Duration = Duration::from_secs(2);

visiting! {
    /// Where an address or a host goes in.
    pub struct Outbound advised by ADVICE {}
}

impl Check for Outbound {
    const ID: &'static str = "outbound";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("The site goes nowhere a stranger tells it to", "网站不会被陌生人指使着往外走"),
            description: Text::new(
                "Logs in with a `next` of another site and opens what leads on; gives features that fetch an address the address of the plugin itself, on this machine; gives features that take a host a sum that only a shell calculates. Passes when nobody is led away, nothing is fetched from this machine, and no sum comes back.",
                "登录时带上指向别的网站的 `next`，打开会跳转的地址；把插件自己在本机的地址交给会抓取网址的功能；把只有 shell 才会算的算式交给要填主机的功能。没有人被带走、没有抓取本机、没有算出结果，才算通过。",
            ),
            capabilities: vec![
                reach(),
                CapabilityRequest {
                    capability: Capability::Listen,
                    reason: "to see whether your site can be made to fetch from this machine".to_owned(),
                    required: false,
                },
            ],
            typical: Duration::from_secs(6),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "nobody is led away, nothing of this machine is fetched, and nothing is run",
            "没有人被带走，没有抓取本机，也没有执行命令",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

/// Something that takes a value.
enum Feature {
    /// An address with `{value}`.
    Address(String),
    /// A field of a form that is posted.
    Field(Sink),
}

impl Feature {
    /// The request with a value; none when the form is gone.
    fn request(
        &self,
        probe: &mut Probe,
        browser: &mut Browser,
        value: &str,
    ) -> Result<Option<Request>, Fault> {
        match self {
            Self::Address(path) => Ok(Some(Request::get(path.replace("{value}", &encode(value))))),
            Self::Field(sink) => sink.request(probe, browser, value),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Address(path) => format!("GET {path}"),
            Self::Field(sink) => format!("{} {}", sink.line(), sink.field()),
        }
    }
}

/// Fields of forms that hold an address or a host.
struct Forms {
    /// Of forms that are sent by GET: addresses with `{value}`.
    paths: Vec<String>,
    posted: Vec<Sink>,
}

/// What takes a value on this site.
struct Features {
    all: Vec<Feature>,
    /// Whether one of them answered a harmless value with success.
    work: bool,
}

impl Outbound {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors());
        let (flow, mut member) = report.judge("flow", Need::Must, found, |(flow, _)| {
            Text::new(format!("logs in by {}", flow.login_line()), format!("用{}登录", flow.login_line()))
        })?;
        report.judge("login-stays", Need::Must, login_stays(probe, &flow, &member), |()| {
            Text::new(
                "a login leads to this site, whatever its address asks for",
                "无论地址里写什么，登录之后都留在本站",
            )
        });
        let outcome = self.redirects_stay(probe, &mut member.browser);
        report.judge("redirects", Need::Must, outcome, |count| {
            Text::new(
                format!("{count} addresses lead on, none of them away"),
                format!("{count} 个跳转地址都不会离开本站"),
            )
        });
        let forms = form_features(probe, &flow, &mut member);
        let forms = match forms {
            Ok(forms) => forms,
            Err(fault) => return report.judge("forms", Need::Must, Err(fault), |()| Text::same("")),
        };
        let own = self.doors().features.previews;
        let previews = features(probe, &mut member.browser, own, &PREVIEWS, &forms, "https://example.com/");
        let outcome = previews.and_then(|features| fetches_nothing(probe, &mut member.browser, &features));
        report.judge("fetches", Need::Must, outcome, |count| {
            Text::new(
                format!("{count} features take an address; none fetched from this machine"),
                format!("{count} 个功能接受网址，都没有抓取本机"),
            )
        });
        let own = self.doors().features.commands;
        let commands = features(probe, &mut member.browser, own, &COMMANDS, &forms, "localhost");
        let outcome = commands.and_then(|features| runs_nothing(probe, &mut member.browser, &features));
        report.judge("commands", Need::Must, outcome, |count| {
            Text::new(
                format!("{count} features take a host; none runs what stands behind it"),
                format!("{count} 个功能接受主机名，都不会执行后面的内容"),
            )
        })?;
        Some(())
    }

    fn redirects_stay(&self, probe: &mut Probe, browser: &mut Browser) -> Result<usize, Fault> {
        let inside = "/robots.txt";
        let mut count = 0;
        let own = self.doors().features.redirects;
        for path in written(own, &REDIRECTS) {
            let request = |value| Request::get(path.replace("{value}", &encode(value)));
            let line = format!("GET {path}");
            let answer = browser.send(probe, request(inside))?;
            if !answer.header("location").is_some_and(|location| location.ends_with(inside)) {
                if !own.is_empty() {
                    return Err(does_not_work(&line, inside, answer.status));
                }
                continue;
            }
            count += 1;
            for elsewhere in ELSEWHERE {
                let answer = browser.send(probe, request(elsewhere))?;
                if let Some(location) = answer.header("location")
                    && leads_away(location)
                {
                    return Err(led_away(&line, elsewhere, location));
                }
            }
        }
        if count > 0 {
            Ok(count)
        } else {
            Err(nothing("leads on to an address that it is given", "按给出的地址跳转"))
        }
    }
}

fn nothing(what: &str, zh: &str) -> Fault {
    Fault::skip(Text::new(format!("no feature was found that {what}"), format!("没有找到会{zh}的功能")))
}

/// What the learner named must be there: a misspelt address would show nothing.
fn does_not_work(line: &str, harmless: &str, status: u16) -> Fault {
    let summary = Text::new(
        format!(
            "{line}, which you named, answered {status} to {harmless}, so it is not what it is named for"
        ),
        format!("你写明的 {line} 对 {harmless} 返回 {status}，它没有这个功能"),
    );
    let message = Text::new(
        format!("sent {line} with the harmless value {harmless} as a logged-in user"),
        format!("以登录用户的身份发送 {line}，值为无害的 {harmless}"),
    );
    let hint = ADVICE.hint("mend the address in mustdo.toml:", "在 mustdo.toml 里改正地址：");
    Fault::inconclusive(summary).with(
        Finding::new(Severity::Warning, "web-security.feature-missing", message)
            .at(crate::advice::place(line))
            .hint(hint),
    )
}

fn written(own: &[String], usual: &[&str]) -> Vec<String> {
    if own.is_empty() { usual.iter().map(|path| (*path).to_owned()).collect() } else { own.to_vec() }
}

/// Whether a browser would leave the site: it takes backslashes for slashes and leaves out tabs (URL standard, 4.4).
fn leads_away(location: &str) -> bool {
    let plain: String = location.chars().filter(|char| !matches!(char, '\t' | '\n' | '\r')).collect();
    let plain = plain.trim().replace('\\', "/").to_ascii_lowercase();
    let rest = plain.strip_prefix("https:").or_else(|| plain.strip_prefix("http:")).unwrap_or(&plain);
    let is_absolute = rest.len() < plain.len() || rest.starts_with("//");
    is_absolute && rest.trim_start_matches('/').starts_with("evil.example")
}

fn led_away(line: &str, sent: &str, location: &str) -> Fault {
    let summary = Text::new(format!("{line} leads to another site"), format!("{line} 会跳到别的网站"));
    let message = Text::new(
        format!(
            "sent {line} with {sent}; the answer's Location is {location}. Whoever trusts the beginning of the link lands at the attacker's page"
        ),
        format!(
            "发送 {line}，值为 {sent}；回应的 Location 是 {location}。相信链接开头的人会落到攻击者的页面"
        ),
    );
    let hint = Text::new(
        "take only addresses that begin with one slash and neither a second one nor a backslash, or a name from a list of your own",
        "只接受以单个斜杠开头、第二个字符不是斜杠或反斜杠的地址，或者用自己列表里的名字",
    );
    Fault::fail(summary).with(problem("web-security.open-redirect", line, message, hint))
}

/// Logs in from the login page with an address to go on to.
fn login_stays(probe: &mut Probe, flow: &Flow, member: &Member) -> Result<(), Fault> {
    for name in ["next", "return_to", "redirect", "url"] {
        for elsewhere in ELSEWHERE.into_iter().take(3) {
            let mut browser = Browser::default();
            let mut request = flow.login_request(probe, &mut browser, &member.account)?;
            let separator = if request.path.contains('?') { '&' } else { '?' };
            request.path = format!("{}{separator}{name}={}", request.path, encode(elsewhere));
            let line = format!("{} {}", request.method, request.path);
            let answer = browser.send(probe, request)?;
            if let Some(location) = answer.header("location")
                && leads_away(location)
            {
                return Err(led_away(&line, elsewhere, location));
            }
        }
    }
    let mut browser = flow.log_in(probe, &member.account)?.browser;
    if flow.sees(probe, &mut browser, &member.account.name)? {
        return Ok(());
    }
    Err(Fault::inconclusive(Text::new(
        "after these logins the right password no longer works, so their answers say nothing",
        "这几次登录之后正确的密码也不行了，看不出什么",
    )))
}

/// Fields of forms that hold an address or a host.
fn form_features(probe: &mut Probe, flow: &Flow, member: &mut Member) -> Result<Forms, Fault> {
    let pages = crawl::walk(probe, &mut member.browser, &["/", &flow.whoami])?;
    let is_asked = |name: &str| FIELDS.contains(&name.to_ascii_lowercase().as_str());
    let (posted, asked): (Vec<_>, Vec<_>) = crawl::forms(&pages).into_iter().partition(|form| form.posts);
    let posted = posted.iter().flat_map(sink::of_form).filter(|sink| is_asked(sink.field())).take(POSTED);
    let posted = posted.collect();
    let mut paths = Vec::new();
    for form in asked {
        for tried in form.fields.iter().filter(|field| is_asked(&field.name)) {
            let value = |field: &crate::form::Field| {
                if field.name == tried.name { "{value}".to_owned() } else { encode(&field.value) }
            };
            let pairs: Vec<_> =
                form.fields.iter().map(|field| format!("{}={}", encode(&field.name), value(field))).collect();
            let path = form.action.split('?').next().unwrap_or_default();
            paths.push(format!("{path}?{}", pairs.join("&")));
        }
    }
    Ok(Forms { paths, posted })
}

/// Those that are there: with what was named, that is all of it.
fn features(
    probe: &mut Probe,
    browser: &mut Browser,
    own: &[String],
    usual: &[&str],
    forms: &Forms,
    harmless: &str,
) -> Result<Features, Fault> {
    let mut candidates: Vec<_> = written(own, usual).into_iter().map(Feature::Address).collect();
    if own.is_empty() {
        candidates.extend(forms.paths.iter().cloned().map(Feature::Address));
        candidates.extend(forms.posted.iter().cloned().map(Feature::Field));
    }
    let mut known = BTreeSet::new();
    let mut found = Features { all: Vec::new(), work: false };
    for feature in candidates {
        if !known.insert(feature.line()) {
            continue;
        }
        let Some(request) = feature.request(probe, browser, harmless)? else { continue };
        let answer = browser.send(probe, request)?;
        let leads_on = (300..400).contains(&answer.status);
        let is_posted = matches!(feature, Feature::Field(_));
        if matches!(answer.status, 401 | 403 | 404 | 405 | 410) || (leads_on && !is_posted) {
            if own.is_empty() {
                continue;
            }
            return Err(does_not_work(&feature.line(), harmless, answer.status));
        }
        // An error is no refusal: without the internet, whoever fetches anything answers 502 as well.
        found.work |= answer.is_success() || leads_on;
        found.all.push(feature);
    }
    Ok(found)
}

/// Gives each feature an address of the plugin's own, and sees whether anybody comes.
fn fetches_nothing(probe: &mut Probe, browser: &mut Browser, features: &Features) -> Result<usize, Fault> {
    if features.all.is_empty() {
        return Err(nothing("fetches an address that it is given", "抓取给出的网址"));
    }
    let listener = match probe.context().listen() {
        Ok(listener) => listener,
        Err(failure) => {
            let why = failure.explain();
            return Err(Fault::skip(Text::new(
                format!("not tried: there is no port to be fetched from ({})", why.en),
                format!("没有试：没有可供抓取的端口（{}）", why.zh),
            )));
        }
    };
    let port = listener.local().port;
    for feature in &features.all {
        for host in ["127.0.0.1", "localhost", "0x7f000001", "[::ffff:127.0.0.1]"] {
            let secret = probe.generator().token(12);
            let url = format!("http://{host}:{port}/{secret}");
            let Some(request) = feature.request(probe, browser, &url)? else { continue };
            let request = browser.dress(request, crate::jar::From::SameSite);
            // Whoever fetches waits for an answer that does not come; the answer to this is of no interest.
            let held = probe.send_and_hold(request, FETCH)?;
            let caller = listener.accept(Duration::from_millis(100));
            drop(held);
            let asked = caller.and_then(|caller| caller.receive(4096)).unwrap_or_default();
            if String::from_utf8_lossy(&asked).contains(&secret) {
                return Err(fetched(&feature.line(), &url));
            }
        }
    }
    if features.work { Ok(features.all.len()) } else { Err(nothing("fetches an address", "抓取网址")) }
}

fn fetched(line: &str, url: &str) -> Fault {
    let summary = Text::new(
        format!("{line} fetches from the server's own machine"),
        format!("{line} 会抓取服务器本机的地址"),
    );
    let message = Text::new(
        format!(
            "sent {line} with {url}, a port that mustdo listened on; the site connected to it and asked for that path. So a stranger reaches what only the server can: databases, the cloud's metadata, other services"
        ),
        format!(
            "发送 {line}，值为 {url}（mustdo 在这个端口监听）；网站连上来请求了这个路径。这样陌生人就能碰到只有服务器能碰的东西：数据库、云的元数据、内部服务"
        ),
    );
    let hint = Text::new(
        "fetch only from hosts of a list; else look the name up yourself, refuse private and loopback addresses, connect to the address that was judged, and do the same for each redirect",
        "只抓取名单里的主机；否则自己解析域名，拒绝内网和回环地址，连接的就是检查过的地址，每次跳转都再检查",
    );
    Fault::fail(summary).with(problem("web-security.ssrf", line, message, hint))
}

/// Gives each feature a sum behind a host; only a shell calculates it.
fn runs_nothing(probe: &mut Probe, browser: &mut Browser, features: &Features) -> Result<usize, Fault> {
    for feature in &features.all {
        for shape in [
            "localhost;echo SUM",
            "localhost|echo SUM",
            "localhost&&echo SUM",
            "localhost\necho SUM",
            "$(echo SUM)",
            "`echo SUM`",
            "\";echo SUM;\"",
            "';echo SUM;'",
        ] {
            let [one, other] = [(); 2].map(|()| probe.generator().number(10_000..99_999));
            let word = probe.generator().token(8);
            let sent = shape.replace("SUM", &format!("{word}$(({one}*{other}))"));
            let Some(request) = feature.request(probe, browser, &sent)? else { continue };
            let answer = browser.visit(probe, request)?;
            if answer.response.text().contains(&format!("{word}{}", one * other)) {
                let line = feature.line();
                let summary = Text::new(
                    format!("{line} runs what it is given in a shell"),
                    format!("{line} 把收到的内容交给 shell 执行"),
                );
                let message = Text::new(
                    format!(
                        "sent {line} with {sent}; the answer has {word}{}, the product. Whoever can do that runs any program as the server's user",
                        one * other
                    ),
                    format!(
                        "发送 {line}，值为 {sent}；回应里有 {word}{}，正是乘积。能这样做就能以服务器的身份运行任何程序",
                        one * other
                    ),
                );
                let hint = Text::new(
                    "start the program with a list of arguments and no shell, and take only what looks like a host",
                    "用参数列表启动程序，不经过 shell，并且只接受像主机名的值",
                );
                return Err(Fault::fail(summary).with(problem(
                    "web-security.command-injection",
                    &line,
                    message,
                    hint,
                )));
            }
        }
    }
    if features.work { Ok(features.all.len()) } else { Err(nothing("takes a host", "接受主机名")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_leave_by_more_than_two_slashes() {
        for location in [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example/",
            "/\t/evil.example",
            "HTTPS:evil.example",
            "\\\\evil.example",
        ] {
            assert!(leads_away(location), "{location}");
        }
        for location in [
            "/",
            "/evil.example",
            "/go?next=//evil.example/",
            "http://127.0.0.1/evil.example",
            "evil.example",
        ] {
            assert!(!leads_away(location), "{location}");
        }
    }
}
