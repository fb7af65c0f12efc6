//! `sqli`: can I change the query?

use std::collections::BTreeSet;
use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe, excerpt};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::account::Account;
use crate::address::encode;
use crate::advice::problem;
use crate::browser::{Browser, Visit};
use crate::check::{reach, run, visiting};
use crate::crawl;
use crate::flow::Flow;
use crate::form::{Form, Kind};
use crate::sink::{self, People, Sink};

const ADVICE: Advice = Advice {
    item: "challenge.web-security",
    with: "inputs = [\"/search?q={value}\", \"/posts?id={value}\"]\nvalues = [\"word\", \"1\"]",
};

/// Inputs that are tried.
const INPUTS: usize = 6;

/// What databases and their drivers say when a query does not parse.
const ERRORS: [&str; 14] = [
    "SQL syntax",
    "sqlite3.OperationalError",
    "sqlite3.ProgrammingError",
    "SQLITE_ERROR",
    "unrecognized token",
    "unterminated quoted string",
    "syntax error at or near",
    "SQLSTATE",
    "ORA-0",
    "PG::SyntaxError",
    "psycopg2.errors",
    "ER_PARSE_ERROR",
    "MySQLdb.",
    "sqlalchemy.exc",
];

visiting! {
    /// What goes into queries.
    pub struct Sqli advised by ADVICE {}
}

impl Check for Sqli {
    const ID: &'static str = "sqli";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Input never becomes part of a query", "输入不会变成查询语句的一部分"),
            description: Text::new(
                "Finds inputs whose value decides what is shown, and sends values that would be true or false conditions, sums or broken strings if they got into a query as they are; logs in with names that would cut a query short. Only reads are tried, nothing that writes. Passes when all of it is taken for plain text, and a name with a quote is still found.",
                "找到会决定显示内容的输入，发送一旦拼进查询就成为真假条件、算式或断开字符串的值；用会截断查询的名字登录。只试读取，不试写入。全部被当作普通文字，带引号的名字仍能查到，才算通过。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new("whatever is typed stays a value", "输入什么都只是一个值");
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

/// One place of an address that a value goes into.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Input {
    /// With `{value}` in it.
    path: String,
    /// A value that finds something.
    found: String,
}

impl Input {
    fn line(&self) -> String {
        format!("GET {}", self.path)
    }

    fn is_number(&self) -> bool {
        self.found.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn ask(&self, probe: &mut Probe, browser: &mut Browser, value: &str) -> Result<Answer, Fault> {
        let visit = browser.open(probe, &self.path.replace("{value}", &encode(value)))?;
        // What was asked for may be repeated, as it is or as an address; so may what it finds. The same is taken out of
        // every answer, or a short number would take parts of other words out of the plain answer alone.
        let said = [value, &encode(value), &self.found]
            .iter()
            .fold(visit.words(), |said, part| without(&said, part));
        let words = said.split_whitespace().map(str::to_owned).collect();
        let error = ERRORS.iter().find(|error| visit.response.text().contains(**error)).copied();
        Ok(Answer { status: visit.first, words, error, visit })
    }
}

/// The text without `part` where it stands for itself, not inside a longer word or number.
fn without(text: &str, part: &str) -> String {
    let glues = |inside: Option<char>, outside: Option<char>| {
        inside.is_some_and(char::is_alphanumeric) && outside.is_some_and(char::is_alphanumeric)
    };
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find(part).filter(|_| !part.is_empty()) {
        let (before, behind) = (&rest[..place], &rest[place + part.len()..]);
        left.push_str(before);
        let is_inside = glues(part.chars().next(), left.chars().next_back())
            || glues(part.chars().next_back(), behind.chars().next());
        left.push_str(if is_inside { part } else { " " });
        rest = behind;
    }
    left + rest
}

/// What an input was answered.
struct Answer {
    status: u16,
    /// Without what was asked for.
    words: Vec<String>,
    error: Option<&'static str>,
    visit: Visit,
}

impl Answer {
    fn is_like(&self, other: &Self) -> bool {
        self.status == other.status && self.words == other.words
    }

