//! What carries the login: a cookie, found by leaving each out in turn, or a bearer token.

use mustdo_plugin::Fault;
use mustdo_plugin::service::Probe;

use crate::browser::Browser;
use crate::flow::{Flow, Member};

/// Where the login is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// By name.
    Cookie(String),
    Bearer,
}

impl Carrier {
    /// What carries this member's login; none when it is neither.
    pub(crate) fn find(probe: &mut Probe, flow: &Flow, member: &Member) -> Result<Option<Self>, Fault> {
        let cookie = session_cookie(probe, flow, member)?;
        let bearer = || member.browser.bearer.as_ref().map(|_| Self::Bearer);
        Ok(cookie.map(Self::Cookie).or_else(bearer))
    }

    /// Its value in a browser.
    pub(crate) fn value<'a>(&self, browser: &'a Browser) -> Option<&'a str> {
        match self {
            Self::Cookie(name) => browser.jar.get(name),
            Self::Bearer => browser.bearer.as_deref(),
        }
    }

    /// The browser with another value.
    pub(crate) fn with(&self, browser: &Browser, value: &str) -> Browser {
        let mut other = browser.clone();
        match self {
            Self::Cookie(name) => other.jar.set(name, value),
            Self::Bearer => other.bearer = Some(value.to_owned()),
        }
        other
    }

    /// The header that it is sent in, for a message.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Cookie(name) => format!("Cookie: {name}"),
            Self::Bearer => "Authorization: Bearer".to_owned(),
        }
    }
}

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
