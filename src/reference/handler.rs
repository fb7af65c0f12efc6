//! From a request of the network to its answer.

use std::sync::Arc;

use http::Response;
use hyper::body::Incoming;

use super::{
    body::Body, mistake::Mistake, quirk::Quirk, reply::Reply, request::Request, route, service::Options,
    shop::Shop, store::Store,
};

/// The shop as it is served: good, or with one mistake, or with one quirk.
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) shop: Arc<Shop>,
    pub(super) mistake: Option<Mistake>,
    quirk: Option<Quirk>,
}

impl Handler {
    pub(super) fn new(options: Options, store: Store) -> Self {
        Self {
            shop: Arc::new(Shop::new(store, options.slow)),
            mistake: options.flaw.map(Mistake::new),
            quirk: options.quirk,
        }
    }

    /// `worker` is the number of the worker that took the connection.
    pub(super) async fn respond(&self, incoming: hyper::Request<Incoming>, worker: usize) -> Response<Body> {
        let request = match Request::read(incoming, worker).await {
            Ok(request) => request,
            Err(problem) => return Reply::from(problem).into_response(),
        };
        let reply = match &self.mistake {
            None => route::answer(&self.shop, &request).await,
            Some(mistake) => mistake.answer(&self.shop, &request).await,
        };
        let reply = match self.quirk {
            None => reply,
            Some(quirk) => quirk.dress(&request, reply),
        };
        reply.into_response()
    }
}
