//! What the simulations of both planes share: chance from a seed, time that passes at
//! once, folders in memory, and verdicts.
//!
//! What it is not: it knows no plane, no node and no promise. For tests alone; no product
//! depends on it.

mod at_rest;
mod folder;
mod panics;
mod rng;
mod seeds;
mod verdict;
mod virtual_time;
pub mod watch;

pub use at_rest::copy_at_rest;
pub use folder::Folder;
pub use panics::{count_panics, panics};
pub use rng::Rng;
pub use seeds::asked_for;
pub use verdict::{Checker, Violation, judge};
pub use virtual_time::pass;
