//! The clients of one region: one reads, one books and cancels, one audits ledgers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use meridian_client::{CallError, Client, NewStay};
use rand::RngExt;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Counters;
use super::sold::doubles_of;
use crate::check::StandingBooking;
use crate::history::{Booked, Outcome, Sale};
use crate::observe::standing_bookings;

/// Reads of each region, each second 200.
const READ_EVERY: Duration = Duration::from_millis(5);
/// Attempts to book of each region.
const BOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks into the ledgers of each region's listings.
const AUDIT_EVERY: Duration = Duration::from_secs(3);

/// What the clients of a region know.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) region: &'static str,
    pub(super) client: Client,
    /// Listings that are read.
    pub(super) listings: Vec<String>,
    /// Listings that are booked, of every region.
    pub(super) booked: Vec<String>,
    /// Those of them that are at home here, whose ledgers are looked into.
    pub(super) audited: Vec<String>,
    pub(super) nights: Vec<(String, String)>,
    /// Bookings that the region keeps; beyond it the oldest is cancelled.
    pub(super) kept_max: usize,
    pub(super) counters: Arc<Counters>,
}

impl Guest {
    /// Starts all three, until they are cancelled.
    pub(super) fn start(self, tracker: &TaskTracker, cancel: &CancellationToken) {
        let run = |client: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
            let cancel = cancel.clone();
            tracker.spawn(async move {
                cancel.run_until_cancelled(client).await;
            });
        };
        run(Box::pin(self.clone().read()));
        run(Box::pin(self.clone().book()));
        run(Box::pin(self.audit()));
    }

    async fn read(self) {
        let mut ticks = ticks(READ_EVERY);
        while let Some(listing) = pick(&self.listings) {
            ticks.tick().await;
            if self.client.listing(listing).await.is_ok() {
                self.counters.reads.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn book(self) {
        let mut ticks = ticks(BOOK_EVERY);
        let mut kept: VecDeque<String> = VecDeque::new();
        while let (Some(listing), Some((check_in, check_out))) =
            (pick(&self.booked), pick(&self.nights))
        {
            ticks.tick().await;
            if kept.len() >= self.kept_max && !self.cancel_oldest(&mut kept).await {
                continue;
            }
            let stay = NewStay {
                check_in: check_in.clone(),
                check_out: check_out.clone(),
                guests: 1,
            };
            let key = format!("live-{:032x}", rand::random::<u128>());
            let answer = self.client.book(listing, &stay, "card_ok", &key).await;
            let Outcome::Sold(Booked { booking_id }) = Outcome::of_booking(&answer) else {
                continue;
            };
            self.counters.bookings.fetch_add(1, Ordering::Relaxed);
            kept.push_back(booking_id.clone());
            self.counters.sold.told(Sale {
                listing: listing.clone(),
                check_in: stay.check_in,
                check_out: stay.check_out,
                region: self.region.to_owned(),
                outcome: Outcome::Sold(Booked { booking_id }),
            });
        }
    }

    /// Answers whether the oldest booking is done with; else it is cancelled again
    /// later, by the same key.
    async fn cancel_oldest(&self, kept: &mut VecDeque<String>) -> bool {
        let Some(oldest) = kept.front() else {
            return true;
        };
        // From here on its night may be another's.
        self.counters.sold.given_up(oldest);
        let key = format!("live-cancel-{oldest}");
        let answer = self.client.cancel(oldest, &key).await;
        let done = !answer.is_err_and(|error| error.is_retryable());
        if done {
            kept.pop_front();
        }
        done
    }

    async fn audit(self) {
        let mut ticks = ticks(AUDIT_EVERY);
        loop {
            ticks.tick().await;
            let audited = self.look().await;
            self.counters.sold.audited(self.region, audited.ok());
        }
    }

    /// Nights that stand in a ledger twice, by two looks: while pages are read, a
    /// booking may be cancelled and its night sold again.
    async fn look(&self) -> Result<Vec<String>, CallError> {
        let mut doubles = Vec::new();
        for listing in &self.audited {
            let first = doubles_of(&self.standing(listing).await?);
            if first.is_empty() {
                continue;
            }
            let second = doubles_of(&self.standing(listing).await?);
            doubles.extend(first.into_iter().filter(|double| second.contains(double)));
        }
        Ok(doubles)
    }

    async fn standing(&self, listing: &str) -> Result<Vec<StandingBooking>, CallError> {
        standing_bookings(&self.client, listing).await
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn pick<T>(choices: &[T]) -> Option<&T> {
    if choices.is_empty() {
        return None;
    }
    choices.get(rand::rng().random_range(0..choices.len()))
}
