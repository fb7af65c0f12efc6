//! Texts that one writes and everybody reads.

use http::StatusCode;
use serde_json::json;

use super::guard::Visitor;
use super::request::{Reply, Request};
use super::route::show_as;
use super::state::Post;
use super::{App, Flaw, html};

/// Posts on the page, the newest first.
const SHOWN: usize = 30;

impl App {
    pub(super) fn posts_page(&self, visitor: &Visitor) -> Reply {
        let posts: Vec<Post> = self.state().posts.iter().rev().take(SHOWN).cloned().collect();
        let mut content = String::new();
        if visitor.user.is_some() {
            let fields =
                "<input name=\"title\"><textarea name=\"body\"></textarea><input type=\"url\" name=\"link\">";
            content.push_str(&html::form("/posts", &visitor.token, fields, "Post"));
        }
        for post in &posts {
            content.push_str(&self.article(post, visitor));
        }
        if let Some(newest) = posts.first() {
            let value = json!({ "title": newest.title, "author": newest.author });
            let data =
                if self.is(Flaw::JsonInScript) { value.to_string() } else { html::json_in_script(&value) };
            content.push_str(&format!("<script>window.newest = {data};</script>"));
        }
        Self::show(visitor, "Posts", &content)
    }

    fn article(&self, post: &Post, visitor: &Visitor) -> String {
        let Post { id, author, title, body, link } = post;
        let text = match self.flaw {
            Some(Flaw::RawInOneTemplate | Flaw::StopsStoring) => body.clone(),
            Some(Flaw::StripsScriptOnce) => body.replace("<script>", "").replace("</script>", ""),
            _ => html::escape(body),
        };
        let attribute = if self.is(Flaw::QuotesInAttribute) {
            title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
        } else {
            html::escape(title)
        };
        let is_web = ["http://", "https://"].iter().any(|scheme| link.starts_with(scheme));
        let link = if link.is_empty() || !(is_web || self.is(Flaw::JavascriptLink)) {
            // Shown, so that nobody wonders where it went, and not followed.
            format!("<p>{}</p>", html::escape(link))
        } else {
            format!("<p><a href=\"{0}\">{0}</a></p>", html::escape(link))
        };
        let delete = if visitor.user.as_ref() == Some(author) {
            self.deletion(&format!("/posts/{id}/delete"), visitor)
        } else {
            String::new()
        };
        format!(
            "<article title=\"{attribute}\"><h2>{}</h2><p>by {}</p><div>{text}</div>{link}<a href=\"/posts/{id}/raw\">raw</a>{delete}</article>",
            html::escape(title),
            html::escape(author)
        )
    }

    /// What its author removes a post or a note with.
    pub(super) fn deletion(&self, address: &str, visitor: &Visitor) -> String {
        match self.flaw {
            Some(Flaw::LinkDeletes) => format!("<a href=\"{address}\">Delete</a>"),
            Some(Flaw::DeletesWithoutToken) => {
                format!("<form method=\"post\" action=\"{address}\"><button>Delete</button></form>")
            }
            _ => html::form(address, &visitor.token, "", "Delete"),
        }
    }

    pub(super) fn add_post(&self, request: &Request, visitor: &Visitor) -> Reply {
        let Some(author) = &visitor.user else { return Reply::see_other("/login") };
        if self.is(Flaw::RefusesPosts) {
            return show_as(StatusCode::BAD_REQUEST, visitor, "Refused", "<p>No.</p>");
        }
        let field = |name| request.field(name).to_owned();
        let mut state = self.state();
        if self.is(Flaw::StopsStoring)
            && state.posts.iter().filter(|post| post.author == *author).count() >= 4
        {
            return Reply::see_other("/posts");
        }
        let id = state.next();
        state.posts.push(Post {
            id,
            author: author.clone(),
            title: field("title"),
            body: field("body"),
            link: field("link"),
        });
        Reply::see_other("/posts")
    }

    pub(super) fn delete_post(&self, id: &str, visitor: &Visitor) -> Reply {
        let mut state = self.state();
        let place = state.posts.iter().position(|post| post.id.to_string() == id);
        match place {
            Some(place) if Some(&state.posts[place].author) == visitor.user.as_ref() => {
                state.posts.remove(place);
                Reply::see_other("/posts")
            }
            Some(_) => {
                drop(state);
                show_as(StatusCode::FORBIDDEN, visitor, "Refused", "<p>This is not yours.</p>")
            }
            None => {
                drop(state);
                self.missing(visitor)
            }
        }
    }

    /// The text of a post alone.
    pub(super) fn raw_post(&self, id: &str) -> Reply {
        let state = self.state();
        let body = state.posts.iter().find(|post| post.id.to_string() == id).map(|post| post.body.clone());
        let media_type = if self.is(Flaw::TextAsHtml) { "text/html" } else { "text/plain; charset=utf-8" };
        match body {
            Some(body) => Reply::of(StatusCode::OK, media_type, body),
            None => Reply::of(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "no such post"),
        }
    }

    pub(super) fn search(&self, request: &Request, visitor: &Visitor) -> Reply {
        let wanted = request.parameter("q");
        let shown = if self.is(Flaw::RawEcho) { wanted.to_owned() } else { html::escape(wanted) };
        let mut content = format!(
            "<form action=\"/search\"><input name=\"q\" value=\"{}\"><button>Search</button></form>",
            html::escape(wanted)
        );
        if !wanted.is_empty() {
            let state = self.state();
            let found: Vec<_> = state.posts.iter().filter(|post| post.title.contains(wanted)).collect();
            content.push_str(&format!("<p>{} results for {shown}</p><ul>", found.len()));
            for post in found {
                content.push_str(&format!("<li>{}</li>", html::escape(&post.title)));
            }
            content.push_str("</ul>");
        }
        Self::show(visitor, "Search", &content)
    }
}
