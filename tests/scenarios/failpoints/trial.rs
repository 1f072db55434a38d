//! A cluster under load whose nodes are made to die at failpoints, one after the other.

mod apart;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use meridian_chaos::{ClusterError, WanPlan, until};
use meridian_client::CallError;
use meridian_failpoints::Failpoint;

use crate::guests::Guests;
use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario};
use crate::provider::Provider;

/// What `kill -9` sends.
const SIGKILL: i32 = 9;
/// Guests at each node.
const GUESTS_EACH: usize = 2;
/// See the module.
pub(super) struct Trial {
    pub(super) guests: Guests,
    scenario: Scenario,
    provider: Provider,
}

impl Trial {
    pub(super) async fn start(pace: Duration, settings: &[&str]) -> Self {
        let provider = Provider::start().await;
        let mut all = provider.settings();
        all.push("chaos.enabled=true".to_owned());
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let plan = WanPlan::scaled_down(LINK_DIVISOR);
        let scenario = Scenario::start_with(plan, all).await;
        let guests = Guests::start(&scenario, GUESTS_EACH, pace).await;
        guests.go_on(1).await;
        Self {
            guests,
            scenario,
            provider,
        }
    }

    /// Ends the load, and compares the three accounts.
    pub(super) async fn end(self) {
        let Self {
            guests,
            scenario,
            provider,
        } = self;
        scenario.cluster.wait_connected().await.expect("connected");
        guests.stop_and_audit(&scenario, &provider).await;
        scenario.stop().await;
    }

    /// A node dies at a point that it comes to under any load.
    pub(super) async fn die_at(&mut self, point: Failpoint, node: u64, hits: u32) {
        self.arm(point, node, hits).await;
        self.await_death(point, node).await;
        self.restart(node).await;
    }

    /// A node dies as a listing's group is founded there.
    pub(super) async fn die_founding(&mut self, point: Failpoint, node: u64) {
        self.arm(point, node, 1).await;
        self.guests.open_another(&self.scenario, node).await;
        self.await_death(point, node).await;
        self.restart(node).await;
    }

    /// A node dies over a vote: its neighbour, which leads a listing, has died before.
    pub(super) async fn die_voting(&mut self, point: Failpoint, node: u64) {
        let neighbour = node % 3 + 1;
        // One that is for sale: a group that nobody uses elects nobody.
        self.guests.open_another(&self.scenario, neighbour).await;
        self.at_home(neighbour).await;
        self.arm(point, node, 1).await;
        self.scenario.cluster.kill(neighbour).await.expect("it ran");
        self.await_death(point, node).await;
        self.restart(node).await;
        self.restart(neighbour).await;
    }

    /// Whoever leads a listing dies at a point that only a leader comes to.
    pub(super) async fn die_leading(&mut self, point: Failpoint) {
        let listing = self.guests.listings().remove(0);
        let mut armed = BTreeSet::new();
        let died = until(PATIENCE, format!("a death at {point}"), async || {
            // It may change, by itself.
            if let Some(leader) = self.leader(&listing).await
                && !armed.contains(&leader)
            {
                self.arm(point, leader, 1).await;
                armed.insert(leader);
            }
            self.first_dead(&armed)
        })
        .await;
        self.bring_back(point, died.expect("the point is reached"), armed)
            .await;
    }

    /// New listings in place of all that are booked, which may be sold out before enough
    /// has been written.
    pub(super) async fn open_anew(&mut self) {
        for home in self.scenario.cluster.ids() {
            self.guests.open_another(&self.scenario, home).await;
        }
    }

