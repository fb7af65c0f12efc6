//! `session`: is what carries the login well made?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::advice::problem;
use crate::browser::Browser;
use crate::carrier::Carrier;
use crate::check::{reach, run, visiting};
use crate::flow::{Flow, Member};
use crate::register_login::{log_out, new_session, stays_dead};

const ADVICE: Advice = Advice { item: "challenge.web-security", with: "whoami = \"/\"" };

/// People whose sessions are compared, and how often each logs in.
const PEOPLE: usize = 10;
const LOGINS: usize = 3;

/// Bits that have to differ from session to session: a UUID of version 4 has 122.
const BITS: f64 = 120.0;

visiting! {
    /// How people log in.
    pub struct Session advised by ADVICE {}
}

impl Check for Session {
    const ID: &'static str = "session";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("The session cookie is well made", "会话 cookie 做得可靠"),
            description: Text::new(
                "Finds the cookie or the bearer token that carries the login, logs ten people in three times each and compares the values; plants a value before the login; looks for the value in addresses and pages. Passes when scripts cannot read it, every login has a new one that nobody guesses, and none that somebody else chose. What is about cookies alone is not asked of a bearer token.",
                "找出承载登录的 cookie 或 Bearer 令牌，让十个人各登录三次，比较它的值；登录前先放一个值进去；再看地址和页面里有没有出现它。脚本读不到、每次登录都是猜不到的新值、别人选的值不算数，才算通过。Bearer 令牌不问只和 cookie 有关的部分。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(15),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "scripts cannot read the session, nobody guesses it, and nobody chooses it",
            "会话脚本读不到、猜不到，也不能由别人指定",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl Session {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors()).and_then(|(flow, member)| {
            let carrier = Carrier::find(probe, &flow, &member)?.ok_or_else(nowhere)?;
            Ok((flow, member, carrier))
        });
        let (flow, member, carrier) =
            report.judge("session", Need::Must, found, |(_, _, carrier)| match carrier {
                Carrier::Cookie(name) => Text::new(
                    format!("the cookie `{name}` carries the login"),
                    format!("cookie `{name}` 承载登录"),
                ),
                Carrier::Bearer => Text::new(
                    "a bearer token carries the login, which no browser sends by itself",
                    "登录状态在 Bearer 令牌里，浏览器不会自己带上它",
                ),
            })?;
        if let Carrier::Cookie(cookie) = &carrier {
            Self::judge_cookie(probe, report, &flow, &member, cookie);
        }
        let outcome = values(probe, &flow, &carrier);
        report.judge("values", Need::Must, outcome, |(count, bits)| {
            Text::new(
                format!("{count} logins gave {count} values; at least {bits:.0} bits of them differ"),
                format!("{count} 次登录得到 {count} 个不同的值，至少有 {bits:.0} 位在变"),
            )
        });
        report.judge("not-shown", Need::Must, not_shown(probe, &flow, &member, &carrier), |()| {
            Text::new("its value stands in no address and no page", "它的值不出现在地址和页面里")
        });
        let outcome =
            log_out(probe, &flow).and_then(|(mut before, line)| stays_dead(probe, &flow, &mut before, &line));
        report.judge("dead-after-logout", Need::Should, outcome, |()| {
            Text::new("it is worth nothing after logout", "退出之后它就失效")
        })
    }

    /// What only a cookie can get wrong.
    fn judge_cookie(probe: &mut Probe, report: &mut Report, flow: &Flow, member: &Member, cookie: &str) {
        report.judge("http-only", Need::Must, http_only(member, cookie), |()| {
            Text::new("scripts cannot read it", "脚本读不到它")
        });
        report.judge("same-site", Need::Should, same_site(member, cookie), |()| {
            Text::new("it is not sent along with what other sites post", "别的网站发来的请求不会带上它")
        });
        report.judge("not-planted", Need::Must, not_planted(probe, flow, member, cookie), |()| {
            Text::new(
                "a value that was there before the login is not the session",
                "登录前就有的值不会成为会话",
            )
        });
        report.judge("new-session", Need::Must, new_session(probe, flow), |()| {
            Text::new("login changes the value", "登录会换一个值")
        });
    }
}

