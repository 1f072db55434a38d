//! Verdicts as tables, and against whoever tries every loss.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

use super::{
    Margin, Member, Outlook, Placements, SETS_MAX, Standing, outlook, quorum_of, worst_losses,
};
use crate::{NodeId, RegionId, ShardId, Shards, Survival as Goal};

const REGIONS: [&str; 4] = ["ap-south", "eu-west", "sa-east", "us-east"];

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn region(index: usize) -> RegionId {
    REGIONS[index].parse().expect("a region")
}

fn member(id: u64, place: usize, standing: Standing) -> Member {
    Member {
        node: node(id),
        region: region(place),
        standing,
        votes: true,
        serves: Shards::ALL,
        settled: Shards::ALL,
    }
}

/// Nodes 1, 2, … that stand in these regions, all of them well.
fn members(places: &[usize]) -> Vec<Member> {
    let places = places.iter().zip(1..);
    let members = places.map(|(place, id)| member(id, *place, Standing::Up));
    members.collect()
}

fn placed(sets: &[&[u64]]) -> Placements {
    let mut placements = Placements::default();
    for set in sets {
        let voters: Vec<NodeId> = set.iter().copied().map(node).collect();
        placements.note(&voters, Goal::Region);
    }
    placements
}

const fn left(regions: usize, nodes: usize) -> Margin {
    Margin::Left { regions, nodes }
}

#[test]
fn three_regions_of_one_node_survive_one_for_bookings_and_two_for_reads() {
    let groups = placed(&[&[1, 2, 3]]);
    let whole = outlook(&members(&[0, 1, 2]), Some(&groups));
    assert_eq!(whole.reads, left(2, 2));
    assert_eq!(whole.bookings, Some(left(1, 1)));
    assert_eq!(whole.data, Some(left(1, 1)));
    assert_eq!((whole.stopped, whole.bare), (0, 0));
}

#[test]
fn loss_of_a_region_is_what_it_costs() {
    let groups = placed(&[&[1, 2, 3]]);
    for standing in [Standing::Lost, Standing::Unknown] {
        let mut all = members(&[0, 1, 2]);
        all[2].standing = standing;
        let after = outlook(&all, Some(&groups));
        assert_eq!(after.reads, left(1, 1));
        assert_eq!(after.bookings, Some(left(0, 0)));
        assert_eq!(after.data, Some(left(0, 0)));
        assert_eq!((after.stopped, after.bare), (0, 1));
    }
    let mut all = members(&[0, 1, 2]);
    all[1].standing = Standing::Lost;
    all[2].standing = Standing::Lost;
    let after = outlook(&all, Some(&groups));
    assert_eq!(after.reads, left(0, 0));
    assert_eq!(after.bookings, Some(Margin::Stopped));
    assert_eq!(after.stopped, 1);
}

#[test]
fn node_without_its_records_is_read_from_and_has_no_voice() {
    let mut all = members(&[0, 1, 2]);
    all[0].votes = false;
    let after = outlook(&all, Some(&placed(&[&[1, 2, 3]])));
    assert_eq!(after.reads, left(2, 2));
    assert_eq!(after.bookings, Some(left(0, 0)));
}

#[test]
fn weakest_shard_decides_over_reads_and_data() {
    let mut all = members(&[0, 0, 1, 1]);
    let (one, other) = (Shards::from_bits(1), Shards::from_bits(!1));
    all[0].serves = one;
    all[1].serves = other;
    all[2].serves = one;
    all[3].serves = other;
    all[3].settled = Shards::NONE;
    let verdict = outlook(&all, Some(&Placements::default()));
    assert_eq!(verdict.reads, left(1, 1));
    assert_eq!(verdict.data, Some(left(1, 2)), "no groups: writes alone");
    assert_eq!(verdict.bookings, None, "there is none");
    let (worst, _) = worst_losses(&all, None);
    assert_eq!(worst.expect("a region").unreadable, 0);
    all[0].standing = Standing::Lost;
    let (_, worst) = worst_losses(&all, None);
    let worst = worst.expect("a node");
    assert_eq!((worst.of, worst.unreadable), (node(3), 1));
}

