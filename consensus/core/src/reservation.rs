//! One reservation from its hold to its end, with every step it took.

use prost::Message;

use crate::command::{Price, Stay};

/// Where a reservation stands. A block of the host is one too: it takes nights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ReservationState {
    /// Of a later version.
    Unspecified = 0,
    /// Kept until an instant.
    Held = 1,
    /// Kept while the payment is under way.
    PendingPayment = 2,
    /// Sold.
    Confirmed = 3,
    /// Cancelled after it was sold.
    Cancelled = 4,
    /// Lapsed.
    Expired = 5,
    /// Given back before it was sold.
    Released = 6,
    /// Its payment was refused.
    Declined = 7,
    /// Closed by the host.
    Blocked = 8,
    /// Opened by the host again.
    Reopened = 9,
}

impl ReservationState {
    /// Whether it takes its nights.
    #[must_use]
    pub const fn takes_nights(self) -> bool {
        matches!(
            self,
            Self::Held | Self::PendingPayment | Self::Confirmed | Self::Blocked
        )
    }
}

/// What happened to a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum StepKind {
    /// Of a later version.
    Unspecified = 0,
    /// Nights kept.
    Hold = 1,
    /// Payment begun.
    Authorize = 2,
    /// Payment stands, nights sold.
    Confirm = 3,
    /// Payment refused.
    Decline = 4,
    /// Given back.
    Release = 5,
    /// Cancelled.
    Cancel = 6,
    /// Lapsed.
    Expire = 7,
    /// Closed by the host.
    Block = 8,
    /// Opened again.
    Unblock = 9,
}

/// A step and its time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Step {
    #[prost(enumeration = "StepKind", tag = "1")]
    kind: i32,
    /// Ledger time, in milliseconds since 1970.
    #[prost(uint64, tag = "2")]
    pub at_ms: u64,
}

/// Nights of one stay, and whose they are.
#[derive(Clone, PartialEq, Message)]
pub struct Reservation {
    /// Its number in the ledger.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(enumeration = "ReservationState", tag = "2")]
    pub(crate) state: i32,
    /// Its nights and guests.
    #[prost(message, required, tag = "3")]
    pub stay: Stay,
    /// Who asked for it.
    #[prost(string, tag = "4")]
    pub caller: String,
    /// What it costs.
    #[prost(message, required, tag = "5")]
    pub price: Price,
    /// The quote that the guest saw.
    #[prost(string, tag = "6")]
    pub quote: String,
    /// Strictly greater than that of every earlier reservation of the listing.
    #[prost(uint64, tag = "7")]
    pub fencing_token: u64,
    /// When it lapses unless it is sold before, in milliseconds since 1970.
    #[prost(uint64, tag = "8")]
    pub expires_at_ms: u64,
    /// The payment provider's name for the authorization; empty before.
    #[prost(string, tag = "9")]
    pub authorization: String,
    /// Why the payment was refused; empty otherwise.
    #[prost(string, tag = "10")]
    pub reason: String,
    /// Every step, in order.
    #[prost(message, repeated, tag = "11")]
    pub steps: Vec<Step>,
    /// Units that it takes of each night.
    #[prost(uint32, tag = "12")]
    pub(crate) units: u32,
}

impl Reservation {
    /// Moves it to `state` by a step of `kind`.
    pub(crate) fn advance(&mut self, state: ReservationState, kind: StepKind, at_ms: u64) {
        self.set_state(state);
        self.steps.push(Step {
            kind: kind.into(),
            at_ms,
        });
    }

    /// Where it stands at an instant: what is due by `now_ms` counts as lapsed, also
    /// before an entry of the log has said so.
    #[must_use]
    pub fn state_at(&self, now_ms: u64) -> ReservationState {
        if self.lapses() && self.expires_at_ms <= now_ms {
            ReservationState::Expired
        } else {
            self.state()
        }
    }

    /// Whether it lapses by itself at some time.
    pub(crate) fn lapses(&self) -> bool {
        matches!(
            self.state(),
            ReservationState::Held | ReservationState::PendingPayment
        )
    }

    /// When its last step was, in milliseconds since 1970.
    pub(crate) fn changed_at_ms(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.at_ms)
    }
}
