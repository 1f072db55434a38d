//! What is asked of the group on this node, and what follows from the answer.

use std::sync::Arc;

use meridian_consensus::ProposeError;
use meridian_consensus_core::{Applied, Command, Ledger, Outcome};
use meridian_regions::Genesis;
use tokio::time::{Instant, timeout_at};

use super::BookingDesk;
use super::attempt::{Answer, Ask, Attempt, proposal_attempt, read_attempt};
use super::attempts::Urgency;
use super::errand::Errand;
use super::saga;

impl BookingDesk {
    /// Asks the group on this node, and does what its ledger wants done.
    pub(super) async fn perform(&self, errand: Errand<'_>, ask: &Ask) -> Result<Answer, Attempt> {
        let (genesis, deadline) = (errand.genesis, errand.deadline);
        let left = deadline.saturating_duration_since(Instant::now());
        let groups = self.groups().on_behalf_of(errand.source);
        match ask {
            Ask::Propose(command) => {
                let applied = groups.propose(genesis, command.clone(), left).await;
                let applied = applied.map_err(proposal_attempt)?;
                if !saga::is_of_driver(command) {
                    self.follow(genesis, &applied);
                }
                Ok(Answer::Applied(Box::new(applied)))
            }
            Ask::Book(command) => self
                .begin(errand, command)
                .await
                .map(|applied| Answer::Applied(Box::new(applied)))
                .map_err(proposal_attempt),
            Ask::Read => {
                let view = groups.read(genesis, left).await;
                let ledger = view.map_err(read_attempt)?.ledger;
                let ledger = self.without_lapsed(errand, ledger).await;
                self.drive_due(genesis, &ledger);
                Ok(Answer::Ledger(ledger))
            }
        }
    }

    /// A ledger of this node that was just read, after what has lapsed is ended. An entry
    /// ends it, by the time that a quorum agrees on: a clock that is ahead shows no hold as
    /// lapsed before others may have its nights. If it cannot be ended now, it stands.
    async fn without_lapsed(&self, errand: Errand<'_>, ledger: Arc<Ledger>) -> Arc<Ledger> {
        if !ledger.lapses_by(self.now_ms()) {
            return ledger;
        }
        let groups = self.groups().on_behalf_of(errand.source);
        let left = errand.deadline.saturating_duration_since(Instant::now());
        let ended = groups.propose(errand.genesis, self.expire(), left).await;
        match ended.map(|_applied| groups.local(&errand.genesis.listing)) {
            Ok(Ok(view)) => view.ledger,
            Ok(Err(_)) | Err(_) => ledger,
        }
    }

    /// Drives what an entry has left to do, where it is not anybody's already.
    fn follow(&self, genesis: &Genesis, applied: &Applied) {
        let now_ms = self.now_ms();
        if applied
            .payment_due_ms
            .is_some_and(|due_ms| due_ms <= now_ms)
        {
            self.drive_soon(genesis.clone());
        }
    }

    /// Proposes a command that begins a payment, and waits for what comes of it as long
    /// as the client does. The payment itself goes on without the client.
    async fn begin(&self, errand: Errand<'_>, command: &Command) -> Result<Applied, ProposeError> {
        let (desk, command, deadline) = (self.clone(), command.clone(), errand.deadline);
        let genesis = errand.genesis.clone();
        let groups = self.groups().on_behalf_of(errand.source);
        let begun = self.driver.finish(async move {
            let left = deadline.saturating_duration_since(Instant::now());
            let begun = groups.propose(&genesis, command.clone(), left).await?;
            let settling = match begun.outcome() {
                Outcome::Pending(it) => {
                    let open = saga::begun(&command, it.number, it.amount, &it.currency);
                    desk.drive(&genesis, &open, Urgency::Now)
                }
                _ => None,
            };
            Ok((begun, settling))
        });
        // A panic on the way leaves open what was done.
        let (begun, settling) = begun.await.unwrap_or(Err(ProposeError::Unknown))?;
        let Some(mut settling) = settling else {
            return Ok(begun);
        };
        let settled = timeout_at(deadline, settling.wait_for(Option::is_some)).await;
        // What is not settled in time is pending, and truly so.
        Ok(match settled {
            Ok(Ok(applied)) => applied.clone().unwrap_or(begun),
            Ok(Err(_)) | Err(_) => begun,
        })
    }
}
