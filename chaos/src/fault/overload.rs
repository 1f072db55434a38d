//! More is asked of nodes than they can answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use meridian_client::{CallError, Client};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::FaultError;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};

/// Codes of answers by which a node refuses for having too much to do.
const REFUSALS: [&str; 2] = ["overloaded", "rate-limited"];

/// Nights that are asked for, from and to: far from those that anybody books.
const NIGHTS: (&str, &str) = ("2035-01-01", "2035-02-01");

/// `overload`: so many clients ask each node of a place for the nights of listings, fresh,
/// each as soon as it was answered, until the node refuses some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overload {
    /// Which nodes.
    pub target: Place,
    /// How many at once, at each: more than `limits.requests_in_flight`, which
    /// is 1024 unless a setting says less.
    pub clients: u32,
}

impl Overload {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        let crowd = Crowd::default();
        for node in &nodes {
            let client = scene.cluster.client(*node)?;
            for number in 0..self.clients as usize {
                let listing = scene.listings.get(number % scene.listings.len().max(1));
                let asker = Asker {
                    client: client.clone(),
                    listing: listing.cloned(),
                    tally: Arc::clone(&crowd.tally),
                };
                let given_up = crowd.given_up.clone();
                crowd.tracker.spawn(async move {
                    given_up.run_until_cancelled(asker.run()).await;
                });
            }
        }
        crowd.tracker.close();
        Ok(Struck::at(&place, nodes, crowd))
    }
}

#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    refused: AtomicU64,
}

struct Asker {
    client: Client,
    listing: Option<String>,
    tally: Arc<Tally>,
}

impl Asker {
    /// Asks for ever.
    async fn run(self) {
        loop {
            let answer = match &self.listing {
                Some(listing) => {
                    let (from, to) = NIGHTS;
                    self.client.fresh_availability(listing, from, to).await
                }
                None => self.client.regions().await,
            };
            self.tally.asked.fetch_add(1, Ordering::Relaxed);
            let code = answer.as_ref().err().and_then(CallError::code);
            if code.is_some_and(|code| REFUSALS.contains(&code)) {
                self.tally.refused.fetch_add(1, Ordering::Relaxed);
            }
            // Whoever is answered at once is not to keep all others from running.
            tokio::task::yield_now().await;
        }
    }
}

#[derive(Default)]
struct Crowd {
    tally: Arc<Tally>,
    given_up: CancellationToken,
    tracker: TaskTracker,
}

impl Effect for Crowd {
    fn confirm<'a>(&'a self, _scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        let refused = self.tally.refused.load(Ordering::Relaxed);
        let asked = self.tally.asked.load(Ordering::Relaxed);
        let said = format!("requests refused for overload: {refused} of {asked}");
        async move { (refused > 0).then_some(said) }.boxed()
    }

    fn end<'a>(self: Box<Self>, _scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move {
            self.given_up.cancel();
            self.tracker.wait().await;
            Ok(())
        }
        .boxed()
    }
}
