//! A light workload in the background, and a sample of how the cluster does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meridian_client::{AdminClient, Client, NewStay};
use rand::RngExt;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::check::{check_single_sale, diverged};
use crate::cluster::{ClusterError, LocalCluster};
use crate::history::{History, Outcome, Sale};
use crate::observe::{bookable, differing_digests};

/// Reads of each region, each second.
const READ_EVERY: Duration = Duration::from_millis(5);
/// Attempts to book of each region.
const BOOK_EVERY: Duration = Duration::from_millis(500);
/// Listings that are booked: each wakes a Raft group on every node.
const BOOKED_LISTINGS: usize = 8;

/// How a cluster does, over the time since the last sample.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSample {
    /// Listing reads answered since the start.
    pub reads: u64,
    /// Bookings confirmed since the start.
    pub bookings: u64,
    /// The greatest replication lag of any node, in milliseconds.
    pub lag_ms: Option<u64>,
    /// Nights sold twice, ever.
    pub double_bookings: usize,
    /// Listings that differ between nodes and did so a sample ago in the same way.
    pub diverged: usize,
}

/// The running workload.
#[derive(Debug)]
pub struct LiveWorkload {
    counters: Arc<Counters>,
    admins: BTreeMap<u64, AdminClient>,
    differing: BTreeMap<u64, BTreeMap<String, String>>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

#[derive(Debug, Default)]
struct Counters {
    reads: AtomicU64,
    bookings: AtomicU64,
    history: History,
}

impl LiveWorkload {
    /// Starts clients in every region. `nights` are those that they try to book.
    ///
    /// # Errors
    /// [`ClusterError`] for a node that is not there.
    pub async fn start(
        cluster: &LocalCluster,
        listings: &[String],
        nights: &[(String, String)],
    ) -> Result<Self, ClusterError> {
        let mut booked = Vec::new();
        if let Some(first) = cluster.ids().first() {
            booked = bookable(&cluster.client(*first)?, listings, BOOKED_LISTINGS).await?;
        }
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let counters = Arc::new(Counters::default());
        let mut admins = BTreeMap::new();
        for id in cluster.ids() {
            admins.insert(id, cluster.admin(id)?);
            let guest = Guest {
                client: cluster.client(id)?,
                listings: listings.to_vec(),
                booked: booked.clone(),
                nights: nights.to_vec(),
                counters: Arc::clone(&counters),
            };
            let (reader, booker) = (guest.clone(), guest);
            let (one, other) = (cancel.clone(), cancel.clone());
            tracker.spawn(async move {
                one.run_until_cancelled(reader.read()).await;
            });
            tracker.spawn(async move {
                other.run_until_cancelled(booker.book()).await;
            });
        }
        Ok(Self {
            counters,
            admins,
            differing: BTreeMap::new(),
            tracker,
            cancel,
        })
    }

    /// Looks at every node.
    pub async fn sample(&mut self) -> LiveSample {
        let mut lag_ms = None;
        for admin in self.admins.values() {
            if let Ok(replication) = admin.replication().await {
                lag_ms = lag_ms.max(replication["staleness_ms"].as_u64());
            }
        }
        let differing = differing_digests(&self.admins).await.unwrap_or_default();
        // Listings on their way differ too: only those that stay so have diverged.
        let diverged = diverged(&differing)
            .into_iter()
            .filter(|listing| {
                differing
                    .iter()
                    .all(|(node, now)| self.digest(*node, listing) == now.get(listing))
            })
            .count();
        self.differing = differing;
        LiveSample {
            reads: self.counters.reads.load(Ordering::Relaxed),
            bookings: self.counters.bookings.load(Ordering::Relaxed),
            lag_ms,
            double_bookings: check_single_sale(&self.counters.history.sales(), &[]).len(),
            diverged,
        }
    }

    /// Ends the clients.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn digest(&self, node: u64, listing: &str) -> Option<&String> {
        self.differing.get(&node)?.get(listing)
    }
}

#[derive(Clone)]
struct Guest {
    client: Client,
    listings: Vec<String>,
    booked: Vec<String>,
    nights: Vec<(String, String)>,
    counters: Arc<Counters>,
}

impl Guest {
    async fn read(self) {
        let mut ticks = interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(listing) = pick(&self.listings) {
            ticks.tick().await;
            if self.client.listing(listing).await.is_ok() {
                self.counters.reads.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn book(self) {
        let mut ticks = interval(BOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let (Some(listing), Some((check_in, check_out))) =
            (pick(&self.booked), pick(&self.nights))
        {
            ticks.tick().await;
            let stay = NewStay {
                check_in: check_in.clone(),
                check_out: check_out.clone(),
                guests: 1,
            };
            let key = format!("live-{:032x}", rand::random::<u128>());
            let answer = self.client.book(listing, &stay, "card_ok", &key).await;
            let outcome = Outcome::of_booking(&answer);
            if !matches!(outcome, Outcome::Sold(_)) {
                continue;
            }
            self.counters.bookings.fetch_add(1, Ordering::Relaxed);
            self.counters.history.sale(Sale {
                listing: listing.clone(),
                check_in: stay.check_in,
                check_out: stay.check_out,
                region: answer
                    .ok()
                    .and_then(|answer| answer.served_by)
                    .unwrap_or_default(),
                outcome,
            });
        }
    }
}

fn pick<T>(choices: &[T]) -> Option<&T> {
    if choices.is_empty() {
        return None;
    }
    choices.get(rand::rng().random_range(0..choices.len()))
}
