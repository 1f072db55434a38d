//! How far this node has come with every origin: numbers, timestamps, watermarks.
//!
//! Three things are kept for each origin: the numbers of its entries that are
//! durable here, the latest timestamp among them, and its *watermark*, up to which
//! everything that it has written is here, in each shard. A reader may have seen the
//! second; only the third promises that nothing is missing. What is said of all this to
//! readers is said of the shards that this node serves.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::{Hlc, NodeId, RegionId, ShardId, Shards, UnixNanos};
use meridian_replication_core::{LogFloor, SessionToken, VersionVector};
use tokio::time::Instant;

use crate::adopting::Whole;
use crate::marks::Marks;
use crate::options::Member;
use crate::recover::Recovered;
use crate::watch;

/// How far this node is behind another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginLag {
    /// The other node.
    pub origin: NodeId,
    /// Its region.
    pub region: RegionId,
    /// Age of its watermark; `None` before the first one has come.
    pub lag: Option<Duration>,
}

#[derive(Debug, Default)]
struct State {
    durable: VersionVector,
    /// The latest timestamp that is durable here, by origin.
    seen: BTreeMap<NodeId, Hlc>,
    watermarks: BTreeMap<NodeId, Marks>,
    /// When its least watermark was last raised since the start, by origin.
    heard: BTreeMap<NodeId, Instant>,
    agreed: Option<Agreed>,
    whole: Whole,
}

/// What this node's clock showed when it was last found to be in time with another's.
#[derive(Debug, Clone, Copy)]
struct Agreed {
    shown: UnixNanos,
    at: Instant,
}

impl Agreed {
    /// What the clock would show now, had nobody set it since.
    fn shows(self) -> UnixNanos {
        self.shown.saturating_add(self.at.elapsed())
    }
}

/// Progress with every origin. Shared by writers, pullers and readers.
pub(crate) struct Progress {
    this: Member,
    others: Vec<Member>,
    departed: Vec<NodeId>,
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

impl Progress {
    pub(crate) fn new(
        (this, others): (Member, Vec<Member>),
        departed: Vec<NodeId>,
        recovered: Recovered,
        whole: Whole,
    ) -> Self {
        let marks = recovered.watermarks.values();
        let marks = marks.filter_map(|marks| marks.groups(Shards::ALL).pop());
        // At the least: a clock may have been set back while this node was down.
        let agreed = marks.map(|(mark, _)| mark).max().map(|mark| Agreed {
            shown: mark.to_unix_nanos(),
            at: Instant::now(),
        });
        Self {
            this,
            others,
            departed,
            state: Mutex::new(State {
                durable: recovered.vector,
                seen: recovered.seen,
                watermarks: recovered.watermarks,
                heard: BTreeMap::new(),
                agreed,
                whole,
            }),
            version: watch::channel(0).0,
        }
    }

    pub(crate) const fn this(&self) -> &Member {
        &self.this
    }

    pub(crate) fn others(&self) -> &[Member] {
        &self.others
    }

    /// Nodes that are gone for good, whose logs live on.
    pub(crate) fn departed(&self) -> &[NodeId] {
        &self.departed
    }

    /// A number that grows with every progress.
    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// An entry has become durable. Called by the writer, in order of submission.
    pub(crate) fn durable(&self, origin: NodeId, shard: ShardId, seq: u64, hlc: Hlc) {
        self.durable_together(&[(origin, shard, seq, hlc)]);
    }

    /// The same, of entries that have become durable at once: who waits looks once.
    pub(crate) fn durable_together(&self, entries: &[(NodeId, ShardId, u64, Hlc)]) {
        {
            let mut state = self.state();
            for (origin, shard, seq, hlc) in entries {
                if let Err(gap) = state.durable.advance(*origin, *shard, *seq) {
                    // Entries are checked before they are submitted: a bug, not a fault.
                    debug_assert!(false, "{gap}");
                    tracing::error!(%gap, "an entry became durable out of order");
                }
                let seen = state.seen.entry(*origin).or_default();
                *seen = (*hlc).max(*seen);
            }
        }
        self.version.send_modify(|version| *version += 1);
    }

