//! A REST collection as a client sees it: makes rows of its own, reads them, and keeps to those.

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::serde_json::Value;
use mustdo_plugin::service::{
    Advice, Placeholders, Probe, Values, excerpt, id_of, line_of, location_path, place_of, refused, row_of,
};
use mustdo_plugin::verdict::{Finding, Severity};
use mustdo_plugin::{Fault, Text};

use crate::json::{difference, row, rows};

pub(crate) const ADVICE: Advice = Advice {
    item: "ground.restful-api",
    with: "path = \"/items\"\nitem = { name = \"{token}\", price = \"{number}\" }",
};

/// Pages of a list that are followed.
const PAGES: usize = 20;

/// The collection under test.
pub(crate) struct Collection<'check, 'probe, 'run, 'host> {
    pub(crate) probe: &'probe mut Probe<'run, 'host>,
    pub(crate) path: &'check str,
    pub(crate) item: &'check Value,
}

/// A row that this check made.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) path: String,
    /// What it must show.
    pub(crate) fields: Value,
}

impl Collection<'_, '_, '_, '_> {
    /// Fresh fields for a row.
    pub(crate) fn fields(&mut self) -> Value {
        Values::fresh(self.probe.generator()).put_into_json(self.item)
    }

    pub(crate) fn post(&self, fields: &Value) -> Request {
        Request::new("POST", self.path).json(fields)
    }

    /// Makes a row and gives the answer beside it.
    pub(crate) fn create(&mut self) -> Result<(Row, Response), Fault> {
        let fields = self.fields();
        let request = self.post(&fields);
        let response = self.probe.send(request.clone())?;
        if !response.is_success() {
            return Err(refused(&request, &response, ADVICE));
        }
        let (id, path) = self.name(&response).ok_or_else(|| nameless(&request, &response))?;
        Ok((Row { id, path, fields }, response))
    }

    /// What the row is called that an answer tells of, and where it is.
    pub(crate) fn name(&self, response: &Response) -> Option<(String, String)> {
        let id = id_of(response);
        match location_path(response) {
            Some(path) => {
                let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
                Some((id.unwrap_or(last), path))
            }
            None => id.map(|id| (id.clone(), row_of(self.path.split('?').next().unwrap_or_default(), &id))),
        }
    }

    /// Reads a row, which must show its fields.
    pub(crate) fn expect(&mut self, row: &Row, code: &str, why: &Text) -> Result<Response, Fault> {
        let request = Request::get(&row.path);
        let response = self.probe.send(request.clone())?;
        let wrong = if response.is_success() {
            match response.json() {
                Some(shown) => difference(&row.fields, &shown),
                None => Some("the body is no JSON".to_owned()),
            }
        } else {
            Some(format!("it was answered {}", response.status))
        };
        match wrong {
            None => Ok(response),
            Some(wrong) => {
                let message = Text::new(
                    format!(
                        "{} should show {}, but {wrong}; the answer was: {}",
                        line_of(&request),
                        row.fields,
                        excerpt(&response.body)
                    ),
                    format!(
                        "{} 应该显示 {}，但 {wrong}；回应是：{}",
                        line_of(&request),
                        row.fields,
                        excerpt(&response.body)
                    ),
                );
                Err(fault(code, &request, why.clone(), message))
            }
        }
    }

    /// The ids that the list shows, over all its pages.
    pub(crate) fn listed(&mut self) -> Result<Listing, Fault> {
        let mut listing = Listing::default();
        let mut next = Some(self.path.to_owned());
        for _ in 0..PAGES {
            let Some(path) = next.take() else { break };
            let request = Request::get(&path);
            let response = self.probe.send(request.clone())?;
            if !response.is_success() {
                return Err(refused(&request, &response, ADVICE));
            }
            let body = response.json().ok_or_else(|| no_list(&request, &response))?;
            let shown = rows(&body).ok_or_else(|| no_list(&request, &response))?;
            listing.rows.extend(shown.iter().cloned());
            listing.paged |=
                ["next", "next_page", "total", "count", "cursor"].iter().any(|name| body.get(name).is_some());
            next = next_page(&response, &body);
        }
        Ok(listing)
    }

    /// Removes a row of this check's own; what comes of it is judged elsewhere.
    pub(crate) fn sweep(&mut self, rows: &[Row]) {
        let requests: Vec<_> = rows.iter().map(|row| Request::new("DELETE", &row.path)).collect();
        // What cannot be removed stays; it is a test database.
        let _ = self.probe.send_all(requests);
    }
}

/// What a list shows.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    rows: Vec<Value>,
    /// Whether it says that it is a part.
    paged: bool,
}

impl Listing {
    /// Whether a row is shown, by its id or, where rows show none, by its fields.
    pub(crate) fn shows(&self, wanted: &Row) -> bool {
        self.rows.iter().any(|shown| {
            let id = ["id", "_id", "uuid", "key", "slug"].iter().find_map(|name| row(shown).get(name));
            match id {
                Some(Value::String(id)) => *id == wanted.id,
                Some(Value::Number(id)) => id.to_string() == wanted.id,
                _ => shown.as_str() == Some(&wanted.id) || difference(&wanted.fields, shown).is_none(),
            }
        })
    }

    /// Whether something that is not shown may be on a page that was not found.
    pub(crate) fn is_partial(&self) -> bool {
        self.paged
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// The path of the next page: `Link: <…>; rel="next"` (RFC 8288), or a field `next`.
fn next_page(response: &Response, body: &Value) -> Option<String> {
    let linked = response.headers_named("link").flat_map(|links| links.split(',')).find_map(|link| {
        let (target, relation) = link.split_once('>')?;
        relation.contains("next").then(|| target.trim().trim_start_matches('<').to_owned())
    });
    let named = || Some(body.get("next").or_else(|| body.get("links")?.get("next"))?.as_str()?.to_owned());
    let target = linked.or_else(named)?;
    match target.split_once("://") {
        Some((_, rest)) => Some(rest[rest.find('/')?..].to_owned()),
        None => target.starts_with('/').then_some(target),
    }
}

/// A requirement that does not hold, with the exchange that shows it.
pub(crate) fn fault(code: &str, request: &Request, summary: Text, message: Text) -> Fault {
    let finding = Finding::new(Severity::Problem, format!("http-api.{code}"), message).at(place_of(request));
    Fault::fail(summary).with(finding)
}

fn nameless(request: &Request, response: &Response) -> Fault {
    let line = line_of(request);
    let summary = Text::new(
        format!(
            "{line} was answered {} with neither Location nor an id: a client can not find what it made",
            response.status
        ),
        format!("{line} 返回 {}，既没有 Location 也没有 id：客户端找不到自己创建的资源", response.status),
    );
    let hint = Text::new(
        "answer 201 with `Location: /items/7`, and the new row with its id as the body",
        "返回 201，带上 `Location: /items/7`，正文是带 id 的新资源",
    );
    let said = excerpt(&response.body);
    let message = Text::new(format!("the answer was: {said}"), format!("回应是：{said}"));
    let is_api = response.json().is_some_and(|body| body.is_object()) || response.body.is_empty();
    let fault = if is_api { Fault::fail } else { Fault::inconclusive };
    let finding = Finding::new(Severity::Problem, "http-api.nameless", message).at(place_of(request));
    fault(summary).with(finding.hint(hint))
}

fn no_list(request: &Request, response: &Response) -> Fault {
    let (line, said) = (line_of(request), excerpt(&response.body));
    Fault::fail(Text::new(
        format!("{line} shows no list of rows as JSON: {said}"),
        format!("{line} 没有用 JSON 列出资源：{said}"),
    ))
}
