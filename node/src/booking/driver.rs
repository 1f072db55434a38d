//! Drives payments: asks the provider what the journal wants, and journals its answer.
//!
//! Every payment is driven in a task of its own, with deadlines of its own: a client
//! that hangs up, or whose time is over, changes nothing about the money. Entries go
//! through the desk to whoever leads by then. A step that fails is tried a few times;
//! then it stays in the ledger, where the next access, the steward or the next leader
//! finds it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use meridian_consensus::ReadError;
use meridian_consensus_core::{Applied, Command, Expire, Ledger, Op, OpenPayment, PaymentStep};
use meridian_regions::{BookingId, Genesis};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::attempts::{Attempts, Begin, Settling, Urgency};
use super::desk::Tasks;
use super::errand::Errand;
use super::saga::{self, Done, Next};
use super::{BookingDesk, DeskError};
use crate::clock;
use crate::payments::{Charge, PaymentError, PaymentProvider};
use crate::request_id::RequestId;

/// Time for an entry to be committed, apart from any client's.
const ENTRY_DEADLINE: Duration = Duration::from_secs(10);
/// Steps that one driver does for one payment: authorize, capture and refund, and some
/// for what changes meanwhile. Beyond it somebody else looks afresh.
const STEPS_MAX: u32 = 8;
/// Failures in a row after which a driver leaves a step to the ledger.
const TRIES_MAX: u32 = 4;

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
        }
    }

    /// Runs to its end what must not stop half-way, whoever waits for it.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.tasks.tracker.spawn(work.in_current_span()).await.ok()
    }

    async fn call(&self, charge: &Charge, step: PaymentStep) -> Result<Done, PaymentError> {
        let payments = &*self.payments;
        let unknown = |why: &str| PaymentError::Unknown(why.to_owned());
        let _call = self
            .calls
            .acquire()
            .await
            .map_err(|_closed| unknown("this node stops"))?;
        let asked = async {
            match step {
                PaymentStep::Authorize => payments.authorize(charge).await.map(Done::Authorized),
                PaymentStep::Capture => payments.capture(charge).await.map(|()| Done::Captured),
                PaymentStep::Void => payments.void(charge).await.map(Done::Voided),
                PaymentStep::Refund => payments.refund(charge).await.map(|()| Done::Refunded),
            }
        };
        timeout(self.call_deadline, asked)
            .await
            .unwrap_or_else(|_late| Err(unknown("no answer in time")))
    }
}

impl BookingDesk {
    /// Does what the listing's ledger wants done, where this node leads its group: ends
    /// what has lapsed, and drives every payment that is due. For whoever knows that a
    /// listing has something to do ([`Ledger::todo_ms`]); it may be called again at any
    /// time. Answers when there will be something to do next, in milliseconds since
    /// 1970; `None` if nothing, or if another node leads.
    ///
    /// # Errors
    /// [`DeskError`]: the group has no quorum now, or too much is under way.
    pub(crate) async fn drive_open(&self, genesis: &Genesis) -> Result<Option<u64>, DeskError> {
        let mut ledger = match self.groups().read(genesis, ENTRY_DEADLINE).await {
            Ok(view) => view.ledger,
            Err(ReadError::NotLeader { .. } | ReadError::NotVoter) => return Ok(None),
            Err(ReadError::Overloaded) => return Err(DeskError::Overloaded),
            Err(ReadError::GenesisMismatch) => return Err(DeskError::Misplaced),
            Err(ReadError::NoQuorum | ReadError::Storage(_)) => return Err(DeskError::NoQuorum),
        };
        if ledger.lapses_by(clock::now().as_millis()) {
            let expire = Command::new(Op::Expire(Expire {}), None);
            self.enter(genesis, expire).await?;
            ledger = self.look(genesis).await?;
        }
        self.drive_due(genesis, &ledger);
        Ok(ledger.todo_ms())
    }

    /// The same in a task of its own, for an entry that has left something to do.
    pub(super) fn drive_soon(&self, genesis: Genesis) {
        let desk = self.clone();
        let driving: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            if let Err(error) = desk.drive_open(&genesis).await {
                tracing::warn!(listing = %genesis.listing, %error, "its payments wait");
            }
        });
        let tracker = &self.driver.tasks.tracker;
        tracker.spawn(driving.in_current_span());
    }

    /// Drives every payment of a ledger that is due.
    pub(super) fn drive_due(&self, genesis: &Genesis, ledger: &Ledger) {
        let now_ms = clock::now().as_millis();
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
            Begin::Wait => None,
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
        // Boxed, because driving proposes, and a proposal may find more to drive.
        let driving: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            desk.run(&genesis, &booking, open, tell).await;
        });
        self.driver.tasks.tracker.spawn(driving.in_current_span());
    }

    /// Drives a payment until nothing is left to do, or it cannot be done now.
    async fn run(
        &self,
        genesis: &Genesis,
        booking: &BookingId,
        first: OpenPayment,
        tell: watch::Sender<Option<Applied>>,
    ) {
        let attempts = &self.driver.attempts;
        let mut open = first;
        let mut failures = 0;
        for _ in 0..STEPS_MAX {
            match self.advance(genesis, &open).await {
                Ok(applied) => {
                    failures = 0;
                    tell.send_if_modified(|told| {
                        let is_first = told.is_none();
                        if is_first {
                            *told = Some(applied);
                        }
                        is_first
                    });
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%booking, step = open.step.name(), error, "a payment does not come on");
                    let pause = attempts.failed(booking, &error);
                    if failures >= TRIES_MAX || self.is_over(pause).await {
                        attempts.left(booking);
                        return;
                    }
                }
            }
            match self.look(genesis).await {
                Ok(ledger) => match ledger
                    .reservation(booking.number())
                    .and_then(|one| one.open_payment())
                {
                    Some(next) => {
                        if next.step != open.step {
                            attempts.step(booking, &next);
                        }
                        open = next;
                    }
                    None => break,
                },
                Err(error) => {
                    attempts.failed(booking, &error.to_string());
                    attempts.left(booking);
                    return;
                }
            }
        }
        attempts.finished(booking);
    }

    /// Does one step: the provider first, then its entry.
    async fn advance(&self, genesis: &Genesis, open: &OpenPayment) -> Result<Applied, String> {
        let charge = saga::charge(&genesis.listing, open);
        let answer = self.driver.call(&charge, open.step).await;
        match saga::next(open, answer) {
            Next::Journal(op) => self
                .enter(genesis, Command::new(op, None))
                .await
                .map_err(|error| error.to_string()),
            Next::Later(error) => Err(error),
        }
    }

    /// Waits; answers whether this node stops meanwhile.
    async fn is_over(&self, pause: Duration) -> bool {
        timeout(pause, self.driver.tasks.stopping.cancelled())
            .await
            .is_ok()
    }

    pub(super) async fn enter(
        &self,
        genesis: &Genesis,
        command: Command,
    ) -> Result<Applied, DeskError> {
        let request = RequestId::from_text("");
        self.propose(errand(genesis, &request), command).await
    }

    pub(super) async fn look(&self, genesis: &Genesis) -> Result<Arc<Ledger>, DeskError> {
        let request = RequestId::from_text("");
        self.read(errand(genesis, &request)).await
    }
}

fn errand<'a>(genesis: &'a Genesis, request: &'a RequestId) -> Errand<'a> {
    Errand {
        genesis,
        request,
        deadline: Instant::now() + ENTRY_DEADLINE,
    }
}
