//! What the parts of a node are told, from its configuration and the cluster's map.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use meridian_consensus::{GroupOptions, Groups, Past};
use meridian_regions::{NodeId, NodeState, Topology};
use meridian_replication::{Forgotten, Member, Replica, ReplicaOptions};
use meridian_trace::Tracer;
use meridian_transport::{Mesh, MeshOptions, NodeIdentity, PeerAddress, TlsMaterial};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BOOKINGS_FOLDER, LISTINGS_FOLDER};
use crate::booking::{BookingDesk, DeskOptions, DriverOptions, Tasks};
use crate::clock::Clock;
use crate::cluster_map::ClusterMap;
use crate::config::Config;
use crate::data_folder::RunningFolder;
use crate::moves::Mover;
use crate::relay::Relay;
use crate::{formats, payments};

/// How often others are told what is here while that changes: a long history waits for it, twice,
/// and is loaded with all that is written meanwhile.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Every other node that is still there, where this one dials it.
pub(crate) fn peers_of(
    topology: &Topology,
    config: &Config,
    identity: &NodeIdentity,
) -> Vec<PeerAddress> {
    let dials = &config.cluster.dial;
    let dialled = |member: &meridian_regions::Node| {
        let own = dials.iter().rev().find(|dial| dial.node == member.id);
        own.map_or(&member.peer, |dial| &dial.address).clone()
    };
    topology
        .nodes()
        .iter()
        .filter(|member| member.id != identity.node && member.state != NodeState::Removed)
        .map(|member| PeerAddress {
            node: member.id,
            region: member.region.clone(),
            address: dialled(member),
        })
        .collect()
}

pub(super) fn open_replica(
    config: &Config,
    clock: &Clock,
    topology: &Topology,
    (peers, returns, forgotten): (&[PeerAddress], Option<String>, Option<Forgotten>),
    tracer: &Tracer,
) -> anyhow::Result<Replica> {
    let options = ReplicaOptions {
        tracer: tracer.clone(),
        wall_clock: clock.of_listings(),
        forgotten,
        ..replica_options(config, topology, peers, returns)
    };
    Replica::open(options).context("cannot open the listings' database")
}

pub(crate) fn replica_options(
    config: &Config,
    topology: &Topology,
    peers: &[PeerAddress],
    returns: Option<String>,
) -> ReplicaOptions {
    let holdings = config.holdings(topology);
    let this = Member {
        node: config.node.id,
        region: config.node.region.clone(),
        holds: holdings.of_node(config.node.id),
    };
    let others = peers.iter().map(|peer| Member {
        node: peer.node,
        region: peer.region.clone(),
        holds: holdings.of_node(peer.node),
    });
    let path = config.node.data_dir.join(LISTINGS_FOLDER);
    ReplicaOptions {
        formats: formats::dialect(config, topology).formats,
        returns,
        holdings: holdings.digest(),
        departed: departed(topology).into_iter().collect(),
        clock_drift_max: Duration::from_millis(config.listings.clock_drift_ms_max.get()),
        repair_every: config.listings.repair_every(),
        repairs_per_second_max: config.listings.repairs_per_second_max,
        log_bytes_max: config.listings.log_bytes_max.get(),
        log_reserve_entries: config.listings.log_reserve_entries,
        tell_every: TELL_EVERY,
        changes_before_renewal: NonZeroU64::new(config.listings.changes_before_renewal),
        events: config.events.retention(),
        documents_hot_max: config.listings.documents_hot_max,
        rendered_bytes_max: config.listings.rendered_bytes_max,
        block_cache_bytes: config.storage.block_cache_bytes.get(),
        write_buffer_bytes: config.storage.write_buffer_bytes.get(),
        ..ReplicaOptions::new(path, this, others.collect())
    }
}

/// Nodes that have been removed for good.
fn departed(topology: &Topology) -> Vec<NodeId> {
    let nodes = topology.nodes().iter();
    let removed = nodes.filter(|member| member.state == NodeState::Removed);
    removed.map(|member| member.id).collect()
}

pub(super) fn mesh_options(
    config: &Config,
    (identity, topology): (&NodeIdentity, &Topology),
    (tls, folder): (TlsMaterial, &RunningFolder),
    peers: Vec<PeerAddress>,
) -> MeshOptions {
    MeshOptions {
        witness: Some(Arc::new(folder.clone())),
        dialect: formats::dialect(config, topology),
        peers,
        departed: departed(topology),
        ..MeshOptions::new(config.listen.peer, identity.clone(), tls)
    }
}

pub(super) fn group_options(
    (config, topology): (&Config, &Topology),
    clock: &Clock,
    returns: Option<String>,
    tracer: &Tracer,
) -> GroupOptions {
    GroupOptions {
        tracer: tracer.clone(),
        wall_clock: clock.of_bookings(),
        past: returns.map_or(Past::Whole, Past::Lost),
        format_level: topology.format_level(),
        groups_awake_max: config.bookings.groups_awake_max.get(),
        idle: Duration::from_millis(config.bookings.idle_ms.get()),
        wakes_per_second_max: config.bookings.wakes_per_second_max.get(),
        events: config.events.retention(),
        block_cache_bytes: config.storage.block_cache_bytes.get(),
        write_buffer_bytes: config.storage.write_buffer_bytes.get(),
        ..GroupOptions::new(config.node.data_dir.join(BOOKINGS_FOLDER), config.node.id)
    }
}

pub(super) fn booking_desk(
    config: &Config,
    (groups, mesh, clock, tracer): (&Groups, &Mesh, &Clock, &Tracer),
    tracker: &TaskTracker,
    background: &CancellationToken,
) -> anyhow::Result<BookingDesk> {
    let tasks = Tasks {
        tracker: tracker.clone(),
        stopping: background.clone(),
    };
    Ok(BookingDesk::new(
        config.node.id,
        groups.clone(),
        mesh.clone(),
        payments::open(&config.payments)?,
        desk_options(config, clock.clone(), tracer.clone()),
        tasks,
    ))
}

pub(super) fn mover(
    config: &Config,
    (replica, relay): (&Replica, &Relay),
    (groups, map, clock): (&Groups, &ClusterMap, &Clock),
) -> Mover {
    let pace = config.bookings.moves_per_second_max;
    let listings = (replica.clone(), relay.clone());
    Mover::new(groups.clone(), listings, map.clone(), clock.clone(), pace)
}

fn desk_options(config: &Config, clock: Clock, tracer: Tracer) -> DeskOptions {
    const HOUR_MS: u64 = 60 * 60 * 1_000;
    let payments = &config.payments;
    DeskOptions {
        clock,
        tracer,
        driver: DriverOptions {
            call_deadline: Duration::from_millis(payments.deadline_ms.get()),
            calls_max: payments.calls_max.get(),
        },
        key_kept_ms: payments.idempotency_hours.get().saturating_mul(HOUR_MS),
    }
}
