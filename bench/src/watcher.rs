//! A client that watches one listing: server-sent events over one connection.

use anyhow::ensure;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Before the number that a write carries.
const MARK: &str = "write-";
/// Behind it.
const END: char = '.';

/// See the module.
pub(crate) struct Watcher {
    stream: BufReader<TcpStream>,
    line: String,
}

impl Watcher {
    /// What to write so that a watcher knows the write: house rules.
    pub(crate) fn marked(number: u64) -> String {
        format!("{MARK}{number}{END}")
    }

    /// Begins to watch; what stood before has been told when this returns.
    pub(crate) async fn connect(endpoint: &str, listing: &str) -> anyhow::Result<Self> {
        let host = endpoint.trim_start_matches("http://");
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        let request = format!("GET /v1/listings/{listing}/watch HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut watcher = Self {
            stream,
            line: String::new(),
        };
        watcher.read_line().await?;
        ensure!(watcher.line.contains(" 200 "), "{}", watcher.line.trim());
        // The first event is the present state.
        while !watcher.line.starts_with("data:") {
            watcher.read_line().await?;
        }
        Ok(watcher)
    }

    /// The number of the next write that is shown.
    pub(crate) async fn next(&mut self) -> anyhow::Result<u64> {
        loop {
            self.read_line().await?;
            if let Some(number) = number_in(&self.line) {
                return Ok(number);
            }
        }
    }

    /// An event's lines come whole: each event is one chunk of the answer.
    async fn read_line(&mut self) -> anyhow::Result<()> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line).await?;
        ensure!(read > 0, "the node hung up");
        Ok(())
    }
}

fn number_in(line: &str) -> Option<u64> {
    let (_, rest) = line.strip_prefix("data:")?.split_once(MARK)?;
    rest.split_once(END)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Watcher, number_in};

    #[test]
    fn number_of_a_write_is_found_in_its_event() {
        let event = format!("data: {{\"house_rules\":\"{}\"}}", Watcher::marked(71));
        assert_eq!(number_in(&event), Some(71));
        assert_eq!(number_in("id: write-7."), None);
        assert_eq!(number_in("data: {}"), None);
    }
}
