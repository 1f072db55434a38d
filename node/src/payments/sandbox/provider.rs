//! The sandbox as a provider within the process.

use std::future::{pending, ready};

use meridian_consensus_core::PaymentStep;

use super::fault::Fault;
use super::intent::{Intent, Refusal, Status, id_of};
use super::teller::{Teller, Told};
use crate::payments::{Charge, PaymentError, PaymentFuture, PaymentProvider, Voided};

/// See the module `sandbox`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sandbox {
    /// Absent: it keeps nothing.
    pub(crate) teller: Option<Teller>,
}

impl PaymentProvider for Sandbox {
    fn authorize<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, String> {
        Box::pin(async move {
            self.step(charge, PaymentStep::Authorize).await?;
            Ok(id_of(&charge.key))
        })
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()> {
        Box::pin(async move { self.step(charge, PaymentStep::Capture).await.map(|_| ()) })
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, Voided> {
        Box::pin(async move {
            match self.step(charge, PaymentStep::Void).await? {
                Some(intent) if intent.status == Status::Succeeded => Ok(Voided::WasCaptured),
                _ => Ok(Voided::Released),
            }
        })
    }

    fn refund<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()> {
        Box::pin(async move { self.step(charge, PaymentStep::Refund).await.map(|_| ()) })
    }
}

impl Sandbox {
    async fn step(
        &self,
        charge: &Charge,
        step: PaymentStep,
    ) -> Result<Option<Intent>, PaymentError> {
        let Some(teller) = &self.teller else {
            return from_the_charge_alone(charge, step).await.map(|()| None);
        };
        let id = id_of(&charge.key);
        let made = teller
            .create(Intent {
                id: id.clone(),
                key: charge.key.clone(),
                amount: charge.amount,
                currency: charge.currency.clone(),
                method: charge.method.clone(),
                status: Status::RequiresConfirmation,
                refunded: 0,
            })
            .await;
        if let Told::Refused(refusal) = made {
            return Err(PaymentError::Unknown(refusal.to_string()));
        }
        match teller.step(&id, step, charge.amount).await {
            Told::Done(intent) => Ok(Some(intent)),
            Told::Unavailable => Err(unavailable()),
            Told::Refused(Refusal::Declined(reason)) => Err(declined(reason)),
            Told::Refused(Refusal::State(Status::Succeeded)) if step == PaymentStep::Void => {
                Ok(teller.find(&id))
            }
            Told::Refused(Refusal::Book(cause)) => Err(PaymentError::Unknown(cause)),
            Told::Refused(refusal) => Err(PaymentError::Refused(refusal.to_string())),
        }
    }
}

/// The faults that need no memory. What is done is done by saying so.
async fn from_the_charge_alone(charge: &Charge, step: PaymentStep) -> Result<(), PaymentError> {
    match Fault::of(&charge.method, step) {
        Some(Fault::Declined(reason)) => Err(declined(reason)),
        Some(Fault::Unavailable) => Err(unavailable()),
        Some(Fault::Timeout) => pending().await,
        None if !charge.method.starts_with("card_") => Err(declined(
            "the sandbox takes methods that begin with `card_`",
        )),
        None | Some(Fault::Late | Fault::Twice | Fault::Lost) => ready(Ok(())).await,
    }
}

fn unavailable() -> PaymentError {
    PaymentError::Unknown("sandbox outage".to_owned())
}

fn declined(reason: &str) -> PaymentError {
    PaymentError::Declined {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::Sandbox;
    use crate::payments::sandbox::{Book, Teller};
    use crate::payments::{Charge, PaymentError, PaymentProvider, Voided};

    fn charge(method: &str) -> Charge {
        Charge {
            key: "bkg_1".to_owned(),
            amount: 12_900,
            currency: "EUR".to_owned(),
            method: method.to_owned(),
            authorization: String::new(),
        }
    }

    fn durable(folder: &tempfile::TempDir) -> Sandbox {
        let book = Book::open(&folder.path().join("book.jsonl")).expect("a new book");
        Sandbox {
            teller: Some(Teller::new(book)),
        }
    }

    #[tokio::test]
    async fn repeated_authorization_has_the_same_name() {
        let sandbox = Sandbox::default();
        let first = sandbox.authorize(&charge("card_ok")).await;
        assert!(first.is_ok());
        assert_eq!(first, sandbox.authorize(&charge("card_ok")).await);
    }

    #[tokio::test]
    async fn lost_answer_is_unknown_and_never_declined() {
        let sandbox = Sandbox::default();
        let lost = sandbox.authorize(&charge("card_unavailable")).await;
        assert!(matches!(lost, Err(PaymentError::Unknown(_))));
        let refused = sandbox.authorize(&charge("card_declined")).await;
        assert!(matches!(refused, Err(PaymentError::Declined { .. })));
    }

    #[tokio::test]
    async fn lost_answer_is_found_by_asking_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let sandbox = durable(&folder);
        let charge = charge("card_lost");
        // Long enough for one fsync, and it never answers anyway.
        let first = timeout(Duration::from_secs(2), sandbox.authorize(&charge)).await;
        assert!(first.is_err(), "{first:?}");
        assert!(sandbox.authorize(&charge).await.is_ok());
    }

    #[tokio::test]
    async fn void_fences_what_comes_late_and_tells_what_was_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let sandbox = durable(&folder);
        let one = charge("card_ok");
        assert_eq!(sandbox.void(&one).await, Ok(Voided::Released));
        let late = sandbox.authorize(&one).await;
        assert!(matches!(late, Err(PaymentError::Refused(_))), "{late:?}");
        let other = Charge {
            key: "bkg_2".to_owned(),
            ..charge("card_twice")
        };
        sandbox.authorize(&other).await.expect("reserved");
        sandbox.capture(&other).await.expect("taken");
        assert_eq!(sandbox.void(&other).await, Ok(Voided::WasCaptured));
        sandbox.refund(&other).await.expect("given back");
        sandbox.refund(&other).await.expect("the same again");
    }
}
