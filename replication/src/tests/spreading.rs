//! Two regions of three nodes, of which two hold each listing: what is where, how it comes
//! there, and what happens when a node dies or more nodes are to hold a listing.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use meridian_regions::{Holdings, ListingId, ShardId, Shards, Topology, carrier};
use tempfile::TempDir;
use tokio::time::timeout;

use super::cluster::{Cluster, Plan};
use super::setup::{PATIENCE, amenity, create, listing, node, title};
use crate::{Member, Precondition, Replica};

const NODES: u64 = 6;
const LINKS: [(u64, u64); 15] = [
    (1, 2),
    (1, 3),
    (1, 4),
    (1, 5),
    (1, 6),
    (2, 3),
    (2, 4),
    (2, 5),
    (2, 6),
    (3, 4),
    (3, 5),
    (3, 6),
    (4, 5),
    (4, 6),
    (5, 6),
];

/// Nodes 1 to 3 stand in one region, 4 to 6 in another.
const fn region(id: u64) -> &'static str {
    if id <= 3 { "eu-west" } else { "us-east" }
}

fn topology() -> Topology {
    let mut text = "cluster = \"test\"\nepoch = 1\n".to_owned();
    for region in ["eu-west", "us-east"] {
        text += &format!("[[regions]]\nid = \"{region}\"\nlatitude = 0\nlongitude = 0\n");
    }
    for id in 1..=NODES {
        let region = region(id);
        text += &format!(
            "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"{region}-{id}\"\npeer = \"h:1\"\napi = \"\"\nadmin = \"\"\n"
        );
    }
    Topology::from_toml(&text).expect("a good topology")
}

fn member_of(id: u64, replicas: u32) -> Member {
    let holdings = Holdings::of(&topology(), NonZeroU32::new(replicas));
    Member {
        node: node(id),
        region: region(id).parse().expect("a region"),
        holds: holdings.of_node(node(id)),
    }
}

fn one(id: u64) -> Member {
    member_of(id, 1)
}

fn two(id: u64) -> Member {
    member_of(id, 2)
}

fn plan(member: fn(u64) -> Member) -> Plan<'static> {
    Plan {
        nodes: NODES,
        links: &LINKS,
        mute: None,
        returns: None,
        member,
        departed: Vec::new(),
        // A machine with much to do is not silent.
        silence_max: PATIENCE,
        log_bytes_max: None,
    }
}

async fn start(member: fn(u64) -> Member) -> Cluster {
    let cluster = Cluster::start_as(TempDir::new().expect("a folder"), &plan(member));
    whole(&cluster).await;
    cluster
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let held = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, held)
        .await
        .unwrap_or_else(|_elapsed| panic!("{what}"));
}

/// Waits until every node serves what it holds.
async fn whole(cluster: &Cluster) {
    until("every node serves what it holds", async || {
        cluster
            .replicas
            .iter()
            .all(|replica| replica.serving() == replica.held())
    })
    .await;
}

fn at(cluster: &Cluster, id: u64) -> &Replica {
    &cluster.replicas[usize::try_from(id).expect("small") - 1]
}

/// The nodes that hold a listing, and those that do not.
fn sides(cluster: &Cluster, id: &ListingId) -> (Vec<u64>, Vec<u64>) {
    (1..=NODES).partition(|node| at(cluster, *node).held().contains(id.shard()))
}

/// Numbers of listings that a node holds; each node has its own.
fn held_by(cluster: &Cluster, id: u64) -> impl Iterator<Item = u64> {
    let held = at(cluster, id).held();
    (id * 10_000..).filter(move |number| held.contains(listing(*number).shard()))
}

async fn seen(cluster: &Cluster, id: &ListingId, but: &[u64]) {
    let (holders, _) = sides(cluster, id);
    for holder in holders.into_iter().filter(|holder| !but.contains(holder)) {
        until(&format!("node {holder} has {id}"), async || {
            title(at(cluster, holder), id).await.is_some()
        })
        .await;
    }
}

/// Waits until each node of the second region asks each of the first for what it carries.
async fn settled(cluster: &Cluster) {
    until("each log is asked for by its carriers", async || {
        let mut pairs = (4..=NODES).flat_map(|by| (1..=3).map(move |of| (by, of)));
        pairs.all(|(by, of)| {
            let carries = |shard: &ShardId| {
                let holders = (4..=NODES).filter(|id| at(cluster, *id).held().contains(*shard));
                carrier(node(of), holders.map(node)) == Some(node(by))
            };
            let expected: Shards = at(cluster, by).held().iter().filter(carries).collect();
            let inner = at(cluster, by).inner();
            let mesh = &cluster.meshes[usize::try_from(by).expect("small") - 1];
            let connected = |other| mesh.connected(other);
            let asked = inner.sources.asked_of(node(of), &inner.progress, connected);
            let asked: BTreeMap<_, _> = asked.into_iter().collect();
            asked.get(&node(of)).copied().unwrap_or_default() == expected && asked.len() <= 1
        })
    })
    .await;
}

