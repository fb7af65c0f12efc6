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

/// Whose file parameters stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// The user, who may have variables of the environment filled in.
    User,
    /// The author of a checklist, who may not: a variable of the user's would go wherever the author points the check.
    Author,
    /// The author of a plugin's cases, who may not: what a case is asked with is for everybody to read.
    Prover,
}

/// Reads `with = { … }`. An entry that JSON can't hold is reported and left out.
pub(super) fn parameters(field: &Field<'_>, writer: Writer) -> (BTreeMap<String, Value>, ParameterMarks) {
    let (mut values, mut marks) = (BTreeMap::new(), BTreeMap::new());
    for entry in field.table("a parameter table").iter().flat_map(super::table::Table::entries) {
        if let Some((value, mark)) = parameter(&entry, writer) {
            values.insert(entry.name().to_owned(), value);
            marks.insert(entry.name().to_owned(), mark);
        }
    }
    (values, marks)
}

/// One value. The parser bounds how deep values nest, so recursion is bounded too.
fn parameter(field: &Field<'_>, writer: Writer) -> Option<(Value, ParameterMark)> {
    let mut inside = Inside::Nothing;
    if let Some(name) = named_variable(field) {
        let refused = match writer {
            Writer::User => None,
            Writer::Author => {
                Some(("a checklist", "leave it out: the user gives it in mustdo.toml, under [item.ID.with]"))
            }
            Writer::Prover => Some(("a case", "write the value: a recording is for everybody to read")),
        };
        if let Some((place, help)) = refused {
            let message = format!("{} can't be a variable of the user's in {place}", field.subject());
            field.report(Code::ForeignVariable, message, help);
            return None;
        }
        let value = Value::Variable(variable(&name)?);
        return Some((value, ParameterMark { key: field.key(), value: field.span(), inside }));
    }
    let value = match field.raw() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(_) => Value::Integer(field.integer()?),
        DeValue::Float(_) => Value::Float(field.number()?),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Array(elements) => {
            let elements = elements.iter().filter_map(|element| parameter(&field.element(element), writer));
            let (values, marks) = elements.unzip();
            inside = Inside::List(marks);
            Value::List(values)
        }
        DeValue::Table(_) => {
            let (values, marks) = parameters(field, writer);
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

/// The name in `{ env = "NAME" }`; none for every other value, also for tables with more in them.
fn named_variable<'a>(field: &Field<'a>) -> Option<Field<'a>> {
    let DeValue::Table(entries) = field.raw() else { return None };
    let table = field.table("a variable").filter(|_| entries.len() == 1)?;
    table.peek("env").filter(|name| matches!(name.raw(), DeValue::String(_)))
}

/// Reads the name of an environment variable.
pub(super) fn variable(field: &Field<'_>) -> Option<String> {
    let name = field.text()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.is_empty() && name.bytes().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(name.to_owned());
    }
    let message = format!("\"{}\" can't be the name of a variable", name.escape_debug());
    field.report(Code::BadName, message, "write its name alone: letters, digits and \"_\"");
    None
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
