//! Whether others change or delete a row of an interface at its own address.

use mustdo_plugin::Fault;
use mustdo_plugin::http::Request;
use mustdo_plugin::service::Probe;

use super::{Thing, changed};
use crate::browser::Browser;
use crate::sink::{People, shows};

/// What changes a row, and at last removes it (RFC 9110, section 9.3; RFC 5789).
const METHODS: [&str; 3] = ["PUT", "PATCH", "DELETE"];

/// Others send each method to the owner's row, and then the owner does: how many of them work for the owner alone.
pub(super) fn unchanged(
    probe: &mut Probe,
    people: &People,
    thing: &Thing,
    address: &str,
) -> Result<usize, Fault> {
    let mut secret = thing.secret.clone();
    let mut ways = 0;
    for method in METHODS {
        for (who, zh, mut browser) in [
            ("another user", "另一个用户", people.reader.browser.clone()),
            ("a stranger", "陌生人", Browser::default()),
        ] {
            let word = probe.generator().token(14);
            let Some(request) = request(probe, thing, method, address, &word) else { return Ok(ways) };
            let status = browser.visit(probe, request)?.first;
            let found = people.writer.browser.clone().open(probe, address)?;
            let there = shows(&found, &secret) || shows(&found, &word);
            if !there || shows(&found, &word) {
                return Err(changed((who, zh), &format!("{method} {address}"), status, there, address));
            }
        }
        let word = probe.generator().token(14);
        let Some(request) = request(probe, thing, method, address, &word) else { return Ok(ways) };
        let mut owner = people.writer.browser.clone();
        owner.visit(probe, request)?;
        let found = owner.open(probe, address)?;
        if shows(&found, &word) {
            secret = word;
            ways += 1;
        } else if !shows(&found, &secret) {
            // Removed, or made unreadable: there is nothing left to try the next method on.
            return Ok(ways + usize::from(method == "DELETE"));
        }
    }
    Ok(ways)
}

/// A row is removed without a body, and changed by what made it.
fn request(probe: &mut Probe, thing: &Thing, method: &str, address: &str, word: &str) -> Option<Request> {
    if method == "DELETE" {
        return Some(Request::new(method, address));
    }
    thing.made_by.about_row(probe, method, address, word)
}
