//! Drives payments: asks the provider what the journal wants, and journals its answer.
//!
//! Every payment is driven in a task of its own, with deadlines of its own: a client
//! that hangs up, or whose time is over, changes nothing about the money. Entries go
//! through the desk to whoever leads by then. A step that fails is tried again for as
//! long as the ledger wants it; when this node stops, it stays in the ledger, where the
//! next access, the steward or the next leader finds it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use meridian_consensus::{ReadError, Source};
use meridian_consensus_core::{Applied, Command, Ledger, OpenPayment, PaymentStep};
use meridian_regions::{BookingId, Genesis, ListingId};
use meridian_trace::{Kind, Trace};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::attempts::{Attempts, Begin, Settling, Urgency};
use super::desk::Tasks;
use super::errand::Errand;
use super::moment::Moment;
use super::saga::{self, Done, Next};
use super::{BookingDesk, DeskError};
use crate::payments::{Charge, PaymentError, PaymentProvider};
use crate::request_id::RequestId;

/// Time for an entry to be committed, apart from any client's.
const ENTRY_DEADLINE: Duration = Duration::from_secs(10);
/// How soon [`BookingDesk::drive_open`] wants to be called again at the earliest, in
/// milliseconds: what it has found is being driven by then.
const DRIVE_AGAIN_MS: u64 = 5_000;

/// How payments are driven.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DriverOptions {
    /// Time for one call to the provider.
    pub(crate) call_deadline: Duration,
    /// Calls under way at once.
    pub(crate) calls_max: usize,
}

/// The provider, and what this node is doing about payments. Cheap to clone.
#[derive(Clone)]
pub(super) struct Driver {
    payments: Arc<dyn PaymentProvider>,
    pub(super) attempts: Attempts,
    calls: Arc<Semaphore>,
    call_deadline: Duration,
    tasks: Tasks,
    #[cfg(test)]
    pub(super) planted: super::planted::Planted,
}

impl Driver {
    pub(super) fn new(
        payments: Arc<dyn PaymentProvider>,
        options: DriverOptions,
        tasks: Tasks,
    ) -> Self {
        Self {
            payments,
            attempts: Attempts::default(),
            calls: Arc::new(Semaphore::new(options.calls_max)),
            call_deadline: options.call_deadline,
            tasks,
            #[cfg(test)]
            planted: super::planted::Planted::default(),
        }
    }

    /// Runs to its end what must not stop half-way, whoever waits for it.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let work = Trace::current().follow(work.in_current_span());
        self.tasks.tracker.spawn(work).await.ok()
    }

    async fn call(&self, charge: &Charge, step: PaymentStep) -> Result<Done, PaymentError> {
        let payments = &*self.payments;
        let unknown = |why: &str| PaymentError::Unknown(why.to_owned());
        let _call = self
            .calls
            .acquire()
            .await
            .map_err(|_closed| unknown("this node stops"))?;
        let mut followed = Trace::current().step(span_of(step), Kind::Asked);
        let asked = followed.trace().follow(async {
            match step {
                PaymentStep::Authorize => payments.authorize(charge).await.map(Done::Authorized),
                PaymentStep::Capture => {
                    #[cfg(test)]
                    if let Some(taken) = self.planted.capture(payments, charge).await {
                        return taken.map(|()| Done::Captured);
                    }
                    payments.capture(charge).await.map(|()| Done::Captured)
                }
                PaymentStep::Void => payments.void(charge).await.map(Done::Voided),
                PaymentStep::Refund => payments.refund(charge).await.map(|()| Done::Refunded),
            }
        });
        let answer = tokio::select! {
            biased;
            // The provider may have done it: the next leader asks again.
            () = self.tasks.stopping.cancelled() => Err(unknown("this node stops")),
            answer = timeout(self.call_deadline, asked) => {
                answer.unwrap_or_else(|_late| Err(unknown("no answer in time")))
            }
        };
        if let Err(error) = &answer {
            followed.fail(error);
        }
        answer
    }
}

