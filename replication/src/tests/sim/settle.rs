//! What must come true once everything is mended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use meridian_regions::ListingId;
use meridian_replication_core::{ChangeId, SessionToken, VersionVector};
use meridian_simulation::pass;
use meridian_storage::{Durability, FEED_PAGE_MAX};
use tokio::time::Instant;

use super::history::{Final, digest};
use super::requests::{Deed, Outcome, serve, sight};
use super::world::World;
use crate::documents::open;
use crate::keys::{LOG, QUARANTINE};
use crate::tests::setup::{draft, genesis, listing, node};
use crate::{ReadListing, Replica, ShardDigest};

/// Of virtual time: longer than everything that anybody waits for.
const SETTLE_MAX: Duration = Duration::from_secs(120);
const ROUND: Duration = Duration::from_millis(500);
/// A key after every entry.
const LOG_END: [u8; 19] = [0xff; 19];
/// Numbers of the listings that nodes make at last.
const LAST: u64 = 1_000_000;

/// Awaits that every node takes writes and that all are the same; looks at them then.
pub(super) async fn settle(world: &Arc<World>) {
    let until = Instant::now() + SETTLE_MAX;
    for id in world.plan.nodes() {
        if !takes_a_write(world, id, until).await {
            world.stuck(format!("node {id} takes no writes any more"));
        }
    }
    // Documents begin anew when nobody writes, too, and whoever looks at one replica after
    // the other would see one before and one after: what is seen counts if nothing moved.
    while !look_at_all(world, until).await {}
}

/// Awaits that all are the same, and looks at them. Answers whether they stood still.
async fn look_at_all(world: &World, until: Instant) -> bool {
    while !all_the_same(world) {
        if Instant::now() >= until {
            // The checkers say in what they differ.
            world.stuck("replicas do not become the same".to_owned());
            break;
        }
        pass(ROUND).await;
    }
    world.tell("all is quiet".to_owned());
    let before = stands(world).await;
    world.look();
    for id in world.plan.nodes() {
        if let Some((replica, _)) = world.reach(id) {
            look_at(world, id, &replica).await;
        }
    }
    let stood_still = stands(world).await == before && all_the_same(world);
    stood_still || Instant::now() >= until
}

/// What every node has, durably.
async fn stands(world: &World) -> Vec<(VersionVector, Vec<ShardDigest>)> {
    let mut stands = Vec::new();
    for id in world.plan.nodes() {
        if let Some((replica, _)) = world.reach(id) {
            let settled = replica.barrier(Durability::Synced).await;
            settled.expect("the disk is well");
            let digests = replica.digests().expect("readable");
            stands.push((replica.inner().progress.vector(), digests));
        }
    }
    stands
}

async fn takes_a_write(world: &World, id: u64, until: Instant) -> bool {
    while Instant::now() < until {
        let new = listing(LAST + id);
        let mut genesis = genesis(&new);
        genesis.created_by = node(id);
        let deed = Deed::Create(Box::new((draft("Loft"), genesis)));
        let token = SessionToken::new();
        let asked = world.ask(id, |replica| serve(replica, new.clone(), deed, None, token));
        match asked.await {
            Some((Outcome::Written(_), _)) => {
                world.state().listings.push(new);
                return true;
            }
            _ => pass(ROUND).await,
        }
    }
    false
}

fn all_the_same(world: &World) -> bool {
    let replicas: Vec<Replica> = world
        .plan
        .nodes()
        .filter_map(|id| Some(world.reach(id)?.0))
        .collect();
    let vector = |replica: &Replica| replica.inner().progress.vector();
    let first = &replicas[0];
    replicas.len() == world.plan.regions.len()
        && replicas.iter().all(Replica::has_returned)
        && replicas.iter().all(|other| vector(other) == vector(first))
        && replicas
            .iter()
            .all(|other| other.digests() == first.digests())
}

async fn look_at(world: &World, id: u64, replica: &Replica) {
    let quarantined = replica.stats().quarantined;
    if quarantined > 0 {
        let aside = &replica.inner().store;
        let aside = aside.scan(QUARANTINE, &[], &LOG_END, usize::MAX);
        let aside = aside.expect("readable").into_iter();
        let aside: Vec<String> = aside
            .map(|(_, record)| String::from_utf8_lossy(&record).into_owned())
            .collect();
        world.stuck(format!(
            "node {id} has set {quarantined} changes aside: {aside:?}"
        ));
    }
    let listings = world.state().listings.clone();
    for (number, listing) in (0..).zip(&listings) {
        let shown = replica.read(listing).await.expect("readable");
        let conflicts = replica.conflicts(listing).await.expect("readable");
        let shown = shown.map(|shown| finally(replica, &shown, format!("{conflicts:?}")));
        world.history().finals.insert((number, id), shown);
    }
    if let Err(what) = all_is_told(replica, &listings) {
        world.stuck(format!("node {id}: {what}"));
    }
    let entries = replica.inner().store.scan(LOG, &[], &LOG_END, usize::MAX);
    let entries = entries.expect("readable").into_iter();
    let entries = entries.map(|(key, entry)| {
        let (origin, shard, seq) = crate::keys::parse_entry(&key).expect("a place");
        ((origin.get(), shard.get(), seq), digest(&entry))
    });
    world.history().logs.insert(id, entries.collect());
}

/// Every change of the listings that have not begun anew is in the node's feed, once.
fn all_is_told(replica: &Replica, listings: &[ListingId]) -> Result<(), String> {
    let mut told: BTreeMap<(ListingId, ChangeId), usize> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = replica.events(after, FEED_PAGE_MAX).expect("kept");
        if page.events.is_empty() {
            break;
        }
        after = Some(page.next);
        for event in page.events {
            *told.entry((event.listing, event.change.id)).or_default() += 1;
        }
    }
    let inner = replica.inner();
    for listing in listings {
        let mut stripe = inner.documents.stripe(listing.shard());
        let hot = open(&mut stripe, &inner.store, listing).expect("readable");
        let Some(document) = hot.map(|hot| &hot.document) else {
            continue;
        };
        if document.generation() > 0 {
            continue;
        }
        let records = document.records().into_iter();
        for record in records.filter(|record| record.actor.is_some()) {
            let times = told.get(&(listing.clone(), record.hash));
            let times = times.copied().unwrap_or(0);
            let is_marker = record.message.starts_with("renew ");
            if times != 1 && !is_marker {
                let hash = record.hash;
                return Err(format!("{hash} of {listing} is told {times} times"));
            }
        }
    }
    Ok(())
}

fn finally(replica: &Replica, shown: &ReadListing, conflicts: String) -> Final {
    let id = &shown.view().id;
    let inner = replica.inner();
    let mut stripe = inner.documents.stripe(id.shard());
    let hot = open(&mut stripe, &inner.store, id).expect("readable");
    let document = &hot.expect("it is shown").document;
    let begins_anew = document.generation() > 0;
    // Then the heads stand for them, and what was before is kept here longer than there.
    let mut changes = if begins_anew {
        Vec::new()
    } else {
        document.beyond(&[], usize::MAX).changes
    };
    changes.sort();
    let mut made = BTreeMap::new();
    for record in document.records() {
        let Some(actor) = record.actor else { continue };
        *made.entry((actor.get(), record.message)).or_default() += 1;
    }
    Final {
        etag: shown.etag().to_owned(),
        json: String::from_utf8_lossy(shown.json()).into_owned(),
        conflicts,
        changes: digest(&changes),
        made: (!begins_anew).then_some(made),
        sight: sight(shown),
    }
}
