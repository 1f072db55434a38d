//! Puts everything together that takes events out of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use meridian_regions::Topology;
use meridian_transport::{Mesh, NodeIdentity};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::OutboundDesk;
use super::backoff::Backoff;
use super::keeper::{Counters, Keeper};
use super::nats::NatsSink;
use super::pump::Policy;
use super::runner::Around;
use super::webhook::{Private, WebhookSender};
use crate::clock::Clock;
use crate::config::{Config, EventsSection};
use crate::events::EventsDesk;
use crate::registers::Registers;
use crate::supervisor::peers_of;

/// A database that a node may lose: the others have all of it.
pub(crate) const REGISTERS_FOLDER: &str = "registers";
/// Attempts of one endpoint at once, each of another listing: what a small receiver can take.
const IN_FLIGHT_MAX: usize = 16;

/// What it is made of.
pub(crate) struct Parts<'a> {
    identity: &'a NodeIdentity,
    topology: &'a Arc<Topology>,
    events: &'a EventsDesk,
    clock: &'a Clock,
    mesh: &'a Mesh,
}

impl<'a> Parts<'a> {
    pub(crate) const fn new(
        identity: &'a NodeIdentity,
        topology: &'a Arc<Topology>,
        (events, clock, mesh): (&'a EventsDesk, &'a Clock, &'a Mesh),
    ) -> Self {
        Self {
            identity,
            topology,
            events,
            clock,
            mesh,
        }
    }
}

/// Opens the registers and begins to deliver, until `cancel`.
pub(crate) fn open(
    config: &Config,
    parts: Parts<'_>,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> anyhow::Result<(Registers, OutboundDesk)> {
    let (clock, mesh) = (parts.clock.clone(), parts.mesh.clone());
    let registers = open_registers(config, &parts)?;
    let sender = sender(&config.events, clock.clone())?;
    let counters: Arc<Counters> = Arc::default();
    let nats = NatsSink::new(config)?;
    let keeper = Keeper {
        node: parts.identity.node,
        mesh,
        around: Around {
            region: parts.identity.region.clone(),
            topology: Arc::clone(parts.topology),
            events: parts.events.clone(),
            registers: registers.clone(),
            clock,
            kept_ms: u64::try_from(config.events.retention().age_max.as_millis())
                .unwrap_or(u64::MAX),
            counters: Arc::clone(&counters),
        },
        sender: sender.clone(),
        policy: policy(&config.events),
        nats: nats.clone(),
        running: BTreeMap::new(),
    };
    registers.start(tracker, cancel);
    keeper.start(tracker, cancel);
    let desk = OutboundDesk::new(registers.clone(), sender, counters)
        .with_stream(nats.map(|sink| sink.watched));
    Ok((registers, desk))
}

fn open_registers(config: &Config, parts: &Parts<'_>) -> anyhow::Result<Registers> {
    let peers = peers_of(parts.topology, config, parts.identity).into_iter();
    let who = (
        parts.identity.node,
        peers.map(|peer| peer.node).collect::<Vec<_>>(),
    );
    let folder = config.node.data_dir.join(REGISTERS_FOLDER);
    let connected = (parts.clock.clone(), parts.mesh.clone());
    Registers::open(folder, who, connected).with_context(|| {
        format!(
            "cannot open the registers' database: while the node is stopped its folder \
             `{REGISTERS_FOLDER}` may be removed, and the other nodes give back what it had"
        )
    })
}

fn sender(config: &EventsSection, clock: Clock) -> anyhow::Result<WebhookSender> {
    let private = if config.allow_private_targets {
        Private::Allowed
    } else {
        Private::Refused
    };
    let deadline = Duration::from_millis(config.attempt_deadline_ms.get());
    Ok(WebhookSender::new(clock, deadline, private)?)
}

fn policy(config: &EventsSection) -> Policy {
    Policy {
        attempts_max: Some(config.max_attempts),
        backoff: Backoff {
            first: Duration::from_millis(config.retry_first_ms.get()),
            max: Duration::from_millis(config.retry_max_ms.get()),
        },
        in_flight_max: IN_FLIGHT_MAX,
    }
}