    /// Everything of these logs up to these floors is durable here, though it did not come
    /// entry by entry. Called by the writer, in order of submission.
    pub(crate) fn skip_to(&self, floors: &[LogFloor]) {
        {
            let mut state = self.state();
            let through = floors.iter();
            let through = through.map(|floor| (floor.origin, floor.shard, floor.seq));
            state.durable.merge(&through.collect());
            for floor in floors {
                let seen = state.seen.entry(floor.origin).or_default();
                *seen = floor.hlc.max(*seen);
            }
        }
        self.version.send_modify(|version| *version += 1);
    }

    /// Everything that `origin` wrote in some shards up to `through` is here, which this node's
    /// clock, at `now`, does not find ahead of its time. Answers its watermarks.
    pub(crate) fn watermark(
        &self,
        origin: NodeId,
        shards: Shards,
        through: Hlc,
        now: UnixNanos,
    ) -> Marks {
        let (marks, is_raised) = {
            let mut state = self.state();
            let before = state.mark(origin);
            let marks = state.watermarks.entry(origin).or_default();
            let is_raised = marks.raise(shards, through);
            let marks = marks.clone();
            let at = Instant::now();
            if is_raised {
                state.agreed = Some(Agreed { shown: now, at });
            }
            // A log that is held up in one shard brings no freshness by the others.
            if state.mark(origin) > before {
                state.heard.insert(origin, at);
            }
            (marks, is_raised)
        };
        if is_raised {
            self.version.send_modify(|version| *version += 1);
        }
        marks
    }

