//! Bookings across the cluster: forwarding to the leader, and the payment saga.

mod desk;
mod saga;
mod wire;

pub(crate) use desk::{BookingDesk, DeskError};
