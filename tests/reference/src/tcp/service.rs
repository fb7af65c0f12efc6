//! Listening, accepting and stopping.

use std::{
    io::{self, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

use super::{
    Flaw, Framing,
    conversation::{Conversation, lock},
    succession,
};

/// Memory of a connection's thread: thousands of them live at once.
const STACK: usize = 256 << 10;

/// How often a thread that waits looks whether the server is to stop.
const TICK: Duration = Duration::from_millis(50);

/// What kind of server to start. The default is the good one, which answers each line with the same line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// How it is spoken to.
    pub framing: Framing,
    /// The mistake it makes, if any.
    pub flaw: Option<Flaw>,
}

/// A server that listens.
#[derive(Debug)]
pub struct Service {
    listener: TcpListener,
    shared: Arc<Shared>,
}

/// A server with a thread that accepts; dropping it ends every connection.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the connections of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    options: Options,
    address: SocketAddr,
    stopped: AtomicBool,
    open: AtomicUsize,
    streams: Mutex<Vec<Weak<TcpStream>>>,
    turn: Mutex<()>,
    common: Mutex<Vec<u8>>,
    buffers: Mutex<Vec<Vec<u8>>>,
    kept: Mutex<Vec<Arc<TcpStream>>>,
    /// Clients that left without a byte, for [`Flaw::HangUpsKill`].
    silent: AtomicUsize,
    /// Where the other part of the program listens, for [`Flaw::KeepsUpstream`].
    upstream: Option<SocketAddr>,
    /// What a successor inherits; taken by the one.
    legacy: Mutex<Option<TcpListener>>,
    /// A successor serves who comes from now on.
    retired: AtomicBool,
}

impl Service {
    /// Listens; port 0 leaves the port to the system.
    pub fn bind(options: Options, address: SocketAddr) -> io::Result<Self> {
        let listener = match options.flaw {
            Some(flaw @ (Flaw::NoReuseAddress | Flaw::SharesPort)) => {
                let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
                if flaw == Flaw::SharesPort {
                    socket.set_reuse_address(true)?;
                    rustix::net::sockopt::set_socket_reuseport(&socket, true)?;
                }
                socket.bind(&address.into())?;
                socket.listen(128)?;
                socket.into()
            }
            _ => TcpListener::bind(address)?,
        };
        Self::on(options, listener)
    }

    /// Serves on a socket that listens already.
    pub(super) fn on(options: Options, listener: TcpListener) -> io::Result<Self> {
        if options.flaw == Some(Flaw::ShortQueue) {
            rustix::net::listen(&listener, 5)?;
        }
        let has_successors = options.flaw.is_some_and(Flaw::has_successors);
        if has_successors {
            // Who waits for a client sees in time that it is replaced.
            let wait = rustix::net::sockopt::Timeout::Recv;
            rustix::net::sockopt::set_socket_timeout(&listener, wait, Some(TICK))?;
        }
        let is_proxy = options.flaw == Some(Flaw::KeepsUpstream);
        let shared = Arc::new(Shared {
            options,
            address: listener.local_addr()?,
            stopped: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            streams: Mutex::default(),
            turn: Mutex::default(),
            common: Mutex::default(),
            buffers: Mutex::default(),
            kept: Mutex::default(),
            silent: AtomicUsize::new(0),
            upstream: is_proxy.then(upstream).transpose()?,
            legacy: Mutex::new(has_successors.then(|| listener.try_clone()).transpose()?),
            retired: AtomicBool::new(false),
        });
        Ok(Self { listener, shared })
    }

    /// Serves on a thread of its own.
    #[must_use]
    pub fn spawn(self) -> Running {
        let running = Running { address: self.shared.address, shared: Arc::clone(&self.shared) };
        thread::spawn(move || self.serve());
        running
    }

    /// Serves until it is stopped.
    pub fn serve(self) {
        let mut number = 0;
        for stream in self.listener.incoming() {
            if self.shared.is_stopped() {
                return;
            }
            if let Ok(stream) = stream {
                number += 1;
                self.accepted(stream, number);
            } else if !self.shared.has(Flaw::SpinsWhenFull) {
                thread::sleep(TICK);
            }
            if self.shared.retired.load(Ordering::SeqCst) {
                break;
            }
        }
        drop(self.listener);
        while self.shared.open() > 0 {
            thread::sleep(TICK);
        }
    }

    /// Leaves the socket to the first of a line of processes, and stays as whoever started them.
    pub(super) fn hand_over(self, flaw: Flaw) -> io::Result<()> {
        succession::start(flaw, &self.listener)?;
        drop(self);
        loop {
            thread::park();
        }
    }

