//! The smoke run: a bounded time in which a cluster is used, cut, raced, healed and
//! judged.

mod edits;
mod judge;
mod measure;
mod persist;
mod race;
mod report;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use meridian_client::{AdminClient, CallError, Client, NewStay};

use crate::cluster::{ClusterError, LocalCluster};
use crate::history::{History, Links, Outcome, Sale};
use crate::observe::{bookable, converged};
use crate::until::until;
use judge::Observed;

pub use report::{Latency, RegionReport, SmokeReport};

/// How long a healed cluster may take to converge.
const CONVERGE_PATIENCE: Duration = Duration::from_secs(60);
/// How long a cut-off region may take until it answers `no-quorum`: it notices within
/// two seconds, and requests under way then have their deadline to end in.
const CUT_PATIENCE: Duration = Duration::from_secs(20);
/// The region that is cut off.
const CUT_REGION: &str = "ap-southeast";

/// Why a run has no verdict.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// The cluster could not be used at all.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A request failed that nothing was done to hinder.
    #[error("{what}: {cause}")]
    Call {
        /// What was being done.
        what: String,
        /// What came of it.
        cause: CallError,
    },
    /// Too few listings to run on.
    #[error("the run needs listings of every region that take a stay of one night, {0} has none")]
    NoListings(String),
}

/// How much the run does.
#[derive(Debug, Clone)]
pub struct SmokeOptions {
    /// Listings by home region.
    pub listings: BTreeMap<String, Vec<String>>,
    /// Listings that are edited everywhere at once, of each region.
    pub edited: usize,
    /// Listings whose night is raced for, of each region.
    pub raced: usize,
    /// Listing writes, and reads, measured in each region.
    pub measured: usize,
    /// Bookings measured in each region.
    pub bookings_measured: usize,
    /// First night that the run books, `YYYY-MM-DD`, and the ones after it: one
    /// night for each race.
    pub nights: Vec<(String, String)>,
}

/// A region, a client there, and listings at home there that can be booked for one
/// night.
struct Region {
    id: &'static str,
    client: Client,
    bookable: Vec<String>,
}

struct Smoke<'a> {
    cluster: &'a LocalCluster,
    options: SmokeOptions,
    regions: Vec<Region>,
    admins: BTreeMap<u64, AdminClient>,
    history: History,
    tell: &'a dyn Fn(&str),
}

/// Runs on a cluster that has just been loaded; `tell` hears what is being done.
///
/// # Errors
/// [`SmokeError`] if the run could not be carried out: that is no verdict.
pub async fn run_smoke(
    cluster: &LocalCluster,
    options: SmokeOptions,
    tell: &dyn Fn(&str),
) -> Result<SmokeReport, SmokeError> {
    let started = Instant::now();
    let mut regions = Vec::new();
    for plan in &cluster.plan().regions {
        let Some(node) = cluster.node_in(plan.id) else {
            continue;
        };
        let client = cluster.client(node.id)?;
        let listings = options.listings.get(plan.id).map_or(&[][..], Vec::as_slice);
        let bookable = bookable(&client, listings, options.raced + 1)
            .await
            .map_err(|cause| call("looking for bookable listings", cause))?;
        if bookable.is_empty() {
            return Err(SmokeError::NoListings(plan.id.to_owned()));
        }
        regions.push(Region {
            id: plan.id,
            client,
            bookable,
        });
    }
    let mut admins = BTreeMap::new();
    for id in cluster.ids() {
        admins.insert(id, cluster.admin(id)?);
    }
    let smoke = Smoke {
        cluster,
        options,
        regions,
        admins,
        history: History::default(),
        tell,
    };
    smoke.run(started).await
}

impl Smoke<'_> {
    async fn run(&self, started: Instant) -> Result<SmokeReport, SmokeError> {
        (self.tell)("measuring writes, reads and bookings in every region");
        let measured = measure::all(self).await?;

        (self.tell)("racing for the same nights from all regions");
        self.race(0, Links::Whole).await;

        (self.tell)("cutting ap-southeast off");
        self.cluster.wan().isolate(CUT_REGION);
        let no_quorum_after = self.await_no_quorum().await;
        (self.tell)("editing the same listings everywhere, racing for nights, while it is cut off");
        let edits = self.edit_everywhere().await;
        self.race(1, Links::OneRegionCut).await;

        (self.tell)("healing the links and waiting until all nodes hold the same");
        let healed = Instant::now();
        self.cluster.wan().heal();
        let converged_in = match converged(&self.admins, CONVERGE_PATIENCE).await {
            Ok(()) => Some(healed.elapsed()),
            Err(_late) => None,
        };
        (self.tell)("racing once more, then checking every promise");
        self.race(2, Links::Whole).await;
        let edited_while_cut = edits
            .iter()
            .find(|tally| tally.region == CUT_REGION)
            .map_or(0, |tally| tally.accepted);
        let judged = self
            .judge(Observed {
                no_quorum_after,
                edits,
            })
            .await;
        Ok(report::assemble(
            self,
            measured,
            report::Findings {
                judged,
                converged_in,
                no_quorum_after,
                edited_while_cut,
                took: started.elapsed(),
            },
        ))
    }

    /// Every listing that is edited everywhere.
    fn edited(&self) -> Vec<String> {
        let lists = self.options.listings.values();
        lists
            .flat_map(|listings| listings.iter().take(self.options.edited).cloned())
            .collect()
    }

    /// Every listing that is raced for.
    fn raced(&self) -> Vec<String> {
        let lists = self.regions.iter().map(|region| &region.bookable);
        lists
            .flat_map(|listings| listings.iter().take(self.options.raced).cloned())
            .collect()
    }
    /// How long the cut-off region needs until it answers a booking `no-quorum`.
    async fn await_no_quorum(&self) -> Option<Duration> {
        let cut = self.regions.iter().find(|region| region.id == CUT_REGION)?;
        let listing = cut.bookable.first()?;
        let (check_in, check_out) = self.options.nights.last()?.clone();
        let started = Instant::now();
        until(
            CUT_PATIENCE,
            "a cut-off region says no-quorum",
            async || {
                let stay = NewStay {
                    check_in: check_in.clone(),
                    check_out: check_out.clone(),
                    guests: 1,
                };
                let key = format!("cut-{:032x}", rand::random::<u128>());
                let answer = cut.client.book(listing, &stay, "card_ok", &key).await;
                self.history.sale(Sale {
                    listing: listing.clone(),
                    check_in: stay.check_in,
                    check_out: stay.check_out,
                    region: CUT_REGION.to_owned(),
                    outcome: Outcome::of_booking(&answer),
                });
                (answer.err()?.code() == Some("no-quorum")).then_some(())
            },
        )
        .await
        .ok()
        .map(|()| started.elapsed())
    }
}

fn call(what: &str, cause: CallError) -> SmokeError {
    SmokeError::Call {
        what: what.to_owned(),
        cause,
    }
}

/// Awaits all of them at once.
async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    futures::future::join_all(futures).await
}
