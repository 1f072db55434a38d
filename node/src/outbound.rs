//! Events on their way out of the cluster: webhooks, and other sinks.
//!
//! The feed on disk is the queue. One pump for each destination reads it, keeps a bounded part
//! of it under way, and says how far it has come ([`pump`]: decides, and waits for nothing).
//! Where events go and how far each region has come are registers ([`crate::registers`]): they
//! outlive any node. In every region one node delivers to a destination, chosen by rendezvous
//! among those that are alive ([`keeper`]).
//!
//! At least once, under the event's id, in the order of its listing: an event that fails holds
//! back those behind it in its own listing and no others. Nothing here is on the way of a
//! booking.

mod backlog;
mod backoff;
mod desk;
mod endpoint;
#[cfg(test)]
mod fuzz;
mod keeper;
mod nats;
mod open;
mod progress;
mod pump;
mod responsible;
mod runner;
mod target;
mod webhook;

pub(crate) use backlog::Behind;
pub(crate) use desk::{ENDPOINTS_MAX, OutboundDesk};
pub(crate) use endpoint::{Endpoint, EndpointId, Replay, fresh_secret};
pub(crate) use open::{Parts, REGISTERS_FOLDER, open};
pub(crate) use progress::{Delivery, Progress};
