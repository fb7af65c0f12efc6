//! `token-forgery`: can I forge a session or a JSON Web Token?

use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::advice::problem;
use crate::browser::Browser;
use crate::check::{reach, run, visiting};
use crate::flow::{Flow, Member};
use crate::session_cookie::session_cookie;
use crate::signed::{Kind, Signed, renamed};

const ADVICE: Advice = Advice { item: "challenge.web-security", with: "whoami = \"/\"" };

/// Keys of tutorials, templates and defaults, which whoever forges tries first.
const WEAK: [&str; 24] = [
    "dev",
    "secret",
    "secret-key",
    "secret_key",
    "secretkey",
    "SECRET_KEY",
    "mysecret",
    "mysecretkey",
    "supersecret",
    "super-secret",
    "super secret key",
    "changeme",
    "change-me",
    "password",
    "random",
    "key",
    "test",
    "your-secret-key",
    "your-256-bit-secret",
    "keyboard cat",
    "flask",
    "django-insecure",
    "jwt_secret",
    "123456",
];

/// How a token says that it has no signature; case is where checks for it fail.
const NONE: [&str; 4] = ["none", "None", "NONE", "nOnE"];

visiting! {
    /// How people log in.
    pub struct TokenForgery advised by ADVICE {}
}

impl Check for TokenForgery {
    const ID: &'static str = "token-forgery";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Sessions and tokens cannot be forged", "会话和令牌伪造不了"),
            description: Text::new(
                "Looks at what carries the login. Where it is signed (JSON Web Tokens, the cookies of Flask, Django and Express), tries the keys of tutorials on its signature, takes the signature off, breaks it, and writes another user's name into the claims. Passes when the untouched token works and none of these does. A value that carries nothing has nothing to forge; whether an expiry is kept cannot be seen without the key.",
                "看承载登录的是什么。如果是签名的（JSON Web Token，或 Flask、Django、Express 的 cookie），就用教程里的密钥去试它的签名，再去掉签名、改坏签名、在内容里换成别人的名字。原样的令牌可用、这些都不可用，才算通过。不含数据的值没有可伪造的；没有密钥就看不出是否检查过期时间。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(3),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new("only what the site signed is believed", "只认网站自己签发的");
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

/// Where the token is carried.
enum Carrier {
    Cookie(String),
    Bearer,
}

impl Carrier {
    fn value<'a>(&self, browser: &'a Browser) -> Option<&'a str> {
        match self {
            Self::Cookie(name) => browser.jar.get(name),
            Self::Bearer => browser.bearer.as_deref(),
        }
    }

    fn with(&self, browser: &Browser, value: &str) -> Browser {
        let mut other = browser.clone();
        match self {
            Self::Cookie(name) => other.jar.set(name, value),
            Self::Bearer => other.bearer = Some(value.to_owned()),
        }
        other
    }

    fn words(&self) -> String {
        match self {
            Self::Cookie(name) => format!("Cookie: {name}"),
            Self::Bearer => "Authorization: Bearer".to_owned(),
        }
    }
}

impl TokenForgery {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors()).and_then(|(flow, member)| {
            let carrier = match session_cookie(probe, &flow, &member)? {
                Some(name) => Carrier::Cookie(name),
                None if member.browser.bearer.is_some() => Carrier::Bearer,
                None => return Err(nowhere()),
            };
            let value = carrier.value(&member.browser).unwrap_or_default().to_owned();
            Ok((flow, member, carrier, value))
        });
        let (flow, member, carrier, value) =
            report.judge("token", Need::Must, found, |(_, _, carrier, value)| {
                let (en, zh) = Signed::of(value).name();
                let place = carrier.words();
                Text::new(format!("{place} is {en}"), format!("{place} 是{zh}"))
            })?;
        let signed = Signed::of(&value);
        report.judge("key", Need::Must, strong_key(&signed, &carrier), |count| {
            Text::new(
                format!("none of {count} keys of tutorials signed it"),
                format!("{count} 个教程里的密钥都不是它的密钥"),
            )
        });
        let outcome = forgeries(probe, &flow, &member, &carrier, &signed, &value);
        report.judge("forgeries", Need::Must, outcome, |count| {
            Text::new(
                format!("{count} forged values are those of a stranger"),
                format!("{count} 个伪造的值都不被承认"),
            )
        });
        report.judge("control", Need::Must, still_works(probe, &flow, &member), |()| {
            Text::new("the untouched value still works", "原样的值仍然可用")
        })
    }
}

