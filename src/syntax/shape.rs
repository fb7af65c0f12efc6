//! The shape that a check wants its parameters in: its JSON Schema.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value as Json;

use super::json::object;
use crate::model::{Value, nearest};

/// A compiled schema.
pub(super) struct Shape {
    schema: Json,
    validator: Validator,
}

/// How parameters stand to a shape. Where both lists are empty, they fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fit {
    /// What is wrong with what was given, in the order of the paths.
    pub(super) refusals: Vec<Refusal>,
    /// Top-level parameters that were not given and have to be; where one of several will do, all of them.
    pub(super) missing: BTreeSet<String>,
}

/// One thing that is wrong with parameters.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    /// Names and positions on the way to it; empty for the parameters as a whole.
    pub(super) path: Vec<String>,
    /// Why, in words that follow the parameter's name.
    pub(super) reason: String,
    /// The name that was probably meant.
    pub(super) nearest: Option<String>,
}

impl Shape {
    /// Compiles a schema, JSON Schema 2020-12 as JSON text; nothing is fetched for it. The error is in words.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let schema: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let options = jsonschema::options().with_draft(Draft::Draft202012);
        let validator = options.build(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    /// Holds parameters against the shape. Of a variable only that it will be a text is known, so nothing but its type is
    /// refused.
    pub(super) fn judge(&self, with: &BTreeMap<String, Value>) -> Fit {
        let mut fit = Fit::default();
        let text = |value: &Value| value.filled(&|_| Some(String::new()));
        let json = object(&with.iter().map(|(name, value)| (name.clone(), text(value))).collect());
        for error in self.validator.iter_errors(&json) {
            let path: Vec<_> = error.instance_path().into_iter().map(|segment| segment.to_string()).collect();
            if is_variable(with, &path) && !matches!(error.kind(), ValidationErrorKind::Type { .. }) {
                continue;
            }
            let missing = required(&error);
            if error.instance_path().is_empty() && !missing.is_empty() {
                fit.missing.extend(missing);
            } else {
                self.refuse(&error, &mut fit.refusals);
            }
        }
        // Objects are walked in no certain order.
        fit.refusals.sort_unstable();
        fit
    }

    fn refuse(&self, error: &ValidationError<'_>, refusals: &mut Vec<Refusal>) {
        let path: Vec<_> = error.instance_path().into_iter().map(|segment| segment.to_string()).collect();
        let (ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected }) = error.kind()
        else {
            let reason = error.masked_with("the value").to_string();
            refusals.push(Refusal { path, reason, nearest: None });
            return;
        };
        let schema = error.schema_path().as_str();
        let parent = schema.rsplit_once('/').map_or("", |(parent, _)| parent);
        let known = self.schema.pointer(parent).and_then(|schema| schema.get("properties"));
        let known: Vec<_> =
            known.and_then(Json::as_object).into_iter().flat_map(|known| known.keys()).collect();
        for name in unexpected {
            let mut path = path.clone();
            path.push(name.clone());
            let nearest = nearest(name, known.iter().map(|name| name.as_str())).map(str::to_owned);
            refusals.push(Refusal { path, reason: "there is no such parameter".to_owned(), nearest });
        }
    }
}

/// Whether a variable stands at `path`.
fn is_variable(with: &BTreeMap<String, Value>, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let value = rest.iter().try_fold(with.get(first), |value, step| match value? {
        Value::Table(entries) => Some(entries.get(step)),
        Value::List(values) => step.parse().ok().map(|position: usize| values.get(position)),
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::Variable(_) => None,
    });
    matches!(value, Some(Some(Value::Variable(_))))
}

/// The properties whose absence alone is what an error is about; empty where it is about something else.
fn required(error: &ValidationError<'_>) -> BTreeSet<String> {
    if let ValidationErrorKind::Required { property } = error.kind() {
        return property.as_str().map(str::to_owned).into_iter().collect();
    }
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) =
        error.kind()
    else {
        return BTreeSet::new();
    };
    let root = error.instance_path();
    let mut names = BTreeSet::new();
    for branch in context {
        let lacking = branch.iter().filter(|error| error.instance_path() == root).map(required);
        let lacking: Vec<_> = lacking.collect();
        if lacking.is_empty() || lacking.len() != branch.len() || lacking.iter().any(BTreeSet::is_empty) {
            return BTreeSet::new();
        }
        names.extend(lacking.into_iter().flatten());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{
        "type": "object",
        "required": ["op"],
        "additionalProperties": false,
        "properties": {
            "op": {
                "type": "object",
                "required": ["path"],
                "additionalProperties": false,
                "properties": { "method": { "enum": ["GET", "POST"] }, "path": { "type": "string", "pattern": "^/" } }
            },
            "count": { "type": "integer", "minimum": 2 }
        }
    }"#;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn judge(with: &[(&str, Value)]) -> (Vec<String>, Vec<String>) {
        let with = with.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let fit = Shape::compile(SCHEMA).unwrap().judge(&with);
        let refusals = fit.refusals.into_iter().map(|refusal| {
            format!(
                "{}: {} ({})",
                refusal.path.join("."),
                refusal.reason,
                refusal.nearest.unwrap_or_default()
            )
        });
        (refusals.collect(), fit.missing.into_iter().collect())
    }

    #[test]
    fn what_is_not_given_is_missing_and_no_refusal() {
        assert_eq!(judge(&[]), (vec![], vec!["op".to_owned()]));
        let op = Value::Table([("path".to_owned(), text("/a"))].into());
        assert_eq!(judge(&[("op", op)]), (vec![], vec![]));
    }

    #[test]
    fn refusals_name_the_way_to_the_parameter_and_the_nearest_known_one() {
        let op = Value::Table([("metod".to_owned(), text("GET")), ("path".to_owned(), text("a"))].into());
        let (refusals, missing) = judge(&[("op", op), ("count", Value::Integer(1))]);
        assert_eq!(missing, Vec::<String>::new());
        assert_eq!(
            refusals,
            [
                "count: the value is less than the minimum of 2 ()",
                "op.metod: there is no such parameter (method)",
                "op.path: the value does not match \"^/\" ()",
            ]
        );
    }

    #[test]
    fn of_a_variable_only_the_type_is_refused() {
        let variable = || Value::Variable("SECRET".to_owned());
        let op = Value::Table([("path".to_owned(), variable()), ("method".to_owned(), variable())].into());
        let (refusals, missing) = judge(&[("op", op), ("count", variable())]);
        assert_eq!(refusals, ["count: the value is not of type \"integer\" ()"]);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn inside_a_given_parameter_what_is_missing_is_refused() {
        let (refusals, missing) = judge(&[("op", Value::Table(BTreeMap::new()))]);
        assert_eq!(refusals, ["op: \"path\" is a required property ()"]);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn one_of_several_is_missing_until_one_is_given() {
        let shape = Shape::compile(r#"{ "anyOf": [{ "required": ["a"] }, { "required": ["b"] }] }"#).unwrap();
        let fit = shape.judge(&BTreeMap::new());
        assert_eq!(fit.missing, ["a".to_owned(), "b".to_owned()].into());
        assert_eq!(fit.refusals, []);
        assert_eq!(shape.judge(&[("b".to_owned(), text(""))].into()), Fit::default());
    }

    #[test]
    fn broken_schema_is_told_and_nothing_is_fetched() {
        assert!(Shape::compile("{").is_err());
        assert!(Shape::compile(r#"{ "type": "strange" }"#).is_err());
        assert!(Shape::compile(r#"{ "$ref": "https://example.com/schema.json" }"#).is_err());
    }
}
