//! Keys of the database, fed with what no version has written.

use meridian_fuzz::{fuzz, reads, reads_exactly};
use meridian_regions::{Hlc, ListingId, NodeId, ShardId, Shards, UnixNanos};
use meridian_replication_core::{ChangeId, ChangeKind, LogFloor, NewChange};

use crate::events::ListingNews;
use crate::marks::Marks;
use crate::{floors, keys};

#[test]
fn entry_key() {
    let node = NodeId::new(7).expect("not zero");
    let shard = ShardId::all().last().expect("a shard");
    let decode = |input: &[u8]| keys::parse_entry(input).ok_or("none");
    let target = reads_exactly(decode, |(origin, shard, seq)| {
        keys::entry(*origin, *shard, *seq)
    });
    fuzz("entry-key", &[keys::entry(node, shard, 300)], target);
}

#[test]
fn origin_key() {
    let node = NodeId::new(7).expect("not zero");
    let examples = [keys::watermark(node), keys::seen(node)];
    fuzz("origin-key", &examples, |input| {
        match keys::parse_origin(input) {
            None => "none".to_owned(),
            Some(origin) => {
                assert_eq!(keys::seen(origin)[1..], input[1..]);
                "an origin".to_owned()
            }
        }
    });
}

#[test]
fn floor_record() {
    let floor = LogFloor {
        origin: NodeId::new(7).expect("not zero"),
        shard: ShardId::all().last().expect("a shard"),
        seq: 300,
        hlc: Hlc::from_u64(9),
    };
    let record = |floor: &LogFloor| {
        let key = keys::floor(floor.origin, floor.shard);
        [key, floors::encode(floor).to_vec()].concat()
    };
    let decode = |input: &[u8]| {
        let (key, value) = input.split_at_checked(11).ok_or("none")?;
        floors::decode(key, value).ok_or("none")
    };
    fuzz(
        "floor-record",
        &[record(&floor)],
        reads_exactly(decode, record),
    );
}

#[test]
fn watermarks() {
    let some: Shards = ShardId::all().take(5).collect();
    let mut marks = Marks::default();
    marks.raise(Shards::ALL - some, Hlc::from_u64(3));
    marks.raise(some, Hlc::from_u64(9));
    let decode = |input: &[u8]| {
        let mut marks = Marks::default();
        marks.take_in(input).map(|()| marks)
    };
    fuzz(
        "watermarks",
        &[marks.encode()],
        reads(decode, Marks::encode),
    );
}

#[test]
fn listing_event() {
    let home = "eu-west".parse().expect("a region");
    let news = ListingNews {
        listing: ListingId::generate(UnixNanos::from_millis(5), 7, home),
        change: NewChange {
            id: ChangeId::from_bytes([7; 32]),
            node: NodeId::new(7).expect("not zero"),
            at_ms: 5,
            kind: ChangeKind::Deleted,
        },
    };
    fuzz(
        "listing-event",
        &[news.encode(6)],
        reads_exactly(ListingNews::decode, |(news, told_ms)| news.encode(*told_ms)),
    );
}