fn nowhere() -> Fault {
    Fault::inconclusive(Text::new(
        "neither a cookie nor a bearer token carries the login, so there is nothing to look at",
        "登录状态既不在 cookie 里，也不在 Bearer 令牌里，没有可看的",
    ))
}

fn strong_key(signed: &Signed, carrier: &Carrier) -> Result<usize, Fault> {
    if matches!(signed.kind, Kind::Opaque | Kind::JwtOther) {
        let (en, zh) = signed.name();
        return Err(Fault::skip(Text::new(
            format!("{en}: no key that could be tried"),
            format!("{zh}：没有可试的密钥"),
        )));
    }
    let Some(key) = WEAK.iter().find(|key| signed.is_made_with(key)) else { return Ok(WEAK.len()) };
    let place = carrier.words();
    let (en, zh) = signed.name();
    let summary = Text::new(
        format!("the key that signs {place} is `{key}`"),
        format!("给 {place} 签名的密钥是 `{key}`"),
    );
    let message = Text::new(
        format!(
            "{place} is {en}, and its signature is the one that the key `{key}` makes. Whoever knows that writes a session for any user"
        ),
        format!("{place} 是{zh}，它的签名正是密钥 `{key}` 生成的。知道密钥的人可以写出任何用户的会话"),
    );
    let hint = Text::new(
        "make a key of 256 random bits (python3 -c 'import secrets; print(secrets.token_hex(32))'), keep it out of the repository, and change it now",
        "用随机的 256 位密钥（python3 -c 'import secrets; print(secrets.token_hex(32))'），不要放进仓库，现在就更换",
    );
    Err(Fault::fail(summary).with(problem("web-security.weak-key", &place, message, hint)))
}

/// Sends values that the site did not make, and looks who they are taken for.
fn forgeries(
    probe: &mut Probe,
    flow: &Flow,
    member: &Member,
    carrier: &Carrier,
    signed: &Signed,
    value: &str,
) -> Result<usize, Fault> {
    let own = &member.account.name;
    let mut forged: Vec<((&str, &str), String, String)> = Vec::new();
    if signed.kind == Kind::Opaque {
        let other = probe.generator().token(value.len().max(8));
        forged.push((("a made-up value", "编造的值"), other, own.clone()));
        let victim = flow.member(probe)?.account;
        for (from, to) in [(own, &victim.name), (&member.account.email, &victim.email)] {
            forged.extend(renamed(value, from, to).map(|token| {
                (
                    ("another user's name, written as the value writes names", "按原来的写法换成别人的名字"),
                    token,
                    victim.name.clone(),
                )
            }));
        }
    } else {
        forged.push((
            ("a signature that is wrong", "错误的签名"),
            signed.with_signature(value, &signed.wrong_signature()),
            own.clone(),
        ));
        forged.push((("an empty signature", "空的签名"), signed.with_signature(value, ""), own.clone()));
        for none in NONE {
            forged.extend(signed.unsigned(none).map(|token| {
                (("no signature, and a header that says so", "没有签名，头部声明不需要"), token, own.clone())
            }));
        }
        let victim = flow.member(probe)?.account.name;
        forged.extend(signed.with_claim(own, &victim).map(|token| {
            (("another user's name under the old signature", "旧签名下换成别人的名字"), token, victim)
        }));
    }
    let count = forged.len();
    for ((en, zh), token, name) in forged {
        let mut browser = carrier.with(&member.browser, &token);
        if flow.sees(probe, &mut browser, &name)? {
            let place = carrier.words();
            let summary =
                Text::new(format!("{place} with {en} is believed"), format!("{place} 带着{zh}也被承认"));
            let message = Text::new(
                format!(
                    "sent {place} with {en}; {} shows a logged-in user. So anybody can be anyone",
                    flow.whoami
                ),
                format!("发送 {place}，{zh}；{} 显示已登录的用户。这样谁都能冒充任何人", flow.whoami),
            );
            let hint = Text::new(
                "verify the signature on every request, with the algorithm fixed in your code and not taken from the token",
                "每个请求都验证签名，算法写死在代码里，不要取自令牌",
            );
            return Err(Fault::fail(summary).with(problem(
                "web-security.forged-token",
                &place,
                message,
                hint,
            )));
        }
    }
    Ok(count)
}

fn still_works(probe: &mut Probe, flow: &Flow, member: &Member) -> Result<(), Fault> {
    if flow.sees(probe, &mut member.browser.clone(), &member.account.name)? {
        return Ok(());
    }
    Err(Fault::inconclusive(Text::new(
        "the untouched value does not work any more, so that others are refused says nothing",
        "原样的值也不能用了，别的被拒绝说明不了什么",
    )))
}
