//! The least that a durable write over HTTP can take here: a server that reads the request,
//! appends a block, syncs it and answers, and does nothing else.
//!
//! It serves in one thread, which waits for the disk itself: no thread is woken but by the
//! request. What a node takes beyond this is ours: the document, its database, its threads.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::patch;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

use crate::disk::Scratch;

/// What is patched.
pub(crate) const PATH: &str = "/";
/// About what the answer to a listing's write is long.
const ANSWER: [u8; 1_024] = [b' '; 1_024];

/// A server that goes when it is stopped.
pub(crate) struct Floor {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Floor {
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let scratch = Scratch::make(folder, "floor")?;
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("floor".to_owned())
            .spawn(move || serve(socket, scratch, stopped))?;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn stop(self) -> anyhow::Result<()> {
        // Gone already: then it says why.
        let _ = self.stop.send(());
        let served = self.thread.join();
        served.map_err(|_panic| anyhow::anyhow!("the bare server panicked"))?
    }
}

fn serve(
    socket: std::net::TcpListener,
    scratch: Scratch,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let scratch = Arc::new(Mutex::new(scratch));
    let routes = Router::new().route(PATH, patch(write)).with_state(scratch);
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let serving = axum::serve(TcpListener::from_std(socket)?, routes);
        tokio::select! {
            served = serving.into_future() => Ok(served?),
            _ = stopped => Ok(()),
        }
    })
}

async fn write(
    State(scratch): State<Arc<Mutex<Scratch>>>,
    _said: Bytes,
) -> Result<Bytes, (StatusCode, String)> {
    let mut scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
    let written = scratch.write();
    written.map_err(|cause| (StatusCode::INTERNAL_SERVER_ERROR, format!("{cause:#}")))?;
    Ok(Bytes::from_static(&ANSWER))
}
