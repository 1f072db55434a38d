//! A light workload in the background, and a sample of how the cluster does.
//!
//! A sample says what it knows: what could not be asked is `None`, never zero.

mod guest;
mod sold;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use meridian_client::{AdminClient, CallError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::check::diverged;
use crate::cluster::{ClusterError, LocalCluster};
use crate::observe::{Digests, bookable, differing_digests};
use guest::Guest;
use sold::Sold;

/// Listings of each region that are booked: each wakes a Raft group on every node.
const BOOKED_PER_REGION: usize = 4;
/// How long a sample waits for a node: a line that lives must not stand still for one
/// that hangs.
const ASK_DEADLINE: Duration = Duration::from_secs(2);

/// How a cluster does.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSample {
    /// Listing reads answered in a second, since the last sample.
    pub reads_per_s: f64,
    /// Bookings confirmed since the start.
    pub bookings: u64,
    /// The greatest replication lag of any node, in milliseconds; unknown if one of
    /// them cannot say.
    pub lag_ms: Option<u64>,
    /// Nights sold twice, ever, by what clients were told and by the ledgers; unknown
    /// while none is known and a region's ledgers cannot be read.
    pub double_bookings: Option<usize>,
    /// Listings that differ between nodes and did so a sample ago in the same way;
    /// unknown if a node cannot be asked.
    pub diverged: Option<usize>,
}

/// The running workload.
#[derive(Debug)]
pub struct LiveWorkload {
    counters: Arc<Counters>,
    booked: Vec<String>,
    admins: BTreeMap<u64, AdminClient>,
    before: (u64, Instant),
    differing: Option<BTreeMap<u64, Digests>>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

#[derive(Debug)]
struct Counters {
    reads: AtomicU64,
    bookings: AtomicU64,
    sold: Sold,
}

impl LiveWorkload {
    /// Starts clients in every region, which book listings of all of them. `listings`
    /// are those of each home region, `nights` those that the clients want.
    ///
    /// # Errors
    /// [`ClusterError`] for a node that is not there.
    pub async fn start(
        cluster: &LocalCluster,
        listings: &BTreeMap<String, Vec<String>>,
        nights: &[(String, String)],
    ) -> Result<Self, ClusterError> {
        let mut booked = Vec::new();
        let mut guests = Vec::new();
        for node in cluster.nodes() {
            let (client, at_home) = (cluster.client(node.id)?, listings.get(node.region));
            let at_home = at_home.map_or(&[][..], Vec::as_slice);
            let own = bookable(&client, at_home, BOOKED_PER_REGION).await?;
            booked.extend(own.iter().cloned());
            guests.push((node.region, client, own));
        }
        let counters = Arc::new(Counters {
            reads: AtomicU64::new(0),
            bookings: AtomicU64::new(0),
            sold: Sold::awaiting(guests.iter().map(|(region, ..)| *region)),
        });
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        // Half of all nights stay free, so that there is always one to book.
        let kept_max = booked.len() * nights.len() / (2 * guests.len().max(1));
        for (region, client, audited) in guests {
            let guest = Guest {
                region,
                client,
                listings: listings.values().flatten().cloned().collect(),
                booked: booked.clone(),
                audited,
                nights: nights.to_vec(),
                kept_max: kept_max.max(1),
                counters: Arc::clone(&counters),
            };
            guest.start(&tracker, &cancel);
        }
        let mut admins = BTreeMap::new();
        for id in cluster.ids() {
            admins.insert(id, cluster.admin(id)?);
        }
        Ok(Self {
            counters,
            booked,
            admins,
            before: (0, Instant::now()),
            differing: None,
            tracker,
            cancel,
        })
    }

    /// Listings that the clients book, those of the first region first.
    #[must_use]
    pub fn booked(&self) -> &[String] {
        &self.booked
    }

    /// Looks at every node.
    pub async fn sample(&mut self) -> LiveSample {
        let lags = self.admins.values().map(|admin| async {
            let replication = asked(admin.replication()).await?;
            replication["staleness_ms"].as_u64()
        });
        let lags: Option<Vec<u64>> = join_all(lags).await.into_iter().collect();
        let differing = asked(differing_digests(&self.admins)).await;
        let diverged = differing
            .as_ref()
            .and_then(|now| still_diverged(self.differing.as_ref(), now));
        self.differing = differing;
        LiveSample {
            reads_per_s: self.reads_per_s(),
            bookings: self.counters.bookings.load(Ordering::Relaxed),
            lag_ms: lags.and_then(|lags| lags.into_iter().max()),
            double_bookings: self.counters.sold.doubles(),
            diverged,
        }
    }

    fn reads_per_s(&mut self) -> f64 {
        let (reads, now) = (self.counters.reads.load(Ordering::Relaxed), Instant::now());
        let (reads_before, before) = std::mem::replace(&mut self.before, (reads, now));
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let answered = (reads - reads_before) as f64;
        answered / (now - before).as_secs_f64().max(1e-3)
    }

    /// Ends the clients.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Listings that differ now as they did before: those on their way differ too, but not
/// for long. Unknown if some differ and it is not known how it was.
fn still_diverged(
    before: Option<&BTreeMap<u64, Digests>>,
    now: &BTreeMap<u64, Digests>,
) -> Option<usize> {
    let mut unchanged = 0;
    for (shard, now) in now {
        let differing = diverged(now);
        if differing.is_empty() {
            continue;
        }
        let before = before?.get(shard);
        let is_unchanged = |listing: &&String| {
            now.iter().all(|(node, digests)| {
                let earlier = before.and_then(|before| before.get(node)?.get(*listing));
                earlier == digests.get(*listing)
            })
        };
        unchanged += differing.iter().filter(is_unchanged).count();
    }
    Some(unchanged)
}

async fn asked<T>(answer: impl Future<Output = Result<T, CallError>>) -> Option<T> {
    timeout(ASK_DEADLINE, answer).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::still_diverged;
    use crate::observe::Digests;

    fn digests(of_nodes: [&str; 2]) -> BTreeMap<u64, Digests> {
        let of_node = |digest: &str| BTreeMap::from([("lst_a".to_owned(), digest.to_owned())]);
        let of_nodes = BTreeMap::from([(1, of_node(of_nodes[0])), (2, of_node(of_nodes[1]))]);
        BTreeMap::from([(7, of_nodes)])
    }

    #[test]
    fn only_a_difference_that_stays_is_a_divergence() {
        let differing = digests(["x", "y"]);
        assert_eq!(still_diverged(Some(&differing), &differing), Some(1));
        let moving = digests(["w", "y"]);
        assert_eq!(still_diverged(Some(&moving), &differing), Some(0));
        assert_eq!(still_diverged(None, &digests(["x", "x"])), Some(0));
        // Another shard differed before.
        let elsewhere = BTreeMap::from([(8, digests(["x", "y"]).remove(&7).expect("there"))]);
        assert_eq!(still_diverged(Some(&elsewhere), &differing), Some(0));
        assert_eq!(still_diverged(None, &differing), None, "nobody knows");
    }
}
