//! Events on their way out: written by the same entry that causes them.

use prost::Message;

/// Events that wait for delivery. Beyond it the oldest is dropped and counted: an
/// outbox that nobody empties must not stop bookings.
pub const OUTBOX_EVENTS_MAX: usize = 1_024;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum EventKind {
    /// Of a later version.
    Unspecified = 0,
    /// `booking.held`
    BookingHeld = 1,
    /// `booking.confirmed`
    BookingConfirmed = 2,
    /// `booking.cancelled`
    BookingCancelled = 3,
    /// `booking.expired`
    BookingExpired = 4,
    /// `booking.released`
    BookingReleased = 5,
    /// `payment.declined`
    PaymentDeclined = 6,
    /// `availability.changed`
    AvailabilityChanged = 7,
    /// `payment.authorized`
    PaymentAuthorized = 8,
    /// `payment.captured`
    PaymentCaptured = 9,
    /// `payment.voided`
    PaymentVoided = 10,
    /// `payment.refunded`
    PaymentRefunded = 11,
    /// `payment.given_up`
    PaymentGivenUp = 12,
    /// `payment.pending`
    PaymentPending = 13,
    /// `payment.refunding`
    PaymentRefunding = 14,
    /// `payment.voiding`
    PaymentVoiding = 15,
}

impl EventKind {
    /// Its type, as consumers know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::BookingHeld => "booking.held",
            Self::BookingConfirmed => "booking.confirmed",
            Self::BookingCancelled => "booking.cancelled",
            Self::BookingExpired => "booking.expired",
            Self::BookingReleased => "booking.released",
            Self::AvailabilityChanged => "availability.changed",
            Self::PaymentPending => "payment.pending",
            Self::PaymentAuthorized => "payment.authorized",
            Self::PaymentCaptured => "payment.captured",
            Self::PaymentDeclined => "payment.declined",
            Self::PaymentVoiding => "payment.voiding",
            Self::PaymentVoided => "payment.voided",
            Self::PaymentRefunding => "payment.refunding",
            Self::PaymentRefunded => "payment.refunded",
            Self::PaymentGivenUp => "payment.given_up",
        }
    }
}

/// One event, the same in every delivery.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Event {
    /// Its number in the listing, from 1, without gaps. With the listing it makes the
    /// event's id, the same in every delivery and on every replica.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(enumeration = "EventKind", tag = "2")]
    kind: i32,
    /// The reservation that it is about.
    #[prost(uint64, tag = "3")]
    pub reservation: u64,
    /// Ledger time, in milliseconds since 1970.
    #[prost(uint64, tag = "4")]
    pub at_ms: u64,
}

/// Events in order.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Outbox {
    #[prost(uint64, tag = "1")]
    last_number: u64,
    #[prost(uint64, tag = "2")]
    dropped: u64,
    #[prost(message, repeated, tag = "3")]
    events: Vec<Event>,
}

impl Outbox {
    pub(super) fn push(&mut self, kind: EventKind, reservation: u64, at_ms: u64) {
        if self.events.len() >= OUTBOX_EVENTS_MAX {
            self.events.remove(0);
            self.dropped += 1;
        }
        self.last_number += 1;
        self.events.push(Event {
            number: self.last_number,
            kind: kind.into(),
            reservation,
            at_ms,
        });
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }
}
