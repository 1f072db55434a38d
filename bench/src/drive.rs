//! A closed loop: every client sends its next request when it has its answer.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::time::sleep;

use crate::http::{Connection, Request};
use crate::latency::Latencies;

/// After a refusal: a client that is told to wait does not hammer.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);

/// What came of one round.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) latencies: Latencies,
    pub(crate) elapsed: Duration,
}

impl Round {
    fn count(&mut self, answer: anyhow::Result<()>, elapsed: Duration) {
        match answer {
            Ok(()) => {
                self.done += 1;
                self.latencies.record(elapsed);
            }
            Err(cause) => {
                self.failed += 1;
                self.first_failure.get_or_insert(format!("{cause:#}"));
            }
        }
    }

    /// Successful requests per second.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
        let done = self.done as f64;
        done / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// A cost of the whole round, in microseconds for each successful request.
    pub(crate) fn each_us(&self, cost: Duration) -> f64 {
        self.each(u64::try_from(cost.as_micros()).unwrap_or(u64::MAX))
    }

    /// A total of the whole round for each successful request.
    pub(crate) fn each(&self, total: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 of anything")]
        let (total, done) = (total as f64, self.done.max(1) as f64);
        total / done
    }

    /// What to say of requests that failed, if any did.
    pub(crate) fn failures(system: &str, rounds: &[Self]) -> Option<String> {
        let failed: u64 = rounds.iter().map(|round| round.failed).sum();
        let first = rounds
            .iter()
            .find_map(|round| round.first_failure.as_ref())?;
        Some(format!("{system}: {failed} failed, the first: {first}"))
    }
}

/// Sends what `next` gives until it gives nothing or the time is over.
pub(crate) async fn drive(
    clients: &[Connection],
    time: Duration,
    next: impl Fn() -> Option<Request>,
) -> Round {
    drive_each(clients, time, async |client| {
        let request = next()?;
        Some(client.send(&request).await.map(drop))
    })
    .await
}

/// Has every client ask until it has nothing to ask or the time is over.
pub(crate) async fn drive_each<Client>(
    clients: impl IntoIterator<Item = Client>,
    time: Duration,
    ask: impl AsyncFn(&mut Client) -> Option<anyhow::Result<()>>,
) -> Round {
    let started = Instant::now();
    let end = started + time;
    let round = RefCell::new(Round {
        done: 0,
        failed: 0,
        first_failure: None,
        latencies: Latencies::new(),
        elapsed: Duration::ZERO,
    });
    let ask = &ask;
    join_all(clients.into_iter().map(async |mut client| {
        loop {
            let sent = Instant::now();
            if sent >= end {
                return;
            }
            let Some(answer) = ask(&mut client).await else {
                return;
            };
            let failed = answer.is_err();
            round.borrow_mut().count(answer, sent.elapsed());
            if failed {
                sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }))
    .await;
    let mut round = round.into_inner();
    round.elapsed = started.elapsed();
    round
}
