//! One browser: its cookies, its bearer token, and the redirects that it follows.

use mustdo_plugin::Failure;
use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::service::Probe;
use serde_json::Value;

use crate::address::resolve;
use crate::form::Form;
use crate::jar::{From, Jar};
use crate::page::Page;

/// Redirects that are followed for one page.
const HOPS: usize = 5;

/// Cookies whose value scripts send back in a header, and that header: Django, Angular and Axios, Laravel.
const TOKEN_COOKIES: [(&str, &str); 4] = [
    ("csrftoken", "X-CSRFToken"),
    ("XSRF-TOKEN", "X-XSRF-TOKEN"),
    ("csrf_token", "X-CSRF-Token"),
    ("csrf", "X-CSRF-Token"),
];

/// A browser of one person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Browser {
    pub(crate) jar: Jar,
    /// Sent as `Authorization: Bearer …`.
    pub(crate) bearer: Option<String>,
}

/// What a browser shows after its redirects.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// The path that answered last.
    pub(crate) path: String,
    /// The first status: a redirect tells as much as the page behind it.
    pub(crate) first: u16,
    /// The first answer's `Location`, resolved.
    pub(crate) led_to: Option<String>,
    /// The last answer.
    pub(crate) response: Response,
}

impl Visit {
    /// Whether it is said to be HTML.
    pub(crate) fn is_html(&self) -> bool {
        is_html(&self.response)
    }

    /// The last answer as a page.
    pub(crate) fn page(&self) -> Page {
        if self.is_html() { Page::parse(&self.response.body) } else { Page::default() }
    }

    /// The forms of the page.
    pub(crate) fn forms(&self) -> Vec<Form> {
        Form::all(&self.path, &self.page())
    }

    /// What a reader sees: the words of a page, the texts of a JSON document, anything else as it is.
    pub(crate) fn words(&self) -> String {
        if self.is_html() {
            return self.page().words();
        }
        match self.response.json() {
            Some(document) => texts(&document).join(" "),
            None => self.response.text().into_owned(),
        }
    }
}

/// Every text of a document, names of fields left out.
fn texts(document: &Value) -> Vec<String> {
    match document {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => vec![document.to_string()],
    }
}

/// Whether a browser would show it as HTML.
pub(crate) fn is_html(response: &Response) -> bool {
    response.header("content-type").is_some_and(|kind| {
        ["text/html", "application/xhtml"]
            .iter()
            .any(|html| kind.trim().to_ascii_lowercase().starts_with(html))
    })
}

impl Browser {
    /// Sends one request from a page of the site itself, and keeps the cookies of the answer.
    pub(crate) fn send(&mut self, probe: &mut Probe, request: Request) -> Result<Response, Failure> {
        let request = self.dress(request, From::SameSite);
        let response = probe.send(request)?;
        let now = probe.context().unix_time();
        self.jar.absorb(&response, now);
        Ok(response)
    }

    /// The request with what a browser adds to it.
    pub(crate) fn dress(&self, request: Request, from: From) -> Request {
        let mut request = self.jar.attach(request, from);
        request = match from {
            From::SameSite => request.header("Sec-Fetch-Site", "same-origin"),
            From::OtherSite | From::OtherSiteLink => request.header("Sec-Fetch-Site", "cross-site"),
        };
        if from == From::SameSite {
            let sets = |request: &Request, name: &str| {
                request.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
            };
            // Only a script of the site itself can read these.
            for (cookie, header) in TOKEN_COOKIES {
                if let Some(value) = self.jar.get(cookie)
                    && request.method != "GET"
                    && !sets(&request, header)
                {
                    request = request.header(header, value);
                }
            }
            if let Some(token) = &self.bearer
                && !sets(&request, "authorization")
            {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
        }
        request
    }

    /// Sends a request and follows where it leads.
    pub(crate) fn visit(&mut self, probe: &mut Probe, request: Request) -> Result<Visit, Failure> {
        let mut path = request.path.clone();
        let mut response = self.send(probe, request)?;
        let first = response.status;
        let mut led_to = None;
        for _ in 0..HOPS {
            let Some(next) = redirect(&path, &response) else { break };
            led_to.get_or_insert_with(|| next.clone());
            path = next;
            response = self.send(probe, Request::get(path.clone()))?;
        }
        Ok(Visit { path, first, led_to, response })
    }

    /// Opens a page.
    pub(crate) fn open(&mut self, probe: &mut Probe, path: &str) -> Result<Visit, Failure> {
        self.visit(probe, Request::get(path))
    }
}

/// Where an answer sends a browser on this site.
pub(crate) fn redirect(path: &str, response: &Response) -> Option<String> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    resolve(path, response.header("location")?)
}
