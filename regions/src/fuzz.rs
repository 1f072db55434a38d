//! The decoders of this crate, fed with what nobody would send.

use std::fmt::Display;
use std::str::FromStr;

use meridian_fuzz::{Allowance, fuzz, fuzz_within, reads, reads_exactly, text};

use crate::topology::tests::GOOD;
use crate::{
    BlockId, BookingId, ClusterName, EventId, Genesis, HoldId, ListingId, NodeId, RegionId,
    Survival, Topology, UnixNanos, ZoneId,
};

fn listing() -> ListingId {
    let home = "eu-west".parse().expect("a region");
    ListingId::generate(UnixNanos::from_millis(1_800_000_000_000), 7, home)
}

#[test]
fn genesis() {
    let voters = [1, 2, 3].map(|id| NodeId::new(id).expect("not zero"));
    let record = Genesis {
        listing: listing(),
        survival: Survival::Region,
        voters: voters.to_vec(),
        map_epoch: 3,
        created_by: voters[0],
    };
    fuzz(
        "genesis",
        &[record.encode()],
        reads(Genesis::decode, Genesis::encode),
    );
}

#[test]
fn listing_key() {
    let target = reads_exactly(ListingId::from_key, ListingId::to_key);
    fuzz("listing-key", &[listing().to_key()], target);
}

/// None has two spellings: what it names would have two names.
fn named<T: FromStr<Err: Display> + Display>(input: &str) -> String {
    let spelt = |read: &T| read.to_string().into_bytes();
    reads_exactly(|_: &[u8]| input.parse::<T>(), spelt)(input.as_bytes())
}

#[test]
fn ids() {
    let listing = listing();
    let examples = [
        listing.to_string(),
        BookingId::new(listing.clone(), 12).to_string(),
        HoldId::new(listing.clone(), 0).to_string(),
        BlockId::new(listing.clone(), u64::MAX).to_string(),
        EventId::new(listing, 7).to_string(),
        "us-east-1".to_owned(),
    ];
    let target = text(|input| {
        let said = [
            named::<ListingId>(input),
            named::<BookingId>(input),
            named::<HoldId>(input),
            named::<BlockId>(input),
            named::<EventId>(input),
            named::<RegionId>(input),
            named::<ZoneId>(input),
            named::<ClusterName>(input),
        ];
        // Errors quote the input: only whether it was read tells.
        let read = said
            .iter()
            .map(|said| if said.starts_with('+') { 'y' } else { 'n' });
        read.collect()
    });
    fuzz("ids", &examples.map(String::into_bytes), target);
}

#[test]
fn topology() {
    let allowance = Allowance {
        base: 256 * 1024,
        per_byte: 2_048,
    };
    let target = text(|input| match Topology::from_toml(input) {
        Ok(topology) => {
            assert!(
                topology.nodes().len() <= input.len(),
                "nodes out of nothing"
            );
            "read".to_owned()
        }
        Err(cause) => cause.to_string().chars().take(40).collect(),
    });
    let examples = [GOOD.as_bytes().to_vec()];
    fuzz_within(allowance, "topology", &examples, target);
}
