//! Replicas with real databases, linked by the real mesh over loopback.

mod applying;
mod cluster;
mod convergence;
mod quarantine;
mod reading;
mod rendering;
mod returning;
mod sessions;
mod setup;
mod writing;
