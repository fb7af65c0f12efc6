//! Parameters and target names: the parts that a check in a checklist and a binding in `mustdo.toml` share.

use std::collections::BTreeMap;

use globset::Glob;
use toml::de::DeValue;

use super::Code;
use super::mark::{Inside, ParameterMark, ParameterMarks, TargetMarks};
use super::table::Field;
use crate::model::{TargetName, Value};

/// Reads `target = { api = "web" }`: the plugin's name to the workspace's.
pub(super) fn targets(field: &Field<'_>) -> (BTreeMap<TargetName, TargetName>, TargetMarks) {
    let (mut names, mut marks) = (BTreeMap::new(), BTreeMap::new());
    for entry in field.table("a target table").iter().flat_map(super::table::Table::entries) {
        let asked: Option<TargetName> = entry.parse_key(Code::BadName);
        let bound = entry.parse(Code::BadName);
        if let (Some(asked), Some(bound)) = (asked, bound) {
            names.insert(asked.clone(), bound);
            marks.insert(asked, (entry.key(), entry.span()));
        }
    }
    (names, marks)
}

/// Reads `with = { … }`. An entry that JSON can't hold is reported and left out.
pub(super) fn parameters(field: &Field<'_>) -> (BTreeMap<String, Value>, ParameterMarks) {
    let (mut values, mut marks) = (BTreeMap::new(), BTreeMap::new());
    for entry in field.table("a parameter table").iter().flat_map(super::table::Table::entries) {
        if let Some((value, mark)) = parameter(&entry) {
            values.insert(entry.name().to_owned(), value);
            marks.insert(entry.name().to_owned(), mark);
        }
    }
    (values, marks)
}

/// One value. The parser bounds how deep values nest, so recursion is bounded too.
fn parameter(field: &Field<'_>) -> Option<(Value, ParameterMark)> {
    let mut inside = Inside::Nothing;
    let value = match field.raw() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(_) => Value::Integer(field.integer()?),
        DeValue::Float(_) => Value::Float(field.number()?),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Array(elements) => {
            let elements = elements.iter().filter_map(|element| parameter(&field.element(element)));
            let (values, marks) = elements.unzip();
            inside = Inside::List(marks);
            Value::List(values)
        }
        DeValue::Table(_) => {
            let (values, marks) = parameters(field);
            inside = Inside::Table(marks);
            Value::Table(values)
        }
        DeValue::Datetime(_) => {
            let message = format!("{} is a date, which no check takes", field.subject());
            field.report(Code::BadParameter, message, "write it in quotes");
            return None;
        }
    };
    Some((value, ParameterMark { key: field.key(), value: field.span(), inside }))
}

/// Reads `watch = ["app/**/*.py"]`. A pattern that can match no file of the workspace is refused: it would keep a proof
/// fresh whatever changes.
pub(super) fn globs(field: &Field<'_>) -> Vec<String> {
    let mut globs = vec![];
    for entry in field.list().into_iter().flatten() {
        let Some(text) = entry.words() else { continue };
        let fault = if let Err(error) = Glob::new(text) {
            error.kind().to_string()
        } else if text.starts_with('/') || text.contains('\\') {
            "it must be relative to the workspace, with \"/\" between parts".to_owned()
        } else if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            "it may not have \".\", \"..\" or an empty part".to_owned()
        } else {
            globs.push(text.to_owned());
            continue;
        };
        entry.report(Code::BadGlob, format!("\"{text}\" can match no file of the workspace: {fault}"), "");
    }
    globs
}
