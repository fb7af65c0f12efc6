//! `register-login`: does the module register, log in, keep out, and log out correctly?

use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::account::Account;
use crate::advice::{problem, unknown_site};
use crate::browser::Browser;
use crate::carrier::session_cookie;
use crate::check::{reach, run, visiting};
use crate::flow::{AnswerKind, Flow, Member};

const ADVICE: Advice = Advice { item: "must-do.register-login", with: "min_len = 8" };

/// Registrations of one name at once.
const RACERS: usize = 16;

/// Wrong passwords for one account before its right one is tried: fewer than what sites lock an account for.
const TRIES: usize = 3;

/// Where bcrypt stops reading, and the length of the longest password that is tried.
const BCRYPT: usize = 72;
const LONG: usize = 80;

visiting! {
    /// How people register, log in, are recognised and log out.
    pub struct RegisterLogin advised by ADVICE {
        /// The shortest password that the site takes; one shorter by a character must be refused.
        #[range(1..=64)]
        pub(crate) min_len: u32 = 8,
    }
}

impl Check for RegisterLogin {
    const ID: &'static str = "register-login";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Registration and login let in the right person only", "注册登录只放对的人进来"),
            description: Text::new(
                "Registers several people, logs each in and looks at the page that says who is logged in. Passes when the right password works and nothing like it does, one name stays one account even when sixteen register it at once, odd characters survive, and logout ends the session. The accounts stay: use a test database.",
                "注册几个用户，逐个登录，看显示登录身份的页面。只有正确的密码能登录、相近的都不行，十六个请求同时注册同一个名字也只有一个账号，特殊字符不丢，退出后会话结束，才算通过。注册的账号会留下，请用测试库。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(15),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "the right people get in, nobody else does, and logout ends it",
            "对的人能进来，别人进不来，退出之后会话就结束",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl RegisterLogin {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors());
        let (flow, first) = report.judge("flow", Need::Must, found, |(flow, _)| {
            let (register, login, whoami) = (flow.register_line(), flow.login_line(), &flow.whoami);
            Text::new(
                format!("registered by {register}, logged in by {login}; {whoami} shows who is there"),
                format!("用{register}注册，用{login}登录；{whoami} 显示登录的是谁"),
            )
        })?;
        probe.progress(0.1, "two people");
        let outcome = keeps_apart(probe, &flow, &first);
        let second = report.judge("own-page", Need::Must, outcome, |_| {
            Text::new(
                "each user sees their own page, a stranger sees neither",
                "每个用户只看到自己的页面，陌生人都看不到",
            )
        })?;
        probe.progress(0.2, "wrong passwords");
        let outcome = refuses_wrong(probe, &flow, &first, &second);
        report.judge("wrong-password", Need::Must, outcome, |count| {
            Text::new(
                format!("{count} wrong passwords were refused"),
                format!("{count} 个错误的密码都被拒绝"),
            )
        });
        report.judge("whole-password", Need::Must, whole_password(probe, &flow), |()| {
            Text::new(
                format!("a password of {LONG} characters counts to its last one"),
                format!("{LONG} 个字符的密码，最后一个字符也算数"),
            )
        });
        report.judge("identity", Need::Must, identity_is_not_claimed(probe, &flow, &first, &second), |()| {
            Text::new(
                "nobody becomes another user by writing a name into a cookie",
                "在 cookie 里写别人的名字冒充不了别人",
            )
        });
        probe.progress(0.5, "one name, many at once");
        report.judge("one-account", Need::Must, one_account(probe, &flow, &second), |refused| {
            Text::new(
                format!("of {RACERS} registrations of one name at once, {refused} were refused"),
                format!("{RACERS} 个请求同时注册同一个名字，{refused} 个被拒绝"),
            )
        });
        report.judge("odd-characters", Need::Must, odd_characters(probe, &flow), |seen| {
            Text::new(
                format!("quotes, braces and Chinese characters work: {seen} people registered with them"),
                format!("引号、花括号和中文都能用：有 {seen} 个这样的用户注册成功"),
            )
        });
        probe.progress(0.8, "logout");
        self.ends(probe, report, &flow)
    }

