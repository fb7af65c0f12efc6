//! How a person registers, logs in, is recognised and logs out on this site: as the learner wrote it, or found by looking.

use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{Advice, Probe, Template};
use mustdo_plugin::{Failure, Fault, Text};
use serde_json::{Value, json};

use crate::account::{Account, Written};
use crate::advice::{unknown_site, unusable};
use crate::browser::{Browser, Visit, is_html, redirect};
use crate::form::{Form, Kind};
use crate::page::Page;

/// Pages where registration is often found.
const REGISTER: [&str; 7] = [
    "/register",
    "/auth/register",
    "/signup",
    "/accounts/register/",
    "/accounts/signup/",
    "/users/register",
    "/users/new",
];
/// Interfaces where registration is often found.
const REGISTER_API: [&str; 6] =
    ["/register", "/api/register", "/api/auth/register", "/auth/register", "/signup", "/users"];
/// Pages where login is often found.
const LOGIN: [&str; 6] =
    ["/login", "/auth/login", "/signin", "/accounts/login/", "/users/login", "/sessions/new"];
/// Interfaces where login is often found.
const LOGIN_API: [&str; 6] =
    ["/login", "/api/login", "/api/auth/login", "/auth/login", "/session", "/users/login"];
/// Where a site says who is logged in, after where login leads.
const WHOAMI: [&str; 14] = [
    "/",
    "/me",
    "/whoami",
    "/api/me",
    "/profile",
    "/account",
    "/users/me",
    "/api/users/me",
    "/auth/me",
    "/api/auth/me",
    "/dashboard",
    "/session",
    "/user",
    "/accounts/profile/",
];
/// Where sessions are often ended.
const LOGOUT: [&str; 5] = ["/logout", "/auth/logout", "/api/logout", "/signout", "/accounts/logout/"];

/// Names of a bearer token in the answer to a login.
const TOKENS: [&str; 7] =
    ["access_token", "token", "accessToken", "auth_token", "authToken", "jwt", "id_token"];

/// The longest wait that a limit of the rate may ask for.
const PATIENCE: u64 = 20;

/// What the learner wrote of the site; none is found by looking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doors<'check> {
    pub(crate) register: Option<&'check Template>,
    pub(crate) login: Option<&'check Template>,
    pub(crate) logout: Option<&'check Template>,
    pub(crate) whoami: Option<&'check Template>,
    pub(crate) features: crate::check::Features<'check>,
    pub(crate) advice: Advice,
}

/// One way in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// A page with a form, fetched anew each time: its tokens are for one use.
    Page(String),
    /// A request.
    Request(Template),
}

impl Way {
    fn line(&self) -> String {
        match self {
            Self::Page(path) => path.clone(),
            Self::Request(template) => format!("{} {}", template.method, template.path),
        }
    }

    /// The request of one person; the browser is the one that will send it.
    fn request(
        &self,
        probe: &mut Probe,
        browser: &mut Browser,
        account: &Account,
        by_email: bool,
    ) -> Result<Option<Request>, Failure> {
        match self {
            Self::Request(template) => {
                let form = matches!(template.body, Some(Value::String(_)));
                Ok(Some(template.fill(&Written { account, form })))
            }
            Self::Page(path) => {
                let visit = browser.open(probe, path)?;
                Ok(password_form(&visit).map(|form| form.submit(|field| account.fill(field, by_email))))
            }
        }
    }
}

/// The form of a page that asks for a password.
fn password_form(visit: &Visit) -> Option<Form> {
    visit.forms().into_iter().find(|form| form.posts && form.asks_password())
}

/// What came of an attempt to register or to log in.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) browser: Browser,
    pub(crate) visit: Visit,
}

impl Attempt {
    /// What tells a registration that worked from one that did not.
    pub(crate) fn kind(&self) -> AnswerKind {
        let shown = self.visit.led_to.is_none().then_some(&self.visit.response);
        AnswerKind::new(self.visit.first, self.visit.led_to.as_deref(), shown)
    }
}

/// What is the same in every answer of one kind, without what differs each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnswerKind {
    status: u16,
    /// Where it leads, without its query.
    led_to: Option<String>,
    /// Whether it shows a form with a password again.
    asks_again: bool,
    /// The fields of a document.
    fields: Vec<String>,
}

impl AnswerKind {
    fn new(status: u16, led_to: Option<&str>, shown: Option<&Response>) -> Self {
        let asks_again = shown.is_some_and(|response| {
            is_html(response) && Form::all("/", &Page::parse(&response.body)).iter().any(Form::asks_password)
        });
        let document = shown.and_then(Response::json);
        let fields =
            document.as_ref().and_then(Value::as_object).map(|fields| fields.keys().cloned().collect());
        let led_to = led_to.map(|path| path.split('?').next().unwrap_or_default().to_owned());
        Self { status, led_to, asks_again, fields: fields.unwrap_or_default() }
    }

