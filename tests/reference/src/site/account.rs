//! Registering, logging in and out, and a new password.

use std::time::{Duration, Instant};

use http::StatusCode;
use md5::{Digest, Md5};

use super::guard::{COOKIE, Visitor};
use super::request::{Reply, Request};
use super::route::show_as;
use super::state::{FREE_GUESSES, Guesses, PENALTY, Session, User, secret};
use super::{App, Flaw, html};

const NAME: &str = "<input name=\"username\" required>";
const PASSWORD: &str = "<input type=\"password\" name=\"password\" required>";
const SHORTEST: usize = 8;
const LONGEST: usize = 256;

impl App {
    pub(super) fn register_page(visitor: &Visitor, status: StatusCode, message: &str) -> Reply {
        let form = html::form("/register", &visitor.token, &format!("{NAME}{PASSWORD}"), "Register");
        show_as(status, visitor, "Register", &format!("<p>{message}</p>{form}"))
    }

    pub(super) fn register(&self, request: &Request, visitor: &Visitor) -> Reply {
        let (name, password) = (request.field("username"), request.field("password"));
        let refuse = |message| Self::register_page(visitor, StatusCode::UNPROCESSABLE_ENTITY, message);
        if name.trim().is_empty() || name.len() > 80 {
            return refuse("Names have 1 to 80 characters.");
        }
        let length = password.chars().count();
        if !(SHORTEST..=LONGEST).contains(&length) {
            return refuse("Passwords have 8 to 256 characters.");
        }
        let taken = || Self::register_page(visitor, StatusCode::CONFLICT, "This name is taken.");
        if self.state().user(name).is_some() {
            return taken();
        }
        let hash = self.kept(&self.seen(password));
        let admin = self.is(Flaw::AdminField) && request.field("admin") == "true";
        let mut state = self.state();
        // The database's unique key, as it were: looked at again under the lock that inserts.
        if state.user(name).is_some() && !self.is(Flaw::CheckThenInsert) {
            drop(state);
            return taken();
        }
        state.users.push(User { name: name.to_owned(), hash, admin });
        self.write_users(&state);
        Reply::see_other("/login")
    }

    pub(super) fn login_page(visitor: &Visitor, status: StatusCode, message: &str) -> Reply {
        let form = html::form("/login", &visitor.token, &format!("{NAME}{PASSWORD}"), "Log in");
        show_as(status, visitor, "Log in", &format!("<p>{message}</p>{form}"))
    }

    pub(super) fn login(&self, request: &Request, visitor: &Visitor) -> Reply {
        let (name, password) = (request.field("username"), request.field("password"));
        let key =
            if self.is(Flaw::ThrottleByForwardedFor) { request.header("x-forwarded-for") } else { name };
        if let Some(wait) = self.wait(request, key) {
            let page = Self::login_page(
                visitor,
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong passwords. Wait a moment.",
            );
            return page.with("retry-after", wait.as_secs().max(1).to_string());
        }
        let user = self.state().user(name).cloned();
        let stored = user.as_ref().map_or(&self.dummy, |user| &user.hash);
        let right = match self.flaw {
            Some(Flaw::AnyPassword) => true,
            Some(Flaw::NoDummyHash) if user.is_none() => false,
            _ => self.is_kept(&self.seen(password), stored),
        };
        match user {
            Some(user) if right => {
                self.state().guesses.remove(key);
                self.sign_in(visitor, &user.name)
            }
            known => {
                if self.is(Flaw::LogsWrongGuesses) {
                    self.log(&format!("login failed: {name} / {password}"));
                }
                self.wrong(request, visitor, key, known.is_some())
            }
        }
    }

    /// The password as this site looks at it.
    fn seen(&self, password: &str) -> String {
        match self.flaw {
            Some(Flaw::PasswordIgnoresCase) => password.to_lowercase(),
            Some(Flaw::PasswordTruncated) => {
                String::from_utf8_lossy(&password.as_bytes()[..password.len().min(72)]).into_owned()
            }
            _ => password.to_owned(),
        }
    }

    fn wait(&self, request: &Request, key: &str) -> Option<Duration> {
        if self.is(Flaw::NoThrottle) {
            return None;
        }
        if self.is(Flaw::ThrottleInCookie) {
            let count: u32 = request.cookie("tries").and_then(|count| count.parse().ok()).unwrap_or_default();
            return (count > FREE_GUESSES).then_some(PENALTY);
        }
        let Guesses { count, last } = self.state().guesses.get(key).copied()?;
        if self.is(Flaw::LocksForEver) {
            return (count >= 4).then_some(Duration::from_hours(24));
        }
        let left = PENALTY.saturating_sub(last.elapsed());
        (count > FREE_GUESSES && !left.is_zero()).then_some(left)
    }

