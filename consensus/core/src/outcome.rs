//! What came of a command. Outcomes are values, not errors: a rejection is as
//! final, and as replicated, as a booking.

use prost::Message;

use crate::command::{Price, Stay};
use crate::rejection::{RejectedWire, Rejection};
use crate::reservation::{Reservation, ReservationState};

/// Bytes that are no record of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a record of the ledger: {0}")]
pub struct DecodeError(String);

impl DecodeError {
    pub(crate) fn new(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

impl From<prost::DecodeError> for DecodeError {
    fn from(cause: prost::DecodeError) -> Self {
        Self::new(cause)
    }
}

/// Whether an outcome is new or the first one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// This entry did it.
    Fresh,
    /// An earlier entry with the same key did it; this one changed nothing.
    Replayed,
}

/// The answer to one log entry.
#[derive(Clone, PartialEq, Message)]
pub struct Applied {
    #[prost(
        oneof = "Outcome",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14"
    )]
    outcome: Option<Outcome>,
    #[prost(bool, tag = "20")]
    replayed: bool,
    /// Revision of the ledger afterwards.
    #[prost(uint64, tag = "21")]
    pub revision: u64,
    /// Ledger time afterwards, in milliseconds since 1970.
    #[prost(uint64, tag = "22")]
    pub at_ms: u64,
    /// What was reserved, as the ledger holds it: the same for the first answer and
    /// for every repetition, whatever the listing has become. Absent where nothing
    /// is reserved.
    #[prost(message, optional, tag = "23")]
    pub reserved: Option<Reserved>,
    /// From when on a payment of the listing wants a step that anybody may do, in
    /// milliseconds since 1970: the leader drives it without being asked.
    #[prost(uint64, optional, tag = "24")]
    pub payment_due_ms: Option<u64>,
}

/// What a reservation is for. Fixed once it is made.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Reserved {
    /// Its slots and guests.
    #[prost(message, required, tag = "1")]
    pub stay: Stay,
    /// What it costs.
    #[prost(message, required, tag = "2")]
    pub price: Price,
    /// The quote that stands for price and terms; empty for a block.
    #[prost(string, tag = "3")]
    pub quote: String,
    /// Minor units that its cancellation gives back, decided once; absent before.
    #[prost(uint64, optional, tag = "4")]
    pub refund: Option<u64>,
}

impl From<&Reservation> for Reserved {
    fn from(reservation: &Reservation) -> Self {
        Self {
            stay: reservation.stay,
            price: reservation.price.clone(),
            quote: reservation.quote.clone(),
            refund: (reservation.state() == ReservationState::Cancelled).then(|| {
                reservation
                    .payment
                    .as_ref()
                    .map_or(0, |payment| payment.refund)
            }),
        }
    }
}

impl Applied {
    pub(crate) const fn new(outcome: Outcome, replay: Replay, revision: u64, at_ms: u64) -> Self {
        Self {
            outcome: Some(outcome),
            replayed: matches!(replay, Replay::Replayed),
            revision,
            at_ms,
            reserved: None,
            payment_due_ms: None,
        }
    }

    /// The same, with what is reserved.
    pub(crate) fn with(mut self, reserved: Option<Reserved>) -> Self {
        self.reserved = reserved;
        self
    }

    /// The same, with when a payment of the listing is due.
    pub(crate) const fn due(mut self, payment_due_ms: Option<u64>) -> Self {
        self.payment_due_ms = payment_due_ms;
        self
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        // `decode` refuses a record without one.
        self.outcome.as_ref().unwrap_or(&Outcome::NOTHING)
    }

    /// Whether it is new.
    #[must_use]
    pub const fn replay(&self) -> Replay {
        if self.replayed {
            Replay::Replayed
        } else {
            Replay::Fresh
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads what [`Applied::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else; it never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let applied = <Self as Message>::decode(bytes)?;
        if applied.outcome.is_none() {
            return Err(DecodeError::new("an answer without an outcome"));
        }
        Ok(applied)
    }
}

/// What came of a command. Numbers name reservations of the ledger.
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum Outcome {
    /// The nights are kept until an instant.
    #[prost(message, tag = "1")]
    Held(Held),
    /// The nights are kept while the payment is under way.
    #[prost(message, tag = "2")]
    Pending(Pending),
    /// The nights are sold.
    #[prost(message, tag = "3")]
    Confirmed(Confirmed),
    /// The payment was refused, the nights are free.
    #[prost(message, tag = "4")]
    Declined(Declined),
    /// The hold is given back.
    #[prost(uint64, tag = "5")]
    Released(u64),
    /// The booking is cancelled.
    #[prost(uint64, tag = "6")]
    Cancelled(u64),
    /// The nights are closed.
    #[prost(uint64, tag = "7")]
    Blocked(u64),
    /// The nights are open again.
    #[prost(uint64, tag = "8")]
    Unblocked(u64),
    /// So many reservations lapsed.
    #[prost(uint64, tag = "9")]
    Expired(u64),
    /// Nothing was done.
    #[prost(message, tag = "10")]
    Rejected(RejectedWire),
    /// The step of the payment is journalled.
    #[prost(uint64, tag = "11")]
    Settled(u64),
    /// The listing is closed, since this instant in milliseconds since 1970.
    #[prost(uint64, tag = "12")]
    Closed(u64),
    /// The listing is open, after so many closings.
    #[prost(uint64, tag = "13")]
    Reopened(u64),
    /// The map stands, at this revision.
    #[prost(uint64, tag = "14")]
    Charted(u64),
}

impl Outcome {
    const NOTHING: Self = Self::Expired(0);

    /// Number of the reservation that it is about.
    pub(crate) const fn number(&self) -> Option<u64> {
        match self {
            Self::Held(held) => Some(held.number),
            Self::Pending(pending) => Some(pending.number),
            Self::Confirmed(sold) => Some(sold.number),
            Self::Declined(declined) => Some(declined.number),
            Self::Released(number)
            | Self::Cancelled(number)
            | Self::Blocked(number)
            | Self::Unblocked(number)
            | Self::Settled(number) => Some(*number),
            Self::Expired(_)
            | Self::Closed(_)
            | Self::Reopened(_)
            | Self::Charted(_)
            | Self::Rejected(_) => None,
        }
    }

    /// The rejection, if it is one.
    #[must_use]
    pub fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Rejected(wire) => Some(wire.read()),
            _ => None,
        }
    }
}

/// See [`Outcome::Held`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Held {
    /// Number of the hold, and of the booking that may come of it.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// When it lapses, in milliseconds since 1970.
    #[prost(uint64, tag = "2")]
    pub expires_at_ms: u64,
    /// Greater than that of every earlier reservation of the listing.
    #[prost(uint64, tag = "3")]
    pub fencing_token: u64,
}

/// See [`Outcome::Pending`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Pending {
    /// Number of the reservation.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// What is to be paid, in minor units.
    #[prost(uint64, tag = "2")]
    pub amount: u64,
    /// ISO 4217.
    #[prost(string, tag = "3")]
    pub currency: String,
}

/// See [`Outcome::Confirmed`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Confirmed {
    /// Number of the booking.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The reservation's token.
    #[prost(uint64, tag = "2")]
    pub fencing_token: u64,
}

/// See [`Outcome::Declined`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Declined {
    /// Number of the reservation.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The provider's reason.
    #[prost(string, tag = "2")]
    pub reason: String,
}
