//! `routing`: does the routing table do what the learner wrote?
//!
//! The learner copies his routes into `routes`; each is met with paths that it must take, with near misses, and with
//! methods that it does not have. That the right rule was reached is seen by the values that it says back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::service::{Advice, Probe, excerpt, line_of, place_of};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Failure, Fault, Parameter, Report, Text, parameters};
use serde::{Deserialize, Serialize};

use crate::json::difference;
use crate::pattern::{Pattern, Sample};

const ADVICE: Advice = Advice {
    item: "python.flask-routing",
    with: "routes = [\"GET /users\", \"GET /users/me\", \"GET /users/<int:id>\", \"GET,POST /notes/<name>\"]",
};

/// Paths of each rule that must match.
const SAMPLES: usize = 6;

/// Rules that make a table worth judging.
const LEAST: usize = 4;

/// What becomes of a slash too many, or too few, at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trailing {
    /// Flask's way: a rule with a slash redirects those without; a rule without one knows no other.
    Redirect,
    /// Each is a path of its own.
    Strict,
    /// Both are the same.
    Merge,
}

impl Parameter for Trailing {
    fn schema() -> Value {
        json!({ "enum": ["redirect", "strict", "merge"] })
    }
}

parameters! {
    /// The routes as they are written in the program.
    pub struct Routing {
        /// `METHODS PATTERN`, such as `GET,POST /notes/<int:id>`; converters are string, int, float, path, uuid. A handler answers JSON with a field for each variable: `{"id": 7}`.
        routes: Vec<String> = Vec::new(),
        /// What becomes of a slash at the end: `redirect` (Flask), `strict` or `merge`.
        trailing: Trailing = Trailing::Redirect,
        /// Headers of every request, such as credentials.
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

/// A rule that was understood.
struct Rule {
    methods: BTreeSet<String>,
    pattern: Pattern,
    text: String,
}

impl Check for Routing {
    const ID: &'static str = "routing";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Routes do what they say", "路由如所写"),
            description: Text::new(
                "Takes the routes as you wrote them and asks for paths that each must take, for near misses, for the fixed path beside the variable one, for methods that a route does not have, and for the slash at the end. A good answer of a route with variables is JSON that says them back, with their type: `{\"id\": 7}`. Bind it by copying your routes into `routes`.",
                "按你写的路由表逐条访问：应当匹配的路径、差一点的路径、变量路由旁边的固定路径、没有声明的方法、末尾的斜杠。带变量的路由应当用 JSON 把变量按类型返回：`{\"id\": 7}`。使用时把你的路由抄进 `routes`。",
            ),
            capabilities: vec![crate::ask()],
            typical: Duration::from_secs(6),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("every route does what it says", "每条路由都如所写"));
        let Some(rules) = report.judge("table", Need::Must, self.rules(), |rules| {
            Text::new(format!("{} routes", rules.len()), format!("{} 条路由", rules.len()))
        }) else {
            return report;
        };
        let mut probe = match Probe::open(context, &self.headers) {
            Ok(probe) => probe,
            Err(failure) => {
                report.judge("matches", Need::Must, Err::<(), _>(failure.into()), |()| Text::same(""));
                return report;
            }
        };
        // Where it stopped is in the report.
        let _ = self.judge(&rules, &mut probe, &mut report);
        report.measure("requests", f64::from(probe.sent()), "1");
        report.evidence("requests", probe.record_text());
        report
    }
}

impl Routing {
    fn rules(&self) -> Result<Vec<Rule>, Fault> {
        let hint = ADVICE.hint(
            "copy your routes, four at least and one with a converter, into mustdo.toml:",
            "把你的路由抄进 mustdo.toml，至少四条，其中一条带转换器：",
        );
        let rules = self.routes.iter().map(|text| rule(text)).collect::<Result<Vec<_>, _>>();
        let rules = rules.map_err(|why| {
            Fault::inconclusive(Text::new(format!("{why}. {}", hint.en), format!("{why}。{}", hint.zh)))
        })?;
        if rules.len() < LEAST || !rules.iter().any(|rule| rule.pattern.converts()) {
            return Err(Fault::inconclusive(hint));
        }
        Ok(rules)
    }

