//! Nodes on loopback, with real certificates and real QUIC.

mod beats;
mod calls;
pub(crate) mod cluster;
mod early;
mod floods;
mod former;
mod levels;
mod links;
mod racing;
pub(crate) mod raw;
mod renewal;
mod silence;
mod silent_renewal;
mod strangers;
mod ways;
