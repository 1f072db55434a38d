//! A cluster of two nodes, and a service that does what a request says.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::NodeId;
use quinn::Connection;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pki::Authority;
use crate::{
    Channel, FRAME_BYTES_MAX, FrameWriter, Mesh, MeshOptions, MeshService, NodeIdentity,
    PeerAddress, PeerStatus, Refusal, ServiceFuture, TlsMaterial,
};

/// Longest wait for a condition: far more than any should take, on a busy machine too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const BULK_FRAME_BYTES: usize = 1024 * 1024;

/// What a node of these tests does for its peers.
#[derive(Default)]
pub(crate) struct Script {
    /// Cancelled when an `idle` stream has been dropped.
    pub(crate) abandoned: CancellationToken,
    /// What a `panic` stream and a `later` call wait for, and a `seen` call cancels.
    pub(crate) trigger: CancellationToken,
}

impl MeshService for Script {
    fn call(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<Bytes, Refusal>> {
        assert_ne!(&*request, b"panic at once", "on purpose");
        let trigger = self.trigger.clone();
        Box::pin(async move {
            match &*request {
                b"panic" => panic!("on purpose"),
                b"silence" => std::future::pending().await,
                b"later" => {
                    trigger.cancelled().await;
                    Ok(request)
                }
                b"seen" => {
                    trigger.cancel();
                    Ok(request)
                }
                b"too long" => Ok(vec![0; FRAME_BYTES_MAX + 1].into()),
                b"who" => Ok(peer.to_string().into()),
                _ if channel == Channel::Control => Err(Refusal::Unsupported),
                _ => Ok(request),
            }
        })
    }

    fn stream(
        &self,
        _peer: NodeIdentity,
        _channel: Channel,
        request: Bytes,
        mut replies: FrameWriter,
    ) -> ServiceFuture<()> {
        let (abandoned, trigger) = (self.abandoned.clone(), self.trigger.clone());
        Box::pin(async move {
            match &*request {
                b"endless" => {
                    let frame = Bytes::from(vec![7; BULK_FRAME_BYTES]);
                    while replies.send(frame.clone()).await.is_ok() {}
                }
                b"idle" => {
                    let _told_when_dropped = abandoned.drop_guard();
                    replies.send("started".into()).await.expect("sent");
                    std::future::pending().await
                }
                b"panic" => {
                    replies.send("first".into()).await.expect("sent");
                    trigger.cancelled().await;
                    panic!("on purpose")
                }
                _ => {
                    for word in ["one", "two", "three"] {
                        replies.send(word.into()).await.expect("sent");
                    }
                }
            }
        })
    }
}

/// A node under test.
pub(crate) struct Running {
    pub(crate) mesh: Mesh,
    pub(crate) script: Arc<Script>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Running {
    /// Stops it as a supervisor does, and waits for every task.
    pub(crate) async fn stop(self) {
        self.cancel();
        self.until_idle().await;
    }

    /// Waits until every task has ended.
    pub(crate) async fn until_idle(&self) {
        self.tracker.close();
        let ended = timeout(DEADLINE, self.tracker.wait()).await;
        ended.expect("every task ends");
    }

    /// Begins to stop it.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits until the status of its only peer is as expected.
    pub(crate) async fn until(&self, expected: impl Fn(&PeerStatus) -> bool) -> PeerStatus {
        let mut connectivity = self.mesh.connectivity();
        let reached = async {
            loop {
                let peer = self.mesh.peers().remove(0);
                if expected(&peer) {
                    return peer;
                }
                connectivity.changed().await.expect("the mesh runs");
            }
        };
        match timeout(DEADLINE, reached).await {
            Ok(peer) => peer,
            Err(_elapsed) => panic!("never came: {:?}", self.mesh.peers()),
        }
    }

    /// The same, of what no connection that comes or goes tells of: it is looked at again and
    /// again.
    pub(crate) async fn until_seen(&self, expected: impl Fn(&PeerStatus) -> bool) -> PeerStatus {
        let reached = async {
            loop {
                let peer = self.mesh.peers().remove(0);
                if expected(&peer) {
                    return peer;
                }
                tokio::task::yield_now().await;
            }
        };
        match timeout(DEADLINE, reached).await {
            Ok(peer) => peer,
            Err(_elapsed) => panic!("never came: {:?}", self.mesh.peers()),
        }
    }

    pub(crate) async fn until_connected(&self) {
        self.until(|peer| peer.connected).await;
    }

    /// The connection to its only peer. Kept by a test, it tells how it ended, even if
    /// there is another one by then.
    pub(crate) fn connection(&self) -> Connection {
        let node = self.mesh.peers()[0].node;
        let quic = self.mesh.quic().expect("over QUIC");
        let peer = quic.peers.peer(node).expect("it is there");
        peer.connection().expect("it stands")
    }

    /// Why this node has no connection to its peer.
    pub(crate) async fn last_error(&self) -> String {
        let peer = self.until(|peer| peer.last_error.is_some()).await;
        peer.last_error.expect("just seen")
    }
}

/// A node in a runtime of its own, so that it can be killed: no goodbye, no task left.
pub(crate) fn killable(cluster: &Cluster) -> (Runtime, Running) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let node = runtime.block_on(async { cluster.start_node(2) });
    (runtime, node)
}

pub(crate) fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

pub(crate) fn identity(id: u64, region: &str, cluster: &str) -> NodeIdentity {
    NodeIdentity {
        cluster: cluster.parse().expect("a name"),
        region: region.parse().expect("a region"),
        node: node(id),
    }
}

/// The certificates and addresses of nodes 1 and 2, both of eu-west.
pub(crate) struct Cluster {
    pub(crate) folder: TempDir,
    pub(crate) authority: Authority,
    places: [Place; 2],
}

/// An address, kept from others until its node starts.
struct Place {
    address: SocketAddr,
    kept: Mutex<Option<UdpSocket>>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let authority = Authority::create(&"demo".parse().expect("a name")).expect("made");
        authority.save(folder.path()).expect("saved");
        for id in [1, 2] {
            authority
                .issue(&identity(id, "eu-west", "demo"))
                .and_then(|issued| issued.save(folder.path(), &format!("node-{id}")))
                .expect("issued");
        }
        Self {
            folder,
            authority,
            places: [Place::new(), Place::new()],
        }
    }

