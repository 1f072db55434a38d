//! Three accounts of the same bookings: the guests', the ledgers' and the provider's.

use std::collections::{BTreeMap, BTreeSet};

use meridian_chaos::until;
use meridian_client::Client;

use crate::harness::{PATIENCE, Scenario, text};
use crate::provider::{Deeds, Provider};

/// States of a payment in which nothing is left to do.
const SETTLED: [&str; 4] = ["captured", "declined", "voided", "refunded"];

/// What guests were told, surely.
pub(super) struct Told {
    /// Booking and night.
    pub(super) booked: BTreeSet<(String, String)>,
    /// Bookings.
    pub(super) cancelled: BTreeSet<String>,
    /// Bookings that somebody tried to give back.
    pub(super) leaving: BTreeSet<String>,
}

/// A booking as its ledger has it.
struct Booking {
    night: String,
    state: String,
    payment: Option<String>,
}

/// Compares all three, once every payment is settled.
pub(super) async fn audit(
    scenario: &Scenario,
    provider: &Provider,
    listings: &[String],
    told: &Told,
) {
    let mut ledgers = BTreeMap::new();
    for listing in listings {
        let mut bookings = settled(&scenario.client(1), listing).await;
        sold_once(&bookings);
        ledgers.append(&mut bookings);
    }
    assert!(!told.booked.is_empty() && !told.cancelled.is_empty());
    for (id, night) in &told.booked {
        let kept = ledgers.get(id);
        let kept = kept.unwrap_or_else(|| panic!("{id} was confirmed and is gone"));
        assert_eq!(&kept.night, night, "{id}");
        let stands = kept.state == "confirmed";
        assert!(stands || told.leaving.contains(id), "{id}: {}", kept.state);
        assert!(
            !stands || !told.cancelled.contains(id),
            "{id} was cancelled"
        );
    }
    let deeds = provider.deeds();
    for id in deeds.keys() {
        assert!(ledgers.contains_key(id), "charged for no booking: {id}");
    }
    for (id, booking) in &ledgers {
        let deeds = deeds.get(id).cloned().unwrap_or_default();
        agrees(id, booking, &deeds);
    }
}

/// No night of one listing belongs to two bookings.
fn sold_once(bookings: &BTreeMap<String, Booking>) {
    let mut sold: BTreeMap<&str, &str> = BTreeMap::new();
    for (id, booking) in bookings.iter().filter(|(_, one)| one.state == "confirmed") {
        let before = sold.insert(&booking.night, id);
        assert_eq!(before, None, "{} was sold to {id} too", booking.night);
    }
}

/// What the provider did is what the ledger says, and it did nothing twice.
fn agrees(id: &str, booking: &Booking, deeds: &Deeds) {
    let told = (booking.state.as_str(), booking.payment.as_deref());
    for (deed, times) in deeds {
        assert_eq!(*times, 1, "{id}, {told:?}: {deed} {times} times");
    }
    let did = |deed: &str| deeds.contains_key(deed);
    let money = (
        did("capture"),
        did("refund"),
        did("authorize") && !did("cancel"),
    );
    let due = match told {
        ("confirmed", Some("captured")) => (true, false, true),
        (_, Some("refunded")) => (true, true, true),
        (_, Some("voided" | "declined") | None) => (false, false, false),
        other => panic!("{id}: {other:?}, {deeds:?}"),
    };
    assert_eq!(money, due, "{id}, {told:?}: {deeds:?}");
}

/// Every booking of a listing, once nothing is left to do about its payment.
async fn settled(client: &Client, listing: &str) -> BTreeMap<String, Booking> {
    let what = format!("the payments of {listing} are settled");
    until(PATIENCE, what, async || {
        let bookings = bookings(client, listing).await?;
        let open = |one: &Booking| {
            let payment = one.payment.as_deref();
            payment.is_some_and(|state| !SETTLED.contains(&state))
        };
        (!bookings.values().any(open)).then_some(bookings)
    })
    .await
    .expect("they are")
}

async fn bookings(client: &Client, listing: &str) -> Option<BTreeMap<String, Booking>> {
    let mut all = BTreeMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.bookings_of(listing, cursor.as_deref()).await.ok()?;
        for one in page.body["data"].as_array().expect("a list") {
            let payment = &one["payment"]["state"];
            let booking = Booking {
                night: text(&one["check_in"]),
                state: text(&one["state"]),
                payment: payment.as_str().map(str::to_owned),
            };
            all.insert(text(&one["booking_id"]), booking);
        }
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Some(all),
        }
    }
}
