//! `enumeration`: can a stranger tell whether a user exists?

use std::collections::BTreeSet;
use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::account::Account;
use crate::advice::problem;
use crate::browser::{Browser, redirect};
use crate::check::{reach, run, visiting};
use crate::flow::Flow;

const ADVICE: Advice = Advice { item: "challenge.web-security", with: "samples = 15" };

/// Wrong passwords for one account: fewer than what sites lock it for.
const TRIES: usize = 3;

/// A random token has at least as many characters.
const TOKEN: usize = 16;

/// A difference below this is not told apart over a network.
const SMALLEST: Duration = Duration::from_millis(8);

/// Headers that say nothing of the user.
const VARYING: [&str; 6] =
    ["date", "set-cookie", "content-length", "content-security-policy", "etag", "x-request-id"];

visiting! {
    /// How people log in.
    pub struct Enumeration advised by ADVICE {
        /// How many wrong logins of each kind are timed.
        #[range(6..=60)]
        pub(crate) samples: u32 = 15,
        /// The times of known and unknown names may differ by this factor.
        #[range(2..=100)]
        pub(crate) time_ratio: u32 = 3,
    }
}

impl Check for Enumeration {
    const ID: &'static str = "enumeration";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new(
                "A failed login does not say whether the user exists",
                "登录失败不透露用户是否存在",
            ),
            description: Text::new(
                "Logs in with wrong passwords: for people who are registered, and for names of the same length that nobody has. Passes when status, headers and words are the same; that it takes as long, too, is asked as a should. Whether registration tells that a name is taken is not judged: a name that is to stay unique cannot be kept secret without mail.",
                "用错误的密码登录：一类是注册过的用户，一类是同样长度、没人用的名字。状态、响应头、文字都一样才算通过；耗时也一样是加分项。注册时提示名字被占用不算错：没有邮件验证，名字唯一就藏不住。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed =
            Text::new("a wrong name and a wrong password look the same", "名字不对和密码不对看起来一样");
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl Enumeration {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors());
        let (flow, _) = report.judge("flow", Need::Must, found, |(flow, _)| {
            Text::new(format!("logs in by {}", flow.login_line()), format!("用{}登录", flow.login_line()))
        })?;
        let series = self.series(probe, &flow);
        let (known, unknown) = report.judge("series", Need::Must, series, |(known, unknown)| {
            let count = known.len() + unknown.len();
            Text::new(
                format!("{count} wrong logins were answered"),
                format!("{count} 次错误登录都得到了回应"),
            )
        })?;
        report.judge("same-answer", Need::Must, same(&flow, &known, &unknown), |()| {
            Text::new("status, headers and words are the same", "状态、响应头和文字都一样")
        });
        let outcome = self.same_time(&flow, &known, &unknown);
        report.judge("same-time", Need::Should, outcome, |(one, other): &(Duration, Duration)| {
            Text::new(
                format!("known names take {} ms, unknown ones {} ms", one.as_millis(), other.as_millis()),
                format!("已有的名字用时 {} 毫秒，没有的 {} 毫秒", one.as_millis(), other.as_millis()),
            )
        })?;
        Some(())
    }

    /// Wrong logins of known and unknown names, in turn.
    fn series(&self, probe: &mut Probe, flow: &Flow) -> Result<(Vec<Failed>, Vec<Failed>), Fault> {
        let samples = usize::try_from(self.samples).unwrap_or_default();
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        let mut account = Account::fresh(probe.generator());
        for place in 0..samples {
            if place % TRIES == 0 {
                account = flow.member(probe)?.account;
            }
            let wrong = probe.generator().token(account.password.len());
            let nobody = Account::fresh(probe.generator()).with_password(&wrong);
            known.push(fail(probe, flow, &account.with_password(&wrong))?);
            unknown.push(fail(probe, flow, &nobody)?);
        }
        if known.iter().chain(&unknown).any(|failed| failed.status == 429) {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "{} limits the rate already after a few wrong logins (429), so answers cannot be compared; allow more tries while testing",
                    flow.login_line()
                ),
                format!(
                    "{}几次错误登录之后就限流（429），没法比较回应；测试时请多允许几次",
                    flow.login_line()
                ),
            )));
        }
        if let Some(failed) = known.iter().chain(&unknown).find(|failed| failed.status >= 500) {
            let (line, status) = (flow.login_line(), failed.status);
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "{line} answers {status} to a wrong password: an error, and no answer that could tell"
                ),
                format!("{line}对错误的密码返回 {status}：这是出错，看不出会不会透露什么"),
            )));
        }
        Ok((known, unknown))
    }

    fn same_time(
        &self,
        flow: &Flow,
        known: &[Failed],
        unknown: &[Failed],
    ) -> Result<(Duration, Duration), Fault> {
        let (one, other) = (median(known), median(unknown));
        let (slow, quick) = (one.max(other), one.min(other));
        if slow < quick * self.time_ratio || slow.saturating_sub(quick) < SMALLEST {
            return Ok((one, other));
        }
        let line = flow.login_line();
        let (one, other) = (one.as_millis(), other.as_millis());
        let summary = Text::new(
            format!("an unknown name is answered in {other} ms, a known one in {one} ms"),
            format!("没有的名字 {other} 毫秒就回应，已有的要 {one} 毫秒"),
        );
        let message = Text::new(
            format!(
                "the medians of {} wrong logins of each kind, in turn: whoever measures that has a list of users",
                known.len()
            ),
            format!("两类错误登录各 {} 次、交替进行的中位数：量一量就能得到用户名单", known.len()),
        );
        let hint = Text::new(
            "for an unknown name, check the password against a made-up hash all the same",
            "名字不存在时，也用一个假的哈希照样校验一遍密码",
        );
        Err(Fault::fail(summary).with(problem("web-security.login-time", &line, message, hint)))
    }
}

