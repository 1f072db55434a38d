//! An event as CloudEvents 1.0 has it, in JSON.

use meridian_consensus_core::{Event, EventKind};
use meridian_regions::{BlockId, BookingId, EventId, ListingId};
use serde_json::{Value, json};

use crate::clock::rfc3339;

/// Every type that a ledger tells.
pub(crate) const KINDS: [EventKind; 15] = [
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

/// The same in every delivery, on every node: nothing in it depends on who tells it.
pub(crate) fn shown(listing: &ListingId, event: &Event) -> Value {
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
        "id": EventId::new(listing.clone(), event.number),
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
pub(crate) fn missed(listing: &ListingId, first: u64, last: u64) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("{}-missed", EventId::new(listing.clone(), last)),
        "source": source(listing),
        "type": "events.missed",
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
