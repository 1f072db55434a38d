//! Clients that write all the time, whatever dies, and remember what was acknowledged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use meridian_chaos::until;
use meridian_client::{CallError, Client};
use serde_json::json;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::{PATIENCE, Scenario, draft, key, sold, stay, text};

/// Pace of each writer: two cores run the cluster and all of its clients.
const WRITE_EVERY: Duration = Duration::from_millis(20);
/// Writes of each kind that a node acknowledges before the next thing is broken.
const ACKNOWLEDGED_EACH: usize = 5;
/// Nights that a listing offers; its writer then goes on with another one.
const NIGHTS: i64 = 300;
/// Reads at once in the end.
const CHECKS_AT_ONCE: usize = 16;

/// What the clients of one node were promised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acknowledged {
    /// Created listings.
    created: Vec<String>,
    /// Amenities of them.
    edited: Vec<(String, String)>,
    /// Booking by listing and night.
    booked: Vec<(String, String, String)>,
}

/// One writer of listings and one of bookings at every node.
pub(crate) struct Writers {
    acknowledged: BTreeMap<u64, Arc<Mutex<Acknowledged>>>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Writers {
    pub(crate) async fn start(scenario: &Scenario) -> Self {
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let mut acknowledged = BTreeMap::new();
        for node in scenario.cluster.ids() {
            let writer = Writer {
                client: scenario.client(node),
                acknowledged: Arc::default(),
            };
            acknowledged.insert(node, Arc::clone(&writer.acknowledged));
            // At home with the next node: whoever dies leads what another one books.
            let listing = scenario.listing_at_home(node % 3 + 1).await;
            let (one, other) = (cancel.clone(), cancel.clone());
            let lister = writer.clone();
            tracker.spawn(async move {
                one.run_until_cancelled(lister.write_listings()).await;
            });
            tracker.spawn(async move {
                other.run_until_cancelled(writer.book(listing)).await;
            });
        }
        Self {
            acknowledged,
            tracker,
            cancel,
        }
    }

    /// Waits until each of `nodes` has acknowledged more writes of each kind.
    pub(crate) async fn go_on(&self, nodes: &[u64]) {
        let counts = |node: &u64| {
            let acknowledged = lock(&self.acknowledged[node]);
            (acknowledged.edited.len(), acknowledged.booked.len())
        };
        let before: Vec<_> = nodes.iter().map(counts).collect();
        until(PATIENCE, format!("writes through {nodes:?}"), async || {
            let more = nodes.iter().map(counts).zip(&before).all(|(now, before)| {
                now.0 >= before.0 + ACKNOWLEDGED_EACH && now.1 >= before.1 + ACKNOWLEDGED_EACH
            });
            more.then_some(())
        })
        .await
        .expect("acknowledged");
    }

    /// Ends the writers; answers what each node has acknowledged.
    pub(crate) async fn stop(self) -> Vec<Acknowledged> {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        let all = self.acknowledged.values();
        all.map(|acknowledged| lock(acknowledged).clone()).collect()
    }
}

#[derive(Clone)]
struct Writer {
    client: Client,
    acknowledged: Arc<Mutex<Acknowledged>>,
}

impl Writer {
    async fn write_listings(self) {
        let mut ticks = interval(WRITE_EVERY);
        for round in 0_u64.. {
            ticks.tick().await;
            let title = format!("Written {round}");
            let Ok(created) = self.client.create_listing(draft(&title)).await else {
                continue;
            };
            let id = text(&created.body["id"]);
            lock(&self.acknowledged).created.push(id.clone());
            let amenity = format!("amenity {round}");
            let ops = json!([{"op": "add", "path": "/amenities", "value": amenity}]);
            if self.client.edit_listing(&id, ops).await.is_ok() {
                lock(&self.acknowledged).edited.push((id, amenity));
            }
        }
    }

    /// Wants each night once: what becomes of an unknown outcome is nobody's promise.
    async fn book(self, mut listing: String) {
        let mut ticks = interval(WRITE_EVERY);
        let mut night = 1;
        loop {
            ticks.tick().await;
            if night > NIGHTS {
                let Ok(created) = self.client.create_listing(draft("Another")).await else {
                    continue;
                };
                listing = text(&created.body["id"]);
                night = 1;
            }
            let stay = stay(night);
            let answer = self.client.book(&listing, &stay, "card_ok", &key()).await;
            if matches!(answer, Err(CallError::Unreachable(_))) {
                // Its node is dead, and the night still to be had.
                continue;
            }
            night += 1;
            if let Ok(answer) = answer
                && answer.body["state"] == "confirmed"
            {
                let booking = text(&answer.body["booking_id"]);
                let booked = (listing.clone(), stay.check_in, booking);
                lock(&self.acknowledged).booked.push(booked);
            }
        }
    }
}

impl Acknowledged {
    /// Everything is everywhere.
    pub(crate) async fn check(&self, scenario: &Scenario) {
        for node in scenario.cluster.ids() {
            let client = &scenario.client(node);
            let created = futures::stream::iter(&self.created).for_each_concurrent(
                CHECKS_AT_ONCE,
                |id| async move {
                    let listing = client.listing(id).await;
                    assert!(listing.is_ok(), "node {node} lost {id}: {listing:?}");
                },
            );
            created.await;
            let edited = futures::stream::iter(&self.edited).for_each_concurrent(
                CHECKS_AT_ONCE,
                |(id, amenity)| async move {
                    let shown = client.listing(id).await.expect("served").body;
                    let kept = shown["amenities"].as_array();
                    let kept = kept.is_some_and(|shown| shown.contains(&json!(amenity)));
                    assert!(kept, "node {node} lost {amenity} of {id}");
                },
            );
            edited.await;
        }
        let mut listings: Vec<&String> = self.booked.iter().map(|(listing, ..)| listing).collect();
        listings.dedup();
        for listing in listings {
            let sold = sold(&scenario.client(1), listing).await;
            for (_, night, booking) in self.booked.iter().filter(|(of, ..)| of == listing) {
                let kept = sold.get(night).map(Vec::as_slice);
                assert_eq!(kept, Some(&[booking.clone()][..]), "the night of {night}");
            }
        }
    }
}

fn lock(acknowledged: &Mutex<Acknowledged>) -> std::sync::MutexGuard<'_, Acknowledged> {
    acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
}
