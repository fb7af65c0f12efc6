//! The pages of the site that somebody finds by following links.

use std::collections::BTreeSet;

use mustdo_plugin::Fault;
use mustdo_plugin::service::Probe;

use crate::address::resolve;
use crate::browser::{Browser, Visit};
use crate::form::Form;

/// Pages that are opened.
const PAGES: usize = 24;

/// Words of addresses that are not followed: they end the session or destroy something.
const ACTING: [&str; 8] = ["logout", "log-out", "signout", "sign-out", "delete", "remove", "destroy", "退出"];

/// Opens `starts` and what they link to, breadth first; one page for each path, whatever its query. Pages that answered
/// with an error are left out.
pub(crate) fn walk(probe: &mut Probe, browser: &mut Browser, starts: &[&str]) -> Result<Vec<Visit>, Fault> {
    let mut queue: std::collections::VecDeque<String> =
        starts.iter().map(|path| (*path).to_owned()).collect();
    let mut known: BTreeSet<String> = queue.iter().map(|path| without_query(path)).collect();
    let mut pages = Vec::new();
    let mut opened = 0;
    while let Some(path) = queue.pop_front() {
        if opened == PAGES {
            break;
        }
        opened += 1;
        let visit = browser.open(probe, &path)?;
        if !visit.response.is_success() {
            continue;
        }
        for link in links(&visit) {
            if known.insert(without_query(&link)) {
                queue.push_back(link);
            }
        }
        pages.push(visit);
    }
    Ok(pages)
}

/// The links of a page that are safe to follow, resolved, in order.
pub(crate) fn links(visit: &Visit) -> Vec<String> {
    let links = visit.page().links();
    let followed = links.into_iter().filter(|(href, words)| {
        let text = format!("{href} {words}").to_lowercase();
        !ACTING.iter().any(|word| text.contains(word))
    });
    followed.filter_map(|(href, _)| resolve(&visit.path, &href)).collect()
}

/// The forms of the pages, each once: the same form on many pages differs only in its tokens.
pub(crate) fn forms(pages: &[Visit]) -> Vec<Form> {
    let mut known = BTreeSet::new();
    let all = pages.iter().flat_map(Visit::forms);
    all.filter(|form| {
        let names: Vec<_> = form.fields.iter().map(|field| field.name.clone()).collect();
        known.insert((without_query(&form.action), form.posts, names))
    })
    .collect()
}

fn without_query(path: &str) -> String {
    path.split('?').next().unwrap_or_default().to_owned()
}
