//! Runs rounds: when it is time, and when somebody asks; one at a time, and one peer at a
//! time in each.

use std::time::Duration;

use meridian_regions::{NodeId, ShardId, Shards};
use meridian_storage::{Batch, Durability};
use meridian_transport::Mesh;
use tokio::time::{Instant, sleep_until};

use super::rounds::{AskedBy, RepairRound, RepairScope, RoundState};
use super::visit::Visit;
use super::{RepairError, RepairTotals, RepairsFull};
use crate::chance;
use crate::error::{LogLost, PullError};
use crate::keys::{self, PROGRESS};
use crate::options::Member;
use crate::puller::contained;
use crate::replica::Replica;
use crate::returning::Stage;

/// The first round comes soon after a start: what was done to the disk was done before.
const FIRST_AFTER: Duration = Duration::from_secs(60);

/// Runs rounds until the node stops. Cancelled by the supervisor: what has been mended
/// stands, and what was not is found again.
pub(crate) async fn drive(replica: Replica, mesh: Mesh) {
    let rounds = &replica.inner().rounds;
    // A node that has nothing yet is about to pull everything.
    let is_new = replica.stats().listings == 0;
    let first = replica.inner().repair_every;
    let first = first.map(|every| {
        if is_new {
            every
        } else {
            every.min(FIRST_AFTER)
        }
    });
    let mut due = first.map(about);
    loop {
        let is_due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = rounds.asked() => {}
            () = is_due => {
                due = replica.inner().repair_every.map(about);
                // A node that comes back runs a round of its own before it writes.
                if replica.inner().returning.stage() != Stage::Own {
                    // Full: then enough is under way.
                    let _ = rounds.ask(RepairScope::Everything, AskedBy::Schedule);
                }
            }
        }
        while let Some(round) = rounds.next() {
            run(&replica, &mesh, &round, &everybody(&replica)).await;
        }
    }
}

/// In about so long: nodes that were started together do not meet for ever.
fn about(pause: Duration) -> Instant {
    Instant::now() + chance::within(pause / 4 * 3..=pause / 4 * 5)
}

fn everybody(replica: &Replica) -> Vec<NodeId> {
    let others = replica.inner().progress.others().iter();
    others.map(|other| other.node).collect()
}

/// Visits these nodes. Answers what came of it.
async fn run(
    replica: &Replica,
    mesh: &Mesh,
    round: &RepairRound,
    peers: &[NodeId],
) -> Option<RepairRound> {
    let inner = replica.inner();
    let (rounds, number) = (&inner.rounds, round.round);
    let members = inner.progress.others().iter();
    let members = members.filter(|member| peers.contains(&member.node));
    let peers: Vec<(NodeId, Vec<ShardId>)> = members
        .map(|other| {
            let compared = compared(replica, other, round);
            (other.node, compared.iter().collect())
        })
        .collect();
    let shards: usize = peers.iter().map(|(_, shards)| shards.len()).sum();
    rounds.tell(number, |progress| {
        progress.peers = peers.len() as u64;
        progress.shards = shards as u64;
    });
    for (peer, shards) in peers {
        let mut visit = Visit::new(replica, mesh, peer, round);
        match contained(visit.run(&shards), RepairError::Panicked).await {
            Ok(()) => rounds.tell(number, |progress| progress.peers_done += 1),
            // It has never mended anything: it holds nothing but what its log does.
            Err(RepairError::Unsupported) if round.asked_by == AskedBy::Return => {
                rounds.tell(number, |progress| progress.peers_done += 1);
            }
            Err(cause) => {
                rounds.tell(number, |progress| {
                    progress.last_error = Some(format!("node {peer}: {cause}"));
                });
                if let RepairError::LogLost(lost) = cause {
                    replica.lose_for_good(lost).await;
                    break;
                }
            }
        }
    }
    let ended = rounds.end(number)?;
    tell_of(&ended);
    Some(ended)
}

