//! What a plan counts, and in which order nodes begin anew.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use meridian_regions::{
    Change, Genesis, Holdings, ListingId, NodeId, NodeState, ShardId, Survival, Topology, UnixNanos,
};

use super::moving::{Course, PAGE, Page, is_behind};
use super::plan::{Plan, Stops, Surveyed};
use super::turn;

const REGIONS: [&str; 4] = ["a", "b", "c", "d"];

/// Four regions of one node each, and two more in the first: nodes 1 to 6.
fn map() -> Topology {
    let mut text = "cluster = \"shop\"\nepoch = 7\n".to_owned();
    for region in REGIONS {
        text += &format!("[[regions]]\nid = \"{region}\"\nlatitude = 0.0\nlongitude = 0.0\n");
    }
    for (index, region) in REGIONS.iter().chain(&["a", "a"]).enumerate() {
        let id = index + 1;
        text += &format!(
            "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"z{id}\"\npeer = \"h:{id}\"\napi = \"\"\nadmin = \"\"\n"
        );
    }
    Topology::from_toml(&text).expect("good")
}

fn id(number: u64) -> NodeId {
    NodeId::new(number).expect("not zero")
}

fn listing(survival: Survival, voters: &[u64]) -> Genesis {
    let home = "a".parse().expect("a region");
    Genesis {
        listing: ListingId::generate(UnixNanos::from_millis(1), 5, home),
        survival,
        voters: voters.iter().copied().map(id).collect(),
        map_epoch: 7,
        created_by: id(1),
    }
}

/// Every node of a region holds all of it.
fn everything(map: &Topology) -> Holdings {
    Holdings::of(map, None)
}

fn plan(changes: &[Change], listings: &[Genesis]) -> Plan {
    let then = map().changed(changes).expect("it can be");
    let mut surveyed = Surveyed::new(map(), then, everything);
    for genesis in listings {
        surveyed.note((&genesis.listing, genesis), &genesis.voters, || Some(100));
    }
    surveyed.plan()
}

fn set(node: u64, state: NodeState) -> Change {
    let node = id(node);
    Change::SetState { node, state }
}

#[test]
fn what_votes_on_a_node_that_goes_moves() {
    let listings = [
        listing(Survival::Region, &[1, 2, 3]),
        listing(Survival::Region, &[1, 2, 4]),
    ];
    let plan = plan(&[set(3, NodeState::Draining)], &listings);
    assert_eq!((plan.epoch, plan.listings), (8, 2));
    assert_eq!((plan.moving, plan.lost, plan.unplaceable), (1, 0, 0));
    assert_eq!(plan.if_lost.len(), 0, "three regions, none has two voters");
    let [moves] = &plan.page.moves[..] else {
        panic!("one moves: {:?}", plan.page.moves);
    };
    assert_eq!(moves.listing_id, listings[0].listing);
    assert_eq!(moves.from, listings[0].voters);
    assert!(!moves.to.contains(&id(3)), "{moves:?}");
    assert_eq!((plan.page.moves_next, plan.ledgers_sent), (None, 1));
    assert_eq!(plan.ledger_bytes_estimated, Some(100));
}

/// Listings in the order of pages.
fn many(count: usize) -> Vec<Genesis> {
    let many = (0..count).map(|number| {
        let home = "a".parse().expect("a region");
        Genesis {
            listing: ListingId::generate(UnixNanos::from_millis(1), number as u128, home),
            ..listing(Survival::Region, &[1, 2, 3])
        }
    });
    let mut many: Vec<Genesis> = many.collect();
    many.sort_unstable_by_key(|one| (one.listing.shard(), one.listing.clone()));
    many
}

fn ids(page: &Page) -> Vec<ListingId> {
    let moves = page.moves.iter();
    moves.map(|moves| moves.listing_id.clone()).collect()
}

/// The page of listings that move behind one.
fn behind(course: &Course, after: &ListingId, listings: &[Genesis]) -> Page {
    let mut page = Page::default();
    for genesis in listings {
        if is_behind(&genesis.listing, Some(after)) {
            page.note(course, (&genesis.listing, genesis), &genesis.voters);
        }
    }
    page
}

