//! A resource that the check makes for itself: where it is and what it is called.

use crate::http::{Request, Response};
use crate::{Fault, Text};
use serde_json::Value;

use super::probe::{Probe, line_of};
use super::refusal::{Advice, expect_success};
use super::template::{Template, Values};

/// Field names that hold an id, in the order they are tried.
const ID_FIELDS: [&str; 5] = ["id", "_id", "uuid", "key", "slug"];

/// Where an answer wraps the row it tells of.
pub const WRAPPERS: [&str; 4] = ["data", "item", "result", "attributes"];

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// As the service calls it.
    pub id: String,
    /// Its own path.
    pub path: String,
    /// What it was made with.
    pub values: Values,
}

impl Resource {
    /// Makes one. Its id is what the client chose (`{id}` in the path), else the last part of `Location`, else the
    /// `id` of the answer.
    pub fn create(probe: &mut Probe, create: &Template, advice: Advice) -> Result<Self, Fault> {
        let values = Values::fresh(probe.generator());
        let request = create.fill(&values);
        let response = probe.send(request.clone())?;
        expect_success(&request, &response, advice)?;
        if create.path.contains("{id}") {
            return Ok(Self { id: values.id.clone(), path: request.path, values });
        }
        let found = location_path(&response).map(|path| (last_part(&path), path));
        let found = found.or_else(|| {
            let id = id_of(&response)?;
            Some((id.clone(), row_of(create.collection(), &id)))
        });
        let Some((id, path)) = found else { return Err(nameless(&request)) };
        Ok(Self { values: values.with_id(&id), id, path })
    }

    /// What the paths of the service end with.
    #[must_use]
    pub fn slash(&self) -> &'static str {
        if self.path.ends_with('/') { "/" } else { "" }
    }
}

/// The path of a row below its collection. A service whose collection ends with a slash has rows that do.
#[must_use]
pub fn row_of(collection: &str, id: &str) -> String {
    match collection.strip_suffix('/') {
        None => format!("{collection}/{id}"),
        Some("") => format!("/{id}"),
        Some(parent) => format!("{parent}/{id}/"),
    }
}

/// The path of `Location`, whether it is absolute or relative to the root.
#[must_use]
pub fn location_path(response: &Response) -> Option<String> {
    let location = response.header("location")?;
    let path = match location.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => location,
    };
    path.starts_with('/').then(|| path.to_owned())
}

/// The id in a JSON answer, if it has one.
#[must_use]
pub fn id_of(response: &Response) -> Option<String> {
    let body = response.json()?;
    let rows = std::iter::once(&body).chain(WRAPPERS.iter().filter_map(|name| body.get(name)));
    rows.into_iter().find_map(|row| ID_FIELDS.iter().find_map(|field| scalar(row.get(field)?)))
}

/// Which resource an answer tells of: its `Location` or its id.
#[must_use]
pub fn identity(response: &Response) -> Option<String> {
    id_of(response).or_else(|| location_path(response).map(|path| last_part(&path)))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn last_part(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

fn nameless(request: &Request) -> Fault {
    let line = line_of(request);
    Fault::inconclusive(Text::new(
        format!(
            "{line} says neither Location nor an id, so what it made cannot be found; answer with one of them"
        ),
        format!("{line} 的回应里既没有 Location 也没有 id，找不到新建的资源；请返回其中之一"),
    ))
}

#[cfg(test)]
mod tests {
    use crate::http::Timing;

    use super::*;

    fn answer(location: Option<&str>, body: &str) -> Response {
        Response {
            status: 201,
            headers: location.map(|value| ("Location".to_owned(), value.to_owned())).into_iter().collect(),
            body: body.as_bytes().to_vec(),
            body_bytes: body.len() as u64,
            truncated: false,
            timing: Timing::default(),
        }
    }

    #[test]
    fn an_id_is_found_where_services_put_it() {
        assert_eq!(id_of(&answer(None, r#"{"id": 7}"#)).as_deref(), Some("7"));
        assert_eq!(id_of(&answer(None, r#"{"data": {"id": "x"}}"#)).as_deref(), Some("x"));
        assert_eq!(id_of(&answer(None, "created")), None);
        assert_eq!(identity(&answer(Some("/orders/9"), "")).as_deref(), Some("9"));
    }

    #[test]
    fn a_row_ends_as_its_collection_does() {
        assert_eq!(row_of("/items", "7"), "/items/7");
        assert_eq!(row_of("/items/", "7"), "/items/7/");
        assert_eq!(row_of("/", "7"), "/7");
    }

    #[test]
    fn a_location_may_be_absolute() {
        assert_eq!(location_path(&answer(Some("http://localhost:1/a/b"), "")).as_deref(), Some("/a/b"));
        assert_eq!(location_path(&answer(Some("/a/b"), "")).as_deref(), Some("/a/b"));
        assert_eq!(location_path(&answer(None, "")), None);
    }
}
