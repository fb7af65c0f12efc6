//! What a page offers for removing something: links and forms that say so, and which of them is about one row alone.

use std::ops::Range;

use mustdo_plugin::http::Request;

use crate::address::{encode_pairs, resolve};
use crate::browser::Visit;
use crate::form::{Form, is_token};
use crate::page::{Node, Page, attribute};

/// Parts of words by which an address or its words say that something is removed.
const REMOVING: [&str; 9] =
    ["delete", "remove", "destroy", "erase", "discard", "trash", "删", "移除", "清除"];

/// Values this long are tokens rather than numbers and words.
const TOKEN: usize = 16;

/// Elements without an end tag (HTML standard, 13.1.2).
const VOID: [&str; 13] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];

/// A link or a form that says that it removes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Its address with its fields as a query, without tokens: what another site can know of it.
    pub(crate) address: String,
    /// What the user opens, for a link.
    link: String,
    /// None for a link.
    pub(crate) form: Option<Form>,
    /// Where it begins among the pieces of its page.
    at: usize,
}

impl Offer {
    /// Every one of a page, in order.
    pub(crate) fn all(visit: &Visit) -> Vec<Self> {
        let page = visit.page();
        let mut offers = Vec::new();
        for (at, node) in page.nodes().iter().enumerate() {
            let Node::Start { name, attributes } = node else { continue };
            if !matches!(name.as_str(), "a" | "form") {
                continue;
            }
            let rest = page.nodes().iter().skip(at);
            let length = rest.take_while(|node| !matches!(node, Node::End(end) if end == name)).count();
            let part = page.part(at..at + length);
            let offer =
                if name == "a" {
                    attribute(attributes, "href")
                        .and_then(|href| resolve(&visit.path, href))
                        .map(|link| Self { address: without_tokens(&link), link, form: None, at })
                } else {
                    Form::all(&visit.path, &part).pop().map(|form| Self {
                        address: as_address(&form),
                        link: String::new(),
                        form: Some(form),
                        at,
                    })
                };
            offers.extend(offer.filter(|offer| says_so(&offer.address, &part)));
        }
        offers
    }

    /// Whether both are sent alike, wherever they stand.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.address == other.address && self.posted_bare().is_some() == other.posted_bare().is_some()
    }

    /// The user's own request, with whatever token the page has put there.
    pub(crate) fn genuine(&self) -> Request {
        match &self.form {
            Some(form) => form.submit(|_| None),
            None => Request::get(self.link.clone()),
        }
    }

    /// The form without its tokens, as it is posted; none for what is no posted form.
    pub(crate) fn posted_bare(&self) -> Option<Request> {
        self.form.as_ref().filter(|form| form.posts).map(|form| form.request(&bare(form)))
    }

    /// Whether, on this page, it stands with `word` and no other of `offers` of its kind does: in the smallest element
    /// around both.
    pub(crate) fn is_alone_with(&self, word: &str, page: &Page, offers: &[Self]) -> bool {
        let around = elements(page).into_iter().filter(|range| {
            range.contains(&self.at) && page.nodes()[range.clone()].iter().any(|node| has(node, word))
        });
        let Some(smallest) = around.min_by_key(ExactSizeIterator::len) else { return false };
        let of_its_kind = |other: &&Self| difference(&self.address, &other.address).is_some();
        !offers.iter().filter(of_its_kind).any(|other| smallest.contains(&other.at))
    }
}

/// What two addresses differ in, when it is one value: the address with `{id}` in its place, and the first's value.
pub(crate) fn difference(one: &str, other: &str) -> Option<(String, String)> {
    const BETWEEN: [char; 4] = ['/', '?', '&', '='];
    let pieces = |address| str::split_inclusive(address, BETWEEN).collect::<Vec<_>>();
    let (ours, theirs) = (pieces(one), pieces(other));
    if ours.len() != theirs.len() {
        return None;
    }
    let mut id: Option<(&str, &str)> = None;
    let mut pattern = String::new();
    for (our, their) in ours.into_iter().zip(theirs) {
        if our == their {
            pattern.push_str(our);
            continue;
        }
        let pair = (our.trim_end_matches(BETWEEN), their.trim_end_matches(BETWEEN));
        if id.is_some_and(|known| known != pair) {
            return None;
        }
        id = Some(pair);
        pattern.push_str("{id}");
        pattern.push_str(&our[pair.0.len()..]);
    }
    id.map(|(own, _)| (pattern, own.to_owned()))
}

/// Whether nobody but the page's reader can know this value: long, and in none of these addresses.
pub(crate) fn is_secret(id: &str, addresses: &[String]) -> bool {
    id.len() >= TOKEN && !addresses.iter().any(|address| address.contains(id))
}

fn says_so(address: &str, part: &Page) -> bool {
    let mut said = address.to_lowercase();
    for node in part.nodes() {
        match node {
            Node::Text { text, .. } => said.push_str(&text.to_lowercase()),
            Node::Start { attributes, .. } => {
                for name in ["title", "aria-label", "value"] {
                    said.push(' ');
                    said.push_str(&attribute(attributes, name).unwrap_or_default().to_lowercase());
                }
            }
            Node::End(_) => {}
        }
    }
    REMOVING.iter().any(|word| said.contains(word))
}