    fn ends(&self, probe: &mut Probe, report: &mut Report, flow: &Flow) -> Option<()> {
        let ended = log_out(probe, flow);
        let ended = report.judge("logout", Need::Must, ended, |(_, line)| {
            Text::new(format!("after {line} the user is a stranger"), format!("{line} 之后就是陌生人了"))
        });
        if let Some((mut member, line)) = ended {
            let outcome = again(probe, flow, &member);
            report.judge("login-again", Need::Must, outcome, |()| {
                Text::new("logging in again works", "退出后可以再次登录")
            });
            let outcome = stays_dead(probe, flow, &mut member, &line);
            report.judge("old-session", Need::Should, outcome, |()| {
                Text::new("the old session is worth nothing after logout", "退出后，旧的会话不再有效")
            });
        }
        let outcome = new_session(probe, flow);
        report.judge("new-session", Need::Should, outcome, |()| {
            Text::new("login begins a new session", "登录时换了新的会话编号")
        });
        let outcome = self.lengths(probe, flow);
        report.judge("password-length", Need::Should, outcome, |()| {
            Text::new(
                format!("a password of {} characters is refused, one of 64 is taken", self.min_len - 1),
                format!("{} 个字符的密码被拒绝，64 个字符的可以用", self.min_len - 1),
            )
        })
    }

    fn lengths(&self, probe: &mut Probe, flow: &Flow) -> Result<(), Fault> {
        let length = usize::try_from(self.min_len).unwrap_or_default();
        let account = Account::fresh(probe.generator());
        let short = shaped_password(probe, length.saturating_sub(1));
        let long = shaped_password(probe, 64);
        if !short.is_empty() && can_join(probe, flow, &account.with_password(&short))? {
            let count = short.len();
            let line = flow.register_line();
            let hint = Text::new(
                format!(
                    "refuse passwords of fewer than {length} characters, or name your own limit as `min_len`"
                ),
                format!("拒绝少于 {length} 个字符的密码，或用 `min_len` 写明你的下限"),
            );
            let message = Text::new(
                format!("registered with a password of {count} characters and logged in with it"),
                format!("用 {count} 个字符的密码注册成功，并能登录"),
            );
            let summary = Text::new(
                format!("a password of {count} characters is taken"),
                format!("{count} 个字符的密码也能注册"),
            );
            return Err(Fault::fail(summary).with(problem(
                "web-security.short-password",
                &line,
                message,
                hint,
            )));
        }
        let account = Account::fresh(probe.generator()).with_password(long);
        if can_join(probe, flow, &account)? {
            return Ok(());
        }
        let summary = Text::new("a password of 64 characters is not taken", "64 个字符的密码不能用");
        let message = Text::new(
            "registered with a password of 64 characters, and it does not log in. Long passwords are the good ones (OWASP ASVS 5.0, 6.2.9)",
            "用 64 个字符的密码注册，之后登录不了。长密码才是好密码（OWASP ASVS 5.0, 6.2.9）",
        );
        let hint = Text::new("take passwords of at least 64 characters", "至少允许 64 个字符的密码");
        Err(Fault::fail(summary).with(problem(
            "web-security.long-password",
            &flow.register_line(),
            message,
            hint,
        )))
    }
}

/// Registers a second person; each sees their own page only, and what a stranger sees is nobody's.
fn keeps_apart(probe: &mut Probe, flow: &Flow, first: &Member) -> Result<Member, Fault> {
    let whoami = &flow.whoami;
    if let Some(page) = &flow.leak {
        return Err(shared_page(page, "a stranger", "陌生人"));
    }
    let account = Account::fresh(probe.generator());
    flow.register(probe, &account)?;
    let mut second = Member { browser: flow.log_in(probe, &account)?.browser, account };
    let mut one = first.browser.clone();
    flow.sees(probe, &mut one, &first.account.name)?;
    for (who, zh, mut browser) in
        [("another user", "另一个用户", second.browser.clone()), ("a stranger", "陌生人", Browser::default())]
    {
        if flow.look(probe, &mut browser)?.words().contains(&first.account.name) {
            return Err(shared_page(whoami, who, zh));
        }
    }
    if flow.sees(probe, &mut second.browser, &second.account.name)? {
        return Ok(second);
    }
    Err(Fault::inconclusive(Text::new(
        format!("a second user was registered, but {whoami} does not show them after login"),
        format!("注册了第二个用户，但登录后 {whoami} 不显示他"),
    )))
}

