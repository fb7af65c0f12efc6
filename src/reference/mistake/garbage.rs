//! An answer that is not HTTP, written to the socket by hand.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a client may take to send the head of its request.
const PATIENCE: Duration = Duration::from_secs(5);

/// A chunk's size must be hexadecimal (RFC 9112 §7.1).
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
zz\r\n{\"items\":[],\"count\":\x00\xff\r\n-1\r\n";

/// Reads the head of one request, answers with something that is no message, and closes.
pub(in crate::reference) async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let read_head = async {
        while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 64 * 1024 {
            if stream.read_buf(&mut head).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    timeout(PATIENCE, read_head).await.map_err(io::Error::from)??;
    stream.write_all(ANSWER).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Flaw, client::Client};

    #[tokio::test]
    async fn chunks_are_announced_and_never_come() {
        let shop = Client::flawed(Flaw::Garbage);
        let mut stream = TcpStream::connect(shop.address()).await.unwrap();
        stream.write_all(b"GET /items HTTP/1.1\r\nHost: shop\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, ANSWER);
    }
}
