//! Places where one writes and another reads: a field of a form, or a request that the learner wrote, and the pages that
//! show what was sent.

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{Advice, Placeholders, Probe, Template, id_of, location_path, row_of};
use mustdo_plugin::verdict::{Finding, Severity};
use mustdo_plugin::{Fault, Parameter, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::Account;
use crate::address::encode;
use crate::advice::place;
use crate::browser::{Browser, Visit};
use crate::crawl;
use crate::flow::{Flow, Member};
use crate::form::{Field, Form, Kind};

/// Fields that are tried at most.
const SINKS: usize = 6;

/// Links on a view that lead to what was just written.
const NEW_LINKS: usize = 3;

/// A place as the learner writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// A request with `{text}`.
    pub(crate) submit: Template,
    /// A page that shows the text; without it, the answer itself. Where a request that stores says where its text now is,
    /// that is looked at as well.
    #[serde(default)]
    pub(crate) view: Option<Template>,
}

impl Written {
    /// As [`Sink::line`] has it.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.submit.method, self.submit.path)
    }
}

impl Parameter for Written {
    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": { "submit": Template::schema(), "view": Template::schema() },
            "required": ["submit"],
            "additionalProperties": false,
        })
    }
}

/// `{text}`, and a word of its own for everything else that may have to be unique.
struct Filled<'text> {
    text: &'text str,
    token: &'text str,
    form: bool,
}

impl Placeholders for Filled<'_> {
    fn put(&self, text: &str) -> String {
        let put = if self.form { encode(self.text) } else { self.text.to_owned() };
        text.replace("{text}", &put).replace("{token}", self.token)
    }
}

#[derive(Debug, Clone)]
enum Source {
    Form { page: String, action: String, field: String },
    Request(Template),
}

/// Where a text goes in, and where it comes out again.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    source: Source,
    /// Pages that show it, beside the answer itself.
    views: Vec<String>,
    /// Whether the views also show it to another user.
    pub(crate) is_public: bool,
    /// Whether something may be stored: it is no GET.
    pub(crate) stores: bool,
    /// Whether its answer says where the text now is, and it is there.
    names_address: bool,
}

/// Where to look for what was sent, beside the views.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail<'sent> {
    /// What it was answered.
    pub(crate) answer: Option<&'sent Visit>,
    /// Where the answer says that it is: [`Sink::address`].
    pub(crate) address: Option<String>,
    /// Links of the views from before, which lead to something else.
    pub(crate) known: &'sent [String],
}

impl Sink {
    /// `POST /posts, field body`, for a message.
    pub(crate) fn line(&self) -> String {
        match &self.source {
            Source::Form { action, .. } if self.stores => format!("POST {action}"),
            Source::Form { action, .. } => format!("GET {action}"),
            Source::Request(template) => format!("{} {}", template.method, template.path),
        }
    }

    /// The field, for a message; empty for a request that the learner wrote.
    pub(crate) fn field(&self) -> &str {
        match &self.source {
            Source::Form { field, .. } => field,
            Source::Request(_) => "",
        }
    }

    /// The form as it stands on its page now, with its tokens; none for a request that the learner wrote.
    pub(crate) fn form(&self, probe: &mut Probe, browser: &mut Browser) -> Result<Option<Form>, Fault> {
        let Source::Form { page, action, field } = &self.source else { return Ok(None) };
        let visit = browser.open(probe, page)?;
        let has =
            |form: &Form| form.action == *action && form.fields.iter().any(|known| known.name == *field);
        Ok(visit.forms().into_iter().find(has))
    }

    /// The request that sends a text, from the form as it stands now; none when the form is gone.
    pub(crate) fn request(
        &self,
        probe: &mut Probe,
        browser: &mut Browser,
        text: &str,
    ) -> Result<Option<Request>, Fault> {
        let token = probe.generator().token(12);
        if let Source::Request(template) = &self.source {
            return Ok(Some(filled(template, text, &token)));
        }
        let form = self.form(probe, browser)?;
        Ok(form.map(|form| form.request(&self.pairs(&form, text, &token))))
    }

