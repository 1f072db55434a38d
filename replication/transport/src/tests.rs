//! Nodes on loopback, with real certificates and real QUIC.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::NodeId;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pki::Authority;
use crate::{
    CallError, Channel, FRAME_BYTES_MAX, FrameWriter, Mesh, MeshOptions, MeshService, NodeIdentity,
    PeerAddress, Refusal, ServiceFuture, TlsMaterial,
};

const DEADLINE: Duration = Duration::from_secs(10);

/// Answers `echo` requests, panics at `panic`, never answers `silence`, and streams
/// megabytes for ever.
struct Echo;

impl MeshService for Echo {
    fn call(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<Bytes, Refusal>> {
        Box::pin(async move {
            match &*request {
                b"panic" => panic!("on purpose"),
                b"silence" => std::future::pending().await,
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
        _request: Bytes,
        mut replies: FrameWriter,
    ) -> ServiceFuture<()> {
        Box::pin(async move {
            let frame = Bytes::from(vec![7; 1024 * 1024]);
            while replies.send(frame.clone()).await.is_ok() {}
        })
    }
}

struct Running {
    mesh: Mesh,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Running {
    async fn stop(self) {
        self.cancel.cancel();
        self.mesh.close(DEADLINE).await;
        self.tracker.close();
        self.tracker.wait().await;
    }
}

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn identity(id: u64, cluster: &str) -> NodeIdentity {
    NodeIdentity {
        cluster: cluster.parse().expect("a name"),
        region: "eu-west".parse().expect("a region"),
        node: node(id),
    }
}

fn free_address() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address")
}

fn material(folder: &Path, authority: &Authority, identity: &NodeIdentity) -> TlsMaterial {
    let name = format!("node-{}-{}", identity.node, identity.cluster);
    authority
        .issue(identity)
        .expect("issued")
        .save(folder, &name)
        .expect("saved");
    TlsMaterial::load(
        &folder.join("ca.pem"),
        &folder.join(format!("{name}.pem")),
        &folder.join(format!("{name}.key")),
    )
    .expect("loaded")
}

/// A cluster of two addresses; nodes are started by the tests.
struct Pair {
    folder: TempDir,
    authority: Authority,
    addresses: [SocketAddr; 2],
}

impl Pair {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let authority = Authority::create(&"demo".parse().expect("a name")).expect("made");
        authority.save(folder.path()).expect("saved");
        Self {
            folder,
            authority,
            addresses: [free_address(), free_address()],
        }
    }

    fn tls(&self, id: u64) -> TlsMaterial {
        let name = self.folder.path().join(format!("node-{id}-demo.pem"));
        if name.exists() {
            return TlsMaterial::load(
                &self.folder.path().join("ca.pem"),
                &name,
                &name.with_extension("key"),
            )
            .expect("loaded");
        }
        material(self.folder.path(), &self.authority, &identity(id, "demo"))
    }

    fn start(&self, id: u64) -> Running {
        self.start_with(id, identity(id, "demo"), self.tls(id))
    }

    /// Starts node `id` (1 or 2) at its address, with the other as its peer.
    fn start_with(&self, id: u64, identity: NodeIdentity, tls: TlsMaterial) -> Running {
        let (own, other) = if id == 1 { (0, 1) } else { (1, 0) };
        let mut options = MeshOptions::new(self.addresses[own], identity, tls);
        options.idle_timeout = Duration::from_secs(2);
        options.keep_alive = Duration::from_millis(300);
        options.peers = vec![PeerAddress {
            node: node(3 - id),
            region: "eu-west".parse().expect("a region"),
            address: self.addresses[other].to_string(),
        }];
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let mesh = Mesh::start(options, Arc::new(Echo), &tracker, &cancel).expect("started");
        Running {
            mesh,
            tracker,
            cancel,
        }
    }
}

async fn connected(mesh: &Mesh, peer: u64) {
    let mut connectivity = mesh.connectivity();
    timeout(DEADLINE, async {
        while !mesh.connected(node(peer)) {
            connectivity.changed().await.expect("the mesh runs");
        }
    })
    .await
    .expect("connected in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_call_each_other_and_know_who_calls() {
    let pair = Pair::new();
    let (one, two) = (pair.start(1), pair.start(2));
    connected(&one.mesh, 2).await;
    connected(&two.mesh, 1).await;
    let answer = one
        .mesh
        .call(node(2), Channel::Raft, "who".into(), DEADLINE);
    assert_eq!(
        answer.await,
        Ok(Bytes::from("node 1 of eu-west in cluster demo"))
    );
    let answer = two
        .mesh
        .call(node(1), Channel::Forward, "x".into(), DEADLINE);
    assert_eq!(answer.await, Ok(Bytes::from("x")));
    assert!(one.mesh.peers()[0].rtt.is_some());
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn call_without_a_connection_is_surely_not_sent() {
    let pair = Pair::new();
    let one = pair.start(1);
    let answer = one.mesh.call(node(2), Channel::Raft, "x".into(), DEADLINE);
    assert!(matches!(answer.await, Err(CallError::NotSent(_))));
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_and_panic_are_unknown_and_a_refusal_is_not() {
    let pair = Pair::new();
    let (one, two) = (pair.start(1), pair.start(2));
    connected(&one.mesh, 2).await;
    let call = |channel, request: &'static str, deadline| {
        one.mesh.call(node(2), channel, request.into(), deadline)
    };
    let silent = call(Channel::Forward, "silence", Duration::from_millis(200)).await;
    assert!(matches!(silent, Err(CallError::Unknown(_))), "{silent:?}");
    let panicked = call(Channel::Forward, "panic", DEADLINE).await;
    assert!(
        matches!(panicked, Err(CallError::Unknown(_))),
        "{panicked:?}"
    );
    let refused = call(Channel::Control, "x", DEADLINE).await;
    assert_eq!(refused, Err(CallError::Refused(Refusal::Unsupported)));
    let alive = call(Channel::Forward, "still there", DEADLINE).await;
    assert_eq!(alive, Ok(Bytes::from("still there")));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn longest_frame_passes_and_a_longer_one_is_refused_here() {
    let pair = Pair::new();
    let (one, two) = (pair.start(1), pair.start(2));
    connected(&one.mesh, 2).await;
    let longest = Bytes::from(vec![1; FRAME_BYTES_MAX]);
    let answer = one
        .mesh
        .call(node(2), Channel::Forward, longest.clone(), DEADLINE);
    assert_eq!(answer.await, Ok(longest));
    let longer = Bytes::from(vec![1; FRAME_BYTES_MAX + 1]);
    let answer = one.mesh.call(node(2), Channel::Forward, longer, DEADLINE);
    assert!(matches!(answer.await, Err(CallError::TooLarge { .. })));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_peer_is_found_again() {
    let pair = Pair::new();
    let (one, two) = (pair.start(1), pair.start(2));
    connected(&one.mesh, 2).await;
    two.stop().await;
    let mut connectivity = one.mesh.connectivity();
    timeout(DEADLINE, async {
        while one.mesh.connected(node(2)) {
            connectivity.changed().await.expect("the mesh runs");
        }
    })
    .await
    .expect("the loss is noticed");
    // The old endpoint gives its port back when its last task has ended.
    while std::net::UdpSocket::bind(pair.addresses[1]).is_err() {
        tokio::task::yield_now().await;
    }
    let two = pair.start(2);
    connected(&one.mesh, 2).await;
    let answer = one.mesh.call(node(2), Channel::Raft, "x".into(), DEADLINE);
    assert_eq!(answer.await, Ok(Bytes::from("x")));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_stream_does_not_starve_raft() {
    let pair = Pair::new();
    let (one, two) = (pair.start(1), pair.start(2));
    connected(&one.mesh, 2).await;
    let mut bulk = one
        .mesh
        .open_stream(node(2), Channel::Pull, "all".into())
        .await
        .expect("opened");
    let done = Arc::new(Notify::new());
    let stop = Arc::clone(&done);
    let reading = tokio::task::spawn_blocking({
        let runtime = tokio::runtime::Handle::current();
        move || {
            runtime.block_on(async move {
                let mut frames = 0_u32;
                loop {
                    tokio::select! {
                        biased;
                        () = stop.notified() => return frames,
                        frame = bulk.next() => {
                            frame.expect("the stream stands").expect("it has no end");
                            frames += 1;
                        }
                    }
                }
            })
        }
    });
    for _ in 0..200 {
        let answer = one
            .mesh
            .call(node(2), Channel::Raft, "beat".into(), DEADLINE);
        assert_eq!(answer.await, Ok(Bytes::from("beat")));
    }
    done.notify_one();
    // The stream was still going when the last heartbeat had been answered.
    assert!(reading.await.expect("read") > 0);
    one.stop().await;
    two.stop().await;
}

/// Node 1 is of the cluster; whoever plays node 2 must not get in.
async fn is_kept_out(pair: &Pair, stranger: Running) {
    let one = pair.start(1);
    let refused = timeout(Duration::from_secs(2), connected(&one.mesh, 2)).await;
    assert!(refused.is_err(), "node 1 must not trust the stranger");
    let call = stranger
        .mesh
        .call(node(1), Channel::Raft, "x".into(), Duration::from_secs(1))
        .await;
    assert!(call.is_err(), "the stranger was served: {call:?}");
    one.stop().await;
    stranger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_of_another_authority_is_kept_out() {
    let pair = Pair::new();
    let other = Pair::new();
    let stranger = pair.start_with(2, identity(2, "demo"), other.tls(2));
    is_kept_out(&pair, stranger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_of_another_node_is_kept_out() {
    let pair = Pair::new();
    // A true certificate of the cluster, but for a node that is not in the topology.
    let stranger = pair.start_with(2, identity(9, "demo"), pair.tls(9));
    is_kept_out(&pair, stranger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_that_is_not_this_node_stops_the_start() {
    let pair = Pair::new();
    let options = MeshOptions::new(pair.addresses[0], identity(1, "demo"), pair.tls(2));
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let error = Mesh::start(options, Arc::new(Echo), &tracker, &cancel).expect_err("refused");
    assert!(error.to_string().contains("meridian cert node"), "{error}");
}

#[test]
fn keys_are_for_their_owner_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt;
    let pair = Pair::new();
    let key = pair.folder.path().join("ca.key");
    let mode = std::fs::metadata(&key).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = pair.authority.save(pair.folder.path()).expect_err("there");
    assert!(again.to_string().contains("ca.key"), "{again}");
    let loaded = Authority::load(pair.folder.path()).expect("ours");
    assert_eq!(loaded.cluster().as_str(), "demo");
    assert!(loaded.issue(&identity(1, "other")).is_err());
}
