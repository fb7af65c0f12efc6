//! `access-control`: can one user read or change another's things, or become an administrator?

mod password;
mod row;

use std::time::Duration;

use mustdo_plugin::http::Request;
use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::account::Account;
use crate::advice::problem;
use crate::browser::{Browser, Visit};
use crate::check::{reach, run, visiting};
use crate::crawl;
use crate::flow::Flow;
use crate::form::{Field, Form, Kind, is_token};
use crate::sink::{self, People, Sink, Trail};

const ADVICE: Advice = Advice {
    item: "challenge.web-security",
    with: "sinks = [{ submit = { path = \"/notes\", body = \"text={text}\" }, view = \"/notes\" }]\nadmin = [\"/admin\"]",
};

/// Where administrators go.
const ADMIN: [&str; 5] = ["/admin", "/admin/", "/administration", "/api/admin", "/users"];

/// Fields that an administrator has, and their values.
const RIGHTS: [(&str, &str); 6] = [
    ("admin", "true"),
    ("is_admin", "true"),
    ("isAdmin", "true"),
    ("is_staff", "true"),
    ("role", "admin"),
    ("roles", "admin"),
];

visiting! {
    /// What belongs to one user.
    pub struct AccessControl advised by ADVICE {}
}

impl Check for AccessControl {
    const ID: &'static str = "access-control";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Users reach their own things only", "用户只能动自己的东西"),
            description: Text::new(
                "Has one user write something, and lets another user and a stranger open it and send the forms that change and delete it, or, where an interface says its address, PUT, PATCH and DELETE; sends the owner's form for a new password, or the request `new_password`, as the other user; registers with fields that make an administrator. Passes when the owner can do all that and nobody else can. What a stranger can read without logging in counts as public.",
                "让一个用户写下内容，再由另一个用户和陌生人去打开它、提交修改和删除它的表单（接口给出地址时，向它发送 PUT、PATCH 和 DELETE）；用别人的身份提交修改密码的表单或 `new_password` 写的请求；注册时带上管理员字段。主人都能做、别人都做不了，才算通过。不登录就能读到的内容算公开。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed =
            Text::new("what belongs to a user is out of everybody else's reach", "用户的东西，别人都够不着");
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl AccessControl {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors()).and_then(|(flow, first)| {
            let mut people = People::join(probe, &flow, first)?;
            let found =
                sink::find(probe, &["/", &flow.whoami], &mut people, self.doors().features.sinks, ADVICE)?;
            let stores: Vec<Sink> = found.sinks.into_iter().filter(|sink| sink.stores).collect();
            let mut things = Vec::new();
            for sink in &stores {
                things.extend(make(probe, &mut people, sink)?);
            }
            if things.is_empty() { Err(nothing_owned()) } else { Ok((flow, people, things)) }
        });
        let (flow, mut people, things) =
            report.judge("own-things", Need::Must, found, |(_, _, things)| {
                let list = things.iter().map(Thing::words).collect::<Vec<_>>().join("; ");
                Text::new(
                    format!("a user has things of their own: {list}"),
                    format!("用户有自己的东西：{list}"),
                )
            })?;
        let outcome = things.iter().try_for_each(|thing| self.unread(probe, &mut people, thing));
        report.judge("read", Need::Must, outcome, |()| {
            Text::new("nobody else reads what is not public", "不公开的内容别人读不到")
        });
        let outcome = changes_of_others(probe, &mut people, &things);
        report.judge("change", Need::Must, outcome, |ways| {
            Text::new(
                format!("{ways} ways of the owner to change or delete it do nothing when others try them"),
                format!("主人修改或删除它的 {ways} 种办法，别人用都没有生效"),
            )
        });
        let outcome = password::own(probe, &flow, self.doors().features.new_password);
        report.judge("password", Need::Must, outcome, |()| {
            Text::new("nobody sets another user's password", "改不了别人的密码")
        });
        let outcome = self.no_rights(probe, &flow);
        report.judge("rights", Need::Must, outcome, |pages| {
            Text::new(
                format!("extra fields at registration open none of {pages} pages for administrators"),
                format!("注册时多带字段，也打不开 {pages} 个管理页面"),
            )
        })?;
        Some(())
    }

