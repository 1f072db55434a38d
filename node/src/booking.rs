//! Bookings across the cluster: forwarding to the leader, and the payment saga.

mod attempt;
mod candidates;
mod desk;
mod errand;
mod saga;
pub(crate) mod steward;
mod till;
mod wire;

pub(crate) use attempt::DeskError;
pub(crate) use desk::BookingDesk;
pub(crate) use errand::Errand;
