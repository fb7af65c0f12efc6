//! What a client needs to know of its target.

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::model::Authority;
use crate::plugin::contract::Failure;
use crate::plugin::network::{Destination, Dial};

/// An http target as one client sees it.
pub(super) struct Upstream {
    /// The plugin's name for it.
    pub(super) target: String,
    /// Value of the Host header.
    pub(super) host: String,
    /// Put before every path.
    pub(super) prefix: String,
    destination: Arc<Destination>,
    dial: Dial,
}

impl Upstream {
    /// The target, which `destination` was resolved for, with its connections made as `dial` says.
    pub(super) fn new(
        target: &str,
        authority: &Authority,
        prefix: String,
        destination: Arc<Destination>,
        dial: Dial,
    ) -> Self {
        let host = authority.to_string();
        let host = host.strip_suffix(":80").map_or_else(|| host.clone(), str::to_owned);
        Self { target: target.to_owned(), host, prefix, destination, dial }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<TcpStream, Failure> {
        self.destination.connect(self.dial).await
    }
}

#[cfg(test)]
impl Upstream {
    /// The target "web".
    pub(super) async fn web(authority: &Authority, prefix: &str, dial: Dial) -> Self {
        let destination = Arc::new(Destination::resolve(authority).await.unwrap());
        Self::new("web", authority, prefix.to_owned(), destination, dial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn host_header_leaves_out_the_port_that_http_has_anyway() {
        for (host, port, header) in
            [("127.0.0.1", 80, "127.0.0.1"), ("127.0.0.1", 8080, "127.0.0.1:8080"), ("::1", 80, "[::1]")]
        {
            let authority = Authority { host: host.to_owned(), port };
            assert_eq!(Upstream::web(&authority, "", Dial::default()).await.host, header);
        }
    }
}
