//! Clients that are slow, many, or send too much before they say anything.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{HEADERS_MAX, Manners, serve};

const PATIENCE: Duration = Duration::from_secs(30);

struct Port {
    address: SocketAddr,
    until: CancellationToken,
    served: JoinHandle<()>,
}

impl Port {
    async fn open(manners: Manners) -> Self {
        let routes = Router::new().route("/", get(async || "here"));
        let port = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = port.local_addr().expect("bound");
        let until = CancellationToken::new();
        let served = TaskTracker::new().spawn(serve((port, None), routes, manners, until.clone()));
        Self {
            address,
            until,
            served,
        }
    }

    /// Says something, and hears all that comes until the connection ends.
    async fn hear(&self, said: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("taken");
        stream.write_all(said.as_bytes()).await.expect("sent");
        let mut heard = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
        // A reset is an end, too.
        let _ended = ended.expect("it is not left open");
        String::from_utf8_lossy(&heard).into_owned()
    }

    async fn close(self) {
        self.until.cancel();
        timeout(PATIENCE, self.served)
            .await
            .expect("in time")
            .expect("no panic");
    }
}

fn manners(header_wait: Duration) -> Manners {
    Manners {
        connections_max: 100,
        stall: PATIENCE,
        header_wait,
    }
}

#[tokio::test]
async fn client_that_does_not_come_to_the_end_of_its_headers_is_cut_off() {
    let port = Port::open(manners(Duration::from_millis(100))).await;
    for said in [
        "",
        "G",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nHost: here\r\nX-",
    ] {
        let heard = port.hear(said).await;
        assert!(!heard.contains("200"), "{said:?}: {heard}");
    }
    // One that asks is answered, and cut off when it does not ask again.
    let heard = port.hear("GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    port.close().await;
}

#[tokio::test]
async fn headers_are_bounded_in_number_and_length() {
    let port = Port::open(manners(PATIENCE)).await;
    let many: String = (0..=HEADERS_MAX).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(1 << 20));
    for headers in [many, long] {
        let request = format!("GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{headers}\r\n");
        let mut stream = TcpStream::connect(port.address).await.expect("taken");
        // It may be cut off while it is still writing.
        let _sent = stream.write_all(request.as_bytes()).await;
        let mut heard = [0; 12];
        let read = timeout(PATIENCE, stream.read_exact(&mut heard)).await;
        if read.expect("in time").is_ok() {
            assert_eq!(String::from_utf8_lossy(&heard), "HTTP/1.1 431");
        }
    }
    let sound = "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    assert!(port.hear(sound).await.starts_with("HTTP/1.1 200"));
    port.close().await;
}

#[tokio::test]
async fn connections_are_bounded_and_those_that_end_make_room() {
    let port = Port::open(Manners {
        connections_max: 1,
        ..manners(Duration::from_millis(200))
    })
    .await;
    // Says nothing, and holds the only place until it is cut off.
    let silent = TcpStream::connect(port.address)
        .await
        .expect("in the queue");
    let sound = "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    assert!(port.hear(sound).await.starts_with("HTTP/1.1 200"));
    drop(silent);
    port.close().await;
}
