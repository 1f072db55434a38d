//! Writes down what happens, as it happens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use meridian_client::{Answer, CallError};
use serde_json::Value;

use crate::observe::text;
use crate::record::{
    Answered, Call, Completion, HistoryError, HistoryWriter, Invocation, Line, Outcome,
};

use super::Door;

/// How calls have ended so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) ok: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
}

/// The one place that everything of a run passes.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    calls: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    writer: HistoryWriter,
    tally: Tally,
    /// The first line that could not be written: the run is over then.
    broken: Option<HistoryError>,
}

impl Recorder {
    pub(crate) fn new(writer: HistoryWriter) -> Self {
        Self {
            start: Instant::now(),
            calls: AtomicU64::new(0),
            kept: Mutex::new(Kept {
                writer,
                tally: Tally::default(),
                broken: None,
            }),
        }
    }

    /// Microseconds since the run began.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Asks, and writes down what was asked and what it came to.
    pub(crate) async fn call(
        &self,
        client: u64,
        door: &Door,
        what: Call,
        asked: impl Future<Output = Result<Answer, CallError>>,
    ) -> Outcome {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let writes = !matches!(
            what,
            Call::ReadNights { .. } | Call::ReadListing { .. } | Call::Search { .. }
        );
        self.line(|at_us| {
            Line::Invoked(Invocation {
                at_us,
                call,
                client,
                region: door.region.clone(),
                node: door.node,
                what,
            })
        });
        let answer = asked.await;
        let served_by = answer.as_ref().ok().and_then(|it| it.served_by.clone());
        let outcome = outcome(&answer, writes);
        {
            let mut kept = self.kept();
            match &outcome {
                Outcome::Ok(_) => kept.tally.ok += 1,
                Outcome::Fail { .. } => kept.tally.refused += 1,
                Outcome::Unknown { .. } => kept.tally.unknown += 1,
            }
        }
        let told = outcome.clone();
        self.line(|at_us| {
            Line::Completed(Completion {
                at_us,
                call,
                outcome: told,
                served_by,
            })
        });
        outcome
    }

    /// Adds a line, in the order of its time.
    pub(crate) fn line(&self, line: impl FnOnce(u64) -> Line) {
        let mut kept = self.kept();
        let line = line(self.now_us());
        if let Err(cause) = kept.writer.line(&line) {
            kept.broken.get_or_insert(cause);
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.kept().tally
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<(), HistoryError> {
        let kept = self.kept.into_inner();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        match kept.broken {
            Some(cause) => Err(cause),
            None => kept.writer.finish(),
        }
    }

    // Held for one line, never across an await.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an answer says. A read that gave nothing has failed: it changed nothing.
fn outcome(answer: &Result<Answer, CallError>, writes: bool) -> Outcome {
    match answer {
        Ok(answer) => Outcome::Ok(answered(answer)),
        Err(error) => {
            let code = code(error);
            let may_be_done = error.outcome_unknown() || matches!(error, CallError::Decode(_));
            if writes && may_be_done {
                Outcome::Unknown { code }
            } else {
                Outcome::Fail { code }
            }
        }
    }
}

fn code(error: &CallError) -> String {
    match error {
        CallError::Problem(problem) => problem.code.clone(),
        CallError::Unknown(_) => "no-answer".to_owned(),
        CallError::Unreachable(_) => "unreachable".to_owned(),
        CallError::Decode(_) => "unreadable".to_owned(),
    }
}

fn answered(answer: &Answer) -> Answered {
    let body = &answer.body;
    let named = |name: &str| body[name].as_str().map(str::to_owned);
    Answered {
        booking: named("booking_id"),
        hold: named("hold_id"),
        state: named("state"),
        fencing_token: body["fencing_token"].as_u64(),
        revision: body["revision"].as_u64(),
        replayed: answer.replayed,
        free: nights(&body["nights"]),
        amenities: body["amenities"]
            .as_array()
            .map(|amenities| amenities.iter().map(text).collect()),
        found: body["data"]
            .as_array()
            .map(|found| found.iter().map(|one| text(&one["id"])).collect()),
        staleness_ms: answer.staleness_ms,
    }
}

fn nights(nights: &Value) -> Vec<(String, u32)> {
    let nights = nights.as_array().into_iter().flatten();
    nights
        .filter_map(|night| {
            let free = u32::try_from(night["free"].as_u64()?).ok()?;
            Some((night["date"].as_str()?.to_owned(), free))
        })
        .collect()
}
