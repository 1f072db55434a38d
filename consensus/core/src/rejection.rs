//! Why a command was refused, and how that is stored beside the other outcomes.

use prost::Message;

use crate::outcome::Outcome;
use crate::reservation::ReservationState;
use crate::slots::{Edge, Hours};

/// Why nothing was done. Each has a problem of the client contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// A slot of the stay is taken; the interval is the part that clashes.
    SlotTaken {
        /// First slot that is taken.
        from: Edge,
        /// Where the clashing run ends.
        until: Edge,
    },
    /// The hold has lapsed, was given back, or its payment was refused.
    HoldExpired,
    /// No such reservation.
    NotFound,
    /// The key was used for another request.
    IdempotencyMismatch,
    /// The request breaks a rule.
    Validation {
        /// RFC 6901, into the request's body.
        pointer: String,
        /// What is wrong, and what was expected.
        detail: String,
    },
    /// The ledger is full: nothing of it is old enough to be forgotten.
    Overloaded,
    /// Price or terms are not what the guest saw.
    QuoteStale {
        /// What stands for them now.
        quote: String,
    },
    /// A payment under another key is under way for the same hold.
    InFlight,
    /// The listing is closed: nothing of it is let any more.
    Closed,
    /// The listing cannot be opened: it has been closed again.
    ClosedAgain,
    /// The cluster's map is another than its writer saw.
    MapMoved {
        /// Number of the map that stands; zero if there is none.
        epoch: u64,
    },
    /// The listing cannot be closed: somebody has, or may yet have, nights of it.
    HasBookings {
        /// Number of the reservation that stands longest.
        number: u64,
        /// How it stands: held, pending or confirmed.
        state: ReservationState,
        /// Its departure.
        until: Edge,
    },
}

/// A rejection as it is stored.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct RejectedWire {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(sint32, tag = "2")]
    from: i32,
    #[prost(sint32, tag = "3")]
    until: i32,
    #[prost(string, tag = "4")]
    pointer: String,
    #[prost(string, tag = "5")]
    detail: String,
    #[prost(string, tag = "6")]
    quote: String,
    #[prost(uint64, tag = "7")]
    number: u64,
    #[prost(enumeration = "ReservationState", tag = "8")]
    state: i32,
    /// Absent where `from` and `until` are nights.
    #[prost(message, optional, tag = "9")]
    hours: Option<Hours>,
}

const SLOT_TAKEN: i32 = 1;
const HOLD_EXPIRED: i32 = 2;
const NOT_FOUND: i32 = 3;
const IDEMPOTENCY_MISMATCH: i32 = 4;
const VALIDATION: i32 = 5;
const OVERLOADED: i32 = 6;
const QUOTE_STALE: i32 = 7;
const IN_FLIGHT: i32 = 8;
const CLOSED: i32 = 9;
const HAS_BOOKINGS: i32 = 10;
const CLOSED_AGAIN: i32 = 11;
const MAP_MOVED: i32 = 12;

impl RejectedWire {
    pub(crate) fn read(&self) -> Rejection {
        match self.kind {
            SLOT_TAKEN => Rejection::SlotTaken {
                from: Edge::of(self.from, self.hours),
                until: Edge::of(self.until, self.hours),
            },
            HOLD_EXPIRED => Rejection::HoldExpired,
            NOT_FOUND => Rejection::NotFound,
            IDEMPOTENCY_MISMATCH => Rejection::IdempotencyMismatch,
            OVERLOADED => Rejection::Overloaded,
            IN_FLIGHT => Rejection::InFlight,
            CLOSED => Rejection::Closed,
            CLOSED_AGAIN => Rejection::ClosedAgain,
            MAP_MOVED => Rejection::MapMoved { epoch: self.number },
            HAS_BOOKINGS => Rejection::HasBookings {
                number: self.number,
                state: self.state(),
                until: Edge::of(self.until, self.hours),
            },
            QUOTE_STALE => Rejection::QuoteStale {
                quote: self.quote.clone(),
            },
            // A kind of a later version still says what it has to say.
            _ => Rejection::Validation {
                pointer: self.pointer.clone(),
                detail: self.detail.clone(),
            },
        }
    }
}

impl From<Rejection> for Outcome {
    fn from(rejection: Rejection) -> Self {
        let mut wire = RejectedWire::default();
        match rejection {
            Rejection::SlotTaken { from, until } => {
                wire.kind = SLOT_TAKEN;
                (wire.from, wire.hours) = from.to_slot();
                wire.until = until.to_slot().0;
            }
            Rejection::HoldExpired => wire.kind = HOLD_EXPIRED,
            Rejection::NotFound => wire.kind = NOT_FOUND,
            Rejection::IdempotencyMismatch => wire.kind = IDEMPOTENCY_MISMATCH,
            Rejection::Validation { pointer, detail } => {
                wire.kind = VALIDATION;
                wire.pointer = pointer;
                wire.detail = detail;
            }
            Rejection::Overloaded => wire.kind = OVERLOADED,
            Rejection::InFlight => {
                wire.kind = IN_FLIGHT;
                // For a reader of an earlier version.
                "/hold_id".clone_into(&mut wire.pointer);
                "another payment for this hold is under way".clone_into(&mut wire.detail);
            }
            Rejection::Closed => {
                wire.kind = CLOSED;
                // For a reader of an earlier version.
                "the listing is closed".clone_into(&mut wire.detail);
            }
            Rejection::ClosedAgain => {
                wire.kind = CLOSED_AGAIN;
                // For a reader of an earlier version.
                "the listing has been closed again".clone_into(&mut wire.detail);
            }
            Rejection::MapMoved { epoch } => {
                wire.kind = MAP_MOVED;
                wire.number = epoch;
            }
            Rejection::HasBookings {
                number,
                state,
                until,
            } => {
                wire.kind = HAS_BOOKINGS;
                wire.number = number;
                wire.state = state.into();
                (wire.until, wire.hours) = until.to_slot();
            }
            Rejection::QuoteStale { quote } => {
                wire.kind = QUOTE_STALE;
                wire.quote = quote;
                // For a reader of an earlier version.
                "/quote".clone_into(&mut wire.pointer);
                "price or terms have changed".clone_into(&mut wire.detail);
            }
        }
        Self::Rejected(wire)
    }
}
