//! Binding, accepting and stopping.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};

use super::{Flaw, Quirk, connection, handler::Handler, key::Scope, store::Store};

/// How many workers the accepted connections are dealt to, in turn.
pub(super) const WORKERS: usize = 2;

/// How long a stopping service waits for answers under way, beyond the time that the work itself takes.
const GRACE: Duration = Duration::from_secs(1);

/// How long a key stays locked after a crash, where the service knows no better.
const LEASE: Duration = Duration::from_millis(1_500);

/// How long accepting pauses when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What kind of service to start. The default is the good one, with work that takes 300 milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The mistake it makes, if any.
    pub flaw: Option<Flaw>,
    /// The harmless way in which it differs, if any.
    pub quirk: Option<Quirk>,
    /// How long one order or ticket takes.
    pub slow: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { flaw: None, quirk: None, slow: Duration::from_millis(300) }
    }
}

/// The reference service, bound to an address and not yet answering.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use mustdo::reference::{Options, Service};
///
/// let running = Service::bind(Options::default(), ([127, 0, 0, 1], 0).into())?.spawn();
/// println!("http://{}/items", running.address());
/// running.stop().await?;
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Service {
    listener: TcpListener,
    address: SocketAddr,
    handler: Arc<Handler>,
    /// Keys that were running when the service was killed.
    left_over: Vec<Scope>,
    /// How long those stay locked.
    lease: Duration,
}

impl Service {
    /// Binds `address`; port 0 takes a free one. Connections wait from now on until the service runs.
    ///
    /// The tokens of the callers are public, so bind nothing but loopback.
    pub fn bind(options: Options, address: SocketAddr) -> io::Result<Self> {
        Self::over(Store::default(), options, address)
    }

    /// The same with everything that was promised kept in `folder`, which one process at a time may use: killed at any
    /// moment and started again, the service knows its rows and its keys. It fails as well when the folder cannot be used.
    ///
    /// A key whose work was cut short is free again when the service starts.
    pub fn durable(options: Options, address: SocketAddr, folder: &Path) -> io::Result<Self> {
        let forgets_keys = options.flaw == Some(Flaw::KeysInMemory);
        let store = Store::open(folder, forgets_keys)?;
        let mut service = Self::over(store, options, address)?;
        if options.quirk == Some(Quirk::KeysLeased) {
            service.lease = LEASE;
        } else {
            release(&service.handler, &std::mem::take(&mut service.left_over));
        }
        Ok(service)
    }

    fn over(store: Store, options: Options, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let left_over = store.read(|state| state.keys.running());
        let handler = Arc::new(Handler::new(options, store));
        Ok(Self { listener, address, handler, left_over, lease: Duration::ZERO })
    }

    /// The bound address, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is ready, then lets the requests under way finish for a moment and returns.
    ///
    /// Fails only when the listener cannot be used. Needs a tokio runtime with time and network.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let stopping = watch::Sender::new(false);
        let mut connections = JoinSet::new();
        let mut workers = (0..WORKERS).cycle();
        let mut shutdown = pin!(shutdown);
        let mut lease = pin!(tokio::time::sleep(self.lease));
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                () = &mut lease, if !self.left_over.is_empty() => {
                    release(&self.handler, &std::mem::take(&mut self.left_over));
                }
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Small answers should not wait for an acknowledgement; where it cannot be set, they do.
                        let _ = stream.set_nodelay(true);
                        let worker = workers.next().unwrap_or_default();
                        connections.spawn(connection::serve(stream, Arc::clone(&self.handler), worker, stopping.subscribe()));
                    }
                    // Either the client is gone already or descriptors are short: both pass.
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        drop(listener);
        stopping.send_replace(true);
        let shop = &self.handler.shop;
        let finish = async {
            while connections.join_next().await.is_some() {}
            shop.work.idle().await;
        };
        // Whatever is not finished then is dropped with its connection.
        let _ = tokio::time::timeout(shop.slow + GRACE, finish).await;
        Ok(())
    }

    /// Runs the service on the current tokio runtime, in the background.
    #[must_use = "the service stops when this is dropped"]
    pub fn spawn(self) -> Running {
        let address = self.address;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(self.run(async {
            // A sender that is gone means the same as one that speaks.
            let _ = stopped.await;
        }));
        Running { address, stop: Some(stop), task }
    }
}

/// Frees the keys that a crash left locked: nobody is at work on them.
fn release(handler: &Handler, left_over: &[Scope]) {
    handler.shop.store.transaction(|state| left_over.iter().for_each(|scope| state.keys.release(scope)));
}

/// A service at work in the background. Dropped, it ends at once; [`stop`](Self::stop) lets answers finish.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops gracefully and waits for it; the address is free afterwards. Fails as [`Service::run`] does.
    pub async fn stop(mut self) -> io::Result<()> {
        drop(self.stop.take());
        (&mut self.task).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::{
        super::client::{Client, exchange, request},
        *,
    };

    #[tokio::test]
    async fn one_connection_takes_many_requests() {
        let shop = Client::good();
        let mut stream = TcpStream::connect(shop.address()).await.unwrap();
        for _ in 0..3 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\nok") {
                assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
            }
        }
    }

    #[tokio::test]
    async fn stopping_lets_an_answer_finish_and_frees_the_address() {
        let service = Service::bind(Options::default(), ([127, 0, 0, 1], 0).into()).unwrap();
        let address = service.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = tokio::spawn(service.run(async { stopped.await.unwrap() }));
        let order =
            request("POST /orders", &[("idempotency-key", "k")], &json!({ "sku": "cup", "quantity": 1 }));
        let order = tokio::spawn(exchange(address, order));
        let mut idle = TcpStream::connect(address).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;

        stop.send(()).unwrap();
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(order.await.unwrap().status, 201);
        run.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
        TcpListener::bind(address).unwrap();
    }

    #[tokio::test]
    async fn dropping_ends_at_once() {
        let shop = Client::flawed(Flaw::NeverAnswers);
        let mut stream = TcpStream::connect(shop.address()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await.unwrap();
        drop(shop);
        let end = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(end, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn stopping_does_not_wait_for_an_answer_that_never_comes() {
        let shop = Client::flawed(Flaw::NeverAnswers);
        let mut stream = TcpStream::connect(shop.address()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await.unwrap();
        let silence = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut [0; 1])).await;
        assert!(silence.is_err());
        let start = Instant::now();
        shop.stop().await;
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}
