//! Messages that are late, lost, doubled and overtaken, between nodes that crash.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{Genesis, NodeId, RegionId};
use meridian_simulation::pass;
use openraft::raft::AppendEntriesRequest;
use prost::Message;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::history::{Led, Piece, Sent, digest};
use super::world::World;
use crate::codec::EntryRecord;
use crate::envelope::{Call, Request};
use crate::tests::node;
use crate::types::{Types, VoteOf};
use crate::{Called, GroupTransport, TransportError};

/// A message that is late is so by this many milliseconds: longer than any deadline of
/// its sender.
const LATE_MS: (u64, u64) = (100, 3_000);
/// How likely a doomed node is to crash over a message, per mille.
const DOOM: u64 = 250;
/// One way, when all is well, in milliseconds.
const CALM_MS: (u64, u64) = (1, 5);

/// One end of the network, for one life of a node.
#[derive(Clone)]
pub(super) struct Line {
    world: Arc<World>,
    from: u64,
    dead: CancellationToken,
}

/// What becomes of one message, one way.
struct Fate {
    delay: Duration,
    lost: bool,
    /// When a copy of it arrives.
    again: Option<Duration>,
}

/// What a message is about, as far as crashes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Entries,
    Promise,
    Other,
}

impl Line {
    pub(super) fn new(world: &Arc<World>, from: u64, dead: &CancellationToken) -> Self {
        Self {
            world: Arc::clone(world),
            from,
            dead: dead.clone(),
        }
    }

    async fn carry(
        self,
        to: u64,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, TransportError> {
        let until = Instant::now() + deadline;
        if self.dead.is_cancelled() || self.alive(to).is_none() {
            return Err(TransportError::NotSent("silent".to_owned()));
        }
        let (world, from) = (&self.world, self.from);
        let kind = world.observe(from, &request);
        let fate = world.fate();
        if let Some(delay) = fate.again {
            let copy = deliver(Arc::clone(world), (from, to), kind, request.clone());
            world.tracker.spawn(async move {
                pass(delay).await;
                copy.await;
            });
        }
        let (answer, answered) = oneshot::channel();
        let there = deliver(Arc::clone(world), (from, to), kind, request);
        world.tracker.spawn(async move {
            pass(fate.delay).await;
            if !fate.lost
                && let Some(reply) = there.await
            {
                // Nobody may be waiting any longer.
                let _ = answer.send(reply);
            }
        });
        if kind == Kind::Entries && world.dooms(from, world.plan.crash_on_append) {
            // Now, or while the disk still has it.
            let lives_on = world.delay();
            let (dead, world) = (self.dead.clone(), Arc::clone(world));
            self.world.tracker.spawn(async move {
                pass(lives_on).await;
                if !dead.is_cancelled() {
                    world.crash_for_a_while(from);
                }
            });
        }
        match timeout_at(until, answered).await {
            Ok(Ok(reply)) => Ok(reply),
            _ => {
                sleep_until(until).await;
                Err(TransportError::Unknown("late".to_owned()))
            }
        }
    }

    fn alive(&self, to: u64) -> Option<u64> {
        let (now_ms, lag_ms) = (self.world.now_ms(), self.world.plan.pulse_lag_ms);
        let state = self.world.state();
        state.links.alive_for(self.from, to, now_ms, lag_ms)
    }
}

/// Has a message handled, and brings the answer back. What a node does for a message it
/// does to its end, whether or not somebody still waits.
async fn deliver(
    world: Arc<World>,
    (from, to): (u64, u64),
    kind: Kind,
    request: Bytes,
) -> Option<Bytes> {
    if world.state().links.is_cut(from, to) {
        return None;
    }
    let handled = world.ask(to, |groups| async move {
        groups.handle(node(from), request).await
    });
    let reply = handled.await?;
    let fate = world.fate();
    if kind != Kind::Other && world.dooms(to, world.plan.crash_on_answer) {
        world.crash_for_a_while(to);
    }
    pass(fate.delay).await;
    let arrives = !fate.lost && !world.state().links.is_cut(to, from);
    arrives.then_some(reply)
}

impl World {
    /// Whether a node crashes over a message.
    fn dooms(&self, id: u64, per_mille: u64) -> bool {
        let mut state = self.state();
        let doomed = state.doomed == Some(id);
        let per_mille = if doomed { DOOM } else { per_mille };
        !state.calm && state.rng.chance(per_mille)
    }

    fn delay(&self) -> Duration {
        let (from, until) = self.plan.disk_ms;
        self.state().rng.millis(from, until)
    }

    fn fate(&self) -> Fate {
        let mut state = self.state();
        if state.calm {
            return Fate {
                delay: state.rng.millis(CALM_MS.0, CALM_MS.1),
                lost: false,
                again: None,
            };
        }
        let (from, until) = self.plan.delay_ms;
        let late = state.rng.chance(self.plan.late);
        let late = late.then(|| state.rng.millis(LATE_MS.0, LATE_MS.1));
        let twice = state.rng.chance(self.plan.twice);
        Fate {
            delay: late.unwrap_or_else(|| state.rng.millis(from, until)),
            lost: state.rng.chance(self.plan.lost),
            again: twice.then(|| state.rng.millis(from, LATE_MS.1)),
        }
    }

    /// Takes note of what a message says about leaders and entries.
    fn observe(&self, from: u64, request: &Bytes) -> Kind {
        let request = Request::decode(request.clone()).expect("of this version");
        let genesis = Genesis::decode(&request.genesis).expect("of this version");
        let place = self.listings.iter().position(|one| *one == genesis);
        let listing = place.expect("one of ours") as u64;
        match request.call {
            Some(Call::Append(append)) => match AppendEntriesRequest::<Types>::try_from(append) {
                Ok(request) => self.observe_append(listing, &request),
                Err(cause) => {
                    self.history().pieces.push(Piece {
                        place: format!("a message of node {from}: {cause}"),
                        after: None,
                        indexes: vec![u64::MAX],
                    });
                    Kind::Other
                }
            },
            Some(Call::Snapshot(snapshot)) => {
                self.observe_leader(listing, VoteOf::from(snapshot.vote));
                Kind::Promise
            }
            Some(Call::Vote(_)) => Kind::Promise,
            _ => Kind::Other,
        }
    }

    fn observe_append(&self, listing: u64, request: &AppendEntriesRequest<Types>) -> Kind {
        self.observe_leader(listing, request.vote);
        let mut history = self.history();
        for entry in &request.entries {
            history.entries.insert(Sent {
                listing,
                term: entry.log_id.leader_id.term,
                index: entry.log_id.index,
                digest: digest(&EntryRecord::from(entry).encode_to_vec()),
            });
        }
        if request.entries.is_empty() {
            Kind::Other
        } else {
            Kind::Entries
        }
    }

    fn observe_leader(&self, listing: u64, vote: VoteOf) {
        self.history().leaders.insert(Led {
            listing,
            term: vote.leader_id.term,
            node: vote.leader_id.voted_for,
        });
    }
}

impl GroupTransport for Line {
    fn call(&self, to: NodeId, request: Bytes, deadline: Duration) -> Called {
        Box::pin(self.clone().carry(to.get(), request, deadline))
    }

    fn alive_for(&self, node: NodeId) -> Option<Duration> {
        self.alive(node.get()).map(Duration::from_millis)
    }

    fn region(&self, node: NodeId) -> Option<RegionId> {
        let regions = ["eu-west", "us-east", "ap-southeast"];
        let place = usize::try_from(node.get()).ok()?.checked_sub(1)?;
        regions.get(place)?.parse().ok()
    }
}