    fn judge(&self, rules: &[Rule], probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
        report.judge("matches", Need::Must, matches(rules, probe), |count| {
            Text::new(
                format!("{count} paths reached their route with the right values"),
                format!("{count} 个路径到达了正确的路由，变量的值也对"),
            )
        })?;
        report.judge("misses", Need::Must, misses(rules, probe), |count| {
            Text::new(format!("{count} near misses are 404"), format!("{count} 个差一点的路径是 404"))
        });
        report.judge("fixed-first", Need::Must, fixed_first(rules, probe), |()| {
            Text::new("a fixed path goes before a variable one", "固定路径优先于变量路径")
        });
        report.judge("methods", Need::Must, methods(rules, probe), |count| {
            Text::new(
                format!("{count} methods that are not there are 405"),
                format!("{count} 个没有声明的方法返回 405"),
            )
        });
        report.judge("slashes", Need::Must, self.slashes(rules, probe), Clone::clone);
        report.judge("head-and-options", Need::Should, automatic(rules, probe), |()| {
            Text::new("HEAD and OPTIONS are answered", "HEAD 和 OPTIONS 都有回应")
        });
        Some(())
    }

    /// The slash at the end, both ways.
    fn slashes(&self, rules: &[Rule], probe: &mut Probe<'_, '_>) -> Result<Text, Fault> {
        let mut judged = 0;
        for rule in rules.iter().filter(|rule| !rule.pattern.segments.is_empty()) {
            let method = rule.method();
            let sample = rule.pattern.sample(probe.generator());
            let token = probe.generator().token(8);
            let other = match sample.path.strip_suffix('/') {
                Some(bare) => bare.to_owned(),
                None => format!("{}/", sample.path),
            };
            // Another rule, or a variable that takes slashes, may have this path for its own.
            if rules.iter().any(|one| one.pattern.slash != rule.pattern.slash && one.pattern.takes(&other))
                || rule.text.contains("path:")
            {
                continue;
            }
            judged += 1;
            let request = ask(method, &format!("{other}?q={token}"));
            let answer = probe.send(request.clone())?;
            self.slash(rule, &sample, &token, &request, &answer)?;
        }
        if judged == 0 {
            return Err(Fault::skip(Text::new("no route has a slash to judge", "没有可以判断斜杠的路由")));
        }
        Ok(Text::new(
            format!("the slash at the end is as said, {judged} times"),
            format!("末尾的斜杠符合约定，共 {judged} 处"),
        ))
    }

