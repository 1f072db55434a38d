//! Clients that use a cluster while it is being broken: one file for each kind.
//!
//! A client asks for one thing at a time, waits for the answer as long as its deadline
//! lasts, and writes both down. It never repeats by itself: what was asked twice stands in
//! the history twice.

mod book;
mod desk;
mod edits;
mod guest;
mod holds;
mod recorder;
mod spec;
mod zipf;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use desk::{Desk, Door, Ground};
use guest::Guest;
pub(crate) use recorder::{Recorder, Tally};
pub use spec::{Kind, Pace, Workload};

/// Starts every client of every workload; they end with `enough`, each after the call that
/// is under way.
pub(crate) fn start(
    workloads: &[Workload],
    desk: &Arc<Desk>,
    seed: u64,
    tracker: &TaskTracker,
    enough: &CancellationToken,
) {
    let mut number = 0;
    for workload in workloads {
        for place in 0..desk.regions().len() {
            for _ in 0..workload.clients {
                number += 1;
                let guest = Guest::new(number, place, Arc::clone(desk), seed);
                tracker.spawn(guest.run(workload.clone(), enough.clone()));
            }
        }
    }
}
