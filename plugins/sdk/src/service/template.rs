//! Requests as a checklist or the learner writes them, with placeholders that each run fills from its seed.

use std::collections::BTreeMap;

use crate::http::Request;
use crate::{Generator, Parameter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A request with placeholders: `{token}` a fresh word, `{number}` a number of 1 to 99, `{key}` the idempotency key,
/// `{id}` the id of the resource that the check made.
///
/// Written as a table or, where it needs neither body nor headers, as `"GET /orders"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Template {
    /// `GET`, `POST`, …
    pub method: String,
    /// Begins with `/`; may carry a query.
    pub path: String,
    /// By name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Text is sent as it is, anything else as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

impl Template {
    /// A request without headers or body.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: BTreeMap::new(), body: None }
    }

    /// The same with a body: text is sent as it is, anything else as JSON.
    #[must_use]
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn from_table(fields: Map<String, Value>) -> Result<Self, String> {
        let mut template = Self::new("", "");
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("method", Value::String(method)) => template.method = method,
                ("path", Value::String(path)) => template.path = path,
                ("headers", Value::Object(headers)) => {
                    for (name, value) in headers {
                        let Value::String(value) = value else {
                            return Err(format!("header `{name}` is no text"));
                        };
                        template.headers.insert(name, value);
                    }
                }
                ("body", body) => template.body = Some(body),
                (other, _) => return Err(format!("a request has no `{other}` of this kind")),
            }
        }
        if template.method.is_empty() {
            (if template.body.is_some() { "POST" } else { "GET" }).clone_into(&mut template.method);
        }
        Ok(template)
    }

    /// Puts the values in.
    #[must_use]
    pub fn fill(&self, values: &impl Placeholders) -> Request {
        let mut request = Request::new(self.method.clone(), values.put(&self.path));
        for (name, value) in &self.headers {
            request = request.header(name, values.put(value));
        }
        let Some(body) = &self.body else { return request };
        let typed = self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        let (media_type, bytes) = if let Value::String(text) = body {
            ("application/x-www-form-urlencoded", values.put(text))
        } else {
            ("application/json", values.put_into_json(body).to_string())
        };
        if !typed {
            request = request.header("Content-Type", media_type);
        }
        request.body(bytes)
    }

    /// Whether a placeholder such as `{key}` occurs anywhere.
    #[must_use]
    pub fn mentions(&self, placeholder: &str) -> bool {
        self.path.contains(placeholder)
            || self.headers.values().any(|value| value.contains(placeholder))
            || self.body.as_ref().is_some_and(|body| body.to_string().contains(placeholder))
    }

    /// The path as far as the collection: without query, and with the slash at its end if it has one. Services that
    /// ask for the slash know no path without.
    #[must_use]
    pub fn collection(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}

impl TryFrom<Value> for Template {
    type Error = String;

    fn try_from(written: Value) -> Result<Self, String> {
        let template = match written {
            Value::String(line) => {
                let (method, path) = line.split_once(' ').unwrap_or(("GET", &line));
                Self::new(method, path.trim())
            }
            Value::Object(fields) => Self::from_table(fields)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return Err("a request is a text such as \"GET /path\", or a table with `path`".to_owned());
            }
        };
        if template.path.starts_with('/') {
            Ok(template)
        } else {
            Err(format!("the path of a request begins with '/': `{}`", template.path))
        }
    }
}

impl Parameter for Template {
    fn schema() -> Value {
        let text = json!({ "type": "string" });
        json!({
            "anyOf": [
                { "type": "string", "pattern": "^([A-Z]+ )?/" },
                {
                    "type": "object",
                    "properties": {
                        "method": text,
                        "path": { "type": "string", "pattern": "^/" },
                        "headers": { "type": "object", "additionalProperties": text },
                        "body": true,
                    },
                    "required": ["path"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

/// What goes where the placeholders are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// A fresh word.
    pub token: String,
    /// 1 to 99.
    pub number: u64,
    /// The idempotency key.
    pub key: String,
    /// The id of a resource.
    pub id: String,
}

impl Values {
    /// Fresh ones; the id as well, for a resource that the client names.
    pub fn fresh(generator: &mut Generator) -> Self {
        Self {
            token: generator.token(12),
            number: generator.number(1..100),
            key: generator.token(20),
            id: generator.token(12),
        }
    }

    /// The same under another key.
    #[must_use]
    pub fn with_key(&self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self.clone() }
    }

    /// The same for another resource.
    #[must_use]
    pub fn with_id(&self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self.clone() }
    }

    /// Fills a path or any other text.
    #[must_use]
    pub fn put_into(&self, text: &str) -> String {
        text.replace("{token}", &self.token)
            .replace("{number}", &self.number.to_string())
            .replace("{key}", &self.key)
            .replace("{id}", &self.id)
    }
}

/// What a plugin's own placeholders stand for; [`Values`] are those of a resource.
pub trait Placeholders {
    /// Fills a path or any other text.
    fn put(&self, text: &str) -> String;

    /// The value of a JSON text that is nothing but a placeholder, where it is no text itself.
    fn whole(&self, _placeholder: &str) -> Option<Value> {
        None
    }

    /// Fills every text of a JSON value.
    fn put_into_json(&self, json: &Value) -> Value {
        match json {
            Value::String(text) => self.whole(text).unwrap_or_else(|| Value::from(self.put(text))),
            Value::Array(items) => items.iter().map(|item| self.put_into_json(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.put_into_json(value))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
        }
    }
}

impl Placeholders for Values {
    fn put(&self, text: &str) -> String {
        self.put_into(text)
    }

    /// A text that is all `{number}` becomes the number.
    fn whole(&self, placeholder: &str) -> Option<Value> {
        (placeholder == "{number}").then(|| Value::from(self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values { token: "tok".to_owned(), number: 7, key: "k".to_owned(), id: "9".to_owned() }
    }

    #[test]
    fn a_line_is_a_request() {
        let template: Template = serde_json::from_str("\"DELETE /items/{id}\"").unwrap();
        assert_eq!(template, Template::new("DELETE", "/items/{id}"));
        assert_eq!(serde_json::from_str::<Template>("\"/items\"").unwrap(), Template::new("GET", "/items"));
    }

    #[test]
    fn a_table_with_a_body_posts() {
        let template: Template = serde_json::from_str(r#"{"path": "/items", "body": {}}"#).unwrap();
        assert_eq!(template.method, "POST");
    }

    #[test]
    fn an_absolute_url_is_refused() {
        let error = serde_json::from_str::<Template>("\"GET http://localhost/\"").unwrap_err();
        assert!(error.to_string().contains("begins with '/'"), "{error}");
    }

    #[test]
    fn a_collection_keeps_its_slash() {
        assert_eq!(Template::new("POST", "/items/?draft=1").collection(), "/items/");
        assert_eq!(Template::new("POST", "/items?draft=1").collection(), "/items");
    }

    #[test]
    fn numbers_stay_numbers() {
        let body = json!({"name": "a {token}", "price": "{number}", "tags": ["{key}"]});
        let request = Template::new("PUT", "/items/{id}").with_body(body).fill(&values());
        assert_eq!(request.path, "/items/9");
        let sent: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(sent, json!({"name": "a tok", "price": 7, "tags": ["k"]}));
        assert_eq!(request.headers, [("Content-Type".to_owned(), "application/json".to_owned())]);
    }

    #[test]
    fn a_text_body_is_a_form() {
        let request = Template::new("POST", "/").with_body(json!("name={token}")).fill(&values());
        assert_eq!(request.body, b"name=tok");
        assert_eq!(request.headers[0].1, "application/x-www-form-urlencoded");
    }
}
