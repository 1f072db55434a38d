//! One payment at the sandbox, and the steps that it lets through. Pure.

use serde::{Deserialize, Serialize};

/// Where a payment stands, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Made, nothing reserved.
    RequiresConfirmation,
    /// Refused.
    RequiresPaymentMethod,
    /// Reserved.
    RequiresCapture,
    /// Taken.
    Succeeded,
    /// Given back, or never reserved: for good.
    Canceled,
}

/// What the sandbox does for a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    Create,
    Authorize,
    Decline,
    Capture,
    Cancel,
    Refund,
}

/// One payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) amount: u64,
    pub(super) currency: String,
    pub(super) method: String,
    pub(super) status: Status,
    pub(super) refunded: u64,
}

/// Why a deed is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no such payment")]
    NotFound,
    #[error("the payment is {0:?}: this cannot follow")]
    State(Status),
    #[error("{0}")]
    Declined(&'static str),
    #[error("the amount is not what was reserved or is left")]
    Amount,
    #[error("the sandbox's book: {0}")]
    Book(String),
}

/// Whether a deed is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Done,
    DoneBefore,
}

impl Intent {
    /// Does a deed. `amount` matters for capture and refund.
    pub(super) fn apply(&mut self, deed: Deed, amount: u64) -> Result<Effect, Refusal> {
        use Status as S;
        let next = match (deed, self.status) {
            (Deed::Create, _)
            | (Deed::Authorize, S::RequiresCapture | S::Succeeded)
            | (Deed::Decline, S::RequiresPaymentMethod)
            | (Deed::Capture, S::Succeeded)
            | (Deed::Cancel, S::Canceled) => return Ok(Effect::DoneBefore),
            (Deed::Authorize, S::RequiresConfirmation) => S::RequiresCapture,
            (Deed::Decline, S::RequiresConfirmation) => S::RequiresPaymentMethod,
            (Deed::Capture, S::RequiresCapture) if amount == self.amount => S::Succeeded,
            (Deed::Capture, S::RequiresCapture) => return Err(Refusal::Amount),
            (
                Deed::Cancel,
                S::RequiresConfirmation | S::RequiresPaymentMethod | S::RequiresCapture,
            ) => S::Canceled,
            // One refund for a payment: a second of the same amount is a repetition.
            (Deed::Refund, S::Succeeded) if self.refunded == amount => {
                return Ok(Effect::DoneBefore);
            }
            (Deed::Refund, S::Succeeded) if self.refunded == 0 && amount <= self.amount => {
                self.refunded = amount;
                S::Succeeded
            }
            (Deed::Refund, S::Succeeded) => return Err(Refusal::Amount),
            (_, status) => return Err(Refusal::State(status)),
        };
        self.status = next;
        Ok(Effect::Done)
    }
}

/// The name that the sandbox gives a payment: the same for every repetition.
pub(super) fn id_of(key: &str) -> String {
    let digest = blake3::hash(key.as_bytes()).to_hex();
    format!("pi_{}", &digest[..24])
}

#[cfg(test)]
mod tests {
    use super::{Deed, Effect, Intent, Refusal, Status, id_of};

    fn intent() -> Intent {
        Intent {
            id: id_of("bkg_1"),
            key: "bkg_1".to_owned(),
            amount: 100,
            currency: "EUR".to_owned(),
            method: "card_ok".to_owned(),
            status: Status::RequiresConfirmation,
            refunded: 0,
        }
    }

    #[test]
    fn every_deed_changes_something_once() {
        let mut one = intent();
        for (deed, amount) in [
            (Deed::Authorize, 0),
            (Deed::Capture, 100),
            (Deed::Refund, 40),
        ] {
            assert_eq!(one.apply(deed, amount), Ok(Effect::Done));
            assert_eq!(one.apply(deed, amount), Ok(Effect::DoneBefore));
        }
        assert_eq!(one.apply(Deed::Refund, 60), Err(Refusal::Amount));
        assert_eq!(one.refunded, 40);
    }

    #[test]
    fn cancelled_payment_is_never_authorized_again() {
        let mut one = intent();
        assert_eq!(one.apply(Deed::Cancel, 0), Ok(Effect::Done));
        assert_eq!(
            one.apply(Deed::Authorize, 0),
            Err(Refusal::State(Status::Canceled))
        );
        let mut taken = Intent {
            status: Status::Succeeded,
            ..intent()
        };
        assert_eq!(
            taken.apply(Deed::Cancel, 0),
            Err(Refusal::State(Status::Succeeded))
        );
    }
}