    /// Who offers a leadership to its home, where `home` is a node, dies on the way.
    pub(super) async fn die_transferring(&mut self, point: Failpoint, home: u64) {
        // Nights enough that somebody wants: a group that sleeps offers nothing.
        self.guests.open_another(&self.scenario, home).await;
        // Another one leads, and home is only just back.
        self.scenario.cluster.kill(home).await.expect("it ran");
        self.another_leads(home).await;
        // Before it is back: on a slow machine the offer is made as soon as it is. And the
        // leader may still change, by itself.
        let mut armed: BTreeSet<u64> = self.scenario.cluster.ids().into_iter().collect();
        armed.remove(&home);
        for node in &armed {
            self.arm(point, *node, 1).await;
        }
        self.restart(home).await;
        // A home that has died before has to live for longer before it is offered anything.
        let what = format!("a death at {point}");
        let died = until(PATIENCE * 2, what, async || self.first_dead(&armed)).await;
        self.bring_back(point, died.expect("the point is reached"), armed)
            .await;
    }

    /// Waits until a node leads the listing that is at home with it, and answers which one
    /// that is.
    async fn at_home(&self, home: u64) -> String {
        let listing = self.listing_of(home);
        let at_home = until(PATIENCE, "its leader is at home", async || {
            (self.leader(&listing).await == Some(home)).then_some(())
        });
        at_home.await.expect("it comes home");
        listing
    }

    /// Waits until another node leads the listing that is at home with `home`.
    async fn another_leads(&self, home: u64) {
        let listing = self.listing_of(home);
        let witness = home % 3 + 1;
        let leader = until(PATIENCE, "another leader", async || {
            let leader = self.leader_by(witness, &listing).await;
            leader.filter(|leader| *leader != home)
        });
        leader.await.expect("elected");
    }

    /// The first of some nodes that has died, and how.
    fn first_dead(&mut self, of: &BTreeSet<u64>) -> Option<(u64, ExitStatus)> {
        of.iter()
            .find_map(|node| self.ended(*node).map(|how| (*node, how)))
    }

    /// Restarts who died at a point, and sees to it that none of the others that were armed
    /// does so later.
    async fn bring_back(
        &mut self,
        point: Failpoint,
        (died, how): (u64, ExitStatus),
        mut armed: BTreeSet<u64>,
    ) {
        assert_eq!(how.signal(), Some(SIGKILL), "node {died} at {point}: {how}");
        armed.remove(&died);
        for node in armed {
            let admin = self.scenario.cluster.admin(node).expect("a node");
            // It may have died there too.
            let disarmed = admin.arm_failpoint(point.name(), 0).await;
            if disarmed.is_err() {
                self.await_death(point, node).await;
                self.restart(node).await;
            }
        }
        self.restart(died).await;
    }

    /// The listing that is at home with a node.
    fn listing_of(&self, node: u64) -> String {
        let place = usize::try_from(node - 1).expect("small");
        self.guests.listings().remove(place)
    }

    async fn arm(&self, point: Failpoint, node: u64, hits: u32) {
        let admin = self.scenario.cluster.admin(node).expect("a node");
        match admin.arm_failpoint(point.name(), hits).await {
            // It may come to the point, and die, before it has answered.
            Ok(()) | Err(CallError::Unknown(_)) => {}
            Err(error) => panic!("arming {point} at node {node}: {error}"),
        }
    }

    async fn await_death(&mut self, point: Failpoint, node: u64) {
        let what = format!("the death of node {node} at {point}");
        let how = until(PATIENCE, what, async || self.ended(node)).await;
        let how = how.expect("the point is reached");
        assert_eq!(how.signal(), Some(SIGKILL), "node {node} at {point}: {how}");
    }

    fn ended(&mut self, node: u64) -> Option<ExitStatus> {
        let ended: Result<_, ClusterError> = self.scenario.cluster.take_ended(node);
        ended.expect("it ran")
    }

    async fn restart(&mut self, node: u64) {
        let restarted = self.scenario.cluster.restart(node).await;
        restarted.expect("it starts again");
    }

    /// Who leads a listing, by the first node that says so.
    async fn leader(&self, listing: &str) -> Option<u64> {
        for node in self.scenario.cluster.ids() {
            if let Some(leader) = self.leader_by(node, listing).await {
                return Some(leader);
            }
        }
        None
    }

    async fn leader_by(&self, node: u64, listing: &str) -> Option<u64> {
        let admin = self.scenario.cluster.admin(node).expect("a node");
        admin.group(listing).await.ok()?["leader"].as_u64()
    }
}
