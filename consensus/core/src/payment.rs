//! Where the money of a reservation stands, and what a driver must do about it.
//!
//! The ledger journals; it never talks to a payment provider. A state that wants a
//! step keeps wanting it, through restarts and leaders, until the provider's answer
//! is an entry of the log or an operator gives it up.
//!
//! Invariant kept here: money is conserved. What was taken is the price or nothing,
//! what was given back is at most what was taken ([`Payment::check`]).

use prost::Message;

use crate::reservation::ReservationState;

/// Longest name of what a guest pays with, in bytes: tokens of providers are shorter.
pub const PAYMENT_METHOD_BYTES_MAX: usize = 128;
/// A payment that a client waits for is driven by the node that answers it. Only after
/// this long, in milliseconds, it is anybody's: then that node must have been lost.
pub const DRIVEN_BY_CLIENT_MS: u64 = 5_000;

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum PaymentState {
    /// Of a later version.
    Unspecified = 0,
    /// Asked for; the provider has not answered yet.
    Authorizing = 1,
    /// Reserved at the provider: the booking is confirmed, and capture is wanted.
    Authorized = 2,
    /// Taken.
    Captured = 3,
    /// Refused: nothing was reserved.
    Declined = 4,
    /// Not needed any more: what may have been reserved is to be given back.
    Voiding = 5,
    /// The provider has confirmed that nothing is reserved.
    Voided = 6,
    /// Taken, and a part or all of it is to be given back.
    Refunding = 7,
    /// Given back, as the provider has confirmed.
    Refunded = 8,
    /// An operator has taken it into their own hands.
    GivenUp = 9,
}

impl PaymentState {
    /// The step that a driver must do; `None` where nothing is left to do.
    #[must_use]
    pub const fn wants(self) -> Option<PaymentStep> {
        match self {
            Self::Authorizing => Some(PaymentStep::Authorize),
            Self::Authorized => Some(PaymentStep::Capture),
            Self::Voiding => Some(PaymentStep::Void),
            Self::Refunding => Some(PaymentStep::Refund),
            _ => None,
        }
    }

    /// Its name in answers of the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::Authorizing => "authorizing",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Declined => "declined",
            Self::Voiding => "voiding",
            Self::Voided => "voided",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
            Self::GivenUp => "given_up",
        }
    }
}

/// A step at the payment provider. Each may be repeated under the booking's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentStep {
    /// Reserve the price.
    Authorize,
    /// Take what is reserved.
    Capture,
    /// Give back what is, or may be, reserved.
    Void,
    /// Give back what was taken, or a part of it.
    Refund,
}

impl PaymentStep {
    /// Its name in logs and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }
}

/// The money of one reservation.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Payment {
    #[prost(enumeration = "PaymentState", tag = "1")]
    pub(crate) state: i32,
    /// What the guest pays with, in the provider's terms: a token, never a card.
    #[prost(string, tag = "2")]
    pub method: String,
    /// Minor units that were taken.
    #[prost(uint64, tag = "3")]
    pub captured: u64,
    /// Minor units that the cancellation gives back, by the policy, at its instant.
    #[prost(uint64, tag = "4")]
    pub refund: u64,
    /// Minor units that the provider has given back.
    #[prost(uint64, tag = "5")]
    pub refunded: u64,
    /// Since when it stands as it does, in milliseconds since 1970.
    #[prost(uint64, tag = "6")]
    pub since_ms: u64,
    /// Name of the idempotency record that waits for the outcome.
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) attempt: Vec<u8>,
    /// Why an operator gave it up, in their words; not for guests.
    #[prost(string, tag = "8")]
    pub note: String,
}

impl Payment {
    pub(crate) fn begin(method: &str, attempt: Vec<u8>, at_ms: u64) -> Self {
        Self {
            state: PaymentState::Authorizing.into(),
            method: method.to_owned(),
            since_ms: at_ms,
            attempt,
            ..Self::default()
        }
    }

    pub(crate) fn advance(&mut self, state: PaymentState, at_ms: u64) {
        self.set_state(state);
        self.since_ms = at_ms;
    }

    /// From when on anybody may do the step that it wants, in milliseconds since 1970.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        self.state().wants().map(|step| match step {
            PaymentStep::Authorize => self.since_ms.saturating_add(DRIVEN_BY_CLIENT_MS),
            _ => self.since_ms,
        })
    }

    /// Checks the amounts against the states of payment and reservation.
    pub(crate) fn check(&self, reservation: ReservationState, price: u64) -> Result<(), String> {
        use PaymentState as P;
        use ReservationState as R;
        let state = self.state();
        let amounts = match state {
            P::Authorizing | P::Authorized | P::Declined | P::Voiding | P::Voided => {
                self.captured == 0 && self.refunded == 0
            }
            P::Captured => self.captured == price && self.refunded == 0,
            P::Refunding => self.captured == price && self.refund > 0 && self.refunded == 0,
            P::Refunded => self.captured == price && self.refunded == self.refund,
            P::GivenUp | P::Unspecified => matches!(self.captured, 0) || self.captured == price,
        };
        let belongs = match reservation {
            R::PendingPayment => state == P::Authorizing,
            R::Confirmed => matches!(state, P::Authorized | P::Captured | P::GivenUp),
            R::Declined => state == P::Declined,
            R::Expired => matches!(
                state,
                P::Voiding | P::Voided | P::Refunding | P::Refunded | P::GivenUp
            ),
            R::Cancelled => !matches!(state, P::Authorizing | P::Declined),
            R::Unspecified => true,
            R::Held | R::Released | R::Blocked | R::Reopened => false,
        };
        let within = self.refund <= price && self.refunded <= self.captured;
        if amounts && belongs && within {
            Ok(())
        } else {
            Err(format!(
                "a payment that is {} of a reservation that is {reservation:?}: {} taken, {} of {} given back",
                state.name(),
                self.captured,
                self.refunded,
                self.refund
            ))
        }
    }
}

/// A payment that wants a step: what a driver needs to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPayment {
    /// Number of the reservation. With the listing it names the booking, and that name
    /// is the provider's key for every step.
    pub number: u64,
    /// What is to be done.
    pub step: PaymentStep,
    /// Minor units that the step moves.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
    /// What the guest pays with.
    pub method: String,
    /// The provider's name for the authorization; empty if its answer never arrived.
    pub authorization: String,
    /// Since when the step is wanted, in milliseconds since 1970.
    pub since_ms: u64,
    /// From when on anybody may do it, in milliseconds since 1970.
    pub due_ms: u64,
}
