//! A program with four sockets, with one flag per known mistake. Each answers whatever comes with its word and the address
//! and port that it came from.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    thread,
};

use crate::named::named;

named! {
    /// One mistake of the program.
    pub enum Flaw is "flaw" {
        Everywhere "socket-tuple/everywhere"
            "The sockets are bound to 0.0.0.0, so the second address is the first socket's."
        NoDatagrams "socket-tuple/no-datagrams"
            "There is no socket for datagrams."
        OwnPort "socket-tuple/own-port"
            "The program's own port is told as the client's."
        SameMarker "socket-tuple/same-marker"
            "All sockets have the same word."
    }
}

/// `tuple PORT [FLAW]`: listens on 127.0.0.1:PORT for both protocols, on 127.0.0.2:PORT and on 127.0.0.1:PORT+1.
///
/// # Errors
///
/// Words for people: an argument that is none, or a port that is taken.
pub fn main(arguments: &[String]) -> Result<(), String> {
    let (port, flaw) = match arguments {
        [port] => (port, None),
        [port, flaw] => (port, Some(Flaw::named(flaw)?)),
        _ => return Err("tuple PORT [FLAW]".to_owned()),
    };
    let port: u16 = port.parse().map_err(|_| format!("'{port}' is no port"))?;
    serve(port, flaw).map_err(|error| error.to_string())
}

fn serve(port: u16, flaw: Option<Flaw>) -> io::Result<()> {
    let host = |last| if flaw == Some(Flaw::Everywhere) { [0, 0, 0, 0] } else { [127, 0, 0, last] };
    let marker = move |word: &'static str| if flaw == Some(Flaw::SameMarker) { "one" } else { word };
    let mut threads = Vec::new();
    if flaw != Some(Flaw::NoDatagrams) {
        let socket = UdpSocket::bind(SocketAddr::from((host(1), port)))?;
        threads.push(thread::spawn(move || datagrams(&socket, marker("three"), flaw)));
    }
    let mut streams = vec![(host(1), port + 1, "four"), (host(1), port, "one")];
    if flaw != Some(Flaw::Everywhere) {
        streams.push((host(2), port, "two"));
    }
    // The one that mustdo waits for comes last: then all are there.
    streams.sort_by_key(|(_, _, word)| *word == "one");
    for (host, port, word) in streams {
        let listener = TcpListener::bind(SocketAddr::from((host, port)))?;
        threads.push(thread::spawn(move || listen(&listener, marker(word), flaw)));
    }
    for thread in threads {
        // None of them ends.
        let _ = thread.join();
    }
    Ok(())
}

fn line(marker: &str, peer: SocketAddr, own: u16, flaw: Option<Flaw>) -> String {
    let port = if flaw == Some(Flaw::OwnPort) { own } else { peer.port() };
    format!("{marker} {}:{port}\n", peer.ip())
}

fn listen(listener: &TcpListener, marker: &'static str, flaw: Option<Flaw>) {
    while let Ok((mut stream, peer)) = listener.accept() {
        let own = listener.local_addr().map_or(0, |address| address.port());
        thread::spawn(move || {
            let mut heard = [0; 100];
            while stream.read(&mut heard).is_ok_and(|length| length > 0) {
                if stream.write_all(line(marker, peer, own, flaw).as_bytes()).is_err() {
                    return;
                }
            }
        });
    }
}

fn datagrams(socket: &UdpSocket, marker: &str, flaw: Option<Flaw>) {
    let mut heard = [0; 100];
    while let Ok((_, peer)) = socket.recv_from(&mut heard) {
        let own = socket.local_addr().map_or(0, |address| address.port());
        // A client that has gone is no business of the others.
        let _ = socket.send_to(line(marker, peer, own, flaw).as_bytes(), peer);
    }
}
