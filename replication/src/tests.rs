//! Replicas with real databases, linked by the real mesh over loopback, or by a
//! simulated one.

mod applying;
mod backlog;
mod burying;
mod carrying;
mod cluster;
mod conflicts;
mod convergence;
mod dying;
mod events;
mod greeted;
mod hearing;
mod idling;
mod left_behind;
mod mending;
mod quarantine;
mod reading;
mod rendering;
mod renewing;
mod repair;
mod replaying;
mod returning;
mod sessions;
pub(crate) mod setup;
mod sim;
mod speed;
mod spreading;
mod telling;
mod together;
mod trimming;
mod writing;
