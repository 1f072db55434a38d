//! Replicas linked by the real mesh over loopback: three of them, if a test does not say.

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{FormatLevel, NodeId};
use meridian_transport::pki::Authority;
use meridian_transport::{
    Channel, FrameWriter, Mesh, MeshOptions, MeshService, NodeIdentity, PeerAddress, Refusal,
    ServiceFuture, TlsMaterial,
};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::setup::{PATIENCE, member, node};
use crate::{Member, Replica, ReplicaOptions};

/// Often enough for who waits for it.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// Changes past which documents begin anew, once somebody asks for it.
pub(super) const RENEWS_PAST: u64 = 20;
/// Some heartbeats.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Serves pulls of the replica that is given later, except to whom it is mute.
#[derive(Default)]
struct Serving {
    replica: OnceLock<Replica>,
    mute_to: Option<NodeId>,
}

impl MeshService for Serving {
    fn call(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<Bytes, Refusal>> {
        let replica = self.replica.get().filter(|_| channel == Channel::Pull);
        let replica = replica.cloned();
        Box::pin(async move {
            match replica {
                Some(replica) => replica.serve_repair(peer.node, request).await,
                None => Err(Refusal::Unsupported),
            }
        })
    }

    fn stream(
        &self,
        peer: NodeIdentity,
        _channel: Channel,
        request: Bytes,
        replies: FrameWriter,
    ) -> ServiceFuture<()> {
        let replica = self.replica.get().cloned();
        let mute = self.mute_to == Some(peer.node);
        Box::pin(async move {
            if mute {
                // Agreed to, and then not a word.
                let _kept = replies;
                return std::future::pending().await;
            }
            if let Some(replica) = replica {
                replica.serve_pull(peer.node, request, replies).await;
            }
        })
    }
}

/// Replicas; `links` says who knows whom.
pub(super) struct Cluster {
    pub(super) replicas: Vec<Replica>,
    pub(super) meshes: Vec<Mesh>,
    tracker: TaskTracker,
    cancel: CancellationToken,
    /// By node, below the one of all.
    cancels: Vec<CancellationToken>,
    folder: TempDir,
}

/// What is special about a cluster.
pub(super) struct Plan<'a> {
    /// How many there are.
    pub(super) nodes: u64,
    /// Who knows whom.
    pub(super) links: &'a [(u64, u64)],
    /// The first tells the second nothing.
    pub(super) mute: Option<(u64, u64)>,
    /// Has lost a part of its log.
    pub(super) returns: Option<u64>,
    /// Where nodes stand.
    pub(super) member: fn(u64) -> Member,
    pub(super) departed: Vec<NodeId>,
    /// After which a peer counts as silent.
    pub(super) silence_max: Duration,
    /// What its logs may take, if that is not much.
    pub(super) log_bytes_max: Option<u64>,
}

impl<'a> Plan<'a> {
    /// Three nodes, each in a region of its own.
    pub(super) fn of_three(links: &'a [(u64, u64)]) -> Self {
        Plan {
            nodes: 3,
            links,
            mute: None,
            returns: None,
            member,
            departed: vec![node(4)],
            silence_max: SILENCE_MAX,
            log_bytes_max: None,
        }
    }

    /// What a node is told whose database is in `folder`.
    fn options(&self, folder: &Path, id: u64) -> ReplicaOptions {
        let others = (1..=self.nodes).filter(|other| *other != id);
        let others = others.map(self.member).collect();
        let mut options = ReplicaOptions::new(data_of(folder, id), (self.member)(id), others);
        options.formats.active = FormatLevel::LATEST;
        options.departed.clone_from(&self.departed);
        options.returns = (self.returns == Some(id)).then(|| "a return".to_owned());
        options.pull_silence_max = self.silence_max;
        options.tell_every = TELL_EVERY;
        // Nobody trims before it is asked to.
        options.trim_every = Duration::from_secs(3_600);
        options.log_reserve_entries = 0;
        options.log_bytes_max = self.log_bytes_max.unwrap_or(options.log_bytes_max);
        // Nor does a document begin anew.
        options.changes_before_renewal = NonZeroU64::new(RENEWS_PAST);
        options.renew_every = Duration::from_secs(3_600);
        options
    }
}

impl Cluster {
    pub(super) fn start(links: &[(u64, u64)]) -> Self {
        Self::start_mute(links, None)
    }

