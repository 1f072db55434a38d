//! All links of a cluster: one relay for each node that dials another. Where there is
//! no distance there is no relay, and nothing to cut, unless the plan wants one everywhere.
//! Or nodes have namespaces of the system, and all that they send each other crosses here.
//!
//! What is wrong with a direction is a stack: each impairment that is laid over it stays
//! until it is lifted, whatever else comes and goes meanwhile.

mod stack;
mod system;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::crossing::Crossing;
use crate::engine::Engine;
use crate::layout::{NodePlan, WanPlan};
use crate::link::{Impairment, Lateness, LinkModel, Meter, Traffic, seed_of};
use crate::namespaces::Namespaces;
use crate::relay::{Relay, Way};
pub use stack::Laid;
use stack::Stack;

/// From one node to another.
pub type NodePair = (u64, u64);

/// The wide-area network between the regions of a local cluster.
#[derive(Debug)]
pub struct Wan {
    carrier: Carrier,
    directions: BTreeMap<NodePair, Direction>,
    stack: Stack,
    nodes: Vec<NodePlan>,
    engine: Engine,
}

/// What carries between the nodes.
#[derive(Debug)]
enum Carrier {
    /// Datagrams of UDP, by the node that dials and the one that is dialled.
    Relays(BTreeMap<NodePair, Relay>),
    /// Packets of IP between namespaces.
    Crossing(Crossing),
}

/// From one node to another, over both of the connections that they have.
#[derive(Debug)]
struct Direction {
    healthy: LinkModel,
    model: watch::Sender<LinkModel>,
    meter: Arc<Meter>,
}

impl Direction {
    fn way(&self, seed: u64) -> Way {
        Way {
            model: self.model.subscribe(),
            meter: Arc::clone(&self.meter),
            seed,
        }
    }
}

impl Wan {
    /// Starts the relays between all nodes, whose QUIC ports are `peers`.
    ///
    /// # Errors
    /// What the operating system says about sockets.
    pub fn start(plan: &WanPlan, peers: &BTreeMap<u64, SocketAddr>) -> io::Result<Self> {
        let seed = plan.seed.unwrap_or_else(rand::random);
        let directions = directions(plan);
        let engine = Engine::start()?;
        let mut relays = BTreeMap::new();
        for (from, to) in directions.keys().copied() {
            let Some(target) = peers.get(&to) else {
                continue;
            };
            let way = |pair: NodePair| directions[&pair].way(seed_of(seed, [pair.0, pair.1, from]));
            let (there, back) = (way((from, to)), way((to, from)));
            let relay = Relay::start(*target, there, back, &engine)?;
            relays.insert((from, to), relay);
        }
        Ok(Self::of(plan, Carrier::Relays(relays), directions, engine))
    }

    /// Starts the links between namespaces, whose nodes are those of the plan.
    ///
    /// # Errors
    /// What the operating system says about TUN devices.
    pub fn between(plan: &WanPlan, namespaces: &Arc<Namespaces>) -> io::Result<Self> {
        let seed = plan.seed.unwrap_or_else(rand::random);
        let directions = directions(plan);
        let engine = Engine::start()?;
        let crossing = Crossing::start(namespaces, &engine, |pair| {
            let direction = directions.get(&pair)?;
            Some(direction.way(seed_of(seed, [pair.0, pair.1, pair.0])))
        })?;
        Ok(Self::of(
            plan,
            Carrier::Crossing(crossing),
            directions,
            engine,
        ))
    }

    fn of(
        plan: &WanPlan,
        carrier: Carrier,
        directions: BTreeMap<NodePair, Direction>,
        engine: Engine,
    ) -> Self {
        Self {
            carrier,
            directions,
            stack: Stack::default(),
            nodes: plan.nodes.clone(),
            engine,
        }
    }

    /// Where node `from` sends to reach node `to`; `None` if it is `to`'s own address.
    #[must_use]
    pub fn address(&self, from: u64, to: u64) -> Option<SocketAddr> {
        match &self.carrier {
            Carrier::Relays(relays) => Some(relays.get(&(from, to))?.address),
            Carrier::Crossing(_) => None,
        }
    }

    /// Every direction that has a link.
    pub fn directions(&self) -> impl Iterator<Item = NodePair> {
        self.directions.keys().copied()
    }

    /// Lays an impairment over directions, until it is lifted. A direction without a link
    /// is passed over.
    pub fn lay(&self, pairs: &[NodePair], impairment: Impairment) -> Laid {
        let laid = self.stack.lay(pairs, impairment);
        self.refresh(pairs);
        laid
    }

