//! A file server, right or with one flaw: `cargo run --example service -- PORT [FLAW]`. Port 0 takes a free one.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// What can be wrong with it.
pub const FLAWS: [&str; 5] = ["ignores", "short", "shifted", "wrong-total", "invents"];

/// What it serves at `/file`.
pub fn file() -> Vec<u8> {
    (0_u32..4_000)
        .map(|index| (index * index / 7) as u8)
        .collect()
}

/// Serves until the process ends.
pub fn serve(listener: &TcpListener, flaw: Option<&str>) -> io::Result<()> {
    for stream in listener.incoming() {
        let (stream, flaw) = (stream?, flaw.map(str::to_owned));
        // One thread for each connection; a client that goes away in between is its own affair.
        thread::spawn(move || answer(stream, flaw.as_deref()));
    }
    Ok(())
}

fn answer(mut stream: TcpStream, flaw: Option<&str>) -> io::Result<()> {
    let mut head = Vec::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let path = head
        .first()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default();
    let range = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("range")
            .then(|| value.strip_prefix("bytes="))
            .flatten()
    });
    let file = file();
    let (status, headers, body) = if path != "/file" {
        ("404 Not Found", String::new(), &[][..])
    } else if let Some(range) = range.filter(|_| flaw != Some("ignores")) {
        part(&file, range, flaw)
    } else {
        ("200 OK", "Accept-Ranges: bytes\r\n".to_owned(), &file[..])
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    )?;
    stream.write_all(body)
}

fn part<'a>(file: &'a [u8], range: &str, flaw: Option<&str>) -> (&'static str, String, &'a [u8]) {
    let size = file.len();
    let (first, last) = range.split_once('-').unwrap_or_default();
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, last.min(size - 1)),
        (Ok(first), Err(_)) => (first, size - 1),
        (Err(_), Ok(tail)) => (size.saturating_sub(tail), size - 1),
        (Err(_), Err(_)) => return ("400 Bad Request", String::new(), &[]),
    };
    if first > last {
        let status = if flaw == Some("invents") {
            "206 Partial Content"
        } else {
            "416 Range Not Satisfiable"
        };
        return (status, format!("Content-Range: bytes */{size}\r\n"), &[]);
    }
    let (from, to) = match flaw {
        Some("short") => (first, last),
        Some("shifted") => (first - 1, last),
        _ => (first, last + 1),
    };
    let total = if flaw == Some("wrong-total") {
        to - from
    } else {
        size
    };
    (
        "206 Partial Content",
        format!("Content-Range: bytes {first}-{last}/{total}\r\n"),
        &file[from..to],
    )
}

#[allow(dead_code, reason = "the tests take this file as a module")]
fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (port, flaw) = match &arguments[..] {
        [port] => (port, None),
        [port, flaw] if FLAWS.contains(&&**flaw) => (port, Some(&**flaw)),
        _ => {
            return Err(io::Error::other(format!(
                "usage: service PORT [{}]",
                FLAWS.join("|")
            )));
        }
    };
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on {}", listener.local_addr()?.port());
    serve(&listener, flaw)
}