#[test]
fn groups_that_are_not_counted_are_never_fine() {
    let all = members(&[0, 1, 2]);
    let unknown = outlook(&all, None);
    assert_eq!((unknown.bookings, unknown.data), (None, None));
    let mut missed = placed(&[&[1, 2, 3]]);
    missed.miss();
    assert_eq!(outlook(&all, Some(&missed)).bookings, None);
}

#[test]
fn listing_that_stays_in_a_region_by_choice_costs_no_region() {
    let all = members(&[0, 0, 0, 1, 2]);
    let mut groups = placed(&[&[1, 4, 5]]);
    groups.note(&[1, 2, 3].map(node), Goal::Zone);
    let verdict = outlook(&all, Some(&groups));
    assert_eq!(verdict.bookings, Some(left(1, 1)));
    assert_eq!(groups.zonal(), 1);
    let mut zonal = Placements::default();
    zonal.note(&[1, 2, 3].map(node), Goal::Zone);
    assert_eq!(outlook(&all, Some(&zonal)).bookings, Some(left(0, 1)));
}

#[test]
fn five_voters_in_two_two_and_one_survive_a_region_and_two_nodes() {
    let groups = placed(&[&[1, 2, 3, 4, 5]]);
    let verdict = outlook(&members(&[0, 0, 1, 1, 2]), Some(&groups));
    assert_eq!(verdict.bookings, Some(left(1, 2)));
}

#[test]
fn worst_loss_is_the_one_that_stops_most() {
    let mut all = members(&[0, 1, 2, 2]);
    all[1].standing = Standing::Lost;
    let groups = placed(&[&[1, 2, 3], &[1, 2, 3], &[1, 2, 4]]);
    let (region, node_lost) = worst_losses(&all, Some(&groups));
    let region = region.expect("a region");
    assert_eq!((region.of.as_str(), region.stops), ("ap-south", 3));
    let lost = node_lost.expect("a node");
    assert_eq!((lost.of, lost.stops), (node(1), 3));
}

#[test]
fn sets_of_voters_are_bounded_and_what_is_beyond_is_not_called_fine() {
    let mut groups = Placements::default();
    for id in 0..=SETS_MAX as u64 {
        groups.note(&[node(id + 1)], Goal::Region);
    }
    assert!(!groups.is_complete());
    assert_eq!(groups.groups(), SETS_MAX as u64 + 1);
    assert_eq!(groups.voted_by(node(1)), 1);
}

/// From three regions into one, in which two zones are new: of the six no more than one may go, while
/// both sets have to agree.
#[test]
fn group_on_its_way_needs_a_quorum_of_each_set_of_voters() {
    let all = members(&[0, 1, 2, 3, 3, 3]);
    let mut groups = Placements::default();
    let sets = [[1, 2, 3], [4, 5, 6]].map(|set| set.map(node).to_vec());
    groups.note_all(&sets, Goal::Region);
    let verdict = outlook(&all, Some(&groups));
    assert_eq!(
        verdict.bookings,
        Some(left(0, 1)),
        "four of six are not enough"
    );
    assert_eq!((verdict.stopped, verdict.bare), (0, 0));
    assert_eq!(groups.groups(), 1);
    assert_eq!([1, 4].map(|id| groups.voted_by(node(id))), [1, 1]);
    let (worst, _) = worst_losses(&all, Some(&groups));
    let worst = worst.expect("a region");
    assert_eq!((worst.of, worst.stops), (region(3), 1));
    let mut one_less = all.clone();
    one_less[0].standing = Standing::Lost;
    let verdict = outlook(&one_less, Some(&groups));
    assert_eq!(verdict.bookings, Some(left(0, 0)));
    assert_eq!((verdict.stopped, verdict.bare), (0, 1));
    one_less[1].standing = Standing::Lost;
    assert_eq!(outlook(&one_less, Some(&groups)).stopped, 1);
    // The same with nobody in the second set: nothing can be said.
    groups.note_all(&[vec![node(1)], Vec::new()], Goal::Region);
    assert!(!groups.is_complete());
}

