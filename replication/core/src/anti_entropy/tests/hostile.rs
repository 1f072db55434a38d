//! What a broken peer can do: nothing but be refused.

use meridian_regions::{Genesis, Hlc, NodeId, ShardId, Survival};
use proptest::prelude::{any, prop, proptest};

use super::super::{
    Asked, Comparison, Fetched, FetchedDocument, Fingerprint, Listed, Range, RepairAnswer,
    RepairRequest, Reply, ShortDigest, Walk, WalkError, Want, item_key,
};
use super::{Set, listing};
use crate::limits::{COMPARED_PARTS, COMPARED_RANGES_MAX};

fn refused(reply: impl Fn(&Range) -> Reply) -> WalkError<std::convert::Infallible> {
    let ours = Set::of(0..10);
    let mut walk = Walk::over(7, ours.outlines());
    let asked = walk.ask().expect("every shard");
    let replies = asked.ranges.iter().map(|asked| reply(&asked.range));
    let replies = replies.collect();
    ours.take(&mut walk, replies).expect_err("refused")
}

fn node() -> NodeId {
    NodeId::new(1).expect("not zero")
}

fn claimed(number: u8) -> Fingerprint {
    Fingerprint::of(&[number], &[number; 32])
}

#[test]
fn bounds_outside_of_the_range_are_refused() {
    for bounds in [
        vec![b"\0".to_vec()],
        vec![vec![0xff; 9]],
        vec![Vec::new()],
        vec![vec![0; 65]],
    ] {
        let error = refused(|_| Reply::Parts {
            bounds: bounds.clone(),
            parts: vec![claimed(1), claimed(2)],
        });
        assert!(matches!(error, WalkError::Answer(_)), "{bounds:?}: {error}");
    }
    // The range itself, again and again.
    let error = refused(|range| Reply::Parts {
        bounds: vec![range.from().to_vec()],
        parts: vec![claimed(1), claimed(2)],
    });
    assert!(matches!(error, WalkError::Answer(_)), "{error}");
}

#[test]
fn item_outside_of_the_range_is_refused() {
    let error = refused(|_| {
        let listed = Listed {
            listing: listing(1),
            digest: ShortDigest::of(&[1; 32]),
        };
        Reply::Items(vec![listed])
    });
    assert!(matches!(error, WalkError::Answer(_)), "{error}");
}

#[test]
fn answer_to_another_number_of_questions_is_refused() {
    let ours = Set::of(0..10);
    let mut walk = Walk::over(7, ours.outlines());
    walk.ask().expect("every shard");
    let error = ours.take(&mut walk, vec![Reply::Same]);
    assert!(matches!(error, Err(WalkError::Answer(_))));
}

/// Bounds within a range, however narrow it is.
fn deep_within(range: &Range) -> Vec<Vec<u8>> {
    let bound = |zeros: usize, part| [range.from(), &vec![0; zeros], &[part]].concat();
    let mut zeros = 0;
    while bound(zeros, 15).as_slice() >= range.until() {
        zeros += 1;
    }
    (1..16).map(|part| bound(zeros, part)).collect()
}

#[test]
fn peer_that_splits_for_ever_is_given_up() {
    let ours = Set::default();
    let mut walk = Walk::over(7, ours.outlines());
    let ended = loop {
        let asked = walk.ask().expect("there is always more");
        let split = asked.ranges.iter().map(|asked| Reply::Parts {
            bounds: deep_within(&asked.range),
            parts: vec![claimed(1); COMPARED_PARTS],
        });
        if let Err(error) = ours.take(&mut walk, split.collect()) {
            break error;
        }
    };
    assert_eq!(ended, WalkError::Endless);
}

#[test]
fn range_of_two_shards_is_none() {
    let shard = |number| ShardId::new(number).expect("a shard");
    let from = Range::of_shard(shard(1)).from().to_vec();
    let until = Range::of_shard(shard(2)).until().to_vec();
    assert!(Range::new(from.clone(), until).is_none());
    assert!(Range::new(from.clone(), from).is_none());
    assert!(Range::new(vec![0, 64], vec![0, 65]).is_none(), "no shard");
    let last = Range::of_shard(shard(63));
    assert_eq!(last.shard(), shard(63));
    let key = item_key(&listing(3));
    assert!(Range::of_shard(listing(3).shard()).contains(&key));
}

#[test]
fn requests_and_answers_read_back_as_themselves() {
    let want = Want {
        listing: listing(1),
        have: crate::ListingDocument::empty(&listing(1)).have(&[]),
    };
    let asked = Asked {
        range: Range::of_shard(listing(1).shard()),
        theirs: claimed(3),
    };
    let comparison = Comparison {
        walk: u64::MAX,
        ranges: vec![asked.clone()],
    };
    for request in [
        RepairRequest::Fetch(vec![want]),
        RepairRequest::Compare(comparison),
    ] {
        assert_eq!(RepairRequest::decode(&request.encode()), Ok(request));
    }
    let fetched = Fetched {
        documents: vec![FetchedDocument {
            listing: listing(1),
            changes: vec![vec![1, 2], vec![3]],
            genesis: Some(Ok(Genesis {
                listing: listing(1),
                survival: Survival::Region,
                voters: vec![node()],
                map_epoch: 1,
                created_by: node(),
            })),
            left: 3,
            beginning: None,
        }],
        seen: vec![(node(), Hlc::from_u64(9))],
    };
    let replies = vec![
        Reply::Same,
        Reply::Parts {
            bounds: vec![vec![0, 1, 2]],
            parts: vec![claimed(1), claimed(2)],
        },
        Reply::Items(vec![Listed {
            listing: listing(1),
            digest: ShortDigest::of(&[1; 32]),
        }]),
    ];
    for answer in [
        RepairAnswer::Fetched(fetched),
        RepairAnswer::Compared(replies),
    ] {
        assert_eq!(RepairAnswer::decode(&answer.encode()), Ok(answer));
    }
    let many = Comparison {
        walk: 1,
        ranges: vec![asked; COMPARED_RANGES_MAX + 1],
    };
    assert!(RepairRequest::decode(&RepairRequest::Compare(many).encode()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // Only that it returns matters: a panic would fail the test.
        let _ = RepairRequest::decode(&bytes);
        let _ = RepairAnswer::decode(&bytes);
    }
}
