//! What a payment's next step is, and which entry its answer becomes. Pure.
//!
//! The journal is the listing's own log. A driver reads there what is wanted, asks the
//! provider under the booking's name, and proposes the answer as an entry. Whoever
//! leads next reads the same and may do it again: the provider answers a repeated step
//! with the same result, and the ledger a repeated entry too. What is not certain
//! becomes no entry.

use meridian_consensus_core::{
    Command, Confirm, Decline, Op, OpenPayment, PaymentStep, Settle, Settled,
};
use meridian_regions::{BookingId, ListingId};

use crate::payments::{Charge, PaymentError, Voided};

/// What the provider has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// It reserves the money, under this name.
    Authorized(String),
    Captured,
    Voided(Voided),
    Refunded,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// It is certain: write it down.
    Journal(Op),
    /// It is not, or an operator must look: ask again later.
    Later(String),
}

/// The entry that an answer becomes.
pub(super) fn next(open: &OpenPayment, answer: Result<Done, PaymentError>) -> Next {
    let number = open.number;
    let settled = |what| Next::Journal(Op::Settle(Settle::new(number, what, "")));
    match answer {
        Ok(Done::Authorized(authorization)) => Next::Journal(Op::Confirm(Confirm {
            number,
            authorization,
        })),
        Ok(Done::Captured | Done::Voided(Voided::WasCaptured)) => settled(Settled::Captured),
        Ok(Done::Voided(Voided::Released)) => settled(Settled::Voided),
        Ok(Done::Refunded) => settled(Settled::Refunded),
        // Only a guest's money can be declined. A provider that will not take or give
        // back what it has reserved is a matter for an operator.
        Err(PaymentError::Declined { reason }) if open.step == PaymentStep::Authorize => {
            Next::Journal(Op::Decline(Decline { number, reason }))
        }
        Err(error) => Next::Later(error.to_string()),
    }
}

/// What the provider is asked, under the name of the booking.
pub(super) fn charge(listing: &ListingId, open: &OpenPayment) -> Charge {
    Charge {
        key: BookingId::new(listing.clone(), open.number).to_string(),
        amount: open.amount,
        currency: open.currency.clone(),
        method: open.method.clone(),
        authorization: open.authorization.clone(),
    }
}

/// The payment that a command has begun, before anybody has read it in the ledger.
pub(super) fn begun(command: &Command, number: u64, amount: u64, currency: &str) -> OpenPayment {
    let method = match &command.op {
        Some(Op::Book(book)) => book.payment_method.as_str(),
        Some(Op::Pay(pay)) => pay.payment_method.as_str(),
        _ => "",
    };
    OpenPayment {
        number,
        step: PaymentStep::Authorize,
        amount,
        currency: currency.to_owned(),
        method: method.to_owned(),
        authorization: String::new(),
        since_ms: 0,
        due_ms: 0,
    }
}

/// Whether a command is an entry of a driver: it sees itself to what follows.
pub(super) const fn is_of_driver(command: &Command) -> bool {
    matches!(
        command.op,
        Some(Op::Confirm(_) | Op::Decline(_) | Op::Settle(_))
    )
}

#[cfg(test)]
mod tests {
    use meridian_consensus_core::{Op, OpenPayment, PaymentStep, Settled};

    use super::{Done, Next, next};
    use crate::payments::{PaymentError, Voided};

    fn open(step: PaymentStep) -> OpenPayment {
        OpenPayment {
            number: 7,
            step,
            amount: 100,
            currency: "EUR".to_owned(),
            method: "card_ok".to_owned(),
            authorization: String::new(),
            since_ms: 0,
            due_ms: 0,
        }
    }

    fn settled(next: &Next) -> Option<Settled> {
        match next {
            Next::Journal(Op::Settle(settle)) => Some(settle.settled()),
            _ => None,
        }
    }

    #[test]
    fn void_that_finds_the_money_taken_journals_the_capture() {
        let step = open(PaymentStep::Void);
        let taken = next(&step, Ok(Done::Voided(Voided::WasCaptured)));
        assert_eq!(settled(&taken), Some(Settled::Captured));
        let free = next(&step, Ok(Done::Voided(Voided::Released)));
        assert_eq!(settled(&free), Some(Settled::Voided));
    }

    #[test]
    fn only_an_authorization_can_be_declined() {
        let declined = || PaymentError::Declined {
            reason: "no".to_owned(),
        };
        for (step, final_) in [
            (PaymentStep::Authorize, true),
            (PaymentStep::Capture, false),
            (PaymentStep::Void, false),
            (PaymentStep::Refund, false),
        ] {
            let told = next(&open(step), Err(declined()));
            assert_eq!(
                matches!(told, Next::Journal(Op::Decline(_))),
                final_,
                "{step:?}"
            );
        }
    }

    #[test]
    fn what_is_not_certain_becomes_no_entry() {
        for error in [
            PaymentError::Unknown("lost".to_owned()),
            PaymentError::Refused("wrong key".to_owned()),
        ] {
            let told = next(&open(PaymentStep::Authorize), Err(error));
            assert!(matches!(told, Next::Later(_)), "{told:?}");
        }
    }
}
