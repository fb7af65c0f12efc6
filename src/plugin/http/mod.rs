//! HTTP/1.1 to named targets.
//!
//! A plugin names a target and a path, never a host. The target's address is resolved and judged once a run
//! (`network`), each client has its own connections, nothing is redirected, and nothing that may have reached the
//! service is ever sent a second time.

mod client;
mod outgoing;
mod upstream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use wasmtime::component::Resource;

use crate::model::{Capability, Endpoint, Limit, Limits};

use super::contract::Failure;
use super::contract::http::{Host, HostClient, Options, Request, Response};
use super::network::{self, Dial};
use super::state::State;

use client::{Budget, Client};
use outgoing::Outgoing;
use upstream::Upstream;

/// Bytes of one answer that are read at all.
const BODY_BYTES: u64 = 64 << 20;

/// Bytes of the bodies of all answers of one call that are kept: they exist twice, here and in the plugin's memory.
const KEPT_BYTES: usize = 32 << 20;

/// Bytes of the heads of all answers of one call: a batch of the largest size with heads of 3 KiB, which few have.
const KEPT_HEAD_BYTES: usize = 32 << 20;

/// Bytes of the head of an answer; servers send less than 8 KiB.
const HEAD_BYTES: usize = 64 << 10;

/// Headers of a request and of an answer.
const HEADERS: usize = 200;

/// Requests of one batch.
const BATCH: usize = 10_000;

/// Connections that one client keeps open between requests: as many as are usually in flight.
const IDLE_CONNECTIONS: usize = 256;

/// Connections of one client whose request is given up and that stay open nevertheless; the oldest goes first.
const HELD: usize = 64;

/// A connection that rested longer is not used again: servers close theirs after two seconds or more, and a request
/// that meets the close is lost.
const IDLE: Duration = Duration::from_secs(1);

/// What a plugin's handle stands for: a batch in flight shares it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub type ClientHandle = Arc<Client>;

/// What is left of a run's limits.
pub(super) struct Allowance {
    requests: u32,
    limits: Limits,
}

impl Allowance {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { requests: limits.get(Limit::Requests), limits: limits.clone() }
    }

    /// Refuses a batch that is too wide.
    fn width(&self, concurrency: u32) -> Result<(), Failure> {
        let most = self.limits.get(Limit::Concurrency);
        if (1..=most).contains(&concurrency) {
            return Ok(());
        }
        let way_out = Limit::Concurrency.way_out();
        Err(Failure::OverLimit(format!("from 1 to {most} requests may be in flight; {way_out}")))
    }

    fn take(&mut self, requests: usize) -> Result<(), Failure> {
        let left = u32::try_from(requests).ok().and_then(|requests| self.requests.checked_sub(requests));
        self.requests = left.ok_or_else(|| {
            let most = self.limits.get(Limit::Requests);
            Failure::OverLimit(format!("a run may send {most} requests; {}", Limit::Requests.way_out()))
        })?;
        Ok(())
    }
}

impl State {
    async fn client(&mut self, target: &str, options: &Options) -> Result<Client, Failure> {
        let endpoint = self.endpoint(target, Capability::Http)?;
        let Endpoint::Http { authority, prefix } = endpoint else {
            return Err(Failure::Unbound(format!("the target \"{target}\" is not an http target")));
        };
        let destination = self.destination(&authority).await?;
        let source = options.source.as_deref().map(network::source).transpose()?;
        // Small requests must leave at once: what is timed is the service, not Nagle's algorithm.
        let dial = Dial { source, no_delay: true, ..Dial::default() };
        let upstream = Upstream::new(target, &authority, prefix, destination, dial);
        Ok(Client::new(Arc::new(upstream), options.keep_alive, self.origin))
    }

