//! The forms of a page: which fields they have, what belongs into each, and the request that submitting one sends.

use mustdo_plugin::http::Request;

use crate::address::{encode_pairs, resolve};
use crate::page::{Node, Page, attribute};

/// What a field is for, as far as its type and name tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name to sign in with.
    User,
    /// An address of mail.
    Email,
    /// A password, or its repetition.
    Password,
    /// Text of one line or many.
    Text,
    /// An address of the web.
    Url,
    /// A number.
    Number,
    /// Sent back as it was given: tokens against forgery among them.
    Hidden,
    /// Sent as it stands: choices, ticks, the button.
    Fixed,
    /// A file to send.
    File,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) value: String,
}

/// One form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// Where it stands.
    pub(crate) page: String,
    /// Where it is sent, resolved.
    pub(crate) action: String,
    pub(crate) posts: bool,
    pub(crate) multipart: bool,
    pub(crate) fields: Vec<Field>,
}

impl Form {
    /// Every form of a page that is sent to this site.
    pub(crate) fn all(path: &str, page: &Page) -> Vec<Self> {
        let mut forms = Vec::new();
        let mut open: Option<Self> = None;
        let mut select: Option<Field> = None;
        for (place, node) in page.nodes().iter().enumerate() {
            match node {
                Node::Start { name, attributes } if name == "form" => {
                    forms.extend(open.take());
                    open = Self::begin(path, attributes);
                }
                Node::Start { name, attributes } => {
                    let Some(form) = open.as_mut() else { continue };
                    match name.as_str() {
                        "input" | "button" => form.take(input(name, attributes)),
                        "textarea" => {
                            let value = match page.nodes().get(place + 1) {
                                Some(Node::Text { text, .. }) => text.clone(),
                                _ => String::new(),
                            };
                            form.take(named(attributes, Kind::Text, &value));
                        }
                        "select" => select = named(attributes, Kind::Fixed, ""),
                        "option" => choose(select.as_mut(), attributes),
                        _ => {}
                    }
                }
                Node::End(name) if name == "select" => {
                    if let Some(form) = open.as_mut() {
                        form.take(select.take());
                    }
                }
                Node::End(name) if name == "form" => forms.extend(open.take()),
                Node::End(_) | Node::Text { .. } => {}
            }
        }
        forms.extend(open);
        forms
    }

    fn begin(path: &str, attributes: &[(String, String)]) -> Option<Self> {
        let is = |name, value: &str| {
            attribute(attributes, name).is_some_and(|set| set.eq_ignore_ascii_case(value))
        };
        Some(Self {
            page: path.to_owned(),
            action: resolve(path, attribute(attributes, "action").unwrap_or_default())?,
            posts: is("method", "post"),
            multipart: is("enctype", "multipart/form-data"),
            fields: Vec::new(),
        })
    }

    fn take(&mut self, field: Option<Field>) {
        self.fields.extend(field);
    }

    /// Whether it asks for a password.
    pub(crate) fn asks_password(&self) -> bool {
        self.passwords() > 0
    }

    /// How many fields of a password it has.
    pub(crate) fn passwords(&self) -> usize {
        self.fields.iter().filter(|field| field.kind == Kind::Password).count()
    }

    /// The first field of a kind.
    pub(crate) fn field(&self, kind: Kind) -> Option<&Field> {
        self.fields.iter().find(|field| field.kind == kind)
    }

    /// The request of submitting it; `fill` gives the value of a field, or none to leave what the page put there.
    pub(crate) fn submit(&self, mut fill: impl FnMut(&Field) -> Option<String>) -> Request {
        let pairs: Vec<_> = self
            .fields
            .iter()
            .map(|field| (field.name.clone(), fill(field).unwrap_or_else(|| field.value.clone())))
            .collect();
        self.request(&pairs)
    }

    /// The request with these values.
    pub(crate) fn request(&self, pairs: &[(String, String)]) -> Request {
        if !self.posts {
            let path = self.action.split('?').next().unwrap_or_default();
            return Request::get(format!("{path}?{}", encode_pairs(pairs)));
        }
        let request = Request::new("POST", self.action.clone());
        if self.multipart {
            let (media_type, body) = multipart(pairs);
            return request.header("Content-Type", media_type).body(body);
        }
        request.header("Content-Type", "application/x-www-form-urlencoded").body(encode_pairs(pairs))
    }
}

