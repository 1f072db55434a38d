//! One reservation from its hold to its end, with every step it took.

use prost::Message;

use crate::command::{Price, Stay};
use crate::payment::{OpenPayment, Payment, PaymentState, PaymentStep};
use crate::policy::CancelPolicy;

/// Steps that a reservation remembers. The longest way that does not go in circles has
/// eight; only an operator who gives up again and again makes more.
pub(crate) const STEPS_MAX: usize = 10;

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
    /// Money taken.
    Capture = 10,
    /// Money that may be reserved is to be given back.
    Void = 11,
    /// Nothing is reserved any more.
    Voided = 12,
    /// Money is to be given back.
    Refund = 13,
    /// Money given back.
    Refunded = 14,
    /// The payment was taken over by an operator.
    GiveUp = 15,
}

impl StepKind {
    /// Its name in answers of the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::Hold => "hold",
            Self::Authorize => "authorize",
            Self::Confirm => "confirm",
            Self::Decline => "decline",
            Self::Release => "release",
            Self::Cancel => "cancel",
            Self::Expire => "expire",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Voided => "voided",
            Self::Refund => "refund",
            Self::Refunded => "refunded",
            Self::GiveUp => "give_up",
        }
    }
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

/// Slots of one stay, and whose they are.
#[derive(Clone, PartialEq, Message)]
pub struct Reservation {
    /// Its number in the ledger.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(enumeration = "ReservationState", tag = "2")]
    pub(crate) state: i32,
    /// Its slots and guests.
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
    /// Every step, in order; of more than ten, the last but one gives way.
    #[prost(message, repeated, tag = "11")]
    pub steps: Vec<Step>,
    /// Units that it takes of each slot.
    #[prost(uint32, tag = "12")]
    pub(crate) units: u32,
    /// Its money; absent before somebody pays, and where nothing is to be paid.
    #[prost(message, optional, tag = "13")]
    pub payment: Option<Payment>,
    /// What the guest gets back by cancelling; absent for a block.
    #[prost(message, optional, tag = "14")]
    pub policy: Option<CancelPolicy>,
    /// Slots after it that nobody may have.
    #[prost(uint32, tag = "15")]
    pub(crate) turnover: u32,
    /// Stands for the heads of the document that the guest's quote was of; empty where a
    /// node of an earlier version wrote it.
    #[prost(string, tag = "16")]
    pub heads: String,
}

impl Reservation {
    /// The slots that nobody else may have: its stay, and what it takes to make the unit
    /// ready again.
    pub(crate) fn taken(&self) -> Stay {
        self.stay.and_then(self.turnover)
    }

    /// Moves it to `state` by a step of `kind`.
    pub(crate) fn advance(&mut self, state: ReservationState, kind: StepKind, at_ms: u64) {
        self.set_state(state);
        self.step(kind, at_ms);
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

    /// Adds a step that changes the money and not the nights.
    pub(crate) fn pay(&mut self, state: PaymentState, kind: StepKind, at_ms: u64) {
        if let Some(payment) = self.payment.as_mut() {
            payment.advance(state, at_ms);
        }
        self.step(kind, at_ms);
    }

    fn step(&mut self, kind: StepKind, at_ms: u64) {
        // How it began and how it stands must stay; what was in between may go.
        if self.steps.len() >= STEPS_MAX {
            self.steps.remove(STEPS_MAX - 1);
        }
        self.steps.push(Step {
            kind: kind.into(),
            at_ms,
        });
    }

    /// Where its payment stands, if it has one.
    #[must_use]
    pub fn payment_state(&self) -> Option<PaymentState> {
        self.payment.as_ref().map(Payment::state)
    }

    /// Whether its payment wants a step.
    pub(crate) fn is_open(&self) -> bool {
        self.payment_state()
            .is_some_and(|state| state.wants().is_some())
    }

    /// What a driver must do about its payment, if anything.
    #[must_use]
    pub fn open_payment(&self) -> Option<OpenPayment> {
        let payment = self.payment.as_ref()?;
        let step = payment.state().wants()?;
        let amount = match step {
            PaymentStep::Refund => payment.refund,
            PaymentStep::Authorize | PaymentStep::Capture | PaymentStep::Void => self.price.amount,
        };
        Some(OpenPayment {
            number: self.number,
            step,
            amount,
            currency: self.price.currency.clone(),
            method: payment.method.clone(),
            authorization: self.authorization.clone(),
            since_ms: payment.since_ms,
            due_ms: payment.due_ms().unwrap_or(payment.since_ms),
        })
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