    fn unread(&self, probe: &mut Probe, people: &mut People, thing: &Thing) -> Result<(), Fault> {
        let is_public = thing.is_seen(probe, &mut Browser::default())?;
        if is_public.is_some() || self.doors().features.shared {
            return Ok(());
        }
        let seen = match thing.is_seen(probe, &mut people.reader.browser)? {
            Some(page) => Some(page),
            None => through_lists(probe, &mut people.reader.browser, thing)?,
        };
        let Some(page) = seen else { return Ok(()) };
        let line = format!("GET {page}");
        let summary =
            Text::new(format!("another user reads it at {page}"), format!("别的用户能在 {page} 读到"));
        let message = Text::new(
            format!(
                "one user wrote {}; another user sent {line} and was shown it, though a stranger is not. If it is meant for all members, say `shared = true`",
                thing.secret
            ),
            format!(
                "一个用户写下 {}；另一个用户发送 {line} 就看到了，而陌生人看不到。如果本来就给所有成员看，请写 `shared = true`",
                thing.secret
            ),
        );
        let hint = Text::new(
            "ask for the row together with its owner (WHERE id = ? AND owner = ?), in lists as well, and answer 404 otherwise",
            "查询时带上所有者（WHERE id = ? AND owner = ?），列表也一样，否则返回 404",
        );
        Err(Fault::fail(summary).with(problem("web-security.read-by-others", &line, message, hint)))
    }

    /// Registers with the fields of an administrator, and opens the pages that an ordinary user cannot.
    fn no_rights(&self, probe: &mut Probe, flow: &Flow) -> Result<usize, Fault> {
        let pages: Vec<String> = if self.doors().features.admin.is_empty() {
            ADMIN.map(str::to_owned).to_vec()
        } else {
            self.doors().features.admin.to_vec()
        };
        let mut ordinary = flow.member(probe)?;
        let mut closed = Vec::new();
        for page in &pages {
            let visit = ordinary.browser.open(probe, page)?;
            let sent_away = visit.led_to.is_some() && visit.path != *page;
            if matches!(visit.first, 401 | 403) || (sent_away && visit.first != 301 && visit.first != 308) {
                closed.push(page.clone());
            } else if !self.doors().features.admin.is_empty() && visit.response.is_success() {
                return Err(open_to_all(page));
            }
        }
        if closed.is_empty() {
            return Err(Fault::skip(Text::new(
                "no page was found that is closed to ordinary users; name yours as `admin`",
                "没有找到普通用户打不开的页面；请用 `admin` 写明管理页面",
            )));
        }
        let account = Account::fresh(probe.generator());
        let request = with_rights(flow.registration(probe, &account)?);
        probe.send(request)?;
        let mut browser = flow.log_in(probe, &account)?.browser;
        if !flow.sees(probe, &mut browser, &account.name)? {
            // Refusing the registration for its fields is as good as ignoring them.
            return Ok(closed.len());
        }
        for page in &closed {
            let visit = browser.open(probe, page)?;
            if visit.response.is_success() && visit.path == *page {
                let line = flow.register_line();
                let summary = Text::new(
                    format!("who registers with admin=true opens {page}"),
                    format!("注册时带上 admin=true，就能打开 {page}"),
                );
                let message = Text::new(
                    format!(
                        "registered by {line} with the extra fields admin, is_admin, role and the like; GET {page} is then answered {}, and an ordinary user is refused",
                        visit.first
                    ),
                    format!(
                        "用{line}注册并多带 admin、is_admin、role 等字段；之后 GET {page} 返回 {}，普通用户则被拒绝",
                        visit.first
                    ),
                );
                let hint = Text::new(
                    "take only the fields that the form has, by name, and never a whole request into a row",
                    "按名字只取表单该有的字段，不要把整个请求写进数据行",
                );
                return Err(Fault::fail(summary).with(problem(
                    "web-security.mass-assignment",
                    &line,
                    message,
                    hint,
                )));
            }
        }
        Ok(closed.len())
    }
}

/// Writes something and finds the page of it alone, and the forms that change it.
fn make(probe: &mut Probe, people: &mut People, sink: &Sink) -> Result<Option<Thing>, Fault> {
    let secret = probe.generator().token(14);
    let owner = &mut people.writer.browser;
    let known = sink.links(probe, owner)?;
    let Some(answer) = sink.submit(probe, owner, &secret)? else { return Ok(None) };
    let address = sink.address(&answer.response);
    let trail = Trail { answer: Some(&answer), address: address.clone(), known: &known };
    let shown = sink.shown(probe, owner, &trail, &secret)?;
    let Some(first) = shown.first() else { return Ok(None) };
    // The page of the thing alone is the one that is not the list.
    let list = sink.links(probe, owner)?;
    let alone =
        shown.iter().find(|visit| list.contains(&visit.path) || visit.path != first.path).unwrap_or(first);
    let mut forms = Vec::new();
    for visit in &shown {
        let of_thing = |form: &Form| {
            form.posts && form.action != sink_action(sink) && !form.asks_password() && !is_logout(form)
        };
        forms.extend(near(visit, &secret).into_iter().filter(of_thing));
    }
    forms.dedup_by(|one, other| one.action == other.action);
    let address = address.filter(|path| shown.iter().any(|visit| visit.path == *path));
    Ok(Some(Thing {
        made_by: sink.clone(),
        secret,
        page: address.clone().unwrap_or_else(|| alone.path.clone()),
        address,
        pages: shown.into_iter().map(|visit| visit.path).collect(),
        forms,
    }))
}

