//! What every other node has durably of every log, by its own latest word.
//!
//! Each node tells each other one its whole version vector now and then, in a request that
//! wants nothing (`PullRequest::tells_only`); what any pull request says is taken note of,
//! too. What all have can be forgotten by whoever kept it for the others: their *floor*.
//!
//! Nothing of it is on disk. A node that has not been heard since this one started has
//! nothing, as far as is known here.
//!
//! Invariant kept here: within a life, which ends with its process, a node only ever gets
//! more, whatever order its words come in; of another life nothing is believed but what is
//! said in it. A node that was set back in time has less than it had said before: until it
//! says so, a floor is higher than what it has. Whoever acts upon a floor must stand that.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::{NodeId, ShardId, Shards};
use meridian_replication_core::{PullRequest, VersionVector};
use meridian_storage::Durability;
use meridian_transport::{Channel, Mesh};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chance;
use crate::error::PullError;
use crate::options::Member;
use crate::replica::{Inner, Replica};

/// What has been told already is told again this often, counted in turns: a word that was
/// overtaken, or came as its hearer stopped, is made good.
const AGAIN_EVERY: u32 = 6;

/// What a node has said in its present life.
#[derive(Debug, Clone, Default)]
struct Word {
    /// What counts of it: the shards that the node holds.
    holds: Shards,
    life: u64,
    /// Whether it has spoken of every log.
    is_whole: bool,
    has: VersionVector,
    /// What it had when it last spoke of every log, all at one time.
    had_at_once: VersionVector,
}

/// The latest word of every other node, and this node's life.
#[derive(Debug)]
pub(crate) struct Told {
    life: u64,
    words: Mutex<BTreeMap<NodeId, Word>>,
}

impl Told {
    /// Nobody has said anything; `others` are those that count, each for what it holds.
    pub(crate) fn new(others: &[Member]) -> Self {
        let silent = |member: &Member| Word {
            holds: member.holds,
            ..Word::default()
        };
        let words = others.iter().map(|member| (member.node, silent(member)));
        Self {
            life: chance::number().max(1),
            words: Mutex::new(words.collect()),
        }
    }

    /// Tells this run of the node from any other; never 0.
    pub(crate) const fn life(&self) -> u64 {
        self.life
    }

    /// Node `peer` has this much of some logs, and perhaps more. One of an earlier version
    /// does not say in which life, and is not believed.
    pub(crate) fn hear(&self, peer: NodeId, life: u64, has: &VersionVector) {
        self.change(peer, life, |word| word.has.merge(has));
    }

    /// The same, of every log.
    pub(crate) fn hear_all(&self, peer: NodeId, life: u64, has: &VersionVector) {
        self.change(peer, life, |word| {
            word.has.merge(has);
            word.had_at_once.merge(has);
            word.is_whole = true;
        });
    }

    fn change(&self, peer: NodeId, life: u64, change: impl FnOnce(&mut Word)) {
        let mut words = self.words();
        let Some(word) = words.get_mut(&peer).filter(|_| life != 0) else {
            return;
        };
        if word.life != life {
            *word = Word {
                life,
                holds: word.holds,
                ..Word::default()
            };
        }
        change(word);
    }

    /// What one other node has durably; `None` if it has not spoken of every log.
    pub(crate) fn word(&self, peer: NodeId) -> Option<VersionVector> {
        let words = self.words();
        let word = words.get(&peer).filter(|word| word.is_whole)?;
        Some(word.has.clone())
    }

    /// What one other node had durably at one time: with what it had of other logs, also all
    /// that it had written itself by then. `None` if it has not spoken of every log.
    pub(crate) fn had_at_once(&self, peer: NodeId) -> Option<VersionVector> {
        let words = self.words();
        let word = words.get(&peer).filter(|word| word.is_whole)?;
        Some(word.had_at_once.clone())
    }

