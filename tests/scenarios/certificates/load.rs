//! Hosts that edit and guests that book, at every node, one request after the other, none of
//! them tried again: what each of them hears is what the cluster said.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use meridian_chaos::until;
use meridian_client::{CallError, Client};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::super::harness::{PATIENCE, Scenario, key, stay};

/// How often each of them asks. A night is booked once, and a guest has those of a year.
const EVERY: Duration = Duration::from_millis(150);
/// Nights of one listing that may be booked ahead.
const NIGHTS: i64 = 350;

/// What has been heard.
#[derive(Debug, Default, Clone)]
pub(super) struct Heard {
    edits: Vec<Duration>,
    bookings: Vec<Duration>,
    errors: Vec<String>,
}

/// See the module.
pub(super) struct Load {
    heard: Arc<Mutex<Heard>>,
    stopping: CancellationToken,
    clients: JoinSet<Option<()>>,
}

impl Load {
    pub(super) async fn start(scenario: &Scenario) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let stopping = CancellationToken::new();
        let mut clients = JoinSet::new();
        for node in scenario.cluster.ids() {
            let edited = scenario.listing_at_home(node).await;
            let mut booked = Vec::new();
            for _ in 0..4 {
                booked.push(scenario.listing_at_home(node).await);
            }
            let (client, told) = (scenario.client(node), Arc::clone(&heard));
            clients.spawn(
                stopping
                    .clone()
                    .run_until_cancelled_owned(host(client, edited, told)),
            );
            let (client, told) = (scenario.client(node), Arc::clone(&heard));
            clients.spawn(
                stopping
                    .clone()
                    .run_until_cancelled_owned(guest(client, booked, told)),
            );
        }
        Self {
            heard,
            stopping,
            clients,
        }
    }

    /// Waits until so many requests have been answered.
    pub(super) async fn until_answered(&self, many: usize) {
        until(PATIENCE, format!("{many} answers"), async || {
            (self.heard().answered() >= many).then_some(())
        })
        .await
        .expect("answered");
    }

    /// What has been heard since it was last asked.
    pub(super) fn take(&self) -> Heard {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut heard)
    }

    fn heard(&self) -> Heard {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.clone()
    }

    pub(super) async fn stop(mut self) -> Heard {
        self.stopping.cancel();
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client does not panic");
        }
        self.take()
    }
}

impl Heard {
    pub(super) fn errors(&self) -> &[String] {
        &self.errors
    }

    fn answered(&self) -> usize {
        self.edits.len() + self.bookings.len()
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in [("edits", &self.edits), ("bookings", &self.bookings)] {
            let mut times = times.clone();
            times.sort_unstable();
            let at = |part: usize| times.get(times.len() * part / 100).copied();
            let (median, slow) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
            write!(
                formatter,
                "{} {what}, p50 {:.1} ms, p99 {:.1} ms; ",
                times.len(),
                median.as_secs_f64() * 1e3,
                slow.as_secs_f64() * 1e3
            )?;
        }
        write!(formatter, "{} errors", self.errors.len())?;
        self.errors
            .iter()
            .try_for_each(|error| write!(formatter, "\n  {error}"))
    }
}

async fn host(client: Client, listing: String, heard: Arc<Mutex<Heard>>) {
    let mut pace = interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 0_u64.. {
        pace.tick().await;
        let began = Instant::now();
        let title = json!({"title": format!("Loft {turn}")});
        let answer = client.patch_listing(&listing, title, None).await;
        note(&heard, began, answer.err(), |heard| &mut heard.edits);
    }
}

async fn guest(client: Client, listings: Vec<String>, heard: Arc<Mutex<Heard>>) {
    let mut pace = interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for listing in &listings {
        for night in 1..NIGHTS {
            pace.tick().await;
            let began = Instant::now();
            let answer = client.book(listing, &stay(night), "card_ok", &key()).await;
            note(&heard, began, answer.err(), |heard| &mut heard.bookings);
        }
    }
}

fn note(
    heard: &Mutex<Heard>,
    began: Instant,
    error: Option<CallError>,
    times: impl FnOnce(&mut Heard) -> &mut Vec<Duration>,
) {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    match error {
        None => times(&mut heard).push(began.elapsed()),
        Some(error) => heard.errors.push(error.to_string()),
    }
}
