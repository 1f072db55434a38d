//! All links of a cluster: one relay for each node that dials another. Where there is
//! no distance there is no relay, and nothing to cut.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::layout::{NodePlan, WanPlan};
use crate::link::{LinkModel, LinkState};
use crate::relay::Relay;

/// The wide-area network between the regions of a local cluster.
#[derive(Debug)]
pub struct Wan {
    relays: BTreeMap<(u64, u64), Relay>,
    nodes: Vec<NodePlan>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Wan {
    /// Starts the relays between all nodes, whose QUIC ports are `peers`.
    ///
    /// # Errors
    /// What the operating system says about sockets.
    pub async fn start(plan: &WanPlan, peers: &BTreeMap<u64, SocketAddr>) -> io::Result<Self> {
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let mut relays = BTreeMap::new();
        for from in &plan.nodes {
            for to in plan.nodes.iter().filter(|to| to.id != from.id) {
                let Some(target) = peers.get(&to.id) else {
                    continue;
                };
                let round_trip = plan.round_trip(from.region, to.region);
                if round_trip.is_zero() {
                    continue;
                }
                let model = LinkModel::of_round_trip(round_trip);
                let relay = Relay::start(*target, model, &tracker, &cancel).await?;
                relays.insert((from.id, to.id), relay);
            }
        }
        Ok(Self {
            relays,
            nodes: plan.nodes.clone(),
            tracker,
            cancel,
        })
    }

    /// Where node `from` sends to reach node `to`.
    #[must_use]
    pub fn address(&self, from: u64, to: u64) -> Option<SocketAddr> {
        Some(self.relays.get(&(from, to))?.address)
    }

    /// Cuts a region off from all others, both ways.
    pub fn isolate(&self, region: &str) {
        self.set(LinkState::Cut, |from, to| {
            (from == region) != (to == region)
        });
    }

    /// Cuts the link between two regions, both ways.
    pub fn cut(&self, one: &str, other: &str) {
        self.set(LinkState::Cut, |from, to| {
            (from, to) == (one, other) || (to, from) == (one, other)
        });
    }

    /// Mends every link.
    pub fn heal(&self) {
        self.set(LinkState::Up, |_, _| true);
    }

    /// Ends every relay.
    pub async fn stop(&self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn set(&self, state: LinkState, which: impl Fn(&str, &str) -> bool) {
        for ((from, to), relay) in &self.relays {
            if which(self.region(*from), self.region(*to)) {
                relay.model.send_modify(|model| model.state = state);
            }
        }
    }

    fn region(&self, node: u64) -> &'static str {
        self.nodes
            .iter()
            .find(|plan| plan.id == node)
            .map_or("", |plan| plan.region)
    }
}
