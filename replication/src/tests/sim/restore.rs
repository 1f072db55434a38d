//! A node whose disk is put back to what it was before, or to nothing: its operator says so
//! at once, and it comes back as the design has it (ADR 22, 29).

use std::sync::Arc;

use meridian_replication_core::LogEntry;
use meridian_simulation::{copy_at_rest, pass};

use super::history::Mark;
use super::node::Crash;
use super::world::World;
use crate::Replica;
use crate::keys::{self, LOG};
use crate::tests::setup::node;

/// Once in the life of a world.
pub(super) async fn run(world: Arc<World>, id: u64) {
    let mut rng = world.fork();
    pass(rng.millis(0, 8_000)).await;
    let backup = world.folder.path().join(format!("{id}-backup"));
    if rng.chance(700) {
        copy_at_rest(&world.state().nodes[&id].folder, &backup);
        world.tell(format!("node {id} is copied"));
    }
    pass(rng.millis(100, 8_000)).await;
    let Some((replica, _)) = world.reach(id) else {
        // Its disk is replaced another time.
        return;
    };
    let lost = lost_by(&world, id, &replica);
    drop(replica);
    world.crash(id, Crash::PowerCut);
    take_leave_of(&world, &lost);
    let restored = world.folder.path().join(format!("{id}-restored"));
    if backup.is_dir() {
        copy_at_rest(&backup, &restored);
    }
    world.tell(format!("node {id} is put back and comes back"));
    {
        let mut state = world.state();
        let known = state.nodes.get_mut(&id).expect("known");
        known.folder = restored;
        known.returns = Some("return".to_owned());
    }
    pass(rng.millis(10, 2_000)).await;
    world.start_node(id);
}

/// Entries that nobody but node `id` has for sure.
fn lost_by(world: &World, id: u64, replica: &Replica) -> Vec<LogEntry> {
    let others = {
        let state = world.state();
        let others = state.nodes.iter().filter(|(other, _)| **other != id);
        let others = others.map(|(_, node)| match &node.running {
            Some(running) => running.replica.inner().progress.vector(),
            None => node.left.clone(),
        });
        others.collect::<Vec<_>>()
    };
    let this = node(id);
    let own = replica.inner().progress.vector();
    let mut lost = Vec::new();
    for (_, shard, last) in own.iter().filter(|(origin, ..)| *origin == this) {
        let elsewhere = others.iter().map(|vector| vector.get(this, shard));
        let elsewhere = elsewhere.max().unwrap_or(0);
        for seq in elsewhere + 1..=last {
            let entry = replica
                .inner()
                .store
                .get(LOG, &keys::entry(this, shard, seq));
            let entry = entry.expect("readable").expect("it is durable");
            lost.push(LogEntry::decode(&entry).expect("an entry"));
        }
    }
    lost
}

/// Takes note of what goes with these entries: the whole listing with that which creates
/// it.
fn take_leave_of(world: &World, lost: &[LogEntry]) {
    let listings = world.state().listings.clone();
    let mut history = world.history();
    let history = &mut *history;
    for entry in lost {
        let Some((number, _)) = (0..).zip(&listings).find(|(_, id)| **id == entry.listing) else {
            continue;
        };
        history.lost_of.insert((number, entry.origin.get()));
        if entry.genesis.is_some() {
            history.lost_listings.insert(number);
        }
        // Changes are not compressed: what they add stands in them.
        let brings = |mark: &Mark| {
            let mut pieces = entry.change.windows(mark.len());
            pieces.any(|piece| piece == mark.as_bytes())
        };
        let of_listing = history.writes.iter();
        let of_listing = of_listing.filter(|(_, write)| write.listing == number);
        let marks = of_listing.filter(|(mark, _)| brings(mark));
        history.lost.extend(marks.map(|(mark, _)| mark.clone()));
        let place = (entry.origin.get(), entry.shard.get(), entry.seq);
        world.state().logs.free(place);
    }
}