fn shared_page(page: &str, who: &str, zh: &str) -> Fault {
    let summary =
        Text::new(format!("{who} is shown the page of somebody else"), format!("{zh}看到了别人的页面"));
    let message = Text::new(
        format!(
            "one user opened {page}; then {who} opened it and was shown the name of that user. Probably a cache keeps the page and does not look at the cookie"
        ),
        format!("一个用户打开了 {page}，接着{zh}打开它，看到的却是那个用户的名字。多半是缓存没有区分 cookie"),
    );
    let hint = Text::new(
        "send `Cache-Control: no-store` with pages of a logged-in user, and let no cache keep an answer to a request with a cookie",
        "登录用户的页面加上 `Cache-Control: no-store`；带 cookie 的请求不要缓存",
    );
    Fault::fail(summary).with(problem("web-security.shared-page", &format!("GET {page}"), message, hint))
}

/// Tries passwords that are almost right, and the right one after every few.
fn refuses_wrong(probe: &mut Probe, flow: &Flow, first: &Member, second: &Member) -> Result<usize, Fault> {
    let right = &first.account.password;
    let swapped: String = right
        .chars()
        .map(|char| if char.is_lowercase() { char.to_ascii_uppercase() } else { char.to_ascii_lowercase() })
        .collect();
    let other = shaped_password(probe, right.len());
    let mut wrong = vec![
        ("another password", "另一个密码", other),
        ("no password", "空密码", String::new()),
        ("the password of another user", "别的用户的密码", second.account.password.clone()),
        ("the password in other letter case", "大小写颠倒的密码", swapped),
        ("the password with a space behind it", "后面多一个空格的密码", format!("{right} ")),
        ("the first eight characters of the password", "密码的前八个字符", right.chars().take(8).collect()),
    ];
    probe.generator().shuffle(&mut wrong);
    for tries in wrong.chunks(TRIES) {
        // A new account for every few, so that none is locked; its password is the first one's.
        let account = Account::fresh(probe.generator()).with_password(right);
        let mut member = flow.join(probe, account)?;
        let name = member.account.name.clone();
        for (what, zh, password) in tries {
            let mut attempt = flow.log_in(probe, &member.account.with_password(password))?;
            if attempt.visit.response.status >= 500 {
                return Err(crate::advice::unusable(
                    &flow.login_line(),
                    &attempt.visit.response,
                    flow.advice(),
                ));
            }
            if flow.sees(probe, &mut attempt.browser, &name)? {
                return Err(let_in(flow, what, zh, attempt.visit.first));
            }
        }
        member.browser = flow.log_in(probe, &member.account)?.browser;
        if !flow.sees(probe, &mut member.browser, &name)? {
            return Err(locked(flow));
        }
    }
    Ok(wrong.len())
}

fn let_in(flow: &Flow, what: &str, zh: &str, status: u16) -> Fault {
    let line = flow.login_line();
    let summary = Text::new(format!("{what} logs in"), format!("{zh}也能登录"));
    let message = Text::new(
        format!(
            "logged in by {line} with {what}; it was answered {status} and {} then shows the user as logged in",
            flow.whoami
        ),
        format!("用{line}登录，密码是{zh}；返回 {status}，之后 {} 显示已经登录", flow.whoami),
    );
    let hint = Text::new(
        "compare the whole password, as it was typed, with the stored hash by the library's own function, and stop when it says no",
        "用库自带的函数把整个密码原样和存下的哈希比较，不一致就拒绝",
    );
    Fault::fail(summary).with(problem("web-security.wrong-password", &line, message, hint))
}