    /// How much of a log every other node has durably, of those that hold its shard.
    pub(crate) fn others_have(&self, origin: NodeId, shard: ShardId) -> u64 {
        let words = self.words();
        let holders = words.values().filter(|word| word.holds.contains(shard));
        let have = holders.map(|word| word.has.get(origin, shard));
        have.min().unwrap_or(u64::MAX)
    }

    /// What every other node has of what is in `own`.
    pub(crate) fn floor_below(&self, own: &VersionVector) -> VersionVector {
        let floor = own.iter().map(|(origin, shard, seq)| {
            let others = self.others_have(origin, shard);
            (origin, shard, seq.min(others))
        });
        floor.collect()
    }

    fn words(&self) -> MutexGuard<'_, BTreeMap<NodeId, Word>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether every node of the cluster, this one included, has had entry `seq` of a log
    /// durably: its change is then causally stable.
    pub(crate) fn everybody_has(&self, origin: NodeId, shard: ShardId, seq: u64) -> bool {
        let here = self.progress.durable_of(origin, shard);
        seq <= here.min(self.told.others_have(origin, shard))
    }
}

impl Replica {
    /// Whether every node of the cluster, this one included, has had entry `seq` of a log
    /// durably, by their own word. A node that was set back in time since may have it no
    /// more; one that was not heard since this node started is taken to have nothing.
    #[must_use]
    pub fn everybody_has(&self, origin: NodeId, shard: ShardId, seq: u64) -> bool {
        self.inner().everybody_has(origin, shard, seq)
    }

    /// What every node of the cluster, this one included, has had durably of every log.
    #[must_use]
    pub fn everybodys_floor(&self) -> VersionVector {
        let inner = self.inner();
        inner.told.floor_below(&inner.progress.vector())
    }
}

/// Starts one task for each other node.
pub(crate) fn start(
    replica: &Replica,
    mesh: &Mesh,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    for member in replica.inner().progress.others() {
        let (replica, mesh, peer) = (replica.clone(), mesh.clone(), member.node);
        let cancel = cancel.clone();
        tracker.spawn(async move {
            // Cancelled by the supervisor; what could not be told is told at the next turn.
            cancel
                .run_until_cancelled(replica.keep_telling(&mesh, peer))
                .await;
        });
    }
}

impl Replica {
    /// Says how much of every log is here, durably, without asking for more. Answers what
    /// it has said.
    pub(crate) async fn tell(&self, mesh: &Mesh, peer: NodeId) -> Result<VersionVector, PullError> {
        let inner = self.inner();
        // What any stream has submitted counts as had: a node that comes back without its
        // log goes by it.
        self.barrier(Durability::Synced).await?;
        let have = inner.progress.vector();
        let others = inner.progress.others().iter().map(|member| member.node);
        let origins = others.chain(inner.progress.departed().iter().copied());
        let request = PullRequest {
            origins: origins.chain([inner.this()]).collect(),
            have: have.clone(),
            tells_only: true,
            life: inner.told.life(),
            holdings: inner.neighbours.this,
            ..PullRequest::default()
        };
        let request = request.encode().into();
        let patience = inner.pull_silence_max;
        let heard = async {
            let mut frames = mesh.open_stream(peer, Channel::Pull, request).await?;
            // It ends when it has been read.
            frames.next().await?;
            Ok(have)
        };
        let heard = timeout(patience, heard).await;
        heard.unwrap_or(Err(PullError::Silent(patience)))
    }

