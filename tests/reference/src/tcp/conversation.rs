//! One connection, from its first byte to its end.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::{Flaw, service::Shared};

/// Bytes of one `recv()`.
const CHUNK: usize = 64 << 10;

/// Bytes that a reply of [`Flaw::FixedBuffer`] has at most.
const FIXED: usize = 4_096;

/// What a `recv()` of [`Flaw::RequestedLength`] asks for.
const REQUESTED: usize = 1_024;

pub(super) struct Conversation<'server> {
    shared: &'server Arc<Shared>,
    stream: Arc<TcpStream>,
    /// Counted from one, over the server's life.
    number: usize,
    buffer: Vec<u8>,
    /// The body before, for [`Flaw::Leftover`].
    previous: Vec<u8>,
    answered: usize,
    /// The client had ended its side when a reply was due, for [`Flaw::LeaksHalfClosed`].
    ended_early: bool,
    /// Held while a request is not whole, for [`Flaw::BlocksEverybody`].
    turn: Option<MutexGuard<'server, ()>>,
    /// What takes replies without a limit, for [`Flaw::Unbounded`].
    queue: Option<mpsc::Sender<Vec<u8>>>,
}

impl<'server> Conversation<'server> {
    pub(super) fn new(shared: &'server Arc<Shared>, stream: Arc<TcpStream>, number: usize) -> Self {
        let queue = shared.has(Flaw::Unbounded).then(|| writer(Arc::clone(&stream)));
        let buffer = if shared.has(Flaw::StaleBuffer) { shared.reused_buffer() } else { Vec::new() };
        Self {
            shared,
            stream,
            number,
            buffer,
            previous: Vec::new(),
            answered: 0,
            ended_early: false,
            turn: None,
            queue,
        }
    }

    /// Serves until the client ends; an error ends this connection only.
    pub(super) fn run(mut self) {
        let outcome = self.serve();
        if let Err(error) = outcome {
            self.failed(&error);
        } else {
            self.ended();
        }
        if self.shared.has(Flaw::StaleBuffer) {
            self.shared.keep_buffer(std::mem::take(&mut self.buffer));
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            if self.shared.has(Flaw::Deaf) && self.answered > 0 {
                self.shared.wait_for_stop();
            }
            let Some(mut chunk) = self.read()? else { return Ok(()) };
            if self.shared.has(Flaw::LastIsLate) && self.number > 1_100 {
                self.shared.pause(Duration::from_secs(8));
            }
            if self.shared.has(Flaw::RequestedLength) {
                chunk.resize(chunk.len().next_multiple_of(REQUESTED), 0);
            }
            if self.shared.has(Flaw::IgnoresInvalid) {
                chunk = valid(&chunk);
            }
            if self.shared.has(Flaw::BlocksEverybody) && self.turn.is_none() {
                self.turn = Some(self.shared.turn());
            }
            for body in self.requests(chunk) {
                if self.shared.has(Flaw::NonsenseKills) && std::str::from_utf8(&body).is_err() {
                    self.shared.stop();
                }
                if self.shared.has(Flaw::Replaced) && body.len() > 10_000 {
                    self.shared.succeed();
                    // Until this process has left the socket to the other.
                    self.shared.pause(Duration::from_millis(150));
                }
                self.answer(&body)?;
            }
            if self.shared.has(Flaw::ClosesFirst) && self.answered > 0 {
                return Ok(());
            }
            if self.buffer.is_empty() {
                self.turn = None;
            }
            if self.shared.framing().is_nonsense(&self.buffer) {
                return Ok(());
            }
        }
    }