fn locked(flow: &Flow) -> Fault {
    let line = flow.login_line();
    Fault::inconclusive(Text::new(
        format!(
            "after {TRIES} wrong passwords {line} no longer takes the right one, so it cannot be told what it refuses; allow more tries while testing"
        ),
        format!(
            "{TRIES} 次错误密码之后，{line}连正确的密码也不接受，看不出它拒绝的是什么；测试时请多允许几次"
        ),
    ))
}

/// A long password that differs in its last character only.
fn whole_password(probe: &mut Probe, flow: &Flow) -> Result<(), Fault> {
    let password = shaped_password(probe, LONG);
    let account = Account::fresh(probe.generator()).with_password(&password);
    let registered = flow.register(probe, &account)?;
    let mut browser = flow.log_in(probe, &account)?.browser;
    if !flow.sees(probe, &mut browser, &account.name)? {
        let status = registered.visit.first;
        return Err(Fault::skip(Text::new(
            format!(
                "a password of {LONG} characters is not taken (registration answered {status}), so none of it is ignored"
            ),
            format!("{LONG} 个字符的密码不能用（注册返回 {status}），谈不上截断"),
        )));
    }
    let mut other = password[..LONG - 1].to_owned();
    other.push(if password.ends_with('a') { 'b' } else { 'a' });
    let mut attempt = flow.log_in(probe, &account.with_password(other))?;
    if !flow.sees(probe, &mut attempt.browser, &account.name)? {
        return Ok(());
    }
    let summary = Text::new(
        "a long password counts only in part: another end logs in as well",
        "长密码只有一部分算数：结尾不同也能登录",
    );
    let message = Text::new(
        format!(
            "registered with {LONG} characters and logged in with {LONG} of which the last is another one. bcrypt reads no more than {BCRYPT} bytes"
        ),
        format!("用 {LONG} 个字符注册，最后一个字符不同也登录成功。bcrypt 只读前 {BCRYPT} 个字节"),
    );
    let hint = Text::new(
        "hash with argon2id or scrypt, or refuse passwords that are longer than bcrypt reads",
        "改用 argon2id 或 scrypt，或者拒绝超过 bcrypt 长度的密码",
    );
    Err(Fault::fail(summary).with(problem(
        "web-security.truncated-password",
        &flow.login_line(),
        message,
        hint,
    )))
}

/// Writes the first user's name into cookies: as a stranger, and wherever the second user's cookies hold a name.
fn identity_is_not_claimed(
    probe: &mut Probe,
    flow: &Flow,
    first: &Member,
    second: &Member,
) -> Result<(), Fault> {
    let name = &first.account.name;
    let mut claims = Vec::new();
    for cookie in second.browser.jar.iter() {
        if cookie.value().contains(&second.account.name) {
            let mut browser = second.browser.clone();
            browser.jar.set(cookie.name(), cookie.value().replace(&second.account.name, name));
            claims.push((cookie.name().to_owned(), browser));
        }
    }
    for guess in ["user", "username", "name", "login"] {
        let mut browser = Browser::default();
        browser.jar.set(guess, name.clone());
        claims.push((guess.to_owned(), browser));
    }
    for (cookie, mut browser) in claims {
        if flow.sees(probe, &mut browser, name)? {
            let summary = Text::new(
                format!("whoever writes a name into the cookie `{cookie}` is that user"),
                format!("在 cookie `{cookie}` 里写谁的名字，就成了谁"),
            );
            let message = Text::new(
                format!(
                    "sent the name of another user as the cookie `{cookie}`, with no password and none of that user's cookies; {} shows that user as logged in",
                    flow.whoami
                ),
                format!(
                    "把别人的名字放进 cookie `{cookie}`，没有密码，也没有他的其他 cookie；{} 就显示那个人已登录",
                    flow.whoami
                ),
            );
            let hint = Text::new(
                "keep the identity in the server's session, or sign the cookie, and take nothing from the client unchecked",
                "把身份放在服务器端的会话里，或给 cookie 签名；客户端给的都要验证",
            );
            let line = format!("GET {}", flow.whoami);
            return Err(Fault::fail(summary).with(problem(
                "web-security.claimed-identity",
                &line,
                message,
                hint,
            )));
        }
    }
    Ok(())
}

