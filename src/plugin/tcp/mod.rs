//! Byte streams to named targets, and to whoever connects to a listener of the plugin.
//!
//! Each connection is a handle of the plugin's; closing the handle closes it, and so does the end of the run. Every wait
//! has a time, and what a run may hold, open and carry is counted in `network`.

mod connection;
mod listener;
mod readiness;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wasmtime::component::Resource;

use crate::model::Capability;

use super::contract::Failure;
use super::contract::tcp::{Endpoint, Host, HostConnection, HostListener, Options};
use super::fault::OverLimit;
use super::network::{self, Destination, Dial, SOCKETS, Traffic, within};
use super::state::State;

#[expect(unreachable_pub, reason = "the generated bindings re-export them")]
pub use connection::Connection;
#[expect(unreachable_pub, reason = "the generated bindings re-export them")]
pub use listener::Listener;

/// Bytes that one read gives at most: they exist twice, here and in the plugin's memory.
const READ_BYTES: u32 = 1 << 20;

/// Bytes that one write takes; well below what one call may carry, so that the plugin hears of it.
const WRITE_BYTES: usize = 4 << 20;

/// Handshakes on the way at once. Servers queue 100 to 4,096 connections that they have not accepted yet; what does not fit
/// is silently dropped, and tried again a second later.
const HANDSHAKES: usize = 128;

impl State {
    /// Where the target is, and how to connect to it.
    async fn dialled(
        &mut self,
        target: &str,
        options: &Options,
    ) -> Result<(Arc<Destination>, Dial), Failure> {
        let endpoint = self.endpoint(target, Capability::Tcp)?;
        let Some(authority) = endpoint.authority() else {
            return Err(Failure::Unbound(format!("the target \"{target}\" has no address")));
        };
        let source = options.source.as_deref().map(network::source).transpose()?;
        let receive_buffer = (options.receive_buffer > 0).then_some(options.receive_buffer);
        let dial = Dial { source, receive_buffer, no_delay: options.no_delay };
        Ok((self.destination(authority).await?, dial))
    }

    async fn connect_one(
        &mut self,
        target: &str,
        options: &Options,
        traffic: Arc<Traffic>,
    ) -> Result<Connection, Failure> {
        let (destination, dial) = self.dialled(target, options).await?;
        let slot = self.network.take_one()?;
        let stream = within(options.timeout_millis, destination.connect(dial)).await?;
        Connection::new(stream, slot, traffic)
    }

    /// Opens `count` connections; each has a result of its own.
    async fn connect_all(
        &mut self,
        target: &str,
        options: &Options,
        count: usize,
        traffic: &Arc<Traffic>,
    ) -> Result<Vec<Result<Connection, Failure>>, Failure> {
        let (destination, dial) = self.dialled(target, options).await?;
        let slots = self.network.take(count)?;
        let streams = dial_all(destination, dial, options.timeout_millis, count).await;
        let connections = streams.into_iter().zip(slots);
        Ok(connections
            .map(|(stream, slot)| stream.and_then(|stream| Connection::new(stream, slot, traffic.clone())))
            .collect())
    }
}

/// `count` connections, [`HANDSHAKES`] at a time.
async fn dial_all(
    destination: Arc<Destination>,
    dial: Dial,
    millis: u32,
    count: usize,
) -> Vec<Result<TcpStream, Failure>> {
    let begun = Arc::new(AtomicUsize::new(0));
    // Dropped with the run, which aborts what is still on the way.
    let mut workers = JoinSet::new();
    for _ in 0..HANDSHAKES.min(count) {
        let (destination, begun) = (destination.clone(), begun.clone());
        workers.spawn(async move {
            let mut streams = Vec::new();
            while begun.fetch_add(1, Ordering::Relaxed) < count {
                streams.push(within(millis, destination.connect(dial)).await);
            }
            streams
        });
    }
    workers.join_all().await.into_iter().flatten().collect()
}

/// What an attempt at many connections came to.
fn described(target: &str, connections: &[Result<Connection, Failure>]) -> String {
    let failed = connections.iter().filter(|connection| connection.is_err()).count();
    let times = format!("tcp connect {target}, {} times", connections.len());
    if failed == 0 { times } else { format!("{times}, {failed} failed") }
}

