//! One connection: HTTP/1.1 with keep-alive.

use std::{convert::Infallible, pin::pin, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::watch};

use super::{
    handler::Handler,
    mistake::{Mistake, garbage},
};

/// Serves `stream` until the client leaves; after `stopping` turns true, only the request under way is answered.
pub(super) async fn serve(
    stream: TcpStream,
    handler: Arc<Handler>,
    worker: usize,
    mut stopping: watch::Receiver<bool>,
) {
    if handler.mistake.as_ref().is_some_and(Mistake::breaks_the_protocol) {
        // A client that leaves early is as good as one that reads on.
        let _ = garbage::serve(stream).await;
        return;
    }
    let service = service_fn(|incoming| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.respond(incoming, worker).await) }
    });
    let mut connection =
        pin!(http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service));
    let stop = async {
        // The sender goes only together with the service.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    // An error is a client that hung up or spoke no HTTP: its connection ends, and nobody else is concerned.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
