//! Programs that speak MLP/1, for the plugin `judge`: every task in one, told apart by the hello.
//!
//! `reference judge [FLAW]`. A flaw belongs to one task; the other tasks are then good.

mod btree;
mod crypto;
mod dict;
mod flaw;
mod linear;
mod manner;
mod middleware;
mod ordered_dict;
mod tree;

use std::io::{BufRead, Write};

use serde_json::{Value, json};

pub use flaw::{Flaw, Trap};

/// What an operation answers: a value, or a code.
type Answer = Result<Value, &'static str>;

/// A task.
trait Program {
    /// Answers one operation.
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer;

    /// The optional operations that it offers.
    fn has(&self) -> &'static [&'static str] {
        &[]
    }
}

/// The program; the first argument names a flaw or a trap.
///
/// # Errors
///
/// Words for people: no such flaw, no such task, or broken pipes.
pub fn main(arguments: &[String]) -> Result<(), String> {
    let named = arguments.first().map(String::as_str);
    if let Some(trap) = named.and_then(Trap::named) {
        return manner::spring(trap);
    }
    let flaw = named.map(|name| Flaw::named(name).ok_or(format!("no flaw '{name}'"))).transpose()?;
    let mut conversation = Conversation::new(flaw);
    for line in std::io::stdin().lock().lines() {
        say(&conversation.answer(&line.map_err(|error| error.to_string())?)?)?;
    }
    Ok(())
}

/// One side of a conversation: what the program says to each line.
pub struct Conversation {
    flaw: Option<Flaw>,
    /// The task at hand, once the hello has named it.
    program: Option<Box<dyn Program>>,
}

impl Conversation {
    /// One that has not begun, with this mistake.
    #[must_use]
    pub fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, program: None }
    }

    /// What is said to a line; the first one is the hello.
    ///
    /// # Errors
    ///
    /// Words for people: the line is no JSON, or the hello names no task.
    pub fn answer(&mut self, line: &str) -> Result<Value, String> {
        let asked: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let Some(program) = &mut self.program else {
            let program = self.program.insert(program(&asked, self.flaw)?);
            return Ok(json!({ "hello": "mlp/1", "impl": "the reference", "has": program.has() }));
        };
        let operation = asked["op"].as_str().unwrap_or_default();
        let arguments = asked["a"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(match program.answer(operation, arguments) {
            Ok(value) => json!({ "i": asked["i"], "ok": value }),
            Err(code) => json!({ "i": asked["i"], "err": code }),
        })
    }
}

fn program(hello: &Value, flaw: Option<Flaw>) -> Result<Box<dyn Program>, String> {
    let params = &hello["params"];
    Ok(match hello["task"].as_str().unwrap_or_default() {
        "dict" if flaw == Some(Flaw::DictLinearList) => Box::new(dict::Pairs::default()),
        "dict" => Box::new(dict::Table::new(flaw)),
        "ordered-dict" => Box::new(ordered_dict::Ordered::new(flaw)),
        "array" => Box::new(linear::Array::new(flaw)),
        "queue" => Box::new(linear::Queue::new(flaw)),
        "stack" => Box::new(linear::Stack::new(flaw)),
        "list" => Box::new(linear::List::new(flaw)),
        "tree" => Box::new(tree::Avl::new(flaw)),
        "btree" if flaw == Some(Flaw::BtreeSortedArray) => Box::new(btree::fake::Sorted::new(params)),
        "btree" if flaw == Some(Flaw::BtreeWrappedLibrary) => Box::new(btree::fake::Wrapped::new(params)),
        "btree" if flaw == Some(Flaw::BtreeHashMap) => Box::new(btree::fake::Hashed::default()),
        "btree" => Box::new(btree::Tree::new(params, flaw)),
        "crypto" => Box::new(crypto::Vault::new(flaw)),
        "middleware" => Box::new(middleware::App::new(flaw)),
        other => return Err(format!("no task '{other}'")),
    })
}

/// Writes a line and flushes it.
fn say(value: &Value) -> Result<(), String> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{value}").and_then(|()| output.flush()).map_err(|error| error.to_string())
}

/// The integer at a place; zero where there is none.
fn integer(arguments: &[Value], place: usize) -> i64 {
    arguments.get(place).and_then(Value::as_i64).unwrap_or_default()
}

/// The text at a place.
fn text(arguments: &[Value], place: usize) -> &str {
    arguments.get(place).and_then(Value::as_str).unwrap_or_default()
}