    /// The kind of an answer whose redirect was not followed; `path` is what was asked for.
    pub(crate) fn of(path: &str, response: &Response) -> Self {
        let led_to = redirect(path, response);
        Self::new(response.status, led_to.as_deref(), led_to.is_none().then_some(response))
    }

    /// The status, for a message.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }
}

/// A way through the site that was seen to work.
#[derive(Debug, Clone)]
pub(crate) struct Flow<'check> {
    doors: Doors<'check>,
    register: Way,
    login: Way,
    /// Says who is logged in.
    pub(crate) whoami: String,
    /// Whether people are known by their address.
    by_email: bool,
    /// A page that showed a stranger what it had shown a user.
    pub(crate) leak: Option<String>,
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) account: Account,
    pub(crate) browser: Browser,
}

impl<'check> Flow<'check> {
    /// Registers a first person and logs in, trying what the learner wrote, else what is usual.
    pub(crate) fn find(probe: &mut Probe, doors: Doors<'check>) -> Result<(Self, Member), Fault> {
        let home = Browser::default().open(probe, "/")?;
        let account = Account::fresh(probe.generator());
        let register = find_register(probe, doors, &home, &account)?;
        let by_email = register.by_email;
        if let Some(answer) = &register.answer
            && answer.visit.response.status >= 500
        {
            return Err(unusable(&register.way.line(), &answer.visit.response, doors.advice));
        }
        let ways = login_ways(probe, doors, &home)?;
        let mut last = None;
        for login in ways {
            let mut flow = Self {
                doors,
                register: register.way.clone(),
                login,
                whoami: String::new(),
                by_email,
                leak: None,
            };
            let attempt = flow.log_in(probe, &account)?;
            if let Some(path) = find_whoami(probe, &mut flow, &attempt, &account.name)? {
                flow.whoami = path;
                return Ok((flow, Member { account, browser: attempt.browser }));
            }
            last = Some((flow.login.line(), attempt));
        }
        Err(match last {
            Some((line, attempt)) if attempt.visit.response.status >= 500 => {
                unusable(&line, &attempt.visit.response, doors.advice)
            }
            Some((line, attempt)) => no_whoami(&register.way.line(), &line, &attempt, doors.advice),
            None => nowhere("login", "登录", doors.advice),
        })
    }