fn nowhere() -> Fault {
    Fault::inconclusive(Text::new(
        "neither a cookie nor a bearer token carries the login, so there is no session to look at",
        "登录状态既不在 cookie 里，也不在 Bearer 令牌里，没有会话可看",
    ))
}

fn http_only(member: &Member, cookie: &str) -> Result<(), Fault> {
    if member.browser.jar.iter().any(|kept| kept.name() == cookie && kept.http_only() == Some(true)) {
        return Ok(());
    }
    let summary =
        Text::new(format!("scripts can read the cookie `{cookie}`"), format!("脚本能读到 cookie `{cookie}`"));
    let message = Text::new(
        format!("Set-Cookie of `{cookie}` has no HttpOnly, so one script in a page sends the session away"),
        format!("`{cookie}` 的 Set-Cookie 没有 HttpOnly，页面里的一段脚本就能把会话送出去"),
    );
    let hint = Text::new("set the cookie with HttpOnly", "设置 cookie 时加上 HttpOnly");
    Err(Fault::fail(summary).with(problem(
        "web-security.no-http-only",
        &format!("Set-Cookie: {cookie}"),
        message,
        hint,
    )))
}

fn same_site(member: &Member, cookie: &str) -> Result<(), Fault> {
    use cookie::SameSite::{Lax, Strict};
    let kept = member.browser.jar.iter().find(|kept| kept.name() == cookie);
    if kept.is_some_and(|kept| matches!(kept.same_site(), Some(Lax | Strict))) {
        return Ok(());
    }
    let summary = Text::new(
        format!("the cookie `{cookie}` has no SameSite"),
        format!("cookie `{cookie}` 没有 SameSite"),
    );
    let message = Text::new(
        format!(
            "Set-Cookie of `{cookie}` says neither SameSite=Lax nor Strict; some browsers then send it with requests of other sites"
        ),
        format!(
            "`{cookie}` 的 Set-Cookie 没有写 SameSite=Lax 或 Strict；有的浏览器会在别的网站的请求里带上它"
        ),
    );
    let hint = Text::new("set the cookie with SameSite=Lax", "设置 cookie 时加上 SameSite=Lax");
    Err(Fault::fail(summary).with(problem(
        "web-security.no-same-site",
        &format!("Set-Cookie: {cookie}"),
        message,
        hint,
    )))
}

