//! What registers say of endpoints and of their progress, fed with what was never written.

use meridian_fuzz::fuzz;
use meridian_regions::{ListingId, NodeId, RegionId, UnixNanos};
use meridian_replication_core::{ChangeId, ChangeKind, NewChange};

use super::endpoint::{Endpoint, Replay};
use super::progress::{Delivery, Parked, Progress};
use crate::events::{Plane, Told};

#[test]
fn webhook_progress() {
    let home: RegionId = "eu-west".parse().expect("a region");
    let fresh = Progress::start(home.clone());
    let mut parked = fresh.clone();
    let change = NewChange {
        id: ChangeId::from_bytes([7; 32]),
        node: NodeId::new(2).expect("not zero"),
        at_ms: 5,
        kind: ChangeKind::Created,
    };
    parked.parked.push(Parked {
        delivery: Delivery {
            listing: ListingId::generate(UnixNanos::from_millis(5), 7, home),
            told: Told::Change(change),
        },
        attempts: 3,
        at_ms: 9,
        error: "500".to_owned(),
    });
    let examples = [fresh, parked].map(|progress| progress.encode());
    fuzz("webhook-progress", &examples, |input| {
        let Some(progress) = Progress::decode(input) else {
            return "none".to_owned();
        };
        assert_eq!(Progress::decode(&progress.encode()), Some(progress));
        "read".to_owned()
    });
}

#[test]
fn webhook_endpoint() {
    let endpoint = Endpoint {
        url: "https://hooks.example.com/".to_owned(),
        types: vec!["booking.held".to_owned()],
        secret: "whsec_1".to_owned(),
        enabled: true,
        created_ms: 5,
        since_ms: 4,
        added_ms: [(Plane::Listings, 6)].into(),
        replay: Some(Replay {
            number: 1,
            cursor: Some(String::new()),
        }),
    };
    fuzz("webhook-endpoint", &[endpoint.encode()], |input| {
        let Some(endpoint) = Endpoint::decode(input) else {
            return "none".to_owned();
        };
        assert_eq!(Endpoint::decode(&endpoint.encode()), Some(endpoint));
        "read".to_owned()
    });
}