    /// The fields of its form with the text in place and something harmless, made of `token`, in the others.
    pub(crate) fn pairs(&self, form: &Form, text: &str, token: &str) -> Vec<(String, String)> {
        let value =
            |field: &Field| fill(field, self.field(), text, token).unwrap_or_else(|| field.value.clone());
        form.fields.iter().map(|field| (field.name.clone(), value(field))).collect()
    }

    /// Sends a text as somebody.
    pub(crate) fn submit(
        &self,
        probe: &mut Probe,
        browser: &mut Browser,
        text: &str,
    ) -> Result<Option<Visit>, Fault> {
        let request = self.request(probe, browser, text)?;
        Ok(request.map(|request| browser.visit(probe, request)).transpose()?)
    }

    /// Where an interface says that what it was sent now is: `Location`, else the address of the collection with the id.
    pub(crate) fn address(&self, answer: &Response) -> Option<String> {
        let Source::Request(template) = &self.source else { return None };
        if !self.stores || !answer.is_success() {
            return None;
        }
        let by_id = || Some(row_of(template.collection(), &id_of(answer)?));
        location_path(answer).or_else(by_id)
    }

    /// The request that the learner wrote, sent to one row by another method; none for a form.
    pub(crate) fn about_row(
        &self,
        probe: &mut Probe,
        method: &str,
        address: &str,
        text: &str,
    ) -> Option<Request> {
        let Source::Request(template) = &self.source else { return None };
        let template = Template { method: method.to_owned(), path: address.to_owned(), ..template.clone() };
        Some(filled(&template, text, &probe.generator().token(12)))
    }

    /// Whether what somebody else sends would be seen: without the answer, which is theirs.
    pub(crate) fn is_observed(&self) -> bool {
        self.names_address || !self.views.is_empty()
    }

    /// Everything that shows the marker to this browser: the answer, where it leads, the views, and what they newly link to.
    pub(crate) fn shown(
        &self,
        probe: &mut Probe,
        browser: &mut Browser,
        trail: &Trail,
        marker: &str,
    ) -> Result<Vec<Visit>, Fault> {
        let mut seen: Vec<Visit> = trail.answer.cloned().into_iter().collect();
        for path in trail.address.iter().chain(&self.views) {
            if !seen.iter().any(|visit| visit.path == *path) {
                seen.push(browser.open(probe, path)?);
            }
        }
        if self.stores {
            let mut new: Vec<String> =
                seen.iter().flat_map(crawl::links).filter(|link| !trail.known.contains(link)).collect();
            new.sort_unstable();
            new.dedup();
            for link in new.into_iter().rev().take(NEW_LINKS) {
                seen.push(browser.open(probe, &link)?);
            }
        }
        seen.retain(|visit| shows(visit, marker));
        Ok(seen)
    }

    /// The views as they are now.
    pub(crate) fn pages(&self, probe: &mut Probe, browser: &mut Browser) -> Result<Vec<Visit>, Fault> {
        self.views.iter().map(|path| Ok(browser.open(probe, path)?)).collect()
    }

    /// The links of the views now, so that later ones are known to be new.
    pub(crate) fn links(&self, probe: &mut Probe, browser: &mut Browser) -> Result<Vec<String>, Fault> {
        Ok(self.pages(probe, browser)?.iter().flat_map(crawl::links).collect())
    }
}

/// Whether an answer has the marker anywhere in it.
pub(crate) fn shows(visit: &Visit, marker: &str) -> bool {
    visit.response.text().contains(marker)
}

/// The request with the text in place and `token` for what has to be unique.
fn filled(template: &Template, text: &str, token: &str) -> Request {
    let form = !matches!(template.body, Some(Value::Object(_) | Value::Array(_)));
    template.fill(&Filled { text, token, form })
}