/// What a wrong login was answered.
struct Failed {
    status: u16,
    led_to: Option<String>,
    headers: BTreeSet<(String, String)>,
    /// The words of the page, without the name and the password that were sent.
    words: Vec<String>,
    took: Duration,
}

fn fail(probe: &mut Probe, flow: &Flow, account: &Account) -> Result<Failed, Fault> {
    let mut browser = Browser::default();
    let request = flow.login_request(probe, &mut browser, account)?;
    let path = request.path.clone();
    let mut response = browser.send(probe, request)?;
    let (status, took) = (response.status, response.timing.total);
    let led_to = redirect(&path, &response);
    if let Some(next) = &led_to {
        response = browser.open(probe, next)?.response;
    }
    let mut body = response.text().into_owned();
    for sent in [&account.name, &account.email, &account.password] {
        body = body.replace(sent.as_str(), " ");
    }
    let headers = response.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    Ok(Failed {
        status,
        led_to: led_to.map(|path| path.replace(&account.name, "").replace(&account.email, "")),
        headers: headers.filter(|(name, _)| !VARYING.contains(&name.as_str())).collect(),
        words: words(&body),
        took,
    })
}

/// The words of a page. A random token is one, whatever of `-`, `_`, `.`, `+`, `/` and `=` its encoding brings: in each page
/// there are others of them, and else each page would have another number of words.
fn words(body: &str) -> Vec<String> {
    let runs = body.split(|char: char| !char.is_alphanumeric() && !"-_.+/=".contains(char));
    let words = runs.flat_map(|run| {
        let is_token = run.len() >= TOKEN
            && run.contains(|char: char| char.is_ascii_uppercase())
            && run.contains(|char: char| char.is_ascii_lowercase());
        let split = move |char: char| !is_token && !char.is_alphanumeric();
        run.split(split).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    });
    words.collect()
}