/// Everything that may be lost, of `of`: sets of growing size.
fn all_losses<T: Clone + Ord>(of: &[T]) -> Vec<BTreeSet<T>> {
    let masks = 0..1_u32 << of.len();
    let set = |mask: u32| {
        let chosen = of.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
        chosen.map(|(_, one)| one.clone()).collect()
    };
    masks.map(set).collect()
}

/// How many may go, whichever they are, so that `holds`; `None` if it does not hold now.
fn tried<T: Clone + Ord>(of: &[T], holds: impl Fn(&BTreeSet<T>) -> bool) -> Option<usize> {
    let losses = all_losses(of);
    let all_hold = |size: usize| losses.iter().filter(|lost| lost.len() == size).all(&holds);
    (0..=of.len()).take_while(|size| all_hold(*size)).last()
}

fn margin(regions: Option<usize>, nodes: Option<usize>) -> Margin {
    match (regions, nodes) {
        (Some(regions), Some(nodes)) => Margin::Left { regions, nodes },
        _ => Margin::Stopped,
    }
}

/// The same by trying every loss of nodes and of regions.
fn brute(all: &[Member], groups: &[Vec<NodeId>]) -> Outlook {
    let up = |lost: &dyn Fn(&Member) -> bool| -> Vec<Member> {
        let left = all.iter().filter(|one| one.standing == Standing::Up);
        left.filter(|one| !lost(one)).cloned().collect()
    };
    let nodes: Vec<NodeId> = all.iter().map(|one| one.node).collect();
    let regions: BTreeSet<RegionId> = all.iter().map(|one| one.region.clone()).collect();
    let regions: Vec<RegionId> = regions.into_iter().collect();
    let judge = |holds: &dyn Fn(&[Member]) -> bool| {
        let by_region = tried(&regions, |lost| {
            holds(&up(&|one: &Member| lost.contains(&one.region)))
        });
        let by_node = tried(&nodes, |lost| {
            holds(&up(&|one: &Member| lost.contains(&one.node)))
        });
        margin(by_region, by_node)
    };
    let everywhere = |left: &[Member], held: fn(&Member) -> Shards| {
        ShardId::all().all(|shard| left.iter().any(|one| held(one).contains(shard)))
    };
    let has_voice =
        |left: &[Member], voter: &NodeId| left.iter().any(|one| one.node == *voter && one.votes);
    let is_led = |left: &[Member], group: &[NodeId]| {
        let up = group.iter().filter(|voter| has_voice(left, voter));
        up.count() >= quorum_of(group)
    };
    // Every quorum that may have had an entry has a disk that is left.
    let is_kept = |left: &[Member], group: &[NodeId]| {
        let quorums = all_losses(group).into_iter();
        let mut quorums = quorums.filter(|set| set.len() == quorum_of(group));
        quorums.all(|quorum| quorum.iter().any(|voter| has_voice(left, voter)))
    };
    let writes = |left: &[Member]| everywhere(left, |one| one.settled);
    let now = up(&|_: &Member| false);
    let count = |of: &dyn Fn(&[NodeId]) -> bool| groups.iter().filter(|one| of(one)).count() as u64;
    let spare = |group: &[NodeId]| {
        let up = group.iter().filter(|voter| has_voice(&now, voter));
        up.count() == quorum_of(group)
    };
    let led = |left: &[Member]| groups.iter().all(|group| is_led(left, group));
    let kept = |left: &[Member]| groups.iter().all(|group| is_kept(left, group));
    let has_groups = !groups.is_empty();
    Outlook {
        reads: judge(&|left| everywhere(left, |one| one.serves)),
        bookings: has_groups.then(|| judge(&led)),
        writes: judge(&writes),
        data: Some(judge(&writes).least(judge(&kept))),
        stopped: count(&|group| !is_led(&now, group)),
        bare: count(&spare),
    }
}

