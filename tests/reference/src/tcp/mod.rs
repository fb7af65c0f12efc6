//! A small server of streams, with one flag per known mistake.
//!
//! The good one answers each request with the body that it carried, in one of three [`Framing`]s, with a thread for each
//! connection. Start at [`Service`].

mod conversation;
mod flaw;
mod framing;
mod service;
mod succession;

pub use flaw::Flaw;
pub use framing::Framing;
pub use service::{Options, Running, Service};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// `tcp PORT [FLAW]`: the server as a process. A port of `-` stands for the socket that is its standard input.
///
/// # Errors
///
/// Words for people: an argument that is none, or a port that is taken.
pub fn main(arguments: &[String]) -> Result<(), String> {
    let (port, flaw) = match arguments {
        [port] => (port, None),
        [port, flaw] => (port, Some(Flaw::named(flaw)?)),
        _ => return Err("tcp PORT [FLAW]".to_owned()),
    };
    // Thousands of connections, wherever the system lets it have as many.
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, most).map_err(|error| error.to_string())?;
    let options = Options { framing: flaw.map(Flaw::framing).unwrap_or_default(), flaw };
    let service = if port == "-" {
        succession::inherited().and_then(|listener| Service::on(options, listener))
    } else {
        let port: u16 = port.parse().map_err(|_| format!("'{port}' is no port"))?;
        Service::bind(options, ([127, 0, 0, 1], port).into())
    };
    let service = service.map_err(|error| error.to_string())?;
    match flaw {
        Some(flaw) if flaw.has_successors() && port != "-" => {
            service.hand_over(flaw).map_err(|error| error.to_string())
        }
        _ => {
            service.serve();
            Ok(())
        }
    }
}
