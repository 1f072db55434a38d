//! Where a group's leader takes money and gives it back.
//!
//! Each in a task of its own: a client that hangs up half-way must not leave the money
//! reserved and the nights undecided, nor the nights free and the money reserved.
//!
//! A cancellation stands once it is an entry of the log; then its authorization is
//! voided. Every answer `Cancelled` does it, a repeated one too: a provider answers
//! the same key with the same result, and a repetition mends what an earlier leader
//! did not come to. Not a journal yet: a leader that dies in between leaves the
//! authorization to lapse by itself, unless the cancellation is repeated.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use meridian_consensus::{Groups, ProposeError};
use meridian_consensus_core::{Applied, Command, Op, Outcome};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::errand::Errand;
use super::saga::{self, charge_key};
use crate::payments::PaymentProvider;

/// How long the provider may take to void. Nobody waits for it but a stopping node,
/// which gives its tasks as long.
const VOID_PATIENCE: Duration = Duration::from_secs(10);

/// The provider, and whose tasks ask it.
#[derive(Clone)]
pub(super) struct Till {
    pub(super) payments: Arc<dyn PaymentProvider>,
    pub(super) tracker: TaskTracker,
}

impl Till {
    /// Proposes a command that begins a payment, and drives the payment.
    pub(super) async fn book(
        &self,
        groups: &Groups,
        errand: Errand<'_>,
        command: &Command,
    ) -> Result<Applied, ProposeError> {
        let (groups, payments) = (groups.clone(), Arc::clone(&self.payments));
        let (genesis, deadline) = (errand.genesis.clone(), errand.deadline);
        let (command, method) = (command.clone(), method_of(command).to_owned());
        self.finish(async move {
            saga::drive(&groups, &*payments, &genesis, command, &method, deadline).await
        })
        .await
    }

    /// Proposes a cancellation, and voids the authorization once it stands.
    pub(super) async fn cancel(
        &self,
        groups: &Groups,
        errand: Errand<'_>,
        command: &Command,
    ) -> Result<Applied, ProposeError> {
        let (groups, till, command) = (groups.clone(), self.clone(), command.clone());
        let (genesis, deadline) = (errand.genesis.clone(), errand.deadline);
        self.finish(async move {
            let left = deadline.saturating_duration_since(Instant::now());
            let applied = groups.propose(&genesis, command, left).await?;
            if let Outcome::Cancelled(number) = applied.outcome() {
                till.void(charge_key(&genesis, *number));
            }
            Ok(applied)
        })
        .await
    }

    /// Runs to its end what must not stop half-way.
    async fn finish(
        &self,
        work: impl Future<Output = Result<Applied, ProposeError>> + Send + 'static,
    ) -> Result<Applied, ProposeError> {
        let finished = self.tracker.spawn(work.in_current_span()).await;
        // A panic on the way leaves open what was done.
        finished.unwrap_or(Err(ProposeError::Unknown))
    }

    fn void(&self, key: String) {
        let payments = Arc::clone(&self.payments);
        let voided = async move {
            match timeout(VOID_PATIENCE, payments.void(&key)).await {
                Ok(Ok(())) => {
                    tracing::info!(key, "the authorization of a cancelled booking is voided");
                }
                Ok(Err(cause)) => {
                    tracing::error!(key, %cause, "the authorization of a cancelled booking could not be voided: void it by hand");
                }
                Err(_late) => {
                    tracing::error!(
                        key,
                        "the provider did not answer in time whether it voided a cancelled booking: void it by hand"
                    );
                }
            }
        };
        self.tracker.spawn(voided.in_current_span());
    }
}

fn method_of(command: &Command) -> &str {
    match &command.op {
        Some(Op::Book(book)) => &book.payment_method,
        Some(Op::Pay(pay)) => &pay.payment_method,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use jiff::ToSpan;
    use meridian_consensus_core::{Book, Cancel, Command, Op, Outcome, Price, Stay, Terms};
    use meridian_regions::BookingId;
    use tokio::sync::Notify;
    use tokio::time::{Instant, timeout};

    use crate::booking::{BookingDesk, Errand};
    use crate::clock;
    use crate::payments::{Charge, PaymentFuture, PaymentProvider};
    use crate::request_id::RequestId;
    use crate::solo::Solo;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Accepts everything and remembers what it was told to give back.
    #[derive(Default)]
    struct Obliging {
        voided: Mutex<Vec<String>>,
        told: Notify,
    }

    impl PaymentProvider for Obliging {
        fn authorize<'a>(&'a self, _charge: &'a Charge) -> PaymentFuture<'a, String> {
            Box::pin(std::future::ready(Ok("auth_1".to_owned())))
        }

        fn void<'a>(&'a self, key: &'a str) -> PaymentFuture<'a, ()> {
            self.voided
                .lock()
                .expect("not poisoned")
                .push(key.to_owned());
            self.told.notify_one();
            Box::pin(std::future::ready(Ok(())))
        }
    }

    fn tomorrow() -> Op {
        let check_in = clock::date_utc(clock::now()).saturating_add(1.day());
        Op::Book(Book {
            stay: Stay::new(check_in, check_in.saturating_add(1.day()), 1),
            terms: Terms {
                units: 1,
                capacity: 2,
                min_stay: 1,
                max_stay: 28,
                policy: None,
            },
            price: Price {
                amount: 12_900,
                currency: "EUR".to_owned(),
            },
            quote: String::new(),
            quote_seen: None,
            payment_method: "card_ok".to_owned(),
        })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn cancelled_booking_is_voided_at_the_provider_by_its_name() {
        let solo = Solo::start();
        let provider = Arc::new(Obliging::default());
        let desk = BookingDesk::new(
            solo.node.identity.node,
            solo.node.groups.clone(),
            solo.node.mesh.clone(),
            Arc::<Obliging>::clone(&provider),
            solo.tracker.clone(),
        );
        let (genesis, request) = (solo.genesis(), RequestId::from_text("test"));
        let errand = Errand {
            genesis: &genesis,
            request: &request,
            deadline: Instant::now() + PATIENCE,
        };
        let book = Command::new(tomorrow(), None);
        let booked = desk.book(errand, book).await;
        let booked = booked.expect("a quorum of one");
        let Outcome::Confirmed(sold) = booked.outcome() else {
            panic!("{booked:?}");
        };
        assert!(provider.voided.lock().expect("not poisoned").is_empty());
        let number = sold.number;
        let cancel = Command::new(Op::Cancel(Cancel { number }), None);
        let cancelled = desk.propose(errand, cancel).await.expect("a quorum of one");
        assert_eq!(cancelled.outcome(), &Outcome::Cancelled(number));
        timeout(PATIENCE, provider.told.notified())
            .await
            .expect("the provider is told");
        let booking = BookingId::new(genesis.listing.clone(), number).to_string();
        assert_eq!(*provider.voided.lock().expect("not poisoned"), [booking]);
        drop(desk);
        solo.stop().await;
    }
}