    fn broke(&self) -> bool {
        self.status >= 500 || self.error.is_some()
    }
}

impl Sqli {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors()).and_then(|(flow, first)| {
            let mut people = People::join(probe, &flow, first)?;
            let (inputs, writer) = self.inputs(probe, &flow, &mut people)?;
            Ok((flow, people, inputs, writer))
        });
        let (flow, mut people, inputs, writer) =
            report.judge("inputs", Need::Must, found, |(_, _, inputs, _)| {
                let list = inputs.iter().map(Input::line).collect::<Vec<_>>().join("; ");
                Text::new(
                    format!("values decide what is shown here: {list}"),
                    format!("这些地方的值决定显示什么：{list}"),
                )
            })?;
        let outcome =
            inputs.iter().try_for_each(|input| stays_a_value(probe, &mut people.writer.browser, input));
        report.judge("stays-a-value", Need::Must, outcome, |()| {
            let count = inputs.len();
            Text::new(
                format!("{count} inputs take conditions, sums and quotes for text"),
                format!("{count} 个输入把条件、算式和引号都当作文字"),
            )
        });
        report.judge("login", Need::Must, no_way_around(probe, &flow), |()| {
            Text::new("no name gets around the password", "没有哪个名字能绕过密码")
        });
        let outcome = quoted_name(probe, &mut people, &inputs, writer.as_ref());
        report.judge("quotes-work", Need::Must, outcome, |()| Text::new("O'Brien is found", "能查到 O'Brien"))
    }

    /// Inputs that decide what is shown, and the form that writes what they find.
    fn inputs(
        &self,
        probe: &mut Probe,
        flow: &Flow,
        people: &mut People,
    ) -> Result<(Vec<Input>, Option<Sink>), Fault> {
        let mut candidates: Vec<Input> = Vec::new();
        let mut writer = None;
        for (path, value) in self
            .doors()
            .features
            .inputs
            .iter()
            .zip(self.doors().features.values.iter().chain(std::iter::repeat(&String::new())))
        {
            candidates.push(Input { path: path.clone(), found: value.clone() });
        }
        if candidates.is_empty() {
            let stores = match sink::find(probe, &["/", &flow.whoami], people, &[], ADVICE) {
                Ok(found) => found.sinks.into_iter().filter(|sink| sink.stores).collect(),
                Err(_) => Vec::new(),
            };
            let browser = &mut people.writer.browser;
            let mut words = Vec::new();
            for sink in &stores {
                let word = probe.generator().token(12);
                sink.submit(probe, browser, &word)?;
                words.push((sink, word));
            }
            let pages = crawl::walk(probe, browser, &["/", &flow.whoami])?;
            let forms: Vec<Form> = crawl::forms(&pages).into_iter().filter(|form| !form.posts).collect();
            for (sink, word) in words {
                for input in forms.iter().flat_map(|form| of_form(form, &word)) {
                    if decides(probe, browser, &input)? {
                        candidates.push(input);
                        writer.get_or_insert_with(|| sink.clone());
                    }
                }
            }
            candidates.extend(pages.iter().flat_map(crawl::links).filter_map(|link| of_link(&link)));
        }
        let mut known = BTreeSet::new();
        let mut inputs: Vec<Input> = Vec::new();
        for input in candidates {
            if inputs.len() < INPUTS
                && known.insert(input.path.clone())
                && decides(probe, &mut people.writer.browser, &input)?
            {
                inputs.push(input);
            }
        }
        if inputs.is_empty() { Err(no_input()) } else { Ok((inputs, writer)) }
    }
}