/// Entries that the nodes of one region have sent to those of the other.
fn crossed(cluster: &Cluster) -> u64 {
    let sent = (1..=3).map(|id| {
        let sent = at(cluster, id).sent();
        let there = (4..=NODES).filter_map(|peer| sent.get(&node(peer)).copied());
        there.map(|sent| sent.entries).sum::<u64>()
    });
    sent.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn change_is_on_its_holders_alone_and_crosses_to_a_region_once() {
    let cluster = start(two).await;
    settled(&cluster).await;
    // What was asked for twice while links came has come.
    for writer in 1..=NODES {
        let number = held_by(&cluster, writer).next().expect("without end");
        let id = create(at(&cluster, writer), number).await;
        seen(&cluster, &id, &[]).await;
    }
    let before = crossed(&cluster);
    let mut ids = Vec::new();
    for writer in 1..=3 {
        for number in held_by(&cluster, writer).skip(1).take(8) {
            ids.push(create(at(&cluster, writer), number).await);
        }
    }
    for id in &ids {
        seen(&cluster, id, &[]).await;
        let (holders, others) = sides(&cluster, id);
        assert_eq!((holders.len(), others.len()), (4, 2));
        for other in others {
            assert_eq!(title(at(&cluster, other), id).await, None, "node {other}");
            let digests = at(&cluster, other).digests().expect("readable");
            assert!(digests.iter().all(|one| one.shard != id.shard()));
        }
    }
    assert_eq!(crossed(&cluster) - before, ids.len() as u64);
    alike(&cluster).await;
    cluster.stop().await;
}

/// Waits until the holders of each shard hold the same.
async fn alike(cluster: &Cluster) {
    until("the holders of each shard hold the same", async || {
        let digests = cluster.replicas.iter();
        let mut digests = digests.flat_map(|replica| replica.digests().expect("readable"));
        let mut known = BTreeMap::new();
        digests.all(|one| *known.entry(one.shard).or_insert(one) == one)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_has_seen_a_write_goes_on_at_any_node() {
    let cluster = start(two).await;
    for writer in 1..=NODES {
        let number = held_by(&cluster, writer).next().expect("without end");
        let id = create(at(&cluster, writer), number).await;
        let written = at(&cluster, writer);
        let edited = written
            .edit(&id, &amenity("sauna"), Precondition::None)
            .await;
        let shown = edited.expect("durable").listing;
        let token = written.session_token();
        // Also where it is not held: other listings of the session are.
        for replica in &cluster.replicas {
            let waited = replica.wait_for(&token, PATIENCE).await;
            waited.expect("watermarks come for what is held there");
            if replica.held().contains(id.shard()) {
                let read = replica.read(&id).await.expect("readable");
                assert_eq!(read.expect("it is here").etag(), shown.etag());
            }
        }
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn death_of_a_holder_is_survived() {
    let cluster = start(two).await;
    let number = held_by(&cluster, 1).next().expect("without end");
    let id = listing(number);
    let (holders, _) = sides(&cluster, &id);
    create(at(&cluster, 1), number).await;
    seen(&cluster, &id, &[]).await;
    // Who has brought it to the other region dies.
    let there = holders.iter().filter(|holder| **holder > 3);
    let dead = carrier(node(1), there.copied().map(node)).expect("two");
    cluster.end(dead.get());
    let next =
        held_by(&cluster, 1).find(|next| *next != number && listing(*next).shard() == id.shard());
    let next = create(at(&cluster, 1), next.expect("without end")).await;
    seen(&cluster, &next, &[dead.get()]).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_to_hold_more_serves_it_once_it_has_all_of_it() {
    let cluster = start(one).await;
    let mut ids = Vec::new();
    for number in 1..=40 {
        let holder = (1..=3).find(|id| at(&cluster, *id).held().contains(listing(number).shard()));
        ids.push(create(at(&cluster, holder.expect("one")), number).await);
    }
    for id in &ids {
        seen(&cluster, id, &[]).await;
    }
    let held: Vec<Shards> = cluster.replicas.iter().map(Replica::held).collect();
    let folder = cluster.stop_and_leave().await;

    // Cut off, it serves what it has had, and nothing else.
    let alone = Plan {
        links: &[],
        ..plan(two)
    };
    let cluster = Cluster::start_as(folder, &alone);
    for (replica, before) in cluster.replicas.iter().zip(&held) {
        assert_eq!(replica.serving(), *before);
        assert!(before.len() < replica.held().len());
    }
    let folder = cluster.stop_and_leave().await;

    let cluster = Cluster::start_as(folder, &plan(two));
    for id in &ids {
        for holder in sides(&cluster, id).0 {
            let replica = at(&cluster, holder);
            until(&format!("node {holder} serves {id}"), async || {
                replica.serves(id.shard())
            })
            .await;
            assert!(title(replica, id).await.is_some(), "node {holder} {id}");
        }
    }
    alike(&cluster).await;
    cluster.stop().await;
}
