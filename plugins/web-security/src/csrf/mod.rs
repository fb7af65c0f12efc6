//! `csrf`: is a change of state possible from another site?

mod removal;

use std::collections::BTreeSet;
use std::time::Duration;

use mustdo_plugin::http::Request;
use mustdo_plugin::service::{Advice, Probe, TARGET};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text, tcp};

use crate::address::encode_pairs;
use crate::advice::problem;
use crate::browser::Browser;
use crate::carrier::session_cookie;
use crate::check::{reach, run, visiting};
use crate::flow::{Flow, Member};
use crate::form::{Form, Kind, is_token};
use crate::jar::From;
use crate::sink::{self, People, Sink, Trail};

const ADVICE: Advice = Advice {
    item: "challenge.web-security",
    with: "sinks = [{ submit = { path = \"/posts\", body = \"title={text}&body={text}\" }, view = \"/posts\" }]",
};

/// A site that nobody owns (RFC 2606).
const EVIL: &str = "http://evil.example";

/// Actions that are tried.
const ACTIONS: usize = 3;

visiting! {
    /// What a logged-in user can do.
    pub struct Csrf advised by ADVICE {}
}

impl Check for Csrf {
    const ID: &'static str = "csrf";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Other sites cannot act for a logged-in user", "别的网站不能替登录用户操作"),
            description: Text::new(
                "Does something as a logged-in user, and sees that it was done. Then it sends the same as a page of another site would: without the form's token, with an empty, an old and another user's, with a forged Origin and Referer, by GET, and as another media type; with those cookies that a browser would attach. Where a page offers to remove what was written, it writes two texts for that and follows the link or form of the first from another site. Passes when nothing is done by any of them.",
                "先以登录用户的身份做一件事，确认生效；再像别的网站的页面那样发同样的请求：不带令牌、空令牌、旧令牌、别人的令牌、伪造的 Origin 和 Referer、用 GET、换内容类型；cookie 只带浏览器会带的。页面上如果能删除所写的内容，就专门写两段，再从别的网站触发第一段的删除链接或表单。没有一个生效，才算通过。",
            ),
            capabilities: vec![reach(), address()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "what a user can do, a page of another site cannot do for them",
            "用户能做的事，别的网站的页面做不了",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

/// To know the site's own address, which a forged Referer repeats.
pub(crate) fn address() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Tcp(TARGET.to_owned()),
        reason: "to learn your site's own address and to send it requests that no ordinary client would"
            .to_owned(),
        required: false,
    }
}

impl Csrf {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors()).and_then(|(flow, first)| {
            let mut people = People::join(probe, &flow, first)?;
            let found =
                sink::find(probe, &["/", &flow.whoami], &mut people, self.doors().features.sinks, ADVICE)?;
            let actions: Vec<Sink> =
                one_of_each(found.sinks.iter().filter(|sink| sink.stores && sink.is_observed()));
            if actions.is_empty() {
                found.all_take_text(ADVICE)?;
                return Err(nothing_to_do());
            }
            Ok((flow, people, actions, found.refused))
        });
        let (flow, mut people, actions, refused) =
            report.judge("actions", Need::Must, found, |(_, _, actions, _)| {
                let list = actions.iter().map(Sink::line).collect::<Vec<_>>().join("; ");
                Text::new(format!("a user can do this: {list}"), format!("用户能做：{list}"))
            })?;
        let refused = sink::Found { sinks: Vec::new(), refused }.all_take_text(ADVICE);
        report.judge("forms-work", Need::Must, refused, |()| {
            Text::new("every form that was found works for its user", "找到的表单用户自己都能用")
        });
        let mut tried = 0;
        let outcome = actions.iter().try_for_each(|action| {
            probe.progress(0.5, &action.line());
            tried += foreign(probe, &flow, &mut people, action)?;
            Ok(())
        });
        report.judge("foreign-requests", Need::Must, outcome, |()| {
            Text::new(
                format!("{tried} requests of another site changed nothing"),
                format!("别的网站的 {tried} 个请求都没有生效"),
            )
        });
        let outcome = removal::judge(probe, &people, &actions);
        report.judge("removal", Need::Must, outcome, |tried| {
            Text::new(
                format!("{tried} requests of another site removed nothing that a user wrote"),
                format!("别的网站的 {tried} 个请求都没有删掉用户写的内容"),
            )
        });
        let outcome = actions.iter().try_for_each(|action| in_depth(probe, &people, action));
        report.judge("token", Need::Should, outcome, |()| {
            Text::new(
                "a request without a token is refused, whatever cookies come with it",
                "没有令牌的请求，带什么 cookie 都会被拒绝",
            )
        })
    }
}

