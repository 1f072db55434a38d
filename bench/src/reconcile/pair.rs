//! Two replicas of a cluster of two nodes, linked by the real mesh over loopback.

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use meridian_regions::{NodeId, RegionId, Shards};
use meridian_replication::{Member, RepairRound, RepairScope, Replica, ReplicaOptions};
use meridian_storage::Writer;
use meridian_transport::pki::Authority;
use meridian_transport::{
    Channel, FrameWriter, Mesh, MeshOptions, MeshService, NodeIdentity, PeerAddress, Refusal,
    ServiceFuture, TlsMaterial,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Compared, Plan, timed};

const REGIONS: [&str; 2] = ["us-east", "eu-west"];
const CLUSTER: &str = "bench";
/// How often it is looked whether something has come to its end.
const LOOK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(600);
/// Documents open at once: few, since none but those that differ are opened.
const HOT_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");
/// Never while this measures.
const NEVER: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("nodes are counted from one")
}

fn region(id: u64) -> RegionId {
    let index = usize::from(id != 1);
    REGIONS[index].parse().expect("a region's name")
}

fn member(id: u64) -> Member {
    Member {
        node: node(id),
        region: region(id),
        holds: Shards::ALL,
    }
}

/// What a replica is told. Nothing but what is measured runs beside it.
pub(super) fn options(plan: &Plan, id: u64) -> ReplicaOptions {
    let others = vec![member(3 - id)];
    let mut options = ReplicaOptions::new(plan.database(id), member(id), others);
    options.documents_hot_max = HOT_MAX;
    options.repair_every = None;
    options.trim_every = NEVER;
    options
}

/// Serves a replica that is given later.
#[derive(Default)]
struct Serving(OnceLock<Replica>);

impl MeshService for Serving {
    fn call(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<Bytes, Refusal>> {
        let replica = self.0.get().filter(|_| channel == Channel::Pull);
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
        let replica = self.0.get().cloned();
        Box::pin(async move {
            if let Some(replica) = replica {
                replica.serve_pull(peer.node, request, replies).await;
            }
        })
    }
}

/// See the module.
pub(super) struct Pair {
    replicas: Vec<Replica>,
    meshes: Vec<Mesh>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Pair {
    /// Opens both databases, and waits until the two nodes reach each other.
    pub(super) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let authority = Authority::create(&CLUSTER.parse()?)?;
        // Believed for as long as this pair runs; read once.
        let credentials = tempfile::tempdir_in(&plan.folder)?;
        authority.save(credentials.path())?;
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let addresses = free_addresses()?;
        let mut pair = Self {
            replicas: Vec::new(),
            meshes: Vec::new(),
            tracker,
            cancel,
        };
        for id in [1, 2] {
            let mesh = mesh_options(&authority, credentials.path(), id, &addresses)?;
            let replica = Replica::open(options(plan, id))?;
            let serving = Arc::new(Serving::default());
            let mesh = Mesh::start(mesh, Arc::clone(&serving) as _, &pair.tracker, &pair.cancel)?;
            let _ = serving.0.set(replica.clone());
            replica.start(&mesh, &pair.tracker, &pair.cancel);
            pair.replicas.push(replica);
            pair.meshes.push(mesh);
        }
        let connected = async {
            while !(pair.meshes[0].connected(node(2)) && pair.meshes[1].connected(node(1))) {
                sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, connected)
            .await
            .context("the two nodes do not reach each other")?;
        Ok(pair)
    }

    /// Has the second compare all that it holds with the first, and mend what differs.
    pub(super) async fn compare(&self) -> anyhow::Result<Compared> {
        let replica = &self.replicas[1];
        timed(async {
            let asked = replica.repair(RepairScope::Everything)?;
            let ended = async {
                loop {
                    let mut rounds = replica.repairs().into_iter();
                    let ours = rounds.find(|round| round.round == asked.round);
                    if let Some(ended) = ours.filter(|round| round.state.is_over()) {
                        return ended;
                    }
                    sleep(LOOK).await;
                }
            };
            let ended: RepairRound = timeout(PATIENCE, ended).await?;
            if let Some(cause) = &ended.progress.last_error {
                bail!("the comparison has left something: {cause}");
            }
            Ok(ended)
        })
        .await
    }

    /// Whether both hold the same, by the digests of all documents.
    pub(super) fn check_alike(&self) -> anyhow::Result<()> {
        let one = self.replicas[0].digests()?;
        ensure!(
            one == self.replicas[1].digests()?,
            "the two replicas differ after they have been compared"
        );
        Ok(())
    }

    /// Stops both, and waits until their databases are closed.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait()).await?;
        drop(self.meshes);
        for replica in self.replicas {
            let failure = replica.failure();
            drop(replica);
            timeout(PATIENCE, Writer::ended(failure)).await?;
        }
        Ok(())
    }
}

/// Two of them, kept from others until both are known.
fn free_addresses() -> std::io::Result<[SocketAddr; 2]> {
    let (one, other) = (
        UdpSocket::bind("127.0.0.1:0")?,
        UdpSocket::bind("127.0.0.1:0")?,
    );
    Ok([one.local_addr()?, other.local_addr()?])
}

fn mesh_options(
    authority: &Authority,
    folder: &Path,
    id: u64,
    addresses: &[SocketAddr; 2],
) -> anyhow::Result<MeshOptions> {
    let identity = NodeIdentity {
        cluster: CLUSTER.parse()?,
        region: region(id),
        node: node(id),
    };
    let name = format!("node-{id}");
    authority.issue(&identity)?.save(folder, &name)?;
    let tls = TlsMaterial::load(
        &folder.join("ca.pem"),
        &folder.join(format!("{name}.pem")),
        &folder.join(format!("{name}.key")),
    )?;
    let place = usize::from(id != 1);
    let mut options = MeshOptions::new(addresses[place], identity, tls);
    options.peers = vec![PeerAddress {
        node: node(3 - id),
        region: region(3 - id),
        address: addresses[1 - place].to_string(),
    }];
    Ok(options)
}
