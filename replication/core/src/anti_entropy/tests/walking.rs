//! What honest peers find.

use meridian_regions::ShardId;
use proptest::prelude::{any, prop, prop_assert_eq, proptest};
use proptest::test_runner::Config;

use super::super::Fingerprint;
use super::{Comparison, RepairRequest, Reply, Set, differences, walk};

#[test]
fn sets_that_are_the_same_say_so_once() {
    let set = Set::of(0..20_000);
    let walked = walk(&set, |_| set.clone());
    assert_eq!((walked.found.len(), walked.exchanges), (0, 1));
    assert!(walked.bytes < 4_096, "{} bytes", walked.bytes);
}

#[test]
fn first_question_learns_nothing_and_asks_for_every_outline() {
    let set = Set::of(0..20_000);
    let asked = RepairRequest::Compare(Comparison::ahead(7, ShardId::all()));
    let request = asked.encode();
    assert!(request.len() < 4_096, "{} bytes", request.len());
    assert_eq!(RepairRequest::decode(&request), Ok(asked.clone()));
    let RepairRequest::Compare(ahead) = asked else {
        panic!("a comparison");
    };
    let shards: Vec<_> = ahead
        .ranges
        .iter()
        .map(|asked| asked.range.shard())
        .collect();
    assert!(ShardId::all().eq(shards));
    let replies = set.answer(&set.outlines(), &ahead);
    assert!(replies.iter().all(|reply| *reply == Reply::Same));
    let nothing = ahead.ranges.iter().all(|asked| {
        let items = set.read(&asked.range).expect("read");
        items.is_empty()
    });
    assert!(nothing, "no listing stands there");
}

#[test]
fn empty_replica_finds_everything_and_a_full_one_nothing() {
    let (empty, full) = (Set::default(), Set::of(0..5_000));
    assert_eq!(walk(&empty, |_| full.clone()).found.len(), 5_000);
    assert_eq!(walk(&full, |_| empty.clone()).found.len(), 0);
}

/// A tenth of what the product promises to do within a megabyte; the depth grows with the
/// logarithm, so that ten times as many listings are one exchange more.
#[test]
fn hundred_differences_among_a_hundred_thousand_cost_few_bytes_and_exchanges() {
    let ours = Set::of((0..100_000).filter(|number| number % 3_000 != 0));
    let mut theirs = Set::of(0..100_000);
    for number in (0..66).map(|index| 17 + index * 1_500) {
        theirs.write(number, 1);
    }
    let expected = differences(&ours, &theirs);
    assert_eq!(expected.len(), 100);
    let walked = walk(&ours, |_| theirs.clone());
    assert_eq!(walked.listings(), expected);
    assert!(walked.exchanges <= 4, "{} exchanges", walked.exchanges);
    assert!(walked.bytes <= 160 << 10, "{} bytes", walked.bytes);
}

#[test]
fn fingerprint_can_be_kept_as_items_come_and_go() {
    let key = |number: u8| [0, 1, number];
    let of = |number, state| Fingerprint::of(&key(number), &[state; 32]);
    let kept = of(1, 0).plus(of(2, 0)).minus(of(1, 0)).plus(of(1, 9));
    assert_eq!(kept, of(2, 0).plus(of(1, 9)));
    assert_eq!(kept.count(), 2);
    assert_eq!(kept.minus(kept), Fingerprint::NONE);
    assert_ne!(
        of(1, 2).plus(of(2, 1)),
        of(1, 1).plus(of(2, 2)),
        "who has what matters"
    );
}

proptest! {
    #![proptest_config(Config::with_cases(24))]

    #[test]
    fn walk_finds_exactly_what_differs(
        count in 0..4_000_u64,
        changed in prop::collection::vec((0..4_000_u64, 0..3_u64), 0..40),
        only_here in prop::collection::vec(0..8_000_u64, 0..20),
    ) {
        let mut theirs = Set::of(0..count);
        let mut ours = theirs.clone();
        for (number, state) in changed {
            match state {
                0 => ours.remove(number),
                state => theirs.write(number, state),
            }
        }
        for number in only_here {
            ours.write(number, 5);
        }
        let walked = walk(&ours, |_| theirs.clone());
        prop_assert_eq!(walked.listings(), differences(&ours, &theirs));
        let back = walk(&theirs, |_| ours.clone());
        prop_assert_eq!(back.listings(), differences(&theirs, &ours));
    }

    #[test]
    fn peer_that_changes_meanwhile_does_no_harm(
        states in prop::collection::vec(prop::collection::vec((0..6_000_u64, any::<bool>()), 0..400), 1..6),
    ) {
        let ours = Set::of((0..5_000).filter(|number| number % 50 != 0));
        let mut theirs = vec![Set::of(0..5_000)];
        for changes in states {
            let mut next = theirs.last().expect("the first").clone();
            for (number, goes) in changes {
                if goes { next.remove(number) } else { next.write(number, 2) }
            }
            theirs.push(next);
        }
        let last = theirs.len() - 1;
        // It ends, and `walk` unwraps every answer.
        walk(&ours, |exchange| theirs[exchange.min(last)].clone());
        // Once it stands still, everything is found.
        let walked = walk(&ours, |_| theirs[last].clone());
        prop_assert_eq!(walked.listings(), differences(&ours, &theirs[last]));
    }
}
