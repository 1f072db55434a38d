//! One client: where it is, what it has, and how fast it asks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use meridian_client::{Answer, CallError, Client, Session};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::spec::{Kind, Pace, Workload};
use super::{Desk, Door, book, edits, holds};
use crate::record::{Call, Outcome};

/// A client of a run.
pub(super) struct Guest {
    pub(super) number: u64,
    pub(super) desk: Arc<Desk>,
    pub(super) random: StdRng,
    pub(super) session: Session,
    /// Its region, as a place among the regions.
    pub(super) home: usize,
    /// Clients of the nodes that it has used, so that connections are kept.
    known: Vec<(Door, Client)>,
    keys: u64,
    /// Amenities of its own that are, or may be, on a listing: the oldest first.
    pub(super) added: VecDeque<(String, String)>,
}

impl Guest {
    pub(super) fn new(number: u64, home: usize, desk: Arc<Desk>, seed: u64) -> Self {
        // Different for every client, and the same in every run of the seed.
        let own = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            number,
            desk,
            random: StdRng::seed_from_u64(own),
            session: Session::new(),
            home,
            known: Vec::new(),
            keys: 0,
            added: VecDeque::new(),
        }
    }

    pub(super) async fn run(mut self, workload: Workload, enough: CancellationToken) {
        let mut due = Instant::now() + self.pause(workload.pace);
        while enough
            .run_until_cancelled(tokio::time::sleep_until(due))
            .await
            .is_some()
        {
            match workload.kind {
                Kind::Duels => book::duel(&mut self).await,
                Kind::Stays => book::stay(&mut self).await,
                Kind::Churn => book::churn(&mut self).await,
                Kind::Storms => book::storm(&mut self).await,
                Kind::Calendars => book::calendar(&mut self).await,
                Kind::Holds => holds::hold(&mut self).await,
                Kind::Edits => edits::edit(&mut self).await,
                Kind::Returns => edits::return_again(&mut self).await,
                Kind::Sessions => edits::wander(&mut self).await,
                Kind::Searches => edits::search(&mut self).await,
            }
            let from = match workload.pace.per_second {
                Some(_) => due,
                None => Instant::now(),
            };
            due = from + self.pause(workload.pace);
        }
    }

    /// Between nothing and twice the mean.
    fn pause(&mut self, pace: Pace) -> Duration {
        let mean = match pace.per_second {
            Some(rate) => Duration::try_from_secs_f64(1.0 / rate.max(0.001)).unwrap_or_default(),
            None => Duration::from_millis(pace.pause_ms),
        };
        mean.mul_f64(self.random.random_range(0.0..=2.0))
    }

    /// A key that nobody else has.
    pub(super) fn key(&mut self) -> String {
        self.keys += 1;
        let salt: u64 = self.random.random();
        format!("chaos-{}-{}-{salt:016x}", self.number, self.keys)
    }

    /// A node of its own region.
    pub(super) fn nearby(&mut self) -> Option<Door> {
        self.door(self.home)
    }

    /// A node of another region, if there is one.
    pub(super) fn abroad(&mut self) -> Option<Door> {
        let regions = self.desk.regions().len();
        let away = if regions > 1 {
            self.random.random_range(1..regions)
        } else {
            0
        };
        self.door((self.home + away) % regions.max(1))
    }

    fn door(&mut self, region: usize) -> Option<Door> {
        let doors = self.desk.regions().get(region)?;
        let place = self.random.random_range(0..doors.len().max(1));
        doors.get(place).cloned()
    }

    /// Asks at a door, and writes it down.
    pub(super) async fn ask(
        &mut self,
        door: &Door,
        what: Call,
        asked: impl AsyncFnOnce(Client) -> Result<Answer, CallError>,
    ) -> Outcome {
        let client = match self.known.iter().find(|(known, _)| known == door) {
            Some((_, client)) => Ok(client.clone()),
            None => door.client(self.session.clone()),
        };
        if let Ok(client) = &client
            && self.known.iter().all(|(known, _)| known != door)
        {
            self.known.push((door.clone(), client.clone()));
        }
        let asked = async { asked(client?).await };
        let recorder = &self.desk.recorder;
        recorder.call(self.number, door, what, asked).await
    }
}