    fn slash(
        &self,
        rule: &Rule,
        sample: &Sample,
        token: &str,
        request: &Request,
        answer: &Response,
    ) -> Result<(), Fault> {
        let expected = match self.trailing {
            Trailing::Merge if answer.is_success() => return Ok(()),
            Trailing::Merge => "the same answer as with the other spelling".to_owned(),
            Trailing::Redirect if rule.pattern.slash => {
                let kept =
                    matches!(answer.status, 307 | 308) || (answer.status == 301 && request.method == "GET");
                let location = answer.header("location").unwrap_or_default();
                let path = location
                    .split_once("://")
                    .map_or(location, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
                if kept && path == format!("{}?q={token}", sample.path) {
                    return Ok(());
                }
                format!("308 to {}?q={token}: the method and the query stay", sample.path)
            }
            Trailing::Redirect | Trailing::Strict if answer.status == 404 => return Ok(()),
            Trailing::Redirect | Trailing::Strict => "404".to_owned(),
        };
        let came = match answer.header("location") {
            Some(location) => format!("{} to {location}", answer.status),
            None => answer.status.to_string(),
        };
        Err(fault("slash", request, &rule.text, &expected, &came))
    }
}

impl Rule {
    /// One of its methods, GET before others.
    fn method(&self) -> &str {
        if self.methods.contains("GET") { "GET" } else { self.methods.first().map_or("GET", String::as_str) }
    }
}

/// Whether the answer says the values of a sample back.
fn is_reached(sample: &Sample, answer: &Response) -> Result<(), String> {
    if !answer.is_success() {
        return Err(answer.status.to_string());
    }
    if sample.values.is_empty() {
        return Ok(());
    }
    let Some(body) = answer.json() else {
        return Err(format!("{} with what is no JSON: {}", answer.status, excerpt(&answer.body)));
    };
    let wanted: BTreeMap<_, _> = sample.values.iter().cloned().collect();
    difference(&json!(wanted), &body).map_or(Ok(()), |wrong| Err(format!("{} where {wrong}", answer.status)))
}

fn rule(text: &str) -> Result<Rule, String> {
    let (methods, pattern) = text.trim().split_once(' ').unwrap_or(("GET", text.trim()));
    let methods: BTreeSet<String> =
        methods.split([',', '|']).map(|method| method.trim().to_ascii_uppercase()).collect();
    Ok(Rule { methods, pattern: Pattern::parse(pattern.trim())?, text: text.to_owned() })
}

/// A request without a body; those that need one get an empty object.
fn ask(method: &str, path: &str) -> Request {
    let request = Request::new(method, path);
    if matches!(method, "POST" | "PUT" | "PATCH") { request.json(&json!({})) } else { request }
}

fn send(probe: &mut Probe<'_, '_>, request: &Request) -> Result<Response, Failure> {
    probe.send(request.clone())
}

fn fault(code: &str, request: &Request, rule: &str, expected: &str, came: &str) -> Fault {
    let line = line_of(request);
    let summary = Text::new(
        format!("{line} with the route `{rule}` should be {expected}, and is {came}"),
        format!("{line}，路由 `{rule}`：应为 {expected}，实际是 {came}"),
    );
    let finding = Finding::new(Severity::Problem, format!("http-api.{code}"), summary.clone()).at(place_of(request)).hint(Text::new(
        "let the framework route: converters in the pattern, methods at the route, and no catch-all that answers 200",
        "让框架来做路由：在模式里写转换器，在路由上写方法，不要用返回 200 的兜底路由",
    ));
    Fault::fail(summary).with(finding)
}

fn matches(rules: &[Rule], probe: &mut Probe<'_, '_>) -> Result<usize, Fault> {
    let mut asked: Vec<(usize, Sample)> = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let times = if rule.pattern.is_static() { 1 } else { SAMPLES };
        for _ in 0..times {
            let sample = rule.pattern.sample(probe.generator());
            // Another rule may have this path for its own, or go before this one.
            if !rules.iter().any(|other| {
                other.text != rule.text && other.pattern.is_static() && other.pattern.takes(&sample.path)
            }) {
                asked.push((place, sample));
            }
        }
    }
    probe.generator().shuffle(&mut asked);
    for (place, sample) in &asked {
        let rule = &rules[*place];
        let request = ask(rule.method(), &sample.path);
        let answer = send(probe, &request)?;
        if matches!(answer.status, 401 | 403) {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "{} was answered {}: give the check credentials as `headers`",
                    line_of(&request),
                    answer.status
                ),
                format!("{} 返回 {}：请用 `headers` 给出凭据", line_of(&request), answer.status),
            )));
        }
        if let Err(came) = is_reached(sample, &answer) {
            let wanted: BTreeMap<_, _> = sample.values.iter().cloned().collect();
            let expected =
                if wanted.is_empty() { "200".to_owned() } else { format!("200 with {}", json!(wanted)) };
            return Err(fault("match", &request, &rule.text, &expected, &came));
        }
    }
    Ok(asked.len())
}

/// Near misses, paths of nobody, and paths one segment too long.
fn misses(rules: &[Rule], probe: &mut Probe<'_, '_>) -> Result<usize, Fault> {
    let mut asked: Vec<(String, String)> = Vec::new();
    for rule in rules {
        let near = rule.pattern.misses(probe.generator());
        asked.extend(near.into_iter().map(|path| (path, rule.text.clone())));
        let longer = format!(
            "{}/{}",
            rule.pattern.sample(probe.generator()).path.trim_end_matches('/'),
            probe.generator().token(5)
        );
        asked.push((longer, rule.text.clone()));
    }
    asked.push((format!("/{}", probe.generator().token(12)), "none".to_owned()));
    asked.retain(|(path, _)| !rules.iter().any(|rule| rule.pattern.takes(path)));
    probe.generator().shuffle(&mut asked);
    for (path, rule) in &asked {
        let request = Request::get(path);
        let answer = send(probe, &request)?;
        // Frameworks without converters refuse the value, not the path.
        if !matches!(answer.status, 400 | 404 | 422) {
            return Err(fault("miss", &request, rule, "404", &answer.status.to_string()));
        }
    }
    Ok(asked.len())
}