/// Compares all answers of one kind with all of the other, but for the places where answers of one kind differ.
fn same(flow: &Flow, known: &[Failed], unknown: &[Failed]) -> Result<(), Fault> {
    let line = flow.login_line();
    let shape = |failed: &Failed| (failed.status, failed.led_to.clone(), failed.words.len());
    for kind in [known, unknown] {
        if let [first, rest @ ..] = kind
            && let Some(other) = rest.iter().find(|other| shape(other) != shape(first))
        {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "wrong logins of the same kind are already answered differently ({} and {})",
                    first.status, other.status
                ),
                format!("同一类错误登录的回应就已经不同（{} 和 {}）", first.status, other.status),
            )));
        }
    }
    let (Some(one), Some(other)) = (known.first(), unknown.first()) else { return Ok(()) };
    if one.status != other.status {
        return Err(told(
            &line,
            &format!("status {} for a known name, {} for an unknown one", one.status, other.status),
            &format!("已有的名字返回 {}，没有的返回 {}", one.status, other.status),
        ));
    }
    if one.led_to != other.led_to {
        return Err(told(&line, "they lead to different pages", "跳转到不同的页面"));
    }
    let steady = |kind: &[Failed]| -> BTreeSet<(String, String)> {
        let mut common = kind[0].headers.clone();
        common.retain(|header| kind.iter().all(|failed| failed.headers.contains(header)));
        common
    };
    let moving: BTreeSet<String> = [known, unknown]
        .into_iter()
        .flat_map(|kind| kind.iter().flat_map(|failed| failed.headers.difference(&kind[0].headers)))
        .map(|(name, _)| name.clone())
        .collect();
    let (of_known, of_unknown) = (steady(known), steady(unknown));
    if let Some((name, value)) =
        of_known.symmetric_difference(&of_unknown).find(|(name, _)| !moving.contains(name))
    {
        return Err(told(
            &line,
            &format!("the header {name}: {value} is on one of them only"),
            &format!("响应头 {name}: {value} 只有其中一种有"),
        ));
    }
    if one.words.len() != other.words.len() {
        return Err(told(
            &line,
            &difference(&one.words, &other.words),
            &difference(&one.words, &other.words),
        ));
    }
    let is_steady =
        |kind: &[Failed], place: usize| kind.iter().all(|failed| failed.words[place] == kind[0].words[place]);
    for place in 0..one.words.len() {
        if is_steady(known, place) && is_steady(unknown, place) && one.words[place] != other.words[place] {
            return Err(told(
                &line,
                &difference(&one.words, &other.words),
                &difference(&one.words, &other.words),
            ));
        }
    }
    Ok(())
}

/// The words around the first difference.
fn difference(one: &[String], other: &[String]) -> String {
    let at = one.iter().zip(other).position(|(one, other)| one != other).unwrap_or_default();
    let around = |words: &[String]| {
        words.iter().skip(at.saturating_sub(2)).take(8).cloned().collect::<Vec<_>>().join(" ")
    };
    format!("“{}” / “{}”", around(one), around(other))
}

fn told(line: &str, what: &str, zh: &str) -> Fault {
    let summary = Text::new(
        format!("a failed login says whether the user exists: {what}"),
        format!("登录失败透露了用户是否存在：{zh}"),
    );
    let message = Text::new(
        format!(
            "logged in with wrong passwords, for registered names and for names of the same length that nobody has; they differ: {what}. So anybody finds out who has an account"
        ),
        format!(
            "用错误的密码登录，一类是注册过的名字，一类是同样长度、没人用的名字；回应不同：{zh}。这样谁都能查出谁有账号"
        ),
    );
    let hint = Text::new(
        "answer both with the same status and the same words",
        "两种情况返回同样的状态和同样的文字",
    );
    Fault::fail(summary).with(problem("web-security.enumeration", line, message, hint))
}

fn median(failed: &[Failed]) -> Duration {
    let mut times: Vec<_> = failed.iter().map(|failed| failed.took).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_one_word_however_it_is_encoded() {
        // As `secrets.token_urlsafe` and itsdangerous write them.
        for token in [
            "Xk2pQ-_7fL0sV-mN4cRw8A",
            "XkapQb_7fL0sVbmN4cRw8A",
            "IjFhMmIi.aR-x2Q.q_Z-0fX9w",
            "a+B/c0dEfGhIjKlM==",
        ] {
            let page = format!("<input type=\"hidden\" name=\"token\" value=\"{token}\"><p>Wrong name.</p>");
            assert_eq!(words(&page).len(), 11, "{:?}", words(&page));
        }
    }

    #[test]
    fn what_people_read_is_taken_apart() {
        let said = words("<p>Wrong-password for known_users/of-all-the-sites.</p>");
        assert_eq!(
            said,
            ["p", "Wrong", "password", "for", "known", "users", "of", "all", "the", "sites", "p"]
        );
    }
}