    /// Lifts what was laid. A second time does nothing.
    pub fn lift(&self, laid: Laid) {
        let pairs = self.stack.lift(laid);
        self.refresh(&pairs);
    }

    /// Cuts a region off from all others, both ways.
    pub fn isolate(&self, region: &str) {
        self.cut_where(|from, to| (from == region) != (to == region));
    }

    /// Cuts the link between two regions, both ways.
    pub fn cut(&self, one: &str, other: &str) {
        self.cut_where(|from, to| (from, to) == (one, other) || (to, from) == (one, other));
    }

    /// Makes the links between two regions longer, both ways, until they are mended.
    pub fn stretch(&self, one: &str, other: &str, round_trip: Duration) {
        let pairs = self.pairs(|from, to| (from, to) == (one, other) || (to, from) == (one, other));
        for pair in pairs {
            if let Some(direction) = self.directions.get(&pair) {
                let longer = (round_trip / 2).saturating_sub(direction.healthy.delay);
                self.lay(&[pair], Impairment::Delay(longer));
            }
        }
    }

    /// Mends every link: whatever was laid over any of them is lifted.
    pub fn heal(&self) {
        let pairs = self.stack.clear();
        self.refresh(&pairs);
    }

    /// What has become of the datagrams of a direction; `None` where there is no link.
    #[must_use]
    pub fn traffic(&self, pair: NodePair) -> Option<Traffic> {
        Some(self.directions.get(&pair)?.meter.traffic())
    }

    /// How a direction is now; `None` where there is no link.
    #[must_use]
    pub fn model(&self, pair: NodePair) -> Option<LinkModel> {
        Some(*self.directions.get(&pair)?.model.borrow())
    }

    /// How late datagrams were let out, beside what their models said, in all directions.
    #[must_use]
    pub fn lateness(&self) -> Lateness {
        let mut all = Lateness::default();
        for direction in self.directions.values() {
            all.join(&direction.meter.lateness());
        }
        all
    }

    /// Datagrams that the system threw away before a relay could take them, because it came
    /// too late. `None` where the system does not say.
    #[must_use]
    pub fn dropped_by_system(&self) -> Option<u64> {
        match &self.carrier {
            Carrier::Relays(relays) => {
                system::dropped(relays.values().flat_map(|relay| relay.ports))
            }
            Carrier::Crossing(crossing) => crossing.dropped_by_system(),
        }
    }

    /// Why links carry nothing any more; `None` while they do, as relays always do.
    #[must_use]
    pub fn why_broken(&self) -> Option<String> {
        match &self.carrier {
            Carrier::Relays(_) => None,
            Carrier::Crossing(crossing) => crossing.broken().borrow().clone(),
        }
    }

    /// Resolves with the reason once links carry nothing any more.
    pub async fn broken(&self) -> String {
        if let Carrier::Crossing(crossing) = &self.carrier {
            let mut broken = crossing.broken();
            if let Ok(why) = broken.wait_for(Option::is_some).await {
                return why.clone().unwrap_or_default();
            }
        }
        std::future::pending().await
    }

    /// Ends every relay.
    pub async fn stop(&self) {
        self.engine.stop().await;
    }

    fn cut_where(&self, which: impl Fn(&str, &str) -> bool) {
        self.lay(&self.pairs(which), Impairment::Cut);
    }

    fn pairs(&self, which: impl Fn(&str, &str) -> bool) -> Vec<NodePair> {
        self.directions()
            .filter(|(from, to)| which(self.region(*from), self.region(*to)))
            .collect()
    }

    /// Has directions be what is laid over them.
    fn refresh(&self, pairs: &[NodePair]) {
        for pair in pairs {
            if let Some(direction) = self.directions.get(pair) {
                direction.model.send_modify(|model| {
                    // Read in here: of two who change a direction at once, the last to
                    // write sees what both have laid.
                    *model = self.stack.over(*pair, direction.healthy);
                });
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

fn directions(plan: &WanPlan) -> BTreeMap<NodePair, Direction> {
    let mut directions = BTreeMap::new();
    for from in &plan.nodes {
        for to in &plan.nodes {
            if !plan.has_link((from.id, to.id)) {
                continue;
            }
            let healthy = LinkModel::of_round_trip(plan.round_trip(from.region, to.region));
            let direction = Direction {
                healthy,
                model: watch::Sender::new(healthy),
                meter: Arc::default(),
            };
            directions.insert((from.id, to.id), direction);
        }
    }
    directions
}

#[cfg(test)]
mod tests;
