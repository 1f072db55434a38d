//! Bookings across the cluster: forwarding to the leader, and the payment saga.

mod attempt;
mod attempts;
mod candidates;
mod desk;
mod driver;
mod errand;
#[cfg(test)]
mod fuzz;
mod here;
mod in_flight;
mod key_uses;
mod moment;
mod of_guest;
mod operator;
#[cfg(test)]
mod planted;
mod rounds;
mod saga;
pub(crate) mod steward;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use attempt::DeskError;
pub(crate) use attempts::Saga;
pub(crate) use desk::{BookingDesk, DeskOptions, Tasks};
pub(crate) use driver::DriverOptions;
pub(crate) use errand::Errand;
pub(crate) use rounds::Rounds;
