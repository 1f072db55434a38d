//! Guests and hosts who go on while nodes are replaced, each by a client that finds its way.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{join, join_all};
use meridian_chaos::until;
use meridian_client::{Answer, CallError, Client};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::{PATIENCE, Scenario, key, stay};

/// What must have been done in the midst of each change, of each kind.
const MEANWHILE: u64 = 8;
/// How often each guest and each host does something: nights are on offer for two years.
const EVERY: Duration = Duration::from_millis(200);
/// How often the same is asked again before a scenario gives up.
const ASKED_MAX: usize = 30;

/// What came of it.
pub(super) struct Done {
    /// Listing and night of each booking that was confirmed.
    pub(super) sold: Vec<(String, String)>,
    pub(super) edits: u64,
    /// The last title of each listing.
    pub(super) titles: BTreeMap<String, String>,
    /// What clients were told after all that they try by themselves.
    pub(super) errors: Vec<String>,
}

/// Those who use the cluster.
pub(super) struct Load {
    seeds: Vec<String>,
    listings: Vec<String>,
    enough: AtomicBool,
    booked: AtomicU64,
    edited: AtomicU64,
    errors: Mutex<Vec<String>>,
}

impl Load {
    pub(super) fn of(scenario: &Scenario, listings: Vec<String>) -> Self {
        let nodes = scenario.cluster.nodes();
        Self {
            seeds: nodes.map(|node| format!("http://{}", node.api)).collect(),
            listings,
            enough: AtomicBool::new(false),
            booked: AtomicU64::new(0),
            edited: AtomicU64::new(0),
            errors: Mutex::default(),
        }
    }

    pub(super) fn end(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    /// Waits until some more has been done.
    pub(super) async fn go_on(&self) {
        for (count, what) in [(&self.booked, "bookings"), (&self.edited, "edits")] {
            let goal = count.load(Ordering::Relaxed) + MEANWHILE;
            until(PATIENCE, what, async || {
                (count.load(Ordering::Relaxed) >= goal).then_some(())
            })
            .await
            .expect("they go on");
        }
    }

    /// Until somebody ends it.
    pub(super) async fn run(&self) -> Done {
        let guests = (0..2).map(|turn| self.book(turn));
        let hosts = self.listings.iter().map(|listing| self.edit(listing));
        let (sold, titles) = join(join_all(guests), join_all(hosts)).await;
        Done {
            sold: sold.into_iter().flatten().collect(),
            edits: self.edited.load(Ordering::Relaxed),
            titles: titles.into_iter().collect(),
            errors: self.errors.lock().expect("no panic").clone(),
        }
    }

    fn client(&self) -> Client {
        let builder = self.seeds.iter().fold(Client::builder(), |builder, seed| {
            builder.seed(seed.clone())
        });
        builder.build().expect("seeds")
    }

    /// A guest: every night is another, so that each booking must succeed.
    async fn book(&self, turn: i64) -> Vec<(String, String)> {
        let client = self.client();
        let mut sold = Vec::new();
        let mut pace = pace();
        for (listing, number) in self.listings.iter().cycle().zip(0..) {
            if self.enough.load(Ordering::Relaxed) {
                break;
            }
            pace.tick().await;
            let night = stay(2 + 2 * (number / 3) + turn);
            let key = key();
            self.surely("a booking", async || {
                client.book(listing, &night, "card_ok", &key).await
            })
            .await;
            sold.push((listing.clone(), night.check_in));
            self.booked.fetch_add(1, Ordering::Relaxed);
        }
        sold
    }

    /// The host of a listing; answers its last title.
    async fn edit(&self, listing: &str) -> (String, String) {
        let client = self.client();
        let mut title = String::new();
        let mut pace = pace();
        for number in 1.. {
            if self.enough.load(Ordering::Relaxed) {
                break;
            }
            pace.tick().await;
            title = format!("Edit {number}");
            self.surely("an edit", async || {
                let patch = || json!({"title": title});
                match client.patch_listing(listing, patch(), None).await {
                    // A node that stops may take an answer with it. Nobody else edits this
                    // listing: to say it again undoes nothing, which no client can know.
                    Err(error) if error.outcome_unknown() => {
                        client.patch_listing(listing, patch(), None).await
                    }
                    told => told,
                }
            })
            .await;
            self.edited.fetch_add(1, Ordering::Relaxed);
        }
        (listing.to_owned(), title)
    }

    /// Asks until it is done, and counts what clients are told meanwhile.
    async fn surely(&self, what: &str, ask: impl AsyncFn() -> Result<Answer, CallError>) {
        for _ in 0..ASKED_MAX {
            match ask().await {
                Ok(_) => return,
                Err(error) => {
                    let error = format!("{what}: {error}");
                    self.errors.lock().expect("no panic").push(error);
                }
            }
        }
        panic!("{what} was asked for {ASKED_MAX} times in vain");
    }
}

fn pace() -> tokio::time::Interval {
    let mut pace = interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}