    fn accepted(&self, stream: TcpStream, number: usize) {
        let stream = Arc::new(stream);
        let open = self.shared.enter(&stream);
        match self.shared.flaw() {
            Some(Flaw::Iterative) => return self.shared.converse(stream, number),
            Some(Flaw::TooManyFiles) if open > 150 => self.shared.wait_for_stop(),
            Some(Flaw::SelectDies) if open > 1_020 => self.shared.stop(),
            Some(Flaw::SetOverflow) if open > 1_020 => {
                self.shared.keep_stream(stream);
                return;
            }
            Some(Flaw::ShortQueue) => self.shared.pause(Duration::from_millis(200)),
            _ => {}
        }
        let shared = Arc::clone(&self.shared);
        let started = thread::Builder::new().stack_size(STACK).spawn(move || shared.converse(stream, number));
        if started.is_err() {
            self.shared.leave();
        }
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Shared {
    pub(super) fn flaw(&self) -> Option<Flaw> {
        self.options.flaw
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.options.flaw == Some(flaw)
    }

    pub(super) fn framing(&self) -> Framing {
        self.options.framing
    }

    /// Connections that are served now.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn enter(&self, stream: &Arc<TcpStream>) -> usize {
        let mut streams = lock(&self.streams);
        streams.retain(|known| known.strong_count() > 0);
        streams.push(Arc::downgrade(stream));
        self.open.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn leave(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// Starts the process that takes over from here, once.
    pub(super) fn succeed(&self) {
        let Some(listener) = lock(&self.legacy).take() else { return };
        let Some(flaw) = self.flaw() else { return };
        // Where no process starts, this one stays.
        if succession::start(flaw, &listener).is_ok() {
            self.retired.store(true, Ordering::SeqCst);
        }
    }

    /// One more client left without a byte; how many did by now.
    pub(super) fn left_silently(&self) -> usize {
        self.silent.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Serves one connection to its end.
    fn converse(self: &Arc<Self>, stream: Arc<TcpStream>, number: usize) {
        if let Some(upstream) = self.upstream {
            // Without it there is nothing to keep.
            let connected = TcpStream::connect(upstream);
            let _ = connected.map(|stream| self.keep_stream(Arc::new(stream)));
        }
        match self.flaw() {
            Some(Flaw::Silent) => self.wait_for_stop(),
            Some(Flaw::ClosesAtOnce) => {}
            Some(Flaw::Garbage) => self.talk_nonsense(&stream),
            Some(Flaw::Greets) => {
                // Who does not want to hear it leaves.
                let _ = (&*stream).write_all(b"SSH-2.0-reference\r\n");
                Conversation::new(self, stream, number).run();
            }
            _ => Conversation::new(self, stream, number).run(),
        }
        self.leave();
    }

    fn talk_nonsense(&self, mut stream: &TcpStream) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        while !self.is_stopped() {
            let block: Vec<u8> = (0..1_024)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    state.to_be_bytes()[0]
                })
                .collect();
            if stream.write_all(&block).is_err() {
                return;
            }
        }
    }

    /// Ends everything, as the end of a process does.
    pub(super) fn stop(&self) {
        if self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        for stream in lock(&self.streams).drain(..).filter_map(|stream| stream.upgrade()) {
            // One that has ended by itself is what is wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
        lock(&self.kept).clear();
        // Wakes the thread that accepts, which then closes the port.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(super) fn wait_for_stop(&self) {
        while !self.is_stopped() {
            thread::sleep(TICK);
        }
    }

    /// Waits, but not longer than the server lives.
    pub(super) fn pause(&self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time && !self.is_stopped() {
            thread::sleep(TICK.min(time));
        }
    }

    /// Waits until nobody else has the turn.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        lock(&self.turn)
    }

    pub(super) fn common_buffer(&self) -> MutexGuard<'_, Vec<u8>> {
        lock(&self.common)
    }

    pub(super) fn reused_buffer(&self) -> Vec<u8> {
        lock(&self.buffers).pop().unwrap_or_default()
    }

    pub(super) fn keep_buffer(&self, buffer: Vec<u8>) {
        lock(&self.buffers).push(buffer);
    }

    /// Keeps a connection open for as long as the server lives.
    pub(super) fn keep_stream(&self, stream: Arc<TcpStream>) {
        lock(&self.kept).push(stream);
    }
}

/// Another part of the program, which ends every connection at once.
fn upstream() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || listener.incoming().for_each(drop));
    Ok(address)
}
