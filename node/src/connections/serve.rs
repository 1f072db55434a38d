//! Serving a port: connections are taken, bounded, and ended.
//!
//! A client that sends its headers slowly, or none at all, is cut off; one with too many or too
//! long ones is refused by 431. How long bodies may take is `api/body_deadline.rs`'s, and what
//! happens to a client that takes nothing is the system's ([`super::settle`]).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use axum::routing::future::RouteFuture;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::settle;
use crate::certificates::ClientTls;
use crate::config::LimitsSection;

/// Headers of one request: browsers send thirty, proxies add ten.
const HEADERS_MAX: usize = 100;
/// Bytes of a request's headers together: several times those of a browser with a long token.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// The same, as HTTP/2 is told.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;
/// How often a silent HTTP/2 connection is asked whether somebody is there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long taking connections rests when the system has none to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How clients of a port are treated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// Connections at once.
    pub(crate) connections_max: usize,
    /// How long a client may take nothing of what is there for it.
    pub(crate) stall: Duration,
    /// How long a request's headers may take, and the time before them.
    pub(crate) header_wait: Duration,
}

impl Manners {
    pub(crate) fn of(limits: &LimitsSection) -> Self {
        Self {
            connections_max: limits.connections.get(),
            stall: limits.stall(),
            header_wait: Duration::from_millis(limits.header_wait_ms.get()),
        }
    }
}

/// Serves a port until it is told to end, then lets requests under way finish. By TLS, if there
/// is something to show.
pub(crate) async fn serve(
    (port, tls): (TcpListener, Option<ClientTls>),
    routes: Router,
    manners: Manners,
    until: CancellationToken,
) {
    let under_way = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(manners.connections_max));
    let connections = TaskTracker::new();
    loop {
        let taken = tokio::select! {
            biased;
            () = until.cancelled() => break,
            taken = take(&port, &room) => taken,
        };
        let (stream, from, slot) = match taken {
            Ok(taken) => taken,
            Err(cause) => {
                rest(&cause).await;
                continue;
            }
        };
        settle(&stream, manners.stall);
        let conversation = Conversation {
            http: http(manners),
            routes: routes.clone(),
            from,
            header_wait: manners.header_wait,
            watcher: under_way.watcher(),
        };
        let (tls, until) = (tls.clone(), until.clone());
        // Ends with the client, with the port, or when no request comes.
        connections.spawn(async move {
            match tls {
                None => conversation.hold(stream).await,
                Some(tls) => match until
                    .run_until_cancelled(tls.shake_hands(stream, manners.header_wait))
                    .await
                {
                    Some(Ok(stream)) => conversation.hold(stream).await,
                    Some(Err(cause)) => tracing::debug!(%from, %cause, "no TLS with a client"),
                    None => {}
                },
            }
            drop(slot);
        });
    }
    drop(port);
    connections.close();
    under_way.shutdown().await;
    connections.wait().await;
}

/// A connection of a client, once it is to be talked on.
struct Conversation {
    http: Builder<TokioExecutor>,
    routes: Router,
    from: SocketAddr,
    header_wait: Duration,
    watcher: Watcher,
}

impl Conversation {
    async fn hold(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let begun = Arc::new(AtomicBool::new(false));
        let service = TowerToHyperService::new(Known {
            routes: self.routes,
            from: self.from,
            begun: Arc::clone(&begun),
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let connection = self.watcher.watch(connection.into_owned());
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            _ended = &mut connection => return,
            () = sleep(self.header_wait) => {}
        }
        if begun.load(Ordering::Relaxed) {
            // What is wrong with it is the client's to know.
            let _ended = connection.await;
        }
    }
}

fn http(manners: Manners) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(manners.header_wait)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .max_header_list_size(HEADER_LIST_BYTES_MAX);
    http
}

/// The next connection, once there is room for it.
async fn take(
    port: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(room).acquire_owned().await;
    let slot = slot.expect("nobody closes it");
    let (stream, from) = port.accept().await?;
    Ok((stream, from, slot))
}

/// Waits where the next try would fail as well.
async fn rest(cause: &io::Error) {
    let is_the_clients = matches!(
        cause.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    );
    if !is_the_clients {
        tracing::error!(%cause, "no connection can be taken");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// The routes, for a client whose address is known.
#[derive(Clone)]
struct Known {
    routes: Router,
    from: SocketAddr,
    begun: Arc<AtomicBool>,
}

impl<B> Service<Request<B>> for Known
where
    Router: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future = RouteFuture<Infallible>,
        >,
    B: axum::body::HttpBody<Data = axum::body::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Routes are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.begun.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.from));
        self.routes.call(request)
    }
}

#[cfg(test)]
mod tests;