/// The failure to note of many attempts: where none succeeded, the first.
fn refusal(connections: &[Result<Connection, Failure>]) -> Option<&Failure> {
    if connections.iter().any(Result::is_ok) { None } else { connections.first()?.as_ref().err() }
}

impl Host for State {
    async fn connect(
        &mut self,
        target: String,
        options: Options,
    ) -> wasmtime::Result<Result<Resource<Connection>, Failure>> {
        let (at, traffic) = (Instant::now(), Arc::<Traffic>::default());
        let what = || format!("tcp connect {target}");
        self.accesses.begin(at, what());
        match self.connect_one(&target, &options, traffic.clone()).await {
            Ok(connection) => {
                self.accesses.note_open(at, what, &traffic);
                Ok(Ok(self.table.push(connection)?))
            }
            Err(refused) => {
                self.accesses.note(at, what, Some(&refused));
                Ok(Err(refused))
            }
        }
    }

    async fn connect_many(
        &mut self,
        target: String,
        options: Options,
        count: u32,
    ) -> wasmtime::Result<Result<Vec<Result<Resource<Connection>, Failure>>, Failure>> {
        let (at, traffic) = (Instant::now(), Arc::<Traffic>::default());
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.accesses.begin(at, format!("tcp connect {target}, {count} times"));
        match self.connect_all(&target, &options, count, &traffic).await {
            Ok(connections) => {
                let what = || described(&target, &connections);
                match refusal(&connections) {
                    None => self.accesses.note_open(at, what, &traffic),
                    refused => self.accesses.note(at, what, refused),
                }
                let mut kept = Vec::with_capacity(connections.len());
                for connection in connections {
                    kept.push(match connection {
                        Ok(connection) => Ok(self.table.push(connection)?),
                        Err(failed) => Err(failed),
                    });
                }
                Ok(Ok(kept))
            }
            Err(refused) => {
                self.accesses.note(at, || format!("tcp connect {target}, {count} times"), Some(&refused));
                Ok(Err(refused))
            }
        }
    }

    fn listen(&mut self) -> wasmtime::Result<Result<Resource<Listener>, Failure>> {
        let at = Instant::now();
        match self.listener() {
            Ok(listener) => {
                self.accesses.note(at, || format!("tcp listen {}", listener.local), None);
                Ok(Ok(self.table.push(listener)?))
            }
            Err(refused) => {
                self.accesses.note(at, || "tcp listen".to_owned(), Some(&refused));
                Ok(Err(refused))
            }
        }
    }

    async fn wait_readable(
        &mut self,
        connections: Vec<Resource<Connection>>,
        timeout_millis: u32,
    ) -> wasmtime::Result<Vec<u32>> {
        if connections.len() > SOCKETS {
            return Err(OverLimit(format!("{SOCKETS} connections can be waited for at once")).into());
        }
        let mut streams = Vec::with_capacity(connections.len());
        for connection in &connections {
            streams.push(self.table.get(connection)?.stream());
        }
        Ok(readiness::readable(&streams, timeout_millis).await)
    }
}

impl HostConnection for State {
    async fn read(
        &mut self,
        connection: Resource<Connection>,
        max: u32,
        timeout_millis: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        let connection = self.table.get_mut(&connection)?;
        Ok(connection.read(&mut self.network, max, timeout_millis).await)
    }

    async fn write(
        &mut self,
        connection: Resource<Connection>,
        bytes: Vec<u8>,
        timeout_millis: u32,
    ) -> wasmtime::Result<Result<(), Failure>> {
        let connection = self.table.get_mut(&connection)?;
        Ok(connection.write(&mut self.network, &bytes, timeout_millis).await)
    }