/// The text fields of a search form.
fn of_form(form: &Form, word: &str) -> Vec<Input> {
    let texts = form.fields.iter().filter(|field| matches!(field.kind, Kind::Text | Kind::User));
    texts
        .map(|tried| {
            let value = |field: &crate::form::Field| {
                if field.name == tried.name { "{value}".to_owned() } else { encode(&field.value) }
            };
            let pairs: Vec<_> =
                form.fields.iter().map(|field| format!("{}={}", encode(&field.name), value(field))).collect();
            let path = form.action.split('?').next().unwrap_or_default();
            Input { path: format!("{path}?{}", pairs.join("&")), found: word.to_owned() }
        })
        .collect()
}

/// A number in a link: the value of a parameter, or the last number of its path.
fn of_link(link: &str) -> Option<Input> {
    let is_number =
        |text: &str| !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((path, query)) = link.split_once('?') {
        let pairs: Vec<_> = query.split('&').collect();
        let place =
            pairs.iter().position(|pair| pair.split_once('=').is_some_and(|(_, value)| is_number(value)))?;
        let (name, value) = pairs[place].split_once('=')?;
        let mut written: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        written[place] = format!("{name}={{value}}");
        return Some(Input { path: format!("{path}?{}", written.join("&")), found: value.to_owned() });
    }
    let parts: Vec<_> = link.split('/').collect();
    let place = parts.iter().rposition(|part| is_number(part))?;
    let mut written = parts.clone();
    written[place] = "{value}";
    Some(Input { path: written.join("/"), found: parts[place].to_owned() })
}

/// Whether the value matters: another one is answered differently, and the same one twice alike.
fn decides(probe: &mut Probe, browser: &mut Browser, input: &Input) -> Result<bool, Fault> {
    let other = if input.is_number() { "987654321".to_owned() } else { probe.generator().token(12) };
    let first = input.ask(probe, browser, &input.found)?;
    let second = input.ask(probe, browser, &input.found)?;
    let miss = input.ask(probe, browser, &other)?;
    Ok(first.status == 200 && first.is_like(&second) && !first.is_like(&miss))
}

/// Pairs of values: in a query, the first of each would find what the plain value finds, and the second would not.
fn pairs(probe: &mut Probe, input: &Input) -> Vec<[String; 2]> {
    let v = &input.found;
    let generator = probe.generator();
    let [one, other] = [generator.number(10..50), generator.number(50..99)];
    let mut pairs = Vec::new();
    for and in ["AND", "aNd", "ANANDD", "&&"] {
        pairs.push([format!("{v}' {and} '{one}'='{one}"), format!("{v}' {and} '{one}'='{other}")]);
        pairs.push([format!("{v}%' {and} '{one}%'='{one}"), format!("{v}%' {and} '{other}%'='{one}")]);
        pairs.push([format!("{v}\" {and} \"{one}\"=\"{one}"), format!("{v}\" {and} \"{one}\"=\"{other}")]);
        if input.is_number() {
            pairs.push([format!("{v} {and} {one}={one}"), format!("{v} {and} {one}={other}")]);
        }
    }
    for comment in ["-- ", "#", "/*"] {
        pairs.push([format!("{v}' {comment}"), format!("{v}' AND 1=2 {comment}")]);
        pairs.push([format!("{v}%' {comment}"), format!("{v}%' AND 1=2 {comment}")]);
    }
    if let Ok(number) = v.parse::<u64>() {
        pairs.push([format!("{}-{one}", number + one), format!("{}-{one}", number + one + 987_654)]);
    } else {
        pairs.push([format!("{v}'||'"), format!("{v}'||'{one}")]);
    }
    generator.shuffle(&mut pairs);
    pairs
}

