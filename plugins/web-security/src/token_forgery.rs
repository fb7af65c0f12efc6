//! `token-forgery`: can I forge a session or a JSON Web Token?

use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::advice::problem;
use crate::carrier::Carrier;
use crate::check::{reach, run, visiting};
use crate::flow::{Flow, Member};
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

/// How far the end of a token is put ahead, and how far into the past, in seconds: more than clocks may differ (RFC 7519,
/// section 4.1.4: "a few minutes").
const AHEAD: u64 = 1800;
const PAST: u64 = 7200;

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
                "Looks at what carries the login. Where it is signed (JSON Web Tokens, the cookies of Flask, Django and Express), tries the keys of tutorials on its signature, takes the signature off, breaks it, and writes another user's name into the claims. Passes when the untouched token works and none of these does. A value that carries nothing has nothing to forge. A JSON Web Token should say when it ends; with `signing_key` one that has ended is made, which must not work either. Without the key, whether an end is kept is not judged.",
                "看承载登录的是什么。如果是签名的（JSON Web Token，或 Flask、Django、Express 的 cookie），就用教程里的密钥去试它的签名，再去掉签名、改坏签名、在内容里换成别人的名字。原样的令牌可用、这些都不可用，才算通过。不含数据的值没有可伪造的。JSON Web Token 应当写明何时到期；给出 `signing_key` 时会造一个已到期的令牌，它也必须不可用；没有密钥就不判断这一点。",
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

impl TokenForgery {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors()).and_then(|(flow, member)| {
            let carrier = Carrier::find(probe, &flow, &member)?.ok_or_else(nowhere)?;
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
        });
        if !matches!(signed.kind, Kind::Jwt | Kind::JwtOther) {
            return Some(());
        }
        report.judge("end", Need::Should, has_end(&signed, &carrier), |()| {
            Text::new("the token says when it ends", "令牌写明了何时到期")
        })?;
        // Last, since a site may end the session of whoever comes with a token that has ended.
        let key = self.doors().features.signing_key;
        let outcome = ends(probe, &flow, &member, &carrier, &signed, key);
        report.judge("end-kept", Need::Must, outcome, |()| {
            Text::new("a token that has ended is that of a stranger", "到期的令牌不被承认")
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

fn has_end(signed: &Signed, carrier: &Carrier) -> Result<(), Fault> {
    if signed.end().is_some() {
        return Ok(());
    }
    let place = carrier.words();
    let summary =
        Text::new(format!("{place} is a token that never ends"), format!("{place} 里的令牌永不到期"));
    let message = Text::new(
        format!(
            "{place} is a JSON Web Token without the claim `exp`: whoever copies it once is that user for ever"
        ),
        format!("{place} 是没有 `exp` 的 JSON Web Token：被抄走一次，就永远可以冒充这个用户"),
    );
    let hint = Text::new(
        "write `exp` into every token, minutes or hours ahead, and have the library require it when it verifies",
        "每个令牌都写上 `exp`，几分钟到几小时之后，验证时要求必须有它",
    );
    Err(Fault::fail(summary).with(problem("web-security.token-without-end", &place, message, hint)))
}

/// Makes two tokens that differ in their end alone: the one that has not come must be believed, else nothing is known of
/// the one that is past.
fn ends(
    probe: &mut Probe,
    flow: &Flow,
    member: &Member,
    carrier: &Carrier,
    signed: &Signed,
    key: Option<&str>,
) -> Result<(), Fault> {
    if signed.kind == Kind::JwtOther {
        return Err(Fault::skip(Text::new(
            "not judged: whether the end of a token is kept is seen only where tokens are signed with HS256, HS384 or HS512",
            "没有判断：令牌用 HS256、HS384 或 HS512 签名时，才能看出到期后是否还被承认",
        )));
    }
    let Some(key) = key else {
        return Err(Fault::skip(Text::new(
            "not judged: whether the end of a token is kept cannot be seen without its key; give it as `signing_key = { env = \"NAME\" }`",
            "没有判断：没有密钥就看不出到期后是否还被承认；请用 `signing_key = { env = \"NAME\" }` 给出",
        )));
    };
    let now = probe.context().unix_time().as_secs();
    let made = signed.ending(key, now + AHEAD).zip(signed.ending(key, now.saturating_sub(PAST)));
    let Some((ahead, past)) = made else {
        return Err(Fault::inconclusive(Text::new(
            "`signing_key` is not the key that signs the token, so none that has ended can be made",
            "`signing_key` 不是给令牌签名的密钥，造不出到期的令牌",
        )));
    };
    let name = &member.account.name;
    if !flow.sees(probe, &mut carrier.with(&member.browser, &ahead), name)? {
        return Err(Fault::inconclusive(Text::new(
            "a token signed with `signing_key` is refused though it has not ended, so that one which has ended is refused says nothing",
            "用 `signing_key` 签的令牌没有到期也被拒绝，到期的被拒绝说明不了什么",
        )));
    }
    if !flow.sees(probe, &mut carrier.with(&member.browser, &past), name)? {
        return Ok(());
    }
    let place = carrier.words();
    let summary =
        Text::new(format!("{place} is believed after its end"), format!("{place} 到期之后仍被承认"));
    let message = Text::new(
        format!(
            "signed the token anew with `exp` two hours ago and nothing else changed; {} shows a logged-in user. So a stolen token is good for ever",
            flow.whoami
        ),
        format!(
            "只把 `exp` 改成两小时前，用你的密钥重新签名；{} 仍显示已登录的用户。这样令牌被偷走就永远有效",
            flow.whoami
        ),
    );
    let hint = Text::new(
        "have the library verify `exp` on every request: do not switch it off, and do not read claims without verifying",
        "每个请求都让库验证 `exp`：不要关掉这项验证，也不要不验证就读取内容",
    );
    Err(Fault::fail(summary).with(problem("web-security.expired-token", &place, message, hint)))
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
