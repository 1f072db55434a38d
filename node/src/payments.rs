//! The port to a payment provider, and the sandbox that stands behind it for now.
//!
//! Every call carries the booking's own key, so that a step may be repeated by
//! whoever resumes a saga: a provider answers the same key with the same result.
//! A call whose answer is lost is `Unknown`, never `Declined`.

use std::future::Future;
use std::pin::Pin;

/// A provider's answer, some time.
pub(crate) type PaymentFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, PaymentError>> + Send + 'a>>;

/// What is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    /// Names the booking at the provider: the same for every repetition.
    pub(crate) key: String,
    /// Minor units, as in cents.
    pub(crate) amount: u64,
    /// ISO 4217.
    pub(crate) currency: String,
    /// What the guest pays with, in the provider's terms.
    pub(crate) method: String,
}

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PaymentError {
    /// The provider refused, finally.
    #[error("{reason}")]
    Declined {
        /// The provider's reason, fit for the guest.
        reason: String,
    },
    /// No answer: it may have happened. Ask again with the same key.
    #[error("the payment provider did not answer: {0}")]
    Unknown(String),
}

/// What Meridian needs of a payment provider.
pub(crate) trait PaymentProvider: Send + Sync {
    /// Reserves the money; answers the authorization's name.
    fn authorize<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, String>;

    /// Gives an authorization back that is not needed any more. `key` is that of its
    /// charge; what has been given back already stays so.
    fn void<'a>(&'a self, key: &'a str) -> PaymentFuture<'a, ()>;
}

/// Moves no money. The method decides: `card_declined` and `card_insufficient_funds`
/// are refused, `card_unavailable` never answers, any other `card_…` is accepted.
///
/// It keeps nothing: its answer follows from the charge alone, so that repeating
/// one on any node gives the same result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SandboxPayments;

impl PaymentProvider for SandboxPayments {
    fn authorize<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, String> {
        Box::pin(std::future::ready(decide(charge)))
    }

    fn void<'a>(&'a self, _key: &'a str) -> PaymentFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn decide(charge: &Charge) -> Result<String, PaymentError> {
    match charge.method.as_str() {
        "card_declined" => declined("the card was declined"),
        "card_insufficient_funds" => declined("the card has insufficient funds"),
        "card_unavailable" => Err(PaymentError::Unknown("sandbox outage".to_owned())),
        method if method.starts_with("card_") => {
            let digest = blake3::hash(charge.key.as_bytes()).to_hex();
            Ok(format!("auth_{}", &digest[..24]))
        }
        _ => declined("the sandbox takes methods that begin with `card_`"),
    }
}

fn declined(reason: &str) -> Result<String, PaymentError> {
    Err(PaymentError::Declined {
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Charge, PaymentError, PaymentProvider, SandboxPayments};

    fn charge(method: &str) -> Charge {
        Charge {
            key: "bkg_1".to_owned(),
            amount: 12_900,
            currency: "EUR".to_owned(),
            method: method.to_owned(),
        }
    }

    #[tokio::test]
    async fn repeated_authorization_has_the_same_name() {
        let first = SandboxPayments.authorize(&charge("card_ok")).await;
        assert!(first.is_ok());
        assert_eq!(first, SandboxPayments.authorize(&charge("card_ok")).await);
    }

    #[tokio::test]
    async fn lost_answer_is_unknown_and_never_declined() {
        let lost = SandboxPayments.authorize(&charge("card_unavailable")).await;
        assert!(matches!(lost, Err(PaymentError::Unknown(_))));
        let refused = SandboxPayments.authorize(&charge("card_declined")).await;
        assert!(matches!(refused, Err(PaymentError::Declined { .. })));
    }
}
