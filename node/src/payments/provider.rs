//! The port to a payment provider.
//!
//! Every call carries the booking's own key, so that a step may be repeated by
//! whoever resumes a saga: a provider answers the same key with the same result.
//! A call whose answer is lost is `Unknown`, never `Declined`.

use std::future::Future;
use std::pin::Pin;

/// A provider's answer, some time.
pub(crate) type PaymentFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, PaymentError>> + Send + 'a>>;

/// What a step is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    /// Names the booking at the provider: the same for every step and repetition.
    pub(crate) key: String,
    /// Minor units that the step moves, as in cents.
    pub(crate) amount: u64,
    /// ISO 4217.
    pub(crate) currency: String,
    /// What the guest pays with, in the provider's terms.
    pub(crate) method: String,
    /// The provider's name for the authorization; empty where its answer never came.
    pub(crate) authorization: String,
}

/// What a void found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voided {
    /// Nothing is reserved, and nothing under this key can be any more.
    Released,
    /// The money had been taken already: it must be refunded instead.
    WasCaptured,
}

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PaymentError {
    /// The provider refused the guest's money, finally.
    #[error("{reason}")]
    Declined {
        /// The provider's reason, fit for the guest.
        reason: String,
    },
    /// The provider refused the request: repeating it alone will not help, an operator
    /// must look.
    #[error("the payment provider refused the request: {0}")]
    Refused(String),
    /// No answer: it may have happened. Ask again with the same key.
    #[error("the payment provider did not answer: {0}")]
    Unknown(String),
}

/// What Meridian needs of a payment provider. Every step is idempotent by the charge's
/// key: its second time changes nothing and answers the same.
pub(crate) trait PaymentProvider: Send + Sync {
    /// Reserves the money; answers the authorization's name.
    fn authorize<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, String>;

    /// Takes what is reserved.
    fn capture<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()>;

    /// Gives back what is, or may be, reserved. After it no authorization under the key
    /// succeeds any more, however late it arrives.
    fn void<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, Voided>;

    /// Gives back the charge's amount of what was taken.
    fn refund<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()>;
}
