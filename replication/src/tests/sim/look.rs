//! Looking at logs and watermarks: whether what these speak for is there, and whether a
//! number has been given twice.

use std::collections::{BTreeMap, BTreeSet};

use meridian_regions::{Hlc, NodeId, ShardId, Shards};
use meridian_replication_core::ReceivedEntry;

use super::history::{Claim, Place, digest};
use super::world::World;
use crate::Replica;
use crate::keys::{self, LOG};

/// Timestamps of entries, in the order of their numbers.
type Times = Vec<u64>;
type Log = BTreeMap<(NodeId, ShardId), Times>;

/// What nodes' logs hold, as far as it has been looked at.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// By node, of one life.
    nodes: BTreeMap<u64, (u64, Log)>,
    /// What stands where, by the first log in which it was seen.
    given: BTreeMap<Place, u64>,
    reused: BTreeSet<Place>,
}

impl Logs {
    /// An entry that nobody has: its number may be given again.
    pub(super) fn free(&mut self, place: Place) {
        self.given.remove(&place);
    }

    /// Reads what has come since the last look.
    fn follow(&mut self, id: u64, life: u64, replica: &Replica) {
        let known = self.nodes.entry(id).or_default();
        if known.0 != life {
            *known = (life, Log::new());
        }
        for (origin, shard, last) in replica.inner().progress.vector().iter() {
            let times = known.1.entry((origin, shard)).or_default();
            for seq in times.len() as u64 + 1..=last {
                let place = keys::entry(origin, shard, seq);
                let entry = replica.inner().store.get(LOG, &place);
                let Some(entry) = entry.expect("readable") else {
                    // A hole: the logs are not the same in the end.
                    times.push(u64::MAX);
                    continue;
                };
                let place = (origin.get(), shard.get(), seq);
                let content = digest(&entry);
                if *self.given.entry(place).or_insert(content) != content {
                    self.reused.insert(place);
                }
                let entry = ReceivedEntry::decode(entry).expect("an entry");
                times.push(entry.hlc.as_u64());
            }
        }
    }

    /// An entry of `origin` through a time that somebody has and node `id` has not.
    fn lack(&self, id: u64, origin: NodeId, through: u64) -> Option<Place> {
        let (_, own) = self.nodes.get(&id)?;
        let logs = self.nodes.values().flat_map(|(_, log)| log);
        let mut lacks = logs.filter_map(|((of, shard), times)| {
            let due = times.partition_point(|time| *time <= through);
            let has = own.get(&(*of, *shard)).map_or(0, Vec::len);
            let lacks = *of == origin && due > has;
            lacks.then_some((of.get(), shard.get(), has as u64 + 1))
        });
        lacks.next()
    }
}

impl World {
    /// Writes down what every node that is up holds for true.
    pub(super) fn look(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let up = state.nodes.iter();
        let up = up.filter_map(|(id, node)| {
            let running = node.running.as_ref()?;
            Some((*id, node.crashes, running.replica.clone()))
        });
        let up: Vec<_> = up.collect();
        state
            .logs
            .nodes
            .retain(|id, _| up.iter().any(|(up, ..)| up == id));
        for (id, life, replica) in &up {
            state.logs.follow(*id, *life, replica);
            if let Some(lost) = &*replica.log_lost().borrow() {
                self.stuck(format!("node {id} has lost nothing and says: {lost}"));
            }
        }
        let mut history = self.history();
        for place in std::mem::take(&mut state.logs.reused) {
            history.reused.push(format!("{place:?} was given twice"));
        }
        for (id, life, replica) in &up {
            for origin in self.plan.nodes().filter(|origin| origin != id) {
                let origin = super::super::setup::node(origin);
                let marks = replica.inner().progress.marks_of(origin, Shards::ALL);
                let Some((mark, _)) = marks.first().filter(|(mark, _)| *mark > Hlc::default())
                else {
                    continue;
                };
                let through = mark.as_u64();
                history.claims.push(Claim {
                    node: *id,
                    life: *life,
                    origin: origin.get(),
                    through,
                    lacks: state.logs.lack(*id, origin, through),
                });
            }
        }
    }
}
