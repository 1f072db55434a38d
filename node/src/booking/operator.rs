//! What an operator sees of payments, and can do about one that does not come on.

use meridian_consensus_core::{Applied, Command, Op, OpenPayment, Settle, Settled};
use meridian_regions::{BookingId, Genesis};

use super::attempts::{Saga, Urgency};
use super::{BookingDesk, DeskError};

impl BookingDesk {
    /// Every payment that this node drives.
    pub(crate) fn sagas(&self) -> Vec<Saga> {
        self.driver.attempts.list()
    }

    /// Drives a booking's payment now, whoever leads; `None` if it wants nothing.
    ///
    /// # Errors
    /// [`DeskError`]: the ledger cannot be read.
    pub(crate) async fn retry(
        &self,
        genesis: &Genesis,
        number: u64,
    ) -> Result<Option<OpenPayment>, DeskError> {
        let ledger = self.look(genesis).await?;
        let open = ledger
            .reservation(number)
            .and_then(|one| one.open_payment());
        if let Some(open) = &open {
            self.drive(genesis, open, Urgency::Now);
        }
        Ok(open)
    }

    /// Journals that an operator takes a booking's money into their own hands.
    ///
    /// # Errors
    /// [`DeskError`].
    pub(crate) async fn give_up(
        &self,
        genesis: &Genesis,
        number: u64,
        note: &str,
    ) -> Result<Applied, DeskError> {
        let op = Op::Settle(Settle::new(number, Settled::GivenUp, note));
        let applied = self.enter(genesis, Command::new(op, None)).await?;
        if applied.outcome().rejection().is_none() {
            let booking = BookingId::new(genesis.listing.clone(), number);
            self.driver.attempts.nudge(&booking);
        }
        Ok(applied)
    }
}