#[test]
fn listings_that_move_come_page_by_page_and_bytes_are_estimated_from_what_is_here() {
    let mut many = many(2 * PAGE + 200);
    let all: Vec<ListingId> = many.iter().map(|one| one.listing.clone()).collect();
    let then = map().changed(&[set(3, NodeState::Draining)]);
    let then = then.expect("it can be");
    let mut surveyed = Surveyed::new(map(), then.clone(), everything);
    for (at, genesis) in many.iter().enumerate() {
        let size = || (at % 2 == 0).then_some(10);
        surveyed.note((&genesis.listing, genesis), &genesis.voters, size);
    }
    let plan = surveyed.plan();
    let every = all.len() as u64;
    assert_eq!((plan.moving, plan.ledgers_measured), (every, every / 2));
    assert_eq!(plan.ledger_bytes_estimated, Some(10 * every));
    assert_eq!(ids(&plan.page), all[..PAGE]);

    let course = Course::new(then);
    let next = plan.page.moves_next.expect("others follow");
    let page = behind(&course, &next, &many);
    assert_eq!(ids(&page), all[PAGE..2 * PAGE]);
    // Some of the first page have moved meanwhile, the last of them too: the same comes.
    for moved in &mut many[PAGE / 2..PAGE] {
        moved.voters = [1, 2, 4].map(id).to_vec();
    }
    assert_eq!(behind(&course, &next, &many), page);
    let last = behind(&course, &page.moves_next.expect("others follow"), &many);
    assert_eq!(
        (ids(&last).as_slice(), last.moves_next),
        (&all[2 * PAGE..], None)
    );
}

#[test]
fn documents_are_sent_to_nodes_that_come_and_to_those_that_take_the_place_of_one_that_goes() {
    let of = |replicas: u32, changes: &[Change]| {
        let then = map().changed(changes).expect("it can be");
        let held = |map: &Topology| Holdings::of(map, NonZeroU32::new(replicas));
        let mut surveyed = Surveyed::new(map(), then, held);
        for shard in ShardId::all() {
            surveyed.note_documents(shard, 10);
        }
        surveyed.note_length(Some(3));
        surveyed.plan()
    };
    let all = 10 * u64::try_from(ShardId::all().count()).expect("few");
    let goes = [set(5, NodeState::Removed)];
    // Everybody in its region has everything already.
    assert_eq!(of(0, &goes).documents_sent, 0);
    let spread = of(1, &goes);
    let sent = spread.documents_sent;
    assert!(
        0 < sent && sent < all,
        "what it held, and no more: {sent} of {all}"
    );
    assert_eq!(spread.document_bytes_estimated, Some(3 * sent));
}

#[test]
fn listing_whose_quorum_goes_with_a_region_is_lost_and_named_before() {
    let listings = [
        listing(Survival::Zone, &[1, 5, 6]),
        listing(Survival::Region, &[1, 2, 3]),
    ];
    let region = "a".parse().expect("a region");
    let plan = plan(&[Change::RemoveRegion { region }], &listings);
    assert_eq!((plan.lost, plan.moving), (1, 1));
    let stops = plan.if_lost.get(&"a".parse().expect("a region"));
    let expected = Stops {
        now: 1,
        first_now: Some(listings[0].listing.clone()),
        ..Stops::default()
    };
    assert_eq!(stops, Some(&expected));
}

#[test]
fn move_that_finds_no_place_is_told_with_its_reason() {
    let changes = [set(3, NodeState::Removed), set(4, NodeState::Removed)];
    let plan = plan(&changes, &[listing(Survival::Region, &[1, 2, 3])]);
    assert_eq!((plan.moving, plan.unplaceable), (0, 1));
    let why = plan.unplaceable_why.expect("a reason");
    assert!(why.contains("add regions"), "{why}");
}

#[test]
fn no_two_nodes_begin_anew_at_once() {
    let map = map();
    let turns: BTreeSet<Duration> = (1..=6).map(|node| turn::of(&map, id(node))).collect();
    assert_eq!(turns.len(), 6);
}
