//! A planted bug is found in the provider's book, by the checker that judges chaos runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meridian_chaos::Deed;
use meridian_chaos::judge::{Finding, Verdict, judge};
use meridian_chaos::record::{
    Bounds, FORMAT, Final, FinalBooking, FinalDue, FinalPayment, Header, Run,
};
use meridian_consensus_core::{Outcome, PaymentState};
use meridian_regions::BookingId;
use tempfile::TempDir;

use super::{Counter, PATIENCE};
use crate::booking::planted::{MADE_UP, Planted};
use crate::payments::{
    Book, Charge, PaymentError, PaymentFuture, PaymentProvider, Sandbox, Teller, Voided,
};

const PRICE: u64 = 12_900;
/// To the node's own desk, which would drive the payment too, the provider is out of order.
const CARD: &str = "card_capture_unavailable";

/// Takes the money, and loses its first answer to that.
struct LosesAnAnswer {
    sandbox: Sandbox,
    has_lost: AtomicBool,
}

impl PaymentProvider for LosesAnAnswer {
    fn authorize<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, String> {
        Box::pin(async move { self.sandbox.authorize(&good(charge)).await })
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()> {
        Box::pin(async move {
            self.sandbox.capture(&good(charge)).await?;
            if self.has_lost.swap(true, Ordering::SeqCst) {
                return Ok(());
            }
            Err(PaymentError::Unknown("the answer is lost".to_owned()))
        })
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, Voided> {
        Box::pin(async move { self.sandbox.void(&good(charge)).await })
    }

    fn refund<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()> {
        Box::pin(async move { self.sandbox.refund(&good(charge)).await })
    }
}

/// The same by a card that works.
fn good(charge: &Charge) -> Charge {
    Charge {
        method: "card_ok".to_owned(),
        ..charge.clone()
    }
}

fn counter() -> Counter {
    let folder = TempDir::new().expect("a folder");
    let book = Book::open(&folder.path().join("book.jsonl")).expect("a new book");
    let provider = LosesAnAnswer {
        sandbox: Sandbox {
            teller: Some(Teller::new(book)),
        },
        has_lost: AtomicBool::new(false),
    };
    Counter::at(Arc::new(provider), folder)
}

fn book_of(counter: &Counter) -> Vec<Deed> {
    let text = std::fs::read_to_string(counter.folder.path().join("book.jsonl"));
    let text = text.expect("a book");
    let deeds = text.lines().map(serde_json::from_str::<Deed>);
    deeds.collect::<Result<_, _>>().expect("JSON")
}

fn captures(counter: &Counter) -> usize {
    let book = book_of(counter);
    book.iter().filter(|one| one.deed == "capture").count()
}

/// What a run's history would hold of the one booking, and of the provider's book.
fn run_of(counter: &Counter) -> Run {
    let listing = counter.genesis.listing.to_string();
    let booking = BookingId::new(counter.genesis.listing.clone(), 1).to_string();
    let mut run = Run::new(Header {
        format: FORMAT,
        scenario: "planted".to_owned(),
        seed: 0,
        build: String::new(),
        started: String::new(),
        regions: BTreeMap::from([("eu-west".to_owned(), vec![1])]),
        rerun: String::new(),
        required: Vec::new(),
        left_out: Vec::new(),
        bounds: Bounds::default(),
    });
    run.finals.push(Final::Ledger {
        listing: listing.clone(),
        region: "eu-west".to_owned(),
        units: 1,
    });
    run.finals.push(Final::Booking(FinalBooking {
        region: "eu-west".to_owned(),
        listing,
        booking: booking.clone(),
        check_in: "2027-01-01".to_owned(),
        check_out: "2027-01-02".to_owned(),
        state: "confirmed".to_owned(),
    }));
    run.finals.push(Final::Due(FinalDue {
        booking,
        price: PRICE,
        refund: None,
    }));
    for deed in book_of(counter).iter().filter(|one| one.deed == "capture") {
        let (made_for, _) = deed.key.split_once(MADE_UP).unwrap_or((&deed.key, ""));
        run.finals.push(Final::Payment(FinalPayment {
            booking: made_for.to_owned(),
            captured: deed.amount,
            refunded: 0,
            authorized: false,
        }));
    }
    run
}

fn money(counter: &Counter) -> Finding {
    let findings = judge(&run_of(counter)).into_iter();
    let mut money = findings.filter(|one| one.promise == "money is conserved");
    money.next().expect("there is a book and a ledger")
}

/// Books by the card, and waits until the money is taken, as the ledger has it.
async fn paid(counter: &Counter) {
    let booked = counter.book(CARD, PATIENCE).await;
    assert!(
        matches!(booked.outcome(), Outcome::Confirmed(_)),
        "{booked:?}"
    );
    counter.becomes(PaymentState::Captured).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn capture_that_is_repeated_without_the_bookings_key_is_found_in_the_book() {
    let mut counter = counter();
    counter.desk.driver.planted = Planted::captures_without_key();
    paid(&counter).await;
    assert_eq!(captures(&counter), 2);
    let found = money(&counter);
    assert_eq!(found.verdict, Verdict::Fail, "{found:#?}");
    let what = &found.violations[0].what;
    assert!(what.contains("its price is 12900: 25800 taken"), "{what}");
    counter.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn capture_that_is_repeated_with_the_bookings_key_takes_the_money_once() {
    let counter = counter();
    paid(&counter).await;
    assert_eq!(captures(&counter), 1);
    let found = money(&counter);
    assert_eq!(found.verdict, Verdict::Pass, "{found:#?}");
    counter.close().await;
}