    /// Both nodes, each connected to the other.
    pub(crate) async fn start() -> (Self, Running, Running) {
        let cluster = Self::new();
        let (one, two) = (cluster.start_node(1), cluster.start_node(2));
        one.until_connected().await;
        two.until_connected().await;
        (cluster, one, two)
    }

    pub(crate) fn address(&self, id: u64) -> SocketAddr {
        self.place(id).address
    }

    /// Loads `<name>.pem` and its key.
    pub(crate) fn tls(&self, name: &str) -> TlsMaterial {
        let file = |name: String| self.folder.path().join(name);
        TlsMaterial::load(
            &file("ca.pem".to_owned()),
            &file(format!("{name}.pem")),
            &file(format!("{name}.key")),
        )
        .expect("loaded")
    }

    /// Options of node 1 or 2, with the other one as its peer.
    pub(crate) fn options(&self, id: u64) -> MeshOptions {
        let tls = self.tls(&format!("node-{id}"));
        let mut options = MeshOptions::new(self.address(id), identity(id, "eu-west", "demo"), tls);
        let other = 3 - id;
        options.peers = vec![PeerAddress {
            node: node(other),
            region: "eu-west".parse().expect("a region"),
            address: self.address(other).to_string(),
        }];
        options
    }

    pub(crate) fn start_node(&self, id: u64) -> Running {
        self.start_with(id, self.options(id))
    }

    pub(crate) fn start_with(&self, id: u64, options: MeshOptions) -> Running {
        // Given free just before the node takes it.
        drop(self.place(id).kept.lock().expect("no panic").take());
        let script = Arc::new(Script::default());
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let service: Arc<dyn MeshService> = Arc::<Script>::clone(&script);
        let mesh = Mesh::start(options, service, &tracker, &cancel).expect("started");
        Running {
            mesh,
            script,
            tracker,
            cancel,
        }
    }

    /// The socket at a node's address, in the place of the node.
    pub(crate) fn socket(&self, id: u64) -> UdpSocket {
        let kept = self.place(id).kept.lock().expect("no panic").take();
        kept.expect("not started yet")
    }

    fn place(&self, id: u64) -> &Place {
        &self.places[usize::try_from(id).expect("small") - 1]
    }
}

impl Place {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        Self {
            address: socket.local_addr().expect("an address"),
            kept: Mutex::new(Some(socket)),
        }
    }
}
