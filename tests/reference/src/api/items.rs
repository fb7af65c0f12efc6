//! The rows of `/items`, and the ways to handle them wrongly.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::flaw::Flaw;
use super::message::{Answer, Request};

/// All rows; ids count up and are never used twice.
#[derive(Debug, Default)]
pub(super) struct Items {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<u64, Map<String, Value>>,
    removed: Vec<Value>,
    next: u64,
}

impl Items {
    pub(super) fn list(&self, flaw: Option<Flaw>) -> Answer {
        let table = self.table();
        let shown = table.rows.iter().map(|(id, fields)| shown(*id, fields));
        let leaked = table.removed.iter().filter(|_| flaw == Some(Flaw::ListLeaks)).cloned();
        json_answer(200, &shown.chain(leaked).collect())
    }

    pub(super) fn create(&self, request: &Request, flaw: Option<Flaw>) -> Answer {
        let fields = match fields(request, flaw) {
            Ok(fields) => fields,
            Err(refused) => return refused,
        };
        let mut table = self.table();
        table.next += 1;
        let id = table.next;
        let body = shown(id, &fields);
        match flaw {
            Some(Flaw::Echo) => {}
            _ => drop(table.rows.insert(id, fields)),
        }
        match flaw {
            Some(Flaw::Nameless) => json_answer(200, &json!({ "status": "ok" })),
            _ => json_answer(201, &body).with("Location", format!("/items/{id}")),
        }
    }

    pub(super) fn read(&self, id: u64, request: &Request, flaw: Option<Flaw>) -> Answer {
        let table = self.table();
        let Some(fields) = table.rows.get(&id) else {
            return if flaw == Some(Flaw::NullForUnknown) {
                json_answer(200, &Value::Null)
            } else {
                problem(404)
            };
        };
        let tag = tag(fields);
        if request.header("if-none-match") == Some(&tag) {
            return Answer::empty(304).with("ETag", tag);
        }
        json_answer(200, &shown(id, fields)).with("ETag", tag)
    }

    /// PUT and PATCH.
    pub(super) fn write(&self, id: u64, request: &Request, flaw: Option<Flaw>) -> Answer {
        let mut table = self.table();
        let Some(row) = table.rows.get_mut(&id) else { return problem(404) };
        if request.header("if-match").is_some_and(|wanted| wanted != tag(row)) {
            return problem(412);
        }
        let merges = request.method == "PATCH" || flaw == Some(Flaw::PutMerges);
        let mut whole = if merges { row.clone() } else { Map::new() };
        let sent = match parse(request, flaw) {
            Ok(sent) => sent,
            Err(refused) => return refused,
        };
        whole.extend(sent);
        if let Err(refused) = valid(&whole) {
            return refused;
        }
        *row = whole;
        json_answer(200, &shown(id, row)).with("ETag", tag(row))
    }

    pub(super) fn remove(&self, id: u64) -> Answer {
        let mut table = self.table();
        match table.rows.remove(&id) {
            Some(fields) => {
                table.removed.push(shown(id, &fields));
                Answer::empty(204)
            }
            None => problem(404),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error as RFC 9457 has it.
pub(super) fn problem(status: u16) -> Answer {
    let body = json!({ "type": "about:blank", "title": "It can not be done", "status": status });
    Answer::new(status, "application/problem+json", body.to_string())
}

pub(super) fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json", body.to_string())
}

fn shown(id: u64, fields: &Map<String, Value>) -> Value {
    let mut whole = fields.clone();
    whole.insert("id".to_owned(), json!(id));
    Value::Object(whole)
}

/// A tag that changes with the fields (FNV-1a, 64 bits).
fn tag(fields: &Map<String, Value>) -> String {
    let text = Value::Object(fields.clone()).to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
}

fn fields(request: &Request, flaw: Option<Flaw>) -> Result<Map<String, Value>, Answer> {
    let fields = parse(request, flaw)?;
    valid(&fields)?;
    Ok(fields)
}

fn parse(request: &Request, flaw: Option<Flaw>) -> Result<Map<String, Value>, Answer> {
    if !request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(problem(415));
    }
    let broken = if flaw == Some(Flaw::MalformedBreaks) { 500 } else { 400 };
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(problem(422)),
        Err(_) => Err(problem(broken)),
    }
}

fn valid(fields: &Map<String, Value>) -> Result<(), Answer> {
    let named = fields.get("name").is_some_and(Value::is_string);
    let priced = fields.get("price").is_none_or(Value::is_number);
    if named && priced { Ok(()) } else { Err(problem(422)) }
}