/// The fields of a form but for its tokens.
fn bare(form: &Form) -> Vec<(String, String)> {
    let known = form.fields.iter().filter(|field| !field.name.is_empty() && !is_token(&field.name));
    known.map(|field| (field.name.clone(), field.value.clone())).collect()
}

fn as_address(form: &Form) -> String {
    let pairs = bare(form);
    let between = if form.action.contains('?') { '&' } else { '?' };
    if pairs.is_empty() {
        return form.action.clone();
    }
    format!("{}{between}{}", form.action, encode_pairs(&pairs))
}

/// A link without the parameters that are named like tokens.
fn without_tokens(link: &str) -> String {
    let Some((path, query)) = link.split_once('?') else { return link.to_owned() };
    let is_known = |pair: &&str| !is_token(pair.split('=').next().unwrap_or_default());
    let kept: Vec<_> = query.split('&').filter(is_known).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

fn has(node: &Node, word: &str) -> bool {
    match node {
        Node::Text { text, .. } => text.contains(word),
        Node::Start { attributes, .. } => attributes.iter().any(|(_, value)| value.contains(word)),
        Node::End(_) => false,
    }
}

/// The elements of a page and the page itself, as ranges of its pieces. One without an end tag ends with what is around
/// it, so it is rather too long than too short.
fn elements(page: &Page) -> Vec<Range<usize>> {
    let end = page.nodes().len();
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut ranges = Vec::new();
    for (at, node) in page.nodes().iter().enumerate() {
        match node {
            Node::Start { name, .. } if !VOID.contains(&name.as_str()) => open.push((name, at)),
            Node::End(name) => {
                if let Some(depth) = open.iter().rposition(|(opened, _)| opened == name) {
                    ranges.extend(open.drain(depth..).map(|(_, start)| start..at));
                }
            }
            Node::Start { .. } | Node::Text { .. } => {}
        }
    }
    ranges.extend(open.into_iter().map(|(_, start)| start..end));
    ranges.push(0..end);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::answer;

    fn visit(html: &str) -> Visit {
        let response = answer(200, &[("Content-Type", "text/html")], html);
        Visit { path: "/posts".to_owned(), first: 200, led_to: None, response }
    }

    #[test]
    fn links_and_forms_say_that_they_remove() {
        let page = visit(
            "<a href=/posts/7/delete>x</a><a href=/posts/7>read</a><a href='/act?id=7&csrf_token=t'>删除</a>\
             <form action=/drop><input type=hidden name=id value=7><input type=hidden name=csrf value=t>\
             <button>Remove</button></form><form method=post action=/posts/7/delete><input name=token value=t></form>",
        );
        let addresses: Vec<_> = Offer::all(&page).into_iter().map(|offer| offer.address).collect();
        assert_eq!(addresses, ["/posts/7/delete", "/act?id=7", "/drop?id=7", "/posts/7/delete"]);
    }

    #[test]
    fn one_value_tells_two_rows_apart() {
        let told = |one, other| difference(one, other).map(|(pattern, _)| pattern);
        assert_eq!(told("/posts/7/delete", "/posts/8/delete").as_deref(), Some("/posts/{id}/delete"));
        assert_eq!(told("/d?id=7&also=7", "/d?id=8&also=8").as_deref(), Some("/d?id={id}&also={id}"));
        assert_eq!(told("/d?id=7&sig=a", "/d?id=8&sig=b"), None);
        assert_eq!(told("/account/delete", "/account/delete"), None);
        assert_eq!(told("/posts/7/delete", "/posts/delete"), None);
    }

    #[test]
    fn a_row_is_alone_in_its_own_element() {
        let rows = "<ul><li>ours <a href=/7/delete>x</a></li><li><a href=/8/delete>x</a> theirs</li></ul>";
        let alone = |html: &str, word: &str| -> Vec<String> {
            let visit = visit(html);
            let offers = Offer::all(&visit);
            let alone = offers.iter().filter(|offer| offer.is_alone_with(word, &visit.page(), &offers));
            alone.map(|offer| offer.address.clone()).collect()
        };
        assert_eq!(alone(rows, "ours"), ["/7/delete"]);
        assert_eq!(alone(rows, "theirs"), ["/8/delete"]);
        let flat = "<p>ours</p><a href=/7/delete>x</a><p>theirs</p><a href=/8/delete>x</a>";
        assert!(alone(flat, "ours").is_empty(), "it could be either");
        assert_eq!(
            alone("<p>ours<p><a href=/posts/7/delete>x</a><a href=/account/delete>y</a>", "ours").len(),
            2
        );
    }

    #[test]
    fn a_long_value_that_no_address_has_is_a_secret() {
        let uuid = "0b1f8f6e-2f0c-4a55-9a63-111111111111";
        assert!(is_secret(uuid, &["/posts".to_owned()]));
        assert!(!is_secret(uuid, &[format!("/posts/{uuid}")]));
        assert!(!is_secret("7", &[]));
    }
}