/// Where a variable takes a fixed path as well, the fixed one goes first.
fn fixed_first(rules: &[Rule], probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
    let mut judged = false;
    for fixed in rules.iter().filter(|rule| rule.pattern.is_static()) {
        let path = fixed.pattern.sample(probe.generator()).path;
        let shadows: Vec<_> =
            rules.iter().filter(|rule| !rule.pattern.is_static() && rule.pattern.takes(&path)).collect();
        for shadow in shadows {
            judged = true;
            let request = ask(fixed.method(), &path);
            let answer = send(probe, &request)?;
            let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
            let body = answer.json().unwrap_or_default();
            let said_back = body.as_object().is_some_and(|fields| fields.values().any(|value| value == last));
            let template = shadow.pattern.sample(probe.generator());
            let named =
                template.values.iter().any(|(name, _)| body.get(name).is_some_and(|value| value == last));
            if !answer.is_success() || (said_back && named) {
                let came = format!("{} with {}", answer.status, excerpt(&answer.body));
                return Err(fault(
                    "shadowed",
                    &request,
                    &fixed.text,
                    &format!("the fixed route, not `{}`", shadow.text),
                    &came,
                ));
            }
        }
    }
    if judged {
        return Ok(());
    }
    Err(Fault::skip(Text::new("no fixed path lies beside a variable one", "没有与变量路径并列的固定路径")))
}

/// A method that a path does not have is 405, and Allow names those that it has.
fn methods(rules: &[Rule], probe: &mut Probe<'_, '_>) -> Result<usize, Fault> {
    let mut judged = 0;
    for rule in rules {
        let sample = rule.pattern.sample(probe.generator());
        let has: BTreeSet<&String> = rules
            .iter()
            .filter(|other| other.pattern.takes(&sample.path))
            .flat_map(|other| &other.methods)
            .collect();
        for method in ["POST", "PUT", "DELETE"] {
            if has.contains(&method.to_owned()) {
                continue;
            }
            judged += 1;
            let request = ask(method, &sample.path);
            let answer = send(probe, &request)?;
            if matches!(answer.status, 401 | 403) {
                return Err(guarded(&request, answer.status));
            }
            if answer.status != 405 {
                return Err(fault("method", &request, &rule.text, "405", &answer.status.to_string()));
            }
            let allow = answer.header("allow").unwrap_or_default();
            let said: BTreeSet<String> =
                allow.split(',').map(|name| name.trim().to_ascii_uppercase()).collect();
            let beside = |name: &String| matches!(name.as_str(), "HEAD" | "OPTIONS" | "");
            let same = said.iter().filter(|name| !beside(name)).collect::<BTreeSet<_>>()
                == has.iter().copied().filter(|name| !beside(name)).collect::<BTreeSet<_>>();
            if !same {
                let has: Vec<_> = has.iter().map(|name| name.as_str()).collect();
                return Err(fault(
                    "allow",
                    &request,
                    &rule.text,
                    &format!("405 with Allow: {}", has.join(", ")),
                    &format!("405 with Allow: {allow}"),
                ));
            }
        }
    }
    Ok(judged)
}

/// Who is asked for a login or a CSRF token before the route is looked for learns nothing of the routes.
fn guarded(request: &Request, status: u16) -> Fault {
    let line = line_of(request);
    Fault::inconclusive(Text::new(
        format!(
            "something before the routes answers {status} to {line}, so whether a route has that method can not be seen: give in `headers` what it asks for (a login, a CSRF token), or switch it off for this test"
        ),
        format!(
            "{line} 在到达路由之前就被拦下（{status}），看不出路由有没有这个方法：请在 `headers` 里给出它要的东西（登录、CSRF 令牌），或在测试时关掉它"
        ),
    ))
}

/// Frameworks answer HEAD like GET, and OPTIONS, by themselves.
fn automatic(rules: &[Rule], probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
    let Some(rule) = rules.iter().find(|rule| rule.methods.contains("GET")) else {
        return Err(Fault::skip(Text::new("no route takes GET", "没有接受 GET 的路由")));
    };
    let sample = rule.pattern.sample(probe.generator());
    for method in ["HEAD", "OPTIONS"] {
        let request = Request::new(method, &sample.path);
        let answer = send(probe, &request)?;
        if !answer.is_success() {
            return Err(fault("automatic", &request, &rule.text, "200", &answer.status.to_string()));
        }
    }
    Ok(())
}
