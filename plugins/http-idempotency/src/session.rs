//! A login as a browser keeps it: cookies in, cookies out, and a page that tells who is logged in.

use std::collections::BTreeMap;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::{Advice, Probe, Template, Values, line_of, refused};
use mustdo_plugin::{Fault, Text};

use crate::observation::{Moving, Observation, Stability};
use crate::observer::body_of;
use crate::operation::is_accepted;

/// A session that was seen to be one: its page shows something else without the cookies.
pub(crate) struct Session {
    jar: Jar,
    view: Request,
    moving: Moving,
    before: Observation,
    advice: Advice,
}

impl Session {
    /// Logs in and looks at the session's page twice.
    pub(crate) fn begin(
        probe: &mut Probe,
        login: &Template,
        view: &Template,
        volatile: &[String],
        advice: Advice,
    ) -> Result<Self, Fault> {
        let values = Values::fresh(probe.generator());
        let login = login.fill(&values);
        let response = probe.send(login.clone())?;
        if !is_accepted(&response) {
            return Err(refused(&login, &response, advice));
        }
        let mut jar = Jar::default();
        jar.absorb(&response);
        let view = view.fill(&values);
        let anonymous = look(probe, &view, &Jar::default(), advice)?.0;
        let (first, _) = look(probe, &view, &jar, advice)?;
        let (before, _) = look(probe, &view, &jar, advice)?;
        let mut moving = Moving::declared(volatile);
        let steady = moving.learn(&first, &before) == Stability::Steady;
        if !steady || anonymous.difference(&before, &moving).is_empty() {
            let line = line_of(&view);
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "{line} does not tell a logged-in client from a stranger, so a lost session would not be seen"
                ),
                format!("{line} 看不出是否已登录，会话丢了也发现不了"),
            )));
        }
        Ok(Self { jar, view, moving, before, advice })
    }

    /// Sends the cookies along.
    pub(crate) fn attach(&self, request: Request) -> Request {
        self.jar.attach(request)
    }

    /// Keeps or drops cookies as the answer says.
    pub(crate) fn absorb(&mut self, response: &Response) {
        self.jar.absorb(response);
    }

    /// Whether the page still shows the same login.
    pub(crate) fn is_kept(&mut self, probe: &mut Probe) -> Result<bool, Fault> {
        let (now, response) = look(probe, &self.view, &self.jar, self.advice)?;
        self.jar.absorb(&response);
        Ok(self.before.difference(&now, &self.moving).is_empty())
    }
}

fn look(
    probe: &mut Probe,
    view: &Request,
    jar: &Jar,
    advice: Advice,
) -> Result<(Observation, Response), Fault> {
    let response = probe.send(jar.attach(view.clone()))?;
    // A stranger may be refused or sent to the login page: that is how the page tells him.
    let body = match response.status {
        300..=399 | 401 | 403 => serde_json::Value::Null,
        _ => body_of(view, &response, advice)?,
    };
    Ok((Observation::new([(line_of(view), response.status, body)]), response))
}

/// Cookies by name, for the one site there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Jar {
    cookies: BTreeMap<String, String>,
}

impl Jar {
    fn attach(&self, request: Request) -> Request {
        if self.cookies.is_empty() {
            return request;
        }
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header("Cookie", pairs.join("; "))
    }

    /// Follows `Set-Cookie`. A cookie ends by an age of zero or less, or by a date in the past, which servers write
    /// as one of 1970.
    fn absorb(&mut self, response: &Response) {
        for cookie in response.headers_named("set-cookie") {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let ends = parts.any(|attribute| {
                let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
                let aged = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0);
                (key.eq_ignore_ascii_case("max-age") && aged)
                    || (key.eq_ignore_ascii_case("expires") && value.contains("1970"))
            });
            if ends {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::http::Timing;

    use super::*;

    fn setting(cookies: &[&str]) -> Response {
        Response {
            status: 200,
            headers: cookies.iter().map(|cookie| ("Set-Cookie".to_owned(), (*cookie).to_owned())).collect(),
            body: Vec::new(),
            body_bytes: 0,
            truncated: false,
            timing: Timing::default(),
        }
    }

    #[test]
    fn cookies_are_kept_and_sent() {
        let mut jar = Jar::default();
        jar.absorb(&setting(&["session=a=b; Path=/; HttpOnly", "theme=dark"]));
        assert_eq!(
            jar.attach(Request::get("/")).headers,
            [("Cookie".to_owned(), "session=a=b; theme=dark".to_owned())]
        );
    }

    #[test]
    fn a_deleted_cookie_is_dropped() {
        let mut jar = Jar::default();
        jar.absorb(&setting(&["a=1", "b=1", "c=1; Max-Age=60"]));
        jar.absorb(&setting(&["a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=; max-age=0"]));
        assert_eq!(jar.attach(Request::get("/")).headers, [("Cookie".to_owned(), "c=1".to_owned())]);
    }
}
