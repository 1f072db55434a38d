//! Strikes faults when their time has come, sees to it that they took effect, and mends
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Course;
use crate::fault::{self, FaultSpec, Scene, Struck};
use crate::load::Desk;
use crate::record::{FaultEvent, Line, Phase};

/// How often a fault is asked whether it was seen, while it is in effect.
const CONFIRM_EVERY: Duration = Duration::from_millis(250);

/// One of the faults of a run.
struct Deed<'a> {
    number: u64,
    spec: &'a FaultSpec,
    scene: &'a Scene,
    desk: &'a Arc<Desk>,
    tell: &'a dyn Fn(&str),
    stop: &'a CancellationToken,
}

/// Strikes every fault of the scenario; returns when the time of chaos is over and all of
/// them are mended, or sooner if the run goes no further.
pub(super) async fn strike_all(course: &Course<'_>, scene: &Scene, desk: &Arc<Desk>) {
    let (options, stop, tell) = (course.options, &course.ending, course.tell);
    let begins = Instant::now();
    let until = begins + Duration::from_secs_f64(options.scenario.run.chaos_s);
    let numbers = AtomicU64::new(0);
    let deeds = (0..).zip(&course.faults).map(|(place, spec)| {
        let (numbers, mut random) = (&numbers, StdRng::seed_from_u64(options.seed ^ place));
        async move {
            let mut due = begins + Duration::from_secs_f64(spec.at_s);
            while due <= until {
                if stop.run_until_cancelled(sleep_until(due)).await.is_none() {
                    return;
                }
                let deed = Deed {
                    number: numbers.fetch_add(1, Ordering::Relaxed) + 1,
                    spec,
                    scene,
                    desk,
                    tell,
                    stop,
                };
                deed.carry_out(&mut random, until).await;
                let Some(every) = spec.every_s else { return };
                due += Duration::from_secs_f64(every);
                due = due.max(Instant::now());
            }
        }
    });
    join_all(deeds).await;
    // Whoever ends the run does not wait for its end.
    let _ = stop.run_until_cancelled(sleep_until(until)).await;
}

impl Deed<'_> {
    async fn carry_out(&self, random: &mut StdRng, until: Instant) {
        let name = self.spec.name();
        let struck = match fault::begin(&self.spec.fault, self.scene, random).await {
            Ok(struck) => struck,
            Err(cause) => {
                (self.tell)(&format!("{name} could not be struck: {cause}"));
                let nobody = (String::new(), Vec::new());
                self.note(Phase::Failed, nobody, Some(cause.to_string()));
                return;
            }
        };
        let whom = whom(&struck);
        (self.tell)(&format!("{name}: {}", struck.target));
        self.note(Phase::Begun, whom.clone(), None);
        let ends = match self.spec.for_s {
            Some(lasts) => (Instant::now() + Duration::from_secs_f64(lasts)).min(until),
            None => until,
        };
        let seen = self.watch(&struck, ends).await;
        match fault::end(struck, self.scene).await {
            Ok(()) => self.note(Phase::Ended, whom, seen),
            Err(cause) => {
                (self.tell)(&format!("{name} could not be mended: {cause}"));
                self.note(Phase::Failed, whom, Some(cause.to_string()));
            }
        }
    }

    /// Waits until the fault's time is over; answers how it was seen to be in effect, and
    /// writes that down when it is.
    async fn watch(&self, struck: &Struck, ends: Instant) -> Option<String> {
        let mut seen = None;
        while Instant::now() < ends && !self.stop.is_cancelled() {
            if seen.is_none() {
                seen = fault::confirm(struck, self.scene).await;
                if seen.is_some() {
                    self.note(Phase::Begun, whom(struck), seen.clone());
                }
            }
            let left = ends.saturating_duration_since(Instant::now());
            sleep(left.min(CONFIRM_EVERY)).await;
        }
        match seen {
            Some(seen) => Some(seen),
            None if self.stop.is_cancelled() => None,
            None => fault::confirm_done(struck, self.scene).await,
        }
    }

    fn note(&self, phase: Phase, (target, nodes): (String, Vec<u64>), confirmed: Option<String>) {
        self.desk.recorder.line(|at_us| {
            Line::Fault(FaultEvent {
                at_us,
                fault: self.spec.name().to_owned(),
                id: self.number,
                phase,
                target,
                nodes,
                confirmed,
            })
        });
    }
}

fn whom(struck: &Struck) -> (String, Vec<u64>) {
    (struck.target.clone(), struck.nodes.clone())
}