    fn write_some(
        &mut self,
        connection: Resource<Connection>,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<u64, Failure>> {
        let connection = self.table.get_mut(&connection)?;
        Ok(connection.write_some(&mut self.network, &bytes))
    }

    fn shutdown_write(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Result<(), Failure>> {
        Ok(self.table.get_mut(&connection)?.shutdown_write())
    }

    fn reset(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.get_mut(&connection)?.reset();
        Ok(())
    }

    fn local(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Endpoint> {
        Ok(self.table.get(&connection)?.local.into())
    }

    fn peer(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Endpoint> {
        Ok(self.table.get(&connection)?.peer.into())
    }

    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl HostListener for State {
    fn local(&mut self, listener: Resource<Listener>) -> wasmtime::Result<Endpoint> {
        Ok(self.table.get(&listener)?.local.into())
    }

    async fn accept(
        &mut self,
        listener: Resource<Listener>,
        timeout_millis: u32,
    ) -> wasmtime::Result<Result<Resource<Connection>, Failure>> {
        let (at, traffic) = (Instant::now(), Arc::<Traffic>::default());
        let listener = self.table.get_mut(&listener)?;
        let what = format!("tcp accept {}", listener.local);
        self.accesses.begin(at, what.clone());
        match listener.accept(&mut self.network, timeout_millis, traffic.clone()).await {
            Ok(connection) => {
                self.accesses.note_open(at, || what, &traffic);
                Ok(Ok(self.table.push(connection)?))
            }
            // That nobody came is nothing that was reached; a plugin may ask often.
            Err(Failure::TimedOut) => {
                self.accesses.forget();
                Ok(Err(Failure::TimedOut))
            }
            Err(refused) => {
                self.accesses.note(at, || what, Some(&refused));
                Ok(Err(refused))
            }
        }
    }

    fn drop(&mut self, listener: Resource<Listener>) -> wasmtime::Result<()> {
        self.table.delete(listener)?;
        Ok(())
    }
}

impl From<std::net::SocketAddr> for Endpoint {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { address: address.ip().to_string(), port: address.port() }
    }
}

/// What the tests of this folder begin with.
#[cfg(test)]
mod bench {
    use std::net::SocketAddr;

    use tokio::net::{TcpListener, TcpStream};

    use crate::model::{Authority, Endpoint};

    use super::*;

    /// How the plugin connects unless a test is about that.
    pub(super) const PLAIN: Options =
        Options { source: None, receive_buffer: 0, no_delay: false, timeout_millis: 5_000 };

    /// A run that may listen, and open streams to `address`, which it calls "socket".
    pub(super) fn run(address: SocketAddr) -> State {
        let authority = Authority { host: address.ip().to_string(), port: address.port() };
        State::with(&["tcp:socket", "listen"], &[("socket", Endpoint::Tcp(authority))])
    }

    pub(super) async fn connect(run: &mut State, options: &Options) -> Result<Resource<Connection>, Failure> {
        run.connect("socket".to_owned(), options.clone()).await.unwrap()
    }

    pub(super) async fn connect_many(
        run: &mut State,
        options: &Options,
        count: u32,
    ) -> Result<Vec<Result<Resource<Connection>, Failure>>, Failure> {
        run.connect_many("socket".to_owned(), options.clone(), count).await.unwrap()
    }

    /// A run with one connection, and the other end of it.
    pub(super) async fn pair(options: &Options) -> (State, Resource<Connection>, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut run = run(server.local_addr().unwrap());
        let connection = connect(&mut run, options).await.unwrap();
        let (peer, _) = server.accept().await.unwrap();
        (run, connection, peer)
    }

    /// The handle once more, as each call of a plugin brings it.
    pub(super) fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
        Resource::new_borrow(handle.rep())
    }

    /// The sockets that this process has open, by their inodes.
    #[cfg(target_os = "linux")]
    pub(super) fn open_sockets() -> std::collections::HashSet<String> {
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let links =
            links.filter_map(|entry| std::fs::read_link(entry.path()).ok()?.to_str().map(str::to_owned));
        links.filter(|link| link.starts_with("socket:[")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use crate::model::{Authority, Endpoint as Bound};
    use crate::plugin::access::AccessLog;
    use crate::plugin::failure;
    use crate::plugin::limit::RESOURCES;

    use super::bench::{PLAIN, again, connect, connect_many, run};
    use super::*;

    fn at(host: &str, port: u16) -> Authority {
        Authority { host: host.to_owned(), port }
    }

    /// A server that takes connections and says nothing; they are open for as long as it is.
    fn silent() -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let server = socket.listen(4_096).unwrap();
        let address = server.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = server.accept().await {
                held.push(stream);
            }
        });
        (address, task)
    }

    async fn refused(allowed: &[&str], targets: &[(&str, Bound)]) -> (String, String) {
        let mut run = State::with(allowed, targets);
        let failure = connect(&mut run, &PLAIN).await.unwrap_err();
        let many = connect_many(&mut run, &PLAIN, 2).await.unwrap_err();
        assert_eq!(failure::words(&failure), failure::words(&many));
        let accesses = run.accesses.finish();
        assert_eq!(accesses.len(), 2);
        assert!(accesses.iter().all(|access| access.refused.is_some()));
        (failure::words(&failure), accesses[0].what.clone())
    }

    #[tokio::test]
    async fn target_needs_a_grant_then_a_binding_then_the_right_kind() {
        let (why, what) = refused(&[], &[("socket", Bound::Tcp(at("127.0.0.1", 9)))]).await;
        assert_eq!(why, "denied: mustdo grant probe tcp:socket");
        assert_eq!(what, "tcp connect socket");
        // Another capability on it, and the same one on another target, are other grants.
        let (why, _) = refused(&["http:socket", "tcp:other"], &[]).await;
        assert_eq!(why, "denied: mustdo grant probe tcp:socket");
        let (why, _) = refused(&["tcp:socket"], &[]).await;
        assert!(why.contains("bind the target"), "{why}");
        let (why, _) = refused(&["tcp:socket"], &[("socket", Bound::Udp(at("127.0.0.1", 9)))]).await;
        assert!(why.contains("bound to a udp target, the plugin needs tcp or http"), "{why}");
    }

    #[tokio::test]
    async fn addresses_that_are_never_reached_are_refused_in_every_form() {
        for host in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"] {
            let (why, _) = refused(&["tcp:socket"], &[("socket", Bound::Tcp(at(host, 80)))]).await;
            assert!(why.starts_with("denied: "), "{host}: {why}");
        }
    }

    #[tokio::test]
    async fn http_target_is_reached_as_a_stream() {
        let (address, _server) = silent();
        let bound = Bound::Http { authority: at("127.0.0.1", address.port()), prefix: "/v1".to_owned() };
        let mut run = State::with(&["tcp:socket"], &[("socket", bound)]);
        let connection = connect(&mut run, &PLAIN).await.unwrap();
        let peer = HostConnection::peer(&mut run, connection).unwrap();
        assert_eq!((peer.address.as_str(), peer.port), ("127.0.0.1", address.port()));
    }

    #[tokio::test]
    async fn port_that_is_not_bound_is_reached_by_no_name() {
        let (granted, _server) = silent();
        let (other, _other) = silent();
        let mut run = run(granted);
        for target in
            [other.to_string(), format!("127.0.0.1:{}", other.port()), format!("socket:{}", other.port())]
        {
            let failure = run.connect(target.clone(), PLAIN).await.unwrap().unwrap_err();
            assert!(matches!(failure, Failure::Unbound(_) | Failure::Denied(_)), "{target}: {failure:?}");
        }
    }

    #[tokio::test]
    async fn source_and_buffer_are_what_the_plugin_chose() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut run = run(server.local_addr().unwrap());
        let options = Options {
            source: Some("127.0.0.9".to_owned()),
            receive_buffer: 4_096,
            no_delay: true,
            timeout_millis: 0,
        };
        let connection = connect(&mut run, &options).await.unwrap();
        let (_, peer) = server.accept().await.unwrap();
        assert_eq!(peer.ip().to_string(), "127.0.0.9");
        let local = HostConnection::local(&mut run, again(&connection)).unwrap();
        assert_eq!((local.address.as_str(), local.port), ("127.0.0.9", peer.port()));
        let stream = run.table.get(&connection).unwrap().stream().unwrap();
        // Linux keeps twice what is asked for, the half of it for itself (socket(7)).
        let kept = rustix::net::sockopt::socket_recv_buffer_size(&*stream).unwrap();
        assert!((4_096..=8_192).contains(&kept), "{kept}");
        assert!(stream.nodelay().unwrap());
        let elsewhere = Options { source: Some("10.0.0.1".to_owned()), ..PLAIN };
        let failure = connect(&mut run, &elsewhere).await.unwrap_err();
        assert!(failure::words(&failure).contains("127.0.0.1 to 127.255.255.254"), "{failure:?}");
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable_each_time() {
        // An address that no other test listens on.
        let nobody = TcpListener::bind("127.0.0.77:0").await.unwrap().local_addr().unwrap();
        let mut run = run(nobody);
        let failure = connect(&mut run, &PLAIN).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unreachable(why) if why == "connection refused"), "{failure:?}");
        let results = connect_many(&mut run, &PLAIN, 300).await.unwrap();
        assert_eq!(results.len(), 300);
        assert!(results.iter().all(|result| matches!(result, Err(Failure::Unreachable(_)))));
        // Nothing is left behind: neither places nor handles.
        assert_eq!(run.network.open(), 0);
        let accesses = run.accesses.finish();
        assert_eq!(accesses[1].what, "tcp connect socket, 300 times, 300 failed");
        assert!(accesses[1].refused.as_deref().unwrap().contains("connection refused"));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn full_backlog_is_a_time_out_for_those_that_do_not_fit() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        // Nobody accepts: Linux takes one more than it is told.
        let server = socket.listen(3).unwrap();
        let mut run = run(server.local_addr().unwrap());
        let options = Options { timeout_millis: 300, ..PLAIN };
        let results = connect_many(&mut run, &options, 10).await.unwrap();
        let stood = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(stood, 4);
        assert!(
            results
                .iter()
                .filter_map(|result| result.as_ref().err())
                .all(|why| matches!(why, Failure::TimedOut))
        );
        assert_eq!(run.network.open(), stood);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn thousands_are_open_at_once_and_closed_with_the_run() {
        const COUNT: u32 = 2_000;
        let (address, _server) = silent();
        let mut run = run(address);
        let results = connect_many(&mut run, &PLAIN, COUNT).await.unwrap();
        assert_eq!(run.network.open(), COUNT as usize);
        let open = bench::open_sockets();
        let sockets: Vec<_> = results
            .iter()
            .map(|result| run.table.get(result.as_ref().unwrap()).unwrap().stream().unwrap())
            .map(|stream| format!("socket:[{}]", rustix::fs::fstat(&*stream).unwrap().st_ino))
            .collect();
        assert_eq!(sockets.len(), COUNT as usize);
        assert!(sockets.iter().all(|socket| open.contains(socket)));
        let accesses = std::mem::replace(&mut run.accesses, AccessLog::new(run.origin));
        assert_eq!(accesses.finish()[0].what, "tcp connect socket, 2000 times");
        let descriptors = run.common.descriptors.clone();
        drop(run);
        let open = bench::open_sockets();
        assert_eq!(sockets.iter().filter(|socket| open.contains(*socket)).count(), 0);
        assert_eq!(format!("{descriptors:?}"), format!("{:?}", network::Descriptors::default()));
    }