/// Something that one user wrote.
struct Thing {
    /// By what it was made; everybody can make one of their own.
    made_by: Sink,
    /// The word in it that nothing else has.
    secret: String,
    /// Where it is shown alone, or the list that shows it.
    page: String,
    /// Its own address, where an interface says it.
    address: Option<String>,
    /// All pages that showed it to its owner.
    pages: Vec<String>,
    /// The owner's forms about it.
    forms: Vec<Form>,
}

impl Thing {
    fn words(&self) -> String {
        format!("{} with {} forms", self.page, self.forms.len())
    }

    /// The first of its pages that shows it to this browser.
    fn is_seen(&self, probe: &mut Probe, browser: &mut Browser) -> Result<Option<String>, Fault> {
        for page in &self.pages {
            if browser.open(probe, page)?.response.text().contains(&self.secret) {
                return Ok(Some(page.clone()));
            }
        }
        Ok(None)
    }
}

fn sink_action(sink: &Sink) -> String {
    sink.line().split_once(' ').map(|(_, path)| path.to_owned()).unwrap_or_default()
}

fn is_logout(form: &Form) -> bool {
    let action = form.action.to_ascii_lowercase();
    ["logout", "log-out", "signout", "sign-out"].iter().any(|word| action.contains(word))
}

/// The forms of a page that are about this thing: on a list, the ones that no other entry has, right behind the secret.
fn near(visit: &Visit, secret: &str) -> Vec<Form> {
    let body = visit.response.text();
    let Some(at) = body.find(secret) else { return Vec::new() };
    let until =
        body[at..].find("</article>").or_else(|| body[at..].find("</li>")).map_or(body.len(), |end| at + end);
    let behind = crate::page::Page::parse(&body.as_bytes()[at..until]);
    let mut forms = Form::all(&visit.path, &behind);
    if forms.is_empty() {
        forms = visit.forms();
    }
    forms
}

/// What another user finds by following the links of pages where such things are listed.
fn through_lists(probe: &mut Probe, browser: &mut Browser, thing: &Thing) -> Result<Option<String>, Fault> {
    let list = thing.page.rsplit_once('/').map_or("/", |(list, _)| list);
    let starts: Vec<&str> = ["/", list].into_iter().filter(|path| !path.is_empty()).collect();
    for visit in crawl::walk(probe, browser, &starts)? {
        if visit.response.text().contains(&thing.secret) {
            return Ok(Some(visit.path));
        }
    }
    Ok(None)
}

/// How many ways of the owner to change things others tried in vain.
fn changes_of_others(probe: &mut Probe, people: &mut People, things: &[Thing]) -> Result<usize, Fault> {
    let mut ways = 0;
    for thing in things {
        ways += unchanged(probe, people, thing)?;
        if let Some(address) = &thing.address {
            ways += row::unchanged(probe, people, thing, address)?;
        }
    }
    if ways > 0 {
        return Ok(ways);
    }
    Err(Fault::skip(Text::new(
        "not judged: no form was found by which the owner changes or deletes it, nor does an address of its own take PUT, PATCH or DELETE",
        "没有判断：没有找到主人用来修改或删除它的表单，它自己的地址也不接受 PUT、PATCH 或 DELETE",
    )))
}

/// Others send the owner's forms; the owner then looks whether the thing is still there and the same.
fn unchanged(probe: &mut Probe, people: &mut People, thing: &Thing) -> Result<usize, Fault> {
    for form in &thing.forms {
        for (who, zh, mut browser) in [
            ("another user", "另一个用户", people.reader.browser.clone()),
            ("a stranger", "陌生人", Browser::default()),
        ] {
            let word = probe.generator().token(14);
            let request = as_other(probe, &mut browser, &thing.made_by, form, &word)?;
            let line = format!("{} {}", request.method, request.path);
            let status = browser.visit(probe, request)?.first;
            let mut owner = people.writer.browser.clone();
            let there = thing.is_seen(probe, &mut owner)?.is_some();
            if there && !owner.open(probe, &thing.page)?.response.text().contains(&word) {
                continue;
            }
            return Err(changed((who, zh), &line, status, there, &thing.page));
        }
    }
    Ok(thing.forms.len())
}