    /// What one `recv()` gives; none at the end.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let limited = self.shared.has(Flaw::ByteTimeout) && !self.buffer.is_empty();
        self.stream.set_read_timeout(limited.then_some(Duration::from_millis(10)))?;
        let mut chunk = vec![0; CHUNK];
        let length = (&*self.stream).read(&mut chunk)?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    /// The requests that are whole now.
    fn requests(&mut self, chunk: Vec<u8>) -> Vec<Vec<u8>> {
        let framing = self.shared.framing();
        match self.shared.flaw() {
            Some(Flaw::ReceiveIsMessage) => {
                let mut rest = chunk.clone();
                return vec![framing.take(&mut rest).unwrap_or_else(|| framing.partial(&chunk).to_vec())];
            }
            Some(Flaw::ComparesReceived) => {
                let mut rest = chunk;
                return framing.take(&mut rest).filter(|_| rest.is_empty()).into_iter().collect();
            }
            Some(Flaw::GlobalBuffer) => {
                let mut common = self.shared.common_buffer();
                common.extend(chunk);
                return std::iter::from_fn(|| framing.take(&mut common)).collect();
            }
            _ => {}
        }
        self.buffer.extend(chunk);
        let mut requests: Vec<_> = std::iter::from_fn(|| framing.take(&mut self.buffer)).collect();
        match self.shared.flaw() {
            Some(Flaw::FirstOnly) => requests.truncate(1),
            Some(Flaw::LosesTail) if !requests.is_empty() => self.buffer.clear(),
            Some(Flaw::OutOfOrder) => requests.reverse(),
            Some(Flaw::Merged) if requests.len() > 1 => requests = vec![requests.concat()],
            Some(Flaw::EndDropsReply) if !requests.is_empty() && self.is_ended() => requests.clear(),
            Some(Flaw::LeaksHalfClosed) if !requests.is_empty() => self.ended_early = self.is_ended(),
            _ => {}
        }
        requests
    }

    /// Whether the client has ended its side by now.
    fn is_ended(&self) -> bool {
        thread::sleep(Duration::from_millis(20));
        let looked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        // It fails only where the connection is gone.
        let _ = self.stream.set_nonblocking(false);
        looked.is_ok_and(|length| length == 0)
    }

    fn answer(&mut self, body: &[u8]) -> io::Result<()> {
        self.answered += 1;
        let framing = self.shared.framing();
        let reply = match self.shared.flaw() {
            Some(Flaw::Constant) => framing.frame(b"hello, world"),
            Some(Flaw::UpperCase) => framing.frame(&body.to_ascii_uppercase()),
            Some(Flaw::DropsLastByte) => {
                let mut reply = framing.frame(body);
                reply.pop();
                reply
            }
            Some(Flaw::AddsNewline) => [&framing.frame(body)[..], b"\n"].concat(),
            Some(Flaw::StopsAtNul) => {
                let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
                framing.frame(&body[..end])
            }
            Some(Flaw::FixedBuffer) => framing.frame(&body[..body.len().min(FIXED)]),
            Some(Flaw::Leftover) => {
                let rest = self.previous.get(body.len()..).unwrap_or_default();
                let stale = [body, rest].concat();
                self.previous.clone_from(&stale);
                framing.frame(&stale)
            }
            Some(Flaw::Http) => {
                let page = format!("<p>Bad request ({})</p>", String::from_utf8_lossy(body));
                let length = page.len();
                format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {length}\r\n\r\n{page}").into_bytes()
            }
            _ => framing.frame(body),
        };
        if self.shared.has(Flaw::Late) {
            self.shared.pause(Duration::from_secs(12));
        }
        self.write(reply)
    }

    fn write(&self, reply: Vec<u8>) -> io::Result<()> {
        let mut stream = &*self.stream;
        match self.shared.flaw() {
            Some(Flaw::OneSend) => self
                .without_blocking(|stream| stream.write(&reply).map(|_| ()))
                .or_else(|error| if error.kind() == ErrorKind::WouldBlock { Ok(()) } else { Err(error) }),
            Some(Flaw::FullCloses) => self.without_blocking(|stream| stream.write_all(&reply)),
            Some(Flaw::BlocksLoop) => {
                let _turn = self.shared.turn();
                stream.write_all(&reply)
            }
            Some(Flaw::Unbounded) => {
                // The other end is gone with the connection.
                let _ = self.queue.as_ref().map(|queue| queue.send(reply));
                Ok(())
            }
            Some(Flaw::BrokenReplyKills) => stream.write_all(&reply).inspect_err(|_| {
                if self.answered > 1 {
                    self.shared.stop();
                }
            }),
            _ => stream.write_all(&reply),
        }
    }

