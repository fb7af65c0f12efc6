//! Listening, on two ports.

use std::{
    io::{self, Cursor, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection};

use super::{Flaw, hello, identity, site};

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections that [`Flaw::GivesUp`] takes: enough for a handshake, too few for what has to be refused.
const ENOUGH: usize = 4;

/// A site that runs; dropping it ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    plain: SocketAddr,
    stop: Arc<AtomicBool>,
}

/// Starts a site on two ports of the system's choice; `with_rsa` for a key of RSA, where the flaw asks for no other.
///
/// # Errors
///
/// The system has no such ports to give.
pub fn start(flaw: Option<Flaw>, with_rsa: bool) -> io::Result<Running> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let plain = TcpListener::bind("127.0.0.1:0")?;
    let running =
        Running { address: listener.local_addr()?, plain: plain.local_addr()?, stop: Arc::default() };
    let config = Arc::new(identity::config(flaw, with_rsa));
    let taken = Arc::new(AtomicUsize::new(0));
    let port = running.address.port();
    accept(listener, &running.stop, move |stream| {
        let number = taken.fetch_add(1, Ordering::SeqCst);
        over_tls(flaw, stream, number, &config)
    });
    accept(plain, &running.stop, move |stream| in_clear(flaw, stream, port));
    Ok(running)
}

impl Running {
    /// Where TLS is spoken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is not.
    #[must_use]
    pub fn plain(&self) -> SocketAddr {
        self.plain
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the threads that accept.
        for address in [self.address, self.plain] {
            let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        }
    }
}

/// Serves each connection on a thread of its own, on a thread of its own.
fn accept(
    listener: TcpListener,
    stop: &Arc<AtomicBool>,
    serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
) {
    let (stop, serve) = (Arc::clone(stop), Arc::new(serve));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let serve = Arc::clone(&serve);
            // A client that breaks off is no business of the others.
            thread::spawn(move || stream.set_read_timeout(Some(PATIENCE)).and_then(|()| serve(stream)));
        }
    });
}

fn over_tls(
    flaw: Option<Flaw>,
    mut stream: TcpStream,
    number: usize,
    config: &Arc<ServerConfig>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut record = vec![0; 5];
    if flaw == Some(Flaw::OneRead) {
        record.resize(4_096, 0);
        let length = stream.read(&mut record)?;
        record.truncate(length);
        if record.len() < 5 {
            return stream.write_all(hello::ALERT);
        }
    } else {
        stream.read_exact(&mut record)?;
        record.resize(5 + usize::from(u16::from_be_bytes([record[3], record[4]])), 0);
        stream.read_exact(&mut record[5..])?;
    }
    if flaw == Some(Flaw::GivesUp) && number >= ENOUGH {
        return stream.write_all(hello::ALERT);
    }
    if let Some(answer) = flaw.and_then(|flaw| hello::agree(flaw, &record)) {
        return stream.write_all(&answer);
    }
    let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut first = Cursor::new(record);
    while first.position() < first.get_ref().len() as u64 {
        connection.read_tls(&mut first)?;
    }
    if let Err(error) = connection.process_new_packets() {
        // The alert that says so.
        connection.write_tls(&mut stream)?;
        return Err(io::Error::other(error));
    }
    let mut protected = rustls::Stream::new(&mut connection, &mut stream);
    let head = head(&mut protected)?;
    protected.write_all(&site::over_tls(flaw, &head))?;
    protected.conn.send_close_notify();
    protected.flush()
}

fn in_clear(flaw: Option<Flaw>, mut stream: TcpStream, port: u16) -> io::Result<()> {
    let head = head(&mut stream)?;
    stream.write_all(&site::in_clear(flaw, &head, port))
}

/// The head of a request.
fn head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    let mut piece = [0; 1_024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut piece)?;
        if length == 0 || head.len() > 8_192 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend(&piece[..length]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
