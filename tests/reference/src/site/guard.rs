//! Who is asking, whether the request comes from a page of this site, and what every answer carries.

use http::{Method, StatusCode};

use super::request::{Reply, Request};
use super::route::show_as;
use super::state::{Session, secret};
use super::{App, Flaw};

/// Who is asking.
#[derive(Debug, Clone, Default)]
pub(super) struct Visitor {
    /// The session's id; made anew for a browser that brings none that is known.
    pub(super) session: String,
    pub(super) is_new: bool,
    pub(super) user: Option<String>,
    /// The token of this session's forms.
    pub(super) token: String,
}

/// The name of the session's cookie.
pub(super) const COOKIE: &str = "session";

/// The cookie whose value the form repeats, where the token is not kept on the server.
const TOKEN_COOKIE: &str = "form_token";

impl App {
    pub(super) fn visitor(&self, request: &Request) -> Visitor {
        let claims = request.cookie(COOKIE).and_then(|value| self.claims(value));
        let brought = claims.as_ref().map(|claims| claims.session.clone());
        let brought = brought.or_else(|| request.cookie(COOKIE).map(str::to_owned));
        let brought = brought.or_else(|| {
            let id = request.parameter("sid");
            (self.is(Flaw::SessionInQuery) && !id.is_empty()).then(|| id.to_owned())
        });
        let mut state = self.state();
        let known = brought.as_ref().and_then(|id| Some((id.clone(), state.sessions.get(id)?.clone())));
        let mut visitor = if let Some((session, Session { user, token })) = known {
            Visitor { session, is_new: false, user, token }
        } else {
            let fixed = brought.filter(|_| self.is(Flaw::SessionFixed));
            let session = fixed.unwrap_or_else(secret);
            let token = secret();
            state.sessions.insert(session.clone(), Session { user: None, token: token.clone() });
            Visitor { session, is_new: true, user: None, token }
        };
        drop(state);
        if let Some(claims) = claims {
            visitor.user = visitor.user.and(Some(claims.user));
        }
        if self.is(Flaw::TrustsUserCookie) {
            visitor.user = request.cookie("user").filter(|name| !name.is_empty()).map(str::to_owned);
        }
        if self.is_unbound() {
            visitor.token = request.cookie(TOKEN_COOKIE).map_or_else(secret, str::to_owned);
        }
        visitor
    }

    /// The refusal of a request that a page of this site did not send.
    pub(super) fn forged(&self, request: &Request, visitor: &Visitor) -> Option<Reply> {
        // Whoever signs the guestbook acts for nobody.
        if request.method != Method::POST || request.path == "/guestbook" {
            return None;
        }
        let refusal =
            || Some(show_as(StatusCode::FORBIDDEN, visitor, "Refused", "<p>This form has expired.</p>"));
        let inside = !matches!(request.path.as_str(), "/login" | "/register");
        match self.flaw {
            Some(Flaw::RefusesActions) if inside && request.path != "/logout" => return refusal(),
            Some(Flaw::NoToken) => return None,
            Some(Flaw::DeletesWithoutToken) if request.deletes() => return None,
            Some(Flaw::RefererSubstring) => {
                let from = request.header("referer");
                let genuine = from.is_empty() && request.header("sec-fetch-site") != "cross-site";
                return if genuine || from.contains(&self.address.to_string()) { None } else { refusal() };
            }
            Some(Flaw::TokenWhenPresent) if request.form.iter().all(|(name, _)| name != "csrf_token") => {
                return None;
            }
            Some(Flaw::TokenUnbound | Flaw::TokenUnboundOneSession) => {
                let chosen = request.cookie(TOKEN_COOKIE).unwrap_or_default();
                return if !chosen.is_empty() && chosen == request.field("csrf_token") {
                    None
                } else {
                    refusal()
                };
            }
            _ => {}
        }
        if request.field("csrf_token") == visitor.token { None } else { refusal() }
    }