/// One name stays one account, whether it is registered again or sixteen times at once.
fn one_account(probe: &mut Probe, flow: &Flow, taken: &Member) -> Result<usize, Fault> {
    let fresh = Account::fresh(probe.generator());
    let accepted = flow.register(probe, &fresh)?.kind();
    let other = shaped_password(probe, 16);
    let intruder = taken.account.with_password(other);
    let refused = flow.register(probe, &intruder)?.kind();
    let mut attempt = flow.log_in(probe, &intruder)?;
    if flow.sees(probe, &mut attempt.browser, &intruder.name)? {
        let message = Text::new(
            "registered a name that is taken, with another password, and logged in with that password",
            "用已被占用的名字和另一个密码注册，然后用这个密码登录成功",
        );
        return Err(doubled(
            flow,
            Text::new("a name that is taken can be registered again", "已被占用的名字还能再注册"),
            message,
        ));
    }
    let account = Account::fresh(probe.generator());
    let mut racers = Vec::new();
    let mut requests = Vec::new();
    for _ in 0..RACERS {
        let racer = account.with_password(shaped_password(probe, 16));
        requests.push(flow.registration(probe, &racer)?);
        racers.push(racer);
    }
    let mut winners = Vec::new();
    let mut answered = 0;
    for ((request, answer), racer) in requests.clone().iter().zip(probe.send_all(requests)?).zip(&racers) {
        let Ok(response) = answer else { continue };
        answered += 1;
        let won = if accepted == refused {
            let mut attempt = flow.log_in(probe, racer)?;
            flow.sees(probe, &mut attempt.browser, &racer.name)?
        } else {
            AnswerKind::of(&request.path, &response) == accepted
        };
        if won {
            winners.push(racer);
        }
    }
    if winners.len() > 1 {
        let count = winners.len();
        let summary = Text::new(
            format!("one name was registered {count} times when {RACERS} tried at once"),
            format!("{RACERS} 个请求同时注册同一个名字，成功了 {count} 个"),
        );
        let status = accepted.status();
        let message = Text::new(
            format!(
                "sent {RACERS} registrations of one name at once, each with a password of its own; {count} were answered like a registration that worked ({status}), and one after the other only the first is"
            ),
            format!(
                "同时发出 {RACERS} 个同名注册，密码各不相同；{count} 个得到注册成功的回应（{status}），而依次注册时只有第一个成功"
            ),
        );
        return Err(doubled(flow, summary, message));
    }
    let [winner] = winners.as_slice() else {
        return Err(Fault::inconclusive(Text::new(
            format!(
                "of {RACERS} registrations at once {answered} were answered and none worked, so it cannot be told whether one name stays one account"
            ),
            format!(
                "同时发出的 {RACERS} 个注册有 {answered} 个得到回应，没有一个成功，看不出一个名字是否只有一个账号"
            ),
        )));
    };
    let mut attempt = flow.log_in(probe, winner)?;
    if flow.sees(probe, &mut attempt.browser, &winner.name)? {
        return Ok(RACERS - 1);
    }
    let summary = Text::new(
        "the one registration that was accepted among many at once does not log in",
        "许多同时的注册里唯一成功的那个，却登录不了",
    );
    let message = Text::new(
        format!(
            "of {RACERS} registrations of one name at once, one was answered as done; its password does not log in, so another one was kept"
        ),
        format!("{RACERS} 个同名注册里只有一个返回成功，但它的密码登录不了，存下的是另一个"),
    );
    Err(doubled(flow, summary, message))
}

fn doubled(flow: &Flow, summary: Text, message: Text) -> Fault {
    let hint = Text::new(
        "put a unique key on the name in the database, insert without looking first, and tell the user when the key says no",
        "在数据库里给用户名加唯一键，不要先查再插，插入失败就告诉用户已被占用",
    );
    Fault::fail(summary).with(problem("web-security.double-account", &flow.register_line(), message, hint))
}