    /// Sends everything, `concurrency` at a time; answers are in the order of the requests.
    async fn send_batch(
        &mut self,
        client: &Arc<Client>,
        requests: Vec<Request>,
        concurrency: usize,
    ) -> Result<Vec<Result<Response, Failure>>, Failure> {
        self.http.take(requests.len())?;
        let mut what = Vec::with_capacity(requests.len());
        let mut results = Vec::with_capacity(requests.len());
        let mut ready = Vec::with_capacity(requests.len());
        for (index, request) in requests.into_iter().enumerate() {
            what.push(described(client, &request));
            match Outgoing::new(request, &client.upstream, client.keep_alive) {
                Ok(outgoing) => {
                    ready.push((index, outgoing));
                    results.push(Err(Failure::Other("not sent".to_owned())));
                }
                Err(refused) => results.push(Err(refused)),
            }
        }
        let began = Instant::now();
        self.accesses
            .begin(began, format!("http batch {}, {} requests", client.upstream.target, ready.len()));
        for (index, result) in batch(client, ready, concurrency).await {
            results[index] = result;
        }
        for (what, result) in what.into_iter().zip(&results) {
            let at = match result {
                Ok(response) => self.origin + Duration::from_nanos(response.timing.started_nanos),
                Err(_) => began,
            };
            self.accesses.note(at, || what, result.as_ref().err());
        }
        Ok(results)
    }
}

/// The requests in the order in which they start, one worker for each that may be in flight. A worker that waits for a
/// start holds nothing up: what comes after it starts no sooner.
async fn batch(
    client: &Arc<Client>,
    mut ready: Vec<(usize, Outgoing)>,
    concurrency: usize,
) -> Vec<(usize, Result<Response, Failure>)> {
    ready.sort_by_key(|(_, outgoing)| outgoing.after);
    let count = ready.len();
    let queue = Arc::new(std::sync::Mutex::new(ready.into_iter()));
    let budget = Arc::new(Budget::default());
    let began = tokio::time::Instant::now();
    // Dropped with the run, which aborts what is still on the way.
    let mut workers = JoinSet::new();
    for _ in 0..concurrency.min(count) {
        let (client, queue, budget) = (client.clone(), queue.clone(), budget.clone());
        workers.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                let Some((index, outgoing)) = next else { return answers };
                if !outgoing.after.is_zero() {
                    tokio::time::sleep_until(began + outgoing.after).await;
                }
                answers.push((index, client.send(outgoing, &budget).await));
            }
        });
    }
    workers.join_all().await.into_iter().flatten().collect()
}

fn described(client: &Client, request: &Request) -> String {
    format!("http {} {} {}", request.method, client.upstream.target, request.path_and_query)
}

impl Host for State {
    async fn open(
        &mut self,
        target: String,
        options: Options,
    ) -> wasmtime::Result<Result<Resource<ClientHandle>, Failure>> {
        let at = Instant::now();
        self.accesses.begin(at, format!("http open {target}"));
        match self.client(&target, &options).await {
            Ok(client) => {
                self.accesses.forget();
                Ok(Ok(self.keep(Arc::new(client))?))
            }
            Err(refused) => {
                self.accesses.note(at, || format!("http open {target}"), Some(&refused));
                Ok(Err(refused))
            }
        }
    }
}

impl HostClient for State {
    async fn send(
        &mut self,
        client: Resource<ClientHandle>,
        request: Request,
    ) -> wasmtime::Result<Result<Response, Failure>> {
        let client = self.table.get(&client)?.clone();
        let at = Instant::now();
        let what = described(&client, &request);
        self.accesses.begin(at, what.clone());
        let sent = match (self.http.take(1), Outgoing::new(request, &client.upstream, client.keep_alive)) {
            (Err(refused), _) | (_, Err(refused)) => Err(refused),
            (Ok(()), Ok(outgoing)) => client.send(outgoing, &Arc::default()).await,
        };
        self.accesses.note(at, || what, sent.as_ref().err());
        Ok(sent)
    }

    async fn send_all(
        &mut self,
        client: Resource<ClientHandle>,
        requests: Vec<Request>,
        concurrency: u32,
    ) -> wasmtime::Result<Result<Vec<Result<Response, Failure>>, Failure>> {
        let client = self.table.get(&client)?.clone();
        let sent = match self.http.width(concurrency) {
            Err(refused) => Err(refused),
            Ok(()) if requests.len() > BATCH => {
                Err(Failure::OverLimit(format!("a batch may have {BATCH} requests")))
            }
            Ok(()) => {
                let concurrency = usize::try_from(concurrency).unwrap_or(usize::MAX);
                self.send_batch(&client, requests, concurrency).await
            }
        };
        if let Err(refused) = &sent {
            self.accesses.note(
                Instant::now(),
                || format!("http batch {}", client.upstream.target),
                Some(refused),
            );
        }
        Ok(sent)
    }

    fn drop(&mut self, client: Resource<ClientHandle>) -> wasmtime::Result<()> {
        self.release(client)
    }
}

