//! Placement spreads over failure domains, evenly, and moves little.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::num::NonZeroU32;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Holdings, PlacementError, Survival, owner_in_home, place_voters, replace_voters};
use crate::{ListingId, NodeId, Topology, UnixNanos};

const REGIONS: [&str; 4] = ["ap-south", "eu-west", "sa-east", "us-east"];
mod balance;
mod five;

/// Listings in the statistical tests.
const LISTINGS: u64 = 3_000;

/// `per_zone` nodes in each of three zones of the first `regions` regions; node ids
/// count from 1. Those in `removed` are gone.
pub(super) fn topology(regions: usize, per_zone: usize, removed: &[u64]) -> Topology {
    Topology::from_toml(&text(regions, per_zone, removed)).expect("a good topology")
}

fn text(regions: usize, per_zone: usize, removed: &[u64]) -> String {
    let mut text = "cluster = \"test\"\nepoch = 1\n".to_owned();
    let mut id = 0;
    for region in &REGIONS[..regions] {
        writeln!(
            text,
            "[[regions]]\nid = \"{region}\"\nlatitude = 0\nlongitude = 0"
        )
        .expect("text");
    }
    for region in &REGIONS[..regions] {
        for zone in ["a", "b", "c"] {
            for _ in 0..per_zone {
                id += 1;
                let state = if removed.contains(&id) {
                    "removed"
                } else {
                    "active"
                };
                writeln!(text, "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"{region}-{zone}\"\npeer = \"h:1\"\napi = \"\"\nadmin = \"\"\nstate = \"{state}\"").expect("text");
            }
        }
    }
    text
}

pub(super) fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn listing(number: u64, region: usize) -> ListingId {
    let home = REGIONS[region].parse().expect("a region");
    ListingId::generate(UnixNanos::from_millis(number), number.into(), home)
}

#[test]
fn too_few_domains_are_named() {
    let two = topology(2, 1, &[]);
    assert_eq!(
        place_voters(&two, &listing(1, 0), Survival::Region),
        Err(PlacementError::Regions { found: 2 })
    );
    assert!(place_voters(&two, &listing(1, 0), Survival::Zone).is_ok());
    assert!(matches!(
        place_voters(&two, &listing(1, 3), Survival::Region),
        Err(PlacementError::HomeEmpty(_))
    ));
    let thin = topology(3, 1, &[1]);
    assert!(matches!(
        place_voters(&thin, &listing(1, 0), Survival::Zone),
        Err(PlacementError::Zones { found: 2, .. })
    ));
}

#[test]
fn load_spreads_evenly_over_the_nodes_of_a_region() {
    let topology = topology(3, 2, &[]);
    let holdings = Holdings::of(&topology, None);
    let mut owned: BTreeMap<NodeId, u64> = BTreeMap::new();
    for number in 0..LISTINGS {
        let owner = owner_in_home(&topology, &holdings, &listing(number, 0)).expect("an owner");
        *owned.entry(owner).or_default() += 1;
    }
    // Six nodes, 500 each on average with a standard deviation of 20: five of
    // them either way hold for any honest hash.
    assert_eq!(owned.len(), 6);
    assert!(
        owned.values().all(|count| (400..=600).contains(count)),
        "{owned:?}"
    );
}

#[test]
fn owner_is_one_of_those_that_hold_the_listing() {
    let topology = topology(3, 2, &[]);
    let holdings = Holdings::of(&topology, NonZeroU32::new(2));
    for number in 0..200 {
        let id = listing(number, 0);
        let owner = owner_in_home(&topology, &holdings, &id).expect("an owner");
        assert!(holdings.of_node(owner).contains(id.shard()));
    }
}

#[test]
fn removed_node_moves_only_the_listings_that_it_voted_on() {
    let before = topology(4, 1, &[]);
    let after = topology(4, 1, &[4]);
    let gone = NodeId::new(4).expect("not zero");
    let mut moved = 0;
    for number in 0..LISTINGS {
        let id = listing(number, 0);
        let old = place_voters(&before, &id, Survival::Region).expect("placed");
        let new = place_voters(&after, &id, Survival::Region).expect("placed");
        if old.contains(&gone) {
            moved += 1;
            let kept = old.iter().filter(|voter| new.contains(voter)).count();
            assert_eq!(kept, 2, "only the lost voter is replaced");
        } else {
            assert_eq!(old, new);
        }
    }
    assert!(moved > 0, "the test removes a node that votes");
}