fn stays_a_value(probe: &mut Probe, browser: &mut Browser, input: &Input) -> Result<(), Fault> {
    let baseline = input.ask(probe, browser, &input.found)?;
    if !baseline.is_like(&input.ask(probe, browser, &input.found)?) {
        let line = input.line();
        return Err(Fault::inconclusive(Text::new(
            format!("{line} answers the same value differently each time, so no difference says anything"),
            format!("{line} 对同一个值每次回应都不同，看不出差别"),
        )));
    }
    let broken = input.ask(probe, browser, &format!("{}'", input.found))?;
    let doubled = input.ask(probe, browser, &format!("{}''", input.found))?;
    if broken.error.is_some() || (broken.status >= 500 && !doubled.broke()) {
        return Err(breaks(input, &broken));
    }
    for [like, unlike] in pairs(probe, input) {
        let hit = input.ask(probe, browser, &like)?;
        if hit.error.is_some() {
            return Err(breaks(input, &hit));
        }
        if !hit.is_like(&baseline) {
            continue;
        }
        let miss = input.ask(probe, browser, &unlike)?;
        // A search that leaves out signs finds the word in both, and in this as well, which no query would.
        let plain = input.ask(probe, browser, &format!("{}'|'", input.found))?;
        if !miss.is_like(&baseline) && !plain.is_like(&baseline) {
            return Err(injected(input, &like, &unlike));
        }
    }
    if decides(probe, browser, input)? {
        return Ok(());
    }
    let line = input.line();
    Err(Fault::inconclusive(Text::new(
        format!(
            "{line} no longer finds what it found before, so its refusals say nothing; lift limits while testing"
        ),
        format!("{line} 已经找不到之前能找到的内容，它的拒绝说明不了什么；测试时请放开限制"),
    )))
}

fn remedy() -> Text {
    Text::new(
        "write the query with placeholders and pass values beside it (`WHERE title = ?`), numbers too; filtering words or quotes is no remedy",
        "查询里用占位符，值作为参数传（`WHERE title = ?`），数字也一样；过滤关键字或引号没有用",
    )
}

fn injected(input: &Input, hit: &str, miss: &str) -> Fault {
    let line = input.line();
    let summary = Text::new(
        format!("the value of {line} becomes part of a query"),
        format!("{line} 的值变成了查询的一部分"),
    );
    let message = Text::new(
        format!(
            "sent {hit}: the same page as for {}; sent {miss}: another one. Only a database that runs them as conditions tells these two apart",
            input.found
        ),
        format!(
            "发送 {hit}，页面和 {} 的一样；发送 {miss}，页面不同。只有把它们当条件执行的数据库才分得出来",
            input.found
        ),
    );
    Fault::fail(summary).with(problem("web-security.sql-injection", &line, message, remedy()))
}

fn breaks(input: &Input, answer: &Answer) -> Fault {
    let line = input.line();
    let status = answer.status;
    let body = answer.visit.response.text();
    let at = answer.error.and_then(|error| body.find(error)).unwrap_or_default();
    let shown = excerpt(&body.as_bytes()[at..]);
    let summary = Text::new(
        format!("a quote breaks the query of {line} ({status})"),
        format!("一个引号就让 {line} 的查询出错（{status}）"),
    );
    let message = Text::new(
        format!(
            "sent {}' and got {status}: {shown}. With two quotes it does not break, so the value stands inside a query",
            input.found
        ),
        format!("发送 {}'，返回 {status}：{shown}。换成两个引号就不出错，说明值被拼进了查询", input.found),
    );
    Fault::fail(summary).with(problem("web-security.sql-injection", &line, message, remedy()))
}

/// What would cut the query of the login short behind a name.
const TRICKS: [&str; 4] = ["' -- ", "'#", "' OR '1'='1", "\" -- "];

/// The person with a trick behind whatever people are known by here.
fn tricked(account: &Account, tail: &str) -> Account {
    let Account { name, email, .. } = account;
    Account { name: format!("{name}{tail}"), email: format!("{email}{tail}"), ..account.clone() }
}

/// Names that would cut the query of the login short.
fn no_way_around(probe: &mut Probe, flow: &Flow) -> Result<(), Fault> {
    let member = flow.member(probe)?;
    let name = &member.account.name;
    for tail in TRICKS {
        let account = tricked(&member.account, tail).with_password(probe.generator().token(14));
        let trick = flow.known_as(&account).to_owned();
        let mut browser = flow.log_in(probe, &account)?.browser;
        if flow.sees(probe, &mut browser, name)? {
            let line = flow.login_line();
            let summary =
                Text::new("a name with a quote logs in without the password", "带引号的名字不用密码就能登录");
            let message = Text::new(
                format!(
                    "logged in by {line} as {trick} with a wrong password; {} shows the user {name}",
                    flow.whoami
                ),
                format!("用{line}以 {trick} 和错误的密码登录；{} 显示用户 {name}", flow.whoami),
            );
            return Err(Fault::fail(summary).with(problem(
                "web-security.login-injection",
                &line,
                message,
                remedy(),
            )));
        }
    }
    Ok(())
}