/// Names and passwords with characters that mean something to SQL, JSON and HTML.
fn odd_characters(probe: &mut Probe, flow: &Flow) -> Result<usize, Fault> {
    let ordinary = Account::fresh(probe.generator());
    let accepted = flow.register(probe, &ordinary)?.kind();
    let token = probe.generator().token(8);
    let generator = probe.generator();
    let people = [
        ("name", "名字", Account::named(&format!("{token} O'Brien\"--"), generator)),
        ("name", "名字", Account::named(&format!("{{\"$gt\": \"{token}\"}}"), generator)),
        ("name", "名字", Account::named(&format!("王小{token}"), generator)),
        (
            "password",
            "密码",
            Account::fresh(generator).with_password(format!("' OR '1'='1' -- \"}}密码{token}Aa1")),
        ),
    ];
    let mut worked = 0;
    for (what, zh, account) in people {
        let attempt = flow.register(probe, &account)?;
        if attempt.visit.response.status < 500 && attempt.kind() != accepted {
            // A site may have its own rules for names. What it takes must work.
            continue;
        }
        let mut login = flow.log_in(probe, &account)?;
        let words = flow.look(probe, &mut login.browser)?.words();
        if words.contains(&account.name) {
            worked += 1;
            continue;
        }
        let status = attempt.visit.first;
        let shown =
            if what == "name" { account.name.clone() } else { "' OR '1'='1' -- \"}密码…".to_owned() };
        let summary = Text::new(
            format!("a {what} with odd characters registers and does not log in"),
            format!("带特殊字符的{zh}能注册，却登录不了"),
        );
        let message = Text::new(
            format!(
                "registered with the {what} {shown} (answered {status}, like any other); logging in with the same does not work"
            ),
            format!("用{zh} {shown} 注册（返回 {status}，和平常一样），再用同样的登录却不行"),
        );
        let hint = Text::new(
            "pass values to the database as parameters, keep them as UTF-8, and change nothing of a name or password on its way",
            "把值作为参数传给数据库，用 UTF-8 保存，途中不要改动名字和密码",
        );
        return Err(Fault::fail(summary).with(problem(
            "web-security.odd-characters",
            &flow.register_line(),
            message,
            hint,
        )));
    }
    if worked > 0 {
        return Ok(worked);
    }
    Err(Fault::skip(Text::new(
        "the site takes none of the odd names and passwords, and says so when they register",
        "网站不接受这些特殊的名字和密码，注册时就拒绝了",
    )))
}

/// Logs somebody out and looks with the browser that did it. Hands back the member with the cookies from before.
pub(crate) fn log_out(probe: &mut Probe, flow: &Flow) -> Result<(Member, String), Fault> {
    let before = flow.member(probe)?;
    let mut browser = before.browser.clone();
    let Some(line) = flow.log_out(probe, &mut browser)? else {
        return Err(unknown_site(
            flow.advice(),
            Text::new("no way to log out was found", "没有找到退出登录的办法"),
            "web-security.no-logout",
            Text::new(
                format!(
                    "{} offers no form or link to log out, and none of the usual addresses works",
                    flow.whoami
                ),
                format!("{} 上没有退出的表单或链接，常见的地址也都不行", flow.whoami),
            ),
        ));
    };
    if !flow.sees(probe, &mut browser, &before.account.name)? {
        return Ok((before, line));
    }
    let summary = Text::new(format!("{line} does not log out"), format!("{line} 没有真正退出"));
    let message = Text::new(
        format!("logged in, sent {line}, and {} still shows the user as logged in", flow.whoami),
        format!("登录后发送 {line}，{} 仍然显示已登录", flow.whoami),
    );
    let hint = Text::new(
        "delete the session on the server, and let the answer remove the cookie",
        "在服务器上删除会话，并让回应清掉 cookie",
    );
    Err(Fault::fail(summary).with(problem("web-security.no-logout", &line, message, hint)))
}