/// One sink for each request: the fields of one form share their protection.
fn one_of_each<'sink>(sinks: impl Iterator<Item = &'sink Sink>) -> Vec<Sink> {
    let mut lines = BTreeSet::new();
    sinks.filter(|sink| lines.insert(sink.line())).take(ACTIONS).cloned().collect()
}

/// How a request of another site looks.
struct Forgery {
    en: &'static str,
    zh: &'static str,
    request: Request,
    browser: Browser,
    from: From,
    origin: Option<String>,
    referer: Option<String>,
}

impl Forgery {
    fn new(en: &'static str, zh: &'static str, request: Request, browser: &Browser) -> Self {
        Self {
            en,
            zh,
            request,
            browser: browser.clone(),
            from: From::OtherSite,
            origin: Some(EVIL.to_owned()),
            referer: Some(format!("{EVIL}/")),
        }
    }

    fn dressed(&self) -> Request {
        let mut request = self.browser.dress(self.request.clone(), self.from);
        for (name, value) in [("Origin", &self.origin), ("Referer", &self.referer)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request
    }
}

/// Sends the action as other sites would, each time with a word of its own, and looks for the word.
fn foreign(probe: &mut Probe, flow: &Flow, people: &mut People, action: &Sink) -> Result<u32, Fault> {
    let old = old_form(probe, flow, action, people)?;
    // Where a login or a logout ends a user's other sessions, the victim's has ended now, and nothing would be done.
    people.writer.browser = flow.log_in(probe, &people.writer.account)?.browser;
    let old = old.as_ref();
    let count = forgeries(probe, flow, people, action, old, "")?.len();
    let mut tried = 0;
    for place in 0..count {
        let word = probe.generator().token(12);
        // Built anew each time: a token may be good for one use.
        let Some(forgery) = forgeries(probe, flow, people, action, old, &word)?.into_iter().nth(place) else {
            break;
        };
        if was_done(probe, people, action, &forgery, &word)? {
            return Err(done(action, &forgery));
        }
        tried += 1;
    }
    still_done(probe, people, action)?;
    Ok(tried)
}

/// What the victim cannot do any more, nobody can do in their name either.
fn still_done(probe: &mut Probe, people: &mut People, action: &Sink) -> Result<(), Fault> {
    let word = probe.generator().token(12);
    let victim = &mut people.writer.browser;
    let text = action.plain_text(probe, victim, &word)?;
    let answer = action.submit(probe, victim, &text)?;
    let address = answer.as_ref().and_then(|answer| action.address(&answer.response));
    let trail = Trail { answer: answer.as_ref(), address, known: &[] };
    if !action.shown(probe, victim, &trail, &word)?.is_empty() {
        return Ok(());
    }
    let line = action.line();
    Err(Fault::inconclusive(Text::new(
        format!("{line} no longer works for the user either, so that other sites cannot do it says nothing"),
        format!("{line} 用户自己也做不了了，别的网站做不了说明不了什么"),
    )))
}

fn was_done(
    probe: &mut Probe,
    people: &People,
    action: &Sink,
    forgery: &Forgery,
    word: &str,
) -> Result<bool, Fault> {
    let request = forgery.dressed();
    let answer = probe.send(request)?;
    let mut victim = people.writer.browser.clone();
    let trail = Trail { address: action.address(&answer), ..Trail::default() };
    Ok(!action.shown(probe, &mut victim, &trail, word)?.is_empty())
}

fn forgeries(
    probe: &mut Probe,
    flow: &Flow,
    people: &People,
    action: &Sink,
    old: Option<&Form>,
    word: &str,
) -> Result<Vec<Forgery>, Fault> {
    let mut victim = people.writer.browser.clone();
    let filler = probe.generator().token(12);
    let Some(form) = action.form(probe, &mut victim)? else {
        return of_interface(probe, &victim, action, word);
    };
    let tokens = tokens(probe, people, action, &form)?;
    let pairs = action.pairs(&form, word, &filler);
    let with = |other: Option<&Form>| -> Vec<(String, String)> {
        let value = |name: &str| {
            other.map(|form| {
                form.fields.iter().find(|field| field.name == name).map_or("", |field| &field.value)
            })
        };
        let replaced = pairs.iter().filter_map(|(name, kept)| {
            if !tokens.contains(name) {
                return Some((name.clone(), kept.clone()));
            }
            value(name).map(|value| (name.clone(), value.to_owned()))
        });
        replaced.collect()
    };
    let bare = with(None);
    let mut forgeries = vec![Forgery::new("without a token", "不带令牌", form.request(&bare), &victim)];
    forgeries.push(Forgery {
        origin: Some("null".to_owned()),
        referer: None,
        ..Forgery::new(
            "without a token, from a page that hides where it is",
            "不带令牌，也不说明来源",
            form.request(&bare),
            &victim,
        )
    });
    if let Some(own) = own_address(probe) {
        forgeries.push(Forgery {
            origin: None,
            referer: Some(format!("{EVIL}/?http://{own}/")),
            ..Forgery::new(
                "without a token, with the site's own address inside the Referer",
                "不带令牌，Referer 里夹着网站自己的地址",
                form.request(&bare),
                &victim,
            )
        });
    }
    let get = Form { posts: false, ..form.clone() };
    forgeries.push(Forgery {
        from: From::OtherSiteLink,
        origin: None,
        ..Forgery::new("as a link, by GET", "做成链接，用 GET", get.request(&bare), &victim)
    });
    if !tokens.is_empty() {
        let empty: Vec<_> = pairs
            .iter()
            .map(|(name, value)| {
                (name.clone(), if tokens.contains(name) { String::new() } else { value.clone() })
            })
            .collect();
        forgeries.push(Forgery::new("with an empty token", "令牌为空", form.request(&empty), &victim));
        let mut attacker = people.reader.browser.clone();
        if let Some(other) = action.form(probe, &mut attacker)? {
            let theirs = form.request(&with(Some(&other)));
            forgeries.push(Forgery::new(
                "with the token of another user",
                "带别人的令牌",
                theirs.clone(),
                &victim,
            ));
            let planted = planted(probe, flow, &people.writer, &attacker)?;
            forgeries.push(Forgery::new(
                "with another user's token in the form and in the cookie that it is compared with",
                "表单和用来对照的 cookie 都换成别人的令牌",
                theirs,
                &planted,
            ));
        }
        if old.is_some() {
            let request = form.request(&with(old));
            forgeries.push(Forgery::new(
                "with the token of a session that has ended",
                "带已经退出的会话的令牌",
                request,
                &victim,
            ));
        }
    }
    Ok(forgeries)
}

/// The fields whose value belongs to the session: named like a token, or hidden and different for another user.
fn tokens(probe: &mut Probe, people: &People, action: &Sink, form: &Form) -> Result<BTreeSet<String>, Fault> {
    let other = action.form(probe, &mut people.reader.browser.clone())?;
    let differs = |name: &str, value: &str| {
        let fields = other.iter().flat_map(|form| &form.fields);
        fields.into_iter().any(|field| field.name == name && field.value != value)
    };
    let hidden = form.fields.iter().filter(|field| field.kind == Kind::Hidden);
    Ok(hidden
        .filter(|field| {
            is_token(&field.name) || (field.value.len() >= 16 && differs(&field.name, &field.value))
        })
        .map(|field| field.name.clone())
        .collect())
}

/// The victim's browser after somebody planted cookies in it: all but the session's own are the attacker's.
fn planted(probe: &mut Probe, flow: &Flow, victim: &Member, attacker: &Browser) -> Result<Browser, Fault> {
    let session = session_cookie(probe, flow, victim)?;
    let mut browser = victim.browser.clone();
    for cookie in attacker.jar.iter() {
        if Some(cookie.name()) != session.as_deref() {
            browser.jar.set(cookie.name(), cookie.value());
        }
    }
    Ok(browser)
}

/// The form of a session of the victim that was logged out again; none where forms have no token.
fn old_form(probe: &mut Probe, flow: &Flow, action: &Sink, people: &People) -> Result<Option<Form>, Fault> {
    let mut browser = flow.log_in(probe, &people.writer.account)?.browser;
    let Some(form) = action.form(probe, &mut browser)? else { return Ok(None) };
    if tokens(probe, people, action, &form)?.is_empty() {
        return Ok(None);
    }
    flow.log_out(probe, &mut browser)?;
    Ok(Some(form))
}

/// What another site can send to an interface without asking first: the media types of forms (Fetch standard, 2.2.2).
fn of_interface(
    probe: &mut Probe,
    victim: &Browser,
    action: &Sink,
    word: &str,
) -> Result<Vec<Forgery>, Fault> {
    let Some(request) = action.request(probe, &mut victim.clone(), word)? else { return Ok(Vec::new()) };
    let typed = |media_type: &str, body: Vec<u8>| {
        let mut other = request.clone().body(body);
        other.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        other.header("Content-Type", media_type)
    };
    let mut forgeries = vec![Forgery::new(
        "as plain text",
        "内容类型写成纯文本",
        typed("text/plain", request.body.clone()),
        victim,
    )];
    if let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(&request.body) {
        let pairs: Vec<_> = fields
            .iter()
            .map(|(name, value)| {
                (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })
            .collect();
        let body = encode_pairs(&pairs);
        forgeries.push(Forgery::new(
            "as a form",
            "写成表单",
            typed("application/x-www-form-urlencoded", body.clone().into_bytes()),
            victim,
        ));
        let mut link = Request::get(format!("{}?{body}", request.path));
        link.headers.clear();
        forgeries.push(Forgery {
            from: From::OtherSiteLink,
            origin: None,
            ..Forgery::new("as a link, by GET", "做成链接，用 GET", link, victim)
        });
    } else {
        forgeries.push(Forgery::new("as it is", "原样发送", request.clone(), victim));
    }
    Ok(forgeries)
}

fn own_address(probe: &mut Probe) -> Option<String> {
    let connection = probe.context().tcp(TARGET, &tcp::Options::default()).ok()?;
    Some(connection.peer().to_string())
}

/// Without a token, with every cookie: `SameSite` alone is one wall, and not every browser has it.
fn in_depth(probe: &mut Probe, people: &People, action: &Sink) -> Result<(), Fault> {
    let word = probe.generator().token(12);
    let filler = probe.generator().token(12);
    let mut victim = people.writer.browser.clone();
    let Some(form) = action.form(probe, &mut victim)? else {
        return Err(Fault::skip(Text::new("an interface has no form with a token", "接口没有带令牌的表单")));
    };
    let tokens = tokens(probe, people, action, &form)?;
    let pairs: Vec<_> =
        action.pairs(&form, &word, &filler).into_iter().filter(|(name, _)| !tokens.contains(name)).collect();
    let forgery = Forgery {
        from: From::SameSite,
        ..Forgery::new(
            "without a token, with every cookie",
            "不带令牌，但带全部 cookie",
            form.request(&pairs),
            &victim,
        )
    };
    let mut request = victim.jar.attach(forgery.request.clone(), From::SameSite);
    request = request
        .header("Origin", EVIL)
        .header("Referer", format!("{EVIL}/"))
        .header("Sec-Fetch-Site", "cross-site");
    probe.send(request)?;
    if action.shown(probe, &mut victim, &Trail::default(), &word)?.is_empty() {
        Ok(())
    } else {
        Err(done(action, &forgery))
    }
}

fn done(action: &Sink, forgery: &Forgery) -> Fault {
    let line = action.line();
    let (en, zh) = (forgery.en, forgery.zh);
    let summary = Text::new(
        format!("another site can send {line} for a logged-in user, {en}"),
        format!("别的网站能替登录用户发送 {line}（{zh}）"),
    );
    let sent =
        format!("{} {}", forgery.request.method, forgery.request.path.split('?').next().unwrap_or_default());
    let origin = forgery.origin.as_deref().or(forgery.referer.as_deref()).unwrap_or("none");
    let message = Text::new(
        format!(
            "sent {sent} as a page of another site would ({en}; Origin or Referer {origin}), with the cookies that a browser attaches to it; it was done, and the user's page shows it"
        ),
        format!(
            "像别的网站的页面那样发送 {sent}（{zh}；Origin 或 Referer 为 {origin}），cookie 只带浏览器会带的；操作生效了，用户的页面上能看到"
        ),
    );
    let hint = Text::new(
        "put a token of the session into every form, refuse every change without it, change nothing by GET, and set the session cookie with SameSite=Lax",
        "每个表单带上与会话绑定的令牌，没有令牌的修改一律拒绝，GET 不做修改，会话 cookie 加上 SameSite=Lax",
    );
    Fault::fail(summary).with(problem("web-security.csrf", &line, message, hint))
}

fn nothing_to_do() -> Fault {
    Fault::inconclusive(Text::new(
        "no form was found that changes something which a page then shows, so there is nothing that another site could do",
        "没有找到会改变内容并显示出来的表单，看不出别的网站能做什么",
    ))
}