fn leaving(ids: &[u64]) -> BTreeSet<NodeId> {
    let ids = ids.iter().map(|id| NodeId::new(*id).expect("not zero"));
    ids.collect()
}

#[test]
fn voter_that_leaves_is_replaced_in_its_own_domain_and_the_others_stay() {
    let topology = topology(4, 2, &[]);
    for number in 0..300 {
        let (id, goal) = (listing(number, 0), Survival::Region);
        let before = place_voters(&topology, &id, goal).expect("placed");
        let gone = before[1];
        let after = replace_voters(&topology, &id, goal, &before, &leaving(&[gone.get()]));
        let after = after.expect("placed");
        assert_eq!(after[..2], [before[0], before[2]]);
        let region = |node: NodeId| &topology.node(node).expect("known").region;
        assert_eq!(region(after[2]), region(gone));
        let none = replace_voters(&topology, &id, goal, &before, &leaving(&[]));
        assert_eq!(none, Ok(before));
    }
}

#[test]
fn voter_without_another_domain_to_go_to_is_not_given_up() {
    let topology = topology(3, 1, &[]);
    // Region by region, the nodes are 1 to 3, 4 to 6, 7 to 9.
    let current: Vec<NodeId> = leaving(&[1, 4, 7]).into_iter().collect();
    let all = leaving(&[7, 8, 9]);
    let refused = replace_voters(&topology, &listing(1, 0), Survival::Region, &current, &all);
    assert_eq!(refused, Err(PlacementError::Regions { found: 2 }));
    let zones: Vec<NodeId> = leaving(&[1, 2, 3]).into_iter().collect();
    let refused = replace_voters(
        &topology,
        &listing(1, 0),
        Survival::Zone,
        &zones,
        &leaving(&[2]),
    );
    assert!(matches!(
        refused,
        Err(PlacementError::Zones { found: 2, .. })
    ));
}

proptest! {
    #[test]
    fn voters_stand_in_distinct_regions_with_the_first_at_home(number in any::<u64>(), home in 0..4_usize) {
        let topology = topology(4, 2, &[]);
        let id = listing(number, home);
        let voters = place_voters(&topology, &id, Survival::Region).expect("placed");
        let regions: BTreeSet<_> = voters
            .iter()
            .map(|voter| topology.node(*voter).expect("known").region.clone())
            .collect();
        prop_assert_eq!(regions.len(), 3);
        prop_assert_eq!(&topology.node(voters[0]).expect("known").region, id.home());
    }

    #[test]
    fn zone_survival_stays_at_home_in_distinct_zones(number in any::<u64>(), home in 0..4_usize) {
        let topology = topology(4, 2, &[]);
        let id = listing(number, home);
        let voters = place_voters(&topology, &id, Survival::Zone).expect("placed");
        let zones: BTreeSet<_> = voters
            .iter()
            .map(|voter| topology.node(*voter).expect("known").zone.clone())
            .collect();
        prop_assert_eq!(zones.len(), 3);
        prop_assert!(voters.iter().all(|voter| topology.node(*voter).expect("known").region == *id.home()));
    }

    #[test]
    fn ids_read_back_as_themselves(millis in 0..(1_u64 << 48), random in any::<u128>(), number in any::<u64>()) {
        let id = ListingId::generate(UnixNanos::from_millis(millis.min(1 << 44)), random, REGIONS[1].parse().expect("a region"));
        prop_assert_eq!(&id.to_string().parse::<ListingId>().expect("text"), &id);
        prop_assert_eq!(&ListingId::from_key(&id.to_key()).expect("key"), &id);
        let hold = crate::HoldId::new(id, number);
        prop_assert_eq!(&hold.to_string().parse::<crate::HoldId>().expect("text"), &hold);
    }

    #[test]
    fn any_text_or_key_is_read_or_refused(text in ".{0,80}", key in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = text.parse::<ListingId>();
        let _ = text.parse::<crate::BookingId>();
        let _ = ListingId::from_key(&key);
    }
}
