//! The cookies of one browser (RFC 6265, section 5), for the one site there is.

use std::time::Duration;

use cookie::{Cookie, Expiration, SameSite};
use mustdo_plugin::http::{Request, Response};

/// From which kind of page a request comes; decides which cookies a browser attaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// A page of the same site.
    SameSite,
    /// A form or script of another site.
    OtherSite,
    /// A link of another site that the user followed: a top-level navigation by GET.
    OtherSiteLink,
}

/// Cookies in the order they were set, one a name.
///
/// The path of a cookie is followed, its domain is not: there is one host. A cookie without `SameSite` counts as sent from
/// other sites, as the standard has it; only some browsers treat it as `Lax`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jar {
    cookies: Vec<Cookie<'static>>,
}

impl Jar {
    /// Sends the cookies along that a browser would attach.
    pub(crate) fn attach(&self, request: Request, from: From) -> Request {
        let path = request.path.split('?').next().unwrap_or_default();
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .filter(|cookie| is_below(path, cookie.path().unwrap_or("/")))
            .filter(|cookie| crosses(cookie, from))
            .map(|cookie| format!("{}={}", cookie.name(), cookie.value()))
            .collect();
        if pairs.is_empty() { request } else { request.header("Cookie", pairs.join("; ")) }
    }

    /// Follows `Set-Cookie`; `now` is the time since 1970, for cookies that end by a date.
    pub(crate) fn absorb(&mut self, response: &Response, now: Duration) {
        for line in response.headers_named("set-cookie") {
            let Ok(cookie) = Cookie::parse(line.to_owned()) else { continue };
            self.cookies.retain(|kept| kept.name() != cookie.name());
            if !has_ended(&cookie, now) {
                self.cookies.push(cookie);
            }
        }
    }

    /// Every cookie.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cookie<'static>> {
        self.cookies.iter()
    }

    /// The value of a cookie.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|cookie| cookie.name() == name).map(Cookie::value)
    }

    /// Changes a value or adds a cookie; its attributes stay.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.cookies.iter_mut().find(|cookie| cookie.name() == name) {
            Some(cookie) => cookie.set_value(value),
            None => self.cookies.push(Cookie::new(name.to_owned(), value)),
        }
    }

    /// The jar without one cookie.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self { cookies: self.cookies.iter().filter(|cookie| cookie.name() != name).cloned().collect() }
    }
}

/// Path matching (section 5.1.4).
fn is_below(path: &str, of_cookie: &str) -> bool {
    path == of_cookie
        || path.strip_prefix(of_cookie).is_some_and(|rest| of_cookie.ends_with('/') || rest.starts_with('/'))
}

fn crosses(cookie: &Cookie, from: From) -> bool {
    match (from, cookie.same_site()) {
        (From::SameSite, _)
        | (_, None | Some(SameSite::None))
        | (From::OtherSiteLink, Some(SameSite::Lax)) => true,
        (From::OtherSite | From::OtherSiteLink, Some(SameSite::Lax | SameSite::Strict)) => false,
    }
}

fn has_ended(cookie: &Cookie, now: Duration) -> bool {
    if let Some(age) = cookie.max_age() {
        return !age.is_positive();
    }
    match cookie.expires() {
        Some(Expiration::DateTime(end)) => {
            u64::try_from(end.unix_timestamp()).map_or(true, |end| end <= now.as_secs())
        }
        Some(Expiration::Session) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::answer;

    const NOW: Duration = Duration::from_hours(500_000);

    fn jar(lines: &[&str]) -> Jar {
        let mut jar = Jar::default();
        let headers: Vec<_> = lines.iter().map(|line| ("Set-Cookie", *line)).collect();
        jar.absorb(&answer(200, &headers, ""), NOW);
        jar
    }

    fn sent(jar: &Jar, path: &str, from: From) -> Option<String> {
        jar.attach(Request::get(path), from).headers.into_iter().next().map(|(_, value)| value)
    }

    #[test]
    fn cookies_are_kept_replaced_and_sent_to_their_path() {
        let mut jar = jar(&["s=a=b; Path=/; HttpOnly", "t=1; Path=/admin"]);
        assert_eq!(sent(&jar, "/admin/x?q", From::SameSite).as_deref(), Some("s=a=b; t=1"));
        assert_eq!(sent(&jar, "/administrator", From::SameSite).as_deref(), Some("s=a=b"));
        jar.absorb(&answer(200, &[("set-cookie", "s=2")], ""), NOW);
        assert_eq!(jar.get("s"), Some("2"));
    }

    #[test]
    fn a_cookie_ends_by_age_or_by_date() {
        let kept = jar(&[
            "a=1; Max-Age=0",
            "b=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "c=1; Expires=Wed, 01 Jan 2070 00:00:00 GMT",
        ]);
        assert_eq!(kept.iter().map(Cookie::name).collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn other_sites_get_what_same_site_lets_through() {
        let jar =
            jar(&["lax=1; SameSite=Lax", "strict=1; SameSite=Strict", "none=1; SameSite=None", "plain=1"]);
        assert_eq!(sent(&jar, "/", From::OtherSite).as_deref(), Some("none=1; plain=1"));
        assert_eq!(sent(&jar, "/", From::OtherSiteLink).as_deref(), Some("lax=1; none=1; plain=1"));
    }
}
