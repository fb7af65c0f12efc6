//! What a check sent, recorded on the wire, and a plain hyper client that sends the same again.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Requests in the order they were sent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Script {
    messages: Vec<Message>,
}

/// One request and the connection it went over.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    connection: usize,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Pieces of what clients said, in the order they came, with the number of the connection.
type Heard = Arc<Mutex<Vec<(usize, Vec<u8>)>>>;

/// Stands between a client and a service, and writes down what the client says.
pub(crate) struct Recorder {
    address: SocketAddr,
    heard: Heard,
    task: JoinHandle<()>,
}

impl Recorder {
    /// Listens on a free loopback port, in front of `service`.
    pub(crate) async fn start(service: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let heard = Arc::new(Mutex::new(vec![]));
        let notes = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            for connection in 0.. {
                let (Ok((client, _)), Ok(server)) =
                    (listener.accept().await, TcpStream::connect(service).await)
                else {
                    return;
                };
                tokio::spawn(relay(connection, client, server, Arc::clone(&notes)));
            }
        });
        Ok(Self { address, heard, task })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was said until now by clients that wait for each answer before they go on.
    pub(crate) fn finish(self) -> Script {
        self.task.abort();
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut script = Script::default();
        let mut pending: Vec<Vec<u8>> = vec![];
        for (connection, bytes) in heard.iter() {
            pending.resize_with(pending.len().max(connection + 1), Vec::new);
            pending[*connection].extend(bytes);
            while let Some((message, length)) = Message::parse(*connection, &pending[*connection]) {
                script.messages.push(message);
                pending[*connection].drain(..length);
            }
        }
        assert!(pending.iter().all(Vec::is_empty), "every request was understood to its end");
        script
    }
}

async fn relay(connection: usize, client: TcpStream, server: TcpStream, heard: Heard) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push((connection, buffer[..count].to_vec()));
            if to_server.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
        // The other side learns it by a read that ends; whether it still listens does not matter.
        let _ = to_server.shutdown().await;
    };
    // Either side may leave first; both ways end with their sockets.
    let _ = tokio::join!(up, tokio::io::copy(&mut from_server, &mut to_client));
}

impl Message {
    /// The first request in `bytes` and its length; none where it is not complete yet.
    fn parse(connection: usize, bytes: &[u8]) -> Option<(Self, usize)> {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let text = std::str::from_utf8(&bytes[..head]).ok()?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(Some(0), |(_, value)| value.parse::<usize>().ok())?;
        let body = bytes.get(head + 4..head + 4 + length)?.to_vec();
        Some((Self { connection, method, path, headers, body }, head + 4 + length))
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        // hyper writes the length itself.
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "content-length") {
            request = request.header(name, value);
        }
        request.body(Full::from(self.body.clone())).expect("a request that was sent once can be sent again")
    }
}

impl Script {
    /// How many requests.
    pub(crate) fn requests(&self) -> usize {
        self.messages.len()
    }

    /// How many connections they go over.
    pub(crate) fn connections(&self) -> usize {
        self.messages.iter().map(|message| message.connection + 1).max().unwrap_or_default()
    }

    /// Sends every request, over as many connections as it was, one after the other, and reads every answer.
    pub(crate) async fn replay(&self, service: SocketAddr) {
        let mut senders: Vec<Option<SendRequest<Full<Bytes>>>> = vec![];
        senders.resize_with(self.connections(), || None);
        for message in &self.messages {
            let slot = &mut senders[message.connection];
            let sender = match slot {
                Some(sender) => sender,
                None => slot.insert(connect(service).await),
            };
            sender.ready().await.expect("the service keeps the connection");
            let answer = sender.send_request(message.request()).await.expect("the service answers");
            answer.into_body().collect().await.expect("the answer has an end");
        }
    }
}

async fn connect(service: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(service).await.expect("the service listens");
    stream.set_nodelay(true).expect("a socket takes its options");
    let (sender, driver) = handshake(TokioIo::new(stream)).await.expect("a connection is ready at once");
    // How it ends is told to whoever waits for an answer on it.
    tokio::spawn(async move { drop(driver.await) });
    sender
}
