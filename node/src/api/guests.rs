//! `/v1/guests/{id}`: what a guest prefers, and the listings that fit.
//!
//! Preferences are a register of the cluster: every region reads and writes them, and the last
//! write stands.

mod matches;
mod preferences;

pub(crate) use matches::{Page, matches};
pub(crate) use preferences::{Preferences, prefer, preferences};
