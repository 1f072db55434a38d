//! Payments of a real group of one node, at a sandbox with a book.

mod planted;

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::ToSpan;
use meridian_chaos::until;
use meridian_consensus::Source;
use meridian_consensus_core::{
    Applied, Book as BookOp, Cancel, Command, Idempotency, Ledger, Op, Outcome, PaymentState,
    Price, ReservationState, Stay, Terms,
};
use meridian_regions::Genesis;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{BookingDesk, DeskOptions, DriverOptions, Errand, Tasks};
use crate::clock;
use crate::payments::{
    Book, Charge, PaymentError, PaymentFuture, PaymentProvider, Sandbox, Teller, Voided,
};
use crate::request_id::RequestId;
use crate::solo::Solo;

const PATIENCE: Duration = Duration::from_secs(30);
/// Shorter than the sandbox's late answers, long enough for an fsync.
const CALL_DEADLINE: Duration = Duration::from_secs(2);

/// A desk of its own on a running node, with a listing to book.
struct Counter {
    solo: Solo,
    desk: BookingDesk,
    genesis: Genesis,
    folder: TempDir,
    stopping: CancellationToken,
}

impl Counter {
    fn open() -> Self {
        let folder = TempDir::new().expect("a folder");
        let book = Book::open(&folder.path().join("book.jsonl")).expect("a new book");
        let sandbox = Sandbox {
            teller: Some(Teller::new(book)),
        };
        Self::at(Arc::new(sandbox), folder)
    }

    fn at(payments: Arc<dyn PaymentProvider>, folder: TempDir) -> Self {
        let (solo, stopping) = (Solo::start(), CancellationToken::new());
        let desk = BookingDesk::new(
            solo.node.identity.node,
            solo.node.groups.clone(),
            solo.node.mesh.clone(),
            payments,
            DeskOptions {
                tracer: meridian_trace::Tracer::off(),
                clock: solo.node.clock.clone(),
                driver: DriverOptions {
                    call_deadline: CALL_DEADLINE,
                    calls_max: 4,
                },
                key_kept_ms: 0,
            },
            Tasks {
                tracker: solo.tracker.clone(),
                stopping: stopping.clone(),
            },
        );
        Self {
            genesis: solo.genesis(),
            solo,
            desk,
            folder,
            stopping,
        }
    }

    async fn book(&self, method: &str, patience: Duration) -> Applied {
        let request = RequestId::from_text("test");
        let errand = Errand {
            genesis: &self.genesis,
            request: &request,
            source: Source::Background,
            deadline: Instant::now() + patience,
        };
        let booked = self.desk.book(errand, booking(method)).await;
        booked.expect("a quorum of one")
    }

    async fn propose(&self, command: Command) -> Applied {
        let request = RequestId::from_text("test");
        let errand = Errand {
            genesis: &self.genesis,
            request: &request,
            source: Source::Background,
            deadline: Instant::now() + PATIENCE,
        };
        let applied = self.desk.propose(errand, command).await;
        applied.expect("a quorum of one")
    }

    fn ledger(&self) -> Arc<Ledger> {
        let view = self.solo.node.groups.local(&self.genesis.listing);
        view.expect("readable").ledger
    }

    async fn becomes(&self, wanted: PaymentState) {
        until(
            PATIENCE,
            format!("a payment that is {wanted:?}"),
            async || {
                let state = self.ledger().reservation(1)?.payment_state();
                (state == Some(wanted)).then_some(())
            },
        )
        .await
        .expect("it comes on");
    }

    /// What the provider says it has done, in order.
    fn deeds(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("book.jsonl"));
        text.expect("a book")
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                line["deed"].as_str().expect("a deed").to_owned()
            })
            .collect()
    }

    /// Ends everything, also what would be tried for ever.
    async fn close(self) {
        self.stopping.cancel();
        drop(self.desk);
        self.solo.stop().await;
    }
}

/// One night, ten days from now.
fn booking(method: &str) -> Command {
    let check_in = clock::date_utc(clock::now()).saturating_add(10.days());
    let op = Op::Book(BookOp {
        stay: Stay::new(check_in, check_in.saturating_add(1.day()), 1),
        terms: Terms {
            units: 1,
            capacity: 2,
            min_stay: 1,
            max_stay: 28,
            policy: None,
            turnover: 0,
        },
        price: Price {
            amount: 12_900,
            currency: "EUR".to_owned(),
        },
        quote: String::new(),
        quote_seen: None,
        heads: String::new(),
        payment_method: method.to_owned(),
    });
    let idempotency = Idempotency {
        caller: "guest".to_owned(),
        key: "k".to_owned(),
        payload_hash: vec![1; 32],
    };
    Command::new(op, Some(idempotency))
}