/// What goes into a field: the text into the one that is tried, something harmless into the others.
fn fill(field: &Field, tried: &str, text: &str, token: &str) -> Option<String> {
    if field.name == tried {
        return Some(text.to_owned());
    }
    match field.kind {
        Kind::User | Kind::Text => Some(format!("word {token}")),
        Kind::Email => Some(format!("{token}@example.com")),
        Kind::Url => Some(format!("https://example.com/{token}")),
        Kind::Number | Kind::Hidden | Kind::Fixed | Kind::File | Kind::Password => None,
    }
}

/// What was found of a site.
pub(crate) struct Found {
    /// Not empty.
    pub(crate) sinks: Vec<Sink>,
    /// Requests that store and refused a plain word, with their status.
    pub(crate) refused: Vec<(String, u16)>,
}

impl Found {
    /// A form that takes nothing says nothing of what it would do with it.
    pub(crate) fn all_take_text(&self, advice: Advice) -> Result<(), Fault> {
        let Some((line, status)) = self.refused.first() else { return Ok(()) };
        let summary = Text::new(
            format!("{line} answered {status} to a plain word, so nothing can be said of what it shows"),
            format!("{line} 对一个普通的词返回 {status}，看不出它会怎样显示"),
        );
        let message = Text::new(
            "filled the form as a user would and sent it with its own token; other forms of the site take such a text",
            "像用户一样填好表单，带上它自己的令牌发送；网站的其他表单都接受这样的文字",
        );
        let hint = advice.hint(
            "mend the form, or name the requests that are to be looked at, with values that they take:",
            "修好这个表单，或写明要看哪些请求、填什么值：",
        );
        Err(Fault::inconclusive(summary).with(
            Finding::new(Severity::Warning, "web-security.form-refused", message).at(place(line)).hint(hint),
        ))
    }
}

/// What became of a plain word.
enum Control {
    Shown,
    Unseen,
    Refused(u16),
}

/// Who writes and who reads.
pub(crate) struct People {
    pub(crate) writer: Member,
    pub(crate) reader: Member,
}

impl People {
    pub(crate) fn join(probe: &mut Probe, flow: &Flow, writer: Member) -> Result<Self, Fault> {
        let reader = flow.member(probe)?;
        Ok(Self { writer, reader })
    }

    /// Two who did not log in.
    pub(crate) fn strangers(probe: &mut Probe) -> Self {
        let mut stranger =
            || Member { account: Account::fresh(probe.generator()), browser: Browser::default() };
        Self { writer: stranger(), reader: stranger() }
    }
}

/// The sinks of the site: those that the learner wrote, else the text fields of the forms that the writer finds from
/// `starts` on. A sink counts only when a plain word that was sent is shown.
pub(crate) fn find(
    probe: &mut Probe,
    starts: &[&str],
    people: &mut People,
    written: &[Written],
    advice: Advice,
) -> Result<Found, Fault> {
    let mut candidates: Vec<Sink> = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    if written.is_empty() {
        let pages = crawl::walk(probe, &mut people.writer.browser, starts)?;
        paths.extend(pages.iter().map(|visit| visit.path.clone()));
        candidates.extend(crawl::forms(&pages).iter().flat_map(of_form));
    }
    for Written { submit, view } in written {
        let views = view.iter().map(|template| template.path.clone()).collect();
        let stores = submit.method != "GET";
        let source = Source::Request(submit.clone());
        candidates.push(Sink { source, views, is_public: false, stores, names_address: false });
    }
    let mut sinks: Vec<Sink> = Vec::new();
    let mut refused = Vec::new();
    let mut tried = Vec::new();
    for mut sink in candidates {
        if sinks.len() == SINKS {
            break;
        }
        tried.push(format!("{} {}", sink.line(), sink.field()).trim_end().to_owned());
        match control(probe, people, &mut sink, &paths)? {
            Control::Shown => sinks.push(sink),
            Control::Refused(status) => refused.push((sink.line(), status)),
            Control::Unseen => {}
        }
    }
    if sinks.is_empty() {
        return Err(none(&tried, advice));
    }
    refused.retain(|(line, _)| sinks.iter().all(|sink| sink.line() != *line));
    Ok(Found { sinks, refused })
}