fn again(probe: &mut Probe, flow: &Flow, member: &Member) -> Result<(), Fault> {
    let mut browser = flow.log_in(probe, &member.account)?.browser;
    if flow.sees(probe, &mut browser, &member.account.name)? {
        return Ok(());
    }
    let summary = Text::new("a user who logged out cannot log in again", "退出之后不能再登录");
    let message = Text::new(
        "logged in, logged out, and logged in once more with the same password: the site does not show the user",
        "登录、退出，再用同样的密码登录：网站不显示已登录",
    );
    let hint =
        Text::new("look what logout removes: only the session may go", "看看退出时删掉了什么：只应删掉会话");
    Err(Fault::fail(summary).with(problem("web-security.no-second-login", &flow.login_line(), message, hint)))
}

/// Uses the cookies from before the logout.
pub(crate) fn stays_dead(
    probe: &mut Probe,
    flow: &Flow,
    before: &mut Member,
    line: &str,
) -> Result<(), Fault> {
    if !flow.sees(probe, &mut before.browser, &before.account.name)? {
        return Ok(());
    }
    let summary = Text::new("a session that was ended works on", "退出后，旧的会话还能用");
    let message = Text::new(
        format!(
            "kept a copy of the cookies, sent {line}, and used the copy: {} still shows the user. Whoever has seen the cookie stays logged in",
            flow.whoami
        ),
        format!(
            "留了一份 cookie，发送 {line}，再用那份 cookie：{} 仍然显示这个用户。看到过 cookie 的人会一直是登录状态",
            flow.whoami
        ),
    );
    let hint = Text::new(
        "keep sessions on the server and delete them at logout; a signed cookie alone cannot be taken back",
        "把会话存在服务器上，退出时删除；只靠签名的 cookie 收不回来",
    );
    Err(Fault::fail(summary).with(problem("web-security.session-survives-logout", line, message, hint)))
}

/// A session id that a browser had before the login may not be the one after it.
pub(crate) fn new_session(probe: &mut Probe, flow: &Flow) -> Result<(), Fault> {
    let member = flow.member(probe)?;
    let Some(cookie) = session_cookie(probe, flow, &member)? else {
        return Err(Fault::skip(Text::new("the login is not kept in a cookie", "登录状态不在 cookie 里")));
    };
    let mut browser = Browser::default();
    for path in [Some("/"), flow.login_page()].into_iter().flatten() {
        browser.open(probe, path)?;
    }
    let Some(before) = browser.jar.get(&cookie).map(str::to_owned) else { return Ok(()) };
    let after = flow.log_in_with(probe, browser, &member.account)?.browser;
    if after.jar.get(&cookie) != Some(before.as_str()) {
        return Ok(());
    }
    let summary = Text::new("login keeps the session id that was there before", "登录后会话编号没有换");
    let message = Text::new(
        format!(
            "visited the site as a stranger and got the cookie `{cookie}`; after login its value is the same. Who planted it is logged in, too"
        ),
        format!(
            "以陌生人身份访问，得到 cookie `{cookie}`；登录后它的值没变。谁事先放好这个值，谁就跟着登录了"
        ),
    );
    let hint = Text::new("give out a new session id at login", "登录时换一个新的会话编号");
    Err(Fault::fail(summary).with(problem("web-security.session-kept", &flow.login_line(), message, hint)))
}

fn can_join(probe: &mut Probe, flow: &Flow, account: &Account) -> Result<bool, Fault> {
    flow.register(probe, account)?;
    let mut browser = flow.log_in(probe, account)?.browser;
    flow.sees(probe, &mut browser, &account.name)
}

/// A fresh password of that length, with a sign, a capital and digits where there is room.
fn shaped_password(probe: &mut Probe, length: usize) -> String {
    const SHAPE: &str = "-Q7";
    let token = probe.generator().token(length.saturating_sub(SHAPE.len()).max(1));
    format!("{SHAPE}{token}").chars().take(length).collect()
}
