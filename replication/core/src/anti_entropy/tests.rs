//! Two sets that compare themselves, with everything that travels encoded and counted.

mod hostile;
mod walking;

use std::collections::BTreeMap;
use std::convert::Infallible;

use meridian_regions::{ListingId, ShardId, UnixNanos};

use super::{
    Comparison, Difference, Item, Outline, OutlineBuilder, Range, RepairAnswer, RepairRequest,
    Reply, Walk, WalkError, answer, item_key,
};

/// The pairs of one replica.
#[derive(Debug, Clone, Default, PartialEq)]
struct Set(BTreeMap<Vec<u8>, [u8; 32]>);

fn listing(number: u64) -> ListingId {
    let home = ["eu-west", "us-east", "ap-southeast"][usize::try_from(number % 3).expect("small")];
    let home = home.parse().expect("a region");
    // Some are of one millisecond, as an import makes them.
    ListingId::generate(UnixNanos::from_millis(number / 7), number.into(), home)
}

impl Set {
    fn of(listings: impl IntoIterator<Item = u64>) -> Self {
        let mut set = Self::default();
        for number in listings {
            set.write(number, 0);
        }
        set
    }

    /// The document of listing `number` has come to `state`.
    fn write(&mut self, number: u64, state: u64) {
        let digest = blake3::hash(&state.to_be_bytes());
        self.0
            .insert(item_key(&listing(number)), *digest.as_bytes());
    }

    fn remove(&mut self, number: u64) {
        self.0.remove(&item_key(&listing(number)));
    }

    fn read(&self, range: &Range) -> Result<Vec<Item>, Infallible> {
        let within = self.0.range(range.from().to_vec()..range.until().to_vec());
        Ok(within
            .map(|(key, digest)| Item {
                key: key.clone(),
                digest: *digest,
            })
            .collect())
    }

    fn outlines(&self) -> BTreeMap<ShardId, Outline> {
        let shards = ShardId::all().map(|shard| {
            let mut outline = OutlineBuilder::default();
            for item in self.read(&Range::of_shard(shard)).expect("read") {
                outline.push(&item.key, &item.digest);
            }
            (shard, outline.finish())
        });
        shards.collect()
    }

    fn answer(&self, outlines: &BTreeMap<ShardId, Outline>, asked: &Comparison) -> Vec<Reply> {
        let replies = asked.ranges.iter().map(|asked| {
            let outline = &outlines[&asked.range.shard()];
            answer(asked, outline, &mut |range| self.read(range)).expect("read")
        });
        replies.collect()
    }

    fn take(
        &self,
        walk: &mut Walk,
        replies: Vec<Reply>,
    ) -> Result<Vec<Difference>, WalkError<Infallible>> {
        walk.take(replies, &mut |range| self.read(range))
    }
}

/// What a walk came to.
#[derive(Debug, Default)]
struct Walked {
    found: Vec<Difference>,
    bytes: usize,
    exchanges: usize,
}

impl Walked {
    fn listings(&self) -> Vec<ListingId> {
        let mut listings: Vec<ListingId> = self
            .found
            .iter()
            .map(|found| found.listing.clone())
            .collect();
        listings.sort();
        listings
    }
}

/// `ours` finds out where `theirs` differs, which becomes the next state of `theirs` with
/// each exchange.
fn walk(ours: &Set, mut theirs: impl FnMut(usize) -> Set) -> Walked {
    let mut walk = Walk::over(7, ours.outlines());
    let mut walked = Walked::default();
    let outlines = theirs(0).outlines();
    while let Some(comparison) = walk.ask() {
        let request = RepairRequest::Compare(comparison).encode();
        let Ok(RepairRequest::Compare(comparison)) = RepairRequest::decode(&request) else {
            panic!("a request reads back as itself");
        };
        let replies = theirs(walked.exchanges).answer(&outlines, &comparison);
        let answer = RepairAnswer::Compared(replies).encode();
        let Ok(RepairAnswer::Compared(replies)) = RepairAnswer::decode(&answer) else {
            panic!("an answer reads back as itself");
        };
        let found = ours.take(&mut walk, replies).expect("an honest peer");
        walked.found.extend(found);
        walked.bytes += request.len() + answer.len();
        walked.exchanges += 1;
    }
    assert_eq!(walk.shards_done(), 64);
    walked
}

/// Listings that `theirs` has otherwise than `ours`, or `ours` not at all.
fn differences(ours: &Set, theirs: &Set) -> Vec<ListingId> {
    let mut differing: Vec<ListingId> = theirs
        .0
        .iter()
        .filter(|(key, digest)| ours.0.get(*key) != Some(*digest))
        .map(|(key, _)| ListingId::from_key(&key[2..]).expect("a listing"))
        .collect();
    differing.sort();
    differing
}