    fn is_unbound(&self) -> bool {
        self.is(Flaw::TokenUnbound) || self.is(Flaw::TokenUnboundOneSession)
    }

    /// The attributes of the session's cookie.
    pub(super) fn cookie(&self, id: &str) -> String {
        let readable = self.is(Flaw::ScriptReadsSession);
        let crosses = matches!(
            self.flaw,
            Some(
                Flaw::NoSameSite
                    | Flaw::NoToken
                    | Flaw::DeletesWithoutToken
                    | Flaw::TokenUnbound
                    | Flaw::TokenUnboundOneSession
                    | Flaw::TokenWhenPresent
                    | Flaw::RefererSubstring
            )
        );
        let http_only = if readable { "" } else { "; HttpOnly" };
        let same_site = if crosses { "" } else { "; SameSite=Lax" };
        format!("{COOKIE}={id}; Path=/{http_only}{same_site}")
    }

    /// Adds what every answer carries, and lets the shared cache have its way.
    pub(super) fn finish(&self, request: &Request, visitor: &Visitor, mut reply: Reply) -> Reply {
        if visitor.is_new && reply.is_html() && !reply.headers.iter().any(|(name, _)| *name == "set-cookie") {
            reply = reply.with("set-cookie", self.cookie(&visitor.session));
        }
        if self.is_unbound() && request.cookie(TOKEN_COOKIE).is_none() {
            reply = reply.with("set-cookie", format!("{TOKEN_COOKIE}={}; Path=/", visitor.token));
        }
        if self.is(Flaw::SharedCache) && request.method == Method::GET {
            reply = self.cached(request, visitor, reply);
        }
        if self.is(Flaw::TextAsHtml) && request.path.ends_with("/raw") {
            return reply;
        }
        self.headers(reply)
    }

    fn headers(&self, mut reply: Reply) -> Reply {
        if self.is(Flaw::NoHeaders) || (self.is(Flaw::HeadersOnSuccess) && reply.status != StatusCode::OK) {
            return reply;
        }
        let nonce = if self.is(Flaw::ConstantNonce) { "c29tZS1ub25jZQ".to_owned() } else { secret() };
        let script = if self.is(Flaw::UnsafeInline) {
            "'unsafe-inline'".to_owned()
        } else {
            format!("'nonce-{nonce}'")
        };
        let ancestors = if self.is(Flaw::FrameAllowAll) { "" } else { "; frame-ancestors 'none'" };
        if self.is(Flaw::FrameAllowAll) {
            reply = reply.with("x-frame-options", "ALLOWALL");
        }
        if reply.is_html() {
            let html = String::from_utf8_lossy(&reply.body)
                .replace("<script>", &format!("<script nonce=\"{nonce}\">"));
            reply.body = html.into_bytes();
        }
        reply
            .with(
                "content-security-policy",
                format!(
                    "default-src 'self'; script-src {script}; object-src 'none'; base-uri 'none'{ancestors}"
                ),
            )
            .with("x-content-type-options", "nosniff")
            .with("referrer-policy", "same-origin")
            .with("cache-control", "no-store")
    }

    /// The page as the cache keeps it: it looks at the address only, and keeps pages of people who are logged in.
    fn cached(&self, request: &Request, visitor: &Visitor, reply: Reply) -> Reply {
        const AGE: std::time::Duration = std::time::Duration::from_secs(2);
        if request.path != "/" {
            return reply;
        }
        let mut state = self.state();
        let now = std::time::Instant::now();
        if let Some((end, html)) = state.cached.get(&request.path)
            && *end > now
        {
            return Reply::html(StatusCode::OK, html.clone());
        }
        if visitor.user.is_some() && reply.status == StatusCode::OK {
            let html = String::from_utf8_lossy(&reply.body).into_owned();
            state.cached.insert(request.path.clone(), (now + AGE, html));
        }
        reply
    }
}