/// `there` is whether its owner still sees it.
fn changed((who, zh): (&str, &str), line: &str, status: u16, there: bool, page: &str) -> Fault {
    let summary =
        Text::new(format!("{who} can send {line} and it is done"), format!("{zh}发送 {line} 也会生效"));
    let what = if there { ("changed", "被改了") } else { ("gone", "没了") };
    let message = Text::new(
        format!(
            "one user wrote something; {who} sent {line} ({status}); for its owner it is {} on {page}",
            what.0
        ),
        format!("一个用户写下内容；{zh}发送 {line}（{status}）；它的主人在 {page} 上看到它{}", what.1),
    );
    let hint = Text::new(
        "ask in every handler, not only in the one that reads, whether the row belongs to the user",
        "每个处理函数都要检查数据是否属于当前用户，不只是读取的那个",
    );
    Fault::fail(summary).with(problem("web-security.changed-by-others", line, message, hint))
}

/// The owner's form as somebody else sends it: with a token of their own, from a page that they can see. A request that
/// is refused for its token says nothing of who may send it.
fn as_other(
    probe: &mut Probe,
    browser: &mut Browser,
    made_by: &Sink,
    form: &Form,
    word: &str,
) -> Result<Request, Fault> {
    let mut own: Vec<_> = made_by.form(probe, browser)?.into_iter().flat_map(|form| form.fields).collect();
    for path in [form.page.as_str(), "/", "/login"] {
        own.extend(browser.open(probe, path)?.forms().into_iter().flat_map(|form| form.fields));
    }
    Ok(form.submit(|field| match field.kind {
        Kind::Text | Kind::User => Some(word.to_owned()),
        Kind::Hidden => token_of(field, &own),
        Kind::Email | Kind::Password | Kind::Url | Kind::Number | Kind::Fixed | Kind::File => None,
    }))
}

/// The sender's own token for a field of the owner's form; none for any other field: it may say which thing is meant, and
/// whose.
fn token_of(field: &Field, own: &[Field]) -> Option<String> {
    let is_same = |other: &&Field| other.name == field.name && other.kind == Kind::Hidden;
    let found = own.iter().find(is_same).filter(|_| is_token(&field.name));
    found.map(|other| other.value.clone())
}

/// The registration with fields that it does not ask for.
fn with_rights(mut request: Request) -> Request {
    if let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(&request.body) {
        for (name, value) in RIGHTS {
            let value = if value == "true" { serde_json::Value::Bool(true) } else { value.into() };
            fields.insert(name.to_owned(), value);
        }
        request.body = serde_json::Value::Object(fields).to_string().into_bytes();
    } else {
        for (name, value) in RIGHTS {
            request.body.extend(format!("&{name}={value}").into_bytes());
        }
    }
    request
}

fn open_to_all(page: &str) -> Fault {
    let line = format!("GET {page}");
    let summary = Text::new(format!("every user opens {page}"), format!("任何用户都能打开 {page}"));
    let message = Text::new(
        format!(
            "{page} is named as a page for administrators, and a user who has just registered is shown it"
        ),
        format!("{page} 写明是管理页面，刚注册的普通用户却能看到"),
    );
    let hint = Text::new("ask for the right in the handler of the page", "在页面的处理函数里检查权限");
    Fault::fail(summary).with(problem("web-security.open-to-all", &line, message, hint))
}

fn nothing_owned() -> Fault {
    let summary = Text::new(
        "no form was found by which a user makes something of their own",
        "没有找到用户能创建自己内容的表单",
    );
    let message = Text::new(
        "followed the links of / as a logged-in user and sent a plain word by every form",
        "以登录用户的身份走遍 / 上的链接，用每个表单发送一个普通的词",
    );
    let hint = ADVICE.hint(
        "say how something is made and where it is shown, for example:",
        "写明怎样创建、在哪里显示，例如：",
    );
    Fault::inconclusive(summary)
        .with(Finding::new(Severity::Warning, "web-security.nothing-owned", message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_the_senders_own() {
        let field = |name: &str, value: &str| Field {
            name: name.to_owned(),
            kind: Kind::Hidden,
            value: value.to_owned(),
        };
        let own = [field("csrf_token", "mine"), field("note_id", "7"), field("user_id", "2")];
        assert_eq!(token_of(&field("csrf_token", "theirs"), &own).as_deref(), Some("mine"));
        assert_eq!(token_of(&field("note_id", "5"), &own), None);
        assert_eq!(token_of(&field("user_id", "1"), &own), None);
        assert_eq!(token_of(&field("_token", "theirs"), &own), None);
    }
}