    /// What somebody is known by at the login: the name, or the address of mail.
    pub(crate) fn known_as<'account>(&self, account: &'account Account) -> &'account str {
        if self.by_email { &account.email } else { &account.name }
    }

    /// Registers somebody, with a browser of their own.
    pub(crate) fn register(&self, probe: &mut Probe, account: &Account) -> Result<Attempt, Fault> {
        self.attempt(probe, &self.register, account)
    }

    /// The request that would register somebody, and nothing sent but what it takes to know it.
    pub(crate) fn registration(&self, probe: &mut Probe, account: &Account) -> Result<Request, Fault> {
        let mut browser = Browser::default();
        let request = self.register.request(probe, &mut browser, account, self.by_email)?;
        let request = request.ok_or_else(|| form_gone(&self.register))?;
        Ok(browser.dress(request, crate::jar::From::SameSite))
    }

    /// The request that would log somebody in.
    pub(crate) fn login_request(
        &self,
        probe: &mut Probe,
        browser: &mut Browser,
        account: &Account,
    ) -> Result<Request, Fault> {
        let request = self.login.request(probe, browser, account, self.by_email)?;
        request.ok_or_else(|| form_gone(&self.login))
    }

    /// Logs somebody in, with a browser of their own.
    pub(crate) fn log_in(&self, probe: &mut Probe, account: &Account) -> Result<Attempt, Fault> {
        self.attempt(probe, &self.login, account)
    }

    /// Logs somebody in with a browser that has been here before.
    pub(crate) fn log_in_with(
        &self,
        probe: &mut Probe,
        mut browser: Browser,
        account: &Account,
    ) -> Result<Attempt, Fault> {
        let request = self.login_request(probe, &mut browser, account)?;
        let visit = patient(probe, &mut browser, request)?;
        browser.bearer = bearer(&visit.response).or(browser.bearer);
        Ok(Attempt { browser, visit })
    }

    /// Registers somebody new and logs in: what every check needs before it begins.
    pub(crate) fn member(&self, probe: &mut Probe) -> Result<Member, Fault> {
        let account = Account::fresh(probe.generator());
        self.join(probe, account)
    }

    /// Registers this person and logs in.
    pub(crate) fn join(&self, probe: &mut Probe, account: Account) -> Result<Member, Fault> {
        self.register(probe, &account)?;
        let attempt = self.log_in(probe, &account)?;
        let mut browser = attempt.browser.clone();
        if self.sees(probe, &mut browser, &account.name)? {
            return Ok(Member { account, browser });
        }
        let status = attempt.visit.first;
        let line = self.login_line();
        Err(Fault::inconclusive(Text::new(
            format!("another person was registered and could not log in: {line} answered {status}"),
            format!("又注册了一个用户，却登录不了：{line} 返回 {status}"),
        )))
    }

    /// Whether the site takes this browser for that person: the page that says who is logged in shows the name, twice,
    /// since a message such as "welcome, NAME" may be shown once.
    pub(crate) fn sees(&self, probe: &mut Probe, browser: &mut Browser, name: &str) -> Result<bool, Fault> {
        sees_at(probe, browser, &self.whoami, name)
    }

    /// What the page that says who is logged in shows to this browser.
    pub(crate) fn look(&self, probe: &mut Probe, browser: &mut Browser) -> Result<Visit, Fault> {
        Ok(browser.open(probe, &self.whoami)?)
    }

    /// Logs out as the site offers it, and says how; none when no way was found.
    pub(crate) fn log_out(&self, probe: &mut Probe, browser: &mut Browser) -> Result<Option<String>, Fault> {
        if let Some(template) = self.doors.logout {
            let account = Account::fresh(probe.generator());
            let mut request = template.fill(&Written { account: &account, form: true });
            if request.method != "GET" && request.body.is_empty() {
                let visit = self.look(probe, browser)?;
                request = Request { path: request.path.clone(), ..with_tokens(&visit, &request) };
            }
            let line = format!("{} {}", request.method, request.path);
            browser.visit(probe, request)?;
            return Ok(Some(line));
        }
        let visit = self.look(probe, browser)?;
        if let Some(request) = offered_logout(&visit) {
            let line = format!("{} {}", request.method, request.path);
            browser.visit(probe, request)?;
            return Ok(Some(line));
        }
        for method in ["POST", "GET"] {
            for path in LOGOUT {
                let request = with_tokens(&visit, &Request::new(method, path));
                let status = browser.visit(probe, request)?.first;
                if (200..400).contains(&status) {
                    return Ok(Some(format!("{method} {path}")));
                }
            }
        }
        Ok(None)
    }

    /// How login is done, for a message.
    pub(crate) fn login_line(&self) -> String {
        self.login.line()
    }

    /// How registration is done, for a message.
    pub(crate) fn register_line(&self) -> String {
        self.register.line()
    }

    /// What the learner can write of the site.
    pub(crate) fn advice(&self) -> Advice {
        self.doors.advice
    }

    /// The path of the login page, where there is one.
    pub(crate) fn login_page(&self) -> Option<&str> {
        match &self.login {
            Way::Page(path) => Some(path),
            Way::Request(_) => None,
        }
    }

    /// The path of the registration page, where there is one.
    pub(crate) fn register_page(&self) -> Option<&str> {
        match &self.register {
            Way::Page(path) => Some(path),
            Way::Request(_) => None,
        }
    }

    fn attempt(&self, probe: &mut Probe, way: &Way, account: &Account) -> Result<Attempt, Fault> {
        let mut browser = Browser::default();
        let request = way.request(probe, &mut browser, account, self.by_email)?;
        let request = request.ok_or_else(|| form_gone(way))?;
        let visit = patient(probe, &mut browser, request)?;
        browser.bearer = bearer(&visit.response);
        Ok(Attempt { browser, visit })
    }
}

fn form_gone(way: &Way) -> Fault {
    let line = way.line();
    let summary = Text::new(
        format!("{line} was there before and is not any more; does the site turn away busy clients?"),
        format!("{line}之前还在，现在没有了；网站是不是在拒绝频繁的访问？"),
    );
    Fault::inconclusive(summary)
}

/// Sends a request, and once more after the wait that a limit of the rate asks for.
fn patient(probe: &mut Probe, browser: &mut Browser, request: Request) -> Result<Visit, Fault> {
    let visit = browser.visit(probe, request.clone())?;
    if visit.first != 429 {
        return Ok(visit);
    }
    let wait = visit.response.header("retry-after").and_then(|value| value.parse().ok());
    let Some(wait) = wait.filter(|seconds| *seconds <= PATIENCE).map(Duration::from_secs) else {
        return Ok(visit);
    };
    if !probe.has_time(wait * 2) {
        return Ok(visit);
    }
    probe.sleep(wait);
    Ok(browser.visit(probe, request)?)
}