    /// As [`Cluster::start`], but the first node of `mute` tells the second nothing.
    pub(super) fn start_mute(links: &[(u64, u64)], mute: Option<(u64, u64)>) -> Self {
        let folder = TempDir::new().expect("a folder");
        Self::start_in(folder, links, mute, None)
    }

    /// Over what is in `folder`; node `returns` has lost a part of it.
    pub(super) fn start_in(
        folder: TempDir,
        links: &[(u64, u64)],
        mute: Option<(u64, u64)>,
        returns: Option<u64>,
    ) -> Self {
        let plan = Plan {
            mute,
            returns,
            ..Plan::of_three(links)
        };
        Self::start_as(folder, &plan)
    }

    pub(super) fn start_as(folder: TempDir, plan: &Plan<'_>) -> Self {
        let Plan { links, member, .. } = plan;
        let authority = Authority::create(&"test".parse().expect("a name")).expect("made");
        // Another authority at each start: what is kept of a cluster are its databases.
        let credentials = TempDir::new().expect("a folder");
        authority.save(credentials.path()).expect("saved");
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let nodes = 1..=plan.nodes;
        let cancels: Vec<_> = nodes.clone().map(|_| cancel.child_token()).collect();
        // Each is kept from others until its node takes it.
        let mut kept: Vec<_> = nodes.clone().map(|_| Some(free_port())).collect();
        let addresses: Vec<SocketAddr> = kept.iter().flatten().map(address_of).collect();
        let replicas = nodes.clone().map(|id| {
            let identity = NodeIdentity {
                cluster: "test".parse().expect("a name"),
                region: member(id).region,
                node: node(id),
            };
            let name = format!("node-{id}");
            let issued = authority.issue(&identity).expect("issued");
            issued.save(credentials.path(), &name).expect("saved");
            let file = |name: String| credentials.path().join(name);
            let tls = TlsMaterial::load(
                &file("ca.pem".to_owned()),
                &file(format!("{name}.pem")),
                &file(format!("{name}.key")),
            );
            let own = addresses[usize::try_from(id).expect("small") - 1];
            let mut mesh = MeshOptions::new(own, identity, tls.expect("loaded"));
            let linked =
                |other: &u64| links.contains(&(id, *other)) || links.contains(&(*other, id));
            mesh.peers = nodes
                .clone()
                .filter(linked)
                .map(|other| PeerAddress {
                    node: node(other),
                    region: member(other).region,
                    address: addresses[usize::try_from(other).expect("small") - 1].to_string(),
                })
                .collect();
            let replica = Replica::open(plan.options(folder.path(), id)).expect("opened");
            let mute_to = plan
                .mute
                .filter(|(from, _)| *from == id)
                .map(|(_, to)| node(to));
            let serving = Arc::new(Serving {
                mute_to,
                ..Serving::default()
            });
            drop(kept[usize::try_from(id).expect("small") - 1].take());
            let cancel = &cancels[usize::try_from(id).expect("small") - 1];
            let mesh = Mesh::start(mesh, Arc::clone(&serving) as _, &tracker, cancel);
            let mesh = mesh.expect("started");
            let _ = serving.replica.set(replica.clone());
            replica.start(&mesh, &tracker, cancel);
            (replica, mesh)
        });
        let (replicas, meshes) = replicas.unzip();
        Self {
            replicas,
            meshes,
            tracker,
            cancel,
            cancels,
            folder,
        }
    }

    pub(super) async fn converged(&self) {
        timeout(PATIENCE, async {
            loop {
                let digests: Vec<_> = self.replicas.iter().map(Replica::digests).collect();
                if digests.windows(2).all(|pair| pair[0] == pair[1]) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("converged");
    }

    /// A node falls out: its links end, and it asks for nothing any more.
    pub(super) fn end(&self, id: u64) {
        self.cancels[usize::try_from(id).expect("small") - 1].cancel();
    }

    pub(super) async fn stop(self) {
        self.stop_and_keep(async || ()).await;
    }

    /// Stops, and looks at what is left on disk.
    pub(super) async fn stop_and_keep(self, look: impl AsyncFnOnce()) {
        let _folder = self.stop_and_leave().await;
        look().await;
    }

    /// Stops; answers where the databases are.
    pub(super) async fn stop_and_leave(self) -> TempDir {
        self.cancel.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait())
            .await
            .expect("every task ends");
        drop(self.meshes);
        for replica in self.replicas {
            super::setup::close(replica).await;
        }
        self.folder
    }
}

/// The database of a node.
pub(super) fn data_of(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("data-{id}"))
}

fn free_port() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("a free port")
}

fn address_of(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("an address")
}
