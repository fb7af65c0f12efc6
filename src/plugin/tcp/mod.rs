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
        match self.connect_one(&target, &options, traffic.clone()).await {
            Ok(connection) => {
                self.accesses.note_open(at, what, &traffic);
                Ok(Ok(self.keep_socket(connection)?))
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
                        Ok(connection) => Ok(self.keep_socket(connection)?),
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
                Ok(Ok(self.keep_socket(listener)?))
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
        self.close_socket(connection)
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
        match listener.accept(&mut self.network, timeout_millis, traffic.clone()).await {
            Ok(connection) => {
                self.accesses.note_open(at, || what, &traffic);
                Ok(Ok(self.keep_socket(connection)?))
            }
            Err(refused) => {
                self.accesses.note(at, || what, Some(&refused));
                Ok(Err(refused))
            }
        }
    }

    fn drop(&mut self, listener: Resource<Listener>) -> wasmtime::Result<()> {
        self.close_socket(listener)
    }
}

impl From<std::net::SocketAddr> for Endpoint {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { address: address.ip().to_string(), port: address.port() }
    }
}