    /// Tells a peer what is here whenever that has changed since, at the pace of
    /// `tell_every`, and at once when the peer is reached anew.
    async fn keep_telling(&self, mesh: &Mesh, peer: NodeId) {
        let inner = self.inner();
        let mut connectivity = mesh.connectivity();
        let (mut told, mut turns) = (None, 0);
        loop {
            connectivity.mark_unchanged();
            if !mesh.connected(peer) {
                told = None;
                if connectivity.changed().await.is_err() {
                    return;
                }
                continue;
            }
            if turns % AGAIN_EVERY == 0 || told.as_ref() != Some(&inner.progress.vector()) {
                match self.tell(mesh, peer).await {
                    Ok(here) => told = Some(here),
                    Err(cause) => {
                        tracing::debug!(%peer, %cause, "a peer was not told what is here");
                        told = None;
                    }
                }
            }
            turns += 1;
            if reconnected(mesh, peer, &mut connectivity, inner.tell_every).await {
                // It may have started anew.
                told = None;
            }
        }
    }
}

/// Waits about `pause`, or until the peer is gone; answers whether it may be another
/// connection then.
async fn reconnected(
    mesh: &Mesh,
    peer: NodeId,
    connectivity: &mut watch::Receiver<u64>,
    pause: Duration,
) -> bool {
    let until = Instant::now() + chance::within(pause / 4 * 3..=pause / 4 * 5);
    let mut changed = false;
    loop {
        tokio::select! {
            biased;
            () = sleep_until(until) => return changed,
            news = connectivity.changed() => {
                changed = true;
                if news.is_err() || !mesh.connected(peer) {
                    return true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{NodeId, ShardId, Shards};
    use meridian_replication_core::VersionVector;

    use super::Told;
    use crate::options::Member;

    fn member(id: u64) -> Member {
        Member {
            node: node(id),
            region: "eu-west".parse().expect("a region"),
            holds: Shards::ALL,
        }
    }

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    fn shard() -> ShardId {
        ShardId::all().next().expect("there are shards")
    }

    fn has(seq: u64) -> VersionVector {
        [(node(1), shard(), seq)].into_iter().collect()
    }

    #[test]
    fn floor_is_what_the_last_of_all_has() {
        let told = Told::new(&[2, 3].map(member));
        told.hear(node(2), 7, &has(5));
        assert_eq!(told.floor_below(&has(9)), VersionVector::new());
        told.hear(node(3), 7, &has(4));
        assert_eq!(told.floor_below(&has(9)), has(4));
        assert_eq!(told.floor_below(&has(3)), has(3));
        told.hear(node(9), 7, &has(1));
        assert_eq!(told.others_have(node(1), shard()), 4, "no member");
    }

    #[test]
    fn who_does_not_hold_a_shard_holds_nothing_of_it_up() {
        let elsewhere = Member {
            holds: ShardId::all().skip(1).collect(),
            ..member(3)
        };
        let told = Told::new(&[member(2), elsewhere]);
        told.hear(node(2), 7, &has(5));
        assert_eq!(told.floor_below(&has(9)), has(5));
    }

    #[test]
    fn word_that_was_overtaken_takes_nothing_back() {
        let told = Told::new(&[member(2)]);
        told.hear(node(2), 7, &has(5));
        told.hear(node(2), 7, &has(4));
        assert_eq!(told.others_have(node(1), shard()), 5);
        told.hear(node(2), 0, &has(9));
        assert_eq!(told.others_have(node(1), shard()), 5, "of no life");
    }

    #[test]
    fn node_that_has_spoken_of_some_logs_only_has_not_said_what_it_lacks() {
        let told = Told::new(&[member(2)]);
        told.hear(node(2), 7, &has(5));
        assert_eq!(told.word(node(2)), None);
        told.hear_all(node(2), 7, &has(5));
        assert_eq!(told.word(node(2)), Some(has(5)));
        told.hear(node(2), 8, &has(5));
        assert_eq!(told.word(node(2)), None, "another life");
    }

    #[test]
    fn word_goes_down_with_another_life() {
        let told = Told::new(&[member(2)]);
        told.hear(node(2), 7, &has(5));
        told.hear(node(2), 8, &VersionVector::new());
        assert_eq!(told.others_have(node(1), shard()), 0);
        told.hear(node(2), 8, &has(3));
        assert_eq!(told.others_have(node(1), shard()), 3);
    }
}
