//! A small server of streams, with one flag per known mistake.
//!
//! The good one answers each request with the body that it carried, in one of three [`Framing`]s, with a thread for each
//! connection. Start at [`Service`].

mod conversation;
mod flaw;
mod framing;
mod service;

pub use flaw::Flaw;
pub use framing::Framing;
pub use service::{Options, Running, Service};

use std::{io, process::Command, thread, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// `tcp PORT [FLAW]`: the server of lines as a process.
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
    let port: u16 = port.parse().map_err(|_| format!("'{port}' is no port"))?;
    // Thousands of connections, wherever the system lets it have as many.
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, most).map_err(|error| error.to_string())?;
    if flaw == Some(Flaw::Supervised) {
        return supervise(port).map_err(|error| error.to_string());
    }
    let options = Options { flaw, ..Options::default() };
    let service = Service::bind(options, ([127, 0, 0, 1], port).into()).map_err(|error| error.to_string())?;
    service.serve();
    Ok(())
}

/// Starts a server that errors kill, again and again.
fn supervise(port: u16) -> io::Result<()> {
    let program = std::env::current_exe()?;
    loop {
        let mut server = Command::new(&program);
        server.args(["tcp", &port.to_string(), Flaw::WriteErrorKills.name()]).status()?;
        // As supervisors do, so that one that can not start does not start without end.
        thread::sleep(Duration::from_millis(300));
    }
}