/// The token of a login by JSON.
pub(crate) fn bearer(response: &Response) -> Option<String> {
    let body = response.json()?;
    let places = [Some(&body), body.get("data"), body.get("user"), body.get("session")];
    places.into_iter().flatten().find_map(|place| {
        TOKENS
            .iter()
            .find_map(|name| place.get(name)?.as_str().filter(|token| token.len() >= 8).map(str::to_owned))
    })
}

/// A way to register, and the answer where it took a request to find it.
struct Registration {
    way: Way,
    by_email: bool,
    answer: Option<Attempt>,
}

fn find_register(
    probe: &mut Probe,
    doors: Doors,
    home: &Visit,
    account: &Account,
) -> Result<Registration, Fault> {
    let written = doors.register;
    if let Some(template) = written.filter(|template| is_request(template)) {
        let by_email = !template.mentions("{user}");
        let way = Way::Request(template.clone());
        return Ok(Registration {
            answer: Some(register_by(probe, &way, account, by_email)?),
            way,
            by_email,
        });
    }
    let pages = candidates(
        written,
        home,
        &["regist", "signup", "sign-up", "sign_up", "sign up", "注册", "join"],
        &REGISTER,
    );
    for path in pages {
        let visit = Browser::default().open(probe, &path)?;
        let Some(form) = password_form(&visit) else { continue };
        let by_email = form.field(Kind::User).is_none() && form.field(Kind::Email).is_some();
        let way = Way::Page(path);
        return Ok(Registration {
            answer: Some(register_by(probe, &way, account, by_email)?),
            way,
            by_email,
        });
    }
    let interfaces = written.map_or_else(|| REGISTER_API.to_vec(), |template| vec![template.path.as_str()]);
    for path in interfaces {
        for (body, by_email) in bodies() {
            let way = Way::Request(Template::new("POST", path).with_body(body));
            let answer = register_by(probe, &way, account, by_email)?;
            match answer.visit.first {
                200..=399 => return Ok(Registration { way, by_email, answer: Some(answer) }),
                404 | 405 | 501 => break,
                _ => {}
            }
        }
    }
    if home.response.status >= 500 {
        return Err(unusable("GET /", &home.response, doors.advice));
    }
    Err(nowhere("registration", "注册", doors.advice))
}

fn register_by(probe: &mut Probe, way: &Way, account: &Account, by_email: bool) -> Result<Attempt, Fault> {
    let mut browser = Browser::default();
    let request = way.request(probe, &mut browser, account, by_email)?;
    let request = request.ok_or(Failure::Protocol("the form disappeared".to_owned()))?;
    let visit = patient(probe, &mut browser, request)?;
    Ok(Attempt { browser, visit })
}

fn login_ways(probe: &mut Probe, doors: Doors, home: &Visit) -> Result<Vec<Way>, Fault> {
    let written = doors.login;
    if let Some(template) = written.filter(|template| is_request(template)) {
        return Ok(vec![Way::Request(template.clone())]);
    }
    for path in candidates(
        written,
        home,
        &["login", "log-in", "log in", "signin", "sign in", "sign-in", "登录"],
        &LOGIN,
    ) {
        let visit = Browser::default().open(probe, &path)?;
        if password_form(&visit).is_some() {
            return Ok(vec![Way::Page(path)]);
        }
    }
    let interfaces = written.map_or_else(|| LOGIN_API.to_vec(), |template| vec![template.path.as_str()]);
    let mut ways = Vec::new();
    for path in interfaces {
        let known = Browser::default().send(probe, Request::new("POST", path).json(&json!({})))?;
        if matches!(known.status, 404 | 405 | 501) {
            continue;
        }
        ways.extend(bodies().map(|(body, _)| Way::Request(Template::new("POST", path).with_body(body))));
    }
    Ok(ways)
}

/// The usual bodies of an interface, and whether people are known by their address there.
fn bodies() -> impl Iterator<Item = (Value, bool)> {
    [
        (json!({ "username": "{user}", "password": "{password}" }), false),
        (json!({ "username": "{user}", "email": "{email}", "password": "{password}" }), false),
        (json!({ "email": "{email}", "password": "{password}" }), true),
        (json!("username={user}&password={password}"), false),
    ]
    .into_iter()
}

/// Whether what the learner wrote is the request itself, and not the page it is sent from.
fn is_request(template: &Template) -> bool {
    template.method != "GET" || template.body.is_some()
}

