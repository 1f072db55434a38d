//! An event as CloudEvents 1.0 has it, in JSON.

use meridian_consensus_core::{Event, EventKind};
use meridian_regions::{BlockId, BookingId, EventId, ListingId};
use meridian_replication_core::{ChangeKind, NewChange};
use serde_json::{Value, json};

use super::{Plane, Told};
use crate::clock::rfc3339;

/// Every type that a ledger tells.
const KINDS: [EventKind; 15] = [
    EventKind::BookingHeld,
    EventKind::BookingConfirmed,
    EventKind::BookingCancelled,
    EventKind::BookingExpired,
    EventKind::BookingReleased,
    EventKind::AvailabilityChanged,
    EventKind::PaymentPending,
    EventKind::PaymentAuthorized,
    EventKind::PaymentCaptured,
    EventKind::PaymentDeclined,
    EventKind::PaymentVoiding,
    EventKind::PaymentVoided,
    EventKind::PaymentRefunding,
    EventKind::PaymentRefunded,
    EventKind::PaymentGivenUp,
];

/// Every type that a document tells.
const CHANGES: [ChangeKind; 3] = [
    ChangeKind::Created,
    ChangeKind::Updated,
    ChangeKind::Deleted,
];

/// The name of every type that can be asked for: those of listings first.
pub(crate) fn types() -> Vec<&'static str> {
    let of_ledgers = KINDS.map(EventKind::name);
    CHANGES.map(name_of).into_iter().chain(of_ledgers).collect()
}

/// Which plane tells of a type.
pub(crate) fn plane_of(name: &str) -> Plane {
    if CHANGES.map(name_of).contains(&name) {
        Plane::Listings
    } else {
        Plane::Bookings
    }
}

/// What was missed is told to everybody, under this name: it may have been wanted.
pub(crate) const MISSED: &str = "events.missed";

/// The type of what is told.
pub(crate) fn type_of(told: &Told) -> &'static str {
    match told {
        Told::Event(event) => event.kind().name(),
        Told::Missed { .. } => MISSED,
        Told::Change(change) => name_of(change.kind),
    }
}

/// Names what is told, for whoever hears of it more than once.
pub(crate) fn id(listing: &ListingId, told: &Told) -> String {
    let numbered = |number| EventId::new(listing.clone(), number);
    match told {
        Told::Event(event) => numbered(event.number).to_string(),
        Told::Missed { last, .. } => format!("{}-missed", numbered(*last)),
        Told::Change(change) => format!("{listing}-{}", change.id),
    }
}

/// What is told. The same in every delivery, on every node: nothing in it depends on who tells
/// it.
pub(crate) fn shown(listing: &ListingId, told: &Told) -> Value {
    match told {
        Told::Event(event) => happened(listing, event),
        Told::Missed { first, last } => missed(listing, *first, *last),
        Told::Change(change) => changed(listing, change),
    }
}

const fn name_of(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "listing.created",
        ChangeKind::Updated => "listing.updated",
        ChangeKind::Deleted => "listing.deleted",
    }
}

/// Something has happened to a listing: its document has one change more. The order of changes
/// is that of `history`, and not of a number.
fn changed(listing: &ListingId, change: &NewChange) -> Value {
    let told = Told::Change(*change);
    json!({
        "specversion": "1.0",
        "id": id(listing, &told),
        "source": source(listing),
        "type": name_of(change.kind),
        "subject": listing,
        "time": rfc3339(change.at_ms),
        "datacontenttype": "application/json",
        "data": {"listing_id": listing, "change": change.id, "node": change.node},
    })
}

/// Something has happened to a booking, or to a block.
fn happened(listing: &ListingId, event: &Event) -> Value {
    let number = event.reservation;
    let (name, subject) = match event.kind() {
        EventKind::AvailabilityChanged => (
            "block_id",
            BlockId::new(listing.clone(), number).to_string(),
        ),
        _ => (
            "booking_id",
            BookingId::new(listing.clone(), number).to_string(),
        ),
    };
    json!({
        "specversion": "1.0",
        "id": id(listing, &Told::Event(*event)),
        "source": source(listing),
        "type": event.kind().name(),
        "subject": subject,
        "time": rfc3339(event.at_ms),
        "sequence": sequence(event.number),
        "datacontenttype": "application/json",
        "data": {"listing_id": listing, name: subject, "number": event.number},
    })
}

/// Events that cannot be told here any more: the numbers of the first and the last.
fn missed(listing: &ListingId, first: u64, last: u64) -> Value {
    json!({
        "specversion": "1.0",
        "id": id(listing, &Told::Missed { first, last }),
        "source": source(listing),
        "type": MISSED,
        "sequence": sequence(last),
        "datacontenttype": "application/json",
        "data": {"listing_id": listing, "first_number": first, "last_number": last},
    })
}

fn source(listing: &ListingId) -> String {
    format!("/v1/listings/{listing}")
}

/// Ordered as text, as the extension of that name wants it.
fn sequence(number: u64) -> String {
    format!("{number:020}")
}

#[cfg(test)]
mod tests {
    use meridian_consensus_core::EventKind;

    use super::KINDS;

    #[test]
    fn every_type_that_a_ledger_tells_can_be_asked_for() {
        let known = (1..).map_while(|number| EventKind::try_from(number).ok());
        let known: Vec<EventKind> = known.collect();
        assert_eq!(known.len(), KINDS.len());
        assert!(known.iter().all(|kind| KINDS.contains(kind)));
    }
}