/// Writes a name with a quote and searches for it.
fn quoted_name(
    probe: &mut Probe,
    people: &mut People,
    inputs: &[Input],
    writer: Option<&Sink>,
) -> Result<(), Fault> {
    let input = inputs.iter().find(|input| !input.is_number());
    let (Some(input), Some(writer)) = (input, writer) else {
        return Err(Fault::skip(Text::new(
            "no search was found to look for a quote with",
            "没有找到可以查引号的搜索",
        )));
    };
    let browser = &mut people.writer.browser;
    let name = format!("{}O'Brien", probe.generator().token(8));
    writer.submit(probe, browser, &name)?;
    let hit = input.ask(probe, browser, &name)?;
    let nobody = format!("{}O'Brien", probe.generator().token(8));
    let miss = input.ask(probe, browser, &nobody)?;
    if hit.status == 200 && !hit.is_like(&miss) {
        return Ok(());
    }
    let line = input.line();
    let status = hit.status;
    let summary = Text::new(
        format!("{line} does not find a name with a quote ({status})"),
        format!("{line} 查不到带引号的名字（{status}）"),
    );
    let message = Text::new(
        format!(
            "wrote {name} and searched for it; the answer is that of a name that nobody wrote. Refusing quotes is no protection, and people have them in their names"
        ),
        format!("写入 {name} 再查询，结果和没人写过的名字一样。拒绝引号不是防护，人名里就有引号"),
    );
    Err(Fault::fail(summary).with(problem("web-security.quote-refused", &line, message, remedy())))
}

fn no_input() -> Fault {
    let summary =
        Text::new("no input was found whose value decides what is shown", "没有找到值会决定显示内容的输入");
    let message = Text::new(
        "looked for search forms that find what was just written, and for numbers in links",
        "找过能查到刚写内容的搜索表单，以及链接里的数字",
    );
    let hint = ADVICE.hint(
        "name addresses with {value}, and a value for each that finds something:",
        "写上带 {value} 的地址，以及每个能查到内容的值：",
    );
    Fault::inconclusive(summary)
        .with(Finding::new(Severity::Warning, "web-security.no-input", message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_inside_words_stay_in_every_answer() {
        assert_eq!(
            without("post 5 by u5x, 2025: '5'", "5").split_whitespace().collect::<Vec<_>>(),
            ["post", "by", "u5x,", "2025:", "'", "'"]
        );
        assert_eq!(without("for 5 AND 2=2, nothing", "5 AND 2=2"), "for  , nothing");
        assert_eq!(without("5' 5'5", "5'"), "   5");
        assert_eq!(without("as it is", ""), "as it is");
    }

    #[test]
    fn a_trick_stands_behind_name_and_address() {
        let ann = Account { name: "ann".into(), email: "ann@example.com".into(), password: "p".into() };
        let tricked = tricked(&ann, TRICKS[0]);
        assert_eq!((tricked.name.as_str(), tricked.email.as_str()), ("ann' -- ", "ann@example.com' -- "));
    }

    #[test]
    fn numbers_in_links_are_inputs() {
        let of = |link| of_link(link).map(|input| (input.path, input.found));
        let pair = |path: &str, value: &str| Some((path.to_owned(), value.to_owned()));
        assert_eq!(of("/post?id=3&x=y"), pair("/post?id={value}&x=y", "3"));
        assert_eq!(of("/posts/12/raw"), pair("/posts/{value}/raw", "12"));
        assert_eq!(of("/about"), None);
    }
}