/// The text fields of a form that is not about accounts.
pub(crate) fn of_form(form: &Form) -> Vec<Sink> {
    if form.asks_password() {
        return Vec::new();
    }
    let takes_text = |field: &&Field| matches!(field.kind, Kind::Text | Kind::Url | Kind::User);
    let sink = |field: &Field| Sink {
        source: Source::Form {
            page: form.page.clone(),
            action: form.action.clone(),
            field: field.name.clone(),
        },
        views: Vec::new(),
        is_public: false,
        stores: form.posts,
        names_address: false,
    };
    form.fields.iter().filter(takes_text).map(sink).collect()
}

/// Sends a plain word and keeps the pages that then show it.
fn control(
    probe: &mut Probe,
    people: &mut People,
    sink: &mut Sink,
    paths: &[String],
) -> Result<Control, Fault> {
    let word = probe.generator().token(12);
    let text = sink.plain_text(probe, &mut people.writer.browser, &word)?;
    let Some(answer) = sink.submit(probe, &mut people.writer.browser, &text)? else {
        return Ok(Control::Unseen);
    };
    if sink.stores && answer.first >= 400 {
        return Ok(Control::Refused(answer.first));
    }
    let mut views = sink.views.clone();
    if sink.stores {
        views.push(answer.path.clone());
        if !answer.response.is_success() || !shows(&answer, &word) {
            views.extend(paths.iter().cloned());
        }
        views.extend(sink.written_at());
    }
    views.sort_unstable();
    views.dedup();
    sink.views.clear();
    for path in views {
        let by_writer = people.writer.browser.open(probe, &path)?;
        if shows(&by_writer, &word) {
            sink.is_public |= shows(&people.reader.browser.open(probe, &path)?, &word);
            sink.views.push(path);
        }
    }
    if let Some(path) = sink.address(&answer.response) {
        sink.names_address = shows(&people.writer.browser.open(probe, &path)?, &word);
        sink.is_public |= sink.names_address && shows(&people.reader.browser.open(probe, &path)?, &word);
    }
    let is_shown = sink.is_observed() || (answer.response.is_success() && shows(&answer, &word));
    Ok(if is_shown { Control::Shown } else { Control::Unseen })
}

impl Sink {
    /// Where one writes, which is often where one reads: the page of the form, the collection of an interface.
    fn written_at(&self) -> Option<String> {
        let path = match &self.source {
            Source::Form { page, .. } => page,
            Source::Request(template) => template.collection(),
        };
        (!path.contains('{')).then(|| path.to_owned())
    }

    /// A text with this word that any such field takes: a field of an address takes nothing but one.
    pub(crate) fn plain_text(
        &self,
        probe: &mut Probe,
        browser: &mut Browser,
        word: &str,
    ) -> Result<String, Fault> {
        let form = self.form(probe, browser)?;
        let mut fields = form.iter().flat_map(|form| &form.fields);
        let is_url = fields.any(|field| field.name == self.field() && field.kind == Kind::Url);
        Ok(if is_url { format!("https://example.com/{word}") } else { word.to_owned() })
    }
}

fn none(tried: &[String], advice: Advice) -> Fault {
    let summary = if tried.is_empty() {
        Text::new(
            "no form that takes text was found on the pages that were looked at",
            "看过的页面上没有找到能写文字的表单",
        )
    } else {
        Text::new(
            "what a user writes is not shown on any page that was found, so there is nothing to look at",
            "用户写的内容在找到的页面上都看不到，没有可看的",
        )
    };
    let list = tried.join("; ");
    let message = Text::new(
        format!("followed links and sent a plain word to: {list}"),
        format!("沿着链接走，并把一个普通的词发给：{list}"),
    );
    let hint = advice.hint(
        "say where a text goes in and which page shows it, for example:",
        "写明文字从哪里进、在哪个页面显示，例如：",
    );
    Fault::inconclusive(summary)
        .with(Finding::new(Severity::Warning, "web-security.no-sink", message).hint(hint))
}
