//! What replicas ask and tell each other about differences, fed with what no peer would send.

use std::collections::BTreeMap;
use std::convert::Infallible;

use meridian_fuzz::{Allowance, fuzz_within, reads};
use meridian_regions::{Genesis, Hlc, ListingId, NodeId, ShardId, Survival, UnixNanos};

use super::{
    Fetched, FetchedDocument, Item, Outline, OutlineBuilder, Range, RepairAnswer, RepairRequest,
    Walk, Want, answer, item_key,
};
use crate::heads::ChangeId;
use crate::limits::COMPARED_ITEMS_MAX;

/// Names of a few bytes become names in memory; a set and its outline stand beside them.
const MESSAGE: Allowance = Allowance {
    base: 256 * 1024,
    per_byte: 512,
};
/// More than are told without being split, so that both kinds of reply are given.
const LISTINGS: u64 = 2 * COMPARED_ITEMS_MAX as u64;

fn listing(number: u64) -> ListingId {
    let home = "eu-west".parse().expect("a region");
    ListingId::generate(UnixNanos::from_millis(5), number.into(), home)
}

/// The pairs of one replica, all of one shard.
struct Side {
    shard: ShardId,
    items: Vec<Item>,
}

impl Side {
    /// As it is after so many listings were written once more.
    fn new(written: u64) -> Self {
        let shard = listing(0).shard();
        let of_shard = (0..).map(listing).filter(|one| one.shard() == shard);
        let mut items: Vec<Item> = (0..LISTINGS)
            .zip(of_shard)
            .map(|(place, listing)| Item {
                key: item_key(&listing),
                digest: [u8::from(place < written); 32],
            })
            .collect();
        items.sort_by(|one, other| one.key.cmp(&other.key));
        Self { shard, items }
    }

    fn read(&self, range: &Range) -> Result<Vec<Item>, Infallible> {
        let within = self.items.iter().filter(|item| range.contains(&item.key));
        Ok(within.cloned().collect())
    }

    fn outline(&self) -> Outline {
        let mut outline = OutlineBuilder::default();
        for item in &self.items {
            outline.push(&item.key, &item.digest);
        }
        outline.finish()
    }

    fn walk(&self) -> Walk {
        Walk::over(7, BTreeMap::from([(self.shard, self.outline())]))
    }

    /// Whatever is asked is answered, and the answer is one that can be read.
    fn answer(&self, outline: &Outline, request: RepairRequest) -> Option<RepairAnswer> {
        let RepairRequest::Compare(comparison) = request else {
            return None;
        };
        let replies = comparison.ranges.iter().map(|asked| {
            let Ok(reply) = answer(asked, outline, &mut |range| self.read(range));
            reply
        });
        let answer = RepairAnswer::Compared(replies.collect());
        assert_eq!(RepairAnswer::decode(&answer.encode()).as_ref(), Ok(&answer));
        Some(answer)
    }
}

fn change(number: u8) -> ChangeId {
    ChangeId::from_slice(&[number; 32]).expect("as many bytes")
}

fn fetched() -> RepairAnswer {
    let node = |id| NodeId::new(id).expect("not zero");
    let genesis = Genesis {
        listing: listing(1),
        survival: Survival::Region,
        voters: vec![node(1), node(2), node(3)],
        map_epoch: 1,
        created_by: node(1),
    };
    RepairAnswer::Fetched(Fetched {
        documents: vec![FetchedDocument {
            listing: listing(1),
            changes: vec![b"a change".to_vec(), b"another".to_vec()],
            genesis: Some(Ok(genesis)),
            left: 3,
            beginning: Some(b"a beginning".to_vec()),
        }],
        seen: vec![(node(2), Hlc::from_u64(1 << 40))],
    })
}

#[test]
fn repair_request() {
    let (ours, theirs) = (Side::new(0), Side::new(9));
    let outline = theirs.outline();
    let want = Want {
        listing: listing(1),
        have: vec![change(1), change(2)],
    };
    let examples = [
        RepairRequest::Compare(ours.walk().ask().expect("a shard")),
        RepairRequest::Fetch(vec![want]),
    ];
    let examples = examples.map(|request| request.encode());
    fuzz_within(MESSAGE, "repair-request", &examples, |input| {
        if let Ok(request) = RepairRequest::decode(input) {
            theirs.answer(&outline, request);
        }
        reads(RepairRequest::decode, RepairRequest::encode)(input)
    });
}

/// A walk takes whatever it is told, and never finds what nobody told it.
#[test]
fn repair_answer() {
    let (ours, theirs) = (Side::new(0), Side::new(9));
    let asked = ours.walk().ask().expect("a shard");
    let compared = theirs.answer(&theirs.outline(), RepairRequest::Compare(asked));
    let examples = [compared.expect("compared"), fetched()].map(|answer| answer.encode());
    fuzz_within(MESSAGE, "repair-answer", &examples, |input| {
        let mut read = match RepairAnswer::decode(input) {
            Ok(read) => read,
            Err(cause) => return cause.to_string(),
        };
        if let RepairAnswer::Fetched(fetched) = &mut read {
            for document in &mut fetched.documents {
                // Its last change may be none.
                let _ = document.last_made_at();
                // One that cannot be read is not handed on.
                document.genesis.take_if(|genesis| genesis.is_err());
            }
        }
        assert_eq!(RepairAnswer::decode(&read.encode()).as_ref(), Ok(&read));
        let RepairAnswer::Compared(replies) = read else {
            return "fetched".to_owned();
        };
        let mut walk = ours.walk();
        walk.ask();
        match walk.take(replies, &mut |range| ours.read(range)) {
            Ok(found) => {
                assert!(found.len() <= input.len(), "differences out of nothing");
                format!(
                    "{} open",
                    if walk.ask().is_some() {
                        "still"
                    } else {
                        "none"
                    }
                )
            }
            Err(cause) => cause.to_string(),
        }
    });
}