/// Values of many logins: no two alike, not counting, and with enough that differs.
fn values(probe: &mut Probe, flow: &Flow, carrier: &Carrier) -> Result<(usize, f64), Fault> {
    let mut values = Vec::new();
    for _ in 0..PEOPLE {
        let member = flow.member(probe)?;
        values.extend(carrier.value(&member.browser).map(str::to_owned));
        for _ in 1..LOGINS {
            let attempt = flow.log_in(probe, &member.account)?;
            values.extend(carrier.value(&attempt.browser).map(str::to_owned));
        }
    }
    let count = values.len();
    if count < PEOPLE * LOGINS / 2 {
        return Err(Fault::inconclusive(Text::new(
            format!("only {count} of {} logins gave a value for {}", PEOPLE * LOGINS, carrier.words()),
            format!("{} 次登录只有 {count} 次给出了 {} 的值", PEOPLE * LOGINS, carrier.words()),
        )));
    }
    if values.iter().all(|value| is_signed(value)) {
        // The user's name and a signature: the value is no secret by itself, and has its own check.
        return Ok((count, BITS));
    }
    let distinct: BTreeSet<_> = values.iter().collect();
    if distinct.len() < count {
        return Err(guessable(
            carrier,
            ("the same user gets the same session value again", "同一个用户每次得到同样的会话值"),
            (
                format!("{count} logins of {PEOPLE} users gave {} different values", distinct.len()),
                format!("{PEOPLE} 个用户登录 {count} 次，只有 {} 个不同的值", distinct.len()),
            ),
        ));
    }
    let numbers: Vec<_> = values.iter().map(|value| number(value)).collect();
    let rises = numbers.is_sorted() || numbers.iter().rev().is_sorted();
    if rises {
        return Err(guessable(
            carrier,
            ("session values count", "会话值是递增的"),
            (
                format!(
                    "{count} logins one after the other gave values in order; by chance that does not happen"
                ),
                format!("连续 {count} 次登录的值依次排列，不可能是巧合"),
            ),
        ));
    }
    let bits = differing_bits(&values);
    if bits >= BITS {
        return Ok((count, bits));
    }
    Err(guessable(
        carrier,
        ("session values are too short", "会话值太短"),
        (
            format!(
                "no more than {bits:.0} bits differ between {count} values; {BITS:.0} are needed, so that nobody finds one by trying (OWASP ASVS 5.0, 7.2.3)"
            ),
            format!(
                "{count} 个值之间变化的不超过 {bits:.0} 位；至少需要 {BITS:.0} 位，才试不出来（OWASP ASVS 5.0, 7.2.3）"
            ),
        ),
    ))
}

fn guessable(carrier: &Carrier, (en, zh): (&str, &str), (why, why_zh): (String, String)) -> Fault {
    let hint = Text::new(
        "make the id of a session of 128 bits from the system's secure random source",
        "用系统的安全随机源生成 128 位的会话编号",
    );
    Fault::fail(Text::new(en, zh)).with(problem(
        "web-security.guessable-session",
        &carrier.words(),
        Text::new(why, why_zh),
        hint,
    ))
}

/// Whether the value carries data and a signature, as those of itsdangerous, JWT and Django's signer do. What ends in less
/// than a signature's 128 bits has to be hard to guess itself.
fn is_signed(value: &str) -> bool {
    const SIGNATURE: usize = 22;
    let parts: Vec<_> = value.split(['.', ':']).collect();
    parts.len() >= 3
        && parts.iter().rev().take(2).all(|part| !part.is_empty())
        && parts.last().is_some_and(|part| part.len() >= SIGNATURE)
}

/// Puts values in their order: numbers by size, anything else by its text.
fn number(value: &str) -> (usize, &str) {
    let plain = value.trim_start_matches('0');
    if value.bytes().all(|byte| byte.is_ascii_digit()) { (plain.len(), plain) } else { (0, value) }
}

/// How many bits differ at most: for each place of the value, the logarithm of how many signs its alphabet has.
fn differing_bits(values: &[String]) -> f64 {
    let mut seen: BTreeMap<usize, BTreeSet<char>> = BTreeMap::new();
    for value in values {
        for (place, char) in value.chars().enumerate() {
            seen.entry(place).or_default().insert(char);
        }
    }
    let all: BTreeSet<char> =
        values.iter().flat_map(|value| value.chars()).filter(char::is_ascii_alphanumeric).collect();
    let alphabet = if all.iter().all(char::is_ascii_digit) {
        10.0_f64
    } else if all.iter().all(char::is_ascii_hexdigit) {
        16.0
    } else if all.iter().any(char::is_ascii_uppercase) {
        64.0
    } else {
        36.0
    };
    let moving = seen.values().filter(|chars| chars.len() > 1).count();
    alphabet.log2() * f64::from(u32::try_from(moving).unwrap_or(u32::MAX))
}