fn standing() -> impl Strategy<Value = Standing> {
    (0..4_u8).prop_map(|number| match number {
        0 => Standing::Lost,
        1 => Standing::Unknown,
        _ => Standing::Up,
    })
}

/// Shards in blocks of sixteen, so that none, some or all are held.
fn shards() -> impl Strategy<Value = Shards> {
    let block = |blocks: u8, at: u32| {
        let held = blocks >> at & 1 == 1;
        if held { 0xffff_u64 << (at * 16) } else { 0 }
    };
    any::<u8>().prop_map(move |blocks| {
        let blocks = blocks | blocks >> 4;
        Shards::from_bits((0..4).map(|at| block(blocks, at)).sum())
    })
}

fn any_members() -> impl Strategy<Value = Vec<Member>> {
    let one = (0..4_usize, standing(), 0..6_u8, shards(), shards());
    vec(one, 1..=6).prop_map(|all| {
        let all = all.into_iter().zip(1..);
        let members = all.map(|((place, standing, votes, serves, settled), id)| Member {
            votes: votes > 0,
            serves,
            settled,
            ..member(id, place, standing)
        });
        members.collect()
    })
}

proptest! {
    #[test]
    fn worst_case_is_what_trying_every_loss_finds(
        all in any_members(),
        picks in vec((any::<u8>(), 0..3_usize), 0..4),
    ) {
        // One, three or five voters, some of which nobody may know.
        let groups: Vec<Vec<NodeId>> = picks.iter().map(|(start, size)| {
            let voters = (0..2 * *size as u64 + 1).map(|at| node((u64::from(*start) + at) % 7 + 1));
            let voters: BTreeSet<NodeId> = voters.collect();
            voters.into_iter().collect()
        }).collect();
        let mut placements = Placements::default();
        for group in &groups {
            placements.note(group, Goal::Region);
        }
        prop_assert_eq!(outlook(&all, Some(&placements)), brute(&all, &groups));
    }

    /// Of a group on its way, too: what either set of voters cannot bear, it cannot.
    #[test]
    fn worst_case_of_two_sets_of_voters_is_that_of_the_weaker_one(
        all in any_members(),
        picks in prop::array::uniform2((any::<u8>(), 0..3_usize)),
    ) {
        let sets = picks.map(|(start, size)| {
            let voters = (0..2 * size as u64 + 1).map(|at| node((u64::from(start) + at) % 7 + 1));
            voters.collect::<BTreeSet<NodeId>>().into_iter().collect::<Vec<_>>()
        });
        let mut placements = Placements::default();
        placements.note_all(&sets, Goal::Region);
        let (said, tried) = (outlook(&all, Some(&placements)), brute(&all, &sets));
        prop_assert_eq!((said.bookings, said.data), (tried.bookings, tried.data));
        prop_assert_eq!(said.stopped, tried.stopped.min(1));
        let is_bare = tried.stopped == 0 && tried.bare > 0;
        prop_assert_eq!(said.bare, u64::from(is_bare));
    }

    #[test]
    fn what_a_loss_stops_is_what_is_stopped_after_it(all in any_members(), start in 0..6_u64) {
        let voters: Vec<NodeId> = (0..3).map(|at| node((start + at) % 6 + 1)).collect();
        let mut placements = Placements::default();
        placements.note(&voters, Goal::Region);
        let before = outlook(&all, Some(&placements)).stopped;
        let (region, _) = worst_losses(&all, Some(&placements));
        if let Some(worst) = region {
            let mut after = all.clone();
            for one in after.iter_mut().filter(|one| one.region == worst.of) {
                one.standing = Standing::Lost;
            }
            let after = outlook(&after, Some(&placements)).stopped;
            prop_assert_eq!(after - before, worst.stops);
        }
    }
}