    /// Lets whoever waits for progress look again.
    pub(crate) fn touch(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// The watermarks of an origin in some shards, the least first; 0 where none has come.
    pub(crate) fn marks_of(&self, origin: NodeId, shards: Shards) -> Vec<(Hlc, Shards)> {
        let state = self.state();
        let marks = state.watermarks.get(&origin);
        marks.map_or_else(
            || Marks::default().groups(shards),
            |marks| marks.groups(shards),
        )
    }

    /// Whether everything that `origin` wrote in some shards before `at` is here.
    pub(crate) fn reaches(&self, origin: NodeId, shards: Shards, at: UnixNanos) -> bool {
        let state = self.state();
        let marks = state.watermarks.get(&origin);
        shards.is_empty() || marks.is_some_and(|marks| marks.reach(shards, at))
    }

    /// Whether everything is here that others wrote before `at` and this node holds.
    pub(crate) fn has_caught_up(&self, at: UnixNanos) -> bool {
        let mut others = self.others.iter();
        others.all(|other| self.reaches(other.node, self.this.holds, at))
    }

    /// The shards that this node serves.
    pub(crate) fn whole(&self) -> Shards {
        self.state().whole.shards
    }

    /// These are served from now on, too, by what is durable here already.
    pub(crate) fn now_whole(&self, shards: Shards, since: Hlc) -> Whole {
        let whole = {
            let mut state = self.state();
            state.whole.shards |= shards;
            state.whole.since = since.max(state.whole.since);
            state.whole
        };
        self.version.send_modify(|version| *version += 1);
        whole
    }

    /// The last number of a log that is durable here.
    pub(crate) fn durable_of(&self, origin: NodeId, shard: ShardId) -> u64 {
        self.state().durable.get(origin, shard)
    }

    /// Numbers of the entries that are durable here.
    pub(crate) fn vector(&self) -> VersionVector {
        self.state().durable.clone()
    }

    /// The latest timestamp of each node that is still there, of which something is here.
    pub(crate) fn seen(&self) -> Vec<(NodeId, Hlc)> {
        let state = self.state();
        let members = std::iter::once(&self.this).chain(&self.others);
        members
            .filter_map(|member| Some((member.node, *state.seen.get(&member.node)?)))
            .collect()
    }

    /// Those of `seen` that say more than what is known here, of nodes that are still there.
    pub(crate) fn news(&self, seen: &[(NodeId, Hlc)]) -> Vec<(NodeId, Hlc)> {
        let known = self.seen();
        let is_news = |(node, hlc): &&(NodeId, Hlc)| {
            let here = known.iter().find(|(known, _)| known == node);
            let is_member =
                *node == self.this.node || self.others.iter().any(|other| other.node == *node);
            is_member && here.is_none_or(|(_, here)| here < hlc)
        };
        seen.iter().filter(is_news).copied().collect()
    }

    /// Documents that have become durable here may hold what the nodes wrote through
    /// `seen`. No watermark: what else they wrote may be missing.
    pub(crate) fn saw(&self, seen: &[(NodeId, Hlc)]) {
        {
            let mut state = self.state();
            for (node, hlc) in seen {
                let latest = state.seen.entry(*node).or_default();
                *latest = (*hlc).max(*latest);
            }
        }
        self.version.send_modify(|version| *version += 1);
    }

    /// What an answer given now may have seen.
    pub(crate) fn session_token(&self) -> SessionToken {
        let mut token = SessionToken::new();
        let state = self.state();
        for member in std::iter::once(&self.this).chain(&self.others) {
            if let Some(seen) = state.seen.get(&member.node) {
                token.merge(member.node, *seen);
            }
        }
        token.minted_by(self.this.node)
    }

    /// Whether everything that a token has seen is here: because this node minted it when
    /// it served what it serves now, or because the watermarks say so. A node that has been
    /// removed holds nobody up; one that is not known here has written what cannot be here.
    pub(crate) fn covers(&self, token: &SessionToken) -> bool {
        let is_own = token.minter() == Some(self.this.node);
        is_own && token.latest() >= self.state().whole.since || self.covers_by_watermarks(token)
    }

    /// The same, by the watermarks alone.
    pub(crate) fn covers_by_watermarks(&self, token: &SessionToken) -> bool {
        let known = |node| {
            node == self.this.node
                || self.others.iter().any(|member| member.node == node)
                || self.departed.contains(&node)
        };
        let state = self.state();
        token.nodes().all(known)
            && self.others.iter().all(|member| {
                let demand = token.demand(member.node);
                state.whole.shards.is_empty() || demand <= state.mark(member.node)
            })
    }

    /// How far this node is behind each other one, whose clock shows `now`.
    pub(crate) fn lag(&self, now: UnixNanos) -> Vec<OriginLag> {
        let state = self.state();
        self.others
            .iter()
            .map(|member| OriginLag {
                origin: member.node,
                region: member.region.clone(),
                lag: state.lag(member.node, now),
            })
            .collect()
    }

    /// The greatest lag; `None` before every other node has been heard.
    pub(crate) fn staleness(&self, now: UnixNanos) -> Option<Duration> {
        let state = self.state();
        let mut lags = self.others.iter();
        lags.try_fold(Duration::ZERO, |worst, member| {
            Some(worst.max(state.lag(member.node, now)?))
        })
    }

    /// What this node's clock, which shows `now`, would show if it had not been set back.
    pub(crate) fn set_right(&self, now: UnixNanos) -> UnixNanos {
        self.state().set_right(now)
    }

    /// Whether a lag of no more than `bound` may come about soon: each node that is further away
    /// has been heard of within `silence`.
    pub(crate) fn may_freshen(&self, bound: Duration, silence: Duration, now: UnixNanos) -> bool {
        let state = self.state();
        self.others.iter().all(|member| {
            let is_fresh = || state.lag(member.node, now).is_some_and(|lag| lag <= bound);
            let heard = state.heard.get(&member.node);
            heard.is_some_and(|at| at.elapsed() <= silence) || is_fresh()
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Up to where everything is here of an origin, in the shards that this node serves.
    fn mark(&self, origin: NodeId) -> Option<Hlc> {
        let marks = self.watermarks.get(&origin)?;
        marks.least(self.whole.shards)
    }

    /// How far this node, whose clock shows `now`, is behind an origin. A clock that was set back
    /// would show too little for as long as no watermark is taken because of it.
    fn lag(&self, origin: NodeId, now: UnixNanos) -> Option<Duration> {
        let mark = self.mark(origin)?.to_unix_nanos();
        Some(self.set_right(now).saturating_since(mark))
    }

    /// What this node's clock, which shows `now`, would show if it had not been set back.
    fn set_right(&self, now: UnixNanos) -> UnixNanos {
        self.agreed.map_or(now, |agreed| agreed.shows().max(now))
    }
}

#[cfg(test)]
mod tests;
