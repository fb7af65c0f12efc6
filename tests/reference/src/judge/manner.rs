//! Programs with bad manners: what a target turns out to be when the wrong program stands behind it.

use std::io::{BufRead, Read, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::flaw::Trap;
use super::say;

/// Does what the trap says.
pub(super) fn spring(trap: Trap) -> Result<(), String> {
    match trap {
        Trap::Echo => copy(),
        Trap::Silent => {
            std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).map(drop).map_err(words)
        }
        Trap::Deaf => loop {
            std::thread::sleep(Duration::from_mins(1));
        },
        Trap::EndsAtOnce => Ok(()),
        Trap::Garbage => flood(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[7]),
        Trap::OneLongLine => flood(|_| b'x'),
        Trap::WebServer => write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        Trap::Unflushed => unflushed(),
        Trap::HelloOnly
        | Trap::AlwaysNull
        | Trap::AlwaysError
        | Trap::Prints
        | Trap::WrongNumber
        | Trap::Crashes
        | Trap::EndsBadly
        | Trap::Talks
        | Trap::Stays => after_hello(trap),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "those with other manners never come here")]
fn after_hello(trap: Trap) -> Result<(), String> {
    let mut lines = std::io::stdin().lock().lines();
    lines.next();
    say(&json!({ "hello": "mlp/1", "impl": trap.name(), "has": ["STATS", "DUMP", "COST", "KAT"] }))?;
    for line in lines {
        let number = serde_json::from_str::<Value>(&line.map_err(words)?)
            .map_err(|error| error.to_string())?["i"]
            .take();
        match trap {
            Trap::HelloOnly => {}
            Trap::Crashes => std::process::abort(),
            Trap::AlwaysError => say(&json!({ "i": number, "err": "NO" }))?,
            Trap::WrongNumber => say(&json!({ "i": number.as_u64().unwrap_or_default() - 1, "ok": null }))?,
            Trap::Prints => {
                write("working on it\n")?;
                say(&json!({ "i": number, "ok": null }))?;
            }
            _ => say(&json!({ "i": number, "ok": null }))?,
        }
    }
    match trap {
        Trap::EndsBadly => Err("something was left undone".to_owned()),
        Trap::Talks => write("goodbye\n"),
        Trap::Stays => loop {
            std::thread::sleep(Duration::from_mins(1));
        },
        _ => Ok(()),
    }
}

/// Everything is kept until the end of the input.
fn unflushed() -> Result<(), String> {
    let mut input = std::io::stdin().lock();
    let mut hello = String::new();
    input.read_line(&mut hello).map_err(words)?;
    say(&json!({ "hello": "mlp/1", "impl": "the reference", "has": [] }))?;
    let mut rest = String::new();
    input.read_to_string(&mut rest).map_err(words)?;
    for line in rest.lines() {
        let asked: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        say(&json!({ "i": asked["i"], "ok": null }))?;
    }
    Ok(())
}

fn copy() -> Result<(), String> {
    for line in std::io::stdin().lock().lines() {
        write(&format!("{}\n", line.map_err(words)?))?;
    }
    Ok(())
}

fn flood(byte: impl Fn(u64) -> u8) -> Result<(), String> {
    let mut output = std::io::stdout().lock();
    for start in (0..).step_by(4_096) {
        let bytes: Vec<u8> = (start..start + 4_096).map(&byte).collect();
        output.write_all(&bytes).map_err(words)?;
    }
    Ok(())
}

fn write(text: &str) -> Result<(), String> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(words)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn words(error: std::io::Error) -> String {
    error.to_string()
}