/// One exchange on a connection of its own, as a plugin's would be.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) async fn exchange(
    authority: crate::model::Authority,
    request: Request,
) -> Result<Response, Failure> {
    let destination = Arc::new(network::Destination::resolve(&authority).await?);
    let dial = Dial { no_delay: true, ..Dial::default() };
    let upstream = Upstream::new("web", &authority, String::new(), destination, dial);
    let client = Arc::new(Client::new(Arc::new(upstream), true, Instant::now()));
    let outgoing = Outgoing::new(request, &client.upstream, client.keep_alive)?;
    client.send(outgoing, &Arc::default()).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use crate::model::Authority;
    use crate::plugin::contract::http::Request;

    use super::*;

    /// A server that answers with the path it was asked for, after as many milliseconds as the path says, and counts
    /// how many requests it holds at once.
    async fn echo() -> (Arc<Client>, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority =
            Authority { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let peak = most.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (now, peak) = (now.clone(), peak.clone());
                tokio::spawn(async move {
                    let mut head = vec![0; 1024];
                    while let Ok(count @ 1..) = stream.read(&mut head).await {
                        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let text = String::from_utf8_lossy(&head[..count]).into_owned();
                        let path = text.split(' ').nth(1).unwrap();
                        let millis = path.trim_start_matches('/').parse().unwrap_or(0);
                        tokio::time::sleep(Duration::from_millis(millis)).await;
                        now.fetch_sub(1, Ordering::SeqCst);
                        let answer =
                            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        let upstream = Upstream::web(&authority, "", Dial::default()).await;
        (Arc::new(Client::new(Arc::new(upstream), true, Instant::now())), most)
    }

    fn ready(client: &Client, requests: &[(&str, u32)]) -> Vec<(usize, Outgoing)> {
        let ready = requests.iter().enumerate().map(|(index, &(path, after_millis))| {
            let request = Request {
                method: "GET".to_owned(),
                path_and_query: path.to_owned(),
                headers: vec![],
                body: vec![],
                timeout_millis: 5_000,
                max_body_bytes: 100,
                after_millis,
                extras: vec![],
            };
            (index, Outgoing::new(request, &client.upstream, true).unwrap())
        });
        ready.collect()
    }

    async fn answers(client: &Arc<Client>, requests: &[(&str, u32)], concurrency: usize) -> Vec<Response> {
        let mut answers = batch(client, ready(client, requests), concurrency).await;
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer.unwrap()).collect()
    }

    #[tokio::test]
    async fn answers_belong_to_their_requests_whatever_order_they_come_in() {
        let (client, _) = echo().await;
        let answers = answers(&client, &[("/60", 0), ("/30", 0), ("/1", 0), ("/a", 0)], 4).await;
        let bodies: Vec<_> = answers.iter().map(|answer| String::from_utf8_lossy(&answer.body)).collect();
        assert_eq!(bodies, ["/60", "/30", "/1", "/a"]);
    }

    #[tokio::test]
    async fn no_more_are_in_flight_than_allowed() {
        let (client, most) = echo().await;
        assert_eq!(answers(&client, &[("/5", 0); 40], 3).await.len(), 40);
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn requests_start_when_they_are_told_to() {
        let (client, _) = echo().await;
        let before = client.origin.elapsed().as_nanos();
        let answers = answers(&client, &[("/late", 80), ("/early", 0), ("/middle", 40)], 3).await;
        let started: Vec<_> =
            answers.iter().map(|answer| u128::from(answer.timing.started_nanos) - before).collect();
        // Since the batch began; on a busy machine any of them may be late, and none is early.
        assert!(started[0] >= 79_000_000 && started[2] >= 39_000_000, "{started:?}");
    }

    #[test]
    fn run_has_a_number_of_requests() {
        let mut limits = Limits::default();
        assert!(limits.choose(Limit::Requests, 500) && limits.choose(Limit::Concurrency, 1_000));
        let mut allowance = Allowance::new(&limits);
        assert!(allowance.width(1_000).is_ok() && allowance.width(1_001).is_err());
        assert!(allowance.take(499).is_ok());
        assert!(
            matches!(allowance.take(2), Err(Failure::OverLimit(why)) if why.contains("requests under [limits]"))
        );
        assert!(allowance.take(1).is_ok());
        assert!(allowance.take(1).is_err());
    }
}
