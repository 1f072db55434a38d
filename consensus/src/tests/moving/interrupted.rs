//! A move that is interrupted after each of its steps: by the death of a member, of the
//! mover, and by cuts. Clients go on on both sides meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use meridian_consensus_core::Outcome;
use meridian_regions::Genesis;
use openraft::{EntryPayload, RaftLogReader};
use tokio::time::timeout;

use super::super::{Cluster, DEADLINE, NEVER_IDLE, block, genesis, node};
use super::{STEP, nodes, order};
use crate::Moving;
use crate::types::{LogIdOf, MembershipOf};

/// More steps than a move has: admit, join, hand over, leave.
const STEPS: usize = 5;
/// A client's patience where there may be no quorum.
const IMPATIENT: Duration = Duration::from_millis(1_500);
/// The voters before and after. Node 1 is at home, leads, and goes; node 2 stays.
const FROM: [u64; 3] = [1, 2, 3];
const TO: [u64; 3] = [2, 3, 4];

/// What breaks it.
#[derive(Debug, Clone, Copy)]
enum Break {
    Kill(u64),
    CutOff(u64),
    CutOffSilently(u64),
}

/// Every membership that some node has in a log, by its place.
type Memberships = BTreeMap<LogIdOf, MembershipOf>;

impl Cluster {
    async fn gather(&self, genesis: &Genesis, seen: &mut Memberships) {
        let running: Vec<u64> = self.running.keys().map(|node| node.get()).collect();
        for id in running {
            let mut log = self.node(id).log(&genesis.listing);
            let entries = log.try_get_log_entries(0..u64::MAX).await.expect("whole");
            for entry in entries {
                if let EntryPayload::Membership(membership) = entry.payload {
                    seen.insert(entry.log_id, membership);
                }
            }
        }
    }

    /// Proposes through every node that runs, each side on its own: answers whose night
    /// was closed, as far as anybody was told.
    async fn close_everywhere(&self, genesis: &Genesis, night: i8) -> Vec<u64> {
        let running: Vec<u64> = self.running.keys().map(|node| node.get()).collect();
        let told = running.into_iter().map(async |id| {
            let mut command = block(night);
            if let Some(idempotency) = command.idempotency.as_mut() {
                idempotency.key = format!("night {night} of {id}");
            }
            let answered = self.node(id).propose(genesis, command, IMPATIENT).await;
            let outcome = answered.ok()?.outcome().clone();
            matches!(outcome, Outcome::Blocked(_)).then_some(id)
        });
        futures::future::join_all(told)
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    async fn interrupt(
        &mut self,
        genesis: &Genesis,
        broken: Break,
        seen: &mut Memberships,
        night: i8,
    ) {
        match broken {
            Break::Kill(id) => self.kill_node(id),
            Break::CutOff(id) => self.cut(id),
            Break::CutOffSilently(id) => self.cut_silently(id),
        }
        let sold = self.close_everywhere(genesis, night).await;
        assert!(sold.len() <= 1, "night {night} is closed by {sold:?}");
        self.gather(genesis, seen).await;
        match broken {
            Break::Kill(id) => self.start_node(id),
            Break::CutOff(_) => self.heal(),
            Break::CutOffSilently(_) => {
                let cut = &self.switchboard.silently_cut;
                cut.lock().expect("not poisoned").clear();
            }
        }
    }
}

/// Every set of nodes of four that may decide.
fn quorums(membership: &MembershipOf) -> Vec<BTreeSet<u64>> {
    let subset = |bits: u64| (1..=4).filter(|node| bits >> (node - 1) & 1 == 1).collect();
    let decides = |nodes: &BTreeSet<u64>| {
        let mut sets = membership.get_joint_config().iter();
        sets.all(|set| 2 * set.intersection(nodes).count() > set.len())
    };
    (0..16).map(subset).filter(decides).collect()
}

/// Quorums of memberships that follow one another have a node in common. One that was
/// lost with its leader is followed by whatever its successor wrote.
fn check(seen: &Memberships) {
    let memberships: Vec<&MembershipOf> = seen.values().collect();
    for pair in memberships.windows(2) {
        for quorum in quorums(pair[0]) {
            for other in quorums(pair[1]) {
                assert!(!quorum.is_disjoint(&other), "{} then {}", pair[0], pair[1]);
            }
        }
    }
}

/// Moves a group, breaks something after so many steps, mends it, and lets another node
/// move it on.
async fn interrupted(cluster: &mut Cluster, number: u64, after: usize, broken: Break) {
    let (genesis, order) = (genesis(number), order(&FROM, &TO));
    let mut seen = Memberships::new();
    cluster.propose(&genesis, &block(0)).await;
    let mut taken = 0;
    timeout(DEADLINE, async {
        while taken < after {
            match cluster.node(1).move_step(&genesis, &order, STEP).await {
                Ok(Moving::Settled(_)) => break,
                Ok(_) => taken += 1,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await
    .expect("it comes on while nothing is broken");
    cluster.gather(&genesis, &mut seen).await;
    cluster.interrupt(&genesis, broken, &mut seen, 1).await;
    let settled = cluster.carry_out(4, &genesis, &order).await;
    assert_eq!(settled.voters, nodes(&TO), "{broken:?} after {after}");
    cluster.gather(&genesis, &mut seen).await;
    check(&seen);
    cluster.propose(&genesis, &block(2)).await;
    let view = cluster.read(&genesis).await;
    let closed = view.ledger.reservations().count();
    assert!(
        (2..=3).contains(&closed),
        "{broken:?} after {after}: {closed}"
    );
    assert_eq!(cluster.node(4).voters(&genesis).len(), 3);
    assert!(!cluster.node(2).voters(&genesis).contains(&node(1)));
}

/// Once after each step, each time with another group.
async fn interrupted_everywhere(first: u64, broken: Break) {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    for after in 0..=STEPS {
        interrupted(&mut cluster, first + after as u64, after, broken).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn move_survives_the_death_of_its_mover_and_leader_after_each_step() {
    interrupted_everywhere(100, Break::Kill(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn move_survives_the_death_of_a_voter_that_stays_after_each_step() {
    interrupted_everywhere(110, Break::Kill(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn move_survives_the_death_of_the_voter_that_comes_after_each_step() {
    interrupted_everywhere(120, Break::Kill(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn move_survives_that_who_goes_is_cut_off_after_each_step() {
    interrupted_everywhere(130, Break::CutOff(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn move_survives_that_who_stays_is_cut_off_unnoticed_after_each_step() {
    interrupted_everywhere(140, Break::CutOffSilently(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn move_survives_that_who_comes_is_cut_off_after_each_step() {
    interrupted_everywhere(150, Break::CutOff(4)).await;
}
