//! Replicas with real databases, linked by the real mesh over loopback.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{Genesis, Hlc, ListingId, NodeId, Survival, UnixNanos};
use meridian_replication_core::{
    Currency, EditOp, ListingDraft, Location, LogEntry, Money, SessionToken, ValidDraft,
};
use meridian_storage::Writer;
use meridian_transport::pki::Authority;
use meridian_transport::{
    Channel, FrameWriter, Mesh, MeshOptions, MeshService, NodeIdentity, PeerAddress, Refusal,
    ServiceFuture, TlsMaterial,
};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::PullError;
use crate::keys::LOG;
use crate::{Member, Precondition, Replica, ReplicaOptions};

const PATIENCE: Duration = Duration::from_secs(30);
const REGIONS: [&str; 3] = ["us-east", "eu-west", "ap-southeast"];

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn member(id: u64) -> Member {
    let index = usize::try_from(id).expect("small") - 1;
    Member {
        node: node(id),
        region: REGIONS[index].parse().expect("a region"),
    }
}

fn open(path: PathBuf, id: u64) -> Replica {
    let others = (1..=3).filter(|other| *other != id).map(member).collect();
    Replica::open(ReplicaOptions::new(path, member(id), others)).expect("opened")
}

fn listing(number: u64) -> ListingId {
    let home = "eu-west".parse().expect("a region");
    ListingId::generate(UnixNanos::from_millis(number), number.into(), home)
}

fn draft(title: &str) -> ValidDraft {
    let price = Money {
        amount: 12_900,
        currency: "EUR".parse::<Currency>().expect("a currency"),
    };
    ListingDraft::new(title, Location::at(59.9, 10.7), 4, price)
        .validate()
        .expect("valid")
}

fn genesis(listing: &ListingId) -> Genesis {
    Genesis {
        listing: listing.clone(),
        survival: Survival::Region,
        voters: vec![node(1), node(2), node(3)],
        map_epoch: 1,
        created_by: node(1),
    }
}

async fn create(replica: &Replica, number: u64) -> ListingId {
    let id = listing(number);
    let made = replica.create(&id, &draft("Loft"), genesis(&id)).await;
    made.expect("durable");
    id
}

fn amenity(name: &str) -> [EditOp; 1] {
    [EditOp::Add {
        path: "/amenities".to_owned(),
        value: name.to_owned(),
    }]
}

async fn title(replica: &Replica, id: &ListingId) -> Option<String> {
    let read = replica.read(id).await.expect("readable")?;
    Some(read.view().title.clone())
}

/// Everything in a replica's log.
fn entries(replica: &Replica) -> Vec<LogEntry> {
    let stored = replica.inner().store.scan(LOG, &[], &[0xff; 20], 10_000);
    let stored = stored.expect("readable").into_iter();
    stored
        .map(|(_, bytes)| LogEntry::decode(&bytes).expect("an entry"))
        .collect()
}