    #[tokio::test]
    async fn hoarded_connections_are_over_a_limit_and_take_no_room_from_other_handles() {
        let (address, _server) = silent();
        let mut run = run(address);
        let failure = connect_many(&mut run, &PLAIN, 8_001).await.unwrap_err();
        assert!(matches!(&failure, Failure::OverLimit(why) if why.contains("8000")), "{failure:?}");
        let failure = connect_many(&mut run, &PLAIN, u32::MAX).await.unwrap_err();
        assert!(matches!(failure, Failure::OverLimit(_)));
        let held = connect_many(&mut run, &PLAIN, 1_100).await.unwrap();
        let handles: Vec<_> = (0..RESOURCES).map(|_| run.keep(()).unwrap()).collect();
        for connection in held {
            HostConnection::drop(&mut run, connection.unwrap()).unwrap();
        }
        // What the connections leave is for connections.
        assert!(run.keep(()).is_err());
        connect(&mut run, &PLAIN).await.unwrap();
        for handle in handles {
            run.release(handle).unwrap();
        }
        assert!(run.keep(()).is_ok());
        assert_eq!(run.network.open(), 1);
    }

    #[tokio::test]
    async fn no_connections_are_no_work() {
        let (address, _server) = silent();
        let mut run = run(address);
        assert!(connect_many(&mut run, &PLAIN, 0).await.unwrap().is_empty());
        let began = Instant::now();
        assert!(run.wait_readable(Vec::new(), 5_000).await.unwrap().is_empty());
        assert!(began.elapsed() < Duration::from_secs(1));
    }
}