/// Says in the log what came of a round.
fn tell_of(ended: &RepairRound) {
    let (number, progress) = (ended.round, &ended.progress);
    let (differing, mended, bytes) = (progress.differing, progress.mended, progress.bytes);
    let last_error = progress.last_error.as_deref().unwrap_or_default();
    if ended.state == RoundState::Incomplete {
        tracing::warn!(
            round = number,
            differing,
            mended,
            bytes,
            last_error,
            "a round of repair has left something"
        );
    } else if mended > 0 {
        tracing::warn!(
            round = number,
            differing,
            mended,
            bytes,
            "a round of repair has mended what the log did not bring"
        );
    } else {
        tracing::info!(
            round = number,
            differing,
            mended,
            bytes,
            "a round of repair is done"
        );
    }
}

/// The shards that are compared with a peer: those that both hold. A node on its way back
/// looks for what it has written in all that the peer holds: it may have held it, too.
fn compared(replica: &Replica, other: &Member, round: &RepairRound) -> Shards {
    let shards = round.scope.shards().into_iter().collect::<Shards>() & other.holds;
    match round.asked_by {
        AskedBy::Return => shards,
        AskedBy::Schedule | AskedBy::Operator | AskedBy::LeftBehind => shards & replica.held(),
    }
}

/// Pause after a round that this node waits for has not reached everybody.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Replica {
    /// Has every document, or those of a shard, compared with those of every other node,
    /// and what is missing here fetched: in the background, soon. May be repeated.
    ///
    /// # Errors
    /// [`RepairsFull`].
    pub fn repair(&self, scope: RepairScope) -> Result<RepairRound, RepairsFull> {
        self.inner().rounds.ask(scope, AskedBy::Operator)
    }

    /// Rounds of repair that wait, run, or have ended lately.
    #[must_use]
    pub fn repairs(&self) -> Vec<RepairRound> {
        self.inner().rounds.all()
    }

    /// What all rounds since the start have come to.
    #[must_use]
    pub fn repair_totals(&self) -> RepairTotals {
        self.inner().rounds.totals()
    }

    /// Takes no write from now on, nor after any start before a return: a round would
    /// notice only some time after it.
    async fn lose_for_good(&self, lost: LogLost) {
        let inner = self.inner();
        let mut batch = Batch::new();
        batch.put(PROGRESS, keys::lost(), lost.to_string().into_bytes());
        let permit = inner.writer.reserve().await;
        let noted = permit.map(|permit| permit.submit(batch, Durability::Synced));
        inner.lose(lost);
        if let Ok(noted) = noted {
            // A failed write is the writer's to announce.
            let _ = noted.await;
        }
    }

    /// Fetches what the documents of others hold, before this node writes again: changes
    /// that it had made may be there and in no log. Returns once every other node has been
    /// visited.
    pub(crate) async fn fetch_what_others_hold(&self, mesh: &Mesh) {
        loop {
            let rounds = &self.inner().rounds;
            let round = rounds.begin(RepairScope::Everything, AskedBy::Return);
            let ended = run(self, mesh, &round, &everybody(self)).await;
            if ended.is_some_and(|ended| ended.progress.peers_done == ended.progress.peers) {
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Takes everything that is in a peer's documents as they are now, or in later ones.
    ///
    /// # Errors
    /// [`PullError::NotCompared`] if something was left.
    pub(crate) async fn take_whole(&self, mesh: &Mesh, peer: NodeId) -> Result<(), PullError> {
        let rounds = &self.inner().rounds;
        let round = rounds.begin(RepairScope::Everything, AskedBy::LeftBehind);
        let ended = run(self, mesh, &round, &[peer]).await;
        match ended {
            Some(ended) if ended.state == RoundState::Done => Ok(()),
            ended => Err(PullError::NotCompared(
                ended
                    .and_then(|ended| ended.progress.last_error)
                    .unwrap_or_else(|| "it was interrupted".to_owned()),
            )),
        }
    }
}