/// The value in an address gets into logs and into what other sites see. The answer to a login is where a bearer token is
/// handed out.
fn not_shown(probe: &mut Probe, flow: &Flow, member: &Member, carrier: &Carrier) -> Result<(), Fault> {
    let attempt = flow.log_in(probe, &member.account)?;
    let mut browser = attempt.browser.clone();
    let Some(value) = carrier.value(&browser).map(str::to_owned) else { return Ok(()) };
    let page = flow.look(probe, &mut browser)?;
    let addresses = attempt.visit.led_to.iter().chain([&attempt.visit.path]);
    let place = if addresses.clone().any(|path| path.contains(&value)) {
        ("an address", "地址")
    } else if page.response.text().contains(&value)
        || (*carrier != Carrier::Bearer && attempt.visit.response.text().contains(&value))
    {
        ("a page", "页面")
    } else {
        return Ok(());
    };
    let summary =
        Text::new(format!("the session value stands in {}", place.0), format!("会话的值出现在{}里", place.1));
    let message = Text::new(
        format!(
            "logged in by {}; the value of {} then stands in {}, where logs, other sites and scripts see it",
            flow.login_line(),
            carrier.words(),
            place.0
        ),
        format!(
            "用{}登录后，{} 的值出现在{}里，日志、别的网站和脚本都能看到",
            flow.login_line(),
            carrier.words(),
            place.1
        ),
    );
    let hint = Text::new("carry the session in that header only", "会话只放在这个请求头里");
    Err(Fault::fail(summary).with(problem("web-security.session-shown", &flow.login_line(), message, hint)))
}

/// Plants a value, lets the user log in, and uses the planted value as somebody else.
fn not_planted(probe: &mut Probe, flow: &Flow, member: &Member, cookie: &str) -> Result<(), Fault> {
    let value = probe.generator().token(32);
    let mut planted = Browser::default();
    planted.jar.set(cookie, value.clone());
    let after = flow.log_in_with(probe, planted.clone(), &member.account)?.browser;
    let mut attacker = Browser::default();
    attacker.jar.set(cookie, value);
    if !flow.sees(probe, &mut attacker, &member.account.name)? {
        let mut user = after;
        if flow.sees(probe, &mut user, &member.account.name)? {
            return Ok(());
        }
        return Err(Fault::inconclusive(Text::new(
            format!("a user whose browser brings an unknown `{cookie}` cannot log in"),
            format!("浏览器带着未知的 `{cookie}` 时，用户无法登录"),
        )));
    }
    let summary = Text::new(
        "a session value that somebody else chose is logged in with the user",
        "别人选定的会话值会跟着用户一起登录",
    );
    let message = Text::new(
        format!(
            "put a made-up value into the cookie `{cookie}`, logged in with that browser, and used the value in another one: it is logged in, too"
        ),
        format!(
            "在 cookie `{cookie}` 里放一个编造的值，用这个浏览器登录，再在另一个浏览器里用这个值：也登录了"
        ),
    );
    let hint = Text::new(
        "give out a new session id at login, and take none that the server did not make",
        "登录时换新的会话编号，不接受不是服务器生成的编号",
    );
    Err(Fault::fail(summary).with(problem("web-security.session-planted", &flow.login_line(), message, hint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn only_what_differs_counts_as_bits() {
        let same_end = owned(&["a1ffff", "b2ffff", "c3ffff"]);
        assert!((differing_bits(&same_end) - 8.0).abs() < 1e-9);
        assert!((differing_bits(&owned(&["100", "200"])) - 10f64.log2()).abs() < 1e-9);
    }

    #[test]
    fn values_that_carry_data_are_known() {
        assert!(is_signed("eyJ1IjoxfQ.Z1xYaA.k3J-xZ1xYaAk3J-xZ1xYaAk3J-x"));
        assert!(is_signed("eyJ1IjoxfQ:1tXy:k3J-xZ1xYaAk3J-xZ1xYaAk3J-xk3J-xZ1xYaAk3J-x"));
        assert!(!is_signed("ann.1.000017"));
        assert!(!is_signed("0f3c9a"));
    }

    #[test]
    fn numbers_are_ordered_by_size() {
        assert!(number("9") < number("10"));
        assert!(number("0009") < number("0010"));
    }
}
