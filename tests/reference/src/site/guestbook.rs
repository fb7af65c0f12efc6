//! Pages for everybody, made by templates: a guestbook and a greeting. No page links to them.

use http::StatusCode;

use super::guard::Visitor;
use super::request::{Reply, Request};
use super::{App, Flaw, html};

impl App {
    /// A value as the templates put it out.
    fn put_out(&self, value: &str) -> String {
        match self.flaw {
            Some(Flaw::TemplatesRaw | Flaw::EscapedWhenStored) => value.to_owned(),
            Some(Flaw::EscapedTwice) => html::escape(&html::escape(value)),
            _ => html::escape(value),
        }
    }

    pub(super) fn guestbook(&self, visitor: &Visitor) -> Reply {
        let state = self.state();
        let entries = state.entries.iter().rev().take(30).map(|(name, text)| {
            let shown = if self.is(Flaw::RawField) { name.clone() } else { self.put_out(name) };
            format!("<li title=\"{}\">{shown}: {}</li>", self.put_out(text), self.put_out(text))
        });
        let list: String = entries.collect();
        drop(state);
        let form = "<form method=\"post\" action=\"/guestbook\"><input name=\"name\"><textarea name=\"text\"></textarea><button>Sign</button></form>";
        Self::show(visitor, "Guestbook", &format!("{form}<ul>{list}</ul>"))
    }

    pub(super) fn sign_guestbook(&self, request: &Request) -> Reply {
        let kept = |field: &str| match self.flaw {
            Some(Flaw::EscapedWhenStored) => html::escape(field),
            Some(Flaw::TemplatesStrip) => stripped(field),
            _ => field.to_owned(),
        };
        let entry = (kept(request.field("name")), kept(request.field("text")));
        self.state().entries.push(entry);
        Reply::see_other("/guestbook")
    }

    /// The same for whoever reads no HTML.
    pub(super) fn guestbook_text(&self) -> Reply {
        let state = self.state();
        let lines: String =
            state.entries.iter().rev().take(30).map(|(name, text)| format!("{name}: {text}\n")).collect();
        Reply::of(StatusCode::OK, "text/plain; charset=utf-8", lines)
    }

    pub(super) fn hello(&self, request: &Request, visitor: &Visitor) -> Reply {
        // It stores nothing, so that there is nothing to escape too early or to strip.
        let escapes = matches!(self.flaw, Some(Flaw::EscapedWhenStored | Flaw::TemplatesStrip));
        let name = request.parameter("name");
        let shown = if escapes { html::escape(name) } else { self.put_out(name) };
        Self::show(visitor, "Hello", &format!("<p>Hello, {shown}!</p>"))
    }
}

/// Without what looks like a tag, as it is often written.
fn stripped(text: &str) -> String {
    let mut inside = false;
    let kept = text.chars().filter(|char| {
        inside = match char {
            '<' => true,
            '>' => {
                let was = inside;
                inside = false;
                return !was;
            }
            _ => inside,
        };
        !inside
    });
    kept.collect()
}