/// Pages to look at: the written one alone, else the links whose address or words speak of it, then the usual ones.
fn candidates(written: Option<&Template>, home: &Visit, words: &[&str], usual: &[&str]) -> Vec<String> {
    if let Some(template) = written {
        return vec![template.path.clone()];
    }
    let links = home.page().links().into_iter().filter(|(href, text)| {
        let (href, text) = (href.to_ascii_lowercase(), text.to_lowercase());
        words.iter().any(|word| href.contains(word) || text.contains(word))
    });
    let mut pages: Vec<String> =
        links.filter_map(|(href, _)| crate::address::resolve(&home.path, &href)).collect();
    pages.extend(usual.iter().map(|path| (*path).to_owned()));
    let mut seen = std::collections::BTreeSet::new();
    pages.retain(|path| seen.insert(path.clone()));
    pages
}

fn find_whoami(
    probe: &mut Probe,
    flow: &mut Flow,
    attempt: &Attempt,
    name: &str,
) -> Result<Option<String>, Fault> {
    let mut pages: Vec<String> = match flow.doors.whoami {
        Some(template) => vec![template.path.clone()],
        None => attempt.visit.led_to.iter().cloned().chain(WHOAMI.map(str::to_owned)).collect(),
    };
    let mut seen = std::collections::BTreeSet::new();
    pages.retain(|path| seen.insert(path.clone()));
    for path in pages {
        let stranger = Browser::default().open(probe, &path)?;
        if stranger.first == 404 {
            continue;
        }
        if stranger.words().contains(name) {
            // A list of members is public. The same page for both is the member's own.
            let own = attempt.browser.clone().open(probe, &path)?;
            if own.words() == stranger.words() && stranger.response.is_success() {
                flow.leak.get_or_insert(path);
            }
            continue;
        }
        if sees_at(probe, &mut attempt.browser.clone(), &path, name)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn sees_at(probe: &mut Probe, browser: &mut Browser, path: &str, name: &str) -> Result<bool, Fault> {
    for _ in 0..2 {
        let visit = browser.open(probe, path)?;
        if !visit.response.is_success() || !visit.words().contains(name) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The logout that a page offers: a form, else a link.
fn offered_logout(visit: &Visit) -> Option<Request> {
    let speaks = |text: &str| {
        let text = text.to_lowercase();
        ["logout", "log-out", "log_out", "log out", "signout", "sign-out", "sign out", "退出", "注销"]
            .iter()
            .any(|word| text.contains(word))
    };
    if let Some(form) = visit.forms().into_iter().find(|form| speaks(&form.action)) {
        return Some(form.submit(|_| None));
    }
    let links = visit.page().links();
    let (href, _) = links.iter().find(|(href, words)| speaks(href) || speaks(words))?;
    crate::address::resolve(&visit.path, href).map(Request::get)
}

/// A POST with the hidden fields of the page's first form: a token is usually good for every form of a page.
fn with_tokens(visit: &Visit, request: &Request) -> Request {
    if request.method == "GET" {
        return request.clone();
    }
    let forms = visit.forms();
    let hidden: Vec<_> = forms
        .iter()
        .find(|form| form.posts)
        .map(|form| form.fields.iter().filter(|field| field.kind == Kind::Hidden).collect())
        .unwrap_or_default();
    let pairs: Vec<_> = hidden.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
    request
        .clone()
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(crate::address::encode_pairs(&pairs))
}

fn nowhere(en: &str, zh: &str, advice: Advice) -> Fault {
    let summary = Text::new(
        format!(
            "no {en} was found: neither a form with a password nor an interface at one of the usual addresses"
        ),
        format!("没有找到{zh}：常见的地址上既没有带密码的表单，也没有接口"),
    );
    unknown_site(
        advice,
        summary,
        "web-security.no-way-in",
        Text::new("looked at the links of / and at the usual addresses", "看过 / 上的链接和常见的地址"),
    )
}

fn no_whoami(register: &str, login: &str, attempt: &Attempt, advice: Advice) -> Fault {
    let status = attempt.visit.first;
    let summary = Text::new(
        format!("registered by {register} and sent {login}, but no page then shows who is logged in"),
        format!("用{register}注册、再用{login}登录之后，没有哪个页面显示登录的是谁"),
    );
    let seen = mustdo_plugin::service::excerpt(attempt.visit.words().as_bytes());
    let message = Text::new(
        format!(
            "login was answered {status}: {seen}. A login counts only when a page shows the user's name to that user and to nobody else"
        ),
        format!("登录返回 {status}：{seen}。只有当某个页面只对本人显示用户名时，登录才算数"),
    );
    unknown_site(advice, summary, "web-security.no-whoami", message)
}