const fn span_of(step: PaymentStep) -> &'static str {
    match step {
        PaymentStep::Authorize => "payment.authorize",
        PaymentStep::Capture => "payment.capture",
        PaymentStep::Void => "payment.void",
        PaymentStep::Refund => "payment.refund",
    }
}

impl BookingDesk {
    /// Whether this node drives a payment of the listing: then it sees to what lapses
    /// there, too.
    pub(crate) fn is_driving(&self, listing: &ListingId) -> bool {
        self.driver.attempts.is_driving(listing)
    }

    /// Does what the listing's ledger wants done, where this node leads its group: ends
    /// what has lapsed, and drives every payment that is due. For whoever knows that a
    /// listing has something to do ([`Ledger::todo_ms`]); it may be called again at any
    /// time. Answers when there will be something to do next, in milliseconds since
    /// 1970; `None` if nothing, or if another node leads.
    ///
    /// # Errors
    /// [`DeskError`]: the group has no quorum now, or too much is under way.
    pub(crate) async fn drive_open(&self, genesis: &Genesis) -> Result<Option<u64>, DeskError> {
        match self.groups().read(genesis, ENTRY_DEADLINE).await {
            Ok(_) => {}
            Err(ReadError::NotLeader { .. } | ReadError::NotVoter | ReadError::Moved(_)) => {
                return Ok(None);
            }
            Err(ReadError::Overloaded) => return Err(DeskError::Overloaded),
            Err(ReadError::GenesisMismatch) => return Err(DeskError::Misplaced),
            Err(ReadError::NoQuorum | ReadError::Lost | ReadError::Storage(_)) => {
                return Err(DeskError::NoQuorum);
            }
        }
        let ledger = self.current(genesis).await?;
        self.drive_due(genesis, &ledger);
        let again_ms = self.now_ms() + DRIVE_AGAIN_MS;
        Ok(ledger.todo_ms().map(|todo_ms| todo_ms.max(again_ms)))
    }

