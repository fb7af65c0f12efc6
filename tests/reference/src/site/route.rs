//! Which page is asked for.

use http::{Method, StatusCode};

use super::guard::Visitor;
use super::request::{Reply, Request};
use super::{App, Flaw, html};

impl App {
    /// Answers one request.
    pub(super) fn answer(&self, request: &Request) -> Reply {
        if let Some(trapped) = self.trapped() {
            return trapped;
        }
        let visitor = self.visitor(request);
        let reply = if self.acts_by_get(request) {
            // The handlers read the fields of the form; here they come with the address.
            let form = request.query.clone();
            self.route(&Request { method: Method::POST, form, ..request.clone() }, &visitor)
        } else {
            self.forged(request, &visitor).unwrap_or_else(|| self.route(request, &visitor))
        };
        let reply = self.finish(request, &visitor, reply);
        self.log_request(request, &reply);
        reply
    }

    /// Whether a GET does what a POST should, and nobody asks for a token.
    fn acts_by_get(&self, request: &Request) -> bool {
        let acts = match self.flaw {
            Some(Flaw::GetActs) => {
                !request.query.is_empty() && matches!(request.path.as_str(), "/posts" | "/notes" | "/account")
            }
            Some(Flaw::LinkDeletes | Flaw::FormDeletesByGet) => request.deletes(),
            _ => false,
        };
        acts && request.method == Method::GET
    }

    fn trapped(&self) -> Option<Reply> {
        const PAGE: &str = "<h1>Welcome</h1><form method=post><input name=username><input type=password name=password></form>";
        if self.is(Flaw::AlwaysFails) {
            return Some(Reply::of(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "broken"));
        }
        if self.is(Flaw::ConstantPage) {
            return Some(Reply::html(StatusCode::OK, PAGE.to_owned()));
        }
        self.is(Flaw::AlwaysMissing).then(|| Reply::of(StatusCode::NOT_FOUND, "text/plain", "nothing here"))
    }

    fn route(&self, request: &Request, visitor: &Visitor) -> Reply {
        let segments: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
        let posts = request.method == Method::POST;
        if posts && self.is(Flaw::StoresNothing) {
            return Reply::see_other("/");
        }
        match (segments.as_slice(), posts) {
            ([""], false) if self.is(Flaw::FetchesByPost) && visitor.user.is_some() => {
                self.preview(request, visitor)
            }
            ([""], false) => Self::show(visitor, "Home", "<p>Welcome.</p>"),
            (["register"], false) => Self::register_page(visitor, StatusCode::OK, ""),
            (["register"], true) => self.register(request, visitor),
            (["login"], false) => Self::login_page(visitor, StatusCode::OK, ""),
            (["login"], true) => self.login(request, visitor),
            (["logout"], true) => self.logout(request, visitor),
            (["account"], false) => self.account_page(visitor),
            (["account"], true) => self.change_password(request, visitor),
            (["admin"], false) => self.admin(visitor),
            (["posts"], false) => self.posts_page(visitor),
            (["posts"], true) => self.add_post(request, visitor),
            (["posts", id, "delete"], true) => self.delete_post(id, visitor),
            (["posts", id, "raw"], false) => self.raw_post(id),
            (["search"], false) => self.search(request, visitor),
            (["notes"], false) => self.notes_page(visitor),
            (["notes"], true) => self.add_note(request, visitor),
            (["notes", id], false) => self.note_page(id, visitor),
            (["notes", id], true) => self.change_note(id, request, visitor),
            (["notes", id, "delete"], true) => self.delete_note(id, visitor),
            (["guestbook"], false) => self.guestbook(visitor),
            (["guestbook"], true) => self.sign_guestbook(request),
            (["guestbook.txt"], false) => self.guestbook_text(),
            (["hello"], false) => self.hello(request, visitor),
            (["files"], false) => self.download(request, visitor),
            (["go"], false) => self.go(request),
            (["preview"], true) if self.is(Flaw::FetchesByPost) => self.preview(request, visitor),
            (["preview"], false) => self.preview(request, visitor),
            (["ping"], false) => self.ping(request, visitor),
            ([first, ..], false) if first.starts_with("static") => self.asset(&request.path, visitor),
            _ => self.missing(visitor),
        }
    }

    /// A page of the site.
    pub(super) fn show(visitor: &Visitor, title: &str, content: &str) -> Reply {
        show_as(StatusCode::OK, visitor, title, content)
    }

    pub(super) fn missing(&self, visitor: &Visitor) -> Reply {
        if self.is(Flaw::Debugger) {
            let stack = "<h1>KeyError</h1><pre class=\"traceback\">Traceback (most recent call last):\n  File \"/srv/app/site.py\", line 41, in dispatch\n    return views[path](request)\nKeyError: 'page'</pre><p>The debugger caught an exception. <a href=\"?__debugger__=yes\">console</a></p>";
            return show_as(StatusCode::INTERNAL_SERVER_ERROR, visitor, "Error", stack);
        }
        show_as(StatusCode::NOT_FOUND, visitor, "Not found", "<p>There is no such page.</p>")
    }
}

/// A page of the site under another status.
pub(super) fn show_as(status: StatusCode, visitor: &Visitor, title: &str, content: &str) -> Reply {
    Reply::html(status, html::page(title, visitor.user.as_deref(), &visitor.token, content))
}
