//! Texts that only their author reads.

use http::StatusCode;

use super::guard::Visitor;
use super::request::{Reply, Request};
use super::route::show_as;
use super::state::{Note, secret};
use super::{App, Flaw, html};

impl App {
    pub(super) fn notes_page(&self, visitor: &Visitor) -> Reply {
        let Some(name) = &visitor.user else { return Reply::see_other("/login") };
        let everybody = self.is(Flaw::ListsOthers);
        let notes: Vec<Note> =
            self.state().notes.iter().filter(|note| everybody || note.author == *name).cloned().collect();
        let mut content = html::form("/notes", &visitor.token, "<textarea name=\"text\"></textarea>", "Keep");
        for Note { id, text, .. } in notes.iter().rev() {
            let beginning: String =
                if everybody { "note".to_owned() } else { text.chars().take(40).collect() };
            content.push_str(&format!("<p><a href=\"/notes/{id}\">{}</a></p>", html::escape(&beginning)));
        }
        Self::show(visitor, "Notes", &content)
    }

    pub(super) fn add_note(&self, request: &Request, visitor: &Visitor) -> Reply {
        let Some(author) = visitor.user.clone() else { return Reply::see_other("/login") };
        let mut state = self.state();
        let id = if self.is(Flaw::ListsOthers) { secret() } else { state.next().to_string() };
        state.notes.push(Note { id: id.clone(), author, text: request.field("text").to_owned() });
        Reply::see_other(&format!("/notes/{id}"))
    }

    pub(super) fn note_page(&self, id: &str, visitor: &Visitor) -> Reply {
        let Some(name) = &visitor.user else { return Reply::see_other("/login") };
        let note = self.state().notes.iter().find(|note| note.id == id).cloned();
        let open = matches!(self.flaw, Some(Flaw::ReadsOthers | Flaw::ListsOthers));
        match note {
            Some(note) if note.author == *name || open => {
                let field = format!("<textarea name=\"text\">{}</textarea>", html::escape(&note.text));
                let change = html::form(&format!("/notes/{id}"), &visitor.token, &field, "Change");
                let delete = self.deletion(&format!("/notes/{id}/delete"), visitor);
                Self::show(visitor, "Note", &format!("<p>{}</p>{change}{delete}", html::escape(&note.text)))
            }
            _ => self.missing(visitor),
        }
    }

    pub(super) fn change_note(&self, id: &str, request: &Request, visitor: &Visitor) -> Reply {
        let mut state = self.state();
        let own =
            state.notes.iter_mut().find(|note| note.id == id && Some(&note.author) == visitor.user.as_ref());
        let Some(note) = own else {
            drop(state);
            return self.missing(visitor);
        };
        request.field("text").clone_into(&mut note.text);
        Reply::see_other(&format!("/notes/{id}"))
    }

    pub(super) fn delete_note(&self, id: &str, visitor: &Visitor) -> Reply {
        if visitor.user.is_none() {
            return show_as(StatusCode::FORBIDDEN, visitor, "Refused", "<p>Log in first.</p>");
        }
        let anybody = self.is(Flaw::DeletesOthers);
        let mut state = self.state();
        let before = state.notes.len();
        state.notes.retain(|note| note.id != id || !(anybody || Some(&note.author) == visitor.user.as_ref()));
        let deleted = state.notes.len() < before;
        drop(state);
        if deleted { Reply::see_other("/notes") } else { self.missing(visitor) }
    }
}
