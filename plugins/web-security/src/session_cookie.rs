//! Which cookie carries the login: found by leaving each out in turn.

use mustdo_plugin::Fault;
use mustdo_plugin::service::Probe;

use crate::browser::Browser;
use crate::flow::{Flow, Member};

/// The name of the cookie without which the member is a stranger; none when the login is kept elsewhere.
pub(crate) fn session_cookie(
    probe: &mut Probe,
    flow: &Flow,
    member: &Member,
) -> Result<Option<String>, Fault> {
    let names: Vec<_> = member.browser.jar.iter().map(|cookie| cookie.name().to_owned()).collect();
    for name in names {
        let mut browser =
            Browser { jar: member.browser.jar.without(&name), bearer: member.browser.bearer.clone() };
        if !flow.sees(probe, &mut browser, &member.account.name)? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
