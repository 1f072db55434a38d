//! The thread that all links run on: whatever else this process does, it does not keep
//! datagrams waiting. Where root allows, it goes before other processes, too: nodes that use up
//! the processors would make it late, and late links are no links.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How the thread stands to others: far before all that have not asked for anything (0), behind
/// what the system itself has to do (-20).
const PRIORITY: i32 = -15;

/// A thread with a runtime of its own. Its tasks end when it is stopped, or dropped.
#[derive(Debug)]
pub(crate) struct Engine {
    runtime: Handle,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Engine {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let engine = Self {
            runtime: runtime.handle().clone(),
            tracker: TaskTracker::new(),
            cancel: CancellationToken::new(),
        };
        let (tracker, cancel) = (engine.tracker.clone(), engine.cancel.clone());
        thread::Builder::new()
            .name("links".to_owned())
            .spawn(move || {
                // Whoever may not has links that the nodes can make late; a run tells.
                let _ = rustix::process::setpriority_process(None, PRIORITY);
                runtime.block_on(async {
                    cancel.cancelled().await;
                    tracker.close();
                    tracker.wait().await;
                });
            })?;
        Ok(engine)
    }

    /// A socket on a free port of loopback, for tasks of this thread.
    pub(crate) fn socket(&self) -> io::Result<tokio::net::UdpSocket> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let _here = self.runtime.enter();
        tokio::net::UdpSocket::from_std(socket)
    }

    /// Does something that has to be done where the thread's tasks find it.
    pub(crate) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        let _here = self.runtime.enter();
        act()
    }

    /// Runs a task until it, or the engine, ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        let task = async move {
            cancel.run_until_cancelled(task).await;
        };
        self.tracker.spawn_on(task, &self.runtime);
    }

    /// Ends every task, and waits until they have.
    pub(crate) async fn stop(&self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