#[tokio::test(flavor = "multi_thread")]
async fn booking_is_captured_and_cancelling_it_gives_the_money_back() {
    let counter = Counter::open();
    let booked = counter.book("card_ok", PATIENCE).await;
    assert!(
        matches!(booked.outcome(), Outcome::Confirmed(_)),
        "{booked:?}"
    );
    counter.becomes(PaymentState::Captured).await;
    let cancel = Command::new(Op::Cancel(Cancel { number: 1 }), None);
    assert_eq!(
        counter.propose(cancel).await.outcome(),
        &Outcome::Cancelled(1)
    );
    counter.becomes(PaymentState::Refunded).await;
    assert_eq!(
        counter.deeds(),
        ["create", "authorize", "capture", "refund"]
    );
    until(PATIENCE, "nothing is driven any more", async || {
        counter.desk.sagas().is_empty().then_some(())
    })
    .await
    .expect("it ends");
    counter.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_is_asked_again_without_the_client() {
    let counter = Counter::open();
    let booked = counter.book("card_lost", Duration::from_millis(700)).await;
    assert!(
        matches!(booked.outcome(), Outcome::Pending(_)),
        "{booked:?}"
    );
    counter.becomes(PaymentState::Captured).await;
    let again = counter.book("card_lost", PATIENCE).await;
    assert!(
        matches!(again.outcome(), Outcome::Confirmed(_)),
        "{again:?}"
    );
    assert_eq!(counter.deeds(), ["create", "authorize", "capture"]);
    counter.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_payment_frees_the_night_and_takes_nothing() {
    let counter = Counter::open();
    let declined = counter.book("card_declined", PATIENCE).await;
    assert!(
        matches!(declined.outcome(), Outcome::Declined(_)),
        "{declined:?}"
    );
    let ledger = counter.ledger();
    let one = ledger.reservation(1).expect("kept");
    assert_eq!(one.state(), ReservationState::Declined);
    assert_eq!(counter.deeds(), ["create", "decline"]);
    counter.close().await;
}

/// A leader that dies between its entry and the provider's answer leaves exactly this
/// behind: a payment in the ledger, and nobody at it.
#[tokio::test(flavor = "multi_thread")]
async fn payment_that_nobody_drives_is_driven_by_whoever_looks() {
    let counter = Counter::open();
    let begun = counter.propose(booking("card_twice")).await;
    assert!(matches!(begun.outcome(), Outcome::Pending(_)), "{begun:?}");
    assert!(counter.desk.sagas().is_empty());
    until(PATIENCE, "it is found when it is due", async || {
        let todo = counter.desk.drive_open(&counter.genesis).await;
        let state = counter.ledger().reservation(1)?.payment_state();
        (state == Some(PaymentState::Captured) && todo.is_ok()).then_some(())
    })
    .await
    .expect("it comes on");
    assert_eq!(counter.deeds(), ["create", "authorize", "capture"]);
    counter.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_payment_is_shown_and_an_operator_can_give_it_up() {
    let counter = Counter::open();
    let booked = counter.book("card_capture_unavailable", PATIENCE).await;
    assert!(
        matches!(booked.outcome(), Outcome::Confirmed(_)),
        "{booked:?}"
    );
    let saga = until(PATIENCE, "a stuck payment", async || {
        counter.desk.sagas().into_iter().find(super::Saga::is_stuck)
    })
    .await
    .expect("it is shown");
    assert_eq!(saga.open.step.name(), "capture");
    assert!(saga.last_error.contains("outage"), "{}", saga.last_error);
    let given = counter
        .desk
        .give_up(&counter.genesis, 1, "paid in cash")
        .await;
    assert_eq!(given.expect("a quorum").outcome(), &Outcome::Settled(1));
    counter.becomes(PaymentState::GivenUp).await;
    let retried = counter.desk.retry(&counter.genesis, 1).await;
    assert_eq!(retried.expect("a quorum"), None);
    let ledger = counter.ledger();
    assert_eq!(
        ledger.reservation(1).map(|one| one.state()),
        Some(ReservationState::Confirmed)
    );
    counter.close().await;
}

/// Out of order until it is mended.
#[derive(Default)]
struct Mended {
    works: AtomicBool,
    sandbox: Sandbox,
}

impl Mended {
    fn says<T: Send + 'static>(&self, answer: T) -> PaymentFuture<'_, T> {
        let outage = || PaymentError::Unknown("out of order".to_owned());
        let works = self.works.load(Ordering::SeqCst);
        Box::pin(ready(works.then_some(answer).ok_or_else(outage)))
    }
}

impl PaymentProvider for Mended {
    fn authorize<'a>(&'a self, _charge: &'a Charge) -> PaymentFuture<'a, String> {
        self.says("auth_1".to_owned())
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()> {
        self.sandbox.capture(charge)
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, Voided> {
        self.sandbox.void(charge)
    }

    fn refund<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()> {
        self.sandbox.refund(charge)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_that_is_down_leaves_bookings_pending_and_an_operator_need_not_wait() {
    let provider = Arc::new(Mended::default());
    let folder = TempDir::new().expect("a folder");
    let counter = Counter::at(Arc::<Mended>::clone(&provider), folder);
    let asked = Instant::now();
    let booked = counter.book("card_ok", PATIENCE).await;
    assert!(
        matches!(booked.outcome(), Outcome::Pending(_)),
        "{booked:?}"
    );
    assert!(
        asked.elapsed() < PATIENCE / 2,
        "it did not wait for the deadline"
    );
    until(PATIENCE, "it is stuck", async || {
        counter.desk.sagas().into_iter().find(super::Saga::is_stuck)
    })
    .await
    .expect("it is shown");
    provider.works.store(true, Ordering::SeqCst);
    let retried = counter.desk.retry(&counter.genesis, 1).await;
    assert!(retried.expect("a quorum").is_some());
    counter.becomes(PaymentState::Captured).await;
    counter.close().await;
}