/// Lets go of a replica and waits until its database is closed.
async fn close(replica: Replica) {
    let failure = replica.failure();
    drop(replica);
    timeout(PATIENCE, Writer::ended(failure))
        .await
        .expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn reopened_replica_has_everything_and_goes_on_counting() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    for round in 0..90 {
        let ops = amenity(&format!("amenity {round}"));
        let edited = replica.edit(&id, &ops, Precondition::None).await;
        edited.expect("durable");
    }
    let before = replica.read(&id).await.expect("readable").expect("there");
    let token = replica.session_token();
    close(replica).await;

    let replica = open(folder.path().to_path_buf(), 1);
    let after = replica.read(&id).await.expect("readable").expect("there");
    assert_eq!(after, before);
    assert!(replica.session_token().covers(&token));
    assert_eq!(replica.stats().listings, 1);
    let ops = amenity("one more");
    replica
        .edit(&id, &ops, Precondition::None)
        .await
        .expect("durable");
    let numbers: Vec<u64> = entries(&replica).iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=92).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_apply_once_and_never_past_a_gap() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let source = open(folders[0].path().to_path_buf(), 1);
    let target = open(folders[1].path().to_path_buf(), 2);
    let id = create(&source, 1).await;
    for round in 0..3 {
        let ops = amenity(&format!("amenity {round}"));
        source
            .edit(&id, &ops, Precondition::None)
            .await
            .expect("durable");
    }
    let entries = entries(&source);
    let gap = target.apply(vec![entries[1].clone()]).await;
    assert!(matches!(gap, Err(PullError::Gap(_))), "{gap:?}");
    target.apply(entries[..2].to_vec()).await.expect("applied");
    target.apply(entries.clone()).await.expect("applied");
    target.apply(entries).await.expect("all known");
    assert_eq!(target.stats().entries_applied, 4);
    assert_eq!(
        target
            .read(&id)
            .await
            .expect("readable")
            .expect("there")
            .etag(),
        source
            .read(&id)
            .await
            .expect("readable")
            .expect("there")
            .etag()
    );
    assert_eq!(target.digests(), source.digests());
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_cannot_be_applied_is_set_aside_and_the_rest_flows() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let source = open(folders[0].path().to_path_buf(), 1);
    let target = open(folders[1].path().to_path_buf(), 2);
    let id = create(&source, 1).await;
    let ops = amenity("sauna");
    source
        .edit(&id, &ops, Precondition::None)
        .await
        .expect("durable");
    let mut entries = entries(&source);
    // A disk lied: one change arrives as junk, whole entries before and after it.
    let mut junk = entries[1].clone();
    junk.change = b"junk".to_vec();
    entries[1].seq = 3;
    entries.insert(1, junk);
    target.apply(entries).await.expect("the rest flows");
    assert_eq!(target.stats().quarantined, 1);
    let shown = target.read(&id).await.expect("readable").expect("there");
    assert_eq!(shown.view().amenities, ["sauna"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_from_a_clock_far_ahead_is_refused() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let source = open(folders[0].path().to_path_buf(), 1);
    let target = open(folders[1].path().to_path_buf(), 2);
    create(&source, 1).await;
    let mut ahead = entries(&source);
    ahead[0].hlc = Hlc::from_u64(ahead[0].hlc.as_u64() + (60 << 32));
    let refused = target.apply(ahead).await;
    assert!(matches!(refused, Err(PullError::Clock(_))), "{refused:?}");
    target
        .apply(entries(&source))
        .await
        .expect("its true time is fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn precondition_holds_or_the_write_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    let seen = replica.read(&id).await.expect("readable").expect("there");
    let matching = Precondition::IfMatch(seen.etag().to_owned());
    let edited = replica.edit(&id, &amenity("a"), matching.clone()).await;
    edited.expect("it matches");
    let refused = replica.edit(&id, &amenity("b"), matching).await;
    assert!(matches!(
        refused,
        Err(crate::WriteError::PreconditionFailed { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_of_an_unknown_region_waits_and_says_that_it_is_behind() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let mut token = SessionToken::new();
    let seen = Hlc::from_unix_nanos(UnixNanos::from_millis(1));
    token.merge(&member(3).region, seen).expect("room");
    let patience = Duration::from_millis(50);
    assert!(replica.wait_for(&token, patience).await.is_err());
    replica.inner().progress.watermark(node(3), seen);
    replica.wait_for(&token, patience).await.expect("covered");
}

/// Serves pulls of the replica that is given later.
#[derive(Default)]
struct Serving(OnceLock<Replica>);

impl MeshService for Serving {
    fn call(&self, _: NodeIdentity, _: Channel, _: Bytes) -> ServiceFuture<Result<Bytes, Refusal>> {
        Box::pin(std::future::ready(Err(Refusal::Unsupported)))
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

/// Three replicas; `links` says who knows whom.
struct Cluster {
    replicas: Vec<Replica>,
    tracker: TaskTracker,
    cancel: CancellationToken,
    _folder: TempDir,
}

impl Cluster {
    fn start(links: &[(u64, u64)]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let authority = Authority::create(&"test".parse().expect("a name")).expect("made");
        authority.save(folder.path()).expect("saved");
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let addresses: Vec<SocketAddr> = (0..3).map(|_| free_address()).collect();
        let replicas = (1..=3).map(|id| {
            let identity = NodeIdentity {
                cluster: "test".parse().expect("a name"),
                region: member(id).region,
                node: node(id),
            };
            let name = format!("node-{id}");
            let issued = authority.issue(&identity).expect("issued");
            issued.save(folder.path(), &name).expect("saved");
            let file = |name: String| folder.path().join(name);
            let tls = TlsMaterial::load(
                &file("ca.pem".to_owned()),
                &file(format!("{name}.pem")),
                &file(format!("{name}.key")),
            );
            let own = addresses[usize::try_from(id).expect("small") - 1];
            let mut options = MeshOptions::new(own, identity, tls.expect("loaded"));
            let linked =
                |other: &u64| links.contains(&(id, *other)) || links.contains(&(*other, id));
            options.peers = (1..=3)
                .filter(linked)
                .map(|other| PeerAddress {
                    node: node(other),
                    region: member(other).region,
                    address: addresses[usize::try_from(other).expect("small") - 1].to_string(),
                })
                .collect();
            let replica = open(folder.path().join(format!("data-{id}")), id);
            let serving = Arc::new(Serving::default());
            let mesh = Mesh::start(options, Arc::clone(&serving) as _, &tracker, &cancel);
            let _ = serving.0.set(replica.clone());
            replica.start(&mesh.expect("started"), &tracker, &cancel);
            replica
        });
        let replicas = replicas.collect();
        Self {
            replicas,
            tracker,
            cancel,
            _folder: folder,
        }
    }

    async fn converged(&self) {
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

    async fn stop(self) {
        self.cancel.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait())
            .await
            .expect("every task ends");
    }
}

fn free_address() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address")
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_converge_after_concurrent_edits() {
    let cluster = Cluster::start(&[(1, 2), (2, 3), (1, 3)]);
    let id = create(&cluster.replicas[0], 1).await;
    for replica in &cluster.replicas {
        timeout(PATIENCE, async {
            while title(replica, &id).await.is_none() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("replicated");
    }
    for (index, replica) in cluster.replicas.iter().enumerate() {
        let ops = amenity(&format!("amenity {index}"));
        replica
            .edit(&id, &ops, Precondition::None)
            .await
            .expect("durable");
    }
    cluster.converged().await;
    let token = cluster.replicas[2].session_token();
    let waited = cluster.replicas[0].wait_for(&token, PATIENCE).await;
    waited.expect("watermarks come by themselves");
    let shown = cluster.replicas[0]
        .read(&id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(shown.view().amenities.len(), 3);
    assert!(cluster.replicas[0].staleness().is_some());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_comes_by_way_of_a_third_node_while_a_link_is_missing() {
    let cluster = Cluster::start(&[(1, 2), (2, 3)]);
    let id = create(&cluster.replicas[0], 1).await;
    let far = &cluster.replicas[2];
    timeout(PATIENCE, async {
        while title(far, &id).await.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("relayed");
    // So do its watermarks: a session goes on across the gap.
    let token = cluster.replicas[0].session_token();
    far.wait_for(&token, PATIENCE).await.expect("covered");
    cluster.converged().await;
    cluster.stop().await;
}