    fn wrong(&self, request: &Request, visitor: &Visitor, key: &str, known: bool) -> Reply {
        let mut state = self.state();
        let guesses =
            state.guesses.entry(key.to_owned()).or_insert(Guesses { count: 0, last: Instant::now() });
        // After a penalty a few more tries are free.
        if guesses.count > FREE_GUESSES && guesses.last.elapsed() >= PENALTY && !self.is(Flaw::LocksForEver) {
            guesses.count = FREE_GUESSES - 2;
        }
        *guesses = Guesses { count: guesses.count + 1, last: Instant::now() };
        drop(state);
        let (status, message) = match (self.flaw, known) {
            (Some(Flaw::TwoMessages), false) => (StatusCode::UNAUTHORIZED, "There is no such user."),
            (Some(Flaw::TwoStatuses), false) => (StatusCode::NOT_FOUND, "Wrong name or password."),
            _ => (StatusCode::UNAUTHORIZED, "Wrong name or password."),
        };
        if self.is(Flaw::TwoMediaTypes) && !known {
            return Reply::of(status, "text/plain; charset=utf-8", message);
        }
        let reply = Self::login_page(visitor, status, message);
        if self.is(Flaw::ThrottleInCookie) {
            let count: u32 = request.cookie("tries").and_then(|count| count.parse().ok()).unwrap_or_default();
            return reply.with("set-cookie", format!("tries={}; Path=/", count + 1));
        }
        reply
    }

    fn sign_in(&self, visitor: &Visitor, name: &str) -> Reply {
        let mut state = self.state();
        let id = match self.flaw {
            Some(Flaw::SessionOfName) => hex::encode(Md5::digest(name)),
            Some(Flaw::SessionCounts) => format!("{:032}", state.next()),
            Some(Flaw::SessionFixed) => visitor.session.clone(),
            _ => secret(),
        };
        state.sessions.remove(&visitor.session);
        if self.is(Flaw::TokenUnboundOneSession) {
            state.sessions.retain(|_, session| session.user.as_deref() != Some(name));
        }
        state.sessions.insert(id.clone(), Session { user: Some(name.to_owned()), token: secret() });
        let id = self.token(name, &id).unwrap_or(id);
        let to = if self.is(Flaw::SessionInQuery) { format!("/?sid={id}") } else { "/".to_owned() };
        let reply = Reply::see_other(&to).with("set-cookie", self.cookie(&id));
        if self.is(Flaw::TrustsUserCookie) {
            reply.with("set-cookie", format!("user={name}; Path=/; HttpOnly"))
        } else {
            reply
        }
    }

    pub(super) fn logout(&self, _: &Request, visitor: &Visitor) -> Reply {
        if !self.is(Flaw::LogoutInBrowserOnly) {
            self.state().sessions.remove(&visitor.session);
        }
        let reply =
            Reply::see_other("/").with("set-cookie", format!("{COOKIE}=; Path=/; HttpOnly; Max-Age=0"));
        if self.is(Flaw::TrustsUserCookie) {
            reply.with("set-cookie", "user=; Path=/; Max-Age=0")
        } else {
            reply
        }
    }

    pub(super) fn account_page(&self, visitor: &Visitor) -> Reply {
        let Some(name) = &visitor.user else { return Reply::see_other("/login") };
        let whose = format!("<input type=\"hidden\" name=\"username\" value=\"{}\">", html::escape(name));
        let fields = format!(
            "{}<input type=\"password\" name=\"new_password\">",
            if self.is(Flaw::PasswordOfOthers) { whose } else { String::new() }
        );
        let form = html::form("/account", &visitor.token, &fields, "Change");
        Self::show(visitor, "Account", &form)
    }

    pub(super) fn change_password(&self, request: &Request, visitor: &Visitor) -> Reply {
        let Some(name) = &visitor.user else { return Reply::see_other("/login") };
        let name = if self.is(Flaw::PasswordOfOthers) { request.field("username") } else { name };
        let password = request.field("new_password");
        if password.chars().count() < SHORTEST {
            return show_as(
                StatusCode::UNPROCESSABLE_ENTITY,
                visitor,
                "Account",
                "<p>Passwords have 8 characters or more.</p>",
            );
        }
        let hash = self.kept(&self.seen(password));
        let mut state = self.state();
        if let Some(user) = state.users.iter_mut().find(|user| user.name == name) {
            user.hash = hash;
        }
        self.write_users(&state);
        // Whoever was logged in by the old password is not any more; this browser is.
        state.sessions.retain(|id, session| *id == visitor.session || session.user.as_deref() != Some(name));
        Reply::see_other("/")
    }

    pub(super) fn admin(&self, visitor: &Visitor) -> Reply {
        let state = self.state();
        let is_admin = visitor.user.as_ref().and_then(|name| state.user(name)).is_some_and(|user| user.admin);
        let count = state.users.len();
        drop(state);
        if is_admin {
            return Self::show(visitor, "Administration", &format!("<p>{count} users</p>"));
        }
        show_as(StatusCode::FORBIDDEN, visitor, "Refused", "<p>This is not for you.</p>")
    }
}