    fn without_blocking(&self, act: impl Fn(&mut &TcpStream) -> io::Result<()>) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let outcome = act(&mut &*self.stream);
        self.stream.set_nonblocking(false)?;
        outcome
    }

    /// The client has ended its side, or sent nonsense.
    fn ended(&mut self) {
        let is_inside = !self.buffer.is_empty();
        match self.shared.flaw() {
            Some(Flaw::HalfAsWhole) if is_inside => {
                let body = self.shared.framing().partial(&self.buffer).to_vec();
                // Whoever has left reads no reply.
                let _ = self.answer(&body);
            }
            Some(Flaw::OneEndsAll) if is_inside => self.shared.stop(),
            Some(Flaw::HangUpsKill)
                if self.answered == 0 && !is_inside && self.shared.left_silently() >= 10 =>
            {
                self.shared.stop();
            }
            Some(Flaw::SpinsAfterEnd) if self.number == 5 => {
                self.shut_down();
                while !self.shared.is_stopped() {
                    // The end, or a reset: neither stops it.
                    let _ = (&*self.stream).read(&mut [0]);
                }
            }
            Some(Flaw::LeaksHalfClosed) if self.ended_early => {
                self.shut_down();
                self.shared.keep_stream(Arc::clone(&self.stream));
            }
            Some(Flaw::EndSpins) => {
                while !self.shared.is_stopped() && (&*self.stream).read(&mut [0]).is_ok() {
                    // A thousand that hurry would leave nobody else a processor.
                    thread::sleep(Duration::from_millis(if self.number > 50 { 200 } else { 1 }));
                }
            }
            Some(Flaw::NeverCloses) => self.shared.wait_for_stop(),
            Some(Flaw::IdleMinute) => self.shared.pause(Duration::from_mins(1)),
            Some(Flaw::Lingers) => {
                // It fails only where the connection is gone.
                let _ = socket2::SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO));
            }
            Some(Flaw::KeepsEnded) => self.shared.keep_stream(Arc::clone(&self.stream)),
            Some(Flaw::LeaksReference) if self.shared.open() > 60 => {
                self.shared.keep_stream(Arc::clone(&self.stream));
            }
            _ => {}
        }
    }

    /// The client reads the end; the descriptor stays.
    fn shut_down(&self) {
        // It fails only where the connection is gone.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn failed(&self, error: &io::Error) {
        let is_read = matches!(error.kind(), ErrorKind::ConnectionReset);
        match self.shared.flaw() {
            Some(Flaw::ReadErrorKills) if is_read => self.shared.stop(),
            Some(Flaw::WriteErrorKills) if matches!(error.kind(), ErrorKind::BrokenPipe) || is_read => {
                self.shared.stop();
            }
            Some(Flaw::Supervised) if matches!(error.kind(), ErrorKind::BrokenPipe) || is_read => {
                self.shared.succeed();
                self.shared.stop();
            }
            _ => {}
        }
    }
}

/// Writes what it is handed, for as long as anybody hands it something.
fn writer(stream: Arc<TcpStream>) -> mpsc::Sender<Vec<u8>> {
    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || receiver.iter().try_for_each(|reply| (&*stream).write_all(&reply)));
    sender
}

/// What of the bytes is UTF-8.
fn valid(bytes: &[u8]) -> Vec<u8> {
    bytes.utf8_chunks().flat_map(|chunk| chunk.valid().bytes()).collect()
}

/// A guard of something that no panic leaves half done.
pub(super) fn lock<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