    /// The same in a task of its own, for an entry that has left something to do.
    pub(super) fn drive_soon(&self, genesis: Genesis) {
        let desk = self.clone();
        let stopping = self.driver.tasks.stopping.clone();
        let driving: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let drive = Box::pin(desk.drive_open(&genesis));
            let driven = stopping.run_until_cancelled(drive).await;
            if let Some(Err(error)) = driven {
                tracing::warn!(listing = %genesis.listing, %error, "its payments wait");
            }
        });
        let tracker = &self.driver.tasks.tracker;
        tracker.spawn(Trace::current().follow(driving.in_current_span()));
    }

    /// Drives every payment of a ledger that is due.
    pub(super) fn drive_due(&self, genesis: &Genesis, ledger: &Ledger) {
        let now_ms = self.now_ms();
        for open in ledger.open_payments().filter(|one| one.due_ms <= now_ms) {
            self.drive(genesis, &open, Urgency::InTurn);
        }
    }

    /// Drives one payment, unless somebody here is at it; answers where to learn what
    /// its first entry came to.
    pub(super) fn drive(
        &self,
        genesis: &Genesis,
        open: &OpenPayment,
        urgency: Urgency,
    ) -> Option<Settling> {
        let booking = BookingId::new(genesis.listing.clone(), open.number);
        match self.driver.attempts.begin(&booking, open, urgency) {
            Begin::Go(tell, settling) => {
                self.spawn(genesis.clone(), booking, open.clone(), tell);
                Some(settling)
            }
            Begin::Running(settling) => Some(settling),
            Begin::Full => {
                tracing::warn!(%booking, "too many payments are driven here: this one waits");
                None
            }
        }
    }

    fn spawn(
        &self,
        genesis: Genesis,
        booking: BookingId,
        open: OpenPayment,
        tell: watch::Sender<Option<Applied>>,
    ) {
        let desk = self.clone();
        let stopping = self.driver.tasks.stopping.clone();
        // Boxed, because driving proposes, and a proposal may find more to drive.
        let driving: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            // A step that a stop cuts short is done again by whoever leads next: its call has
            // the booking's key, and its entry says the same twice.
            let run = Box::pin(desk.run(&genesis, &booking, open, tell));
            stopping.run_until_cancelled(run).await;
        });
        let driving = Trace::current().follow(driving.in_current_span());
        self.driver.tasks.tracker.spawn(driving);
    }

    /// Drives a payment until nothing is left to do, however long that takes: what fails
    /// is tried again, at most once a minute, until the ledger wants it no more.
    async fn run(
        &self,
        genesis: &Genesis,
        booking: &BookingId,
        first: OpenPayment,
        tell: watch::Sender<Option<Applied>>,
    ) {
        let attempts = &self.driver.attempts;
        let mut open = first;
        let mut tell = Some(tell);
        // A payment may take days: it is followed until something fails, as long as somebody
        // may wait for it, and what it does again is in nobody's trace.
        let mut trace = Trace::current();
        loop {
            let advanced = trace.clone().follow(self.advance(genesis, &open)).await;
            let done = match advanced {
                Ok(applied) => {
                    if let Some(tell) = tell.take() {
                        // Nobody waits any more if the client was quicker.
                        let _ = tell.send(Some(applied));
                    }
                    self.current(genesis)
                        .await
                        .map_err(|error| error.to_string())
                }
                Err(error) => Err(error),
            };
            if done.is_err() {
                // Whoever waits is told that it is pending: a provider that is down must
                // not keep requests waiting too.
                tell = None;
                trace = Trace::none();
            }
            let looked = match done {
                Ok(ledger) => Ok(ledger),
                Err(error) => {
                    tracing::warn!(%booking, step = open.step.name(), error, "a payment does not come on");
                    if self.is_over(attempts.failed(booking, &error)).await {
                        break;
                    }
                    self.current(genesis).await
                }
            };
            let Ok(ledger) = looked else {
                continue;
            };
            let one = ledger.reservation(booking.number());
            let Some(next) = one.and_then(|one| one.open_payment()) else {
                break;
            };
            if next.step != open.step {
                attempts.step(booking, &next);
            }
            open = next;
        }
        attempts.finished(booking);
    }

    /// Does one step: the provider first, then its entry.
    async fn advance(&self, genesis: &Genesis, open: &OpenPayment) -> Result<Applied, String> {
        let charge = saga::charge(&genesis.listing, open);
        Moment::CallBefore.of(open.step).hit();
        let answer = self.driver.call(&charge, open.step).await;
        match saga::next(open, answer) {
            Next::Journal(op) => {
                Moment::CallAfter.of(open.step).hit();
                let entered = self.enter(genesis, Command::new(op, None)).await;
                let applied = entered.map_err(|error| error.to_string())?;
                Moment::EntryAfter.of(open.step).hit();
                Ok(applied)
            }
            Next::Later(error) => Err(error),
        }
    }

    /// Waits, or until somebody has no time to; answers whether this node stops.
    async fn is_over(&self, (pause, nudge): (Duration, Arc<Notify>)) -> bool {
        tokio::select! {
            biased;
            () = self.driver.tasks.stopping.cancelled() => true,
            () = nudge.notified() => false,
            () = tokio::time::sleep(pause) => false,
        }
    }

    /// The ledger as it stands, after what has lapsed is ended.
    async fn current(&self, genesis: &Genesis) -> Result<Arc<Ledger>, DeskError> {
        let ledger = self.look(genesis).await?;
        if !ledger.lapses_by(self.now_ms()) {
            return Ok(ledger);
        }
        self.enter(genesis, self.expire()).await?;
        self.look(genesis).await
    }

    pub(super) async fn enter(
        &self,
        genesis: &Genesis,
        command: Command,
    ) -> Result<Applied, DeskError> {
        let request = RequestId::generate();
        self.propose(errand(genesis, &request), command).await
    }

    pub(super) async fn look(&self, genesis: &Genesis) -> Result<Arc<Ledger>, DeskError> {
        let request = RequestId::generate();
        self.read(errand(genesis, &request)).await
    }
}

fn errand<'a>(genesis: &'a Genesis, request: &'a RequestId) -> Errand<'a> {
    Errand {
        genesis,
        request,
        source: Source::Background,
        deadline: Instant::now() + ENTRY_DEADLINE,
    }
}
