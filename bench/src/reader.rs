//! A client that costs little: one connection, one request under way, and of an answer no more
//! looked at than HTTP asks for.
//!
//! The clients share the machine with the node, in one thread. A general one, which reads the
//! JSON too, may be slower than the node is with a listing that is hot: it would measure itself.

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Header lines of an answer; the node's have a dozen.
const HEADERS_MAX: usize = 64;
/// An answer in all; a listing's is a few KB.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Read at once.
const PIECE_BYTES: usize = 16 << 10;

/// One kept-alive connection.
pub(crate) struct Reader {
    stream: TcpStream,
    host: String,
    received: Vec<u8>,
}

impl Reader {
    /// So many readers of one endpoint.
    pub(crate) async fn connect(endpoint: &str, count: usize) -> anyhow::Result<Vec<Self>> {
        let host = endpoint.trim_start_matches("http://");
        let mut readers = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect(host).await?;
            stream.set_nodelay(true)?;
            readers.push(Self {
                stream,
                host: host.to_owned(),
                received: Vec::with_capacity(PIECE_BYTES),
            });
        }
        Ok(readers)
    }

    /// Asks for a path and takes the whole answer, which must be 200.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.ask(&request).await
    }

    /// Sends a merge patch of what a path names and takes the whole answer, which must be 200.
    pub(crate) async fn patch(&mut self, path: &str, body: &str) -> anyhow::Result<()> {
        let (host, length) = (&self.host, body.len());
        let head = format!("PATCH {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}");
        let request = format!("{head}\r\nContent-Type: application/json\r\n\r\n{body}");
        self.ask(&request).await
    }

    async fn ask(&mut self, request: &str) -> anyhow::Result<()> {
        self.stream.write_all(request.as_bytes()).await?;
        self.received.clear();
        let length = loop {
            self.more().await?;
            if let Some(length) = answer_length(&self.received)? {
                break length;
            }
        };
        ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
        while self.received.len() < length {
            self.more().await?;
        }
        ensure!(self.received.len() == length, "more than was asked for");
        Ok(())
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        self.received.reserve(PIECE_BYTES);
        ensure!(self.received.len() < ANSWER_BYTES_MAX, "an endless answer");
        let read = self.stream.read_buf(&mut self.received).await?;
        ensure!(read > 0, "the node hung up");
        Ok(())
    }
}

/// Bytes of the answer that begins here, head and body; `None` before its head is whole.
fn answer_length(received: &[u8]) -> anyhow::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(received)? else {
        return Ok(None);
    };
    if answer.code != Some(200) {
        bail!("{:?}: {}", answer.code, String::from_utf8_lossy(received));
    }
    let length = answer
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .context("an answer without a length")?;
    let body: usize = std::str::from_utf8(length.value)?.parse()?;
    Ok(Some(head.saturating_add(body)))
}

#[cfg(test)]
mod tests {
    use super::answer_length;

    #[test]
    fn answer_is_as_long_as_it_says() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        for cut in 0..head.len() {
            assert_eq!(answer_length(&head[..cut]).expect("so far"), None);
        }
        let whole = answer_length(head).expect("an answer");
        assert_eq!(whole, Some(head.len() + 7));
        assert!(answer_length(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").is_err());
        assert!(answer_length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
