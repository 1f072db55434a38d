//! Nodes that were cut off, and die as they come to what the others have done meanwhile.

use meridian_chaos::until;
use meridian_failpoints::Failpoint;

use super::{PATIENCE, Trial};

/// Entries after which the others keep nothing of what a node has missed: a snapshot is made
/// every 256, and 64 are kept behind it.
const MISSED: u64 = 256 + 64 + 80;
/// How often a leader is cut off until it has a command on its hands.
const CUTS_MAX: u32 = 3;

impl Trial {
    /// A leader that was cut off with a command on its hands dies as it takes that out of
    /// its log again.
    pub(crate) async fn die_truncating(&mut self, point: Failpoint, node: u64) {
        let strands = until(CUTS_MAX * PATIENCE, "a command is stranded", async || {
            self.strand(node).await.then_some(())
        });
        strands.await.expect("it leads until it has noticed");
        self.meet_again(point, node).await;
    }

    /// Cuts a leader off, and asks it for something; answers whether it has that in its log.
    /// One that has noticed in between appends nothing, and is healed again. Each time of a
    /// listing of its own: one whose nights are all sold sleeps, and nobody is elected.
    async fn strand(&mut self, node: u64) -> bool {
        self.guests.open_another(&self.scenario, node).await;
        let listing = self.at_home(node).await;
        self.isolate(node);
        let before = self.last_entry(node, &listing).await;
        self.guests.invite(&self.scenario, node, &listing);
        self.another_leads(node).await;
        let is_stranded = self.last_entry(node, &listing).await > before;
        if !is_stranded {
            self.scenario.cluster.wan().heal();
        }
        is_stranded
    }

    /// A node that has missed more than the others keep dies as it is given their ledger.
    pub(crate) async fn die_installing(&mut self, point: Failpoint, node: u64) {
        let other = node % 3 + 1;
        self.guests.open_another(&self.scenario, other).await;
        let listing = self.at_home(other).await;
        // Used on both.
        self.guests.go_on(1).await;
        self.isolate(node);
        let known = self.last_entry(other, &listing).await.unwrap_or(0);
        let missed = until(2 * PATIENCE, "more is missed than is kept", async || {
            let last = self.last_entry(other, &listing).await?;
            (last >= known + MISSED).then_some(())
        });
        missed.await.expect("guests book");
        self.meet_again(point, node).await;
    }

    /// Who is offered a leadership because it is the listing's home dies on taking it. It is
    /// cut off, not killed: so it can be armed before anybody offers it anything.
    pub(crate) async fn die_taking(&mut self, point: Failpoint, home: u64) {
        self.guests.open_another(&self.scenario, home).await;
        self.at_home(home).await;
        self.isolate(home);
        self.another_leads(home).await;
        self.meet_again(point, home).await;
    }

    fn isolate(&self, node: u64) {
        let cluster = &self.scenario.cluster;
        let known = cluster.nodes().find(|known| known.id == node);
        let region = &known.expect("a node of the cluster").region;
        cluster.wan().isolate(region);
    }

    async fn meet_again(&mut self, point: Failpoint, node: u64) {
        self.arm(point, node, 1).await;
        self.scenario.cluster.wan().heal();
        self.await_death(point, node).await;
        self.restart(node).await;
    }

    async fn last_entry(&self, node: u64, listing: &str) -> Option<u64> {
        let admin = self.scenario.cluster.admin(node).expect("a node");
        admin.group(listing).await.ok()?["last_log_index"].as_u64()
    }
}
