//! A booking and its payment, driven by the node that leads the listing's group.
//!
//! Reserve and begin the payment in one entry; ask the provider; confirm or
//! decline in a second entry. Every step can be repeated: the entries by their key
//! and their state, the provider's calls by the booking's name. So whoever repeats
//! a request whose answer was lost drives it on from where it stands, on this node
//! or on the next leader. A payment that nobody drives on lapses in the ledger.

use meridian_consensus::{Groups, ProposeError};
use meridian_consensus_core::{
    Applied, Command, Confirm, Decline, Op, Outcome, Pending, Rejection,
};
use meridian_regions::{BookingId, Genesis};
use tokio::time::{Instant, timeout_at};

use crate::payments::{Charge, PaymentError, PaymentProvider};

/// Proposes a command that begins a payment, and settles it.
///
/// Answers with [`Outcome::Pending`] if the provider does not answer in time.
pub(super) async fn drive(
    groups: &Groups,
    payments: &dyn PaymentProvider,
    genesis: &Genesis,
    begin: Command,
    payment_method: &str,
    deadline: Instant,
) -> Result<Applied, ProposeError> {
    let begun = propose(groups, genesis, begin, deadline).await?;
    let Outcome::Pending(pending) = begun.outcome() else {
        return Ok(begun);
    };
    let charge = charge(genesis, pending, payment_method);
    let authorized = timeout_at(deadline, payments.authorize(&charge))
        .await
        .unwrap_or_else(|_late| Err(PaymentError::Unknown("no answer in time".to_owned())));
    let number = pending.number;
    let settle = match authorized {
        Ok(authorization) => Op::Confirm(Confirm {
            number,
            authorization,
        }),
        Err(PaymentError::Declined { reason }) => Op::Decline(Decline { number, reason }),
        Err(PaymentError::Unknown(cause)) => {
            tracing::warn!(listing = %genesis.listing, number, cause, "a payment is left pending");
            return Ok(begun);
        }
    };
    let settled = propose(groups, genesis, Command::new(settle, None), deadline)
        .await
        .map_err(after_the_fact)?;
    if settled.outcome().rejection() == Some(Rejection::HoldExpired)
        && let Err(cause) = payments.void(&charge.key).await
    {
        tracing::error!(listing = %genesis.listing, number, %cause, "an authorization for a lapsed booking could not be voided");
    }
    Ok(settled)
}

async fn propose(
    groups: &Groups,
    genesis: &Genesis,
    command: Command,
    deadline: Instant,
) -> Result<Applied, ProposeError> {
    let left = deadline.saturating_duration_since(Instant::now());
    groups.propose(genesis, command, left).await
}

fn charge(genesis: &Genesis, pending: &Pending, method: &str) -> Charge {
    Charge {
        key: charge_key(genesis, pending.number),
        amount: pending.amount,
        currency: pending.currency.clone(),
        method: method.to_owned(),
    }
}

/// Names a booking at the provider.
pub(super) fn charge_key(genesis: &Genesis, number: u64) -> String {
    BookingId::new(genesis.listing.clone(), number).to_string()
}

/// The first entry stands: whatever hindered the second, "nothing was done" would not
/// be true any more. Who asks again with the same key drives it on.
fn after_the_fact(error: ProposeError) -> ProposeError {
    tracing::warn!(%error, "a booking is left with its payment pending");
    ProposeError::Unknown
}
