//! A client of lines, with one flag per known mistake: the good one asks for each word on one connection, prints each reply,
//! and ends with a word on stderr and the code 1 when one does not come.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::named::named;

named! {
    /// One mistake of the client.
    pub enum Flaw is "flaw" {
        OneReceive "client-robust/one-recv"
            "Whatever one `recv()` gives is taken for the reply."
        NoTimeout "client-robust/no-timeout"
            "A server that says nothing is waited for without an end."
        Stale "client-robust/stale"
            "A reply that is shorter than the one before carries the rest of that one."
        EmptyCrashes "client-robust/empty-crashes"
            "An end instead of a reply is an error that nothing expects."
        PartIsWhole "client-robust/part-is-whole"
            "What came before the end is printed as if it were the reply."
        AlwaysZero "client-robust/always-zero"
            "Errors are told, but the code is 0."
    }
}

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// `client ADDRESS:PORT [--flaw FLAW] WORD…`.
///
/// # Errors
///
/// What went wrong, in words for people.
pub fn main(arguments: &[String]) -> Result<(), String> {
    let (flaw, arguments) = match arguments {
        [option, flaw, rest @ ..] if option == "--flaw" => (Some(Flaw::named(flaw)?), rest),
        all => (None, all),
    };
    let Some((address, words)) = arguments.split_first() else {
        return Err("client ADDRESS:PORT WORD…".to_owned());
    };
    let address: SocketAddr = address.parse().map_err(|_| format!("'{address}' is no address"))?;
    match ask(address, words, flaw) {
        Err(error) if flaw == Some(Flaw::AlwaysZero) => {
            // Nobody is left to be told.
            let _ = writeln!(io::stderr(), "{error}");
            Ok(())
        }
        outcome => outcome.map_err(|error| error.to_string()),
    }
}

fn ask(address: SocketAddr, words: &[String], flaw: Option<Flaw>) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout((flaw != Some(Flaw::NoTimeout)).then_some(PATIENCE))?;
    let mut rest = Vec::new();
    let mut previous: Vec<u8> = Vec::new();
    for word in words {
        // What came behind the reply before belongs to no question.
        rest.clear();
        writeln!(stream, "{word}")?;
        let mut reply = line(&mut stream, &mut rest, flaw)?;
        if flaw == Some(Flaw::Stale) {
            reply.extend(previous.get(reply.len()..).unwrap_or_default());
            previous.clone_from(&reply);
        }
        reply.push(b'\n');
        io::stdout().write_all(&reply)?;
    }
    Ok(())
}

/// The next line, without its end.
fn line(stream: &mut TcpStream, buffer: &mut Vec<u8>, flaw: Option<Flaw>) -> io::Result<Vec<u8>> {
    let mut chunk = [0; 4_096];
    loop {
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<u8> = buffer.drain(..=end).collect();
            line.pop();
            return Ok(line);
        }
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return ended(std::mem::take(buffer), flaw);
        }
        buffer.extend(&chunk[..length]);
        if flaw == Some(Flaw::OneReceive) {
            return Ok(std::mem::take(buffer).into_iter().take_while(|byte| *byte != b'\n').collect());
        }
    }
}

fn ended(part: Vec<u8>, flaw: Option<Flaw>) -> io::Result<Vec<u8>> {
    match flaw {
        Some(Flaw::PartIsWhole) => Ok(part),
        Some(Flaw::EmptyCrashes) => std::process::abort(),
        _ => Err(io::Error::new(ErrorKind::UnexpectedEof, "the server ended without a whole reply")),
    }
}