/// Whether a hidden field of this name is a token against forgery.
pub(crate) fn is_token(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["csrf", "xsrf", "token", "authenticity", "nonce"].iter().any(|word| lower.contains(word))
}

/// The field of an `input` or `button`; none for one that is not sent.
fn input(element: &str, attributes: &[(String, String)]) -> Option<Field> {
    let default = if element == "button" { "submit" } else { "text" };
    let kind = attribute(attributes, "type").unwrap_or(default).to_ascii_lowercase();
    let value = attribute(attributes, "value").unwrap_or_default();
    match kind.as_str() {
        "hidden" => named(attributes, Kind::Hidden, value),
        "password" => named(attributes, Kind::Password, value),
        "email" => named(attributes, Kind::Email, value),
        "url" => named(attributes, Kind::Url, value),
        "number" | "range" | "tel" => {
            named(attributes, Kind::Number, if value.is_empty() { "1" } else { value })
        }
        "file" => named(attributes, Kind::File, value),
        "checkbox" => {
            // Terms are ticked; a box that ticks itself off again would be a choice of the site.
            named(attributes, Kind::Fixed, if value.is_empty() { "on" } else { value })
        }
        "radio" | "submit" => named(attributes, Kind::Fixed, value),
        "reset" | "button" | "image" => None,
        _ => named(attributes, Kind::Text, value),
    }
}

/// A field with its name, where it has one; names of text fields say more than their type.
fn named(attributes: &[(String, String)], kind: Kind, value: &str) -> Option<Field> {
    let name = attribute(attributes, "name").filter(|name| !name.is_empty())?.to_owned();
    let kind = if kind == Kind::Text { by_name(&name) } else { kind };
    Some(Field { name, kind, value: value.to_owned() })
}

/// What a text field is for.
fn by_name(name: &str) -> Kind {
    let lower = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["mail"]) {
        Kind::Email
    } else if has(&["passw", "pwd"]) {
        Kind::Password
    } else if has(&["user", "login", "account", "nick"]) || lower == "name" {
        Kind::User
    } else if has(&["url", "link", "website", "homepage"]) {
        Kind::Url
    } else {
        Kind::Text
    }
}

/// Takes the option that is selected, else the first one with a value.
fn choose(select: Option<&mut Field>, attributes: &[(String, String)]) {
    let (Some(select), Some(value)) = (select, attribute(attributes, "value")) else { return };
    if select.value.is_empty() || attribute(attributes, "selected").is_some() {
        value.clone_into(&mut select.value);
    }
}

/// A multipart body (RFC 7578) and its media type. The boundary does not occur in the values: they come from forms and
/// seeds.
fn multipart(pairs: &[(String, String)]) -> (String, String) {
    const BOUNDARY: &str = "----mustdo-form-boundary-7c1f";
    let mut body = String::new();
    for (name, value) in pairs {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.push_str(&part);
    }
    body.extend(["--", BOUNDARY, "--\r\n"]);
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(html: &str) -> Vec<Form> {
        Form::all("/auth/login", &Page::parse(html.as_bytes()))
    }

    #[test]
    fn a_login_form_is_found_and_filled() {
        let forms = forms(
            "<form method=post><input type=hidden name=csrf_token value=t1><input name=username>\
             <input type=password name=pw><button>Go</button></form>",
        );
        let [form] = forms.as_slice() else { panic!("{forms:?}") };
        assert!(form.posts && form.asks_password());
        let request = form.submit(|field| match field.kind {
            Kind::User => Some("ann".to_owned()),
            Kind::Password => Some("a b".to_owned()),
            Kind::Email | Kind::Text | Kind::Url | Kind::Number | Kind::Hidden | Kind::Fixed | Kind::File => {
                None
            }
        });
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/auth/login"));
        assert_eq!(request.body, b"csrf_token=t1&username=ann&pw=a%20b");
    }

    #[test]
    fn choices_keep_what_the_page_says() {
        let forms = forms(
            "<form action=/s><select name=c><option value=1><option value=2 selected></select>\
             <textarea name=body>hi</textarea><input type=checkbox name=ok></form>",
        );
        assert_eq!(forms[0].submit(|_| None).path, "/s?c=2&body=hi&ok=on");
    }

    #[test]
    fn a_form_of_another_site_is_no_form_of_this_one() {
        assert!(forms("<form action='https://example.org/'><input name=q></form>").is_empty());
    }
}
