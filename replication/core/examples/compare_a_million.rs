//! What it costs to find a hundred differences among a million listings: bytes, exchanges,
//! and time without a disk and a network.
//!
//! `cargo run --release --example compare_a_million`, in a workspace whose dependencies are
//! built as for the bench.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Instant;

use meridian_regions::{ListingId, RegionId, ShardId, UnixNanos};
use meridian_replication_core::{
    Item, Outline, OutlineBuilder, Range, RepairAnswer, RepairRequest, Walk, answer, item_key,
};

const LISTINGS: u64 = 1_000_000;
const DIFFERENCES: u64 = 100;

/// All items, in order.
struct Set(Vec<Item>);

impl Set {
    /// Every listing; each `LISTINGS / DIFFERENCES`-th has come to `state`.
    fn new(home: &RegionId, state: u8) -> Self {
        let items = (0..LISTINGS).map(|number| {
            let changed = number % (LISTINGS / DIFFERENCES) == 7;
            let random = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c);
            let at = UnixNanos::from_millis(number / 10);
            Item {
                key: item_key(&ListingId::generate(at, random, home.clone())),
                digest: [if changed { state } else { 0 }; 32],
            }
        });
        let mut items: Vec<Item> = items.collect();
        items.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Self(items)
    }

    fn within(&self, range: &Range) -> &[Item] {
        let place = |key: &[u8]| self.0.partition_point(|item| item.key.as_slice() < key);
        &self.0[place(range.from())..place(range.until())]
    }

    fn read(&self, range: &Range) -> Result<Vec<Item>, Infallible> {
        Ok(self.within(range).to_vec())
    }

    fn outlines(&self) -> BTreeMap<ShardId, Outline> {
        let shards = ShardId::all().map(|shard| {
            let mut outline = OutlineBuilder::default();
            for item in self.within(&Range::of_shard(shard)) {
                outline.push(&item.key, &item.digest);
            }
            (shard, outline.finish())
        });
        shards.collect()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home: RegionId = "eu-west".parse()?;
    let (ours, theirs) = (Set::new(&home, 0), Set::new(&home, 1));
    let began = Instant::now();
    let outlines = theirs.outlines();
    let mut walk = Walk::over(1, ours.outlines());
    let outlined = began.elapsed();
    let (mut bytes, mut found) = (0, 0);
    while let Some(comparison) = walk.ask() {
        let request = RepairRequest::Compare(comparison.clone()).encode();
        let replies = comparison.ranges.iter().map(|asked| {
            let outline = &outlines[&asked.range.shard()];
            answer(asked, outline, &mut |range| theirs.read(range))
        });
        let replies = replies.collect::<Result<Vec<_>, Infallible>>()?;
        bytes += request.len() + RepairAnswer::Compared(replies.clone()).encode().len();
        found += walk.take(replies, &mut |range| ours.read(range))?.len();
    }
    writeln!(
        io::stdout(),
        "{found} differences among {LISTINGS} listings: {bytes} bytes, {} exchanges, {} ranges; \
         {:?}, {outlined:?} of it for the outlines of both sides",
        walk.exchanges(),
        walk.ranges(),
        began.elapsed(),
    )?;
    Ok(())
}
