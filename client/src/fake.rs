//! A cluster in memory, for the tests of programs that use this crate.
//!
//! They use the same [`Client`] as in earnest: only the wire beneath it is another one, so
//! that sessions, retries, failover and keys are the real ones. It opens no socket, and
//! under a paused clock (`tokio::time::pause`) waits cost no time. It is always compiled:
//! it brings no dependency along, and a program that does not name it does not carry it.
//!
//! It keeps listings (create, read, patch, delete), availability by the night, holds,
//! bookings, cancellations, outcomes and regions, and sells a night of a unit once. A
//! payment method that begins with `card_declined` is declined, any other accepted. Holds
//! last until [`FakeCluster::expire_holds`]. What it has not: quotes, prices, blocks, hours,
//! edits, history, conflicts, events and watches, which are answered with `not-found`.
//!
//! ```
//! # async fn example() -> Result<(), meridian_client::CallError> {
//! use meridian_client::fake::FakeCluster;
//! use meridian_client::{IdempotencyKey, NewStay};
//!
//! let cluster = FakeCluster::new(["eu-west", "us-east"]);
//! let client = cluster.client();
//! let made = client.create_listing(serde_json::json!({"title": "Loft"})).await?;
//! let listing = made.body["id"].as_str().unwrap_or_default();
//! let stay = NewStay {
//!     check_in: "2030-06-01".to_owned(),
//!     check_out: "2030-06-03".to_owned(),
//!     guests: 2,
//! };
//! client.book(listing, &stay, "card_ok", &IdempotencyKey::fresh()).await?;
//! cluster.cut("eu-west");
//! let again = client.book(listing, &stay, "card_ok", &IdempotencyKey::fresh()).await;
//! assert_eq!(again.unwrap_err().code(), Some("slot-taken"));
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread()
//! #     .enable_time()
//! #     .build()
//! #     .expect("a runtime")
//! #     .block_on(example())
//! #     .expect("it works");
//! ```

mod asked;
mod ledger;
mod nights;
mod refusal;
mod whole;
mod wire;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::builder::ClientBuilder;
use crate::client::Client;
use wire::FakeWire;
use world::{Region, World};

/// Regions of a cluster that share one truth. Clones are the same cluster.
#[derive(Debug, Clone)]
pub struct FakeCluster(Arc<Mutex<World>>);

impl FakeCluster {
    /// A cluster of these regions, the nearest one first, with a node in each.
    ///
    /// # Panics
    /// Without a region, with one that is named twice, or with a name unlike `eu-west`.
    #[must_use]
    pub fn new<Name: Into<String>>(regions: impl IntoIterator<Item = Name>) -> Self {
        let regions = regions.into_iter().map(Into::into).collect();
        Self(Arc::new(Mutex::new(World::new(regions))))
    }

    /// A builder of clients whose seeds are the nodes of this cluster.
    pub fn builder(&self) -> ClientBuilder {
        let wire = FakeWire(Arc::clone(&self.0));
        let builder = Client::builder().wire(Arc::new(wire));
        let seeds: Vec<String> = self.world().endpoints().collect();
        seeds.into_iter().fold(builder, ClientBuilder::seed)
    }

    /// A client with a session of its own.
    ///
    /// # Panics
    /// With more regions than a client takes seeds: use [`FakeCluster::builder`].
    #[must_use]
    pub fn client(&self) -> Client {
        let built = self.builder().build();
        built.expect("a fake cluster has as many seeds as a client takes")
    }

    /// Has a region take no connection any more.
    ///
    /// # Panics
    /// If there is no such region; as everything that names one.
    pub fn cut(&self, region: &str) {
        self.with(region, |region| region.cut = true);
    }

    /// Has a region take connections again.
    pub fn heal(&self, region: &str) {
        self.with(region, |region| region.cut = false);
    }

    /// Has a region do the next so many requests and lose their answers.
    pub fn lose_answers(&self, region: &str, count: u32) {
        self.with(region, |region| region.answers_to_lose = count);
    }

    /// Has a region see no write to a listing that comes after this: it is behind for
    /// every session that has seen one. A write in the region itself brings it up to date.
    pub fn hold_back(&self, region: &str) {
        let written = self.world().written();
        self.with(region, |region| region.seen = Some(written));
    }

    /// Has a region see everything again.
    pub fn catch_up(&self, region: &str) {
        self.with(region, |region| region.seen = None);
    }

    /// How long a region takes to answer; nothing at first, so that the first one is used.
    pub fn set_round_trip(&self, region: &str, round_trip: Duration) {
        self.with(region, |region| region.round_trip = round_trip);
    }

    /// Lets every hold lapse that was not confirmed.
    pub fn expire_holds(&self) {
        self.world().expire_holds();
    }

    /// How many requests a region has been sent, probes left out.
    #[must_use]
    pub fn requests(&self, region: &str) -> usize {
        self.with(region, |region| region.requests)
    }

    fn with<T>(&self, region: &str, act: impl FnOnce(&mut Region) -> T) -> T {
        act(self.world().region(region))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
